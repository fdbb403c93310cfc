//===- NnNormOps.cpp - normalisation ----------------------------------------===//

#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Shape/ShapeChecks.h"

using namespace mlir;
using namespace moec;
using namespace moec::nn;

LogicalResult SoftmaxOp::verify() {
  ShapeChecks c1(*this, "C1");
  return failure(failed(c1.rankAtLeast("x", getX(), 1)) || failed(c1.floatElements("x", getX())));
}

LogicalResult SoftmaxOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(extentsLike(builder, getOut(), getX()));
  return success();
}

// C1 of both norms.
static LogicalResult verifyNorm(Operation *op, Value x, Value weight, Value bias, const APFloat &eps) {
  ShapeChecks c1(op, "C1");
  if (failed(c1.rankAtLeast("x", x, 1)) || failed(c1.floatElements("x", x)))
    return failure();
  if (!eps.isFinite() || eps.isNegative())
    return emitBreach(op, "C1") << "expected eps to be finite and not negative";
  int64_t extent = tensorType(x).getShape().back();
  for (auto [name, operand] : {std::pair("weight", weight), {"bias", bias}})
    if (operand && (failed(c1.shape(name, operand, {extent})) || failed(c1.floatElements(name, operand))))
      return failure();
  Value result = op->getResult(0);
  return failure(failed(c1.shape("the result", result, tensorType(x).getShape())) ||
                 failed(c1.elementType("the result", result, tensorType(x).getElementType())));
}

LogicalResult RmsNormOp::verify() { return verifyNorm(*this, getX(), getWeight(), Value(), getEps()); }

LogicalResult RmsNormOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(extentsLike(builder, getOut(), getX()));
  return success();
}

LogicalResult LayerNormOp::verify() { return verifyNorm(*this, getX(), getWeight(), getBias(), getEps()); }

LogicalResult LayerNormOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(extentsLike(builder, getOut(), getX()));
  return success();
}
