//===- GroupedMatmulTask.h - what the forms of a grouped matmul share -------===//
#ifndef MOEC_LIB_CONVERSION_KERNELS_GROUPEDMATMULTASK_H
#define MOEC_LIB_CONVERSION_KERNELS_GROUPEDMATMULTASK_H

#include "LoopEmitter.h"
#include "MatmulTiling.h"

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Step/KernelInterface.h"

namespace moec {

MatmulGrid matmulGrid(moe::GroupedMatmulOp op);

/// The operands of a grouped matmul as memrefs, and the rows of the task being emitted.
struct GroupedMatmulTask {
  GroupedMatmulTask(LoopEmitter &emit, const step::KernelContext &context, moe::GroupedMatmulOp op,
                    mlir::ValueRange operands, mlir::ValueRange results);

  LoopEmitter &emit;
  const step::KernelContext &context;
  moe::GroupedMatmulOp op;
  MatmulGrid grid;
  moe::ActivationAttr activation;
  /// Null where the op lacks the operand.
  mlir::Value x, w, offsets, order, scale, bias, wScales, wZeroPoints, out;
  /// The terms of each sum.
  int64_t inner;

  /// The expert of the task and its places, set by `forSlot`.
  mlir::Value expert, rowBegin, rowEnd;

  /// Emits `body` for the run of rows that is the `slot`-th, if there are that many.
  void forSlot(mlir::Value slot, llvm::function_ref<void()> body);

  struct SourceRow {
    mlir::Value token;
    /// Null for 1.
    mlir::Value factor;
  };
  /// The row of x that belongs to a place. A place with an index out of range sets the status and reads row 0.
  SourceRow sourceRow(mlir::Value place);

private:
  std::pair<mlir::Value, mlir::Value> groupBounds(mlir::Value expert);
};

/// Emit the column blocks [blockBegin, blockEnd) of the task.
void emitPackedMatmul(GroupedMatmulTask &task, mlir::Value blockBegin, mlir::Value blockEnd);
void emitQuantizedMatmul(GroupedMatmulTask &task, mlir::Value blockBegin, mlir::Value blockEnd);
void emitPlainMatmul(GroupedMatmulTask &task, mlir::Value blockBegin, mlir::Value blockEnd);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_KERNELS_GROUPEDMATMULTASK_H
