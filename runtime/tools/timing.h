// Repeated measurements.
#pragma once
#include <algorithm>
#include <chrono>
#include <vector>

namespace moert::tools {

class Stopwatch {
public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); }

private:
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

struct TimeSummary {
  double minimum = 0, median = 0, p95 = 0;
};

// Of at least one measurement.
inline TimeSummary summarize(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const size_t last = seconds.size() - 1;
  const double median = (seconds[last / 2] + seconds[(last + 1) / 2]) / 2;
  return {seconds.front(), median, seconds[std::min(last, seconds.size() * 95 / 100)]};
}

} // namespace moert::tools
