// Text that continues a prompt, written as it is made.
#include "moe_run.h"
#include "text_model.h"
#include "timing.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace moert::tools {

static bool isStop(const moert_tokenizer_info_t &tokenizer, int64_t token) {
  return std::find(tokenizer.stops, tokenizer.stops + tokenizer.stop_count, token) !=
         tokenizer.stops + tokenizer.stop_count;
}

static void writeToken(int64_t token) {
  if (token < 0 || token > 255)
    throw ToolError("the model chose token " + std::to_string(token) + ", which is no byte");
  std::fputc(static_cast<int>(token), stdout);
  std::fflush(stdout);
}

// Text goes to standard output and the rates to standard error. A terminal shows the prompt first.
void generate(const moert_program_t *program, const moert_session_options_t &session, const RunOptions &options) {
  moert_tokenizer_info_t tokenizer = {sizeof(tokenizer), 0, 0, 0, 0, nullptr};
  check(moert_program_tokenizer(program, &tokenizer));
  const std::vector<int64_t> prompt = tokenize(program, *options.prompt);
  TextModel model(program, session);
  Sampler sampler(options.sampler);
  if (isatty(STDOUT_FILENO))
    std::fputs(options.prompt->c_str(), stdout);

  Stopwatch prefillTime;
  model.append(prompt);
  const double prefill = prefillTime.seconds();
  Stopwatch decodeTime;
  int64_t made = 0;
  while (made < options.maxNew) {
    const int64_t token = sampler.choose(model.getScores());
    if (isStop(tokenizer, token))
      break;
    writeToken(token);
    // The scores after the last token are not needed.
    if (++made < options.maxNew)
      model.append({token});
  }
  std::fputc('\n', stdout);
  std::fflush(stdout);
  const double decode = decodeTime.seconds();
  std::fprintf(stderr, "prompt: %zu tokens, %.0f tokens/s; generated: %lld tokens, %.0f tokens/s\n", prompt.size(),
               static_cast<double>(prompt.size()) / prefill, static_cast<long long>(made),
               decode > 0 ? static_cast<double>(made) / decode : 0);
}

} // namespace moert::tools
