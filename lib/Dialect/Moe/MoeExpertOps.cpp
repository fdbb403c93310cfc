//===- MoeExpertOps.cpp - experts and their pieces --------------------------===//

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Shape/ShapeChecks.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

//===----------------------------------------------------------------------===//
// ExpertsOp
//===----------------------------------------------------------------------===//

// C2 to C4: the weights against each other, the hidden size and the layout of the activation.
static LogicalResult verifyExpertWeights(ExpertsOp op, int64_t hidden) {
  ShapeChecks c2(op, "C2"), c4(op, "C4");
  for (auto [name, weight] : {std::pair("w1", op.getW1()), {"w2", op.getW2()}, {"w3", op.getW3()}})
    if (weight && (failed(c2.rank(name, weight, 3)) || failed(c2.staticShape(name, weight)) ||
                   failed(c2.floatElements(name, weight))))
      return failure();
  int64_t expertCount = tensorType(op.getW1()).getDimSize(0), columns = tensorType(op.getW1()).getDimSize(1);
  int64_t outputs = tensorType(op.getW2()).getDimSize(1), inner = tensorType(op.getW2()).getDimSize(2);
  if (expertCount < 1)
    return emitBreach(op, "C2") << "expected at least one expert, found " << expertCount;
  if (failed(c2.shape("w1", op.getW1(), {expertCount, columns, hidden})) ||
      failed(c2.shape("w2", op.getW2(), {expertCount, outputs, inner})) ||
      (op.getW3() && failed(c2.shape("w3", op.getW3(), {expertCount, inner, hidden}))))
    return failure();

  GateLayout layout = op.getActivation().getLayout();
  if (layout == GateLayout::Panels)
    return emitBreach(op, "C3") << "expected a layout other than panels";
  if ((layout == GateLayout::Separate) != static_cast<bool>(op.getW3()))
    return emitBreach(op, "C3") << "expected " << (op.getW3() ? "no w3" : "w3") << " with layout "
                                << stringifyGateLayout(layout);
  bool fused = layout == GateLayout::Concatenated || layout == GateLayout::Interleaved;
  if (columns != (fused ? 2 * inner : inner))
    return emitBreach(op, "C3") << "expected w1 with " << (fused ? 2 * inner : inner) << " rows, found " << columns;

  if (op.getB3() && !op.getW3())
    return emitBreach(op, "C4") << "expected b3 only with w3";
  using Bias = std::tuple<StringRef, Value, int64_t>;
  for (auto [name, bias, extent] :
       {Bias("b1", op.getB1(), columns), Bias("b2", op.getB2(), outputs), Bias("b3", op.getB3(), inner)})
    if (bias && (failed(c4.shape(name, bias, {expertCount, extent})) || failed(c4.floatElements(name, bias))))
      return failure();
  return success();
}

LogicalResult ExpertsOp::verify() {
  ShapeChecks c1(*this, "C1"), c5(*this, "C5");
  if (failed(c1.rank("x", getX(), 2)) || failed(c1.floatElements("x", getX())) ||
      failed(c1.rank("experts", getExperts(), 2)) || failed(c1.rank("gates", getGates(), 2)))
    return failure();
  int64_t tokens = tensorType(getX()).getDimSize(0), slots = tensorType(getExperts()).getDimSize(1);
  if (failed(c1.shape("experts", getExperts(), {tokens, slots})) || failed(c1.i32Elements("experts", getExperts())) ||
      failed(c1.shape("gates", getGates(), {tokens, slots})) || failed(c1.f32Elements("gates", getGates())) ||
      failed(verifyExpertWeights(*this, tensorType(getX()).getDimSize(1))))
    return failure();
  return failure(failed(c5.shape("the result", getY(), {tokens, tensorType(getW2()).getDimSize(1)})) ||
                 failed(c5.elementType("the result", getY(), tensorType(getX()).getElementType())));
}

LogicalResult ExpertsOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back({extentFrom(builder, getY(), 0, getX(), 0), extentFrom(builder, getY(), 1, getW2(), 1)});
  return success();
}

//===----------------------------------------------------------------------===//
// GroupedMatmulOp
//===----------------------------------------------------------------------===//

