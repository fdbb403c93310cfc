//===- LinalgReduction.h - sums of linalg ops in vector registers -----------===//
#ifndef MOEC_LIB_CONVERSION_KERNELS_LINALGREDUCTION_H
#define MOEC_LIB_CONVERSION_KERNELS_LINALGREDUCTION_H

#include "moec/Dialect/Step/KernelInterface.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <optional>

namespace moec {

/// How a linalg op with reductions over f32 is computed with sums in vector registers: a tile of them holds several
/// indices of `tileLoop` times one or more vectors along `vectorLoop`. It follows from the op alone.
struct LinalgReduction {
  /// The loop whose consecutive indices are the lanes. All operands are contiguous or constant along it.
  int64_t vectorLoop;
  /// Whether the lanes are terms of the same sum and are folded at its end, in an order that depends on the extent
  /// alone.
  bool lanesAreTerms;
  /// Another parallel loop. Operands that do not depend on it are read once for the whole tile.
  std::optional<int64_t> tileLoop;
  /// The other parallel loops, in the order of the output.
  llvm::SmallVector<int64_t> outerLoops;

  /// Null if the op is no such reduction.
  static std::optional<LinalgReduction> match(mlir::linalg::LinalgOp op);

  mlir::Value buildTaskCount(mlir::OpBuilder &builder, mlir::Location loc, mlir::linalg::LinalgOp op,
                             mlir::ValueRange operands) const;
  /// The operands are those of a kernel: memrefs, scalars, or null for an init that is not read.
  void emitTasks(mlir::OpBuilder &builder, mlir::Location loc, mlir::linalg::LinalgOp op,
                 const step::KernelContext &context, mlir::ValueRange operands, mlir::ValueRange results,
                 mlir::Value begin, mlir::Value end) const;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_KERNELS_LINALGREDUCTION_H
