//===- ExpandMath.cpp - transcendental functions without a library ----------===//

#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "moec/Target/Cpu/Passes.h"
#include "llvm/ADT/StringSet.h"

namespace moec {
#define GEN_PASS_DEF_EXPANDMATH
#include "moec/Target/Cpu/Passes.h.inc"
} // namespace moec

using namespace mlir;

namespace {

/// Operations that a processor instruction does, or that other passes expand.
bool hasInstruction(StringRef name) {
  static const llvm::StringSet<llvm::MallocAllocator> names = {"math.absf",  "math.absi",  "math.ceil",      "math.floor", "math.fma",
                                          "math.round", "math.sqrt",  "math.roundeven", "math.trunc", "math.copysign",
                                          "math.rsqrt", "math.ctpop", "math.isnan",     "math.isinf", "math.isfinite",
                                          "math.ctlz",  "math.cttz",  "math.isnormal"};
  return names.contains(name);
}

struct ExpandMath : moec::impl::ExpandMathBase<ExpandMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    auto needsExpansion = [](StringRef name) { return !hasInstruction(("math." + name).str()) && !hasInstruction(name); };
    math::populateExpansionPatterns(patterns, {"sinh", "cosh", "tan", "asinh", "acosh", "atanh", "powf", "fpowi", "exp2",
                                               "rsqrt", "clampf"});
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
