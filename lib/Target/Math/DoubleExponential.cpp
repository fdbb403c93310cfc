//===- DoubleExponential.cpp - exp, log and powers of f64 -------------------===//
//
// exp: x = n log 2 + r, exp(x) = 2^n exp(r). log: x = 2^k m with m around 1, log(m) = 2 artanh(s) with
// s = (m - 1) / (m + 1). A power is the exponential of a product whose logarithm has twice the digits of f64, because
// an error of the exponent becomes a relative error of the result.
//
//===----------------------------------------------------------------------===//

#include "DoubleEmitter.h"
#include "DoubleFunctions.h"

using namespace mlir;
using namespace moec;

/// log 2 in two parts; multiples of the first with up to 11 bits are exact.
static constexpr double log2High = 0x1.62e42fefa3p-1, log2Low = 0x1.3de6af278ece6p-42;
static constexpr double smallestNormal = 0x1p-1022;

namespace {

/// exp(x) = 2^exponent * (1 + tail).
struct ScaledExponential {
  Value exponent, tail;
};

/// x = 2^exponent * (1 + fraction), with the second factor between the roots of 1/2 and 2.
struct ScaledReal {
  Value exponent, fraction;
};

/// A sum of two floats, the second below the last place of the first.
struct DoubleDouble {
  Value high, low;
};

} // namespace

/// exp(x + low); |x| must not exceed 1100.
static ScaledExponential reduceExp(DoubleEmitter &emit, Value x, Value low = {}) {
  // (exp(r) - 1 - r) / r^2
  static constexpr double coefficients[] = {0.5,
                                            0x1.5555555555557p-3,
                                            0x1.5555555555556p-5,
                                            0x1.111111110ff87p-7,
                                            0x1.6c16c16c16212p-10,
                                            0x1.a01a01aca0134p-13,
                                            0x1.a01a01a741b3cp-16,
                                            0x1.71ddffef9e7b1p-19,
                                            0x1.27e4da1a3bf04p-22,
                                            0x1.af52906239de4p-26,
                                            0x1.1f75aba0b1e2ep-29};
  auto [count, exponent] = emit.nearestMultiple(x, 0x1.71547652b82fep0);
  Value r = emit.fma(count, emit.real(-log2High), x);
  r = emit.fma(count, emit.real(-log2Low), r);
  if (low)
    r = emit.add(r, low);
  return {exponent, emit.fma(emit.mul(r, r), emit.polynomial(r, coefficients), r)};
}

/// Where the result overflows, becomes subnormal or vanishes, the two steps of the scaling do what is right.
static Value emitExpOfSum(DoubleEmitter &emit, Value x, Value low) {
  ScaledExponential reduced = reduceExp(emit, emit.atLeast(emit.atMost(x, 710), -746), low);
  Value half = emit.shiftRight(reduced.exponent, 1), rest = emit.subBits(reduced.exponent, half);
  Value result = emit.mul(emit.add(reduced.tail, 1), emit.powerOfTwo(half));
  return emit.mul(result, emit.powerOfTwo(rest));
}

Value moec::emitExp(DoubleEmitter &emit, Value x) { return emitExpOfSum(emit, x, {}); }

Value moec::emitExpMinusOne(DoubleEmitter &emit, Value x) {
  ScaledExponential reduced = reduceExp(emit, x);
  Value scale = emit.powerOfTwo(reduced.exponent);
  return emit.fma(scale, reduced.tail, emit.sub(scale, 1));
}

/// For positive finite x.
static ScaledReal scaleReal(DoubleEmitter &emit, Value x) {
  constexpr int64_t rootOfHalf = 0x3fe6a09e667f3bcd; // its bits
  Value isSubnormal = emit.less(x, smallestNormal);
  Value bits = emit.toBits(emit.select(isSubnormal, emit.mul(x, 0x1p54), x));
  Value exponent = emit.shiftRight(emit.subBits(bits, emit.integer(rootOfHalf)), 52);
  Value mantissa = emit.toReal(emit.subBits(bits, emit.shiftLeft(exponent, 52)));
  Value shift = emit.select(isSubnormal, emit.real(-54), emit.real(0));
  return {emit.add(emit.toFloat(exponent), shift), emit.sub(mantissa, 1)};
}

/// `result` for positive finite x, else what a logarithm is.
static Value withLimitsOfLog(DoubleEmitter &emit, Value x, Value result) {
  Value limits = emit.select(emit.equal(x, 0), emit.neg(emit.infinity()), emit.nan());
  limits = emit.select(emit.equal(x, emit.infinity()), x, limits);
  Value isRegular = emit.both(emit.less(emit.real(0), x), emit.less(x, emit.infinity()));
  return emit.select(isRegular, result, limits);
}

