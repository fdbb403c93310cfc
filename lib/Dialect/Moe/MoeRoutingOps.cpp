//===- MoeRoutingOps.cpp - routing and grouping -----------------------------===//

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Shape/ShapeChecks.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

#define GET_OP_CLASSES
#include "moec/Dialect/Moe/MoeOps.cpp.inc"

//===----------------------------------------------------------------------===//
// RouteOp
//===----------------------------------------------------------------------===//

static LogicalResult verifyGroups(RouteOp op, int64_t expertCount) {
  RouterAttr router = op.getRouter();
  if (expertCount % router.getGroups() != 0)
    return emitBreach(op, "C4") << "expected groups to divide " << expertCount << " experts, found "
                                << router.getGroups();
  int64_t groupSize = expertCount / router.getGroups();
  if (router.getK() > router.getKeptGroups() * groupSize)
    return emitBreach(op, "C4") << "expected k = " << router.getK() << " experts to fit into the kept groups, found "
                                << router.getKeptGroups() << " of " << groupSize << " experts";
  if (router.getSelect() == Select::GroupLimited && router.getGroupScore() == GroupScore::Top2Sum && groupSize < 2)
    return emitBreach(op, "C4") << "expected groups of at least 2 experts for top2_sum, found " << groupSize;
  return success();
}

LogicalResult RouteOp::verify() {
  RouterAttr router = getRouter();
  ShapeChecks c1(*this, "C1"), c3(*this, "C3"), c5(*this, "C5");
  if (failed(c1.rank("logits", getLogits(), 2)) || failed(c1.floatElements("logits", getLogits())) ||
      failed(c1.staticExtent("logits", getLogits(), 1)))
    return failure();
  int64_t tokens = tensorType(getLogits()).getDimSize(0), expertCount = tensorType(getLogits()).getDimSize(1);
  if (router.getK() > expertCount)
    return emitBreach(*this, "C2") << "expected k <= " << expertCount << " experts, found " << router.getK();
  if (getBias() && (failed(c3.shape("bias", getBias(), {expertCount})) || failed(c3.floatElements("bias", getBias()))))
    return failure();
  if (getMix()) {
    if (failed(c3.shape("mix", getMix(), {tokens, expertCount})) || failed(c3.floatElements("mix", getMix())))
      return failure();
    if (router.getOver() == Over::Selected)
      return emitBreach(*this, "C3") << "expected no mix where scores are over the selected experts";
  }
  if (failed(verifyGroups(*this, expertCount)))
    return failure();
  if ((getBias() && (router.getSelect() == Select::TopP || router.getSelect() == Select::SparseMixer)) ||
      (getMix() && router.getSelect() == Select::SparseMixer))
    return emitBreach(*this, "C6") << "expected no " << (getBias() ? "bias" : "mix") << " for "
                                   << stringifySelect(router.getSelect());
  return failure(failed(c5.shape("experts", getExperts(), {tokens, router.getK()})) ||
                 failed(c5.i32Elements("experts", getExperts())) ||
                 failed(c5.shape("gates", getGates(), {tokens, router.getK()})) ||
                 failed(c5.f32Elements("gates", getGates())));
}

LogicalResult RouteOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  for (Value result : getResults())
    shapes.push_back({extentFrom(builder, result, 0, getLogits(), 0), builder.getIndexAttr(getRouter().getK())});
  return success();
}

//===----------------------------------------------------------------------===//
// LimitCapacityOp
//===----------------------------------------------------------------------===//

LogicalResult LimitCapacityOp::verify() {
  ShapeChecks c1(*this, "C1");
  if (failed(c1.rank("experts", getExperts(), 3)) || failed(c1.i32Elements("experts", getExperts())))
    return failure();
  if (getExpertCount() < 1)
    return emitBreach(*this, "C2") << "expected at least one expert, found " << getExpertCount();
  if (getCapacity() < 1)
    return emitBreach(*this, "C2") << "expected a capacity of at least 1, found " << getCapacity();
  return success();
}

LogicalResult LimitCapacityOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getExperts()));
  return success();
}

//===----------------------------------------------------------------------===//
// GroupOp
//===----------------------------------------------------------------------===//

LogicalResult GroupOp::verify() {
  ShapeChecks c1(*this, "C1"), c2(*this, "C2");
  if (failed(c1.rank("experts", getExperts(), 2)) || failed(c1.i32Elements("experts", getExperts())))
    return failure();
  int64_t expertCount = getExpertCount();
  if (expertCount < 1)
    return emitBreach(*this, "C1") << "expected at least one expert, found " << expertCount;
  RankedTensorType experts = tensorType(getExperts());
  int64_t rows = multiplyExtents(experts.getDimSize(0), experts.getDimSize(1));
  return failure(failed(c2.shape("offsets", getOffsets(), {expertCount + 1})) ||
                 failed(c2.shape("order", getOrder(), {rows})) || failed(c2.shape("inverse", getInverse(), {rows})) ||
                 failed(c2.i32Elements("offsets", getOffsets())) || failed(c2.i32Elements("order", getOrder())) ||
                 failed(c2.i32Elements("inverse", getInverse())));
}

LogicalResult GroupOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  OpFoldResult rows = multiplyExtents(builder, getLoc(), tensor::getMixedSize(builder, getLoc(), getExperts(), 0),
                                      tensor::getMixedSize(builder, getLoc(), getExperts(), 1));
  shapes.push_back({builder.getIndexAttr(getExpertCount() + 1)});
  for (Value result : {getOrder(), getInverse()}) {
    RankedTensorType type = tensorType(result);
    shapes.push_back({type.isDynamicDim(0) ? rows : OpFoldResult(builder.getIndexAttr(type.getDimSize(0)))});
  }
  return success();
}
