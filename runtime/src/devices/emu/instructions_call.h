// The beginning of a function that has been put in place of a call.
#pragma once
#include "devices/emu/instruction.h"

namespace moert::emu {

// What belongs to the function: registers from `firstRegister` to before `endRegister`, and `localBytes` of local
// memory from `localAddress`. None of it has a value when the function begins.
struct CalledFrame {
  uint32_t firstRegister, endRegister;
  uint64_t localAddress, localBytes;
  uint32_t line;
};
Instruction makeEntry(const CalledFrame &frame);

} // namespace moert::emu
