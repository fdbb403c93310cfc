//===- SparseMixerRouter.cpp - one expert after the other -------------------===//
//
// Accepts, with l the logits [.., E], left = l for the first slot, and a constant b:
//
//   m = ReduceMax(left), i = ArgMax(left), both along the experts and kept
//   far = Greater(Div(Sub(m, l), Max(Abs(l), m)), b)
//   g = GatherElements(Softmax(Where(far, -inf, left)), i)
//   left of the next slot = ScatterElements(left, i, -inf)
//   experts = Concat(i, …), gates = Concat(g, …) (/ their sum) (* constant)
//
// as Phi-MoE selects where nothing is trained.
//
//===----------------------------------------------------------------------===//

#include "LayerMatcher.h"
#include "RoutedRegion.h"
#include "RouterParts.h"
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::raise;

static constexpr double infinity = std::numeric_limits<double>::infinity();

namespace {

class SparseMixerMatcher : public LayerMatcher {
public:
  explicit SparseMixerMatcher(const RoutedSlots &slots) : slots(slots) {}

  LogicalResult match(onnx::NodeOp experts);
  const Router &result() const { return router; }

private:
  LogicalResult matchSlot(Value expert, Value gate, bool isLast);
  LogicalResult matchFar(Value far);
  /// Finds what is left for the next slot.
  LogicalResult takeAway(Value expert);
  bool isLargest(Value value) const;
  bool reducesExperts(onnx::NodeOp node) const;

  const RoutedSlots &slots;
  Router router;
  /// The logits without the experts of the slots so far.
  Value left;
};

} // namespace

LogicalResult SparseMixerMatcher::match(onnx::NodeOp experts) {
  Value joined = slots.gates;
  if (failed(router.matchScaling(joined, why)))
    return failure();
  onnx::NodeOp gates = producer(joined, "Concat");
  if (!gates || !isLastAxis(experts, 0) || !isLastAxis(gates, 0) ||
      static_cast<int64_t>(experts.getInputs().size()) != slots.k ||
      static_cast<int64_t>(gates.getInputs().size()) != slots.k)
    return miss("the expert ids and gates are not joined slot by slot");
  for (auto [slot, expert] : llvm::enumerate(experts.getInputs()))
    if (failed(matchSlot(expert, gates.getInputs()[slot], slot + 1 == experts.getInputs().size())))
      return failure();
  if (slots.k > tensorTypeOf(router.logits).getShape().back() || !std::isfinite(router.bound) || router.bound < 0)
    return miss("the bound of the distances or the number of slots is none that a sparse mixer can have");
  router.select = moe::Select::SparseMixer;
  router.score = moe::Score::Softmax;
  return router.check(why);
}

/// Along the experts, which stay an axis.
bool SparseMixerMatcher::reducesExperts(onnx::NodeOp node) const {
  return node && isSameValue(node.getInputs()[0], left) && node.getInt("keepdims", 1) == 1;
}

bool SparseMixerMatcher::isLargest(Value value) const {
  onnx::NodeOp reduction = producer(skipFloatCasts(value), "ReduceMax");
  return reducesExperts(reduction) && reducesLastAxisKept(reduction);
}

