// Kernels in the order of their names.
#include "counters_report.h"

#include "json.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <limits>

namespace moert::tools {

void CountersReport::attach(moert_session_options_t &options) {
  weights.attach(options);
  nextTrace = options.trace;
  nextTraceContext = options.trace_context;
  options.trace_context = this;
  options.trace = [](void *context, const moert_trace_dispatch_t *dispatch) {
    CountersReport &report = *static_cast<CountersReport *>(context);
    report.record(*dispatch);
    if (report.nextTrace)
      report.nextTrace(report.nextTraceContext, dispatch);
  };
}

void CountersReport::record(const moert_trace_dispatch_t &dispatch) {
  Kernel &kernel = kernels[dispatch.kernel];
  ++kernel.launches;
  kernel.blocks += static_cast<uint64_t>(dispatch.blocks);
  weights.visit(dispatch, [&](const WeightUse::Range &range) { kernel.weightBytes += range.bytes; });
  for (size_t i = 0; i < dispatch.counter_count; ++i) {
    const moert_trace_counter_t &counter = dispatch.counters[i];
    auto known = std::find_if(kernel.counters.begin(), kernel.counters.end(),
                              [&](const auto &entry) { return entry.first == counter.name; });
    if (known == kernel.counters.end())
      known = kernel.counters.insert(known, {counter.name, 0});
    known->second += counter.value;
  }
}

double CountersReport::getWeightRatio(const Kernel &kernel) {
  const auto fetched = std::find_if(kernel.counters.begin(), kernel.counters.end(),
                                    [](const auto &entry) { return entry.first == "weight_unique_read_bytes"; });
  if (fetched == kernel.counters.end() || kernel.weightBytes == 0)
    return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(fetched->second) / static_cast<double>(kernel.weightBytes);
}

std::string CountersReport::toText() const {
  std::string text;
  char line[160];
  auto append = [&](const char *name, uint64_t value) {
    std::snprintf(line, sizeof(line), "  %-40s %18" PRIu64 "\n", name, value);
    text += line;
  };
  for (const auto &[name, kernel] : kernels) {
    text += "kernel " + name + "\n";
    append("launches", kernel.launches);
    append("blocks", kernel.blocks);
    append("weight_bytes_needed", kernel.weightBytes);
    if (const double ratio = getWeightRatio(kernel); !std::isnan(ratio)) {
      std::snprintf(line, sizeof(line), "  %-40s %18.3f\n", "weight_bytes_ratio", ratio);
      text += line;
    }
    for (const auto &[counter, value] : kernel.counters)
      if (value)
        append(counter.c_str(), value);
  }
  return text;
}

std::string CountersReport::toJson() const {
  JsonWriter json;
  json.beginObject().key("kernels").beginArray();
  for (const auto &[name, kernel] : kernels) {
    json.beginObject().member("kernel", name).member("launches", kernel.launches).member("blocks", kernel.blocks);
    json.member("weight_bytes_needed", kernel.weightBytes).member("weight_bytes_ratio", getWeightRatio(kernel));
    for (const auto &[counter, value] : kernel.counters)
      json.member(counter, value);
    json.endObject();
  }
  json.endArray().endObject();
  return json.getText() + "\n";
}

} // namespace moert::tools
