//===- DecomposeExperts.cpp - a routed layer as its phases ------------------===//

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Transforms/MoePatterns.h"
#include "moec/Transforms/Passes.h"

#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace moec {
#define GEN_PASS_DEF_DECOMPOSEEXPERTS
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

struct DecomposeExpertsPattern : OpRewritePattern<ExpertsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ExpertsOp op, PatternRewriter &rewriter) const override {
    if (op.getW3() && typeOf(op.getW3()).getElementType() != typeOf(op.getW1()).getElementType())
      return rewriter.notifyMatchFailure(op, "gate and linear weights have different element types");

    Location loc = op.getLoc();
    int64_t slots = op.getSelectedCount(), tokens = typeOf(op.getExperts()).getDimSize(0);
    int64_t rows = ShapedType::isDynamic(tokens) ? tokens : tokens * slots;
    Type i32 = rewriter.getI32Type(), element = typeOf(op.getX()).getElementType();
    auto rowIndices = RankedTensorType::get({rows}, i32);
    auto group = GroupOp::create(rewriter, loc, RankedTensorType::get({op.getExpertCount() + 1}, i32), rowIndices,
                                 rowIndices, op.getExperts(), op.getExpertCount());

    bool weightsInput = op.getWeightOn() == WeightOn::Input;
    ActivationAttr activation = op.getActivation();
    Value w = op.getW1(), bias = op.getB1();
    if (op.getW3()) {
      w = tensor::ConcatOp::create(rewriter, loc, /*dim=*/1, ValueRange{op.getW1(), op.getW3()});
      bias = concatBiases(op, rewriter);
      activation = ActivationAttr::get(op.getContext(), activation.getKind(), GateLayout::Concatenated,
                                       activation.getAlpha(), activation.getBeta(), activation.getLimit());
    }
    int64_t columns = typeOf(w).getDimSize(1), inner = typeOf(op.getW2()).getDimSize(2);
    Value gatesOfInput = weightsInput ? op.getGates() : Value(), gatesOfOutput = weightsInput ? Value() : op.getGates();
    auto up = GroupedMatmulOp::create(rewriter, loc, RankedTensorType::get({rows, inner}, element), op.getX(), w,
                                      group.getOffsets(), group.getOrder(), gatesOfInput, bias, columns, slots,
                                      activation, labelOf(op, "up"));

    int64_t outputs = typeOf(op.getW2()).getDimSize(1);
    auto none = ActivationAttr::get(op.getContext(), ActivationKind::Identity, GateLayout::NotGated,
                                    llvm::APFloat(1.0), llvm::APFloat(0.0),
                                    llvm::APFloat::getInf(llvm::APFloat::IEEEdouble()));
    auto down = GroupedMatmulOp::create(rewriter, loc, RankedTensorType::get({rows, outputs}, element), up.getOut(),
                                        op.getW2(), group.getOffsets(), Value(), Value(), op.getB2(), outputs,
                                        /*rows_per_token=*/1, none, labelOf(op, "down"));
    for (Operation *product : {up.getOperation(), down.getOperation()})
      product->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.replaceOpWithNewOp<CombineOp>(op, op.getY().getType(), down.getOut(), group.getInverse(), gatesOfOutput,
                                           slots, labelOf(op, "combine"));
    return success();
  }

private:
  static StringAttr labelOf(ExpertsOp op, StringRef phase) {
    return op.getLabel() ? StringAttr::get(op.getContext(), *op.getLabel() + "/" + phase) : StringAttr();
  }

  /// Biases of the gate and the linear rows, with zeros for one that is not given; null if neither is.
  static Value concatBiases(ExpertsOp op, PatternRewriter &rewriter) {
    Value b1 = op.getB1(), b3 = op.getB3();
    if (!b1 && !b3)
      return {};
    auto type = typeOf(b1 ? b1 : b3);
    if (!b1 || !b3) {
      Value zeros = arith::ConstantOp::create(rewriter, op.getLoc(), rewriter.getZeroAttr(type));
      (b1 ? b3 : b1) = zeros;
    }
    return tensor::ConcatOp::create(rewriter, op.getLoc(), /*dim=*/1, ValueRange{b1, b3});
  }
};

struct DecomposeExperts : moec::impl::DecomposeExpertsBase<DecomposeExperts> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateDecomposeExpertsPatterns(patterns);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace

void moec::populateDecomposeExpertsPatterns(RewritePatternSet &patterns) {
  patterns.add<DecomposeExpertsPattern>(patterns.getContext());
}
