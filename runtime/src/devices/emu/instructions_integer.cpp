// Integer add, sub, mul, mad, div, rem, neg, abs, min, max, sad, mul24, mad24, dp4a, dp2a.
#include "devices/emu/integer_ops.h"

namespace moert::emu {
namespace {

template <typename T> struct Negate {
  static T apply(T a) { return static_cast<T>(Wrap<T>(0) - static_cast<Wrap<T>>(a)); }
};
template <typename T> struct Absolute {
  static T apply(T a) { return a < 0 ? Negate<T>::apply(a) : a; }
};
template <typename T> struct Minimum {
  static T apply(T a, T b) { return a < b ? a : b; }
};
template <typename T> struct Maximum {
  static T apply(T a, T b) { return a > b ? a : b; }
};
template <typename T> struct SumOfDifferences {
  static T apply(T a, T b, T c) {
    const Wrap<T> difference = a < b ? Wrap<T>(b) - Wrap<T>(a) : Wrap<T>(a) - Wrap<T>(b);
    return static_cast<T>(Wrap<T>(c) + difference);
  }
};

// `.sat`, of s32 only.
int32_t saturate(int64_t value) {
  return static_cast<int32_t>(value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : value);
}
struct AddSaturating {
  static int32_t apply(int32_t a, int32_t b) { return saturate(int64_t(a) + b); }
};
struct SubtractSaturating {
  static int32_t apply(int32_t a, int32_t b) { return saturate(int64_t(a) - b); }
};
struct MultiplyAddHighSaturating {
  static int32_t apply(int32_t a, int32_t b, int32_t c) { return saturate((int64_t(a) * b >> 32) + c); }
};

template <typename T> struct MultiplyWide {
  static Twice<T> apply(T a, T b) { return multiplyFully(a, b); }
};
template <typename T> struct MultiplyAdd {
  static T apply(T a, T b, T c) { return Add<T>::apply(MultiplyLow<T>::apply(a, b), c); }
};
template <typename T> struct MultiplyAddHigh {
  static T apply(T a, T b, T c) { return Add<T>::apply(MultiplyHigh<T>::apply(a, b), c); }
};
template <typename T> struct MultiplyAddWide {
  static Twice<T> apply(T a, T b, Twice<T> c) { return Add<Twice<T>>::apply(multiplyFully(a, b), c); }
};

// Products of the low 24 bits; the high part is bits 16 to 47 of 48.
template <typename T, bool IsHigh> struct Multiply24 {
  static T apply(T a, T b) {
    const auto extend = [](T value) { return static_cast<T>(static_cast<Wrap<T>>(value) << 8) >> 8; };
    const Twice<T> product = static_cast<Twice<T>>(extend(a)) * extend(b);
    return static_cast<T>(IsHigh ? product >> 16 : product);
  }
};
template <typename T, bool IsHigh> struct MultiplyAdd24 {
  static T apply(T a, T b, T c) { return Add<T>::apply(Multiply24<T, IsHigh>::apply(a, b), c); }
};

// The smallest number divided by -1 wraps.
template <typename T> struct Divide {
  static T apply(T a, T b) {
    if constexpr (std::is_signed_v<T>)
      return b == 0 ? T(0) : b == -1 ? Negate<T>::apply(a) : static_cast<T>(a / b);
    else
      return b == 0 ? T(0) : static_cast<T>(a / b);
  }
};
template <typename T> struct Remainder {
  static T apply(T a, T b) {
    if constexpr (std::is_signed_v<T>)
      return b == 0 || b == -1 ? T(0) : static_cast<T>(a % b);
    else
      return b == 0 ? T(0) : static_cast<T>(a % b);
  }
};

// An integer divided by zero is whatever the machine gives: poison.
template <typename Op, typename T> void executeDivision(Warp &warp, const Instruction &instruction, LaneMask mask) {
  LaneMask zeros = 0;
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    zeros |= LaneMask(warp.lanes<T>(instruction.slots[2])[lane] == 0) << lane;
  Lanewise<Op, T, T, T>::execute(warp, instruction, mask);
  const Slot destination = instruction.slots[0];
  warp.setPoison(destination, mask, warp.poison(destination) | zeros);
}

// Sums of products of bytes with bytes or with halves of 16 bits.
template <typename A, typename B> struct DotOfBytes {
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t c) {
    for (uint32_t i = 0; i < 4; ++i)
      c += static_cast<uint32_t>(static_cast<A>(a >> 8 * i) * static_cast<B>(b >> 8 * i));
    return c;
  }
};
template <typename A, typename B, uint32_t First> struct DotOfHalves {
  using A16 = std::conditional_t<std::is_signed_v<A>, int16_t, uint16_t>;
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t c) {
    for (uint32_t i = 0; i < 2; ++i)
      c += static_cast<uint32_t>(static_cast<A16>(a >> 16 * i) * static_cast<B>(b >> 8 * (First + i)));
    return c;
  }
};

