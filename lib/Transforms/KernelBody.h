//===- KernelBody.h - what the bodies of kernels become on memrefs ------------===//
#ifndef MOEC_LIB_TRANSFORMS_KERNELBODY_H
#define MOEC_LIB_TRANSFORMS_KERNELBODY_H

#include "moec/Dialect/Step/Step.h"

namespace moec {

/// What an argument or a result of a kernel on tensors is in code: a dense memref, or the scalar itself.
mlir::Type getBufferType(mlir::Type type);

/// Emits one op of a kernel: operands as KernelOpInterface::emitTasks gets them.
using KernelOpEmitter = llvm::function_ref<llvm::LogicalResult(mlir::Operation *op, mlir::ValueRange operands)>;

/// Walks the body of a kernel whose arguments are mapped: constants are cloned, a destination becomes null or the
/// scalar it is filled with, `emit` gets the ops that compute.
llvm::LogicalResult emitKernelBody(step::KernelOp kernel, mlir::OpBuilder &builder, mlir::IRMapping &mapping,
                                   KernelOpEmitter emit);

} // namespace moec

#endif // MOEC_LIB_TRANSFORMS_KERNELBODY_H
