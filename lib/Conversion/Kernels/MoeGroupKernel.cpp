//===- MoeGroupKernel.cpp - moe.group as a kernel ---------------------------===//
//
// A stable counting sort in a single task: count, sum up, place. Its time is that of a few operations per routed row.
//
//===----------------------------------------------------------------------===//

#include "LoopEmitter.h"
#include "MoeKernels.h"

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Step/KernelInterface.h"
#include "moert/moert_kernel_abi.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

struct GroupKernel : step::KernelOpInterface::ExternalModel<GroupKernel, GroupOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return arith::ConstantIndexOp::create(builder, loc, 1);
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    auto group = cast<GroupOp>(op);
    LoopEmitter emit(builder, loc);
    Value tokens = emit.make<tensor::DimOp>(group.getExperts(), 0);
    Value slots = emit.make<tensor::DimOp>(group.getExperts(), 1);
    return emit.add(emit.mul(emit.mul(tokens, slots), 4), int64_t(2 * group.getExpertCount()));
  }

  Value buildScratchBytes(Operation *op, OpBuilder &builder, Location loc) const {
    return arith::ConstantIndexOp::create(builder, loc, 4 * cast<GroupOp>(op).getExpertCount());
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    LoopEmitter emit(builder, loc);
    int64_t expertCount = cast<GroupOp>(op).getExpertCount();
    Value ids = operands[0], offsets = results[0], order = results[1], inverse = results[2];
    auto nextType = MemRefType::get({expertCount}, builder.getI32Type());
    Value next = emit.make<memref::ViewOp>(nextType, context.scratch, emit.index(0), ValueRange());
    Value zero = emit.index(0), none = emit.integer(-1), one = emit.integer(1);
    Value slots = emit.dim(ids, 1), rows = emit.mul(emit.dim(ids, 0), slots), experts = emit.index(expertCount);

    auto increment = [&](Value memref, Value at) {
      Value old = emit.load(memref, at);
      emit.store(emit.add(old, one), memref, at);
      return old;
    };
    /// Calls `body(id)` for the rows that have an expert.
    auto forRoutedRows = [&](llvm::function_ref<void(Value, Value)> routed, llvm::function_ref<void(Value)> visit) {
      emit.loop(zero, rows, 1, [&](Value row) {
        visit(row);
        Value id = emit.toIndex(emit.load(ids, {emit.div(row, slots), emit.rem(row, slots)}));
        Value isExpert = emit.make<arith::CmpIOp>(arith::CmpIPredicate::ult, id, experts);
        emit.ifThen(isExpert, [&] { routed(row, id); });
      });
    };

    emit.loop(begin, end, 1, [&](Value) {
      emit.loop(zero, experts, 1, [&](Value e) { emit.store(emit.integer(0), next, e); });
      forRoutedRows([&](Value, Value id) { increment(next, id); },
                    [&](Value row) {
                      Value id = emit.load(ids, {emit.div(row, slots), emit.rem(row, slots)});
                      Value shifted = emit.add(id, one);
                      Value valid = emit.make<arith::CmpIOp>(arith::CmpIPredicate::ule, shifted,
                                                             emit.integer(expertCount));
                      context.emitCheck(builder, loc, valid, MOERT_KERNEL_INDEX_OUT_OF_RANGE);
                    });
      Value total = emit.loop(zero, experts, 1, emit.integer(0), [&](Value e, ValueRange sum) -> SmallVector<Value> {
        Value count = emit.load(next, e);
        emit.store(sum[0], offsets, e);
        emit.store(sum[0], next, e);
        return {emit.add(sum[0], count)};
      })[0];
      emit.store(total, offsets, experts);
      emit.loop(emit.toIndex(total), rows, 1, [&](Value place) { emit.store(none, order, place); });
      forRoutedRows(
          [&](Value row, Value id) {
            Value place = increment(next, id);
            emit.store(emit.toI32(row), order, emit.toIndex(place));
            emit.store(place, inverse, row);
          },
          [&](Value row) { emit.store(none, inverse, row); });
    });
    return success();
  }
};

} // namespace

void moec::attachGroupKernel(MLIRContext *context) { GroupOp::attachInterface<GroupKernel>(*context); }
