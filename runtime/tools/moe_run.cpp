// The frame of moe-run: options, program, reports, exit status.
#include "moe_run.h"

#include "counters_report.h"
#include "key_file.h"
#include "perf_map.h"
#include "routing_report.h"
#include "trace_report.h"

#include <cstdio>
#include <optional>

namespace moert::tools {

ProgramHandle openProgram(const RunOptions &options) {
  moert_program_options_t opening = MOERT_PROGRAM_OPTIONS_INIT;
  opening.load = options.load == "read" ? MOERT_LOAD_READ : MOERT_LOAD_MAP;
  opening.verify = options.verify;
  opening.variant = options.variant.empty() ? nullptr : options.variant.c_str();
  std::array<uint8_t, 32> key;
  if (!options.publicKeyFile.empty()) {
    key = readPublicKey(options.publicKeyFile);
    opening.require_signature = key.data();
  }
  moert_program_t *program = nullptr;
  check(moert_program_open(options.file.c_str(), &opening, &program));
  return ProgramHandle(program);
}

moert_session_options_t getSessionOptions(const RunOptions &options) {
  moert_session_options_t session = MOERT_SESSION_OPTIONS_INIT;
  session.thread_count = static_cast<uint32_t>(std::min<int64_t>(options.threads, UINT32_MAX));
  session.device = options.device.c_str();
  return session;
}

static void runTool(const RunOptions &options) {
  const ProgramHandle program = openProgram(options);
  moert_session_options_t session = getSessionOptions(options);
  std::optional<RoutingReport> routing;
  std::optional<TraceReport> trace;
  std::optional<CountersReport> counters;
  if (!options.routingFile.empty())
    routing.emplace(program.get()).attach(session);
  if (!options.traceFile.empty()) {
    writePerfMap(program.get());
    trace.emplace(program.get()).attach(session);
  }
  if (options.counters)
    counters.emplace(program.get()).attach(session);
  (options.prompt ? generate : options.bench ? bench : runOnce)(program.get(), session, options);
  if (routing)
    writeFile(options.routingFile, routing->toJson());
  if (trace)
    writeFile(options.traceFile, trace->finish());
  if (counters)
    std::fputs((options.json ? counters->toJson() : counters->toText()).c_str(), stdout);
}

int moeRunMain(int argc, char **argv) {
  try {
    std::string help;
    const RunOptions options = parseRunOptions(argc, argv, help);
    if (!help.empty())
      std::fputs(help.c_str(), stdout);
    else
      runTool(options);
    return 0;
  } catch (const ToolError &error) {
    std::fprintf(stderr, "moe-run: %s\n", error.what());
    return 1;
  } catch (const std::bad_alloc &) {
    std::fprintf(stderr, "moe-run: out of memory\n");
    return 1;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "moe-run: internal error: %s\n", error.what());
    return 70;
  }
}

} // namespace moert::tools
