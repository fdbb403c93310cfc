// Each constant and special register of a kernel exists once.
#include "devices/emu/register_pool.h"

namespace moert::emu {

Slot RegisterPool::addConstant(ConstantRegister constant) {
  constant.slot = addRegister();
  kernel.constants.push_back(constant);
  return constant.slot;
}

Slot RegisterPool::getConstant(uint64_t bits, uint32_t bytes) {
  const auto [known, isNew] = constants.try_emplace({bits, bytes}, 0);
  if (isNew)
    known->second = addConstant({ConstantRegister::Kind::Bits, {}, static_cast<uint8_t>(bytes), 0, bits});
  return known->second;
}

Slot RegisterPool::getSpecial(SpecialRegister special, uint32_t bytes) {
  const auto [known, isNew] = specials.try_emplace({special, bytes}, 0);
  if (isNew)
    known->second = addConstant({ConstantRegister::Kind::Special, special, static_cast<uint8_t>(bytes), 0, 0});
  return known->second;
}

Slot RegisterPool::getSink() { return sink == noSlot ? sink = addRegister() : sink; }

Slot RegisterPool::getCarry() { return carry == noSlot ? carry = addRegister() : carry; }

} // namespace moert::emu
