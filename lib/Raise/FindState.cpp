//===- FindState.cpp - inputs and outputs that carry state ------------------===//
//
//   past (an input) ──┐
//   new ──────────────┴─ Concat(axis) ─ present (an output)
//
// A model with a cache takes what one step appended as the input of the next.
//
//===----------------------------------------------------------------------===//

#include "moec/Dialect/Onnx/Onnx.h"
#include "moec/Raise/Passes.h"

namespace moec {
#define GEN_PASS_DEF_FINDSTATE
#include "moec/Raise/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;

namespace {

struct FindState : moec::impl::FindStateBase<FindState> {
  void runOnOperation() override {
    auto entry = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!entry || entry.isExternal())
      return;
    Builder builder(&getContext());
    SmallVector<Attribute> states;
    llvm::SmallDenseSet<unsigned> taken;
    for (auto [output, value] : llvm::enumerate(entry.getBody().back().getTerminator()->getOperands())) {
      auto concat = value.getDefiningOp<onnx::NodeOp>();
      if (!concat || !concat.is("Concat") || concat.getInputs().size() != 2)
        continue;
      auto past = dyn_cast_or_null<BlockArgument>(concat.getInput(0));
      auto type = past ? dyn_cast<RankedTensorType>(past.getType()) : RankedTensorType();
      if (!type || past.getOwner() != &entry.getBody().front() || !taken.insert(past.getArgNumber()).second)
        continue;
      int64_t axis = concat.getInt("axis", 0);
      if (axis < 0)
        axis += type.getRank();
      if (axis < 0 || axis >= type.getRank() || !type.isDynamicDim(axis))
        continue;
      states.push_back(
          builder.getDictionaryAttr({builder.getNamedAttr("input", builder.getI64IntegerAttr(past.getArgNumber())),
                                     builder.getNamedAttr("output", builder.getI64IntegerAttr(output)),
                                     builder.getNamedAttr("axis", builder.getI64IntegerAttr(axis))}));
    }
    if (!states.empty())
      getOperation()->setAttr("moe.states", builder.getArrayAttr(states));
  }
};

} // namespace
