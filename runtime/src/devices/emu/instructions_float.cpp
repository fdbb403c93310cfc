// add, sub, mul, fma, mad, div, rcp, sqrt, neg, abs, min, max, copysign and testp of f32 and f64.
#include "devices/emu/rounding.h"

#include <limits>

namespace moert::emu {
namespace {

template <typename T> struct Add {
  static T apply(T a, T b) { return a + b; }
};
template <typename T> struct Subtract {
  static T apply(T a, T b) { return a - b; }
};
template <typename T> struct Multiply {
  static T apply(T a, T b) { return a * b; }
};
template <typename T> struct MultiplyAdd {
  static T apply(T a, T b, T c) { return std::fma(a, b, c); }
};
template <typename T> struct Divide {
  static T apply(T a, T b) { return a / b; }
};
template <typename T> struct Reciprocal {
  static T apply(T a) { return T(1) / a; }
};
template <typename T> struct SquareRoot {
  static T apply(T a) { return std::sqrt(a); }
};
template <typename T> struct Negate {
  static T apply(T a) { return -a; }
};
template <typename T> struct Absolute {
  static T apply(T a) { return std::fabs(a); }
};

// The other operand if one is NaN, and -0 below +0. With `.NaN` the result is NaN if an operand is.
template <typename T> struct Minimum {
  static T apply(T a, T b) {
    if (a == b)
      return std::signbit(a) ? a : b;
    return a < b || b != b ? a : b;
  }
};
template <typename T> struct Maximum {
  static T apply(T a, T b) {
    if (a == b)
      return std::signbit(a) ? b : a;
    return a > b || b != b ? a : b;
  }
};
template <typename Op, typename T> struct PropagatesNaN {
  static T apply(T a, T b) { return a != a || b != b ? std::numeric_limits<T>::quiet_NaN() : Op::apply(a, b); }
};

// The magnitude of b with the sign of a.
template <typename T> struct CopySign {
  static T apply(T a, T b) { return std::copysign(b, a); }
};

Status takeOperands(Decoder &decoder, Type type, int sources) {
  MOERT_TRY(decoder.takeDestination(type));
  for (int i = 0; i < sources; ++i)
    MOERT_TRY(decoder.takeSource(type));
  return Status::success();
}

// What an instruction requires and allows besides its type.
struct FloatForm {
  bool takesRounding = true, needsRounding = false, saturates = false;
};

template <template <typename> class Op, int Sources> Status decodeForm(Decoder &decoder, const FloatForm &form) {
  FloatModifiers modifiers;
  Type type;
  takeFloatModifiers(decoder, modifiers);
  MOERT_TRY(decoder.takeType(type, isWideFloat));
  if (form.needsRounding && !modifiers.isRounded)
    return decoder.refuse("expected a rounding: '.rn', '.rz', '.rm' or '.rp'");
  if (modifiers.isRounded && !form.takesRounding)
    return decoder.refuse("a rounding of what is exact");
  if (type == Type::F64 && modifiers.flushes)
    return decoder.refuse("'.ftz' of .f64");
  if (modifiers.saturates && (type == Type::F64 || !form.saturates))
    return decoder.refuse("'.sat' is not known here");
  decoder.get().execute =
      visitFloat(type, [&]<typename T>(Tag<T>) { return selectFloatHandler<Op<T>, T, Sources>(modifiers); });
  return takeOperands(decoder, type, Sources);
}

template <template <typename> class Op, int Sources> Status decodeSum(Decoder &decoder) {
  return decodeForm<Op, Sources>(decoder, {.saturates = true});
}
template <template <typename> class Op, int Sources> Status decodeRounded(Decoder &decoder) {
  return decodeForm<Op, Sources>(decoder, {.needsRounding = true, .saturates = Sources == 3});
}
template <template <typename> class Op> Status decodeSign(Decoder &decoder) {
  return decodeForm<Op, 1>(decoder, {.takesRounding = false});
}

template <template <typename> class Op> Status decodeChoice(Decoder &decoder) {
  FloatModifiers modifiers;
  Type type;
  modifiers.flushes = decoder.accept("ftz");
  const bool propagates = decoder.accept("NaN");
  MOERT_TRY(decoder.takeType(type, isWideFloat));
  if (type == Type::F64 && (modifiers.flushes || propagates))
    return decoder.refuse("a modifier of .f32 with .f64");
  decoder.get().execute = visitFloat(type, [&]<typename T>(Tag<T>) {
    return propagates ? selectFloatHandler<PropagatesNaN<Op<T>, T>, T, 2>(modifiers)
                      : selectFloatHandler<Op<T>, T, 2>(modifiers);
  });
  return takeOperands(decoder, type, 2);
}

Status decodeCopySign(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, isWideFloat));
  decoder.get().execute =
      visitFloat(type, []<typename T>(Tag<T>) -> Handler { return Lanewise<CopySign<T>, T, T, T>::execute; });
  return takeOperands(decoder, type, 2);
}

