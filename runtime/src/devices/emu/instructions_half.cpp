// add, sub, mul, fma, neg, abs, min and max of f16, bf16 and pairs of them. Each is computed without loss in f64, or so
// that the loss shows, and rounded once.
#include "devices/emu/float_bits.h"
#include "devices/emu/lanewise.h"

#include <limits>

namespace moert::emu {
namespace {

constexpr uint16_t signBit = 0x8000, notANumber = 0x7fff;

struct F16 {
  static constexpr FloatFormat format = formatF16;
  static constexpr uint16_t infinity = 0x7c00, smallestNormal = 0x0400;
  static double read(uint16_t bits) { return fromF16(bits); }
};
struct Bf16 {
  static constexpr FloatFormat format = formatBf16;
  static constexpr uint16_t infinity = 0x7f80, smallestNormal = 0x0080;
  static double read(uint16_t bits) { return fromBf16(bits); }
};

template <typename F> uint16_t write(double value) { return static_cast<uint16_t>(roundTo(value, F::format)); }
template <typename F> bool isNaN(uint16_t bits) { return (bits & ~signBit) > F::infinity; }

template <typename F> struct Add {
  static uint16_t apply(uint16_t a, uint16_t b) { return write<F>(addToOdd(F::read(a), F::read(b))); }
};
template <typename F> struct Subtract {
  static uint16_t apply(uint16_t a, uint16_t b) { return write<F>(addToOdd(F::read(a), -F::read(b))); }
};
template <typename F> struct Multiply {
  static uint16_t apply(uint16_t a, uint16_t b) { return write<F>(F::read(a) * F::read(b)); }
};
template <typename F> struct MultiplyAdd {
  static uint16_t apply(uint16_t a, uint16_t b, uint16_t c) {
    return write<F>(addToOdd(F::read(a) * F::read(b), F::read(c)));
  }
};
template <typename F> struct Negate {
  static uint16_t apply(uint16_t a) { return a ^ signBit; }
};
template <typename F> struct Absolute {
  static uint16_t apply(uint16_t a) { return a & ~signBit; }
};

// The other operand if one is NaN, and -0 below +0; two NaNs give the canonical one, as `.NaN` does for any.
template <typename F, bool IsMaximum> struct Choose {
  static uint16_t apply(uint16_t a, uint16_t b) {
    if (isNaN<F>(a))
      return isNaN<F>(b) ? notANumber : b;
    if (isNaN<F>(b))
      return a;
    // Sign and magnitude as one integer that orders like the numbers, -0 below +0.
    const auto order = [](uint16_t bits) { return bits & signBit ? -int(bits & ~signBit) - 1 : int(bits); };
    return (order(a) < order(b)) != IsMaximum ? a : b;
  }
};
template <typename F> using Minimum = Choose<F, false>;
template <typename F> using Maximum = Choose<F, true>;
template <typename F, typename Op> struct PropagatesNaN {
  static uint16_t apply(uint16_t a, uint16_t b) { return isNaN<F>(a) || isNaN<F>(b) ? notANumber : Op::apply(a, b); }
};

template <typename F> uint16_t flush(uint16_t bits) {
  return (bits & ~signBit) < F::smallestNormal ? bits & signBit : bits;
}
template <typename F, typename Op> struct Flushed {
  template <typename... S> static uint16_t apply(S... sources) { return flush<F>(Op::apply(flush<F>(sources)...)); }
};
// NaN becomes 0 when it is clamped to [0, 1], and the canonical NaN when only what is negative becomes 0.
template <typename F, typename Op> struct Saturated {
  template <typename... S> static uint16_t apply(S... sources) {
    const uint16_t value = Op::apply(sources...);
    return isNaN<F>(value) || value & signBit ? 0 : std::min(value, write<F>(1));
  }
};
template <typename F, typename Op> struct Rectified {
  template <typename... S> static uint16_t apply(S... sources) {
    const uint16_t value = Op::apply(sources...);
    return isNaN<F>(value) ? notANumber : value & signBit ? 0 : value;
  }
};

template <typename Op> struct OfPair {
  template <typename... S> static uint32_t apply(S... sources) {
    return Op::apply(static_cast<uint16_t>(sources)...) | uint32_t(Op::apply(static_cast<uint16_t>(sources >> 16)...))
                                                              << 16;
  }
};

template <typename Op, typename T, int Sources> constexpr Handler getHandler() {
  if constexpr (Sources == 1)
    return Lanewise<Op, T, T>::execute;
  else if constexpr (Sources == 2)
    return Lanewise<Op, T, T, T>::execute;
  else
    return Lanewise<Op, T, T, T, T>::execute;
}
template <typename Op, int Sources> Handler selectWidth(Type type) {
  return isHalfPair(type) ? getHandler<OfPair<Op>, uint32_t, Sources>() : getHandler<Op, uint16_t, Sources>();
}

struct HalfModifiers {
  bool flushes = false, saturates = false, rectifies = false;
};

template <typename F, typename Op, int Sources> Handler selectModified(Type type, const HalfModifiers &modifiers) {
  if (modifiers.rectifies)
    return modifiers.flushes ? selectWidth<Rectified<F, Flushed<F, Op>>, Sources>(type)
                             : selectWidth<Rectified<F, Op>, Sources>(type);
  if (modifiers.saturates)
    return modifiers.flushes ? selectWidth<Saturated<F, Flushed<F, Op>>, Sources>(type)
                             : selectWidth<Saturated<F, Op>, Sources>(type);
  return modifiers.flushes ? selectWidth<Flushed<F, Op>, Sources>(type) : selectWidth<Op, Sources>(type);
}

constexpr bool isBf16(Type type) { return type == Type::BF16 || type == Type::BF16x2; }

Status takeOperands(Decoder &decoder, Type type, int sources) {
  MOERT_TRY(decoder.takeDestination(type));
  for (int i = 0; i < sources; ++i)
    MOERT_TRY(decoder.takeSource(type));
  return Status::success();
}

// fma exists for bf16 on every chip, sums and products only from sm_90 on.
template <template <typename> class Op, int Sources> Status decodeArithmetic(Decoder &decoder) {
  Type type;
  HalfModifiers modifiers;
  const bool isRounded = decoder.accept("rn");
  modifiers.flushes = decoder.accept("ftz");
  modifiers.saturates = decoder.accept("sat");
  modifiers.rectifies = Sources == 3 && !modifiers.saturates && decoder.accept("relu");
  MOERT_TRY(decoder.takeType(type, isHalf));
  if (isBf16(type) && (Sources != 3 || modifiers.flushes || modifiers.saturates))
    return decoder.refuse("this form of .", getName(type), " needs sm_90");
  if (Sources == 3 && !isRounded)
    return decoder.refuse("expected '.rn'");
  decoder.get().execute = isBf16(type) ? selectModified<Bf16, Op<Bf16>, Sources>(type, modifiers)
                                       : selectModified<F16, Op<F16>, Sources>(type, modifiers);
  return takeOperands(decoder, type, Sources);
}

template <template <typename> class Op> Status decodeSign(Decoder &decoder) {
  Type type;
  HalfModifiers modifiers;
  modifiers.flushes = decoder.accept("ftz");
  MOERT_TRY(decoder.takeType(type, isHalf));
  if (isBf16(type) && modifiers.flushes)
    return decoder.refuse("'.ftz' of .", getName(type));
  decoder.get().execute = isBf16(type) ? selectModified<Bf16, Op<Bf16>, 1>(type, modifiers)
                                       : selectModified<F16, Op<F16>, 1>(type, modifiers);
  return takeOperands(decoder, type, 1);
}

template <typename F, template <typename> class Op>
Handler selectChoice(Type type, bool propagates, const HalfModifiers &modifiers) {
  return propagates ? selectModified<F, PropagatesNaN<F, Op<F>>, 2>(type, modifiers)
                    : selectModified<F, Op<F>, 2>(type, modifiers);
}

template <template <typename> class Op> Status decodeChoice(Decoder &decoder) {
  Type type;
  HalfModifiers modifiers;
  modifiers.flushes = decoder.accept("ftz");
  const bool propagates = decoder.accept("NaN");
  MOERT_TRY(decoder.takeType(type, isHalf));
  if (isBf16(type) && modifiers.flushes)
    return decoder.refuse("'.ftz' of .", getName(type));
  decoder.get().execute = isBf16(type) ? selectChoice<Bf16, Op>(type, propagates, modifiers)
                                       : selectChoice<F16, Op>(type, propagates, modifiers);
  return takeOperands(decoder, type, 2);
}

constexpr OpcodeRow rows[] = {
    {"add", decodeArithmetic<Add, 2>, TypeClass::Half},
    {"sub", decodeArithmetic<Subtract, 2>, TypeClass::Half},
    {"mul", decodeArithmetic<Multiply, 2>, TypeClass::Half},
    {"fma", decodeArithmetic<MultiplyAdd, 3>, TypeClass::Half},
    {"neg", decodeSign<Negate>, TypeClass::Half},
    {"abs", decodeSign<Absolute>, TypeClass::Half},
    {"min", decodeChoice<Minimum>, TypeClass::Half},
    {"max", decodeChoice<Maximum>, TypeClass::Half},
};

} // namespace

std::span<const OpcodeRow> getHalfOpcodes() { return rows; }

} // namespace moert::emu
