//===- QuantizedValues.cpp - the integers behind a dequantised weight -------===//
//
// What is done to a dequantised weight along its experts and columns is done to values, scales and zero points alike.
// The terms of a sum can only be cut at their end, where whole blocks become superfluous.
//
//===----------------------------------------------------------------------===//

#include "QuantizedValues.h"

#include "moec/Dialect/Moe/Moe.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

static std::optional<QuantizedFormat> formatOf(DequantizeOp op) {
  int64_t bits = op.getBits(), block = op.getBlock();
  Type scaleType = typeOf(op.getScales()).getElementType();
  bool isStored = (bits == 2 || bits == 4 || bits == 8) && (block == 0 || block == 16 || block % 32 == 0);
  if (!isStored || !(scaleType.isF32() || scaleType.isF16() || scaleType.isBF16()))
    return std::nullopt;
  return QuantizedFormat{bits, block, scaleType, op.getZeroPoints() != nullptr};
}

/// Whether a slice takes the first terms of each sum, and static parts of the rest.
static bool keepsTerms(tensor::ExtractSliceOp op) {
  return op.getSourceType().getRank() == op.getType().getRank() && op.getSourceType().hasStaticShape() &&
         op.getOffsets().empty() && op.getSizes().empty() && op.getStrides().empty() &&
         op.getStaticOffsets().back() == 0 && op.getStaticStrides().back() == 1;
}

static bool addsLeadingOne(tensor::ExpandShapeOp op) {
  return op.getSrcType().getRank() == 2 && op.getResultType().getRank() == 3 && op.getResultType().getDimSize(0) == 1 &&
         op.getReassociationIndices().front().size() == 2;
}

std::optional<QuantizedFormat> moec::findQuantizedFormat(Value w) {
  if (auto dequantize = w.getDefiningOp<DequantizeOp>())
    return formatOf(dequantize);
  if (auto slice = w.getDefiningOp<tensor::ExtractSliceOp>())
    return keepsTerms(slice) ? findQuantizedFormat(slice.getSource()) : std::nullopt;
  if (auto expand = w.getDefiningOp<tensor::ExpandShapeOp>())
    return addsLeadingOne(expand) ? findQuantizedFormat(expand.getSrc()) : std::nullopt;
  auto concat = w.getDefiningOp<tensor::ConcatOp>();
  if (!concat || int64_t(concat.getDim()) + 1 == typeOf(w).getRank())
    return std::nullopt;
  std::optional<QuantizedFormat> format = findQuantizedFormat(concat.getInputs().front());
  for (Value input : concat.getInputs().drop_front())
    if (findQuantizedFormat(input) != format)
      return std::nullopt;
  return format;
}

namespace {

class ValueBuilder {
public:
  ValueBuilder(OpBuilder &builder, Location loc, QuantizedFormat format) : builder(builder), loc(loc), format(format) {}

  QuantizedValues build(Value w) const;

private:
  QuantizedValues open(DequantizeOp op) const;
  /// Bytes of one value each.
  Value unpack(Value packed) const;
  Value addUnitDimension(Value tensor, bool isFirst) const;
  Value slice(Value tensor, tensor::ExtractSliceOp like, int64_t terms) const;

  /// Does the same to all three parts.
  static QuantizedValues map(const QuantizedValues &parts, llvm::function_ref<Value(Value)> change) {
    return {change(parts.values), change(parts.scales), parts.zeroPoints ? change(parts.zeroPoints) : Value()};
  }

  OpBuilder &builder;
  Location loc;
  QuantizedFormat format;
};

} // namespace

Value ValueBuilder::unpack(Value packed) const {
  RankedTensorType type = typeOf(packed);
  SmallVector<int64_t> shape(type.getShape());
  shape.back() *= 8 / format.bits;
  return UnpackValuesOp::create(builder, loc, type.clone(shape), packed, format.bits);
}

