//===- LayerMatcher.h - what the matchers of routed layers share ------------===//
#ifndef MOEC_LIB_RAISE_LAYERMATCHER_H
#define MOEC_LIB_RAISE_LAYERMATCHER_H

#include "GraphPatterns.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace moec::raise {

/// Keeps the reason of the first thing that did not match, which is nearest to what makes the layer another one.
class LayerMatcher {
public:
  llvm::StringRef reason() const { return why; }

protected:
  llvm::LogicalResult miss(const llvm::Twine &text) {
    if (why.empty())
      why = text.str();
    return llvm::failure();
  }

  std::string why;
};

/// Lets a recogniser of layers see each function, then erases what it left unused.
inline void raiseLayers(mlir::ModuleOp module, llvm::function_ref<void(mlir::func::FuncOp, WeightBuilder &)> raiseIn) {
  WeightBuilder weights(module);
  for (auto function : module.getOps<mlir::func::FuncOp>())
    raiseIn(function, weights);
  eraseUnusedNodes(module);
}

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_LAYERMATCHER_H
