//===- MatmulTiles.h - operand tiles of a matmul in shared memory -----------===//
//
// A stage of shared memory holds what one step multiplies: the weight of the block's columns, then the rows of x. Both
// lie as rows of 16-byte chunks that are permuted within lines of 128 bytes, so that what a warp reads at once lies in
// different banks.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_MATMULTILES_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_MATMULTILES_H

#include "GpuBlockBuilder.h"
#include "MatmulSchedule.h"

namespace moec {

/// Where the chunks of a row lie.
struct TileLayout {
  /// 32, 64 or 128.
  int64_t rowBytes;
  /// Whether chunks move in pairs, for rows that are read by f32 elements across four rows.
  bool movesPairs = false;

  /// The byte offset of a 16-byte chunk, and of any byte of a row.
  mlir::Value chunk(const GpuBlockBuilder &block, mlir::Value row, mlir::Value chunk) const;
  mlir::Value byte(const GpuBlockBuilder &block, mlir::Value row, mlir::Value byte) const;
};

TileLayout weightLayout(const MatmulProblem &problem, const MatmulSchedule &schedule);
TileLayout tokenLayout(const MatmulProblem &problem);

/// What the threads of a block copy of one operand, step by step.
class TileCopy {
public:
  virtual ~TileCopy() = default;
  /// Begins the copy of step `step` to `target` in shared memory. What lies outside the operand becomes zero.
  virtual void emit(mlir::Value step, mlir::Value target) const = 0;
};

/// A row of a row-major operand: its first byte, and whether it exists; where it does not, the address is of any row.
struct TileRow {
  mlir::Value pointer, exists;
};

/// `rows` rows that `locate` finds, `innerBytes` long, of which a step takes as much as a row of the layout holds.
std::unique_ptr<TileCopy> makeRowCopy(const GpuBlockBuilder &block, mlir::Value thread, int64_t rows,
                                      int64_t innerBytes, TileLayout layout,
                                      llvm::function_ref<TileRow(mlir::Value row)> locate);

/// The panels from `firstPanel` on, of the `panels` that begin at `weight`.
std::unique_ptr<TileCopy> makePanelCopy(const GpuBlockBuilder &block, mlir::Value thread, const MatmulProblem &problem,
                                        const MatmulSchedule &schedule, mlir::Value weight, mlir::Value firstPanel);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_MATMULTILES_H