Value ValueBuilder::addUnitDimension(Value tensor, bool isFirst) const {
  RankedTensorType type = typeOf(tensor);
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(isFirst ? shape.begin() : shape.end(), 1);
  SmallVector<ReassociationIndices> groups;
  int64_t rank = type.getRank();
  for (int64_t i = 0; i < rank; ++i)
    groups.push_back({i + isFirst});
  if (isFirst)
    groups.front().insert(groups.front().begin(), 0);
  else
    groups.back().push_back(rank);
  return tensor::ExpandShapeOp::create(builder, loc, type.clone(shape), tensor, groups);
}

/// What `like` takes of all dimensions but the last, and the first `terms` of that.
Value ValueBuilder::slice(Value tensor, tensor::ExtractSliceOp like, int64_t terms) const {
  SmallVector<OpFoldResult> offsets = like.getMixedOffsets(), sizes = like.getMixedSizes();
  sizes.back() = builder.getIndexAttr(terms);
  return tensor::ExtractSliceOp::create(builder, loc, tensor, offsets, sizes, like.getMixedStrides());
}

QuantizedValues ValueBuilder::open(DequantizeOp op) const {
  QuantizedValues parts = {op.getQ(), op.getScales(), op.getZeroPoints()};
  if (typeOf(parts.values).getShape().back() != typeOf(op.getOut()).getShape().back())
    parts.values = unpack(parts.values);
  int64_t packedPoints = llvm::divideCeil(typeOf(parts.scales).getShape().back() * format.bits, 8);
  if (parts.zeroPoints && format.bits < 8 && typeOf(parts.zeroPoints).getShape().back() == packedPoints) {
    parts.zeroPoints = unpack(parts.zeroPoints);
    // Bytes hold more than there are scales.
    SmallVector<OpFoldResult> sizes, offsets, strides;
    for (int64_t extent : typeOf(op.getScales()).getShape()) {
      sizes.push_back(builder.getIndexAttr(extent));
      offsets.push_back(builder.getIndexAttr(0));
      strides.push_back(builder.getIndexAttr(1));
    }
    parts.zeroPoints = tensor::ExtractSliceOp::create(builder, loc, parts.zeroPoints, offsets, sizes, strides);
  }
  if (format.block > 0)
    return parts;
  parts.scales = addUnitDimension(parts.scales, /*isFirst=*/false);
  if (parts.zeroPoints)
    parts.zeroPoints = addUnitDimension(parts.zeroPoints, /*isFirst=*/false);
  return parts;
}

QuantizedValues ValueBuilder::build(Value w) const {
  if (auto dequantize = w.getDefiningOp<DequantizeOp>())
    return open(dequantize);
  if (auto expand = w.getDefiningOp<tensor::ExpandShapeOp>())
    return map(build(expand.getSrc()), [&](Value part) { return addUnitDimension(part, /*isFirst=*/true); });
  if (auto like = w.getDefiningOp<tensor::ExtractSliceOp>()) {
    QuantizedValues parts = build(like.getSource());
    int64_t terms = like.getType().getShape().back();
    int64_t blocks = format.block ? llvm::divideCeil(terms, format.block) : 1;
    return {slice(parts.values, like, terms), slice(parts.scales, like, blocks),
            parts.zeroPoints ? slice(parts.zeroPoints, like, blocks) : Value()};
  }
  auto concat = w.getDefiningOp<tensor::ConcatOp>();
  SmallVector<Value> values, scales, zeroPoints;
  for (Value input : concat.getInputs()) {
    QuantizedValues parts = build(input);
    values.push_back(parts.values);
    scales.push_back(parts.scales);
    zeroPoints.push_back(parts.zeroPoints);
  }
  auto join = [&](ArrayRef<Value> parts) -> Value {
    return tensor::ConcatOp::create(builder, loc, concat.getDim(), parts);
  };
  return {join(values), join(scales), format.hasZeroPoints ? join(zeroPoints) : Value()};
}

QuantizedValues moec::buildQuantizedValues(OpBuilder &builder, Location loc, Value w) {
  return ValueBuilder(builder, loc, *findQuantizedFormat(w)).build(w);
}
