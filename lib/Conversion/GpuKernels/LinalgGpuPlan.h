//===- LinalgGpuPlan.h - how a linalg op runs on a GPU ------------------------===//
//
// One plan per form of op; what no plan takes runs one element of the output per thread.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_LINALGGPUPLAN_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_LINALGGPUPLAN_H

#include "ElementRuns.h"
#include "LinalgLoops.h"

#include "moec/Dialect/Step/GpuKernelInterface.h"

#include <memory>
#include <optional>

namespace moec {

/// A function of the op's types, maps and payload: host and kernel make the same one.
class LinalgGpuPlan {
public:
  explicit LinalgGpuPlan(mlir::linalg::LinalgOp op) : op(op), maps(op.getIndexingMapsArray()) {}
  virtual ~LinalgGpuPlan() = default;

  virtual step::GpuLaunchShape getLaunchShape() = 0;
  virtual mlir::Value buildBlockCount(const LoopEmitter &host, const step::GpuMachine &machine) = 0;
  virtual void emitBlock(mlir::OpBuilder &builder, mlir::Location loc, const step::GpuKernelContext &context,
                         mlir::ValueRange operands, mlir::ValueRange results) = 0;

protected:
  mlir::linalg::LinalgOp op;
  llvm::SmallVector<mlir::AffineMap> maps;
};

/// No reductions, and operands that lie in runs along the last loop of the output: a thread computes a run.
std::unique_ptr<LinalgGpuPlan> planElementwise(mlir::linalg::LinalgOp op);

/// No reductions: a thread computes an element, neighbouring threads neighbours along `runLoop`.
std::unique_ptr<LinalgGpuPlan> planSingleElements(mlir::linalg::LinalgOp op, int64_t runLoop);

/// No reductions, and inputs that lie along another loop than the output: a block turns a tile.
std::unique_ptr<LinalgGpuPlan> planTranspose(mlir::linalg::LinalgOp op);

/// Products of two tensors of floats, summed up in f32: a block computes a tile.
std::unique_ptr<LinalgGpuPlan> planProduct(mlir::linalg::LinalgOp op);

/// Reductions along which the inputs are contiguous: a warp or a block computes an element of the output.
std::unique_ptr<LinalgGpuPlan> planRowReduction(mlir::linalg::LinalgOp op);

/// The elements of a linalg op's operands inside a kernel, in runs along one loop. A point is the values of all loops.
class LinalgRuns {
public:
  using Values = GpuBlockBuilder::Values;

  /// Without a `runLoop` all operands that have loops are walked as one dimension, and a point has one value.
  LinalgRuns(const GpuBlockBuilder &block, mlir::linalg::LinalgOp op, mlir::ValueRange operands,
             mlir::ValueRange results, std::optional<int64_t> runLoop);

  llvm::SmallVector<mlir::Value> getExtents() const;
  /// `count` elements from `point` on: of an input, or of what an output holds at first (zeros where nobody looks).
  /// Along a run that the operand does not have, and of a scalar, the same one again and again.
  Values load(int64_t operand, llvm::ArrayRef<mlir::Value> point, int64_t count) const;
  void store(int64_t output, mlir::ValueRange values, llvm::ArrayRef<mlir::Value> point) const;
  /// The i-th point of the run.
  llvm::SmallVector<mlir::Value> next(llvm::ArrayRef<mlir::Value> point, int64_t i) const;

private:
  mlir::Value offset(int64_t operand, llvm::ArrayRef<mlir::Value> point) const;

  const GpuBlockBuilder &block;
  LoopEmitter emit;
  mlir::linalg::LinalgOp op;
  int64_t inputs, loops, runLoop;
  /// The result's memory stands for an output.
  llvm::SmallVector<mlir::Value> buffers;
  llvm::SmallVector<mlir::Value> inits;
  llvm::SmallVector<mlir::AffineMap> maps;
  llvm::SmallVector<llvm::SmallVector<mlir::Value>> shapes;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_LINALGGPUPLAN_H
