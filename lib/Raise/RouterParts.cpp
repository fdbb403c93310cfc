//===- RouterParts.cpp - what recognisers of routers share ------------------===//

#include "RouterParts.h"
#include "RoutedRegion.h"
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::raise;

//===----------------------------------------------------------------------===//
// Router
//===----------------------------------------------------------------------===//

LogicalResult Router::matchScaling(Value &gates, std::string &reason) {
  while (true) {
    gates = skipReshapes(gates);
    onnx::NodeOp node = producer(gates);
    Value other;
    std::optional<double> factor;
    auto isConstant = [&](Value operand) { return (factor = constantSplat(operand)).has_value(); };
    if (node && node.is("Mul") && renormalize == moe::Renormalize::None && splitCommutative(node, isConstant, other)) {
      scale *= *factor;
      gates = other;
    } else if (node && node.is("Div") && renormalize == moe::Renormalize::None) {
      if (failed(matchNormalization(node, gates, reason)))
        return failure();
    } else {
      return success();
    }
  }
}

// The gates by their sum, by (sum + eps), by max(sum, eps).
LogicalResult Router::matchNormalization(onnx::NodeOp division, Value &gates, std::string &reason) {
  Value numerator = division.getInputs()[0], denominator = skipFloatCasts(division.getInputs()[1]);
  onnx::NodeOp node = producer(denominator);
  renormalize = moe::Renormalize::SumPlusEps;
  std::optional<double> lowest;
  auto isConstant = [&](Value operand) { return (lowest = constantSplat(operand)).has_value(); };
  Value sum = denominator;
  if (node && (node.is("Add") || node.is("Max")) && splitCommutative(node, isConstant, sum)) {
    eps = *lowest;
    if (node.is("Max"))
      renormalize = moe::Renormalize::MaxEps;
  } else if (node && node.is("Clip")) {
    lowest = node.getInput(1) ? constantSplat(node.getInput(1)) : std::nullopt;
    if (!lowest || node.getInput(2)) {
      reason = ("'" + labelOf(node) + "' does not bound the sum of the gates from below by a constant").str();
      return failure();
    }
    eps = *lowest;
    renormalize = moe::Renormalize::MaxEps;
    sum = node.getInputs()[0];
  }
  onnx::NodeOp reduction = producer(skipFloatCasts(sum), "ReduceSum");
  if (!reduction || !reducesLastAxisKept(reduction) || !isSameValue(reduction.getInputs()[0], numerator)) {
    reason = ("'" + labelOf(division) + "' does not divide the gates by their sum over the slots").str();
    return failure();
  }
  gates = numerator;
  return success();
}

LogicalResult Router::check(std::string &reason) const {
  if (!std::isfinite(scale) || !std::isfinite(eps) || eps < 0) {
    reason = "the scale or the epsilon of the gates is not a number a router can have";
    return failure();
  }
  for (Value value : {logits, bias, mix})
    if (value && !isComputedInF32(getElementTypeOrSelf(value.getType()))) {
      reason = "the router computes in double precision";
      return failure();
    }
  return success();
}

moe::RouterAttr Router::attribute(MLIRContext *context, int64_t k) const {
  return moe::RouterAttr::get(context, score, over, k, select, groups, keptGroups, groupScore, dropped, renormalize,
                              APFloat(eps), APFloat(scale), APFloat(bound));
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

bool raise::isLastAxis(onnx::NodeOp node, int64_t byDefault) {
  RankedTensorType type = tensorTypeOf(node.getInputs()[0]);
  return type && normalizeAxis(node.getInt("axis", byDefault), type.getRank()) == type.getRank() - 1;
}

Scored raise::scoreOf(Value value) {
  onnx::NodeOp node = producer(value);
  if (!node || !node.getDomain().empty())
    return {moe::Score::Identity, value};
  if (node.is("Sigmoid"))
    return {moe::Score::Sigmoid, skipFloatCasts(node.getInputs()[0])};
  if (node.is("Relu"))
    return {moe::Score::Relu, skipFloatCasts(node.getInputs()[0])};
  if (node.is("Softmax") && isLastAxis(node, node.getVersion() >= 13 ? -1 : 1))
    return {moe::Score::Softmax, skipFloatCasts(node.getInputs()[0])};
  return {moe::Score::Identity, value};
}

Value raise::skipViews(Value value) {
  while (true) {
    value = skipReshapes(value);
    onnx::NodeOp pick = producer(value, "Gather");
    RankedTensorType type = pick ? tensorTypeOf(pick.getInputs()[0]) : nullptr;
    std::optional<int64_t> axis = type ? normalizeAxis(pick.getInt("axis", 0), type.getRank()) : std::nullopt;
    if (!axis || type.getDimSize(*axis) != 1 || filledWith(pick.getInputs()[1]).value_or(1) != 0)
      return value;
    value = pick.getInputs()[0];
  }
}
