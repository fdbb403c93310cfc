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

struct ExpandMath : moec::impl::ExpandMathBase<ExpandMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateDoubleFunctionPatterns(patterns);
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
