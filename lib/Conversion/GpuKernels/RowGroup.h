//===- RowGroup.h - threads that compute a row together ----------------------===//
//
// Short rows are left to warps, several in a block; longer ones to a block each. Where the extent is known only at run
// time both are compiled. What a row's result is depends on its extent alone, never on how many rows there are.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_ROWGROUP_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_ROWGROUP_H

#include "LoopEmitter.h"
#include "WarpReductions.h"

#include "moec/Dialect/Step/GpuKernelInterface.h"

namespace moec {

/// The i32 or f32 values that lanes exchange in place of an f32, i1, i32 or i64, and back.
GpuBlockBuilder::Values toWords(const GpuBlockBuilder &block, mlir::Value value);
mlir::Value fromWords(const GpuBlockBuilder &block, mlir::Type type, mlir::ValueRange words);

/// The threads of one row.
class RowGroup {
public:
  using Values = GpuBlockBuilder::Values;

  RowGroup(const GpuBlockBuilder &block, int64_t threads, mlir::Value member, mlir::Value row, mlir::Value shared)
      : block(block), threads(threads), member(member), row(row), shared(shared) {}

  const GpuBlockBuilder &block;
  const int64_t threads;
  /// The number of this thread, i32, and of the row, `index`.
  mlir::Value member, row;

  /// Combines the f32 or i32 values of all threads, for all of them.
  Values combine(mlir::ValueRange values, CombineValues combination) const;
  /// The same for one f32, i1, i32 or i64.
  mlir::Value combine(mlir::Value value,
                      llvm::function_ref<mlir::Value(mlir::Value a, mlir::Value b)> combination) const;
  mlir::Value sum(mlir::Value value) const;
  mlir::Value max(mlir::Value value) const;

  /// Visits the elements of a row in steps of `width` for each thread: `body(position, carried)` for the positions
  /// (`index`) this thread has. `extent` is a multiple of `width`.
  Values visit(mlir::Value extent, int64_t width, mlir::ValueRange initial, GpuBlockBuilder::LoopBody body) const;

private:
  bool isWarp() const { return threads == warpLanes; }
  BlockThreads blockThreads() const { return {member, threads, shared}; }

  mlir::Value shared;
};

/// How the rows of one extent, or of a dynamic one, are computed.
class RowSchedule {
public:
  /// `values` is how many values of 32 bits the threads of a row combine at once; an i64 counts as two.
  explicit RowSchedule(int64_t extent, int64_t values = 1) : extent(extent), values(values) {}

  step::GpuLaunchShape getLaunchShape() const;
  mlir::Value buildBlockCount(const LoopEmitter &host, mlir::Value rows, mlir::Value rowExtent) const;
  /// Emits `body` for the row of this thread, if it has one. All threads of a group take part.
  void emitRows(const GpuBlockBuilder &block, const step::GpuKernelContext &context, mlir::Value rows,
                mlir::Value rowExtent, llvm::function_ref<void(const RowGroup &)> body) const;

private:
  bool isDynamic() const { return mlir::ShapedType::isDynamic(extent); }
  /// The longest row that is left to a warp.
  int64_t longestWarpRow() const { return isDynamic() ? 512 : 1024; }
  int64_t threadsPerBlock() const;

  int64_t extent, values;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_ROWGROUP_H
