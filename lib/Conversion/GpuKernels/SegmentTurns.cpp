//===- SegmentTurns.cpp - blocks that need what all other blocks have found -===//

#include "SegmentTurns.h"

using namespace mlir;
using namespace moec;

Value SegmentTurns::take(Value shared) const {
  ifSpeaker([&] { block.store(block.atomicAdd(flag(taken), block.i32(1)), shared); });
  block.barrier();
  Value turn = block.load(block.builder.getI32Type(), shared);
  block.barrier();
  return turn;
}

void SegmentTurns::endFirst() const {
  block.barrier();
  ifSpeaker([&] {
    block.deviceFence();
    block.atomicAdd(flag(firstEnded), block.i32(1));
  });
}

void SegmentTurns::awaitFirst() const {
  ifSpeaker([&] {
    auto isOpen = [&](OpBuilder &, Location, ValueRange) {
      Value ended = LLVM::LoadOp::create(block.builder, block.loc, block.builder.getI32Type(), flag(firstEnded),
                                         /*alignment=*/4, /*isVolatile=*/false, /*isNonTemporal=*/false,
                                         /*isInvariant=*/false, /*isInvariantGroup=*/false,
                                         LLVM::AtomicOrdering::acquire, "device");
      scf::ConditionOp::create(block.builder, block.loc, block.less(ended, segments), ValueRange());
    };
    auto again = [&](OpBuilder &, Location, ValueRange) { scf::YieldOp::create(block.builder, block.loc); };
    scf::WhileOp::create(block.builder, block.loc, TypeRange(), ValueRange(), isOpen, again);
  });
  block.barrier();
}

void SegmentTurns::endSecond() const {
  ifSpeaker([&] {
    Value before = block.atomicAdd(flag(secondEnded), block.i32(1));
    // All turns have been taken, and nobody waits any more.
    block.ifThen(block.equal(before, block.sub(segments, 1)), [&] {
      for (int64_t number : {taken, firstEnded, secondEnded})
        LLVM::StoreOp::create(block.builder, block.loc, block.i32(0), flag(number), /*alignment=*/4,
                              /*isVolatile=*/false, /*isNonTemporal=*/false, /*isInvariantGroup=*/false,
                              LLVM::AtomicOrdering::monotonic, "device");
    });
  });
}
