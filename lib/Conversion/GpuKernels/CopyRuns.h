//===- CopyRuns.h - data movement in runs of up to 16 bytes -------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_COPYRUNS_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_COPYRUNS_H

#include "ElementRuns.h"
#include "UnitLoop.h"

#include "moert/moert_kernel_abi.h"

namespace moec {

/// A number that divides the product of the dimensions [from, to) whatever the dynamic ones are.
int64_t getKnownFactor(llvm::ArrayRef<int64_t> shape, int64_t from, int64_t to);

/// Where an index points within `extent`, and whether it may be used. A negative one counts from the end; one out of
/// range is reported.
std::pair<mlir::Value, mlir::Value> loadIndex(const GpuBlockBuilder &block, const step::GpuKernelContext &context,
                                              mlir::Value indices, mlir::Value position, mlir::Value extent);

/// Moves the runs of `copy` unless a condition is not met, which is reported.
template <typename Copy>
void emitCheckedRuns(const GpuBlockBuilder &block, const step::GpuKernelContext &context, const Copy &copy,
                     mlir::Value result) {
  LoopEmitter emit(block.builder, block.loc);
  mlir::Value runs = copy.buildRunCount();
  for (mlir::Value condition : copy.buildConditions()) {
    if (mlir::isConstantIntValue(condition, 1))
      continue;
    context.emitCheck(block.builder, block.loc, condition, MOERT_KERNEL_BAD_VALUE);
    runs = emit.select(condition, runs, emit.index(0));
  }
  emitUnitLoop(emit, context, runs, [&](mlir::Value run) { copy.emitRun(block, context, result, run); });
}

/// Neighbouring elements that always move together. `Derived(op, emit, operands)` is made on the host, with tensors,
/// and in the kernel, and has:
///   static int64_t getWidth(OpTy)          elements of a run
///   Value buildRunCount()                  runs that move
///   SmallVector<Value> buildConditions()   what the operands must meet lest nothing moves
///   void emitRun(const GpuBlockBuilder &, const GpuKernelContext &, Value result, Value run)
/// Where elements move one by one the op is left to its tasks.
template <typename OpTy, typename Derived>
struct CopyGpuKernel : step::GpuKernelOpInterface::ExternalModel<CopyGpuKernel<OpTy, Derived>, OpTy> {
  std::optional<step::GpuLaunchShape> getLaunchShape(mlir::Operation *op, const step::GpuMachine &) const {
    return Derived::getWidth(llvm::cast<OpTy>(op)) > 1 ? std::optional(getUnitLaunchShape()) : std::nullopt;
  }

  mlir::Value buildBlockCount(mlir::Operation *op, mlir::OpBuilder &builder, mlir::Location loc,
                              const step::GpuMachine &machine) const {
    LoopEmitter host(builder, loc);
    Derived copy(llvm::cast<OpTy>(op), host, op->getOperands());
    return buildUnitBlockCount(host, machine, copy.buildRunCount());
  }

  llvm::LogicalResult emitBlock(mlir::Operation *op, mlir::OpBuilder &builder, mlir::Location loc,
                                const step::GpuKernelContext &context, mlir::ValueRange operands,
                                mlir::ValueRange results) const {
    LoopEmitter emit(builder, loc);
    Derived copy(llvm::cast<OpTy>(op), emit, operands);
    emitCheckedRuns(GpuBlockBuilder(builder, loc), context, copy, results[0]);
    return mlir::success();
  }
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_COPYRUNS_H
