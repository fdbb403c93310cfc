//===- QuantizationRows.cpp - linear quantisation of tensors ------------------===//
//
// Scales and zero points are one for the tensor, one for each index of an axis, or one for each block along it.
//
//===----------------------------------------------------------------------===//

#include "Rows.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace moec;

using Extents = Binder::Extents;

/// Quantised types are whole bytes here; narrower ones and 8-bit floats are kept in weights alone.
static LogicalResult requireIntegers(Binder &b, Type element) {
  if (auto integer = dyn_cast<IntegerType>(element); integer && integer.getWidth() >= 8 && integer.getWidth() <= 32)
    return success();
  return b.error() << "quantised elements of type " << element << " are not supported";
}

/// Input `i`, a scale or zero point, in a shape that broadcasts with input 0.
static FailureOr<Value> alignParameter(Binder &b, unsigned i) {
  int64_t rank = b.rank(0), blockSize = b.integer("block_size", 0);
  Value parameter = b.input(i);
  if (b.rank(i) == 0 || (b.rank(i) == 1 && b.type(i).getDimSize(0) == 1 && rank != 1 && blockSize == 0))
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

// round(x / scale) + zero point, saturated.
static LogicalResult lowerQuantize(Binder &b) {
  Type target = b.resultElement(0);
  if (failed(requireIntegers(b, target)))
    return failure();
  FailureOr<SmallVector<Value>> operands = bindOperands(b);
  if (failed(operands))
    return failure();
  bool toUnsigned = b.isResultUnsigned(0);
  return b.result(b.emit.elementwise(*operands, target, false, [&](ScalarBody &s, ValueRange v) {
    Value x = s.convert(v[0], v[1].getType(), false, false);
    Value rounded = math::RoundEvenOp::create(s.builder, s.div(x, v[1]));
    if (v.size() == 3)
      rounded = s.add(rounded, s.convert(v[2], rounded.getType(), toUnsigned, false));
    return s.convert(rounded, target, false, toUnsigned);
  }));
}

// (x - zero point) * scale
static LogicalResult lowerDequantize(Binder &b) {
  if (failed(requireIntegers(b, b.element(0))))
    return failure();
  FailureOr<SmallVector<Value>> operands = bindOperands(b);
  if (failed(operands) || (b.has(2) && failed(b.sameElements({0, 2}))))
    return failure();
  bool isUnsigned = b.isUnsigned(0);
  return b.result(b.emit.elementwise(*operands, b.resultElement(0), false, [&](ScalarBody &s, ValueRange v) {
    Type integer = s.builder.getI64Type();
    Value x = s.convert(v[0], integer, isUnsigned, false);
    if (v.size() == 3)
      x = s.sub(x, s.convert(v[2], integer, isUnsigned, false));
    Value product = s.mul(s.convert(x, v[1].getType(), false, false), v[1]);
    return s.convert(product, computeType(b.resultElement(0)), false, false);
  }));
}

ArrayRef<Row> moec::quantizationRows() {
  static const Row rows[] = {
      {"DequantizeLinear", 10, 28, 2, lowerDequantize},
      {"QuantizeLinear", 10, 28, 2, lowerQuantize},
  };
  return rows;
}
