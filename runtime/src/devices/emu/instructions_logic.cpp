// and, or, xor, not, cnot, lop3, shl, shr, shf.
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

template <typename T> struct LogicalNot {
  static T apply(T a) { return a == 0; }
};

// Of the 64 bits b:a, the upper half shifted left, or the lower half shifted right.
template <bool IsLeft, bool Wraps> struct FunnelShift {
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t c) {
    const uint32_t amount = Wraps ? c & 31 : c > 32 ? 32 : c;
    const uint64_t both = uint64_t(b) << 32 | a;
    return static_cast<uint32_t>(IsLeft ? both << amount >> 32 : both >> amount);
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

Status decodeLogicalNot(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, isWideBits));
  decoder.get().execute = visitWideInteger(
      getUnsigned(type), []<typename T>(Tag<T>) -> Handler { return Lanewise<LogicalNot<T>, T, T>::execute; });
  MOERT_TRY(decoder.takeDestination(type));
  return decoder.takeSource(type);
}

Status decodeFunnelShift(Decoder &decoder) {
  const bool isLeft = decoder.accept("l");
  if (!isLeft)
    MOERT_TRY(decoder.takeModifiers({"r"}));
  const bool wraps = decoder.accept("wrap");
  if (!wraps)
    MOERT_TRY(decoder.takeModifiers({"clamp"}));
  MOERT_TRY(decoder.takeModifiers({"b32"}));
  const auto select = [&]<typename Op>(Tag<Op>) -> Handler {
    return Lanewise<Op, uint32_t, uint32_t, uint32_t, uint32_t>::execute;
  };
  if (isLeft)
    decoder.get().execute = wraps ? select(Tag<FunnelShift<true, true>>()) : select(Tag<FunnelShift<true, false>>());
  else
    decoder.get().execute = wraps ? select(Tag<FunnelShift<false, true>>()) : select(Tag<FunnelShift<false, false>>());
  MOERT_TRY(decoder.takeDestination(Type::B32));
  for (int i = 0; i < 3; ++i)
    MOERT_TRY(decoder.takeSource(Type::B32));
  return Status::success();
}

// `immediate` is the table of the function: bit 4 a + 2 b + c is its value for the bits a, b and c.
void executeLogicOfThree(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const auto &slots = instruction.slots;
  const uint32_t *a = warp.lanes<uint32_t>(slots[1]), *b = warp.lanes<uint32_t>(slots[2]),
                 *c = warp.lanes<uint32_t>(slots[3]);
  uint32_t result[warpSize] = {};
  for (uint32_t row = 0; row < 8; ++row) {
    if (!(instruction.immediate >> row & 1))
      continue;
    const uint32_t flipA = row & 4 ? 0 : ~0u, flipB = row & 2 ? 0 : ~0u, flipC = row & 1 ? 0 : ~0u;
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      result[lane] |= (a[lane] ^ flipA) & (b[lane] ^ flipB) & (c[lane] ^ flipC);
  }
  uint32_t *destination = warp.lanes<uint32_t>(slots[0]);
  forEachLane(mask, [&](uint32_t lane) { destination[lane] = result[lane]; });
  warp.setPoison(slots[0], mask, warp.poison(slots[1]) | warp.poison(slots[2]) | warp.poison(slots[3]));
}

Status decodeLogicOfThree(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"b32"}));
  decoder.get().execute = executeLogicOfThree;
  MOERT_TRY(decoder.takeDestination(Type::B32));
  for (int i = 0; i < 3; ++i)
    MOERT_TRY(decoder.takeSource(Type::B32));
  MOERT_TRY(decoder.takeConstant(decoder.get().immediate));
  if (decoder.get().immediate < 0 || decoder.get().immediate > 255)
    return decoder.refuse("a table of ", decoder.get().immediate, ", expected 0 to 255");
  return Status::success();
}

constexpr OpcodeRow rows[] = {
    {"and", decodeLogic<And, 2>},     {"or", decodeLogic<Or, 2>}, {"xor", decodeLogic<Xor, 2>},
    {"not", decodeLogic<Not, 1>},     {"cnot", decodeLogicalNot}, {"shl", decodeShift<ShiftLeft>},
    {"shr", decodeShift<ShiftRight>}, {"shf", decodeFunnelShift}, {"lop3", decodeLogicOfThree},
};

} // namespace

std::span<const OpcodeRow> getLogicOpcodes() { return rows; }

} // namespace moert::emu