// Classes of testp; `immediate` says which.
enum class FloatClass { Finite, Infinite, Number, NotANumber, Normal, Subnormal };
constexpr std::string_view classNames[] = {"finite", "infinite", "number", "notanumber", "normal", "subnormal"};

template <typename T> bool isOfClass(T value, FloatClass which) {
  switch (which) {
  case FloatClass::Finite:
    return std::isfinite(value);
  case FloatClass::Infinite:
    return std::isinf(value);
  case FloatClass::Number:
    return !std::isnan(value);
  case FloatClass::NotANumber:
    return std::isnan(value);
  case FloatClass::Normal:
    return std::isnormal(value);
  case FloatClass::Subnormal:
    return std::isfinite(value) && value != 0 && !std::isnormal(value);
  }
  return false;
}

template <typename T> void executeTest(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const T *values = warp.lanes<T>(instruction.slots[1]);
  LaneMask result = 0;
  forEachLane(mask, [&](uint32_t lane) {
    result |= LaneMask(isOfClass(values[lane], static_cast<FloatClass>(instruction.immediate))) << lane;
  });
  LaneMask &predicate = warp.predicate(instruction.slots[0]);
  predicate = (predicate & ~mask) | result;
  warp.setPoison(instruction.slots[0], mask, warp.poison(instruction.slots[1]));
}

Status decodeTest(Decoder &decoder) {
  Type type;
  decoder.get().immediate = decoder.acceptAny(classNames);
  if (decoder.get().immediate < 0)
    return decoder.refuse("expected a class of numbers");
  MOERT_TRY(decoder.takeType(type, isWideFloat));
  decoder.get().execute = type == Type::F32 ? executeTest<float> : executeTest<double>;
  MOERT_TRY(decoder.takeDestination(Type::Pred));
  return decoder.takeSource(type);
}

constexpr OpcodeRow rows[] = {
    {"add", decodeSum<Add, 2>, TypeClass::Float},
    {"sub", decodeSum<Subtract, 2>, TypeClass::Float},
    {"mul", decodeSum<Multiply, 2>, TypeClass::Float},
    {"fma", decodeRounded<MultiplyAdd, 3>, TypeClass::Float},
    {"mad", decodeRounded<MultiplyAdd, 3>, TypeClass::Float},
    {"div", decodeRounded<Divide, 2>, TypeClass::Float},
    {"rcp", decodeRounded<Reciprocal, 1>, TypeClass::Float},
    {"sqrt", decodeRounded<SquareRoot, 1>, TypeClass::Float},
    {"neg", decodeSign<Negate>, TypeClass::Float},
    {"abs", decodeSign<Absolute>, TypeClass::Float},
    {"min", decodeChoice<Minimum>, TypeClass::Float},
    {"max", decodeChoice<Maximum>, TypeClass::Float},
    {"copysign", decodeCopySign, TypeClass::Float},
    {"testp", decodeTest, TypeClass::Float},
};

} // namespace

std::span<const OpcodeRow> getFloatOpcodes() { return rows; }

} // namespace moert::emu
