//===- QuantizationRows.cpp - linear quantisation of tensors ------------------===//
//
// Scales and zero points are one for the tensor, one for each index of an axis, or one for each block along it.
//
//===----------------------------------------------------------------------===//

#include "NarrowElements.h"
#include "Rows.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace moec;

using Extents = Binder::Extents;

static LogicalResult requireQuantized(Binder &b, Type element) {
  auto integer = dyn_cast<IntegerType>(element);
  bool isPower = isa<Float8E8M0FNUType>(element);
  if (integer ? integer.getWidth() >= 2 && integer.getWidth() <= 32 : isNarrow(element) && !isPower)
    return success();
  return b.error() << "quantised elements of type " << element << " are not supported";
}

/// Input `i`, a scale or zero point, in a shape that broadcasts with input 0.
static FailureOr<Value> alignParameter(Binder &b, unsigned i) {
  int64_t rank = b.rank(0), blockSize = b.integer("block_size", 0);
  Value parameter = b.input(i);
  if (b.rank(i) == 0 || (b.rank(i) == 1 && b.type(i).getDimSize(0) == 1 && blockSize == 0))
    return b.emit.reshape(parameter, {});
  FailureOr<int64_t> axis = b.axis(1, rank);
  if (failed(axis))
    return failure();
  if (b.rank(i) == 1 && blockSize == 0)
    return b.emit.insertAxes(parameter, llvm::to_vector(llvm::seq<int64_t>(1, rank - *axis)));
  if (b.rank(i) != rank || blockSize < 1)
    return b.error() << "input " << i << ": expected one value, one per index of axis " << *axis
                     << " or one per block, found " << b.type(i);
  Extents extents = b.emit.extents(parameter);
  Value whole = b.emit.extent(b.input(0), *axis), block = b.index.constant(blockSize);
  if (failed(b.emit.unify(extents[*axis], b.index.ceilDiv(whole, block), "blocks of input " + Twine(i))))
    return failure();
  extents[*axis] = whole;
  return b.emit.generate(extents, b.element(i), [&](ScalarBody &s, ValueRange indices) {
    SmallVector<Value> at(indices);
    at[*axis] = s.div(at[*axis], s.constant(blockSize, at[*axis].getType()));
    return s.widen(tensor::ExtractOp::create(s.builder, parameter, at));
  });
}

/// x, its scale and, where it is given, its zero point.
static FailureOr<SmallVector<Value>> bindOperands(Binder &b) {
  SmallVector<Value> operands = {b.input(0)};
  for (unsigned i = 1; i <= 2; ++i) {
    if (!b.has(i))
      continue;
    FailureOr<Value> parameter = alignParameter(b, i);
    if (failed(parameter))
      return failure();
    operands.push_back(*parameter);
  }
  return operands;
}

/// The type that x is divided by its scale in: that of the scale unless the model says another.
static FailureOr<Type> bindPrecision(Binder &b) {
  Builder &types = b.emit.builder;
  switch (int64_t precision = b.integer("precision", 0)) {
  case 0:
    return b.element(1);
  case 1:
    return Type(types.getF32Type());
  case 10:
    return Type(types.getF16Type());
  case 11:
    return Type(types.getF64Type());
  case 16:
    return Type(types.getBF16Type());
  default:
    return b.error() << "attribute precision: expected a type of floats, found " << precision;
  }
}

/// x of narrow type decoded; the others as they are.
static Value decoded(ScalarBody &s, Value x, Type declared) {
  return isNarrow(declared) ? decodeNarrow(s, x, declared) : x;
}

/// A whole float as an integer, saturated.
static Value saturated(ScalarBody &s, Value whole, Type declared, Type stored) {
  bool isUnsigned = declared.isUnsignedInteger();
  if (isNarrow(declared)) {
    unsigned width = declared.getIntOrFloatBitWidth();
    double least = isUnsigned ? 0 : -std::ldexp(1, width - 1), largest = std::ldexp(1, width - !isUnsigned) - 1;
    whole = s.max(s.min(whole, s.constant(largest, whole.getType())), s.constant(least, whole.getType()));
  }
  return s.convert(whole, stored, false, isUnsigned);
}

// Integers: round(x / scale) + zero point, saturated. Floats: x / scale + zero point, rounded.
static LogicalResult lowerQuantize(Binder &b) {
  Type target = b.declaredResultElement(0), stored = b.resultElement(0);
  FailureOr<Type> precision = bindPrecision(b);
  if (failed(precision) || failed(requireQuantized(b, target)))
    return failure();
  FailureOr<SmallVector<Value>> operands = bindOperands(b);
  if (failed(operands))
    return failure();
  NarrowRounding rounding;
  rounding.saturates = b.integer("saturate", 1) != 0;
  Type wide = computeType(*precision);
  return b.result(b.emit.elementwise(*operands, stored, false, [&](ScalarBody &s, ValueRange v) {
    Value quotient = s.div(s.convert(v[0], wide, false, false), s.convert(v[1], wide, false, false));
    quotient = s.widen(s.narrow(quotient, *precision));
    Value zeroPoint;
    if (v.size() == 3)
      zeroPoint = s.convert(decoded(s, v[2], target), wide, target.isUnsignedInteger(), false);
    if (isa<FloatType>(target))
      return encodeNarrow(s, zeroPoint ? s.add(quotient, zeroPoint) : quotient, false, target, rounding);
    Value rounded = math::RoundEvenOp::create(s.builder, quotient);
    return saturated(s, zeroPoint ? s.add(rounded, zeroPoint) : rounded, target, stored);
  }));
}

// (x - zero point) * scale
static LogicalResult lowerDequantize(Binder &b) {
  Type declared = b.declaredElement(0);
  if (failed(requireQuantized(b, declared)))
    return failure();
  FailureOr<SmallVector<Value>> operands = bindOperands(b);
  if (failed(operands) || (b.has(2) && failed(b.sameElements({0, 2}))))
    return failure();
  bool isUnsigned = b.isUnsigned(0);
  return b.result(b.emit.elementwise(*operands, b.resultElement(0), false, [&](ScalarBody &s, ValueRange v) {
    auto value = [&](Value element) {
      Value number = decoded(s, element, declared);
      return isa<FloatType>(declared) ? number : s.convert(number, s.builder.getI64Type(), isUnsigned, false);
    };
    Value x = v.size() == 3 ? s.sub(value(v[0]), value(v[2])) : value(v[0]);
    Value product = s.mul(s.convert(x, v[1].getType(), false, false), v[1]);
    return s.convert(product, computeType(b.resultElement(0)), false, false);
  }));
}

ArrayRef<Row> moec::quantizationRows() {
  static const Row rows[] = {
      {"DequantizeLinear", 10, 28, 2, lowerDequantize, "", true},
      {"QuantizeLinear", 10, 28, 2, lowerQuantize, "", true},
  };
  return rows;
}
