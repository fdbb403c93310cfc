// A Chrome trace of the dispatches of a session: what ran when, on which thread, and which bytes of weights it read.
#pragma once
#include "json.h"
#include "weight_use.h"

#include <span>

namespace moert::tools {

class TraceReport {
public:
  explicit TraceReport(const moert_program_t *program);

  // Has sessions created with these options report here, also their routing, which goes on to whom it went before.
  void attach(moert_session_options_t &options);
  // Once, after the last run.
  std::string finish();

private:
  void recordDispatch(const moert_trace_dispatch_t &dispatch);
  void writeWeights(const moert_trace_dispatch_t &dispatch);
  void writeReads(std::span<const moert_trace_read_t> reads);
  void beginEvent(const char *name, uint32_t thread, uint64_t beginNs, uint64_t endNs);

  const moert_program_t *program;
  WeightUse weights;
  JsonWriter json;
};

} // namespace moert::tools
