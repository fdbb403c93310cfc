// Registers of a kernel that no text declares: immediates, special registers, and places for what nobody reads.
#pragma once
#include "devices/emu/ptx_module.h"

#include <map>

namespace moert::emu {

class RegisterPool {
public:
  explicit RegisterPool(Kernel &kernel) : kernel(kernel) {}

  Slot addRegister() { return kernel.registerCount++; }
  // A register that holds `bits` in every lane; `bytes` is the size of a lane, 0 for a predicate.
  Slot getConstant(uint64_t bits, uint32_t bytes);
  Slot getSpecial(SpecialRegister special, uint32_t bytes);
  // Where results go whose destination is `_`.
  Slot getSink();
  // The carry of add.cc and its relatives.
  Slot getCarry();

private:
  Slot addConstant(ConstantRegister constant);

  Kernel &kernel;
  std::map<std::pair<uint64_t, uint32_t>, Slot> constants;
  std::map<std::pair<SpecialRegister, uint32_t>, Slot> specials;
  Slot sink = noSlot, carry = noSlot;
};

} // namespace moert::emu
