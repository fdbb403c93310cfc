//===- MoeLimitCapacityKernel.cpp - moe.limit_capacity as a kernel ----------===//
//
// One task counts the rows of each expert of one batch, in the order in which they are served. The counts live in the
// worker's scratch memory.
//
//===----------------------------------------------------------------------===//

#include "LoopEmitter.h"
#include "MoeKernels.h"

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Step/KernelInterface.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

struct LimitCapacityKernel : step::KernelOpInterface::ExternalModel<LimitCapacityKernel, LimitCapacityOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return tensor::DimOp::create(builder, loc, cast<LimitCapacityOp>(op).getExperts(), 0);
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter emit(builder, loc);
    return emit.mul(emit.elements(cast<LimitCapacityOp>(op).getExperts()), 4);
  }

  Value buildScratchBytes(Operation *op, OpBuilder &builder, Location loc) const {
    return arith::ConstantIndexOp::create(builder, loc, 4 * cast<LimitCapacityOp>(op).getExpertCount());
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    auto limit = cast<LimitCapacityOp>(op);
    LoopEmitter emit(builder, loc);
    int64_t expertCount = limit.getExpertCount();
    Value ids = operands[0], kept = results[0], zero = emit.index(0), experts = emit.index(expertCount);
    auto countsType = MemRefType::get({expertCount}, builder.getI32Type());
    Value counts = emit.make<memref::ViewOp>(countsType, context.scratch, emit.index(0), ValueRange());
    // No expert of a batch has more rows than an i32 counts.
    Value capacity = emit.integer(std::min<int64_t>(limit.getCapacity(), std::numeric_limits<int32_t>::max()));
    Value one = emit.integer(1), none = emit.integer(-1);

    auto serve = [&](ValueRange at) {
      Value id = emit.load(ids, at), expert = emit.toIndex(id);
      emit.store(id, kept, at);
      emit.ifThen(emit.compare(arith::CmpIPredicate::ult, expert, experts), [&] {
        Value count = emit.load(counts, expert);
        emit.store(emit.select(emit.less(count, capacity), id, none), kept, at);
        emit.store(emit.min(emit.add(count, one), capacity), counts, expert);
      });
    };
    emit.loop(begin, end, 1, [&](Value batch) {
      emit.loop(zero, experts, 1, [&](Value expert) { emit.store(emit.integer(0), counts, expert); });
      emit.loop(zero, emit.dim(ids, 2), 1, [&](Value slot) {
        emit.loop(zero, emit.dim(ids, 1), 1, [&](Value token) { serve({batch, token, slot}); });
      });
    });
    return success();
  }
};

} // namespace

void moec::attachLimitCapacityKernel(MLIRContext *context) {
  LimitCapacityOp::attachInterface<LimitCapacityKernel>(*context);
}
