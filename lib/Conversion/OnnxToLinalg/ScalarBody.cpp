//===- ScalarBody.cpp - arithmetic on elements inside linalg bodies -----------===//

#include "ScalarBody.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace moec;

Type moec::computeType(Type storage) {
  return storage.isF16() || storage.isBF16() ? Float32Type::get(storage.getContext()) : storage;
}

Value ScalarBody::constant(double value, Type type) {
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(builder, builder.getFloatAttr(type, value));
  if (type.isIndex())
    return arith::ConstantIndexOp::create(builder, static_cast<int64_t>(value));
  return arith::ConstantOp::create(builder, builder.getIntegerAttr(type, static_cast<int64_t>(value)));
}

Value ScalarBody::lowest(Type type) {
  if (auto floatType = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(
        builder, builder.getFloatAttr(type, APFloat::getInf(floatType.getFloatSemantics(), /*Negative=*/true)));
  unsigned width = type.getIntOrFloatBitWidth();
  APInt value = isUnsigned || width == 1 ? APInt::getZero(width) : APInt::getSignedMinValue(width);
  return arith::ConstantOp::create(builder, builder.getIntegerAttr(type, value));
}

Value ScalarBody::highest(Type type) {
  if (auto floatType = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(builder,
                                     builder.getFloatAttr(type, APFloat::getInf(floatType.getFloatSemantics())));
  unsigned width = type.getIntOrFloatBitWidth();
  APInt value = isUnsigned || width == 1 ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width);
  return arith::ConstantOp::create(builder, builder.getIntegerAttr(type, value));
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

static bool isFloat(Value value) { return isa<FloatType>(value.getType()); }

Value ScalarBody::add(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::AddFOp::create(builder, lhs, rhs);
  return arith::AddIOp::create(builder, lhs, rhs);
}

Value ScalarBody::sub(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::SubFOp::create(builder, lhs, rhs);
  return arith::SubIOp::create(builder, lhs, rhs);
}

Value ScalarBody::mul(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::MulFOp::create(builder, lhs, rhs);
  return arith::MulIOp::create(builder, lhs, rhs);
}

Value ScalarBody::div(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::DivFOp::create(builder, lhs, rhs);
  Type type = lhs.getType();
  Value zero = constant(0, type), one = constant(1, type);
  Value safe = select(equal(rhs, zero), one, rhs);
  if (isUnsigned)
    return arith::DivUIOp::create(builder, lhs, safe);
  // The least value divided by -1 overflows; negation wraps instead.
  Value negates = equal(rhs, constant(-1, type));
  Value quotient = arith::DivSIOp::create(builder, lhs, select(negates, one, safe));
  return select(negates, sub(zero, lhs), quotient);
}

// Exact, without a call into a C library: in f64 a quotient below 2^28 is off by one at most, which is put right, and
// its product with an f32 is exact. Ten such steps cover the quotients of all f32.
Value ScalarBody::floatRem(Value lhs, Value rhs) {
  Type source = lhs.getType(), wide = builder.getF64Type();
  Value dividend = abs(arith::ExtFOp::create(builder, wide, lhs)),
        divisor = abs(arith::ExtFOp::create(builder, wide, rhs));
  Value zero = constant(0, wide), rest = dividend;
  for (int step = 9; step >= 0; --step) {
    Value unit = mul(divisor, constant(std::ldexp(1.0, 28 * step), wide));
    Value quotient = math::TruncOp::create(builder, div(rest, unit));
    rest = sub(rest, mul(quotient, unit));
    rest = select(less(rest, zero), add(rest, unit), rest);
    rest = select(lessEqual(unit, rest), sub(rest, unit), rest);
  }
  // A divisor of infinity leaves the dividend.
  rest = select(less(dividend, divisor), dividend, rest);
  Value narrow = arith::TruncFOp::create(builder, source, rest);
  return select(less(lhs, constant(0, source)), neg(narrow), narrow);
}

// Exact like floatRem: 81 quotients of 26 bits cover those of all f64. A quotient times either half of its divisor is
// exact, and so are the differences, the first one because its terms are within a factor of two of each other.
Value ScalarBody::doubleRem(Value lhs, Value rhs) {
  Type type = lhs.getType(), bits = builder.getI64Type();
  auto real = [&](double value) { return constant(value, type); };
  Value highBits = arith::ConstantIntOp::create(builder, bits, -(int64_t(1) << 27));
  Value zero = real(0), dividend = abs(lhs), divisor = abs(rhs), rest = dividend;
  Value infinity = real(std::numeric_limits<double>::infinity());
  for (int step = 80; step >= 0; --step) {
    int exponent = 26 * step, first = std::min(exponent, 1000);
    Value unit = mul(divisor, real(std::ldexp(1.0, first)));
    for (int left = exponent - first; left > 0; left -= 1000)
      unit = mul(unit, real(std::ldexp(1.0, std::min(left, 1000))));
    Value isBeyond = equal(unit, infinity);
    unit = select(isBeyond, zero, unit);
    Value quotient = select(isBeyond, zero, math::TruncOp::create(builder, div(rest, unit)));
    Value top = arith::AndIOp::create(builder, arith::BitcastOp::create(builder, bits, unit), highBits);
    Value high = arith::BitcastOp::create(builder, type, top), isSingle = equal(quotient, real(1));
    rest = sub(rest, select(isSingle, unit, mul(quotient, high)));
    rest = sub(rest, select(isSingle, zero, mul(quotient, sub(unit, high))));
    rest = select(less(rest, zero), add(rest, unit), rest);
    rest = select(lessEqual(unit, rest), sub(rest, unit), rest);
  }
  // A divisor of infinity leaves the dividend; of infinity nothing is left.
  rest = select(less(dividend, divisor), dividend, rest);
  rest = select(equal(dividend, infinity), sub(infinity, infinity), rest);
  return select(less(lhs, zero), neg(rest), rest);
}

Value ScalarBody::rem(Value lhs, Value rhs) {
  if (lhs.getType().isF64())
    return doubleRem(lhs, rhs);
  if (isFloat(lhs))
    return floatRem(lhs, rhs);
  Type type = lhs.getType();
  Value zero = constant(0, type), one = constant(1, type);
  Value trivial = equal(rhs, zero);
  if (isUnsigned)
    return select(trivial, zero, arith::RemUIOp::create(builder, lhs, select(trivial, one, rhs)));
  trivial = arith::OrIOp::create(builder, trivial, equal(rhs, constant(-1, type)));
  return select(trivial, zero, arith::RemSIOp::create(builder, lhs, select(trivial, one, rhs)));
}

Value ScalarBody::min(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::MinimumFOp::create(builder, lhs, rhs);
  if (isUnsigned || lhs.getType().isInteger(1))
    return arith::MinUIOp::create(builder, lhs, rhs);
  return arith::MinSIOp::create(builder, lhs, rhs);
}

Value ScalarBody::max(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::MaximumFOp::create(builder, lhs, rhs);
  if (isUnsigned || lhs.getType().isInteger(1))
    return arith::MaxUIOp::create(builder, lhs, rhs);
  return arith::MaxSIOp::create(builder, lhs, rhs);
}

Value ScalarBody::neg(Value value) {
  if (isFloat(value))
    return arith::NegFOp::create(builder, value);
  return sub(constant(0, value.getType()), value);
}

Value ScalarBody::abs(Value value) {
  if (isFloat(value))
    return math::AbsFOp::create(builder, value);
  return isUnsigned ? value : max(value, neg(value));
}

Value ScalarBody::exp(Value value) { return math::ExpOp::create(builder, value); }

Value ScalarBody::log(Value value) { return math::LogOp::create(builder, value); }

Value ScalarBody::sqrt(Value value) { return math::SqrtOp::create(builder, value); }

Value ScalarBody::logistic(Value value) {
  Value one = constant(1, value.getType());
  return div(one, add(one, exp(neg(value))));
}

Value ScalarBody::less(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::CmpFOp::create(builder, arith::CmpFPredicate::OLT, lhs, rhs);
  bool comparesUnsigned = isUnsigned || lhs.getType().isInteger(1);
  return arith::CmpIOp::create(builder, comparesUnsigned ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt, lhs,
                               rhs);
}

Value ScalarBody::lessEqual(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::CmpFOp::create(builder, arith::CmpFPredicate::OLE, lhs, rhs);
  bool comparesUnsigned = isUnsigned || lhs.getType().isInteger(1);
  return arith::CmpIOp::create(builder, comparesUnsigned ? arith::CmpIPredicate::ule : arith::CmpIPredicate::sle, lhs,
                               rhs);
}

Value ScalarBody::equal(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return arith::CmpFOp::create(builder, arith::CmpFPredicate::OEQ, lhs, rhs);
  return arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, lhs, rhs);
}

Value ScalarBody::select(Value condition, Value lhs, Value rhs) {
  return arith::SelectOp::create(builder, condition, lhs, rhs);
}

//===----------------------------------------------------------------------===//
// Conversion
//===----------------------------------------------------------------------===//

Value ScalarBody::widen(Value value) {
  Type type = computeType(value.getType());
  return type == value.getType() ? value : arith::ExtFOp::create(builder, type, value);
}

Value ScalarBody::narrow(Value value, Type storage) {
  if (value.getType() == storage || !isFloat(value))
    return value;
  return arith::TruncFOp::create(builder, storage, value);
}

Value ScalarBody::floatToInteger(Value value, IntegerType type, bool toUnsigned) {
  unsigned width = type.getWidth();
  double upperBound = std::ldexp(1.0, toUnsigned ? width : width - 1);
  double lowerBound = toUnsigned ? -1.0 : -upperBound;
  Type source = value.getType();
  Value upper = constant(upperBound, source), lower = constant(lowerBound, source);
  Value belowUpper = less(value, upper);
  Value aboveLower = toUnsigned ? less(lower, value) : lessEqual(lower, value);
  Value inside = arith::AndIOp::create(builder, belowUpper, aboveLower);
  // Outside the range, and for NaN, the conversion is poison and must see something else.
  if (!toUnsigned && width >= 32)
    return arith::FPToSIOp::create(builder, type, select(inside, value, lower));
  Value safe = select(inside, value, constant(0, source)), converted;
  if (toUnsigned)
    converted = arith::FPToUIOp::create(builder, type, safe);
  else
    converted = arith::FPToSIOp::create(builder, type, safe);
  ScalarBody target{builder, toUnsigned};
  Value clipped = target.select(target.lessEqual(upper, value), target.highest(type), converted);
  Value tooLow = toUnsigned ? target.lessEqual(value, lower) : target.less(value, lower);
  return target.select(tooLow, target.lowest(type), clipped);
}

Value ScalarBody::convert(Value value, Type type, bool fromUnsigned, bool toUnsigned) {
  Type source = value.getType();
  if (source == type)
    return value;
  if (type.isInteger(1)) {
    Value zero = constant(0, source);
    if (isFloat(value))
      return arith::CmpFOp::create(builder, arith::CmpFPredicate::UNE, value, zero);
    return arith::CmpIOp::create(builder, arith::CmpIPredicate::ne, value, zero);
  }
  bool zeroExtends = fromUnsigned || source.isInteger(1);
  if (isFloat(value)) {
    if (auto integer = dyn_cast<IntegerType>(type))
      return floatToInteger(value, integer, toUnsigned);
    if (source.getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
      return arith::ExtFOp::create(builder, type, value);
    return arith::TruncFOp::create(builder, type, value);
  }
  if (isa<FloatType>(type)) {
    if (zeroExtends)
      return arith::UIToFPOp::create(builder, type, value);
    return arith::SIToFPOp::create(builder, type, value);
  }
  if (source.getIntOrFloatBitWidth() > type.getIntOrFloatBitWidth())
    return arith::TruncIOp::create(builder, type, value);
  if (zeroExtends)
    return arith::ExtUIOp::create(builder, type, value);
  return arith::ExtSIOp::create(builder, type, value);
}
