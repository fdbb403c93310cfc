//===- TopKRouter.cpp - the best experts of each token ----------------------===//
//
// Accepts, with l the logits [.., E], p = Softmax(l), Sigmoid(l), Relu(l) or l itself:
//
//   choice = p (+ bias [E]) (limited to groups)
//   TopK(choice, k) -> values, ids;  for k = 1 also ReduceMax(choice) and ArgMax(choice)
//   gates  = values | GatherElements(p, ids) | Softmax or Sigmoid of (values | GatherElements(l, ids))
//            (Where(a bound on the values, ·, 0)) (/ sum over the slots | / (sum + eps) | / max(sum, eps)) (* constant)
//
// Gates gathered from any other tensor [.., E] become the `mix` operand, and a choice computed in any other way stands
// for logits that are scores already: both are exact.
//
//===----------------------------------------------------------------------===//

#include "LayerMatcher.h"
#include "RoutedRegion.h"
#include "RouterParts.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

namespace {

class TopKMatcher : public LayerMatcher {
public:
  TopKMatcher(const RoutedSlots &slots, const SymbolicShapes &shapes) : slots(slots), shapes(shapes) {}

  LogicalResult match();
  const Router &result() const { return router; }

private:
  LogicalResult matchSelection();
  LogicalResult matchTopK();
  LogicalResult matchArgMax();
  LogicalResult matchSlotBounds(Value &gates);
  LogicalResult matchGateBase(Value gates);
  LogicalResult matchScores();
  bool isSelectedValues(Value value) const;

  const RoutedSlots &slots;
  const SymbolicShapes &shapes;
  Router router;

  onnx::NodeOp selection;
  int64_t expertCount = 0;
  /// The selected experts and, of a TopK, the selected values.
  Value ids, values;
  /// What is selected by.
  Value choice;
  /// Whether the gates are the selected values; else what they are gathered from.
  bool areValues = false;
  Value gathered;
  std::optional<moe::Score> overSelected;
};

} // namespace

LogicalResult TopKMatcher::match() {
  Value gates = slots.gates;
  if (failed(matchSelection()) || failed(router.matchScaling(gates, why)) || failed(matchSlotBounds(gates)) ||
      failed(matchGateBase(gates)) || failed(matchScores()))
    return failure();
  return router.check(why);
}

//===----------------------------------------------------------------------===//
// Selection and gates
//===----------------------------------------------------------------------===//

LogicalResult TopKMatcher::matchSelection() {
  ids = skipViews(slots.experts);
  selection = producer(ids);
  bool isTopK = selection && selection.is("TopK") && cast<OpResult>(ids).getResultNumber() == 1;
  if (!isTopK && !(selection && selection.is("ArgMax")))
    return miss("the expert ids do not come from a TopK");
  RankedTensorType type = tensorTypeOf(selection.getInputs()[0]);
  if (!type || type.getRank() < 2 || ShapedType::isDynamic(type.getShape().back()) ||
      !isa<FloatType>(type.getElementType()))
    return miss("'" + labelOf(selection) + "' does not select among a known number of experts");
  if (!isComputedInF32(type.getElementType()))
    return miss("'" + labelOf(selection) + "' selects more experts than there are, or in double precision");
  expertCount = type.getShape().back();
  choice = skipFloatCasts(selection.getInputs()[0]);
  return isTopK ? matchTopK() : matchArgMax();
}

LogicalResult TopKMatcher::matchTopK() {
  std::optional<SmallVector<int64_t>> count = shapes.constants(selection.getInput(1));
  if (!isLastAxis(selection, -1) || selection.getInt("largest", 1) != 1)
    return miss("'" + labelOf(selection) + "' does not select the largest along the last axis");
  if (!count || count->size() != 1 || count->front() != slots.k)
    return miss("'" + labelOf(selection) + "' selects another number of experts than a token uses");
  if (slots.k > expertCount)
    return miss("'" + labelOf(selection) + "' selects more experts than there are, or in double precision");
  values = selection.getResult(0);
  return success();
}

LogicalResult TopKMatcher::matchArgMax() {
  if (!isLastAxis(selection, 0) || selection.getInt("select_last_index", 0) != 0)
    return miss("'" + labelOf(selection) + "' does not select the largest along the last axis");
  return slots.k == 1 ? success()
                      : miss("'" + labelOf(selection) + "' selects another number of experts than a token uses");
}

