// The clock of traces.
#pragma once
#include <chrono>
#include <cstdint>

namespace moert {

inline uint64_t nowNanoseconds() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

} // namespace moert
