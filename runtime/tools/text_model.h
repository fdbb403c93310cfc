// A language model: a program that maps token ids to scores of the next one, with or without state.
#pragma once
#include "tensor.h"
#include "tool_error.h"

namespace moert::tools {

// How the inputs and outputs of a program take part. Throws ToolError if the program is no such model.
struct TextSignature {
  explicit TextSignature(const moert_program_t *program);

  // LastPosition is the index of the last token, Length the number of all.
  enum class Role { Tokens, Positions, Mask, LastPosition, Length };
  struct Input {
    Role role;
    uint32_t elementType, rank;
  };
  std::vector<Input> inputs; // those that do not carry state
  size_t logits;             // the output that scores, in signature order
  bool hasState;
};

// Values of an input for `tokens` that follow `before` others.
Tensor makeTextInput(const TextSignature::Input &input, const std::vector<int64_t> &tokens, int64_t before);
// Scores of the last token of the last step; NaN counts as the least.
std::vector<double> readLastScores(moert_session_t *session, size_t logits);

class TextModel {
public:
  TextModel(const moert_program_t *program, const moert_session_options_t &options);

  // Forgets the text so far.
  void reset();
  // Continues the text by these tokens; afterwards `getScores` are those of the token that follows.
  void append(const std::vector<int64_t> &tokens);
  const std::vector<double> &getScores() const { return scores; }

private:
  TextSignature signature;
  SessionHandle session;
  std::vector<int64_t> text;
  std::vector<double> scores;
};

// Tokens of a text by the file's byte tokenizer, opened by its opening token if it has one.
std::vector<int64_t> tokenize(const moert_program_t *program, const std::string &text);

} // namespace moert::tools
