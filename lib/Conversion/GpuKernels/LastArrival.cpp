//===- LastArrival.cpp - the last of the blocks that share a tile -----------===//

#include "LastArrival.h"

using namespace mlir;
using namespace moec;

Value moec::emitIsLastArrival(const GpuBlockBuilder &block, Value thread, Value flag, Value shared, Value count) {
  // One thread speaks for all, between barriers.
  block.barrier();
  block.ifThen(block.equal(thread, int64_t(0)), [&] {
    block.deviceFence();
    Value before = block.atomicAdd(flag, block.i32(1));
    block.deviceFence();
    block.store(before, shared);
    block.ifThen(block.equal(block.add(before, 1), count), [&] { block.store(block.i32(0), flag); });
  });
  block.barrier();
  Value before = block.load(block.builder.getI32Type(), shared);
  return block.equal(block.add(before, 1), count);
}
