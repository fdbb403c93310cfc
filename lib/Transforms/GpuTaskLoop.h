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

/// The shape of every such launch: as few threads as still fill a processor, so that few tasks spread over many.
step::GpuLaunchShape getTaskLoopShape(const step::GpuMachine &machine);

struct GpuTaskLaunch {
  mlir::Value blocks, workspace;
};

/// What the threads of a launch run: tasks of one size, and the scratch memory of each thread (null for none).
struct GpuTasks {
  step::TaskSize size;
  mlir::Value count, scratchBytes;
};

/// The smallest tasks that `op` has. For tasks of TaskSize::Worker count and scratch are those of a processor.
GpuTasks buildTasks(mlir::OpBuilder &builder, step::KernelOpInterface op, mlir::Value workerTasks,
                    mlir::Value workerScratchBytes);

/// The launch for `tasks`: a thread for each, but no more than fill the machine or share a bounded workspace.
GpuTaskLaunch buildTaskLaunch(mlir::OpBuilder &builder, mlir::Location loc, const step::GpuMachine &machine,
                              const GpuTasks &tasks);

/// Emits the loop of one thread over its tasks.
llvm::LogicalResult emitTaskLoop(mlir::OpBuilder &builder, mlir::Location loc, const step::GpuKernelContext &context,
                                 step::KernelOpInterface op, const GpuTasks &tasks, mlir::ValueRange operands,
                                 mlir::ValueRange results);

} // namespace moec

#endif // MOEC_LIB_TRANSFORMS_GPUTASKLOOP_H
