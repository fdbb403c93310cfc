//===- NarrowElements.cpp - floats of 8 and 4 bits, integers of 4 and 2 -------===//

#include "NarrowElements.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;
using namespace moec;

bool moec::isNarrow(Type element) {
  if (isa<FloatType>(element))
    return element.getIntOrFloatBitWidth() <= 8;
  return element.isInteger(2) || element.isInteger(4);
}

namespace {

/// Where the parts of a float lie.
struct FloatFormat {
  explicit FloatFormat(const llvm::fltSemantics &semantics)
      : width(APFloat::getSizeInBits(semantics)), mantissa(APFloat::semanticsPrecision(semantics) - 1),
        bias(1 - APFloat::semanticsMinExponent(semantics)),
        largest(APFloat::getLargest(semantics).bitcastToAPInt().getZExtValue()),
        hasInfinity(APFloat::semanticsHasInf(semantics)), hasNan(APFloat::semanticsHasNaN(semantics)) {
    if (hasNan)
      nan = APFloat::getNaN(semantics).bitcastToAPInt().getZExtValue();
  }
  uint64_t sign() const { return uint64_t(1) << (width - 1); }
  /// The only NaN is what -0 would be.
  bool isUnsignedZero() const { return hasNan && nan == sign(); }

  int width, mantissa, bias;
  uint64_t largest;
  bool hasInfinity, hasNan;
  uint64_t nan = 0;
};

/// Integer arithmetic on the bits of floats.
struct Bits {
  ScalarBody &s;
  IntegerType type;

  Value constant(uint64_t value) {
    return arith::ConstantOp::create(s.builder, s.builder.getIntegerAttr(type, APInt(type.getWidth(), value)));
  }
  Value andWith(Value lhs, uint64_t rhs) { return arith::AndIOp::create(s.builder, lhs, constant(rhs)); }
  Value add(Value lhs, uint64_t rhs) { return arith::AddIOp::create(s.builder, lhs, constant(rhs)); }
  Value sub(Value lhs, uint64_t rhs) { return arith::SubIOp::create(s.builder, lhs, constant(rhs)); }
  Value shiftLeft(Value lhs, uint64_t rhs) { return arith::ShLIOp::create(s.builder, lhs, constant(rhs)); }
  Value shiftRight(Value lhs, uint64_t rhs) { return arith::ShRUIOp::create(s.builder, lhs, constant(rhs)); }
  Value equal(Value lhs, uint64_t rhs) { return compare(arith::CmpIPredicate::eq, lhs, rhs); }
  Value above(Value lhs, uint64_t rhs) { return compare(arith::CmpIPredicate::ugt, lhs, rhs); }
  Value compare(arith::CmpIPredicate predicate, Value lhs, uint64_t rhs) {
    return arith::CmpIOp::create(s.builder, predicate, lhs, constant(rhs));
  }
  Value select(Value condition, uint64_t lhs, Value rhs) { return s.select(condition, constant(lhs), rhs); }
};

} // namespace

