// Times one layer on several inputs in turn.
//
//   layer_run LAYER.moe X.npy Y.npy THREADS SECONDS
//
// X.npy is f32 [sets, T, H]; a round runs each set once. Writes the outputs [sets, T, H] and prints one line of JSON
// with the means over the sets of each set's median and lowest time.
#include "npy.h"
#include "timing.h"
#include "tool_error.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace moert::tools;

static int run(char **argv) {
  Tensor x = readNpy(argv[2], MOERT_F32, "x");
  if (x.dims.size() != 3)
    throw ToolError("expected inputs of shape [sets, T, H]");
  const size_t sets = static_cast<size_t>(x.dims[0]), bytes = x.bytes.size() / sets;

  moert_program_options_t programOptions = MOERT_PROGRAM_OPTIONS_INIT;
  moert_program_t *opened = nullptr;
  check(moert_program_open(argv[1], &programOptions, &opened));
  const ProgramHandle program(opened);
  moert_session_options_t sessionOptions = MOERT_SESSION_OPTIONS_INIT;
  sessionOptions.thread_count = static_cast<uint32_t>(std::atoi(argv[4]));
  const SessionHandle session = createSession(program.get(), sessionOptions);

  Tensor y = x;
  std::vector<std::vector<double>> seconds(sets);
  Stopwatch total;
  for (int round = 0; round < 3 || total.seconds() < std::atof(argv[5]); ++round)
    for (size_t set = 0; set < sets; ++set) {
      const moert_tensor_view_t input{MOERT_F32, 2, x.dims.data() + 1, x.bytes.data() + set * bytes, bytes};
      Stopwatch stopwatch;
      check(moert_session_run(session.get(), &input, 1, nullptr, 0));
      const double time = stopwatch.seconds();
      if (round > 0) // the first round reads the weights from the disk
        seconds[set].push_back(time);
      moert_tensor_view_t output;
      check(moert_session_output(session.get(), 0, &output));
      if (output.byte_size != bytes)
        throw ToolError("expected outputs of the size of the inputs");
      std::memcpy(y.bytes.data() + set * bytes, output.data, bytes);
    }
  writeNpy(argv[3], y.getView());

  double median = 0.0, minimum = 0.0;
  for (const std::vector<double> &times : seconds) {
    median += summarize(times).median * 1e3 / static_cast<double>(sets);
    minimum += summarize(times).minimum * 1e3 / static_cast<double>(sets);
  }
  std::printf("{\"median_ms\": %.6f, \"min_ms\": %.6f}\n", median, minimum);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: layer_run LAYER.moe X.npy Y.npy THREADS SECONDS\n");
    return 1;
  }
  try {
    return run(argv);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "layer_run: %s\n", error.what());
    return 1;
  }
}
