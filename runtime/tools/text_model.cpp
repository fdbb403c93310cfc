// Inputs are known by the names that exporters of language models give them.
#include "text_model.h"

#include <cmath>
#include <limits>
#include <numeric>

namespace moert::tools {

static std::vector<bool> findStateTensors(const moert_program_t *program, size_t count, uint32_t moert_state_t::*side) {
  std::vector<bool> carries(count);
  for (size_t i = 0; i < moert_program_state_count(program); ++i) {
    moert_state_t state;
    check(moert_program_state(program, i, &state));
    carries[state.*side] = true;
  }
  return carries;
}

static TextSignature::Input findRole(const moert_tensor_info_t &info) {
  using Role = TextSignature::Role;
  struct Rule {
    const char *name;
    Role role;
    uint32_t rank;
  };
  static constexpr Rule rules[] = {
      {"input_ids", Role::Tokens, 2},
      {"position_ids", Role::Positions, 2},
      {"attention_mask", Role::Mask, 2},
      {"seqlens_k", Role::LastPosition, 1},
      {"total_sequence_length", Role::Length, 0},
  };
  for (const Rule &rule : rules) {
    if (rule.name != std::string_view(info.name))
      continue;
    if (info.rank != rule.rank)
      throw ToolError("cannot generate: input '" + std::string(info.name) + "' has rank " + std::to_string(info.rank) +
                      ", expected " + std::to_string(rule.rank));
    return {rule.role, info.element_type, info.rank};
  }
  throw ToolError("cannot generate: no rule how to feed input '" + std::string(info.name) + "'");
}

static size_t findLogits(const moert_program_t *program) {
  const size_t count = moert_program_output_count(program);
  const std::vector<bool> isState = findStateTensors(program, count, &moert_state_t::output);
  if (const int64_t named = moert_program_find_output(program, "logits"); named >= 0)
    return static_cast<size_t>(named);
  for (size_t i = 0; i < count; ++i)
    if (!isState[i])
      return i;
  throw ToolError("cannot generate: the model has no output besides its state");
}

TextSignature::TextSignature(const moert_program_t *program)
    : logits(findLogits(program)), hasState(moert_program_state_count(program) != 0) {
  const size_t count = moert_program_input_count(program);
  const std::vector<bool> isState = findStateTensors(program, count, &moert_state_t::input);
  bool hasTokens = false;
  for (size_t i = 0; i < count; ++i) {
    if (isState[i])
      continue;
    inputs.push_back(findRole(getInput(program, i)));
    hasTokens |= inputs.back().role == Role::Tokens;
  }
  if (!hasTokens)
    throw ToolError("cannot generate: the model has no input 'input_ids'");
}

Tensor makeTextInput(const TextSignature::Input &input, const std::vector<int64_t> &tokens, int64_t before) {
  using Role = TextSignature::Role;
  const auto added = static_cast<int64_t>(tokens.size()), length = before + added;
  std::vector<int64_t> values = tokens;
  switch (input.role) {
  case Role::Tokens:
    break;
  case Role::Positions:
    std::iota(values.begin(), values.end(), before);
    break;
  case Role::Mask:
    values.assign(static_cast<size_t>(length), 1);
    break;
  case Role::LastPosition:
    values = {length - 1};
    break;
  case Role::Length:
    values = {length};
    break;
  }
  Tensor tensor{input.elementType, {1, static_cast<int64_t>(values.size())}, {}};
  tensor.dims.resize(input.rank); // those of fewer dimensions have one value
  resize(tensor);
  for (size_t i = 0; i < values.size(); ++i)
    setElement(tensor, static_cast<int64_t>(i), double(values[i]));
  return tensor;
}

std::vector<double> readLastScores(moert_session_t *session, size_t logits) {
  moert_tensor_view_t view;
  check(moert_session_output(session, logits, &view));
  const int64_t vocabulary = view.rank ? view.dims[view.rank - 1] : 0;
  if (vocabulary == 0 || view.byte_size == 0)
    throw ToolError("cannot generate: output of type " + describeTensor(view) + " has no scores");
  const auto count = static_cast<int64_t>(view.byte_size / moert_element_type_size(view.element_type));
  std::vector<double> scores(static_cast<size_t>(vocabulary));
  for (int64_t i = 0; i < vocabulary; ++i) {
    const double score = getElement(view, count - vocabulary + i);
    scores[static_cast<size_t>(i)] = std::isnan(score) ? -std::numeric_limits<double>::infinity() : score;
  }
  return scores;
}

TextModel::TextModel(const moert_program_t *program, const moert_session_options_t &options)
    : signature(program), session(createSession(program, options)) {}

void TextModel::reset() {
  text.clear();
  check(moert_session_state_reset(session.get()));
}

void TextModel::append(const std::vector<int64_t> &tokens) {
  const auto before = static_cast<int64_t>(text.size());
  text.insert(text.end(), tokens.begin(), tokens.end());
  std::vector<Tensor> tensors;
  std::vector<moert_tensor_view_t> views;
  for (const TextSignature::Input &input : signature.inputs)
    tensors.push_back(signature.hasState ? makeTextInput(input, tokens, before) : makeTextInput(input, text, 0));
  for (Tensor &tensor : tensors)
    views.push_back(tensor.getView());
  check(moert_session_step(session.get(), views.data(), views.size(), nullptr, 0));
  scores = readLastScores(session.get(), signature.logits);
}

std::vector<int64_t> tokenize(const moert_program_t *program, const std::string &text) {
  moert_tokenizer_info_t tokenizer = {sizeof(tokenizer), 0, 0, 0, 0, nullptr};
  check(moert_program_tokenizer(program, &tokenizer));
  if (tokenizer.kind != MOERT_TOKENIZER_BYTE)
    throw ToolError(
        "cannot generate: the file has no tokenizer (compile with --tokenizer=byte if its tokens are bytes)");
  std::vector<int64_t> tokens;
  if (tokenizer.has_bos)
    tokens.push_back(tokenizer.bos);
  for (const char character : text)
    tokens.push_back(static_cast<unsigned char>(character));
  if (tokens.empty())
    throw ToolError("cannot generate from an empty text: the file has no opening token");
  return tokens;
}

} // namespace moert::tools
