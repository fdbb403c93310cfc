//===- NnAttentionOps.cpp - attention and what feeds it ---------------------===//

#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Shape/ShapeChecks.h"

using namespace mlir;
using namespace moec;
using namespace moec::nn;

/// Whether `extent` is 1 or agrees with the full one.
static bool broadcasts(int64_t extent, int64_t full) {
  return extent == 1 || extent == full || ShapedType::isDynamic(extent) || ShapedType::isDynamic(full);
}

//===----------------------------------------------------------------------===//
// RotaryOp
//===----------------------------------------------------------------------===//

LogicalResult RotaryOp::verify() {
  ShapeChecks c1(*this, "C1"), c2(*this, "C2");
  if (failed(c1.rank("x", getX(), 4)) || failed(c1.floatElements("x", getX())) ||
      failed(c1.staticExtent("x", getX(), 3)))
    return failure();
  RankedTensorType x = tensorType(getX());
  for (auto [name, table] : {std::pair("cos", getCos()), {"sin", getSin()}})
    if (failed(c1.rank(name, table, 3)) || failed(c1.staticExtent(name, table, 2)) ||
        failed(c1.floatElements(name, table)) ||
        failed(c1.shape(name, table, {ShapedType::kDynamic, x.getDimSize(2), ShapedType::kDynamic})))
      return failure();
  RankedTensorType cos = tensorType(getCos());
  if (failed(c1.shape("sin", getSin(), cos.getShape())))
    return failure();
  if (!broadcasts(cos.getDimSize(0), x.getDimSize(0)))
    return emitBreach(*this, "C1") << "expected cos with first extent 1 or " << x.getDimSize(0) << ", found "
                                   << cos.getDimSize(0);
  if (2 * cos.getDimSize(2) > x.getDimSize(3))
    return emitBreach(*this, "C1") << "expected at most " << x.getDimSize(3) / 2 << " rotated pairs, found "
                                   << cos.getDimSize(2);
  return failure(failed(c2.shape("the result", getOut(), x.getShape())) ||
                 failed(c2.elementType("the result", getOut(), x.getElementType())));
}

LogicalResult RotaryOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(extentsLike(builder, getOut(), getX()));
  return success();
}

//===----------------------------------------------------------------------===//
// AttentionOp
//===----------------------------------------------------------------------===//

// C1 for q, k and v.
static LogicalResult verifyHeads(AttentionOp op) {
  ShapeChecks c1(op, "C1");
  for (auto [name, value] : {std::pair("q", op.getQ()), {"k", op.getK()}, {"v", op.getV()}})
    if (failed(c1.rank(name, value, 4)) || failed(c1.floatElements(name, value)) ||
        failed(c1.staticExtent(name, value, 1)) || failed(c1.staticExtent(name, value, 3)))
      return failure();
  RankedTensorType q = tensorType(op.getQ()), k = tensorType(op.getK()), v = tensorType(op.getV());
  if (failed(c1.shape("k", op.getK(), {q.getDimSize(0), k.getDimSize(1), k.getDimSize(2), q.getDimSize(3)})) ||
      failed(c1.shape("v", op.getV(), {q.getDimSize(0), k.getDimSize(1), k.getDimSize(2), v.getDimSize(3)})))
    return failure();
  if (k.getDimSize(1) < 1 || q.getDimSize(1) % k.getDimSize(1) != 0)
    return emitBreach(op, "C1") << "expected the heads of q to be a multiple of " << k.getDimSize(1)
                                << " heads of k, found " << q.getDimSize(1);
  return success();
}

// C3: what is added to the scores, and the options.
static LogicalResult verifyScores(AttentionOp op) {
  ShapeChecks c3(op, "C3");
  RankedTensorType q = tensorType(op.getQ()), k = tensorType(op.getK());
  if (op.getMask()) {
    if (failed(c3.rank("mask", op.getMask(), 4)))
      return failure();
    RankedTensorType mask = tensorType(op.getMask());
    if (!mask.getElementType().isInteger(1) && failed(c3.floatElements("mask", op.getMask())))
      return failure();
    int64_t shape[] = {q.getDimSize(0), q.getDimSize(1), q.getDimSize(2)};
    for (auto [axis, full] : llvm::enumerate(shape))
      if (!broadcasts(mask.getDimSize(axis), full))
        return emitBreach(op, "C3") << "expected dimension " << axis << " of mask to be 1 or " << full << ", found "
                                    << mask.getDimSize(axis);
    int64_t keys = op.getLength() ? ShapedType::kDynamic : k.getDimSize(2);
    if (failed(c3.shape("mask", op.getMask(), {mask.getDimSize(0), mask.getDimSize(1), mask.getDimSize(2), keys})))
      return failure();
  }
  if (op.getSinks() &&
      (failed(c3.shape("sinks", op.getSinks(), {q.getDimSize(1)})) || failed(c3.floatElements("sinks", op.getSinks()))))
    return failure();
  if (static_cast<int64_t>(op.getWindow()) < 0)
    return emitBreach(op, "C3") << "expected a window of 0 or more keys, found "
                                << static_cast<int64_t>(op.getWindow());
  if (!op.getSoftcap().isFinite() || op.getSoftcap().isNegative() || !op.getScale().isFinite())
    return emitBreach(op, "C3") << "expected a finite scale, and a softcap that is finite and not negative";
  return success();
}

LogicalResult AttentionOp::verify() {
  if (failed(verifyHeads(*this)) || failed(verifyScores(*this)))
    return failure();
  if (getNanToZero() && getEmptyIsNan())
    return emitBreach(*this, "C4") << "expected nan_to_zero or empty_is_nan, found both";
  ShapeChecks c2(*this, "C2");
  SmallVector<int64_t> shape(tensorType(getQ()).getShape());
  shape.back() = tensorType(getV()).getShape().back();
  return failure(failed(c2.shape("the result", getOut(), shape)) ||
                 failed(c2.elementType("the result", getOut(), tensorType(getQ()).getElementType())));
}

LogicalResult AttentionOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> &extents = shapes.emplace_back();
  for (int64_t axis : llvm::seq<int64_t>(3))
    extents.push_back(extentFrom(builder, getOut(), axis, getQ(), axis));
  extents.push_back(extentFrom(builder, getOut(), 3, getV(), 3));
  return success();
}

//===----------------------------------------------------------------------===//
// KvAppendOp
//===----------------------------------------------------------------------===//

LogicalResult KvAppendOp::verify() {
  ShapeChecks c1(*this, "C1"), c2(*this, "C2"), c3(*this, "C3");
  RankedTensorType state = tensorType(getState());
  if (failed(c1.rank("state", getState(), 4)))
    return failure();
  if (getStarts() && (failed(c3.shape("starts", getStarts(), {state.getDimSize(0)})) ||
                      failed(c3.elementType("starts", getStarts(), IntegerType::get(getContext(), 64)))))
    return failure();
  int64_t shape[] = {state.getDimSize(0), state.getDimSize(1), ShapedType::kDynamic, state.getDimSize(3)};
  if (failed(c1.shape("the new positions", getNewPositions(), shape)) ||
      failed(c1.elementType("the new positions", getNewPositions(), state.getElementType())))
    return failure();
  return failure(failed(c2.shape("the result", getOut(), state.getShape())) ||
                 failed(c2.elementType("the result", getOut(), state.getElementType())));
}

LogicalResult KvAppendOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(extentsLike(builder, getOut(), getState()));
  return success();
}
