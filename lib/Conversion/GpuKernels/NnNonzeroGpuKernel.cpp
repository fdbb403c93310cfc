//===- NnNonzeroGpuKernel.cpp - where elements are not zero, on a GPU -------===//
//
// Blocks take segments of the elements in two turns (SegmentTurns): they count what is not zero, and once all counts
// are known they number it and write where it lies.
//
//===----------------------------------------------------------------------===//

#include "ElementRuns.h"
#include "GpuKernels.h"
#include "LoopEmitter.h"
#include "SegmentTurns.h"
#include "WarpReductions.h"

#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Step/GpuKernelInterface.h"
#include "moert/moert_kernel_abi.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

namespace {

constexpr int64_t threadCount = 256, rounds = 16, perSegment = threadCount * rounds;

class NonzeroBlock {
public:
  NonzeroBlock(OpBuilder &builder, Location loc, const step::GpuKernelContext &context, Value x, Value result)
      : block(builder, loc), emit(builder, loc), x(block, x), out(block, result),
        extents(emit.extents(x, 0, rankOf(x))), elements(emit.product(extents)), capacity(emit.extent(result, 1)),
        workspace(block.globalPointer(context.workspace)), threads{block.toI32(context.thread), threadCount,
                                                                   block.sharedPointer(context.shared)} {
    // Elements are numbered in 32 bits.
    Value isCountable =
        emit.compare(arith::CmpIPredicate::ule, elements, emit.index(std::numeric_limits<int32_t>::max() - perSegment));
    context.emitCheck(builder, loc, isCountable, MOERT_KERNEL_BAD_VALUE);
    elements = block.toI32(emit.select(isCountable, elements, emit.index(0)));
    segments = block.toI32(emit.div(context.blockCount, 2));
    flags = block.globalPointer(context.flags);
  }

  void emitTurn() {
    SegmentTurns turns(block, flags, threads.thread, segments);
    Value turn = turns.take(threads.shared), isFirst = block.less(turn, segments);
    auto count = [&] {
      countSegment(turn);
      turns.endFirst();
      return Values();
    };
    auto place = [&] {
      turns.awaitFirst();
      placeSegment(block.sub(turn, segments));
      turns.endSecond();
      return Values();
    };
    block.ifElse(isFirst, count, place);
  }

private:
  /// Of the thread's element in a round, as 0 or 1.
  Value isFound(Value element) const {
    Value exists = block.less(element, elements);
    auto read = [&] {
      Value found = isNonzero(block, x.load(block.toI64(element)));
      return Values{block.make<arith::ExtUIOp>(block.builder.getI32Type(), found)};
    };
    return block.ifElse(exists, read, [&] { return Values{block.i32(0)}; })[0];
  }
  Value elementOf(Value segment, Value round) const {
    return block.add(block.add(block.mul(segment, perSegment), block.mul(round, threadCount)), threads.thread);
  }
  Value countAt(Value segment) const { return block.at(workspace, block.mul(block.toI64(segment), 4)); }

  void countSegment(Value segment) const {
    Value own =
        block.loop(block.i32(0), block.i32(rounds), block.i32(1), block.i32(0), [&](Value round, ValueRange sum) {
          return Values{block.add(sum[0], isFound(elementOf(segment, round)))};
        })[0];
    Value all = sumThreads(block, threads, own);
    block.ifThen(block.equal(threads.thread, int64_t(0)), [&] { block.store(all, countAt(segment)); });
  }

  void placeSegment(Value segment) const {
    Type i32 = block.builder.getI32Type();
    Value own =
        block.loop(threads.thread, segment, block.i32(threadCount), block.i32(0), [&](Value before, ValueRange sum) {
          return Values{block.add(sum[0], block.load(i32, countAt(before)))};
        })[0];
    Value before = sumThreads(block, threads, own);
    block.loop(block.i32(0), block.i32(rounds), block.i32(1), before, [&](Value round, ValueRange placed) {
      Value element = elementOf(segment, round), found = isFound(element);
      ThreadSums sums = sumThroughThread(block, threads, found);
      Value place = emit.toIndex(block.add(placed[0], block.sub(sums.through, 1)));
      Value fits = emit.compare(arith::CmpIPredicate::ult, place, capacity);
      block.ifThen(block.both(block.equal(found, 1), fits), [&] { write(emit.toIndex(element), place); });
      block.barrier();
      return Values{block.add(placed[0], sums.total)};
    });
  }

  void write(Value element, Value place) const {
    for (auto [row, coordinate] : llvm::enumerate(emit.delinearize(element, extents)))
      out.store(block.toI64(coordinate), emit.add(emit.mul(capacity, emit.index(row)), place));
  }

  GpuBlockBuilder block;
  LoopEmitter emit;
  ElementRuns x, out;
  SmallVector<Value> extents;
  Value elements, capacity, segments, workspace, flags;
  BlockThreads threads;
};

struct NonzeroGpuKernel : step::GpuKernelOpInterface::ExternalModel<NonzeroGpuKernel, nn::NonzeroOp> {
  static Value segmentsOf(Operation *op, const LoopEmitter &host) {
    return host.ceilDiv(host.elements(op->getOperand(0)), perSegment);
  }

  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &) const {
    if (getStoredBytes(cast<ShapedType>(op->getOperand(0).getType()).getElementType()) == 0)
      return std::nullopt;
    return step::GpuLaunchShape{.threads = threadCount, .sharedBytes = BlockThreads::bytesFor(threadCount, 1)};
  }

  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &) const {
    LoopEmitter host(builder, loc);
    return host.mul(segmentsOf(op, host), 2);
  }

  Value buildWorkspaceBytes(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &) const {
    LoopEmitter host(builder, loc);
    return host.mul(segmentsOf(op, host), 4);
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    NonzeroBlock(builder, loc, context, operands[0], results[0]).emitTurn();
    return success();
  }
};

} // namespace

void moec::attachNnNonzeroGpuKernel(MLIRContext *context) {
  nn::NonzeroOp::attachInterface<NonzeroGpuKernel>(*context);
}
