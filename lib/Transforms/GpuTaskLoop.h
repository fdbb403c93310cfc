//===- GpuTaskLoop.h - tasks of kernel ops as threads of a GPU ----------------===//
//
// How a kernel op without a GPU kernel of its own runs on a GPU: each thread runs tasks one at a time.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_TRANSFORMS_GPUTASKLOOP_H
#define MOEC_LIB_TRANSFORMS_GPUTASKLOOP_H

#include "moec/Dialect/Step/GpuKernelInterface.h"
#include "moec/Dialect/Step/KernelInterface.h"

namespace moec {

/// The shape of every such launch: one warp, so that few tasks still spread over the processors.
step::GpuLaunchShape getTaskLoopShape(const step::GpuMachine &machine);

struct GpuTaskLaunch {
  mlir::Value blocks, workspace;
};

/// The launch for `taskCount` tasks that need `scratchBytes` each (null for none): a thread for each task, but no more
/// than share a bounded workspace.
GpuTaskLaunch buildTaskLaunch(mlir::OpBuilder &builder, mlir::Location loc, const step::GpuMachine &machine,
                              mlir::Value taskCount, mlir::Value scratchBytes);

/// Emits the loop of one thread over its tasks; `scratchBytes` as on the host side.
llvm::LogicalResult emitTaskLoop(mlir::OpBuilder &builder, mlir::Location loc, const step::GpuKernelContext &context,
                                 step::KernelOpInterface op, mlir::ValueRange operands, mlir::ValueRange results,
                                 mlir::Value scratchBytes);

} // namespace moec

#endif // MOEC_LIB_TRANSFORMS_GPUTASKLOOP_H
