//===- WarpReductions.h - sums, maxima and choices over lanes and threads ---===//
//
// What lanes of a warp, or all threads of a block, find out together. All of them take part, and unless a comment says
// otherwise all get the same result to the bit: values are always paired in the same order.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_WARPREDUCTIONS_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_WARPREDUCTIONS_H

#include "GpuBlockBuilder.h"

namespace moec {

/// Combines two tuples of i32 and f32 values. Commutative.
using CombineValues = llvm::function_ref<GpuBlockBuilder::Values(mlir::ValueRange a, mlir::ValueRange b)>;

/// Combines the tuples of `lanes` neighbouring lanes, a power of two; groups of lanes do so side by side.
GpuBlockBuilder::Values combineLanes(const GpuBlockBuilder &block, mlir::ValueRange values, int64_t lanes,
                                     CombineValues combine);
/// The sum of i32 or f32 values.
mlir::Value sumLanes(const GpuBlockBuilder &block, mlir::Value value, int64_t lanes = warpLanes);
/// The largest i32 (signed) or f32; NaN if one is NaN.
mlir::Value maxLanes(const GpuBlockBuilder &block, mlir::Value value, int64_t lanes = warpLanes);

/// An f32 as an i32 whose unsigned order is the one in which experts are chosen: NaN first, zeros equal, +inf last.
/// Each key is at least 1, so that 0 can stand for nothing.
mlir::Value orderedKey(const GpuBlockBuilder &block, mlir::Value value);
/// The f32 that has this key: a NaN for all of them, +0 for both zeros.
mlir::Value valueOfKey(const GpuBlockBuilder &block, mlir::Value key);

/// The largest key of a warp, unsigned.
mlir::Value largestKey(const GpuBlockBuilder &block, mlir::Value key);
/// The smallest number of a warp, unsigned.
mlir::Value smallestNumber(const GpuBlockBuilder &block, mlir::Value number);

/// The sum of i32 over this lane and those before it.
mlir::Value sumThroughLane(const GpuBlockBuilder &block, mlir::Value value);

/// The threads of a block and the memory through which its warps speak.
struct BlockThreads {
  /// i32.
  mlir::Value thread;
  /// 32 times a power of two.
  int64_t threads;
  /// A pointer to `bytesFor` bytes of shared memory. It may be used again as soon as a call is over; before one, nobody
  /// may still read it.
  mlir::Value shared;

  int64_t warps() const { return threads / warpLanes; }
  static int64_t bytesFor(int64_t threads, int64_t values) { return threads / warpLanes * values * 4; }
};

/// combineLanes, sumLanes and maxLanes over a block. All end with a barrier.
GpuBlockBuilder::Values combineThreads(const GpuBlockBuilder &block, const BlockThreads &threads,
                                       mlir::ValueRange values, CombineValues combine);
mlir::Value sumThreads(const GpuBlockBuilder &block, const BlockThreads &threads, mlir::Value value);
mlir::Value maxThreads(const GpuBlockBuilder &block, const BlockThreads &threads, mlir::Value value);

/// The sum of i32 over this thread and those before it, and over all threads. Shared memory may be used again behind
/// another barrier.
struct ThreadSums {
  mlir::Value through, total;
};
ThreadSums sumThroughThread(const GpuBlockBuilder &block, const BlockThreads &threads, mlir::Value value);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_WARPREDUCTIONS_H
