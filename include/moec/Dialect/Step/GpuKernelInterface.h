//===- GpuKernelInterface.h - ops with a kernel of their own for GPUs -------===//
#ifndef MOEC_DIALECT_STEP_GPUKERNELINTERFACE_H
#define MOEC_DIALECT_STEP_GPUKERNELINTERFACE_H

#include "moec/Dialect/Step/GpuMachine.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OpDefinition.h"

#include <optional>

namespace moec::step {

/// What of a launch is known when the kernel is compiled.
struct GpuLaunchShape {
  /// Threads of a block, a multiple of the warp size.
  int64_t threads = 128;
  /// Dynamic shared memory of a block.
  int64_t sharedBytes = 0;
  /// Whether blocks wait for each other, so that all must be resident together.
  bool needsResidentBlocks = false;
  /// Blocks that should fit a processor together, which bounds the registers of a thread.
  int64_t blocksPerProcessor = 1;
};

/// A launch shape as the attribute `moe.launch` of a kernel's function, and back.
mlir::DictionaryAttr getLaunchAttr(mlir::MLIRContext *context, const GpuLaunchShape &shape);
GpuLaunchShape getLaunchShape(mlir::DictionaryAttr attr);

/// What the emitter of a GPU kernel may know about its surroundings.
struct GpuKernelContext {
  const GpuMachine &machine;
  GpuLaunchShape shape;
  /// What the arguments of the step.kernel have become, for ops whose regions use values from above.
  const mlir::IRMapping &arguments;
  /// Number of this block, number of blocks of the launch, number of this thread in its block; `index`.
  mlir::Value block, blockCount, thread;
  /// `memref<?xi8, #gpu.address_space<workgroup>>`: the shape's sharedBytes, 128-byte aligned; null if it has none.
  mlir::Value shared;
  /// `memref<?xi8>`: what buildWorkspaceBytes asked for, 256-byte aligned, of unspecified contents.
  mlir::Value workspace;
  /// `memref<16384xi32>`, all zero when the launch starts; the kernel leaves it so.
  mlir::Value flags;
  /// `memref<i32>`: the status of the run, only raised by atomic maximum.
  mlir::Value status;
  /// The number of tasks that KernelOpInterface counts, `index`.
  mlir::Value taskCount;

  /// Emits `if (!condition) status = max(status, code)`. Code that would access memory out of bounds must still be
  /// prevented from doing so, for instance by clamping the index.
  void emitCheck(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value condition, int32_t code) const;
};

} // namespace moec::step

#include "moec/Dialect/Step/GpuKernelInterface.h.inc"

#endif // MOEC_DIALECT_STEP_GPUKERNELINTERFACE_H
