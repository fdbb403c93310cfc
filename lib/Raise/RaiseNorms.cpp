//===- RaiseNorms.cpp - normalisation that is spelt out ---------------------===//
//
// Accepts, over the last axis,
//
//   s = Mul(x, x) or Pow(x, 2) -> m = ReduceMean(s) -> e = Add(m, eps) -> r = Sqrt(e)
//   u = Div(x, r) or Mul(x, Reciprocal(r)) or Mul(x, Div(1, r)) or Mul(x, Pow(e, -0.5))
//   y = Mul(u, w [n])                                    -> nn.rms_norm of x
//
// and, where x is Sub(z, ReduceMean(z)) and optionally b [n] is added to y, nn.layer_norm of z. Casts to the same type
// are skipped. The weight may be computed (1 + w).
//
//===----------------------------------------------------------------------===//

#include "GraphPatterns.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Raise/Passes.h"
#include <cmath>

namespace moec {
#define GEN_PASS_DEF_RAISENORMS
#include "moec/Raise/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::raise;

namespace {

class NormMatcher {
public:
  explicit NormMatcher(onnx::NodeOp mean) : mean(mean) {}

  /// Whether `mean` is the mean of squares; only then is a failure of `match` worth a remark.
  bool isMeanOfSquares();
  LogicalResult match();
  void rewrite();
  StringRef reason() const { return why; }

private:
  LogicalResult miss(const Twine &text) {
    why = text.str();
    return failure();
  }
  LogicalResult matchRoot(Value &inverse, Value &root);
  void matchAffine();
  void matchCentered();
  bool isX(Value value) const { return skipFloatCasts(value) == x; }

