//===- RaiseChosenTokens.cpp - one expert on the tokens it chose ------------===//
//
// Accepts
//
//   scores -> TopK (-> sorted, expanded): index
//   Gather, GatherND or GatherElements of the tokens by index
//     -> products, activation and gates of one expert (ExpertBody.h)
//     -> ScatterND or ScatterElements, reduction add, by the same index
//
// as in Mixture-of-Depths, where the other tokens pass by. The rows that were gathered become tokens of the only
// expert; gather and scatter stay as they are.
//
//===----------------------------------------------------------------------===//

#include "ExpertBody.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Raise/Passes.h"

namespace moec {
#define GEN_PASS_DEF_RAISECHOSENTOKENS
#include "moec/Raise/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::raise;

/// Whether `index` comes from the choice of a TopK among scores.
static bool isChosen(Value index) {
  for (unsigned step = 0; step < 8; ++step) {
    index = skipReshapes(index);
    onnx::NodeOp node = producer(index);
    if (!node || !(node.is("TopK") || node.is("Expand")))
      return false;
    if (node.is("TopK") && isa<FloatType>(getElementTypeOrSelf(node.getInputs()[0].getType())))
      return cast<OpResult>(index).getResultNumber() == 1;
    index = node.getInputs()[0];
  }
  return false;
}

/// The value of one expert in front of a scatter; null if the node is not the scatter of chosen tokens.
static Value outputsOfChosen(onnx::NodeOp scatter, const SymbolicShapes &shapes) {
  if (!(scatter.is("ScatterND") || scatter.is("ScatterElements")) || scatter.getString("reduction", "none") != "add" ||
      !isChosen(scatter.getInputs()[1]))
    return {};
  Value outputs = scatter.getInputs()[2];
  if (onnx::NodeOp slice = producer(outputs, "Slice"))
    outputs = slice.getInputs()[0];
  return resemblesExpertBody(outputs, shapes) ? outputs : Value();
}

static bool isGatheredBy(Value rows, Value index) {
  onnx::NodeOp gather = producer(skipReshapes(rows));
  return gather && (gather.is("Gather") || gather.is("GatherND") || gather.is("GatherElements")) &&
         skipReshapes(gather.getInputs()[1]) == skipReshapes(index);
}

namespace {
struct RaiseChosenTokens : moec::impl::RaiseChosenTokensBase<RaiseChosenTokens> {
  void runOnOperation() override {
    WeightBuilder weights(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      SmallVector<onnx::NodeOp> scatters;
      function.walk([&](onnx::NodeOp node) {
        if (node.is("ScatterND") || node.is("ScatterElements"))
          scatters.push_back(node);
      });
      if (scatters.empty())
        continue;
      SymbolicShapes shapes(function);
      for (onnx::NodeOp scatter : scatters) {
        Value outputs = outputsOfChosen(scatter, shapes);
        std::string reason;
        if (outputs && failed(raise(scatter, outputs, shapes, weights, reason)))
          scatter->emitRemark("an expert on chosen tokens is not raised: ") << reason;
      }
    }
    eraseUnusedNodes(getOperation());
  }

  static LogicalResult raise(onnx::NodeOp scatter, Value outputs, const SymbolicShapes &shapes, WeightBuilder &weights,
                             std::string &reason) {
    std::optional<ExpertBody> body = matchExpertBody(outputs, shapes, reason);
    if (!body)
      return failure();
    if (!body->gate || !isGatheredBy(body->rows, scatter.getInputs()[1])) {
      reason = body->gate ? "its rows are not gathered by the index of the scatter"
                          : "its outputs are not multiplied by gates";
      return failure();
    }
    OpBuilder builder(outputs.getContext());
    builder.setInsertionPointAfterValue(outputs);
    std::optional<RoutedExperts> expert = stackExpertBodies(*body, builder, weights, reason);
    if (!expert || failed(expert->check(weights, {body->rows.getType(), outputs.getType()}, reason)))
      return failure();
    Location loc = outputs.getLoc();
    NodeBuilder nodes(builder, loc);
    Value gates = nodes.cast(nodes.reshape(body->gate, {-1, 1}), builder.getF32Type());
    auto ids = cast<RankedTensorType>(gates.getType()).clone(builder.getI32Type());
    Value shape = nodes.node("Shape", 15, gates, RankedTensorType::get({2}, builder.getI64Type()));
    auto zero = DenseElementsAttr::get(RankedTensorType::get({1}, builder.getI32Type()), int32_t(0));
    Value places = nodes.node("ConstantOfShape", 9, shape, ids, builder.getNamedAttr("value", zero));
    Value y = expert->create(builder, loc, weights, body->rows, places, gates, body->weightOn, "chosen",
                             labelOf(outputs.getDefiningOp<onnx::NodeOp>()));
    outputs.replaceAllUsesWith(nodes.reshapeRows(y, body->rows, cast<RankedTensorType>(outputs.getType())));
    return success();
  }
};
} // namespace
