//===- QuantizationRows.cpp - linear quantisation of tensors ------------------===//
//
// Scales and zero points are one for the tensor, one for each index of an axis, or one for each block along it.
//
//===----------------------------------------------------------------------===//

#include "NarrowElements.h"
#include "Rows.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Moe/Moe.h"

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

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

namespace {

/// A tensor of the model that is dequantised when the file is written, or stays as it is where a product takes it.
struct QuantizedWeight {
  Binder &b;
  IntegerType integer;
  /// The axis whose indices, or blocks of indices, have a scale each.
  int64_t axis, block;
  /// One scale for all.
  bool isSingle;

  Value dequantize();

private:
  /// The axes with the one that is summed up by a product last, where that is known.
  SmallVector<int64_t> order();
  Value matrix(Value tensor, int64_t rows);
  Value scales(int64_t rows);
  Value zeroPoints(int64_t rows);
  Value splat(DenseElementsAttr elements, int64_t rows);
};

} // namespace

/// The DequantizeLinear if it is one of a weight of 2, 4 or 8 bits whose parameters have the extents they should have.
static std::optional<QuantizedWeight> matchWeight(Binder &b) {
  for (unsigned i = 0; i <= 2; ++i)
    if (b.has(i) && !b.isWeight(i))
      return std::nullopt;
  auto isReal = [](Type type) { return type.isF32() || type.isF16() || type.isBF16(); };
  auto integer = dyn_cast<IntegerType>(b.declaredElement(0));
  if (!integer || integer.getWidth() > 8 || b.rank(0) == 0 || b.type(0).getNumElements() == 0 ||
      !isReal(b.element(1)) || !isReal(b.resultElement(0)) ||
      (b.has(2) && b.type(2).getShape() != b.type(1).getShape()))
    return std::nullopt;
  int64_t rank = b.rank(0), block = b.integer("block_size", 0), axis = b.integer("axis", 1);
  axis += axis < 0 ? rank : 0;
  bool isSingle = block == 0 && b.type(1).getNumElements() == 1 && b.rank(1) <= 1;
  if (isSingle) {
    // Products take weights with their outputs last.
    if (b.constantElements(1) && (!b.has(2) || b.constantElements(2)))
      return QuantizedWeight{b, integer, rank - 1, 0, true};
    return std::nullopt;
  }
  if (axis < 0 || axis >= rank || block < 0)
    return std::nullopt;
  SmallVector<int64_t> expected = {b.type(0).getDimSize(axis)};
  if (block > 0) {
    expected = llvm::to_vector(b.type(0).getShape());
    expected[axis] = llvm::divideCeil(expected[axis], block);
  }
  if (b.type(1).getShape() != ArrayRef(expected))
    return std::nullopt;
  return QuantizedWeight{b, integer, axis, block, false};
}

SmallVector<int64_t> QuantizedWeight::order() {
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, b.rank(0)));
  auto moved = axes.begin() + axis;
  if (block > 0)
    std::rotate(moved, moved + 1, axes.end());
  else
    std::rotate(axes.begin(), moved, moved + 1);
  return axes;
}

Value QuantizedWeight::matrix(Value tensor, int64_t rows) {
  int64_t count = cast<RankedTensorType>(tensor.getType()).getNumElements();
  return b.emit.reshape(tensor, {b.index.constant(rows), b.index.constant(count / rows)});
}

Value QuantizedWeight::splat(DenseElementsAttr elements, int64_t rows) {
  auto type = RankedTensorType::get({rows}, elements.getElementType());
  return b.emit.constant(DenseElementsAttr::get(type, elements.getValues<Attribute>()[0]));
}

Value QuantizedWeight::scales(int64_t rows) {
  if (isSingle)
    return splat(b.constantElements(1), rows);
  return block > 0 ? matrix(b.emit.transpose(b.input(1), order()), rows) : b.input(1);
}

Value QuantizedWeight::zeroPoints(int64_t rows) {
  if (!b.has(2) && !integer.isUnsigned())
    return {};
  Value points;
  if (!b.has(2))
    points = b.emit.splat(0, cast<RankedTensorType>(scales(rows).getType()).getShape(), b.emit.builder.getI8Type());
  else if (isSingle)
    points = splat(b.constantElements(2), rows);
  else
    points = block > 0 ? matrix(b.emit.transpose(b.input(2), order()), rows) : b.input(2);
  return integer.isUnsigned() ? points
                              : moe::OffsetValuesOp::create(b.emit.builder, points, integer.getWidth()).getResult();
}

