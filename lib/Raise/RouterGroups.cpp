//===- RouterGroups.cpp - groups of experts of which the best are kept ------===//
//
// Accepts: choice as [T, G, E/G] -> the sum of its two largest or its largest per group -> TopK of groups ->
// ScatterElements of ones into zeros -> repeated to [T, E] -> Where(kept, choice, -inf or 0).
//
//===----------------------------------------------------------------------===//

#include "RoutedRegion.h"
#include "RouterParts.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

// The largest score of a group, or the sum of its two largest.
static bool matchGroupScore(Value value, Value scores, int64_t expertCount, const SymbolicShapes &shapes,
                            Router &router) {
  onnx::NodeOp reduction = producer(skipFloatCasts(value));
  if (!reduction || !(reduction.is("ReduceMax") || reduction.is("ReduceSum")))
    return false;
  Value grouped = skipFloatCasts(reduction.getInputs()[0]);
  std::optional<ArrayRef<Extent>> extents = shapes.extents(grouped);
  std::optional<SmallVector<int64_t>> axes = extents ? constantAxes(reduction, extents->size()) : std::nullopt;
  if (!axes || axes->size() != 1 || axes->front() != static_cast<int64_t>(extents->size()) - 1)
    return false;
  router.groupScore = moe::GroupScore::Max;
  if (reduction.is("ReduceSum")) {
    onnx::NodeOp topTwo = producer(grouped, "TopK");
    std::optional<SmallVector<int64_t>> two = topTwo ? shapes.constants(topTwo.getInput(1)) : std::nullopt;
    if (!two || two->size() != 1 || two->front() != 2 || grouped != topTwo.getResult(0) ||
        topTwo.getInt("largest", 1) != 1)
      return false;
    grouped = topTwo.getInputs()[0];
    extents = shapes.extents(grouped);
    if (!extents ||
        normalizeAxis(topTwo.getInt("axis", -1), extents->size()) != static_cast<int64_t>(extents->size()) - 1)
      return false;
    router.groupScore = moe::GroupScore::Top2Sum;
  }
  return extents->size() >= 2 && extents->back() == Extent(expertCount / router.groups) &&
         (*extents)[extents->size() - 2] == Extent(router.groups) && skipReshapes(grouped) == skipReshapes(scores);
}

// A boolean [T, E] that is true for the experts of kept (or dropped) groups.
static bool matchKeptGroups(Value mask, bool isKept, Value scores, int64_t expertCount, int64_t k,
                            const SymbolicShapes &shapes, Router &router) {
  onnx::NodeOp node = producer(mask);
  auto isZero = [](Value operand) { return constantSplat(operand) == 0.0; };
  Value number = mask;
  while (node && getElementTypeOrSelf(number.getType()).isInteger(1)) {
    if (node.is("Not")) {
      isKept = !isKept;
      number = node.getInputs()[0];
    } else if (node.is("Equal") && splitCommutative(node, isZero, number)) {
      isKept = !isKept;
    } else if (node.is("Cast") || node.is("Identity")) {
      number = node.getInputs()[0];
    } else {
      return false;
    }
    node = producer(number);
  }
  number = skipReshapes(number);
  onnx::NodeOp expand = producer(number, "Expand");
  if (!isKept || !expand)
    return false;
  std::optional<ArrayRef<Extent>> from = shapes.extents(expand.getInputs()[0]), to = shapes.extents(number);
  if (!from || !to || from->size() < 2 || from->size() != to->size() || !from->back().isOne() ||
      from->drop_back() != to->drop_back())
    return false;
  std::optional<int64_t> groupCount = (*to)[to->size() - 2].constant(), groupSize = to->back().constant();
  onnx::NodeOp scatter = producer(skipReshapes(expand.getInputs()[0]), "ScatterElements");
  if (!groupCount || !groupSize || *groupCount * *groupSize != expertCount || !scatter ||
      scatter.getString("reduction", "none") != "none")
    return false;
  std::optional<ArrayRef<Extent>> groupShape = shapes.extents(scatter.getResult(0));
  if (!groupShape || groupShape->back() != Extent(*groupCount) ||
      normalizeAxis(scatter.getInt("axis", 0), groupShape->size()) != static_cast<int64_t>(groupShape->size()) - 1 ||
      filledWith(scatter.getInputs()[0]) != 0.0 || filledWith(scatter.getInputs()[2]) != 1.0)
    return false;
  onnx::NodeOp groupTopK = producer(skipReshapes(scatter.getInputs()[1]), "TopK");
  std::optional<SmallVector<int64_t>> kept = groupTopK ? shapes.constants(groupTopK.getInput(1)) : std::nullopt;
  if (!kept || kept->size() != 1 || skipReshapes(scatter.getInputs()[1]) != groupTopK.getResult(1) ||
      groupTopK.getInt("largest", 1) != 1 || kept->front() * *groupSize < k || kept->front() < 1 ||
      kept->front() > *groupCount)
    return false;
  std::optional<ArrayRef<Extent>> scoreShape = shapes.extents(groupTopK.getInputs()[0]);
  if (!scoreShape || scoreShape->back() != Extent(*groupCount) ||
      normalizeAxis(groupTopK.getInt("axis", -1), scoreShape->size()) != static_cast<int64_t>(scoreShape->size()) - 1)
    return false;
  router.groups = *groupCount;
  router.keptGroups = kept->front();
  return matchGroupScore(groupTopK.getInputs()[0], scores, expertCount, shapes, router);
}

bool raise::matchGroups(Value &choice, int64_t expertCount, int64_t k, const SymbolicShapes &shapes, Router &router) {
  onnx::NodeOp where = producer(choice, "Where");
  if (!where)
    return false;
  bool isKept = constantSplat(where.getInputs()[2]).has_value();
  std::optional<double> fill = constantSplat(where.getInputs()[isKept ? 2 : 1]);
  Value scores = skipFloatCasts(where.getInputs()[isKept ? 1 : 2]);
  if (!fill || (*fill != 0 && *fill != -std::numeric_limits<double>::infinity()))
    return false;
  Router found;
  if (!matchKeptGroups(where.getInputs()[0], isKept, scores, expertCount, k, shapes, found))
    return false;
  // All groups kept are no limit.
  if (found.keptGroups < found.groups) {
    router.select = moe::Select::GroupLimited;
    router.groups = found.groups;
    router.keptGroups = found.keptGroups;
    router.groupScore = found.groupScore;
    router.dropped = *fill == 0 ? moe::Dropped::Zero : moe::Dropped::NegInf;
  }
  choice = scores;
  return true;
}
