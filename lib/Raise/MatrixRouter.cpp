//===- MatrixRouter.cpp - every expert whose score exceeds a bound ----------===//
//
// Accepts, for gates [T, E] of all experts, of which those with gate 0 are left out of the layer:
//
//   gates = Relu(l) | Where(Greater(s, t), s or another tensor, 0)
//           (/ (sum + eps) | / max(sum, eps)) (* constant)
//
// with a constant t and s = Softmax(l), Sigmoid(l), Relu(l) or l itself. Experts beyond the bound with gate 0 add
// nothing, whether they are left out or not.
//
//===----------------------------------------------------------------------===//

#include "RoutedRegion.h"
#include "RouterParts.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

/// Whether every expert is a slot, but where its gate is 0: Where(Equal(gates, 0), -1, [0, 1, …]).
static bool areExpertsWithGates(const RoutedSlots &slots) {
  onnx::NodeOp where = producer(slots.experts, "Where");
  onnx::NodeOp equal = where ? producer(where.getInputs()[0], "Equal") : onnx::NodeOp();
  Value gates;
  auto isZero = [](Value value) { return constantSplat(value) == 0.0; };
  std::optional<SmallVector<int64_t>> all = where ? constantInts(where.getInputs()[2]) : std::nullopt;
  return equal && all && static_cast<int64_t>(all->size()) == slots.k && llvm::equal(*all, llvm::seq(slots.k)) &&
         filledWith(where.getInputs()[1]) == -1.0 && splitCommutative(equal, isZero, gates) && gates == slots.gates;
}

static LogicalResult matchGates(Value gates, Router &router, std::string &reason) {
  onnx::NodeOp node = producer(gates);
  if (node && node.is("Relu")) {
    router.select = moe::Select::Threshold;
    router.score = moe::Score::Relu;
    router.logits = skipFloatCasts(node.getInputs()[0]);
    return success();
  }
  onnx::NodeOp mask = node && node.is("Where") ? producer(node.getInputs()[0]) : onnx::NodeOp();
  if (!mask || mask.getInputs().size() != 2 || filledWith(node.getInputs()[2]) != 0.0) {
    reason = "the gates of all experts are neither bounded scores nor what a ReLU leaves";
    return failure();
  }
  Value scores = mask.getInputs()[constantSplat(mask.getInputs()[0]) ? 1 : 0];
  if (!matchSlotBound(node.getInputs()[0], scores, router) || router.select != moe::Select::Threshold) {
    reason = ("'" + labelOf(mask) + "' does not compare scores with a constant").str();
    return failure();
  }
  Scored scored = scoreOf(skipFloatCasts(scores));
  router.score = scored.score;
  router.logits = scored.logits;
  if (!isSameValue(node.getInputs()[1], scores))
    router.mix = skipFloatCasts(node.getInputs()[1]);
  return success();
}

std::optional<Router> raise::matchMatrixRouter(const RoutedSlots &slots, const SymbolicShapes &shapes,
                                               std::string &reason) {
  if (!areExpertsWithGates(slots))
    return std::nullopt;
  Router router;
  Value gates = slots.gates;
  if (failed(router.matchScaling(gates, reason)) || failed(matchGates(gates, router, reason)))
    return std::nullopt;
  // A token without experts has gates 0, where the graph would divide 0 by 0.
  if (router.renormalize != moe::Renormalize::None && router.eps == 0) {
    reason = "the bound may leave no expert, whose sum divides the gates";
    return std::nullopt;
  }
  for (Value matrix : {router.logits, router.mix}) {
    if (!matrix)
      continue;
    std::optional<ArrayRef<Extent>> extents = shapes.extents(matrix), expected = shapes.extents(gates);
    if (!extents || !expected || *extents != *expected || extents->back() != Extent(slots.k)) {
      reason = "the scores are not one for each token and expert";
      return std::nullopt;
    }
  }
  return failed(router.check(reason)) ? std::nullopt : std::optional(router);
}
