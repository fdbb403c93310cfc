//===- MatmulEpilogue.h - from the sums of a block to stored results --------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_MATMULEPILOGUE_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_MATMULEPILOGUE_H

#include "GroupedTileSearch.h"
#include "MatmulProducts.h"

namespace moec {

/// The operands of a grouped matmul as pointers to global memory, null where the op lacks one.
struct MatmulOperands {
  mlir::Value x, w, offsets, order, scale, bias, wScales, wZeroPoints, out;
  /// Entries of `order` are less than this, an i32.
  mlir::Value orderLimit;
};

/// Scales the sums, adds the bias, applies the activation and stores, through `shared` memory that nobody uses any
/// more.
void emitMatmulEpilogue(const GpuBlockBuilder &block, const MatmulProblem &problem, const MatmulSchedule &schedule,
                        const MatmulBody &body, const MatmulOperands &operands, const GroupedTile &tile,
                        WarpPosition position, mlir::Value thread, mlir::Value shared, mlir::ValueRange sums);

/// The row of a plain weight, and of its bias, that column `column` of a panel stands for. Gate and linear panels
/// alternate.
mlir::Value plainColumn(const GpuBlockBuilder &block, const MatmulProblem &problem, mlir::Value panel,
                        mlir::Value column);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_MATMULEPILOGUE_H