bool TopKMatcher::isSelectedValues(Value value) const {
  if (values)
    return value == values;
  onnx::NodeOp reduction = producer(value, "ReduceMax");
  RankedTensorType type = reduction ? tensorTypeOf(reduction.getInputs()[0]) : nullptr;
  std::optional<SmallVector<int64_t>> axes = type ? constantAxes(reduction, type.getRank()) : std::nullopt;
  return axes && *axes == SmallVector<int64_t>{type.getRank() - 1} && isSameValue(reduction.getInputs()[0], choice);
}

// Where(mask, gates, 0)
LogicalResult TopKMatcher::matchSlotBounds(Value &gates) {
  onnx::NodeOp where = producer(gates, "Where");
  if (!where || filledWith(where.getInputs()[2]) != 0.0)
    return success();
  if (!values || !matchSlotBound(where.getInputs()[0], values, router) || selection.getInt("sorted", 1) != 1)
    return miss("'" + labelOf(where) + "' does not bound the values that the TopK selected");
  // A token without experts has gates 0, where the graph would divide 0 by 0.
  if (router.select == moe::Select::Threshold && router.renormalize != moe::Renormalize::None && router.eps == 0)
    return miss("'" + labelOf(where) + "' may leave no expert, whose sum divides the gates");
  gates = skipViews(where.getInputs()[1]);
  return success();
}

LogicalResult TopKMatcher::matchGateBase(Value value) {
  value = skipViews(value);
  if (Scored scored = scoreOf(value); scored.score != moe::Score::Identity && !isSameValue(value, choice)) {
    overSelected = scored.score;
    value = skipViews(scored.logits);
  }
  areValues = isSelectedValues(value);
  if (areValues)
    return success();
  onnx::NodeOp gather = producer(value, "GatherElements");
  if (!gather || skipViews(gather.getInputs()[1]) != ids)
    return miss("the gates are not values that the TopK selected");
  RankedTensorType type = tensorTypeOf(gather.getInputs()[0]), idsType = tensorTypeOf(gather.getInputs()[1]);
  if (!type || !idsType || type.getRank() != idsType.getRank() || type.getShape().back() != expertCount ||
      !isLastAxis(gather, 0))
    return miss("'" + labelOf(gather) + "' does not gather along the experts");
  gathered = skipFloatCasts(gather.getInputs()[0]);
  return success();
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

/// Whether `value` is one number per expert.
static bool isPerExpert(Value value, int64_t expertCount) {
  RankedTensorType type = tensorTypeOf(value);
  return type && type.hasStaticShape() && type.getNumElements() == expertCount && type.getRank() >= 1 &&
         type.getShape().back() == expertCount;
}

LogicalResult TopKMatcher::matchScores() {
  Value whole = choice, scores = choice;
  bool hasBound = router.select != moe::Select::TopK;
  Router limited = router;
  if (!hasBound)
    matchGroups(scores, expertCount, slots.k, shapes, limited);
  onnx::NodeOp add = producer(scores, "Add");
  auto isBias = [&](Value operand) { return isPerExpert(operand, expertCount); };
  if (add && router.select != moe::Select::TopP && splitCommutative(add, isBias, scores)) {
    limited.bias = add.getInputs()[add.getInputs()[0] == scores ? 1 : 0];
    scores = skipFloatCasts(scores);
  }
  // The values are not scores where a bias or a mask of zeros is in them.
  bool areScores = !limited.bias && limited.dropped == moe::Dropped::NegInf;

  if (overSelected) {
    if (hasBound || (!(areValues && areScores) && !(gathered == scores && !areValues)))
      return miss("the score function over the selected experts is not applied to the logits that select them");
    router = limited;
    router.over = moe::Over::Selected;
    router.score = *overSelected;
    router.logits = scores;
    return success();
  }
  if (areValues && !areScores) {
    router.logits = whole;
    return success();
  }
  router = limited;
  if (areValues || gathered == scores) {
    Scored scored = scoreOf(scores);
    router.score = scored.score;
    router.logits = scored.logits;
    return success();
  }
  router.mix = gathered;
  router.logits = scores;
  return success();
}

std::optional<Router> raise::matchTopKRouter(const RoutedSlots &slots, const SymbolicShapes &shapes,
                                             std::string &reason) {
  TopKMatcher matcher(slots, shapes);
  if (succeeded(matcher.match()))
    return matcher.result();
  reason = matcher.reason().str();
  return std::nullopt;
}
