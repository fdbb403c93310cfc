// The counters of a launch by name.
#pragma once
#include "devices/emu/emulator.h"
#include "moert/moert.h"

namespace moert::emu {

// All of them, always in the same order; each can be summed over launches.
void listCounters(const LaunchReport &report, std::vector<moert_trace_counter_t> &counters);

} // namespace moert::emu