// C1, C2 and C5: the operands of the product, and how its columns are stored.
static LogicalResult verifyProduct(GroupedMatmulOp op) {
  ShapeChecks c1(op, "C1");
  if (failed(c1.rank("x", op.getX(), 2)) || failed(c1.floatElements("x", op.getX())) ||
      failed(c1.staticShape("w", op.getW())) || (!op.getQuantized() && failed(c1.floatElements("w", op.getW()))))
    return failure();
  RankedTensorType w = tensorType(op.getW());
  if (w.getRank() != 3 && w.getRank() != 4)
    return emitBreach(op, "C1") << "expected w of rank 3, or 4 if packed, found rank " << w.getRank();
  int64_t inner = tensorType(op.getX()).getDimSize(1);
  if (op.getQuantized() && ShapedType::isStatic(inner))
    inner = llvm::divideCeil(inner, op.getQuantized()->getValuesPerWord());
  SmallVector<int64_t> shape = {w.getDimSize(0), w.getDimSize(1), inner};
  if (op.isPacked())
    shape.push_back(16);
  if (failed(c1.shape("w", op.getW(), shape)))
    return failure();

  GateLayout layout = op.getActivation().getLayout();
  int64_t columns = op.getColumns();
  bool isStored = layout == GateLayout::Panels;
  if (op.getActivation().isGated() && (layout == GateLayout::Separate || isStored != op.isPacked()))
    return emitBreach(op, "C5") << "expected a layout other than " << stringifyGateLayout(layout) << " with "
                                << (op.isPacked() ? "packed" : "unpacked") << " weights";
  if (columns < 0 || (op.getActivation().isGated() && columns % 2 != 0))
    return emitBreach(op, "C5") << "expected an even number of columns for a gated activation, found " << columns;
  int64_t extent = columns;
  if (layout == GateLayout::Panels)
    extent = 2 * llvm::divideCeil(columns, 32);
  else if (op.isPacked())
    extent = llvm::divideCeil(columns, 16);
  if (w.getDimSize(1) != extent)
    return emitBreach(op, "C2") << "expected w with second extent " << extent << " for " << columns
                                << " columns, found " << w.getDimSize(1);
  return success();
}

// C3 and C4: which rows belong to which expert, and the bias.
static LogicalResult verifyGrouping(GroupedMatmulOp op) {
  ShapeChecks c3(op, "C3"), c4(op, "C4");
  RankedTensorType w = tensorType(op.getW());
  int64_t expertCount = w.getDimSize(0);
  int64_t perToken = op.getRowsPerToken();
  if (op.getOffsets()) {
    if (failed(c3.shape("offsets", op.getOffsets(), {expertCount + 1})) ||
        failed(c3.i32Elements("offsets", op.getOffsets())))
      return failure();
  } else if (expertCount != 1) {
    return emitBreach(op, "C3") << "expected one expert without offsets, found " << expertCount;
  }
  if (op.getOrder()) {
    if (!op.getOffsets())
      return emitBreach(op, "C3") << "expected offsets with order";
    if (failed(c3.rank("order", op.getOrder(), 1)) || failed(c3.i32Elements("order", op.getOrder())))
      return failure();
  }
  if (perToken < 1 || (!op.getOrder() && perToken != 1))
    return emitBreach(op, "C3") << "expected rows_per_token to be positive, and 1 without order, found " << perToken;
  if (op.getScale()) {
    if (!op.getOrder())
      return emitBreach(op, "C3") << "expected order with scale";
    if (failed(c3.shape("scale", op.getScale(), {tensorType(op.getX()).getDimSize(0), perToken})) ||
        failed(c3.f32Elements("scale", op.getScale())))
      return failure();
  }
  if (!op.getBias())
    return success();
  bool panels = op.getActivation().getLayout() == GateLayout::Panels;
  int64_t extent = panels ? 16 * w.getDimSize(1) : static_cast<int64_t>(op.getColumns());
  return failure(failed(c4.shape("bias", op.getBias(), {expertCount, extent})) ||
                 failed(c4.floatElements("bias", op.getBias())));
}

