//===- DoubleEmitter.cpp - arithmetic on f64 for expansions of functions ----===//

#include "DoubleEmitter.h"

using namespace mlir;
using namespace moec;

/// Adding it leaves the nearest integer in the lowest bits of the sum.
static constexpr double roundingShift = 0x1.8p52;

DoubleEmitter::DoubleEmitter(OpBuilder &builder, Location loc, Type type) : builder(builder), loc(loc), type(type) {
  integerType = builder.getI64Type();
  if (auto vector = dyn_cast<VectorType>(type))
    integerType = vector.clone(integerType);
}

Value DoubleEmitter::constant(Type ofType, TypedAttr element) {
  if (auto vector = dyn_cast<VectorType>(ofType))
    element = DenseElementsAttr::get(vector, Attribute(element));
  return make<arith::ConstantOp>(element);
}

Value DoubleEmitter::real(double value) { return constant(type, builder.getF64FloatAttr(value)); }

Value DoubleEmitter::integer(int64_t value) { return constant(integerType, builder.getI64IntegerAttr(value)); }

Value DoubleEmitter::inverted(Value condition) {
  TypedAttr truth = builder.getBoolAttr(true);
  return make<arith::XOrIOp>(condition, constant(condition.getType(), truth));
}

Value DoubleEmitter::isNonZero(Value bits) { return make<arith::CmpIOp>(arith::CmpIPredicate::ne, bits, integer(0)); }

Value DoubleEmitter::polynomial(Value x, ArrayRef<double> coefficients) {
  Value sum = real(coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    sum = fma(sum, x, real(coefficient));
  return sum;
}

Value DoubleEmitter::powerOfTwo(Value exponent) {
  constexpr int64_t bias = 1023;
  return toReal(shiftLeft(addBits(exponent, integer(bias)), 52));
}

std::pair<Value, Value> DoubleEmitter::nearestMultiple(Value x, double inverseOfUnit) {
  Value shifted = fma(x, real(inverseOfUnit), real(roundingShift));
  return {sub(shifted, roundingShift), subBits(toBits(shifted), toBits(real(roundingShift)))};
}

Value DoubleEmitter::toFloat(Value integer) {
  return sub(toReal(addBits(integer, toBits(real(roundingShift)))), roundingShift);
}

std::pair<Value, Value> DoubleEmitter::exactProduct(Value a, Value b) {
  Value high = mul(a, b);
  return {high, fma(a, b, neg(high))};
}
