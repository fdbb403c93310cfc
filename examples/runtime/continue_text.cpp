// Continues a text with a byte-level language model, keeping the state of the attention inside the session, and tries a
// second continuation from the same point. Usage: continue_text FILE.moe TEXT COUNT
#include <moert/moert.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

static void check(moert_status_t status) {
  if (status != MOERT_OK)
    throw std::runtime_error(moert_last_error());
}

struct Release {
  void operator()(moert_program_t *program) const { moert_program_close(program); }
  void operator()(moert_session_t *session) const { moert_session_destroy(session); }
};
using Program = std::unique_ptr<moert_program_t, Release>;
using Session = std::unique_ptr<moert_session_t, Release>;

// Feeds tokens and returns the best next one. Inputs are `input_ids` and perhaps `position_ids`, both i64 [1, n].
static int64_t step(const moert_program_t *program, moert_session_t *session, std::vector<int64_t> tokens) {
  std::vector<int64_t> positions;
  for (size_t i = 0; i < tokens.size(); ++i)
    positions.push_back(moert_session_state_length(session) + static_cast<int64_t>(i));
  const int64_t dims[] = {1, static_cast<int64_t>(tokens.size())};
  std::vector<moert_tensor_view_t> inputs;
  for (auto [name, values] : {std::pair("input_ids", &tokens), {"position_ids", &positions}})
    if (moert_program_find_input(program, name) >= 0)
      inputs.push_back({MOERT_I64, 2, dims, values->data(), values->size() * sizeof(int64_t)});
  check(moert_session_step(session, inputs.data(), inputs.size(), nullptr, 0));

  moert_tensor_view_t scores;
  check(moert_session_output(session, static_cast<size_t>(moert_program_find_output(program, "logits")), &scores));
  const int64_t vocabulary = scores.dims[scores.rank - 1];
  auto best = [&](auto *last) {
    int64_t token = 0;
    for (int64_t i = 1; i < vocabulary; ++i)
      if (last[i] > last[token])
        token = i;
    return token;
  };
  const int64_t count = static_cast<int64_t>(scores.byte_size / moert_element_type_size(scores.element_type));
  return scores.element_type == MOERT_F32 ? best(static_cast<const float *>(scores.data) + count - vocabulary)
                                          : best(static_cast<const int32_t *>(scores.data) + count - vocabulary);
}

static void print(const moert_program_t *program, moert_session_t *session, int64_t token, int count) {
  for (int i = 0; i < count; ++i) {
    std::putchar(static_cast<int>(token));
    token = step(program, session, {token});
  }
  std::putchar('\n');
}

int main(int argc, char **argv) try {
  if (argc != 4)
    throw std::runtime_error("usage: continue_text FILE.moe TEXT COUNT");
  moert_program_t *opened = nullptr;
  check(moert_program_open(argv[1], nullptr, &opened));
  const Program program(opened);
  moert_session_t *created = nullptr;
  check(moert_session_create(program.get(), nullptr, &created));
  const Session session(created);

  moert_tokenizer_info_t tokenizer = {sizeof(tokenizer), 0, 0, 0, 0, nullptr};
  check(moert_program_tokenizer(program.get(), &tokenizer));
  std::vector<int64_t> tokens;
  if (tokenizer.has_bos)
    tokens.push_back(tokenizer.bos);
  for (const char character : std::string(argv[2]))
    tokens.push_back(static_cast<unsigned char>(character));
  const int64_t token = step(program.get(), session.get(), tokens);

  moert_session_t *copy = nullptr;
  check(moert_session_state_fork(session.get(), &copy));
  const Session fork(copy);
  print(program.get(), session.get(), token, std::atoi(argv[3]));
  print(program.get(), fork.get(), 'A', std::atoi(argv[3]));
  return 0;
} catch (const std::exception &error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