Status takeOperands(Decoder &decoder, Type type, int sources) {
  MOERT_TRY(decoder.takeDestination(type));
  for (int i = 0; i < sources; ++i)
    MOERT_TRY(decoder.takeSource(type));
  return Status::success();
}

template <template <typename> class Op, int Sources, typename Saturating = void> Status decodePlain(Decoder &decoder) {
  Type type;
  const bool isSaturating = !std::is_void_v<Saturating> && decoder.accept("sat");
  MOERT_TRY(decoder.takeType(type, isWideInteger));
  if constexpr (!std::is_void_v<Saturating>) {
    if (isSaturating && type != Type::S32)
      return decoder.refuse("'.sat' of .", getName(type));
    if (isSaturating) {
      decoder.get().execute = Lanewise<Saturating, int32_t, int32_t, int32_t>::execute;
      return takeOperands(decoder, type, Sources);
    }
  }
  decoder.get().execute = visitWideInteger(type, []<typename T>(Tag<T>) -> Handler {
    if constexpr (Sources == 3)
      return Lanewise<Op<T>, T, T, T, T>::execute;
    else
      return Lanewise<Op<T>, T, T, T>::execute;
  });
  return takeOperands(decoder, type, Sources);
}

template <template <typename> class Op> Status decodeSigned(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, [](Type type) { return isSigned(type) && isWideInteger(type); }));
  decoder.get().execute =
      visitWideInteger(type, []<typename T>(Tag<T>) -> Handler { return Lanewise<Op<T>, T, T>::execute; });
  return takeOperands(decoder, type, 1);
}

template <template <typename> class Op> Status decodeDivision(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, isWideInteger));
  decoder.get().execute =
      visitWideInteger(type, []<typename T>(Tag<T>) -> Handler { return executeDivision<Op<T>, T>; });
  return takeOperands(decoder, type, 2);
}

Type getWider(Type type) {
  switch (type) {
  case Type::U16:
    return Type::U32;
  case Type::S16:
    return Type::S32;
  case Type::U32:
    return Type::U64;
  default:
    return Type::S64;
  }
}

enum class Part { Low, High, Wide };

Status takePart(Decoder &decoder, Part &part) {
  part = decoder.accept("lo") ? Part::Low : decoder.accept("hi") ? Part::High : Part::Wide;
  return part == Part::Wide && !decoder.accept("wide") ? decoder.refuse("expected '.lo', '.hi' or '.wide'")
                                                       : Status::success();
}

template <bool Adds, typename T> Handler selectProduct(Part part) {
  using Wide = std::conditional_t<sizeof(T) < 8, Twice<T>, T>;
  if constexpr (Adds) {
    if (part == Part::Wide)
      return sizeof(T) == 8 ? nullptr : Lanewise<MultiplyAddWide<T>, Wide, T, T, Wide>::execute;
    return part == Part::Low ? Lanewise<MultiplyAdd<T>, T, T, T, T>::execute
                             : Lanewise<MultiplyAddHigh<T>, T, T, T, T>::execute;
  } else {
    if (part == Part::Wide)
      return sizeof(T) == 8 ? nullptr : Lanewise<MultiplyWide<T>, Wide, T, T>::execute;
    return part == Part::Low ? Lanewise<MultiplyLow<T>, T, T, T>::execute : Lanewise<MultiplyHigh<T>, T, T, T>::execute;
  }
}

template <bool Adds> Status decodeProduct(Decoder &decoder) {
  Part part;
  Type type;
  MOERT_TRY(takePart(decoder, part));
  const auto &modifiers = decoder.getSyntax().modifiers;
  if (Adds && modifiers.size() > 1 && modifiers[1] == "cc")
    return decodeMultiplyAddCarry(decoder, part == Part::High, false);
  const bool isSaturating = Adds && decoder.accept("sat");
  MOERT_TRY(decoder.takeType(type, isWideInteger));
  decoder.get().execute =
      visitWideInteger(type, [&]<typename T>(Tag<T>) -> Handler { return selectProduct<Adds, T>(part); });
  if (!decoder.get().execute)
    return decoder.refuse("'.wide' of 64 bits");
  if (isSaturating && (type != Type::S32 || part != Part::High))
    return decoder.refuse("'.sat' without '.hi' and '.s32'");
  if (isSaturating)
    decoder.get().execute = Lanewise<MultiplyAddHighSaturating, int32_t, int32_t, int32_t, int32_t>::execute;
  const Type wide = part == Part::Wide ? getWider(type) : type;
  MOERT_TRY(decoder.takeDestination(wide));
  MOERT_TRY(decoder.takeSource(type));
  MOERT_TRY(decoder.takeSource(type));
  return Adds ? decoder.takeSource(wide) : Status::success();
}

