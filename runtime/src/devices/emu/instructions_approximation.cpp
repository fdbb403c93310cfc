// ex2, lg2, sin, cos, tanh, and the .approx and .full forms of rcp, rsqrt, sqrt and div. Hardware promises a bound of
// the error only; here the exact value is rounded to nearest, which lies within every such bound.
#include "devices/emu/float_bits.h"
#include "devices/emu/rounding.h"

namespace moert::emu {
namespace {

template <double (*Function)(double)> struct Rounded {
  static float apply(float a) { return static_cast<float>(Function(a)); }
};

double reciprocal(double a) { return 1 / a; }
double reciprocalRoot(double a) { return 1 / std::sqrt(a); }
double exp2(double a) { return std::exp2(a); }
double log2(double a) { return std::log2(a); }
double squareRoot(double a) { return std::sqrt(a); }
double sine(double a) { return std::sin(a); }
double cosine(double a) { return std::cos(a); }
double tangent(double a) { return std::tanh(a); }

struct DivideFully {
  static float apply(float a, float b) { return static_cast<float>(double(a) / double(b)); }
};
// The divisor's reciprocal underflows above 2^126.
struct DivideApproximately {
  static float apply(float a, float b) {
    if (std::fabs(b) > 0x1p126f && std::fabs(b) <= 0x1.fffffep127f)
      return std::isinf(a) ? NAN : a != a ? a : std::copysign(0.0f, std::signbit(a) == std::signbit(b) ? 1.0f : -1.0f);
    return DivideFully::apply(a, b);
  }
};

// The approximations of f64 read and give the upper 32 bits only; subnormal numbers count as zero.
double keepUpperHalf(double a) { return std::bit_cast<double>(std::bit_cast<uint64_t>(a) & 0xffffffff00000000); }
double flushDouble(double a) { return std::fabs(a) < 0x1p-1022 ? std::copysign(0.0, a) : a; }
template <double (*Function)(double)> struct UpperHalf {
  static double apply(double a) { return keepUpperHalf(flushDouble(Function(flushDouble(keepUpperHalf(a))))); }
};

Status takeOperands(Decoder &decoder, Type type, int sources) {
  MOERT_TRY(decoder.takeDestination(type));
  for (int i = 0; i < sources; ++i)
    MOERT_TRY(decoder.takeSource(type));
  return Status::success();
}

template <typename Op, int Sources> Status decodeFloat(Decoder &decoder) {
  FloatModifiers modifiers;
  Type type;
  modifiers.flushes = decoder.accept("ftz");
  MOERT_TRY(decoder.takeType(type, [](Type type) { return type == Type::F32; }));
  decoder.get().execute = selectFloatHandler<Op, float, Sources>(modifiers);
  return takeOperands(decoder, type, Sources);
}

template <double (*Function)(double)> Status decodeApproximation(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"approx"}));
  return decodeFloat<Rounded<Function>, 1>(decoder);
}

// rcp and rsqrt have approximations of f64 too.
template <double (*Function)(double)> Status decodeReciprocal(Decoder &decoder) {
  if (decoder.getSyntax().modifiers.back() != "f64")
    return decodeApproximation<Function>(decoder);
  MOERT_TRY(decoder.takeModifiers({"approx", "ftz", "f64"}));
  decoder.get().execute = Lanewise<UpperHalf<Function>, double, double>::execute;
  return takeOperands(decoder, Type::F64, 1);
}

Status decodeReciprocalRoot(Decoder &decoder) {
  const auto &modifiers = decoder.getSyntax().modifiers;
  if (modifiers.size() != 2 || modifiers[1] != "f64")
    return decodeReciprocal<reciprocalRoot>(decoder);
  MOERT_TRY(decoder.takeModifiers({"approx", "f64"}));
  struct Exact {
    static double apply(double a) { return reciprocalRoot(a); }
  };
  decoder.get().execute = Lanewise<Exact, double, double>::execute;
  return takeOperands(decoder, Type::F64, 1);
}

Status decodeDivideApproximately(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"approx"}));
  return decodeFloat<DivideApproximately, 2>(decoder);
}
Status decodeDivideFully(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"full"}));
  return decodeFloat<DivideFully, 2>(decoder);
}

template <double (*Function)(double)> struct OfF16 {
  static uint16_t apply(uint16_t a) { return roundToF16(Function(fromF16(a))); }
};
template <typename Op> struct OfPair {
  static uint32_t apply(uint32_t a) {
    return Op::apply(static_cast<uint16_t>(a)) | uint32_t(Op::apply(static_cast<uint16_t>(a >> 16))) << 16;
  }
};

template <double (*Function)(double)> Status decodeHalf(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeModifiers({"approx"}));
  MOERT_TRY(decoder.takeType(type, [](Type type) { return type == Type::F16 || type == Type::F16x2; }));
  decoder.get().execute = type == Type::F16 ? Lanewise<OfF16<Function>, uint16_t, uint16_t>::execute
                                            : Lanewise<OfPair<OfF16<Function>>, uint32_t, uint32_t>::execute;
  return takeOperands(decoder, type, 1);
}

constexpr OpcodeRow rows[] = {
    {"ex2", decodeApproximation<exp2>, TypeClass::Float},
    {"ex2", decodeHalf<exp2>, TypeClass::Half},
    {"lg2", decodeApproximation<log2>, TypeClass::Float},
    {"sin", decodeApproximation<sine>, TypeClass::Float},
    {"cos", decodeApproximation<cosine>, TypeClass::Float},
    {"tanh", decodeApproximation<tangent>, TypeClass::Float},
    {"tanh", decodeHalf<tangent>, TypeClass::Half},
    {"rcp.approx", decodeReciprocal<reciprocal>, TypeClass::Float},
    {"rsqrt", decodeReciprocalRoot, TypeClass::Float},
    {"sqrt.approx", decodeApproximation<squareRoot>, TypeClass::Float},
    {"div.approx", decodeDivideApproximately, TypeClass::Float},
    {"div.full", decodeDivideFully, TypeClass::Float},
};

} // namespace

std::span<const OpcodeRow> getApproximationOpcodes() { return rows; }

} // namespace moert::emu
