// How many threads to use where the caller leaves it open.
#pragma once
#include <algorithm>
#include <cstdint>
#include <sched.h>
#include <thread>

namespace moert {

// Processors outside the caller's affinity, which containers and taskset narrow, would only add waiting.
inline uint32_t chooseThreadCount(uint32_t wanted) {
  cpu_set_t allowed;
  if (wanted)
    return wanted;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
    return static_cast<uint32_t>(std::max(1, CPU_COUNT(&allowed)));
  return std::max(1u, std::thread::hardware_concurrency());
}

} // namespace moert
