//===- ExpertCapacity.cpp - experts that take so many tokens and no more ----===//
//
// Accepts, with o the one-hot [(B,) T, E] of ids with one expert per token:
//
//   rank = CumSum(o) along T, inclusive or exclusive (+ or - constants) (* o)
//   mask = o * (rank < constant), And of the two, in either order and with <=
//
//===----------------------------------------------------------------------===//

#include "ExpertCapacity.h"
#include "RoutedRegion.h"
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::raise;

/// The one-hot of ids with one expert per token, with nothing dropped and the experts last.
static std::optional<OneHot> matchWholeOneHot(Value value) {
  onnx::NodeOp node = producer(value);
  while (node && (node.is("Cast") || (node.is("Greater") && filledWith(node.getInputs()[1]) == 0.0))) {
    value = node.getInputs()[0];
    node = producer(value);
  }
  std::optional<OneHot> oneHot = matchOneHot(value);
  int64_t rank = oneHot ? tensorTypeOf(oneHot->ids).getRank() : 0;
  std::optional<int64_t> bound = oneHot ? boundOfIds(oneHot->ids) : std::nullopt;
  if (!oneHot || oneHot->dropped || hasSlotAxis(oneHot->ids) || rank < 1 || rank > 2 || oneHot->expertAxis() != rank ||
      tensorTypeOf(value).getRank() != rank + 1 || !bound || *bound > oneHot->depth)
    return std::nullopt;
  return oneHot;
}

/// A constant whole number.
static std::optional<int64_t> wholeNumber(Value value) {
  std::optional<double> number = filledWith(value);
  bool isWhole = number && std::abs(*number) < (1 << 24) && std::floor(*number) == *number;
  return isWhole ? std::optional(static_cast<int64_t>(*number)) : std::nullopt;
}

/// Whether all ranks that memory has room for are numbers of this type, or so many that no capacity reaches them.
static bool countsTokens(Type type) { return type.isF32() || type.isF64() || type.isInteger(32) || type.isInteger(64); }

std::optional<ExpertRank> raise::matchExpertRank(Value rank) {
  onnx::NodeOp node = producer(rank);
  if (!node || !countsTokens(getElementTypeOrSelf(rank.getType())))
    return std::nullopt;
  if (node.is("Cast") && !getElementTypeOrSelf(node.getInputs()[0].getType()).isInteger(1))
    return matchExpertRank(node.getInputs()[0]);
  if (node.is("CumSum")) {
    std::optional<OneHot> oneHot = matchWholeOneHot(node.getInputs()[0]);
    std::optional<SmallVector<int64_t>> axis = constantInts(node.getInputs()[1]);
    if (!oneHot || !axis || axis->size() != 1 || node.getInt("reverse", 0) != 0)
      return std::nullopt;
    int64_t dimensions = tensorTypeOf(rank).getRank();
    if (normalizeAxis(axis->front(), dimensions) != dimensions - 2)
      return std::nullopt;
    return ExpertRank{oneHot->ids, oneHot->depth, node.getInt("exclusive", 0) != 0 ? -1 : 0};
  }
  Value other;
  std::optional<int64_t> constant;
  auto isConstant = [&](Value value) { return (constant = wholeNumber(value)).has_value(); };
  bool isDifference = node.is("Sub") && isConstant(node.getInputs()[1]);
  if (isDifference || (node.is("Add") && splitCommutative(node, isConstant, other))) {
    std::optional<ExpertRank> input = matchExpertRank(isDifference ? node.getInputs()[0] : other);
    if (input)
      input->added += isDifference ? -*constant : *constant;
    return input;
  }
  // The one-hot is 1 in the column of the expert.
  std::optional<OneHot> oneHot;
  auto isOneHot = [&](Value value) { return (oneHot = matchWholeOneHot(value)).has_value(); };
  if (!node.is("Mul") || !splitCommutative(node, isOneHot, other))
    return std::nullopt;
  std::optional<ExpertRank> input = matchExpertRank(other);
  return input && input->ids == oneHot->ids ? input : std::nullopt;
}

/// rank < constant, rank <= constant.
static std::optional<Capacity> matchBound(Value mask) {
  onnx::NodeOp node = producer(mask);
  while (node && (node.is("Cast") || node.is("Identity")))
    node = producer(node.getInputs()[0]);
  std::optional<Comparison> comparison = matchComparison(node);
  std::optional<ExpertRank> rank = comparison ? matchExpertRank(comparison->smaller) : std::nullopt;
  std::optional<int64_t> bound = comparison ? wholeNumber(comparison->larger) : std::nullopt;
  if (!rank || !bound)
    return std::nullopt;
  return Capacity{rank->ids, rank->depth, *bound - rank->added - (comparison->includesEqual ? 0 : 1)};
}

std::optional<Capacity> raise::matchCapacity(Value mask) {
  onnx::NodeOp node = producer(mask);
  while (node && node.is("Cast"))
    node = producer(node.getInputs()[0]);
  if (!node || !(node.is("Mul") || node.is("And")))
    return std::nullopt;
  Value other;
  std::optional<Capacity> capacity;
  auto isBound = [&](Value value) { return (capacity = matchBound(value)).has_value(); };
  if (!splitCommutative(node, isBound, other) || capacity->tokens < 1)
    return std::nullopt;
  std::optional<OneHot> oneHot = matchWholeOneHot(other);
  return oneHot && oneHot->ids == capacity->ids ? capacity : std::nullopt;
}

Value raise::limitCapacity(OpBuilder &builder, Location loc, const Capacity &capacity) {
  NodeBuilder nodes(builder, loc);
  Value ids = capacity.ids;
  RankedTensorType type = tensorTypeOf(ids);
  SmallVector<int64_t> axes = {type.getRank()};
  SmallVector<int64_t> shape(type.getShape());
  shape.push_back(1);
  if (type.getRank() == 1) {
    shape.insert(shape.begin(), 1);
    axes = {0, 2};
  }
  Value rows =
      nodes.node("Unsqueeze", 13, {ids, nodes.ints(axes)}, RankedTensorType::get(shape, type.getElementType()));
  rows = nodes.cast(rows, builder.getI32Type());
  Value kept = moe::LimitCapacityOp::create(builder, loc, rows, capacity.depth, capacity.tokens);
  return nodes.reshape(kept, {-1, 1});
}
