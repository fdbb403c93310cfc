//===- KernelInterface.h - ops that become kernels --------------------------===//
#ifndef MOEC_DIALECT_STEP_KERNELINTERFACE_H
#define MOEC_DIALECT_STEP_KERNELINTERFACE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OpDefinition.h"

namespace moec::step {

/// How much of a kernel's work is a task.
enum class TaskSize {
  Worker, // enough to keep a thread of a processor busy
  Thread, // one element of the result: neighbouring threads of a GPU run neighbouring tasks
};

/// What the emitter of a kernel may know about its surroundings: facts of the machine, and where to report failure.
struct KernelContext {
  /// f32 lanes of a vector register: 8 for AVX2, 16 for AVX-512, 4 for NEON.
  int64_t vectorLanes = 8;
  /// Architectural vector registers: 16 for AVX2, 32 for AVX-512 and NEON.
  int64_t vectorRegisters = 16;
  /// What the tasks are that emitTasks loops over.
  TaskSize taskSize = TaskSize::Worker;
  /// `memref<?xi8>` private to the worker, of the bytes the op asked for; null if it asked for none. 64-byte aligned.
  mlir::Value scratch;
  /// `memref<i32>` that holds MOERT_KERNEL_OK on entry; what it holds at the end is the kernel's status.
  mlir::Value status;
  /// What the arguments of the step.kernel have become, for ops whose regions use values from above.
  const mlir::IRMapping *arguments = nullptr;

  /// Emits `if (!condition) status = code`. Code that would access memory out of bounds must still be prevented from
  /// doing so, for instance by clamping the index.
  void emitCheck(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value condition, int32_t code) const;
};

/// What the tasks of a kernel read of one operand, for traces (moert_task_reads_t). The grid is (slot, block), a slot
/// being a run of at most `rowsPerSlot` rows of one expert; block b reads the bytes [first + b * blockBytes,
/// first + (b + 1) * blockBytes), as far as they lie before `end`, of the `expertBytes` of its expert.
struct TaskReads {
  mlir::OpOperand *operand;
  /// Null where all rows belong to one expert.
  mlir::OpOperand *offsets;
  int64_t experts, blocks, rowsPerSlot;
  int64_t expertBytes, blockBytes, first, end;
};

} // namespace moec::step

#include "moec/Dialect/Step/KernelInterface.h.inc"

#endif // MOEC_DIALECT_STEP_KERNELINTERFACE_H
