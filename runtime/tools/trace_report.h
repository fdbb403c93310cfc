// A Chrome trace of the dispatches of a session: what ran when, on which thread, and which bytes of weights it read.
#pragma once
#include "json.h"
#include "moert/moert.h"

namespace moert::tools {

class TraceReport {
public:
  explicit TraceReport(const moert_program_t *program);

  // Has sessions created with these options report here.
  void attach(moert_session_options_t &options);
  // Once, after the last run.
  std::string finish();

private:
  void record(const moert_trace_dispatch_t &dispatch);
  void writeWeights(const moert_trace_dispatch_t &dispatch);
  void beginEvent(const char *name, uint32_t thread, uint64_t beginNs, uint64_t endNs);

  const moert_program_t *program;
  JsonWriter json;
};

} // namespace moert::tools