// C7: scales and zero points of a quantised weight.
static LogicalResult verifyQuantization(GroupedMatmulOp op) {
  ShapeChecks c7(op, "C7");
  std::optional<QuantizationAttr> quantized = op.getQuantized();
  if (!quantized) {
    if (op.getWScales() || op.getWZeroPoints())
      return emitBreach(op, "C7") << "expected `quantized` with scales or zero points";
    return success();
  }
  RankedTensorType w = tensorType(op.getW());
  int64_t inner = tensorType(op.getX()).getDimSize(1);
  if (!op.isPacked() || !w.getElementType().isInteger(32) || ShapedType::isDynamic(inner) || !op.getWScales())
    return emitBreach(op, "C7") << "expected packed words, a static extent of x and scales, found w of type " << w;
  SmallVector<int64_t> shape = {w.getDimSize(0), w.getDimSize(1), quantized->getBlockCount(inner), 16};
  if (failed(c7.shape("w_scales", op.getWScales(), shape)) || failed(c7.floatElements("w_scales", op.getWScales())))
    return failure();
  return failure(op.getWZeroPoints() && (failed(c7.shape("w_zero_points", op.getWZeroPoints(), shape)) ||
                                         failed(c7.byteElements("w_zero_points", op.getWZeroPoints()))));
}

LogicalResult GroupedMatmulOp::verify() {
  if (failed(verifyProduct(*this)) || failed(verifyGrouping(*this)) || failed(verifyQuantization(*this)))
    return failure();
  ShapeChecks c6(*this, "C6");
  int64_t rows = tensorType(getOrder() ? getOrder() : getX()).getDimSize(0);
  return failure(failed(c6.shape("the result", getOut(), {rows, getResultColumns()})) ||
                 failed(c6.elementType("the result", getOut(), tensorType(getX()).getElementType())));
}

LogicalResult GroupedMatmulOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  Value rows = getOrder() ? getOrder() : getX();
  shapes.push_back({extentFrom(builder, getOut(), 0, rows, 0), builder.getIndexAttr(getResultColumns())});
  return success();
}

//===----------------------------------------------------------------------===//
// CombineOp
//===----------------------------------------------------------------------===//

LogicalResult CombineOp::verify() {
  ShapeChecks c1(*this, "C1"), c2(*this, "C2");
  int64_t slots = getSlots();
  if (failed(c1.rank("y", getY(), 2)) || failed(c1.floatElements("y", getY())) ||
      failed(c1.rank("inverse", getInverse(), 1)) || failed(c1.i32Elements("inverse", getInverse())) ||
      failed(c2.rank("the result", getOut(), 2)))
    return failure();
  if (slots < 1)
    return emitBreach(*this, "C1") << "expected at least one slot, found " << slots;
  int64_t tokens = tensorType(getOut()).getDimSize(0);
  if (getGates()) {
    if (failed(c1.rank("gates", getGates(), 2)))
      return failure();
    tokens = knownExtent(tokens, tensorType(getGates()).getDimSize(0));
    if (failed(c1.shape("gates", getGates(), {tokens, slots})) || failed(c1.f32Elements("gates", getGates())))
      return failure();
  }
  RankedTensorType y = tensorType(getY());
  return failure(failed(c1.shape("inverse", getInverse(), {multiplyExtents(tokens, slots)})) ||
                 failed(c2.shape("the result", getOut(), {tokens, y.getDimSize(1)})) ||
                 failed(c2.elementType("the result", getOut(), y.getElementType())));
}

LogicalResult CombineOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  OpFoldResult tokens;
  if (getGates() || !tensorType(getOut()).isDynamicDim(0)) {
    tokens = extentFrom(builder, getOut(), 0, getGates(), 0);
  } else {
    Value rows = tensor::DimOp::create(builder, getLoc(), getInverse(), 0);
    Value slots = arith::ConstantIndexOp::create(builder, getLoc(), getSlots());
    tokens = builder.createOrFold<arith::DivUIOp>(getLoc(), rows, slots);
  }
  shapes.push_back({tokens, extentFrom(builder, getOut(), 1, getY(), 1)});
  return success();
}