Value QuantizedWeight::dequantize() {
  SmallVector<int64_t> axes = order();
  Value values = b.emit.transpose(b.input(0), axes);
  Extents extents = b.emit.extents(values);
  ArrayRef<int64_t> shape = cast<RankedTensorType>(values.getType()).getShape();
  int64_t count = b.type(0).getNumElements(), rows = block > 0 ? count / shape.back() : shape.front();
  values = matrix(values, rows);
  if (!integer.isUnsigned())
    values = moe::OffsetValuesOp::create(b.emit.builder, values, integer.getWidth());
  auto type = RankedTensorType::get({rows, count / rows}, b.resultElement(0));
  Value reals = moe::DequantizeOp::create(b.emit.builder, type, values, scales(rows), zeroPoints(rows),
                                          integer.getWidth(), block);
  SmallVector<int64_t> back(axes.size());
  for (auto [place, from] : llvm::enumerate(axes))
    back[from] = place;
  return b.emit.transpose(b.emit.reshape(reals, extents), back);
}

//===----------------------------------------------------------------------===//
// Dequantisation
//===----------------------------------------------------------------------===//

// (x - zero point) * scale
static LogicalResult lowerDequantize(Binder &b) {
  Type declared = b.declaredElement(0);
  if (failed(requireQuantized(b, declared)))
    return failure();
  if (std::optional<QuantizedWeight> weight = matchWeight(b))
    return b.result(0, weight->dequantize());
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

//===----------------------------------------------------------------------===//
// Rows of a quantised table
//===----------------------------------------------------------------------===//

namespace {

/// The table of a GatherBlockQuantized. Bytes hold several values, along the last axis, the first in the lowest bits.
struct QuantizedTable {
  Type declared;
  int64_t gatherAxis, quantizeAxis, block, bits, perByte;

  bool isFloat() const { return isa<FloatType>(declared); }
  /// Value `last` of the last axis, of those at `place`, as f32.
  Value read(ScalarBody &s, Value tensor, SmallVector<Value> place) const {
    if (!declared.isUnsignedInteger(8))
      return s.convert(decodeNarrow(s, tensor::ExtractOp::create(s.builder, tensor, place), declared),
                       s.builder.getF32Type(), declared.isUnsignedInteger(), false);
    Value last = place.back(), count = s.constant(perByte, last.getType());
    place.back() = arith::DivUIOp::create(s.builder, last, count);
    Value byte = tensor::ExtractOp::create(s.builder, tensor, place);
    Value shift = s.mul(arith::RemUIOp::create(s.builder, last, count), s.constant(bits, last.getType()));
    shift = arith::IndexCastOp::create(s.builder, byte.getType(), shift);
    Value mask = s.constant((1 << bits) - 1, byte.getType());
    Value value = arith::AndIOp::create(s.builder, arith::ShRUIOp::create(s.builder, byte, shift), mask);
    return s.convert(value, s.builder.getF32Type(), /*fromUnsigned=*/true, false);
  }
};

} // namespace

static FailureOr<QuantizedTable> bindTable(Binder &b) {
  int64_t rank = b.rank(0);
  FailureOr<int64_t> gatherAxis = b.normalizeAxis(b.integer("gather_axis", 0), rank);
  FailureOr<int64_t> quantizeAxis = b.normalizeAxis(b.integer("quantize_axis", 1), rank);
  if (failed(gatherAxis) || failed(quantizeAxis))
    return failure();
  Type declared = b.declaredElement(0);
  bool isBytes = declared.isUnsignedInteger(8), isFloat = isa<FloatType>(declared);
  if (!isBytes && (!isNarrow(declared) || isa<Float8E8M0FNUType>(declared)))
    return b.error() << "quantised elements of type " << declared << " are not supported";
  int64_t bits = b.integer("bits", 4), block = b.integer("block_size", 128);
  if (bits != 2 && bits != 4 && bits != 8)
    return b.error() << "attribute bits: expected 2, 4 or 8, found " << bits;
  if (isBytes && (*gatherAxis != 0 || *quantizeAxis != rank - 1 || rank < 2))
    return b.error() << "expected rows of bytes quantised along the last axis, found axes " << *gatherAxis << " and "
                     << *quantizeAxis << " of rank " << rank;
  if (block < (isFloat ? 0 : 1))
    return b.error() << "attribute block_size: expected a positive number, found " << block;
  if (isFloat && b.has(3))
    return b.error() << "zero points of " << declared << " are not supported";
  return QuantizedTable{declared, *gatherAxis, *quantizeAxis, block, bits, isBytes ? 8 / bits : 1};
}

/// Checks the extents of scales, and of zero points, which are packed like the table.
static LogicalResult checkBlocks(Binder &b, const QuantizedTable &table, ArrayRef<Value> extents) {
  int64_t rank = extents.size();
  for (unsigned i = 2; i <= 3; ++i) {
    if (!b.has(i))
      continue;
    if (b.rank(i) != rank)
      return b.error() << "input " << i << ": expected rank " << rank << ", found " << b.type(i);
    for (int64_t axis = 0; axis < rank; ++axis) {
      Value expected = extents[axis], found = b.emit.extent(b.input(i), axis), one = b.index.constant(1);
      if (axis == table.quantizeAxis)
        expected = table.block ? b.index.ceilDiv(expected, b.index.constant(table.block)) : one;
      if (i == 3 && axis == rank - 1)
        expected = b.index.ceilDiv(expected, b.index.constant(table.perByte));
      bool repeats = table.isFloat() && axis != table.quantizeAxis && IndexArithmetic::isConstant(found, 1);
      if (!repeats && failed(b.emit.unify(expected, found, "input " + Twine(i) + " at dimension " + Twine(axis))))
        return failure();
    }
  }
  return success();
}

// (q - zero point) * scale of what the indices name; 0 where there is no such row.
static LogicalResult lowerGatherBlockQuantized(Binder &b) {
  FailureOr<QuantizedTable> table = bindTable(b);
  if (failed(table))
    return failure();
  Value data = b.input(0), indices = b.input(1), scales = b.input(2);
  Extents whole = b.emit.extents(data), named = b.emit.extents(indices);
  whole.back() = b.index.mul(whole.back(), b.index.constant(table->perByte));
  Value rows = whole[table->gatherAxis];
  if (failed(checkBlocks(b, *table, whole)) ||
      failed(b.emit.check(b.index.compare(arith::CmpIPredicate::sgt, rows, b.index.constant(0)), "the table is empty")))
    return failure();
  Extents result(ArrayRef(whole).take_front(table->gatherAxis));
  llvm::append_range(result, named);
  llvm::append_range(result, ArrayRef(whole).drop_front(table->gatherAxis + 1));
  RankedTensorType scalesType = b.type(2);
  return b.result(0, b.emit.generate(result, b.resultElement(0), [&](ScalarBody &s, ValueRange at) {
    Type index = s.builder.getIndexType(), real = s.builder.getF32Type();
    Value given = tensor::ExtractOp::create(s.builder, indices, at.slice(table->gatherAxis, named.size()));
    Value row = arith::IndexCastOp::create(s.builder, index, given), zero = s.constant(0, index);
    row = s.select(s.less(row, zero), s.add(row, rows), row);
    Value exists = arith::AndIOp::create(s.builder, s.lessEqual(zero, row), s.less(row, rows));
    SmallVector<Value> place(at.take_front(table->gatherAxis));
    place.push_back(s.select(exists, row, zero));
    llvm::append_range(place, at.drop_front(table->gatherAxis + named.size()));

    SmallVector<Value> blockPlace = place;
    Value &block = blockPlace[table->quantizeAxis];
    block = table->block ? s.div(block, s.constant(table->block, index)) : zero;
    Value zeroPoint = s.constant(table->declared.isUnsignedInteger(8) ? 1 << (table->bits - 1) : 0, real);
    if (b.has(3))
      zeroPoint = table->read(s, b.input(3), blockPlace);
    for (auto [axis, position] : llvm::enumerate(blockPlace))
      if (scalesType.getDimSize(axis) == 1)
        position = zero;
    Value scale = s.convert(s.widen(tensor::ExtractOp::create(s.builder, scales, blockPlace)), real, false, false);
    Value value = s.mul(s.sub(table->read(s, data, place), zeroPoint), scale);
    return s.select(exists, value, s.constant(0, real));
  }));
}

ArrayRef<Row> moec::quantizationRows() {
  static const Row rows[] = {
      {"DequantizeLinear", 10, 28, 2, lowerDequantize, "", true},
      {"QuantizeLinear", 10, 28, 2, lowerQuantize, "", true},
      {"GatherBlockQuantized", 1, 1, 3, lowerGatherBlockQuantized, "com.microsoft", true},
  };
  return rows;
}