  onnx::NodeOp mean;
  std::string why;
  Value x, weight, bias, result;
  double eps = 0;
  bool isCentered = false;
};

} // namespace

/// The only node that uses `value`, through casts; null if there are more.
static onnx::NodeOp onlyUser(Value &value) {
  while (value.hasOneUse()) {
    auto node = dyn_cast<onnx::NodeOp>(*value.user_begin());
    if (!node)
      return nullptr;
    if (!node.is("Cast") && !node.is("Identity"))
      return node;
    if (getElementTypeOrSelf(node.getResult(0).getType()) != getElementTypeOrSelf(value.getType()))
      return nullptr;
    value = node.getResult(0);
  }
  return nullptr;
}

/// One number per feature: [n] or [1, …, 1, n].
static bool isPerFeature(Value value, int64_t features) {
  RankedTensorType type = tensorTypeOf(value);
  return type && type.hasStaticShape() && type.getRank() >= 1 && type.getNumElements() == features &&
         type.getShape().back() == features;
}

bool NormMatcher::isMeanOfSquares() {
  if (!mean.is("ReduceMean") || !reducesLastAxisKept(mean))
    return false;
  onnx::NodeOp square = producer(skipFloatCasts(mean.getInputs()[0]));
  if (!square || square.getInputs().size() != 2)
    return false;
  Value first = skipFloatCasts(square.getInputs()[0]), second = square.getInputs()[1];
  if (!(square.is("Mul") && first == skipFloatCasts(second)) && !(square.is("Pow") && constantSplat(second) == 2.0))
    return false;
  x = first;
  return true;
}

// Follows the mean to sqrt(mean + eps) or its inverse.
LogicalResult NormMatcher::matchRoot(Value &inverse, Value &root) {
  Value sum = mean.getResult(0), other;
  onnx::NodeOp node = onlyUser(sum);
  std::optional<double> constant;
  auto isConstant = [&](Value value) { return (constant = constantSplat(value)).has_value(); };
  if (!node || !node.is("Add") || !splitCommutative(node, isConstant, other))
    return miss("no constant epsilon is added to the mean of squares");
  eps = *constant;
  if (!std::isfinite(eps) || eps < 0)
    return miss("the epsilon is not a number a norm can have");
  Value shifted = node.getResult(0);
  node = onlyUser(shifted);
  if (node && node.is("Pow") && constantSplat(node.getInputs()[1]) == -0.5) {
    inverse = node.getResult(0);
    return success();
  }
  if (!node || !node.is("Sqrt"))
    return miss("the mean of squares is not followed by a square root");
  root = node.getResult(0);
  node = onlyUser(root);
  bool isInverse = node && (node.is("Reciprocal") || (node.is("Div") && node.getInputs()[1] == root &&
                                                      constantSplat(node.getInputs()[0]) == 1.0));
  if (isInverse)
    inverse = node.getResult(0);
  return success();
}

LogicalResult NormMatcher::match() {
  RankedTensorType type = tensorTypeOf(x);
  if (!type || !isComputedInF32(type.getElementType()) || ShapedType::isDynamic(type.getShape().back()))
    return miss("the extent of the last axis is not known, or the type is not f32, f16 or bf16");
  Value inverse, root;
  if (failed(matchRoot(inverse, root)))
    return failure();
  Value factor = inverse ? inverse : root, other;
  onnx::NodeOp node = onlyUser(factor);
  auto isFactor = [&](Value value) { return value == factor; };
  bool isUnit = node && (inverse ? node.is("Mul") && splitCommutative(node, isFactor, other) && isX(other)
                                 : node.is("Div") && node.getInputs()[1] == root && isX(node.getInputs()[0]));
  if (!isUnit)
    return miss("the input is not divided by the root of its mean square");
  result = node.getResult(0);
  matchCentered();
  matchAffine();
  auto elementType = type.getElementType();
  for (Value value : {result, weight, bias})
    if (value && getElementTypeOrSelf(value.getType()) != elementType)
      return miss("the element types of input, weight and result differ");
  if (tensorTypeOf(result) == nullptr || tensorTypeOf(result).getRank() != type.getRank())
    return miss("the weight adds dimensions");
  return success();
}

/// x = z - mean(z) makes it a layer norm of z.
void NormMatcher::matchCentered() {
  onnx::NodeOp difference = producer(x, "Sub");
  onnx::NodeOp center = difference ? producer(skipFloatCasts(difference.getInputs()[1]), "ReduceMean") : nullptr;
  if (!center || !reducesLastAxisKept(center))
    return;
  Value z = skipFloatCasts(difference.getInputs()[0]);
  if (skipFloatCasts(center.getInputs()[0]) != z || z.getType() != x.getType())
    return;
  isCentered = true;
  x = z;
}

/// A weight, and behind a layer norm a bias.
void NormMatcher::matchAffine() {
  int64_t features = tensorTypeOf(x).getShape().back();
  auto step = [&](StringRef opType, Value &operand) {
    Value value = result, other;
    onnx::NodeOp node = onlyUser(value);
    auto isValue = [&](Value candidate) { return candidate == value; };
    if (!node || !node.is(opType) || !splitCommutative(node, isValue, other) || !isPerFeature(other, features))
      return;
    operand = other;
    result = node.getResult(0);
  };
  step("Mul", weight);
  if (isCentered && weight)
    step("Add", bias);
}

void NormMatcher::rewrite() {
  Operation *end = result.getDefiningOp();
  OpBuilder builder(end);
  NodeBuilder nodes(builder, end->getLoc());
  int64_t features = tensorTypeOf(x).getShape().back();
  if (weight)
    weight = nodes.reshape(weight, {features});
  if (bias)
    bias = nodes.reshape(bias, {features});
  Value norm;
  if (isCentered)
    norm = nn::LayerNormOp::create(builder, end->getLoc(), x.getType(), x, weight, bias, builder.getF64FloatAttr(eps));
  else
    norm = nn::RmsNormOp::create(builder, end->getLoc(), x.getType(), x, weight, builder.getF64FloatAttr(eps));
  if (norm.getType() != result.getType())
    norm = tensor::CastOp::create(builder, end->getLoc(), result.getType(), norm);
  result.replaceAllUsesWith(norm);
}

namespace {
struct RaiseNorms : moec::impl::RaiseNormsBase<RaiseNorms> {
  void runOnOperation() override {
    SmallVector<onnx::NodeOp> means;
    getOperation().walk([&](onnx::NodeOp node) {
      if (node.is("ReduceMean"))
        means.push_back(node);
    });
    for (onnx::NodeOp node : means) {
      NormMatcher matcher(node);
      if (!matcher.isMeanOfSquares())
        continue;
      if (succeeded(matcher.match()))
        matcher.rewrite();
      else
        node->emitRemark("the normalisation is not raised: ") << matcher.reason();
    }
    eraseUnusedNodes(getOperation());
  }
};
} // namespace
