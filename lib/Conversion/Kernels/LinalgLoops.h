//===- LinalgLoops.h - loops and payload of linalg ops on memrefs -----------===//
//
// What all targets emit in the same way: extents of the loops, where an operand is accessed, and the scalar payload.
// The operands are those of a kernel: memrefs, scalars, or null for an init that is not read.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_KERNELS_LINALGLOOPS_H
#define MOEC_LIB_CONVERSION_KERNELS_LINALGLOOPS_H

#include "LoopEmitter.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"

namespace moec {

/// Whether consecutive values of `loop` address consecutive elements of the operand, or the same one.
bool isContiguousAlong(mlir::AffineMap map, mlir::ShapedType type, int64_t loop);

/// The parallel loops in the order of the first output, then those that it does not show (none for well-formed ops).
llvm::SmallVector<int64_t> getParallelLoops(mlir::linalg::LinalgOp op);

/// The extent of every loop, read off the shapes of `operands`, one per operand of the op; null where none shows it.
llvm::SmallVector<mlir::Value> getLoopExtents(const LoopEmitter &emit, mlir::linalg::LinalgOp op,
                                              mlir::ValueRange operands);

/// The indices that `map` gives at these values of the loops. Loops that it does not use may have none yet.
llvm::SmallVector<mlir::Value> applyIndexingMap(const LoopEmitter &emit, mlir::AffineMap map,
                                                llvm::ArrayRef<mlir::Value> loops);

/// Emits the payload at one point and returns what it yields. `elements` are the values of its arguments, `arguments`
/// stands for values of the kernel from above.
llvm::SmallVector<mlir::Value> emitLinalgPayload(const LoopEmitter &emit, mlir::linalg::LinalgOp op,
                                                 const mlir::IRMapping &arguments, mlir::ValueRange elements,
                                                 llvm::ArrayRef<mlir::Value> loops);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_KERNELS_LINALGLOOPS_H