static Value isNan(ScalarBody &s, Value value) {
  return arith::CmpFOp::create(s.builder, arith::CmpFPredicate::UNO, value, value);
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

Value moec::lowBitsAsNarrow(ScalarBody &s, Value byte, Type type) {
  unsigned width = type.getIntOrFloatBitWidth();
  if (isa<FloatType>(type) || type.isUnsignedInteger())
    return arith::AndIOp::create(s.builder, byte, s.constant((1 << width) - 1, byte.getType()));
  Value amount = s.constant(8 - width, byte.getType());
  return arith::ShRSIOp::create(s.builder, arith::ShLIOp::create(s.builder, byte, amount), amount);
}

static Value decodePower(ScalarBody &s, Value element) {
  Bits bits{s, s.builder.getI32Type()};
  Value code = arith::ExtUIOp::create(s.builder, bits.type, element);
  // Code 0 is 2^-127, which is subnormal in f32.
  Value pattern = bits.select(bits.equal(code, 0), 0x00400000, bits.shiftLeft(code, 23));
  pattern = bits.select(bits.equal(code, 255), 0x7fc00000, pattern);
  return arith::BitcastOp::create(s.builder, s.builder.getF32Type(), pattern);
}

static Value decodeFloat(ScalarBody &s, Value element, const FloatFormat &format) {
  constexpr int mantissa = 23, bias = 127;
  Bits bits{s, s.builder.getI32Type()};
  Type real = s.builder.getF32Type();
  Value code = bits.andWith(arith::ExtUIOp::create(s.builder, bits.type, element), 2 * format.sign() - 1);
  Value magnitude = bits.andWith(code, format.sign() - 1);
  Value shifted = bits.shiftLeft(magnitude, mantissa - format.mantissa);
  Value normal = arith::BitcastOp::create(s.builder, real, bits.add(shifted, uint64_t(bias - format.bias) << mantissa));
  Value unit = s.constant(std::ldexp(1.0, 1 - format.bias - format.mantissa), real);
  Value subnormal = s.mul(arith::UIToFPOp::create(s.builder, real, magnitude), unit);
  Value isNormal = bits.above(magnitude, (uint64_t(1) << format.mantissa) - 1);
  Value value = s.select(isNormal, normal, subnormal);
  Value nan =
      arith::ConstantOp::create(s.builder, s.builder.getFloatAttr(real, APFloat::getNaN(APFloat::IEEEsingle())));
  if (format.isUnsignedZero()) {
    value = s.select(bits.above(code, format.sign()), s.neg(value), value);
    return s.select(bits.equal(code, format.nan), nan, value);
  }
  // Codes above the largest value are infinity, where there is one, then NaN.
  if (format.hasInfinity)
    value = s.select(bits.equal(magnitude, format.largest + 1), s.highest(real), value);
  if (format.hasNan)
    value = s.select(bits.above(magnitude, format.largest + format.hasInfinity), nan, value);
  return s.select(bits.above(code, format.sign() - 1), s.neg(value), value);
}

Value moec::decodeNarrow(ScalarBody &s, Value element, Type type) {
  if (type.isInteger())
    return lowBitsAsNarrow(s, element, type);
  if (isa<Float8E8M0FNUType>(type))
    return decodePower(s, element);
  return decodeFloat(s, element, FloatFormat(cast<FloatType>(type).getFloatSemantics()));
}

//===----------------------------------------------------------------------===//
// Encoding
//===----------------------------------------------------------------------===//

// The exponent of the power of two at or next to |value|, an f32. Of the values below the least, 2^-127, all become it
// or, without saturation, NaN.
static Value encodePower(ScalarBody &s, Value value, NarrowRounding rounding) {
  constexpr uint64_t infinity = 0x7f800000, least = 0x00400000, largest = 254, nan = 255;
  Bits bits{s, s.builder.getI32Type()};
  Value magnitude = bits.andWith(arith::BitcastOp::create(s.builder, bits.type, value), 0x7fffffff);
  // In the binade of the subnormals [2^-127, 2^-126) the fraction's first bit is the leading one.
  Value isSubnormal = bits.compare(arith::CmpIPredicate::ult, magnitude, 2 * least);
  Value exponent = bits.shiftRight(magnitude, 23);
  Value half = bits.select(isSubnormal, least + least / 2, s.add(bits.shiftLeft(exponent, 23), bits.constant(least)));
  Value exact = bits.select(isSubnormal, least, bits.shiftLeft(exponent, 23));
  Value code = exponent;
  if (rounding.power != PowerRounding::Down) {
    bool isUp = rounding.power == PowerRounding::Up;
    Value roundsUp = arith::CmpIOp::create(s.builder, isUp ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::uge,
                                           magnitude, isUp ? exact : half);
    code = s.select(roundsUp, bits.add(exponent, 1), exponent);
  }
  if (!rounding.saturates)
    code = bits.select(bits.compare(arith::CmpIPredicate::ult, magnitude, least), nan, code);
  code = bits.select(bits.above(code, largest), rounding.saturates ? largest : nan, code);
  code = bits.select(bits.above(magnitude, infinity), nan, code);
  return arith::TruncIOp::create(s.builder, s.builder.getI8Type(), code);
}

// `value` is f32 or f64. Rounding the bits of a normal result carries into its exponent by itself; a subnormal result
// is a count of units.
static Value encodeFloat(ScalarBody &s, Value value, const FloatFormat &format, bool saturates) {
  Type real = value.getType();
  FloatFormat source(cast<FloatType>(real).getFloatSemantics());
  Bits bits{s, s.builder.getIntegerType(source.width)};
  Value pattern = arith::BitcastOp::create(s.builder, bits.type, value);
  Value magnitudeBits = bits.andWith(pattern, source.sign() - 1), magnitude = s.abs(value);

  Value isSubnormal = s.less(magnitude, s.constant(std::ldexp(1.0, 1 - format.bias), real));
  Value unitsPerOne = s.constant(std::ldexp(1.0, format.bias - 1 + format.mantissa), real);
  Value units = s.mul(s.select(isSubnormal, magnitude, s.constant(0, real)), unitsPerOne);
  Value subnormal =
      arith::FPToUIOp::create(s.builder, bits.type, math::RoundEvenOp::create(s.builder, units).getResult());

  int dropped = source.mantissa - format.mantissa;
  Value isOdd = bits.andWith(bits.shiftRight(magnitudeBits, dropped), 1);
  Value rounded = s.add(bits.add(magnitudeBits, (uint64_t(1) << (dropped - 1)) - 1), isOdd);
  Value normal = bits.sub(bits.shiftRight(rounded, dropped), uint64_t(source.bias - format.bias) << format.mantissa);

  Value code = s.select(isSubnormal, subnormal, normal);
  Value isTooLarge = bits.above(code, format.largest), becomesNan = isNan(s, value);
  uint64_t limit = saturates || !format.hasNan ? format.largest : format.hasInfinity ? format.largest + 1 : format.nan;
  code = bits.select(isTooLarge, limit, code);
  if (limit == format.nan)
    becomesNan = arith::OrIOp::create(s.builder, becomesNan, isTooLarge);
  if (format.hasNan)
    code = bits.select(becomesNan, format.nan, code);
  Value sign = bits.shiftLeft(bits.shiftRight(pattern, source.width - 1), format.width - 1);
  Value result = arith::OrIOp::create(s.builder, code, sign);
  if (format.isUnsignedZero())
    result = s.select(arith::OrIOp::create(s.builder, becomesNan, bits.equal(code, 0)), code, result);
  if (!format.hasNan)
    result = bits.select(becomesNan, format.sign(), result);
  return arith::TruncIOp::create(s.builder, s.builder.getI8Type(), result);
}

Value moec::encodeNarrow(ScalarBody &s, Value value, bool fromUnsigned, Type type, NarrowRounding rounding) {
  if (type.isInteger()) {
    if (isa<FloatType>(value.getType()))
      value = s.convert(value, s.builder.getI32Type(), false, false);
    Value byte = s.convert(value, s.builder.getI8Type(), fromUnsigned, type.isUnsignedInteger());
    return lowBitsAsNarrow(s, byte, type);
  }
  // Integers that f32 does not hold are larger than all narrow floats.
  if (!isa<FloatType>(value.getType()))
    value = s.convert(value, s.builder.getF32Type(), fromUnsigned, false);
  if (isa<Float8E8M0FNUType>(type))
    return encodePower(s, value, rounding);
  return encodeFloat(s, value, FloatFormat(cast<FloatType>(type).getFloatSemantics()), rounding.saturates);
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

DenseElementsAttr moec::storedNarrowElements(DenseElementsAttr elements) {
  Type type = elements.getElementType();
  auto stored = elements.getType().clone(IntegerType::get(type.getContext(), 8));
  SmallVector<APInt> bytes;
  if (isa<FloatType>(type))
    for (const APFloat &value : elements.getValues<APFloat>())
      bytes.push_back(value.bitcastToAPInt().zext(8));
  else
    for (const APInt &value : elements.getValues<APInt>())
      bytes.push_back(type.isUnsignedInteger() ? value.zext(8) : value.sext(8));
  return DenseElementsAttr::get(stored, bytes);
}
