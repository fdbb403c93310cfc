//===- WarpReductions.cpp - sums, maxima and choices over lanes and threads -===//

#include "WarpReductions.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

static constexpr int64_t everyLane = 0xffffffff;

/// A reduction of i32 over a warp in one instruction.
static Value reduceWarp(const GpuBlockBuilder &block, Value value, NVVM::ReduxKind kind) {
  return NVVM::ReduxOp::create(block.builder, block.loc, value.getType(), value, kind, block.i32(everyLane));
}

Values moec::combineLanes(const GpuBlockBuilder &block, ValueRange values, int64_t lanes, CombineValues combine) {
  assert(llvm::isPowerOf2_64(lanes) && lanes <= warpLanes && "expected groups that fill a warp");
  Values result = llvm::to_vector_of<Value>(values);
  for (int64_t distance = lanes / 2; distance > 0; distance /= 2) {
    Values others = llvm::map_to_vector(result, [&](Value value) { return block.shuffleXor(value, distance); });
    result = combine(result, others);
  }
  return result;
}

static Value addValues(const GpuBlockBuilder &block, Value a, Value b) {
  return isa<FloatType>(a.getType()) ? block.addFloat(a, b) : block.add(a, b);
}

static Value maxValues(const GpuBlockBuilder &block, Value a, Value b) {
  return isa<FloatType>(a.getType()) ? block.make<arith::MaximumFOp>(a, b) : block.max(a, b);
}

Value moec::sumLanes(const GpuBlockBuilder &block, Value value, int64_t lanes) {
  if (lanes == warpLanes && value.getType().isInteger(32))
    return reduceWarp(block, value, NVVM::ReduxKind::ADD);
  return combineLanes(block, value, lanes,
                      [&](ValueRange a, ValueRange b) { return Values{addValues(block, a[0], b[0])}; })[0];
}

Value moec::maxLanes(const GpuBlockBuilder &block, Value value, int64_t lanes) {
  if (lanes == warpLanes && value.getType().isInteger(32))
    return reduceWarp(block, value, NVVM::ReduxKind::MAX);
  return combineLanes(block, value, lanes,
                      [&](ValueRange a, ValueRange b) { return Values{maxValues(block, a[0], b[0])}; })[0];
}

Value moec::orderedKey(const GpuBlockBuilder &block, Value value) {
  // Makes -0 a +0. Of positive numbers the sign is set, of negative ones all bits are inverted.
  Value bits = block.bitcast(block.addFloat(value, block.f32(0)), block.builder.getI32Type());
  Value sign = block.make<arith::ShRSIOp>(bits, block.i32(31));
  Value mask = block.make<arith::OrIOp>(sign, block.i32(0x80000000));
  Value isNumber = block.make<arith::CmpFOp>(arith::CmpFPredicate::ORD, value, value);
  return block.select(isNumber, block.bitXor(bits, mask), block.i32(1));
}

Value moec::valueOfKey(const GpuBlockBuilder &block, Value key) {
  Value wasNegative = block.make<arith::XOrIOp>(block.make<arith::ShRSIOp>(key, block.i32(31)), block.i32(-1));
  Value mask = block.make<arith::OrIOp>(wasNegative, block.i32(0x80000000));
  // The key of NaN stands for bits that are a NaN as well.
  return block.bitcast(block.bitXor(key, mask), block.builder.getF32Type());
}

Value moec::largestKey(const GpuBlockBuilder &block, Value key) {
  return reduceWarp(block, key, NVVM::ReduxKind::UMAX);
}

Value moec::smallestNumber(const GpuBlockBuilder &block, Value number) {
  return reduceWarp(block, number, NVVM::ReduxKind::UMIN);
}

Value moec::sumThroughLane(const GpuBlockBuilder &block, Value value) {
  Value lane = block.lane();
  for (int64_t distance = 1; distance < warpLanes; distance *= 2) {
    Value other = block.shuffleUp(value, distance);
    value = block.select(block.less(lane, distance), value, block.add(value, other));
  }
  return value;
}

/// Every warp leaves its values; then every lane takes those of a warp, again and again all warps in order. Others may
/// still read them afterwards.
static Values exchangeWarps(const GpuBlockBuilder &block, const BlockThreads &threads, ValueRange values,
                            Value isSpeaker) {
  Value warp = block.div(threads.thread, warpLanes), source = block.rem(threads.thread, threads.warps());
  auto place = [&](Value warp, int64_t i) {
    return block.at(block.at(threads.shared, block.mul(warp, 4)), i * threads.warps() * 4);
  };
  block.ifThen(isSpeaker, [&] {
    for (auto [i, value] : llvm::enumerate(values))
      block.store(value, place(warp, i));
  });
  block.barrier();
  Values result;
  for (auto [i, value] : llvm::enumerate(values))
    result.push_back(block.load(value.getType(), place(source, i)));
  return result;
}

Values moec::combineThreads(const GpuBlockBuilder &block, const BlockThreads &threads, ValueRange values,
                            CombineValues combine) {
  Values result = combineLanes(block, values, warpLanes, combine);
  if (threads.warps() > 1) {
    Value isFirst = block.equal(block.rem(threads.thread, warpLanes), int64_t(0));
    result = exchangeWarps(block, threads, result, isFirst);
  }
  block.barrier();
  return combineLanes(block, result, threads.warps(), combine);
}

Value moec::sumThreads(const GpuBlockBuilder &block, const BlockThreads &threads, Value value) {
  return combineThreads(block, threads, value,
                        [&](ValueRange a, ValueRange b) { return Values{addValues(block, a[0], b[0])}; })[0];
}

Value moec::maxThreads(const GpuBlockBuilder &block, const BlockThreads &threads, Value value) {
  return combineThreads(block, threads, value,
                        [&](ValueRange a, ValueRange b) { return Values{maxValues(block, a[0], b[0])}; })[0];
}

ThreadSums moec::sumThroughThread(const GpuBlockBuilder &block, const BlockThreads &threads, Value value) {
  Value through = sumThroughLane(block, value), lane = block.rem(threads.thread, warpLanes);
  Value isLast = block.equal(lane, warpLanes - 1);
  Value ofWarp = exchangeWarps(block, threads, through, isLast)[0];
  // Lanes beyond the last warp hold sums that come once more.
  ofWarp = block.select(block.less(lane, threads.warps()), ofWarp, block.i32(0));
  Value isBefore = block.less(lane, block.div(threads.thread, warpLanes));
  Value before = sumLanes(block, block.select(isBefore, ofWarp, block.i32(0)));
  return {block.add(before, through), sumLanes(block, ofWarp)};
}