Value moec::emitLog(DoubleEmitter &emit, Value x) {
  // (2 artanh(s) / s - 2) / w with w = s^2
  static constexpr double coefficients[] = {0x1.5555555555555p-1, 0x1.9999999999998p-2, 0x1.249249249296bp-2,
                                            0x1.c71c71c649fd9p-3, 0x1.745d17d4c7b78p-3, 0x1.3b137ac246adep-3,
                                            0x1.111d3a850cbadp-3, 0x1.debb7c9d90ac1p-4, 0x1.e6ce4e57aaee2p-4};
  auto [exponent, fraction] = scaleReal(emit, x);
  Value s = emit.div(fraction, emit.add(fraction, 2)), w = emit.mul(s, s);
  // 2 artanh(s) = fraction - square + s (square + w P(w)), where the first is exact.
  Value square = emit.mul(emit.mul(fraction, 0.5), fraction);
  Value sum = emit.fma(w, emit.polynomial(w, coefficients), square);
  Value small = emit.fma(s, sum, emit.mul(exponent, log2Low));
  Value mantissa = emit.sub(fraction, emit.sub(square, small));
  return withLimitsOfLog(emit, x, emit.fma(exponent, emit.real(log2High), mantissa));
}

Value moec::emitLogOnePlus(DoubleEmitter &emit, Value x) {
  // The quotient undoes the rounding of the sum.
  Value sum = emit.add(x, 1);
  Value result = emit.mul(emitLog(emit, sum), emit.div(x, emit.sub(sum, 1)));
  result = emit.select(emit.equal(sum, 1), x, result);
  return emit.select(emit.equal(sum, emit.infinity()), sum, result);
}

/// The logarithm of a positive finite number with about 64 bits.
static DoubleDouble emitLongLog(DoubleEmitter &emit, Value x) {
  // (2 artanh(s) / s - 2 - 2/3 w) / w^2
  static constexpr double coefficients[] = {0x1.999999999999ap-2, 0x1.2492492492491p-2, 0x1.c71c71c71cff7p-3,
                                            0x1.745d174511201p-3, 0x1.3b13b1bdb9604p-3, 0x1.1110df49dca19p-3,
                                            0x1.e1f81bf33b7c7p-4, 0x1.ac479c05883d9p-4, 0x1.b8eeb7095f447p-4};
  constexpr double thirdsHigh = 0x1.5555555555555p-1, thirdsLow = 0x1.5555555555555p-55;
  auto [exponent, fraction] = scaleReal(emit, x);
  Value divisor = emit.add(fraction, 2), divisorLow = emit.sub(fraction, emit.sub(divisor, 2));
  Value s = emit.div(fraction, divisor);
  Value rest = emit.fma(emit.neg(s), divisorLow, emit.fma(emit.neg(s), divisor, fraction));
  Value sLow = emit.div(rest, divisor);

  auto [w, wLow] = emit.exactProduct(s, s);
  wLow = emit.fma(emit.mul(s, 2), sLow, wLow);
  // 2/3 + w P(w)
  Value further = emit.mul(w, emit.polynomial(w, coefficients));
  Value factor = emit.add(further, thirdsHigh);
  Value factorLow = emit.add(emit.add(emit.sub(emit.real(thirdsHigh), factor), further), thirdsLow);
  auto [cube, cubeLow] = emit.exactProduct(s, w);
  cubeLow = emit.add(cubeLow, emit.fma(s, wLow, emit.mul(sLow, w)));
  auto [term, termLow] = emit.exactProduct(cube, factor);
  termLow = emit.add(termLow, emit.fma(cube, factorLow, emit.mul(cubeLow, factor)));

  Value twice = emit.mul(s, 2), sum = emit.add(twice, term);
  Value low = emit.add(emit.sub(twice, sum), term);
  low = emit.add(low, emit.fma(sLow, emit.real(2), termLow));
  Value whole = emit.mul(exponent, log2High), high = emit.add(whole, sum);
  low = emit.add(low, emit.add(emit.sub(whole, high), sum));
  return {high, emit.fma(exponent, emit.real(log2Low), low)};
}

/// What |x|^y is multiplied by: -1 for an odd y and a negative x, NaN where there is no real power.
static Value emitSignOfPower(DoubleEmitter &emit, Value x, Value y) {
  Value isNegative = emit.isNonZero(emit.shiftRight(emit.toBits(x), 63));
  Value isInteger = emit.equal(emit.floor(y), y);
  Value half = emit.mul(y, 0.5), isOdd = emit.both(isInteger, emit.inverted(emit.equal(emit.floor(half), half)));
  Value sign = emit.select(emit.both(isNegative, isOdd), emit.real(-1), emit.real(1));
  Value isProper = emit.both(emit.less(x, 0), emit.less(emit.neg(emit.infinity()), x));
  return emit.select(emit.both(isProper, emit.inverted(isInteger)), emit.nan(), sign);
}

Value moec::emitPower(DoubleEmitter &emit, Value x, Value y) {
  Value magnitude = emit.abs(x);
  auto [log, logLow] = emitLongLog(emit, magnitude);
  log = withLimitsOfLog(emit, magnitude, log);
  auto [exponent, exponentLow] = emit.exactProduct(y, log);
  exponentLow = emit.fma(y, logLow, exponentLow);
  // Beyond, the result is zero or infinite, and the low part may be neither.
  exponentLow = emit.select(emit.less(emit.abs(exponent), 800), exponentLow, emit.real(0));
  Value result = emit.mul(emitExpOfSum(emit, exponent, exponentLow), emitSignOfPower(emit, x, y));
  Value isFlat = emit.both(emit.equal(magnitude, 1), emit.equal(emit.abs(y), emit.infinity()));
  result = emit.select(isFlat, emit.real(1), result);
  result = emit.select(emit.equal(x, 1), emit.real(1), result);
  return emit.select(emit.equal(y, 0), emit.real(1), result);
}
