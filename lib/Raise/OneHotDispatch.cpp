//===- OneHotDispatch.cpp - tokens brought to experts by one-hot products ---===//
//
// Accepts, with keep [T, E] and rank as in ExpertCapacity.cpp, rank counted from 0, and C the places of an expert:
//
//   place   = OneHot(Clip(rank, C - 1), C), or Equal to 0, 1, …        [T, E, C]
//   mask    = place * keep                                             [T, E, C]
//   combine = gates * mask (+ 0)
//   rows    = Einsum("tec,th->ech", mask or combine > 0, tokens)
//   result  = Einsum("tec,ech->th", combine, results)
//
//===----------------------------------------------------------------------===//

#include "OneHotDispatch.h"
#include "RoutedRegion.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

/// The value below casts, also from booleans.
static Value skipCasts(Value value) {
  while (onnx::NodeOp cast = producer(value, "Cast"))
    value = cast.getInputs()[0];
  return value;
}

/// The value in front of an Unsqueeze of the last axis.
static Value withoutLastAxis(Value value) {
  onnx::NodeOp unsqueeze = producer(skipCasts(value), "Unsqueeze");
  RankedTensorType type = unsqueeze ? tensorTypeOf(unsqueeze.getResult(0)) : nullptr;
  std::optional<SmallVector<int64_t>> axes = type ? constantAxes(unsqueeze, type.getRank()) : std::nullopt;
  return axes && *axes == SmallVector<int64_t>{type.getRank() - 1} ? unsqueeze.getInputs()[0] : Value();
}

/// The ranks of which `value` [T, E, C] is the one-hot, and the number C of places.
static std::optional<std::pair<Value, int64_t>> matchPlaces(Value value) {
  value = skipCasts(value);
  onnx::NodeOp node = producer(value);
  if (!node || tensorTypeOf(value).getRank() != 3)
    return std::nullopt;
  if (node.is("OneHot")) {
    std::optional<double> depth = filledWith(node.getInputs()[1]);
    std::optional<SmallVector<int64_t>> offOn = constantInts(node.getInputs()[2]);
    bool isLast = normalizeAxis(node.getInt("axis", -1), 3) == 2;
    if (!depth || !isLast || offOn != SmallVector<int64_t>{0, 1})
      return std::nullopt;
    return std::pair(node.getInputs()[0], static_cast<int64_t>(*depth));
  }
  std::optional<SmallVector<int64_t>> places;
  Value ranks;
  auto isPlaces = [&](Value operand) { return (places = constantInts(operand)).has_value(); };
  if (!node.is("Equal") || !splitCommutative(node, isPlaces, ranks) || !(ranks = withoutLastAxis(ranks)) ||
      tensorTypeOf(value).getShape().back() != static_cast<int64_t>(places->size()) ||
      !llvm::equal(*places, llvm::seq<int64_t>(places->size())))
    return std::nullopt;
  return std::pair(ranks, places->size());
}

/// Clip(rank, none or at most 0, C - 1), or the rank itself.
static Value withoutClip(Value ranks, int64_t places) {
  onnx::NodeOp clip = producer(ranks, "Clip");
  if (!clip)
    return ranks;
  bool hasLow = clip.getInput(1) && filledWith(clip.getInput(1)).value_or(1) > 0;
  bool hasHigh = clip.getInput(2) && filledWith(clip.getInput(2)) != static_cast<double>(places - 1);
  return hasLow || hasHigh ? Value() : clip.getInputs()[0];
}

/// Which token has which place of which expert.
static std::optional<Capacity> matchMask(Value mask) {
  onnx::NodeOp product = producer(skipCasts(mask));
  std::optional<std::pair<Value, int64_t>> places;
  Value keep;
  auto isPlaces = [&](Value operand) { return (places = matchPlaces(operand)).has_value(); };
  if (!product || !(product.is("Mul") || product.is("And")) || !splitCommutative(product, isPlaces, keep) ||
      !(keep = withoutLastAxis(keep)))
    return std::nullopt;
  std::optional<Capacity> capacity = matchCapacity(keep);
  Value ranks = withoutClip(places->first, places->second);
  std::optional<ExpertRank> rank = ranks ? matchExpertRank(ranks) : std::nullopt;
  // Ranks from 0, none of those that are kept beyond the last place.
  bool hasPlaces = capacity && rank && rank->ids == capacity->ids && rank->added == -1 &&
                   capacity->tokens <= places->second && tensorTypeOf(capacity->ids).getRank() == 1;
  return hasPlaces ? capacity : std::nullopt;
}