template <bool Adds, bool IsHigh> Handler selectProduct24(bool isSigned) {
  if constexpr (Adds)
    return isSigned ? Handler(Lanewise<MultiplyAdd24<int32_t, IsHigh>, int32_t, int32_t, int32_t, int32_t>::execute)
                    : Lanewise<MultiplyAdd24<uint32_t, IsHigh>, uint32_t, uint32_t, uint32_t, uint32_t>::execute;
  else
    return isSigned ? Handler(Lanewise<Multiply24<int32_t, IsHigh>, int32_t, int32_t, int32_t>::execute)
                    : Lanewise<Multiply24<uint32_t, IsHigh>, uint32_t, uint32_t, uint32_t>::execute;
}

template <bool Adds> Status decodeProduct24(Decoder &decoder) {
  Type type;
  const bool isHigh = decoder.accept("hi");
  if (!isHigh)
    MOERT_TRY(decoder.takeModifiers({"lo"}));
  MOERT_TRY(decoder.takeType(type, [](Type type) { return type == Type::U32 || type == Type::S32; }));
  decoder.get().execute =
      isHigh ? selectProduct24<Adds, true>(isSigned(type)) : selectProduct24<Adds, false>(isSigned(type));
  return takeOperands(decoder, type, Adds ? 3 : 2);
}

template <template <typename, typename> class Dot> Status decodeDot(Decoder &decoder) {
  Type a, b;
  const auto isWord = [](Type type) { return type == Type::U32 || type == Type::S32; };
  MOERT_TRY(decoder.takeType(a, isWord));
  MOERT_TRY(decoder.takeType(b, isWord));
  const auto select = [&]<typename A>(Tag<A>) -> Handler {
    return isSigned(b) ? Lanewise<Dot<A, int8_t>, uint32_t, uint32_t, uint32_t, uint32_t>::execute
                       : Lanewise<Dot<A, uint8_t>, uint32_t, uint32_t, uint32_t, uint32_t>::execute;
  };
  decoder.get().execute = isSigned(a) ? select(Tag<int8_t>()) : select(Tag<uint8_t>());
  return takeOperands(decoder, Type::B32, 3);
}

template <typename A, typename B> using DotOfLowHalves = DotOfHalves<A, B, 0>;
template <typename A, typename B> using DotOfHighHalves = DotOfHalves<A, B, 2>;

Status decodeDotOfHalves(Decoder &decoder) {
  if (decoder.accept("hi"))
    return decodeDot<DotOfHighHalves>(decoder);
  MOERT_TRY(decoder.takeModifiers({"lo"}));
  return decodeDot<DotOfLowHalves>(decoder);
}

constexpr OpcodeRow rows[] = {
    {"add", decodePlain<Add, 2, AddSaturating>, TypeClass::Integer},
    {"sub", decodePlain<Subtract, 2, SubtractSaturating>, TypeClass::Integer},
    {"min", decodePlain<Minimum, 2>, TypeClass::Integer},
    {"max", decodePlain<Maximum, 2>, TypeClass::Integer},
    {"sad", decodePlain<SumOfDifferences, 3>},
    {"neg", decodeSigned<Negate>, TypeClass::Integer},
    {"abs", decodeSigned<Absolute>, TypeClass::Integer},
    {"mul", decodeProduct<false>, TypeClass::Integer},
    {"mad", decodeProduct<true>, TypeClass::Integer},
    {"mul24", decodeProduct24<false>},
    {"mad24", decodeProduct24<true>},
    {"div", decodeDivision<Divide>, TypeClass::Integer},
    {"rem", decodeDivision<Remainder>},
    {"dp4a", decodeDot<DotOfBytes>},
    {"dp2a", decodeDotOfHalves},
};

} // namespace

std::span<const OpcodeRow> getIntegerOpcodes() { return rows; }

} // namespace moert::emu
