//===- ExpandMath.cpp - transcendental functions without a library ----------===//

#include "DoubleFunctions.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "moec/Target/Math/Passes.h"

namespace moec {
#define GEN_PASS_DEF_EXPANDMATH
#include "moec/Target/Math/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;

namespace {

/// Operations that a processor instruction does, or that other passes expand.
bool hasInstruction(StringRef name) {
  static constexpr StringLiteral names[] = {"absf",     "absi",  "ceil",  "copysign", "ctlz",      "ctpop",
                                            "cttz",     "fma",   "floor", "isfinite", "isinf",     "isnan",
                                            "isnormal", "round", "sqrt",  "trunc",    "roundeven", "rsqrt"};
  name.consume_front("math.");
  return llvm::is_contained(names, name);
}

/// An integer becomes an f16 or bf16 by way of f32, as these types are for storage. Where that loses nothing the
/// canonicalizer has taken the way away.
template <typename Op> struct ConvertToNarrowFloatByFloat : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Type result = op.getType(), element = getElementTypeOrSelf(result), single = rewriter.getF32Type();
    if (!element.isF16() && !element.isBF16())
      return rewriter.notifyMatchFailure(op, "the result is not narrow");
    if (auto vector = dyn_cast<VectorType>(result))
      single = vector.clone(single);
    Value number = Op::create(rewriter, op.getLoc(), single, op.getIn());
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, result, number);
    return success();
  }
};

struct ExpandMath : moec::impl::ExpandMathBase<ExpandMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateDoubleFunctionPatterns(patterns);
    patterns.add<ConvertToNarrowFloatByFloat<arith::SIToFPOp>, ConvertToNarrowFloatByFloat<arith::UIToFPOp>>(
        &getContext());
    auto needsExpansion = [](StringRef name) { return !hasInstruction(name); };
    math::populateExpansionPatterns(
        patterns, {"sinh", "cosh", "tan", "asinh", "acosh", "atanh", "powf", "fpowi", "exp2", "rsqrt", "clampf"});
    populateMathF32ExpansionPatterns(patterns, needsExpansion);
    populateMathPolynomialApproximationPatterns(patterns, needsExpansion);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    auto left = getOperation()->walk([](Operation *op) {
      if (!isa_and_present<math::MathDialect>(op->getDialect()) || hasInstruction(op->getName().getStringRef()))
        return WalkResult::advance();
      op->emitOpError("has no expansion for ") << op->getResult(0).getType();
      return WalkResult::interrupt();
    });
    if (left.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
