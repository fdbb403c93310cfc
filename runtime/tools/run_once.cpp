// A run on given inputs.
#include "input_spec.h"
#include "json.h"
#include "moe_run.h"
#include "npy.h"
#include "timing.h"

#include <cstdio>
#include <filesystem>

namespace moert::tools {

static void reportTimes(const std::vector<double> &seconds, bool asJson) {
  const TimeSummary times = summarize(seconds);
  if (!asJson) {
    std::printf("%zu runs: median %.3f ms, min %.3f ms, p95 %.3f ms\n", seconds.size(), times.median * 1e3,
                times.minimum * 1e3, times.p95 * 1e3);
    return;
  }
  JsonWriter json;
  json.beginObject().member("median_ms", times.median * 1e3).member("min_ms", times.minimum * 1e3);
  json.member("p95_ms", times.p95 * 1e3).member("runs", seconds.size()).endObject();
  std::printf("%s\n", json.getText().c_str());
}

static void writeOutputs(const moert_program_t *program, moert_session_t *session, const RunOptions &options) {
  std::error_code problem;
  if (!options.outputDir.empty() && (std::filesystem::create_directories(options.outputDir, problem), problem))
    throw ToolError("cannot create '" + options.outputDir + "': " + problem.message());
  for (size_t i = 0; i < moert_program_output_count(program); ++i) {
    moert_tensor_view_t view;
    check(moert_session_output(session, i, &view));
    if (!options.outputDir.empty())
      writeNpy(options.outputDir + "/output_" + std::to_string(i) + ".npy", view);
    else if (!options.json)
      std::printf("output %zu '%s': %s\n", i, getOutput(program, i).name, describeTensor(view).c_str());
  }
}

void runOnce(const moert_program_t *program, const moert_session_options_t &sessionOptions, const RunOptions &options) {
  std::vector<Tensor> inputs = loadInputs(program, options.inputs);
  std::vector<moert_tensor_view_t> views;
  for (Tensor &input : inputs)
    views.push_back(input.getView());
  const SessionHandle session = createSession(program, sessionOptions);
  std::vector<double> seconds;
  auto run = [&] {
    Stopwatch stopwatch;
    check(moert_session_run(session.get(), views.data(), views.size(), nullptr, 0));
    seconds.push_back(stopwatch.seconds());
  };
  run();
  if (options.repeatFor) {
    // The first run took memory from the system; it says nothing about the others.
    seconds.clear();
    Stopwatch stopwatch;
    do
      run();
    while (stopwatch.seconds() < *options.repeatFor);
  }
  writeOutputs(program, session.get(), options);
  if (options.repeatFor || options.json)
    reportTimes(seconds, options.json);
}

} // namespace moert::tools
