//===- GpuEntry.h - entry points of GPU kernels -------------------------------===//
//
// The parameters of an entry (moert_kernel_abi.h) and the memrefs they stand for.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_TRANSFORMS_GPUENTRY_H
#define MOEC_LIB_TRANSFORMS_GPUENTRY_H

#include "moec/Dialect/Step/Step.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace moec {

/// One kernel function of a gpu.module, with its parameters turned into what the kernel's body works on.
struct GpuEntry {
  mlir::gpu::GPUFuncOp function;
  /// One per argument of the step.kernel, then one per result: a memref or a scalar.
  llvm::SmallVector<mlir::Value> values;
  mlir::Value workspace, flags, status, taskCount;
};

/// Creates the entry of `kernel` at the builder's insertion point, and leaves the builder at the end of its body, in
/// front of the return.
GpuEntry createGpuEntry(mlir::OpBuilder &builder, step::KernelOp kernel, const step::GpuLaunchShape &shape);

} // namespace moec

#endif // MOEC_LIB_TRANSFORMS_GPUENTRY_H
