//===- FuseElementwise.cpp - one pass over memory for several ops -----------===//

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/CastInterfaces.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "moec/Transforms/Passes.h"

namespace moec {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

using namespace mlir;

namespace {

/// Whether the consumer reads each element of the operand once.
bool readsOnce(OpOperand &operand) {
  auto consumer = cast<linalg::LinalgOp>(operand.getOwner());
  AffineMap map = consumer.getMatchingIndexingMap(&operand);
  SmallVector<int64_t> ranges = consumer.getStaticLoopRanges();
  llvm::SmallBitVector used(map.getNumDims());
  for (AffineExpr result : map.getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(result))
      used.set(dim.getPosition());
  return llvm::all_of(llvm::seq<size_t>(0, ranges.size()), [&](size_t loop) { return used[loop] || ranges[loop] == 1; });
}

/// Whether a value of the producer costs no more than the read it replaces: moved or converted.
bool isFree(linalg::LinalgOp producer) {
  return llvm::all_of(producer->getRegion(0).front().without_terminator(), [](Operation &op) {
    return isa<CastOpInterface, linalg::IndexOp, arith::ConstantOp>(op);
  });
}

bool shouldFuse(OpOperand *operand) {
  Operation *producer = operand->get().getDefiningOp();
  if (!producer || !producer->hasOneUse())
    return false;
  auto linalgProducer = dyn_cast<linalg::LinalgOp>(producer);
  if (!linalgProducer || !isa<linalg::LinalgOp>(operand->getOwner()))
    return true;
  return isFree(linalgProducer) || readsOnce(*operand);
}

struct FuseElementwise : moec::impl::FuseElementwiseBase<FuseElementwise> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    linalg::populateElementwiseOpsFusionPatterns(patterns, shouldFuse);
    linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, shouldFuse);
    linalg::populateConstantFoldLinalgOperations(patterns, shouldFuse);
    affine::AffineApplyOp::getCanonicalizationPatterns(patterns, context);
    linalg::GenericOp::getCanonicalizationPatterns(patterns, context);
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
    context->getLoadedDialect<linalg::LinalgDialect>()->getCanonicalizationPatterns(patterns);
    // A chain is fused from its start, each op once.
    (void)applyPatternsGreedily(getOperation(), std::move(patterns), GreedyRewriteConfig().setUseTopDownTraversal());
  }
};

} // namespace
