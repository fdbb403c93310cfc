//===- MoeLimitCapacityGpuKernel.cpp - moe.limit_capacity on a GPU ----------===//
//
// A warp serves one expert of one batch: its lanes look at 32 tokens at once, and those that name the expert know from
// a ballot how many came before. So every warp reads all ids of its batch, from the second-level cache but for the
// first, and no warp waits for another.
//
//===----------------------------------------------------------------------===//

#include "ElementRuns.h"
#include "GpuKernels.h"

#include "LoopEmitter.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Step/GpuKernelInterface.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::moe;

static constexpr int64_t warpsPerBlock = 4;

namespace {

struct LimitCapacityGpuKernel : step::GpuKernelOpInterface::ExternalModel<LimitCapacityGpuKernel, LimitCapacityOp> {
  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &) const {
    return step::GpuLaunchShape{.threads = warpsPerBlock * warpLanes};
  }

  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &) const {
    auto limit = cast<LimitCapacityOp>(op);
    LoopEmitter emit(builder, loc);
    Value batches = emit.make<tensor::DimOp>(limit.getExperts(), 0);
    return emit.ceilDiv(emit.mul(batches, static_cast<int64_t>(limit.getExpertCount())), warpsPerBlock);
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    auto limit = cast<LimitCapacityOp>(op);
    GpuBlockBuilder block(builder, loc);
    LoopEmitter emit(builder, loc);
    auto extent = [&](int64_t axis) { return block.toI32(emit.dim(operands[0], axis)); };
    int64_t experts = limit.getExpertCount();
    Value thread = block.toI32(context.thread), lane = block.rem(thread, warpLanes);
    Value warp = block.add(block.mul(block.toI32(context.block), warpsPerBlock), block.div(thread, warpLanes));
    Value batch = block.div(warp, experts), expert = block.rem(warp, experts);
    Value tokens = extent(1), slots = extent(2), none = block.i32(-1), zero = block.i32(0), one = block.i32(1);
    // No expert of a batch has more rows than an i32 counts.
    Value capacity = block.i32(std::min<int64_t>(limit.getCapacity(), std::numeric_limits<int32_t>::max()));
    Value lanesBefore = block.sub(block.make<arith::ShLIOp>(one, lane), one);
    ElementRuns ids(block, operands[0]), kept(block, results[0]);

    auto serve = [&](Value slot, Value first, Value count) -> Value {
      Value token = block.add(first, lane), exists = block.less(token, tokens);
      Value row = block.add(block.mul(block.toI64(batch), block.toI64(tokens)), block.toI64(token));
      Value at = block.add(block.mul(row, block.toI64(slots)), block.toI64(slot));
      Value id =
          block.ifElse(exists, [&] { return ids.load(at, 1); }, [&] { return GpuBlockBuilder::Values{none}; })[0];
      Value isServed = block.both(exists, block.equal(id, expert)), served = block.ballot(isServed);
      Value before = block.make<math::CtPopOp>(block.make<arith::AndIOp>(served, lanesBefore));
      Value fits = block.less(block.add(count, before), capacity);
      // The first expert looks after what names none.
      Value isOther = block.compare(arith::CmpIPredicate::uge, id, block.i32(experts));
      Value isCopied = block.both(exists, block.both(isOther, block.equal(expert, zero)));
      block.ifThen(block.make<arith::OrIOp>(isServed, isCopied),
                   [&] { kept.store(block.select(block.make<arith::OrIOp>(isCopied, fits), id, none), at); });
      return block.min(block.add(count, block.make<math::CtPopOp>(served)), capacity);
    };
    block.ifThen(block.less(batch, extent(0)), [&] {
      block.loop(zero, slots, one, ValueRange{zero}, [&](Value slot, ValueRange counts) {
        return block.loop(zero, tokens, block.i32(warpLanes), counts, [&](Value first, ValueRange carried) {
          return GpuBlockBuilder::Values{serve(slot, first, carried[0])};
        });
      });
    });
    return success();
  }
};

} // namespace

void moec::attachLimitCapacityGpuKernel(MLIRContext *context) {
  LimitCapacityOp::attachInterface<LimitCapacityGpuKernel>(*context);
}
