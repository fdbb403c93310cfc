// What a device counted, summed over the launches of each kernel, beside the bytes of weights that they needed.
#pragma once
#include "weight_use.h"

#include <string>

namespace moert::tools {

class CountersReport {
public:
  explicit CountersReport(const moert_program_t *program) : weights(program) {}

  // Has sessions created with these options report here; what they report goes on to whom it went before.
  void attach(moert_session_options_t &options);
  std::string toText() const;
  std::string toJson() const;

private:
  struct Kernel {
    uint64_t launches = 0, blocks = 0, weightBytes = 0;
    std::vector<std::pair<std::string, uint64_t>> counters; // in the device's order
  };

  void record(const moert_trace_dispatch_t &dispatch);
  // Bytes of weights fetched for each byte needed; NaN where that means nothing.
  static double getWeightRatio(const Kernel &kernel);

  WeightUse weights;
  std::map<std::string, Kernel> kernels;
  moert_trace_fn nextTrace = nullptr;
  void *nextTraceContext = nullptr;
};

} // namespace moert::tools
