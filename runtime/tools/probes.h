// What this machine can do at best, measured in a moment: the figures a benchmark stands beside.
#pragma once
#include <cstdint>

namespace moert::tools {

struct MachineProbes {
  double readGBs;    // reading memory that no cache holds, all threads together
  double peakGflops; // f32 multiply-adds in registers, all threads together
};

MachineProbes probeMachine(uint32_t threads);

} // namespace moert::tools
