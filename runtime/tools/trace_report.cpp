// Events are "complete" events of the trace format, times in microseconds.
#include "trace_report.h"

#include "tool_error.h"

#include <algorithm>

namespace moert::tools {

TraceReport::TraceReport(const moert_program_t *program)
    : program(program), activeExperts(moert_program_layer_count(program)) {
  for (size_t layer = 0; layer < activeExperts.size(); ++layer) {
    moert_layer_info_t info = {sizeof(info), nullptr, nullptr, nullptr, 0, 0, 0};
    check(moert_program_layer(program, layer, &info));
    activeExperts[layer].assign(info.experts, true);
    for (size_t i = 0; i < info.range_count; ++i) {
      moert_expert_range_t range;
      check(moert_program_expert_range(program, layer, i, &range));
      expertWeights.try_emplace(range.weight, ExpertWeight{layer, {}}).first->second.ranges.push_back(range);
    }
  }
  json.beginObject().member("displayTimeUnit", "ns").key("traceEvents").beginArray();
}

void TraceReport::attach(moert_session_options_t &options) {
  nextRouting = options.routing;
  nextRoutingContext = options.routing_context;
  options.trace_context = options.routing_context = this;
  options.trace = [](void *context, const moert_trace_dispatch_t *dispatch) {
    static_cast<TraceReport *>(context)->recordDispatch(*dispatch);
  };
  options.routing = [](void *context, size_t layer, int64_t tokens, uint32_t selected, const int32_t *experts,
                       const float *gates) {
    TraceReport &report = *static_cast<TraceReport *>(context);
    report.recordRouting(layer, tokens * selected, experts);
    if (report.nextRouting)
      report.nextRouting(report.nextRoutingContext, layer, tokens, selected, experts, gates);
  };
}

void TraceReport::recordRouting(size_t layer, int64_t choices, const int32_t *experts) {
  std::vector<bool> &active = activeExperts[layer];
  std::fill(active.begin(), active.end(), false);
  for (int64_t i = 0; i < choices; ++i)
    if (experts[i] >= 0 && static_cast<size_t>(experts[i]) < active.size())
      active[static_cast<size_t>(experts[i])] = true;
}

void TraceReport::beginEvent(const char *name, uint32_t thread, uint64_t beginNs, uint64_t endNs) {
  json.newLine().beginObject().member("name", name).member("ph", "X").member("pid", 1).member("tid", thread);
  json.member("ts", static_cast<double>(beginNs) / 1e3).member("dur", static_cast<double>(endNs - beginNs) / 1e3);
}

void TraceReport::writeRange(const char *name, uint64_t offset, uint64_t bytes) {
  json.beginObject().member("name", name).member("offset", offset).member("bytes", bytes);
}

// Of a weight of experts, the ranges of those that the layer has chosen.
void TraceReport::writeWeights(const moert_trace_dispatch_t &dispatch) {
  json.key("weights").beginArray();
  for (size_t i = 0; i < dispatch.weight_count; ++i) {
    moert_weight_info_t weight = {sizeof(weight), nullptr, 0, 0, 0, nullptr, 0, 0};
    check(moert_program_weight(program, dispatch.weights[i], &weight));
    const auto experts = expertWeights.find(dispatch.weights[i]);
    if (experts == expertWeights.end()) {
      writeRange(weight.name, weight.offset, weight.byte_size);
      json.endObject();
      continue;
    }
    for (const moert_expert_range_t &range : experts->second.ranges)
      if (activeExperts[experts->second.layer][range.expert]) {
        writeRange(weight.name, range.offset, range.size);
        json.member("layer", experts->second.layer).member("expert", range.expert).endObject();
      }
  }
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
