//===- RowGroup.cpp - threads that compute a row together -------------------===//

#include "RowGroup.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

Values RowGroup::combine(ValueRange values, CombineValues combination) const {
  return isWarp() ? combineLanes(block, values, warpLanes, combination)
                  : combineThreads(block, blockThreads(), values, combination);
}

Values moec::toWords(const GpuBlockBuilder &block, Value value) {
  if (value.getType().isInteger(1))
    return {block.make<arith::ExtUIOp>(block.builder.getI32Type(), value)};
  if (!value.getType().isInteger(64))
    return {value};
  return {block.toI32(value), block.toI32(block.shiftRight(value, 32))};
}

Value moec::fromWords(const GpuBlockBuilder &block, Type type, ValueRange words) {
  if (type.isInteger(1))
    return block.make<arith::TruncIOp>(type, words[0]);
  if (!type.isInteger(64))
    return words[0];
  return block.make<arith::OrIOp>(block.toI64(words[0]), block.shiftLeft(block.toI64(words[1]), 32));
}

Value RowGroup::combine(Value value, llvm::function_ref<Value(Value, Value)> combination) const {
  Type type = value.getType();
  auto combineWords = [&](ValueRange a, ValueRange b) {
    return toWords(block, combination(fromWords(block, type, a), fromWords(block, type, b)));
  };
  return fromWords(block, type, combine(toWords(block, value), combineWords));
}

Value RowGroup::sum(Value value) const {
  return isWarp() ? sumLanes(block, value) : sumThreads(block, blockThreads(), value);
}

Value RowGroup::max(Value value) const {
  return isWarp() ? maxLanes(block, value) : maxThreads(block, blockThreads(), value);
}

Values RowGroup::visit(Value extent, int64_t width, ValueRange initial, GpuBlockBuilder::LoopBody body) const {
  Value first = block.make<arith::IndexCastUIOp>(block.builder.getIndexType(), block.mul(member, width));
  Value step = block.make<arith::ConstantIndexOp>(threads * width);
  return block.loop(first, extent, step, initial, body);
}

/// Rows that need more registers than this get a block of the largest size.
static constexpr int64_t longestBlockRow = 16384;
static constexpr int64_t warpsPerBlock = 8;

int64_t RowSchedule::threadsPerBlock() const {
  return extent > longestBlockRow && !isDynamic() ? 1024 : warpsPerBlock * warpLanes;
}

step::GpuLaunchShape RowSchedule::getLaunchShape() const {
  bool usesBlocks = isDynamic() || extent > longestWarpRow();
  int64_t threads = threadsPerBlock();
  return {.threads = threads, .sharedBytes = usesBlocks ? BlockThreads::bytesFor(threads, values) : 0};
}

Value RowSchedule::buildBlockCount(const LoopEmitter &host, Value rows, Value rowExtent) const {
  Value isShort = host.compare(arith::CmpIPredicate::ule, rowExtent, host.index(longestWarpRow()));
  return host.select(isShort, host.ceilDiv(rows, warpsPerBlock), rows);
}

void RowSchedule::emitRows(const GpuBlockBuilder &block, const step::GpuKernelContext &context, Value rows,
                           Value rowExtent, llvm::function_ref<void(const RowGroup &)> body) const {
  Value thread = block.toI32(context.thread);
  auto byWarp = [&] {
    Value warp = block.div(context.thread, warpLanes);
    Value row = block.add(block.mul(context.block, warpsPerBlock), warp);
    block.ifThen(block.less(row, rows),
                 [&] { body(RowGroup(block, warpLanes, block.rem(thread, warpLanes), row, Value())); });
    return Values();
  };
  auto byBlock = [&] {
    Value shared = block.sharedPointer(context.shared);
    body(RowGroup(block, threadsPerBlock(), thread, context.block, shared));
    return Values();
  };
  if (!isDynamic())
    return void(extent <= longestWarpRow() ? byWarp() : byBlock());
  Value isShort =
      block.compare(arith::CmpIPredicate::ule, rowExtent, block.make<arith::ConstantIndexOp>(longestWarpRow()));
  block.ifElse(isShort, byWarp, byBlock);
}
