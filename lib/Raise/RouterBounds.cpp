//===- RouterBounds.cpp - which slots have an expert ------------------------===//
//
// Accepts, with v the choice values of a token in descending order and constants p and t:
//
//   v[0] + … + v[j] - v[j], or an exclusive CumSum, less than p or at most p
//   v[j] greater than t or at least t
//
// A comparison that includes the bound is the strict one with the next number of f32.
//
//===----------------------------------------------------------------------===//

#include "RouterParts.h"
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::raise;

/// What a mask compares, perhaps negated.
static std::optional<Comparison> comparisonOf(Value mask) {
  bool isNegated = false;
  onnx::NodeOp node = producer(mask);
  while (node && (node.is("Not") || node.is("Identity") || node.is("Cast"))) {
    isNegated ^= node.is("Not");
    node = producer(node.getInputs()[0]);
  }
  std::optional<Comparison> comparison = matchComparison(node);
  // The negation of a > b is b >= a, but for NaN, which no bound leaves out.
  if (comparison && isNegated)
    return Comparison{comparison->smaller, comparison->larger, !comparison->includesEqual};
  return comparison;
}

/// CumSum along the last axis, from the front.
static onnx::NodeOp matchRunningSum(Value value, Value choice, bool isExclusive) {
  onnx::NodeOp sum = producer(value, "CumSum");
  RankedTensorType type = sum ? tensorTypeOf(sum.getResult(0)) : nullptr;
  std::optional<SmallVector<int64_t>> axis = type ? constantInts(sum.getInputs()[1]) : std::nullopt;
  bool isAlongSlots = axis && axis->size() == 1 && normalizeAxis(axis->front(), type.getRank()) == type.getRank() - 1;
  if (!isAlongSlots || sum.getInt("reverse", 0) != 0 || (sum.getInt("exclusive", 0) != 0) != isExclusive ||
      sum.getInputs()[0] != choice)
    return {};
  return sum;
}

/// The sum of the choice values in front of each.
static bool isSumBefore(Value value, Value choice) {
  onnx::NodeOp difference = producer(value, "Sub");
  if (difference)
    return difference.getInputs()[1] == choice && matchRunningSum(difference.getInputs()[0], choice, false);
  return matchRunningSum(value, choice, true) != nullptr;
}

bool raise::matchSlotBound(Value mask, Value choice, Router &router) {
  std::optional<Comparison> comparison = comparisonOf(mask);
  // In narrower types the graph rounds what it compares.
  if (!comparison || !getElementTypeOrSelf(choice.getType()).isF32())
    return false;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  if (std::optional<double> bound = constantSplat(comparison->larger);
      bound && isSumBefore(comparison->smaller, choice)) {
    router.select = moe::Select::TopP;
    router.bound = comparison->includesEqual ? std::nextafter(static_cast<float>(*bound), infinity) : *bound;
    return std::isfinite(router.bound) && router.bound > 0;
  }
  std::optional<double> bound = constantSplat(comparison->smaller);
  if (!bound || comparison->larger != choice)
    return false;
  router.select = moe::Select::Threshold;
  router.bound = comparison->includesEqual ? std::nextafter(static_cast<float>(*bound), -infinity) : *bound;
  return std::isfinite(router.bound);
}
