// What one cvt does.
#pragma once
#include "devices/emu/float_bits.h"
#include "devices/emu/lanewise.h"

namespace moert::emu {

struct Conversion {
  Type to, from;
  Rounding rounding = Rounding::NearestEven;
  std::string_view roundingName; // empty: none
  bool flushes = false, saturates = false, rectifies = false;
  bool isTf32 = false;                            // f32 whose last 13 bits are zero
  uint32_t destinationBytes = 0, sourceBytes = 0; // of the registers, which may be wider than integers in them
};

// What a NaN becomes. `isFrom64` and `bits`: the sizes of both types.
constexpr uint64_t getIntegerOfNaN(bool isFrom64, uint32_t bits) {
  return isFrom64 || bits == 64 ? uint64_t(1) << (bits - 1) : 0;
}

// Makes `instruction` do any conversion, lane by lane. Slots: the destination, then the sources.
void setGeneralConversion(Instruction &instruction, const Conversion &conversion);

} // namespace moert::emu
