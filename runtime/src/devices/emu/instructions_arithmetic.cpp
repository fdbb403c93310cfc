// add, sub, mul, mad, fma, div, rem, neg, abs, min, max. Semantics as documented; not validated on hardware.
#include "devices/emu/lanewise.h"

#include <cmath>
#include <limits>

namespace moert::emu {
namespace {

// Integers wrap: compute in an unsigned type that the language does not promote to a signed one.
template <typename T> struct WrapType {
  using type = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
};
template <> struct WrapType<float> {
  using type = float;
};
template <> struct WrapType<double> {
  using type = double;
};
template <typename T> using Wrap = typename WrapType<T>::type;

template <typename T> struct Add {
  static T apply(T a, T b) { return static_cast<T>(static_cast<Wrap<T>>(a) + static_cast<Wrap<T>>(b)); }
};
template <typename T> struct Subtract {
  static T apply(T a, T b) { return static_cast<T>(static_cast<Wrap<T>>(a) - static_cast<Wrap<T>>(b)); }
};
template <typename T> struct Multiply {
  static T apply(T a, T b) { return static_cast<T>(static_cast<Wrap<T>>(a) * static_cast<Wrap<T>>(b)); }
};
template <typename T> struct Negate {
  static T apply(T a) {
    if constexpr (std::is_floating_point_v<T>)
      return -a;
    else
      return static_cast<T>(Wrap<T>(0) - static_cast<Wrap<T>>(a));
  }
};
template <typename T> struct Absolute {
  static T apply(T a) {
    if constexpr (std::is_floating_point_v<T>)
      return std::fabs(a);
    else
      return a < 0 ? Negate<T>::apply(a) : a;
  }
};

// Of floating-point numbers: the other operand if one is NaN, and -0 below +0.
template <typename T> struct Minimum {
  static T apply(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {
      if (a == b)
        return std::signbit(a) ? a : b;
      return a < b || b != b ? a : b;
    } else {
      return a < b ? a : b;
    }
  }
};
template <typename T> struct Maximum {
  static T apply(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {
      if (a == b)
        return std::signbit(a) ? b : a;
      return a > b || b != b ? a : b;
    } else {
      return a > b ? a : b;
    }
  }
};

template <typename T>
using Twice =
    std::conditional_t<sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>,
                       std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>,
                                          std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>>>;

template <typename T> Twice<T> multiplyFully(T a, T b) { return static_cast<Twice<T>>(a) * static_cast<Twice<T>>(b); }

template <typename T> struct MultiplyHigh {
  static T apply(T a, T b) { return static_cast<T>(multiplyFully(a, b) >> (8 * sizeof(T))); }
};
template <typename T> struct MultiplyWide {
  static Twice<T> apply(T a, T b) { return multiplyFully(a, b); }
};
template <typename T> struct MultiplyAdd {
  static T apply(T a, T b, T c) { return Add<T>::apply(Multiply<T>::apply(a, b), c); }
};
template <typename T> struct MultiplyAddHigh {
  static T apply(T a, T b, T c) { return Add<T>::apply(MultiplyHigh<T>::apply(a, b), c); }
};
template <typename T> struct MultiplyAddWide {
  static Twice<T> apply(T a, T b, Twice<T> c) { return Add<Twice<T>>::apply(multiplyFully(a, b), c); }
};
template <typename T> struct FusedMultiplyAdd {
  static T apply(T a, T b, T c) { return std::fma(a, b, c); }
};

// The smallest number divided by -1 wraps.
template <typename T> struct Divide {
  static T apply(T a, T b) {
    if constexpr (std::is_floating_point_v<T>)
      return a / b;
    else if constexpr (std::is_signed_v<T>)
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

// Round to nearest even, the only rounding of arithmetic here; integers take none.
void acceptRounding(Decoder &decoder) { decoder.accept("rn"); }

Status takeOperands(Decoder &decoder, Type type, int sources) {
  MOERT_TRY(decoder.takeDestination(type));
  for (int i = 0; i < sources; ++i)
    MOERT_TRY(decoder.takeSource(type));
  return Status::success();
}

template <template <typename> class Op> Status decodeBinary(Decoder &decoder) {
  Type type;
  acceptRounding(decoder);
  MOERT_TRY(decoder.takeType(type, isArithmetic));
  decoder.get().execute =
      visitArithmetic(type, []<typename T>(Tag<T>) -> Handler { return Lanewise<Op<T>, T, T, T>::execute; });
  return takeOperands(decoder, type, 2);
}

template <template <typename> class Op> Status decodeUnary(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(
      type, [](Type type) { return isSigned(type) ? isWideInteger(type) : isArithmetic(type) && isFloat(type); }));
  decoder.get().execute =
      visitArithmetic(type, []<typename T>(Tag<T>) -> Handler { return Lanewise<Op<T>, T, T>::execute; });
  return takeOperands(decoder, type, 1);
}

template <typename T> constexpr bool canWiden = std::is_integral_v<T> && sizeof(T) < 8;

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

template <typename T> Handler selectMultiply(Part part) {
  if constexpr (std::is_floating_point_v<T>) {
    return Lanewise<Multiply<T>, T, T, T>::execute;
  } else {
    if (part == Part::Low)
      return Lanewise<Multiply<T>, T, T, T>::execute;
    if (part == Part::High)
      return Lanewise<MultiplyHigh<T>, T, T, T>::execute;
    if constexpr (canWiden<T>)
      return Lanewise<MultiplyWide<T>, Twice<T>, T, T>::execute;
    return nullptr;
  }
}

template <typename T> Handler selectMultiplyAdd(Part part) {
  if constexpr (std::is_integral_v<T>) {
    if (part == Part::Low)
      return Lanewise<MultiplyAdd<T>, T, T, T, T>::execute;
    if (part == Part::High)
      return Lanewise<MultiplyAddHigh<T>, T, T, T, T>::execute;
    if constexpr (canWiden<T>)
      return Lanewise<MultiplyAddWide<T>, Twice<T>, T, T, Twice<T>>::execute;
  }
  return nullptr;
}

Status decodeMultiply(Decoder &decoder) {
  Type type;
  acceptRounding(decoder);
  if (decoder.acceptType(type)) {
    if (type != Type::F32 && type != Type::F64)
      return decoder.refuse("expected '.lo', '.hi' or '.wide'");
    decoder.get().execute = visitArithmetic(type, []<typename T>(Tag<T>) { return selectMultiply<T>(Part::Low); });
    return takeOperands(decoder, type, 2);
  }
  Part part;
  MOERT_TRY(takePart(decoder, part));
  MOERT_TRY(decoder.takeType(type, isWideInteger));
  decoder.get().execute = visitArithmetic(type, [&]<typename T>(Tag<T>) { return selectMultiply<T>(part); });
  if (!decoder.get().execute)
    return decoder.refuse("'.wide' of 64 bits");
  MOERT_TRY(decoder.takeDestination(part == Part::Wide ? getWider(type) : type));
  MOERT_TRY(decoder.takeSource(type));
  return decoder.takeSource(type);
}

Status decodeFusedMultiplyAdd(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeModifiers({"rn"}));
  MOERT_TRY(decoder.takeType(type, [](Type type) { return type == Type::F32 || type == Type::F64; }));
  decoder.get().execute = type == Type::F32
                              ? Lanewise<FusedMultiplyAdd<float>, float, float, float, float>::execute
                              : Lanewise<FusedMultiplyAdd<double>, double, double, double, double>::execute;
  return takeOperands(decoder, type, 3);
}

Status decodeMultiplyAdd(Decoder &decoder) {
  if (decoder.getSyntax().modifiers.size() == 2 && decoder.getSyntax().modifiers[0] == "rn")
    return decodeFusedMultiplyAdd(decoder);
  Part part;
  Type type;
  MOERT_TRY(takePart(decoder, part));
  MOERT_TRY(decoder.takeType(type, isWideInteger));
  decoder.get().execute = visitArithmetic(type, [&]<typename T>(Tag<T>) { return selectMultiplyAdd<T>(part); });
  if (!decoder.get().execute)
    return decoder.refuse("'.wide' of 64 bits");
  const Type wide = part == Part::Wide ? getWider(type) : type;
  MOERT_TRY(decoder.takeDestination(wide));
  MOERT_TRY(decoder.takeSource(type));
  MOERT_TRY(decoder.takeSource(type));
  return decoder.takeSource(wide);
}

template <template <typename> class Op> Handler selectDivision(Type type) {
  return visitArithmetic(type, []<typename T>(Tag<T>) -> Handler {
    if constexpr (std::is_integral_v<T>)
      return executeDivision<Op<T>, T>;
    else
      return nullptr;
  });
}

Status decodeDivide(Decoder &decoder) {
  Type type;
  if (decoder.accept("rn")) {
    MOERT_TRY(decoder.takeType(type, [](Type type) { return type == Type::F32 || type == Type::F64; }));
    decoder.get().execute = type == Type::F32 ? Lanewise<Divide<float>, float, float, float>::execute
                                              : Lanewise<Divide<double>, double, double, double>::execute;
  } else {
    MOERT_TRY(decoder.takeType(type, isWideInteger));
    decoder.get().execute = selectDivision<Divide>(type);
  }
  return takeOperands(decoder, type, 2);
}

Status decodeRemainder(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, isWideInteger));
  decoder.get().execute = selectDivision<Remainder>(type);
  return takeOperands(decoder, type, 2);
}

constexpr OpcodeRow rows[] = {
    {"add", decodeBinary<Add>},     {"sub", decodeBinary<Subtract>}, {"min", decodeBinary<Minimum>},
    {"max", decodeBinary<Maximum>}, {"neg", decodeUnary<Negate>},    {"abs", decodeUnary<Absolute>},
    {"mul", decodeMultiply},        {"mad", decodeMultiplyAdd},      {"fma", decodeFusedMultiplyAdd},
    {"div", decodeDivide},          {"rem", decodeRemainder},
};

} // namespace

std::span<const OpcodeRow> getArithmeticOpcodes() { return rows; }

} // namespace moert::emu
