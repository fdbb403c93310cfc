// Tokens per second, beside what the machine could do.
#include "json.h"
#include "moe_run.h"
#include "probes.h"
#include "routing_report.h"
#include "text_model.h"
#include "timing.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace moert::tools {
namespace {

struct BenchTimes {
  std::vector<double> prefill, steps;
};

// What a pass costs, counted apart from the timed passes.
struct BenchCounts {
  double prefillWork = 0, decodeWork = 0; // scalar operations
  double decodeWeightBytes = 0;           // read per step
};

std::vector<int64_t> makeTokens(int64_t count) {
  std::vector<int64_t> tokens(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i)
    tokens[static_cast<size_t>(i)] = 32 + i * 7919 % 95; // printable bytes, which every vocabulary has
  return tokens;
}

BenchTimes measure(const moert_program_t *program, const moert_session_options_t &session, const RunOptions &options) {
  TextModel model(program, session);
  BenchTimes times;
  const std::vector<int64_t> prompt = makeTokens(options.prefill), next = makeTokens(options.decode);
  model.append(prompt); // the first pass takes memory from the system
  for (int64_t repetition = 0; repetition < options.repeat; ++repetition) {
    model.reset();
    Stopwatch stopwatch;
    model.append(prompt);
    times.prefill.push_back(stopwatch.seconds());
    for (int64_t token : next) {
      Stopwatch stepTime;
      model.append({token});
      times.steps.push_back(stepTime.seconds());
    }
  }
  return times;
}

// Bytes of all expert ranges of a layer, or of the experts that `routing` has seen.
uint64_t getExpertBytes(const moert_program_t *program, size_t layer, const RoutingReport *routing) {
  uint64_t bytes = 0;
  moert_layer_info_t info = {sizeof(info), nullptr, nullptr, nullptr, 0, 0, 0};
  check(moert_program_layer(program, layer, &info));
  for (size_t i = 0; i < info.range_count; ++i) {
    moert_expert_range_t range;
    check(moert_program_expert_range(program, layer, i, &range));
    if (!routing || routing->getLayers()[layer].counts[range.expert] > 0)
      bytes += range.size;
  }
  return bytes;
}

uint64_t getActiveBytes(const moert_program_t *program, const RoutingReport &routing) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < moert_program_weight_count(program); ++i) {
    moert_weight_info_t weight = {sizeof(weight), nullptr, 0, 0, 0, nullptr, 0, 0};
    check(moert_program_weight(program, i, &weight));
    bytes += weight.byte_size;
  }
  for (size_t layer = 0; layer < moert_program_layer_count(program); ++layer) {
    bytes -= std::min(bytes, getExpertBytes(program, layer, nullptr));
    bytes += getExpertBytes(program, layer, &routing);
  }
  return bytes;
}

BenchCounts countOnePass(const moert_program_t *program, moert_session_options_t session, const RunOptions &options) {
  BenchCounts counts;
  double work = 0;
  RoutingReport routing(program);
  routing.attach(session);
  session.trace_context = &work;
  session.trace = [](void *context, const moert_trace_dispatch_t *dispatch) {
    *static_cast<double *>(context) += static_cast<double>(dispatch->work);
  };
  TextModel model(program, session);
  model.append(makeTokens(options.prefill));
  counts.prefillWork = work;
  work = 0;
  for (int64_t token : makeTokens(options.decode)) {
    routing.clear();
    model.append({token});
    counts.decodeWeightBytes += static_cast<double>(getActiveBytes(program, routing));
  }
  if (options.decode) {
    counts.decodeWork = work / static_cast<double>(options.decode);
    counts.decodeWeightBytes /= static_cast<double>(options.decode);
  }
  return counts;
}

struct BenchResult {
  std::string model, variant;
  uint32_t threads;
  TimeSummary prefill, step;
  double prefillRate, decodeRate, prefillGflops, decodeGflops, decodeGBs;
  MachineProbes machine;
};

void printJson(const BenchResult &result, const RunOptions &options) {
  JsonWriter json;
  json.beginObject().member("model", result.model).member("variant", result.variant);
  json.member("threads", result.threads).member("prefill", options.prefill).member("decode", options.decode);
  json.member("prefill_tokens_per_s", result.prefillRate).member("decode_tokens_per_s", result.decodeRate);
  json.member("prefill_ms", result.prefill.median * 1e3).member("step_min_ms", result.step.minimum * 1e3);
  json.member("step_median_ms", result.step.median * 1e3).member("step_p95_ms", result.step.p95 * 1e3);
  json.member("prefill_gflops", result.prefillGflops).member("decode_gflops", result.decodeGflops);
  json.member("decode_weight_gb_per_s", result.decodeGBs).member("machine_read_gb_per_s", result.machine.readGBs);
  json.member("machine_peak_gflops", result.machine.peakGflops).endObject();
  std::printf("%s\n", json.getText().c_str());
}

void printTable(const BenchResult &result, const RunOptions &options) {
  std::printf("| model | variant | threads | prefill %lld tokens/s | decode %lld tokens/s | step median ms | "
              "GFLOP/s prefill (machine) | GB/s of weights decode (machine) |\n|---|---|---|---|---|---|---|---|\n",
              static_cast<long long>(options.prefill), static_cast<long long>(options.decode));
  std::printf("| %s | %s | %u | %.1f | %.1f | %.3f | %.1f (%.1f) | %.2f (%.2f) |\n", result.model.c_str(),
              result.variant.c_str(), result.threads, result.prefillRate, result.decodeRate, result.step.median * 1e3,
              result.prefillGflops, result.machine.peakGflops, result.decodeGBs, result.machine.readGBs);
}

} // namespace

void bench(const moert_program_t *program, const moert_session_options_t &session, const RunOptions &options) {
  const BenchTimes times = measure(program, session, options);
  const BenchCounts counts = countOnePass(program, session, options);
  BenchResult result = {};
  result.model = std::filesystem::path(options.file).stem().string();
  result.variant = moert_program_variant(program);
  result.threads = moert_session_thread_count(createSession(program, session).get());
  result.machine = probeMachine(result.threads);
  result.prefill = summarize(times.prefill);
  result.prefillRate = static_cast<double>(options.prefill) / result.prefill.median;
  result.prefillGflops = counts.prefillWork / result.prefill.median / 1e9;
  if (!times.steps.empty()) {
    result.step = summarize(times.steps);
    result.decodeRate = 1 / result.step.median;
    result.decodeGflops = counts.decodeWork / result.step.median / 1e9;
    result.decodeGBs = counts.decodeWeightBytes / result.step.median / 1e9;
  }
  (options.json ? printJson : printTable)(result, options);
}

} // namespace moert::tools
