// What kernels and functions begin with that no text says.
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

// A parameter of the kernel, `bytes` from `offset` on, whose address is taken: each lane has a copy in local memory.
struct ParameterCopy {
  uint64_t offset, bytes, localAddress;
  uint32_t line;
};
Instruction makeParameterCopy(const ParameterCopy &copy);

} // namespace moert::emu