/// An Einsum of two operands whose letters are the given ones in this order: the operand with three letters first.
static bool isEinsum(onnx::NodeOp node, Value &threeAxes, Value &other, StringRef first, StringRef second,
                     StringRef output) {
  std::optional<EinsumEquation> equation = node && node.is("Einsum") ? einsumEquation(node) : std::nullopt;
  if (!equation || equation->inputs.size() != 2)
    return false;
  for (unsigned side : {0, 1}) {
    std::string named = first.str() + second.str() + output.str();
    std::string actual = equation->inputs[side] + equation->inputs[1 - side] + equation->output;
    std::map<char, char> forth, back;
    bool isSame = equation->inputs[side].size() == first.size() && actual.size() == named.size();
    for (size_t i = 0; isSame && i < named.size(); ++i)
      isSame = forth.try_emplace(named[i], actual[i]).first->second == actual[i] &&
               back.try_emplace(actual[i], named[i]).first->second == named[i];
    if (!isSame)
      continue;
    threeAxes = node.getInputs()[side];
    other = node.getInputs()[1 - side];
    return true;
  }
  return false;
}

/// gates [T] * mask, where adding zero changes nothing.
static std::optional<std::pair<Value, Value>> matchGatedMask(Value combine) {
  auto isZero = [](Value value) { return constantSplat(value) == 0.0; };
  Value rest;
  while (onnx::NodeOp add = producer(combine, "Add")) {
    if (!splitCommutative(add, isZero, rest))
      return std::nullopt;
    combine = rest;
  }
  onnx::NodeOp product = producer(combine, "Mul");
  Value gates;
  auto isMask = [](Value value) { return matchMask(value).has_value(); };
  if (!product || !splitCommutative(product, isMask, gates))
    return std::nullopt;
  RankedTensorType type = tensorTypeOf(gates);
  if (type.getRank() != 3 || type.getDimSize(1) != 1 || type.getDimSize(2) != 1)
    return std::nullopt;
  return std::pair(gates, product.getInputs()[product.getInputs()[0] == gates ? 1 : 0]);
}

std::optional<OneHotDispatch> raise::matchOneHotDispatch(Value rows, Value results, const SymbolicShapes &shapes) {
  OneHotDispatch dispatch;
  Value mask, combine, returned;
  dispatch.combined = onlyReader(results);
  if (!isEinsum(producer(rows), mask, dispatch.tokens, "tec", "th", "ech") ||
      !isEinsum(dispatch.combined, combine, returned, "tec", "ech", "th") || returned != results)
    return std::nullopt;
  if (tensorTypeOf(dispatch.tokens).isDynamicDim(1))
    return std::nullopt;
  std::optional<std::pair<Value, Value>> gated = matchGatedMask(combine);
  std::optional<Capacity> capacity = gated ? matchMask(gated->second) : std::nullopt;
  if (!capacity)
    return std::nullopt;
  dispatch.gates = gated->first;
  dispatch.capacity = *capacity;
  // A token with gate 0 may stay away from its place.
  onnx::NodeOp positive = producer(skipCasts(mask), "Greater");
  bool isPositive = positive && positive.getInputs()[0] == combine && constantSplat(positive.getInputs()[1]) == 0.0 &&
                    isNonNegative(dispatch.gates);
  if (!isPositive && skipCasts(mask) != skipCasts(gated->second))
    return std::nullopt;
  // One of each for every token, none repeated for all.
  std::optional<ArrayRef<Extent>> tokens = shapes.extents(dispatch.tokens);
  for (Value perToken : {dispatch.gates, capacity->ids})
    if (std::optional<ArrayRef<Extent>> extents = shapes.extents(perToken);
        !tokens || !extents || extents->front() != tokens->front())
      return std::nullopt;
  return dispatch;
}
