// and, or, xor, not, shl, shr, bfe. Semantics as documented; not validated on hardware.
#include "devices/emu/lanewise.h"

namespace moert::emu {
namespace {

template <typename T> struct And {
  static T apply(T a, T b) { return a & b; }
};
template <typename T> struct Or {
  static T apply(T a, T b) { return a | b; }
};
template <typename T> struct Xor {
  static T apply(T a, T b) { return a ^ b; }
};
template <typename T> struct Not {
  static T apply(T a) { return static_cast<T>(~a); }
};

// Amounts beyond the width are clamped to it.
template <typename T> struct ShiftLeft {
  static T apply(T a, uint32_t amount) { return amount >= 8 * sizeof(T) ? T(0) : static_cast<T>(a << amount); }
};
template <typename T> struct ShiftRight {
  static T apply(T a, uint32_t amount) {
    constexpr uint32_t width = 8 * sizeof(T);
    if constexpr (std::is_signed_v<T>)
      return static_cast<T>(a >> (amount >= width ? width - 1 : amount));
    else
      return amount >= width ? T(0) : static_cast<T>(a >> amount);
  }
};

// `length` bits from `position` on; a signed field beyond the number's end repeats its top bit.
template <typename T> struct ExtractField {
  static T apply(T a, uint32_t positionOperand, uint32_t lengthOperand) {
    constexpr uint32_t width = 8 * sizeof(T);
    const uint32_t position = positionOperand & 255, length = lengthOperand & 255;
    if (length == 0)
      return 0;
    using U = std::make_unsigned_t<T>;
    const U shifted = static_cast<U>(ShiftRight<T>::apply(a, position));
    if (length >= width)
      return static_cast<T>(shifted);
    const U field = shifted & ((U(1) << length) - 1);
    if constexpr (std::is_signed_v<T>)
      return static_cast<T>(static_cast<T>(field << (width - length)) >> (width - length));
    else
      return field;
  }
};

template <template <typename> class Op, int Sources>
void executeOnPredicates(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const Slot destination = instruction.slots[0], a = instruction.slots[1], b = instruction.slots[Sources];
  LaneMask result;
  if constexpr (Sources == 2)
    result = Op<LaneMask>::apply(warp.predicate(a), warp.predicate(b));
  else
    result = Op<LaneMask>::apply(warp.predicate(a));
  const LaneMask poison = warp.poison(a) | warp.poison(b);
  warp.predicate(destination) = (warp.predicate(destination) & ~mask) | (result & mask);
  warp.setPoison(destination, mask, poison);
}

template <template <typename> class Op, int Sources, typename T> Handler selectLogic() {
  if constexpr (Sources == 2)
    return Lanewise<Op<T>, T, T, T>::execute;
  else
    return Lanewise<Op<T>, T, T>::execute;
}

template <template <typename> class Op, int Sources> Status decodeLogic(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, [](Type type) { return type == Type::Pred || isWideBits(type); }));
  decoder.get().execute = type == Type::Pred  ? executeOnPredicates<Op, Sources>
                          : type == Type::B16 ? selectLogic<Op, Sources, uint16_t>()
                          : type == Type::B32 ? selectLogic<Op, Sources, uint32_t>()
                                              : selectLogic<Op, Sources, uint64_t>();
  MOERT_TRY(decoder.takeDestination(type));
  for (int i = 0; i < Sources; ++i)
    MOERT_TRY(decoder.takeSource(type));
  return Status::success();
}

template <template <typename> class Op> Status decodeShift(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, [](Type type) { return isWideBits(type) || isWideInteger(type); }));
  decoder.get().execute =
      visitInteger(type, []<typename T>(Tag<T>) -> Handler { return Lanewise<Op<T>, T, T, uint32_t>::execute; });
  MOERT_TRY(decoder.takeDestination(type));
  MOERT_TRY(decoder.takeSource(type));
  return decoder.takeSource(Type::B32);
}

Status decodeExtractField(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, [](Type type) { return isInteger(type) && getBytes(type) >= 4; }));
  decoder.get().execute = visitInteger(
      type, []<typename T>(Tag<T>) -> Handler { return Lanewise<ExtractField<T>, T, T, uint32_t, uint32_t>::execute; });
  MOERT_TRY(decoder.takeDestination(type));
  MOERT_TRY(decoder.takeSource(type));
  MOERT_TRY(decoder.takeSource(Type::B32));
  return decoder.takeSource(Type::B32);
}

constexpr OpcodeRow rows[] = {
    {"and", decodeLogic<And, 2>}, {"or", decodeLogic<Or, 2>},      {"xor", decodeLogic<Xor, 2>},
    {"not", decodeLogic<Not, 1>}, {"shl", decodeShift<ShiftLeft>}, {"shr", decodeShift<ShiftRight>},
    {"bfe", decodeExtractField},
};

} // namespace

std::span<const OpcodeRow> getLogicOpcodes() { return rows; }

} // namespace moert::emu