LogicalResult SparseMixerMatcher::matchSlot(Value expert, Value gate, bool isLast) {
  onnx::NodeOp best = producer(skipReshapes(expert), "ArgMax"),
               gather = producer(skipFloatCasts(gate), "GatherElements");
  if (!best || !isLastAxis(best, 0) || best.getInt("select_last_index", 0) != 0)
    return miss("an expert is not the first of the largest logits");
  if (!left) {
    router.logits = left = skipFloatCasts(best.getInputs()[0]);
    RankedTensorType type = tensorTypeOf(left);
    if (!type || type.getRank() < 2 || ShapedType::isDynamic(type.getShape().back()))
      return miss("'" + labelOf(best) + "' does not select among a known number of experts");
  }
  onnx::NodeOp softmax = gather ? producer(skipFloatCasts(gather.getInputs()[0]), "Softmax") : onnx::NodeOp();
  if (!reducesExperts(best) || !softmax || !isLastAxis(gather, 0) || !isLastAxis(softmax, -1) ||
      softmax.getVersion() < 13 || skipReshapes(gather.getInputs()[1]) != best.getResult(0))
    return miss("the gate of an expert is not its part in a softmax");
  onnx::NodeOp where = producer(skipFloatCasts(softmax.getInputs()[0]), "Where");
  if (!where || filledWith(where.getInputs()[1]) != -infinity || !isSameValue(where.getInputs()[2], left) ||
      !getElementTypeOrSelf(where.getResult(0).getType()).isF32())
    return miss("the softmax of '" + labelOf(softmax) + "' is not over the logits that are left");
  if (failed(matchFar(where.getInputs()[0])))
    return failure();
  return isLast ? success() : takeAway(best.getResult(0));
}

LogicalResult SparseMixerMatcher::takeAway(Value expert) {
  for (Operation *user : expert.getUsers()) {
    auto scatter = dyn_cast<onnx::NodeOp>(user);
    if (scatter && scatter.is("ScatterElements") && isSameValue(scatter.getInputs()[0], left) &&
        isLastAxis(scatter, 0) && scatter.getInputs()[1] == expert && filledWith(scatter.getInputs()[2]) == -infinity &&
        scatter.getString("reduction", "none") == "none") {
      left = scatter.getResult(0);
      return success();
    }
  }
  return miss("the logit of an expert is not taken away for the next slot");
}

// Greater(Div(Sub(m, l), Max(Abs(l), m)), b)
LogicalResult SparseMixerMatcher::matchFar(Value far) {
  onnx::NodeOp greater = producer(far);
  while (greater && (greater.is("Cast") || greater.is("Identity")) &&
         getElementTypeOrSelf(greater.getInputs()[0].getType()).isInteger(1))
    greater = producer(greater.getInputs()[0]);
  onnx::NodeOp division = greater && greater.is("Greater") ? producer(greater.getInputs()[0], "Div") : onnx::NodeOp();
  std::optional<double> bound = division ? constantSplat(greater.getInputs()[1]) : std::nullopt;
  if (!bound || !getElementTypeOrSelf(division.getResult(0).getType()).isF32())
    return miss("the softmax does not leave out what is farther from the largest than a constant");
  onnx::NodeOp difference = producer(division.getInputs()[0], "Sub"),
               magnitude = producer(division.getInputs()[1], "Max");
  Value absolute;
  auto isM = [&](Value value) { return isLargest(value); };
  bool isDifference =
      difference && isLargest(difference.getInputs()[0]) && isSameValue(difference.getInputs()[1], router.logits);
  bool isMagnitude = magnitude && magnitude.getInputs().size() == 2 && splitCommutative(magnitude, isM, absolute);
  onnx::NodeOp abs = isMagnitude ? producer(skipFloatCasts(absolute), "Abs") : onnx::NodeOp();
  if (!isDifference || !abs || !isSameValue(abs.getInputs()[0], router.logits))
    return miss("the distance from the largest logit is not (m - l) / max(|l|, m)");
  bool isFirst = router.select != moe::Select::SparseMixer;
  if (!isFirst && router.bound != *bound)
    return miss("the slots have bounds of their own");
  router.select = moe::Select::SparseMixer;
  router.bound = *bound;
  return success();
}

std::optional<Router> raise::matchSparseMixerRouter(const RoutedSlots &slots, const SymbolicShapes &,
                                                    std::string &reason) {
  onnx::NodeOp experts = producer(skipReshapes(slots.experts), "Concat");
  if (!experts)
    return std::nullopt;
  SparseMixerMatcher matcher(slots);
  if (succeeded(matcher.match(experts)))
    return matcher.result();
  reason = matcher.reason().str();
  return std::nullopt;
}
