//===- DoubleTrigonometry.cpp - circular functions of f64 and inverses ------===//
//
// Angles are reduced to a quarter turn around zero with 160 bits of pi. Arc functions come down to the arc tangent.
//
//===----------------------------------------------------------------------===//

#include "DoubleEmitter.h"
#include "DoubleFunctions.h"

using namespace mlir;
using namespace moec;

/// All positive, so that multiples of zero leave a negative zero what it is.
static constexpr double halfPi = 0x1.921fb54442d18p0, halfPiLow = 0x1.1a62633145c06p-54,
                        halfPiLowest = 0x1.c1cd129024e09p-107;

namespace {

/// Sine and cosine of an angle less `quarters` quarter turns.
struct ReducedAngle {
  Value sine, cosine, quarters;
};

} // namespace

static ReducedAngle reduceAngle(DoubleEmitter &emit, Value x) {
  // (sin(r) / r - 1) / z and (cos(r) - 1 + z / 2) / z^2 with z = r^2
  static constexpr double sine[] = {-0x1.5555555555555p-3, 0x1.1111111111110p-7,   -0x1.a01a01a019880p-13,
                                    0x1.71de3a544a6cep-19, -0x1.ae6453ecab5c4p-26, 0x1.612161267019ep-33,
                                    -0x1.ab066192d3e8fp-41};
  static constexpr double cosine[] = {0x1.5555555555555p-5,   -0x1.6c16c16c16c16p-10, 0x1.a01a01a019cb8p-16,
                                      -0x1.27e4fb7708fb2p-22, 0x1.1eed8ddaa5390p-29,  -0x1.93949f74df9adp-37,
                                      0x1.ab68d5c08a457p-45};
  // Beyond, pi has too few bits here.
  x = emit.select(emit.less(emit.abs(x), 0x1p50), x, emit.nan());
  auto [count, quarters] = emit.nearestMultiple(x, 0x1.45f306dc9c883p-1);
  Value r = x;
  for (double part : {halfPi, halfPiLow, halfPiLowest})
    r = emit.fma(count, emit.real(-part), r);
  Value z = emit.mul(r, r), half = emit.mul(z, 0.5), most = emit.sub(emit.real(1), half);
  Value lost = emit.sub(emit.sub(emit.real(1), most), half);
  Value tail = emit.fma(emit.mul(z, z), emit.polynomial(z, cosine), lost);
  Value nonZero = emit.fma(emit.mul(z, r), emit.polynomial(z, sine), r);
  return {emit.select(emit.equal(r, 0), r, nonZero), emit.add(most, tail), quarters};
}

/// The sine of the angle after `quarters`.
static Value turn(DoubleEmitter &emit, const ReducedAngle &angle, Value quarters) {
  Value value = emit.select(emit.isNonZero(emit.andBits(quarters, 1)), angle.cosine, angle.sine);
  return emit.toReal(emit.xorBits(emit.toBits(value), emit.shiftLeft(emit.andBits(quarters, 2), 62)));
}

Value moec::emitSin(DoubleEmitter &emit, Value x) {
  ReducedAngle angle = reduceAngle(emit, x);
  return turn(emit, angle, angle.quarters);
}

Value moec::emitCos(DoubleEmitter &emit, Value x) {
  ReducedAngle angle = reduceAngle(emit, x);
  return turn(emit, angle, emit.addBits(angle.quarters, emit.integer(1)));
}

Value moec::emitTan(DoubleEmitter &emit, Value x) {
  ReducedAngle angle = reduceAngle(emit, x);
  Value isOdd = emit.isNonZero(emit.andBits(angle.quarters, 1));
  return emit.div(emit.select(isOdd, emit.neg(angle.cosine), angle.sine), emit.select(isOdd, angle.sine, angle.cosine));
}

Value moec::emitAtan(DoubleEmitter &emit, Value x) {
  // (atan(t) / t - 1) / z with z = t^2
  static constexpr double coefficients[] = {-0x1.5555555555555p-2, 0x1.9999999999952p-3,  -0x1.249249248d684p-3,
                                            0x1.c71c71c2f37e8p-4,  -0x1.745d165a9c002p-4, 0x1.3b139279535a8p-4,
                                            -0x1.110e81459346ep-4, 0x1.e19978381e052p-5,  -0x1.ac761b5db4f38p-5,
                                            0x1.74c9760b1bea4p-5,  -0x1.1aff6533dd0e5p-5, 0x1.0a5f8c60d732bp-6};
  // Tangents of an eighth of a half turn and of three: between them t counts from the diagonal, above from the
  // vertical.
  constexpr double low = 0x1.a827999fcef32p-2, high = 0x1.3504f333f9de6p1;
  Value a = emit.abs(x), isLow = emit.less(a, low), isHigh = emit.less(emit.real(high), a);
  Value zero = emit.real(0);
  Value t = emit.select(isHigh, emit.div(emit.real(-1), a), emit.div(emit.sub(a, 1), emit.add(a, 1)));
  t = emit.select(isLow, a, t);
  Value base = emit.select(isLow, zero, emit.select(isHigh, emit.real(halfPi), emit.real(halfPi / 2)));
  Value baseLow = emit.select(isLow, zero, emit.select(isHigh, emit.real(halfPiLow), emit.real(halfPiLow / 2)));
  Value z = emit.mul(t, t);
  Value tail = emit.fma(emit.mul(t, z), emit.polynomial(z, coefficients), baseLow);
  return emit.copySign(emit.add(base, emit.add(t, tail)), x);
}

Value moec::emitAsin(DoubleEmitter &emit, Value x) {
  Value cosine = emit.sqrt(emit.mul(emit.sub(emit.real(1), x), emit.add(x, 1)));
  return emitAtan(emit, emit.div(x, cosine));
}

Value moec::emitAcos(DoubleEmitter &emit, Value x) {
  // The tangent of half the angle.
  Value tangent = emit.sqrt(emit.div(emit.sub(emit.real(1), x), emit.add(x, 1)));
  return emit.mul(emitAtan(emit, tangent), 2);
}
