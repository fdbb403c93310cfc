//===- SegmentTurns.h - blocks that need what all other blocks have found ---===//
//
// Work in segments, each in two turns: the second turn of a segment needs the first one of all. Turns are given out by
// a counter, first turns first, one to each block. A block with a second turn waits for those with first turns; they
// have begun before and wait for nobody, so the launch ends however few blocks run at a time, and needs no launch whose
// blocks are all resident.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_SEGMENTTURNS_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_SEGMENTTURNS_H

#include "GpuBlockBuilder.h"

namespace moec {

class SegmentTurns {
public:
  /// The launch has two blocks for each segment. `flags` points to three i32, zero before the launch and after it.
  SegmentTurns(const GpuBlockBuilder &block, mlir::Value flags, mlir::Value thread, mlir::Value segments)
      : block(block), flags(flags), thread(thread), segments(segments) {}

  /// The number of this block's turn: segments, then segments once more. `shared` points to 4 bytes for the answer.
  mlir::Value take(mlir::Value shared) const;
  /// Ends a first turn. What the block has stored is visible to second turns.
  void endFirst() const;
  /// Waits until all first turns are over.
  void awaitFirst() const;
  /// Ends a second turn. The last one leaves the flags zero.
  void endSecond() const;

private:
  enum { taken, firstEnded, secondEnded };
  mlir::Value flag(int64_t number) const { return block.at(flags, 4 * number); }
  /// One thread speaks for all.
  void ifSpeaker(llvm::function_ref<void()> body) const { block.ifThen(block.equal(thread, int64_t(0)), body); }

  GpuBlockBuilder block;
  mlir::Value flags, thread, segments;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_SEGMENTTURNS_H
