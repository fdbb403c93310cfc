// add.cc, addc, sub.cc, subc, mad.cc, madc. The carry is a predicate of the warp that only these instructions touch.
#include "devices/emu/integer_ops.h"

namespace moert::emu {
namespace {

constexpr size_t carrySlot = 4;

template <typename T> struct FirstSource {
  static constexpr size_t other = 2;
  static T get(Warp &warp, const Instruction &instruction, uint32_t lane) {
    return warp.lanes<T>(instruction.slots[1])[lane];
  }
};
template <typename T, template <typename> class Product> struct ProductOfSources {
  static constexpr size_t other = 3;
  static T get(Warp &warp, const Instruction &instruction, uint32_t lane) {
    return Product<T>::apply(warp.lanes<T>(instruction.slots[1])[lane], warp.lanes<T>(instruction.slots[2])[lane]);
  }
};

template <typename T> struct SignedHigh {
  static T apply(T a, T b) {
    using S = std::make_signed_t<T>;
    return static_cast<T>(MultiplyHigh<S>::apply(static_cast<S>(a), static_cast<S>(b)));
  }
};

// `width` says with bit 0 that the carry is added, or subtracted, and with bit 1 that it is set.
constexpr uint8_t usesCarryBit = 1, setsCarryBit = 2;

template <typename T, typename Left, bool Subtracts>
void executeWithCarry(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const Slot carry = instruction.slots[carrySlot];
  const bool usesCarry = instruction.width & usesCarryBit;
  LaneMask poison = usesCarry ? warp.poison(carry) : 0;
  for (size_t i = 1; i <= Left::other; ++i)
    poison |= warp.poison(instruction.slots[i]);
  const LaneMask carryIn = usesCarry ? warp.predicate(carry) : 0;
  LaneMask carryOut = 0;
  const T *right = warp.lanes<T>(instruction.slots[Left::other]);
  T *destination = warp.lanes<T>(instruction.slots[0]);
  forEachLane(mask, [&](uint32_t lane) {
    const T a = Left::get(warp, instruction, lane), b = right[lane], c = carryIn >> lane & 1;
    T partial, result;
    const bool overflows = Subtracts ? __builtin_sub_overflow(a, b, &partial) : __builtin_add_overflow(a, b, &partial);
    const bool overflowsAgain =
        Subtracts ? __builtin_sub_overflow(partial, c, &result) : __builtin_add_overflow(partial, c, &result);
    destination[lane] = result;
    carryOut |= LaneMask(overflows || overflowsAgain) << lane;
  });
  warp.setPoison(instruction.slots[0], mask, poison);
  if (instruction.width & setsCarryBit) {
    warp.predicate(carry) = (warp.predicate(carry) & ~mask) | (carryOut & mask);
    warp.setPoison(carry, mask, poison);
  }
}

constexpr bool isCarryType(Type type) { return isInteger(type) && getBytes(type) >= 4; }

Status takeCarryOperands(Decoder &decoder, Type type, int sources, bool usesCarry, bool setsCarry) {
  decoder.get().width = static_cast<uint8_t>(usesCarry * usesCarryBit | setsCarry * setsCarryBit);
  MOERT_TRY(decoder.takeDestination(type));
  for (int i = 0; i < sources; ++i)
    MOERT_TRY(decoder.takeSource(type));
  decoder.get().slots[carrySlot] = decoder.getNames().getPool().getCarry();
  return Status::success();
}

template <bool Subtracts, bool UsesCarry> Status decodeSum(Decoder &decoder) {
  Type type;
  const bool setsCarry = decoder.accept("cc");
  MOERT_TRY(decoder.takeType(type, isCarryType));
  decoder.get().execute = getBytes(type) == 8 ? executeWithCarry<uint64_t, FirstSource<uint64_t>, Subtracts>
                                              : executeWithCarry<uint32_t, FirstSource<uint32_t>, Subtracts>;
  return takeCarryOperands(decoder, type, 2, UsesCarry, setsCarry);
}

Status decodeMultiplyAddWithCarry(Decoder &decoder) {
  const bool isHigh = decoder.accept("hi");
  if (!isHigh)
    MOERT_TRY(decoder.takeModifiers({"lo"}));
  return decodeMultiplyAddCarry(decoder, isHigh, true);
}

template <typename T> Handler selectProductSum(Type type, bool isHigh) {
  if (!isHigh)
    return executeWithCarry<T, ProductOfSources<T, MultiplyLow>, false>;
  if (!isSigned(type))
    return executeWithCarry<T, ProductOfSources<T, MultiplyHigh>, false>;
  return executeWithCarry<T, ProductOfSources<T, SignedHigh>, false>;
}

constexpr OpcodeRow rows[] = {
    {"add.cc", decodeSum<false, false>}, {"addc", decodeSum<false, true>},     {"sub.cc", decodeSum<true, false>},
    {"subc", decodeSum<true, true>},     {"madc", decodeMultiplyAddWithCarry},
};

} // namespace

Status decodeMultiplyAddCarry(Decoder &decoder, bool isHigh, bool usesCarry) {
  Type type;
  const bool setsCarry = decoder.accept("cc");
  MOERT_TRY(decoder.takeType(type, isCarryType));
  decoder.get().execute =
      getBytes(type) == 8 ? selectProductSum<uint64_t>(type, isHigh) : selectProductSum<uint32_t>(type, isHigh);
  return takeCarryOperands(decoder, type, 3, usesCarry, setsCarry);
}

std::span<const OpcodeRow> getCarryOpcodes() { return rows; }

} // namespace moert::emu
