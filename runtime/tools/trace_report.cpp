// Events are "complete" events of the trace format, times in microseconds.
#include "trace_report.h"

#include "tool_error.h"

#include <algorithm>

namespace moert::tools {

TraceReport::TraceReport(const moert_program_t *program) : program(program), weights(program) {
  json.beginObject().member("displayTimeUnit", "ns").key("traceEvents").beginArray();
}

void TraceReport::attach(moert_session_options_t &options) {
  weights.attach(options);
  options.trace_context = this;
  options.trace = [](void *context, const moert_trace_dispatch_t *dispatch) {
    static_cast<TraceReport *>(context)->recordDispatch(*dispatch);
  };
}

void TraceReport::beginEvent(const char *name, uint32_t thread, uint64_t beginNs, uint64_t endNs) {
  json.newLine().beginObject().member("name", name).member("ph", "X").member("pid", 1).member("tid", thread);
  json.member("ts", static_cast<double>(beginNs) / 1e3).member("dur", static_cast<double>(endNs - beginNs) / 1e3);
}

void TraceReport::writeWeights(const moert_trace_dispatch_t &dispatch) {
  json.key("weights").beginArray();
  weights.visit(dispatch, [&](const WeightUse::Range &range) {
    json.beginObject().member("name", range.weight).member("offset", range.offset).member("bytes", range.bytes);
    if (range.expert != MOERT_NO_EXPERT)
      json.member("layer", range.layer).member("expert", range.expert);
    json.endObject();
  });
  json.endArray();
}

// Bytes are an offset in the weight data and a size.
void TraceReport::writeReads(std::span<const moert_trace_read_t> reads) {
  json.key("reads").beginArray();
  for (const moert_trace_read_t &read : reads) {
    moert_weight_info_t weight = {sizeof(weight), nullptr, 0, 0, 0, nullptr, 0, 0};
    check(moert_program_weight(program, read.weight, &weight));
    json.beginObject().member("weight", weight.name);
    if (read.expert != MOERT_NO_EXPERT)
      json.member("expert", read.expert);
    json.key("bytes").beginArray().value(read.offset).value(read.byte_size).endArray().endObject();
  }
  json.endArray();
}

// The dispatch as a row of its own, the tasks on the rows of their threads.
void TraceReport::recordDispatch(const moert_trace_dispatch_t &dispatch) {
  constexpr uint32_t dispatchRow = 0;
  beginEvent(dispatch.node[0] ? dispatch.node : dispatch.kernel, dispatchRow, dispatch.begin_ns, dispatch.end_ns);
  json.member("cat", "dispatch").key("args").beginObject().member("kernel", dispatch.kernel);
  json.member("tasks", dispatch.grid).member("work", dispatch.work).member("allocations", dispatch.allocations);
  writeWeights(dispatch);
  json.endObject().endObject();
  const moert_trace_read_t *read = dispatch.reads, *const end = dispatch.reads + dispatch.read_count;
  for (size_t i = 0; i < dispatch.task_count; ++i) {
    const moert_trace_task_t &task = dispatch.tasks[i];
    beginEvent(dispatch.kernel, 1 + task.thread, task.begin_ns, task.end_ns);
    json.member("cat", "tasks").key("args").beginObject().member("begin", task.begin).member("end", task.end);
    const auto *next = std::find_if(read, end, [&](const moert_trace_read_t &other) { return other.task != i; });
    writeReads({read, next});
    read = next;
    json.endObject().endObject();
  }
}

std::string TraceReport::finish() {
  json.newLine().endArray().endObject();
  return json.getText() + "\n";
}

} // namespace moert::tools
