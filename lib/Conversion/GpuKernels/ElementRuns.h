//===- ElementRuns.h - neighbouring elements moved together ------------------===//
//
// Kernels that only wait for memory move up to 16 bytes with one instruction of a thread. How many elements that may be
// follows from what is known of extents when the kernel is compiled.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_ELEMENTRUNS_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_ELEMENTRUNS_H

#include "GpuBlockBuilder.h"

namespace moec {

/// The widest access of a thread.
constexpr int64_t maxAccessBytes = 16;

/// Bytes of an element in memory, or 0 if elements do not lie byte by byte. An i1 takes one.
int64_t getStoredBytes(mlir::Type element);

/// The largest power of two that divides all extents and fills at most `bytes` with the widest of the elements; 0 if
/// one of them cannot be moved. Dynamic extents leave 1.
int64_t getRunWidth(llvm::ArrayRef<mlir::Type> elements, llvm::ArrayRef<int64_t> extents,
                    int64_t bytes = maxAccessBytes);

/// The elements of a dense memref in global memory. Offsets are positions in row-major order, i64 or `index`, and
/// multiples of the number of elements moved.
class ElementRuns {
public:
  ElementRuns(const GpuBlockBuilder &block, mlir::Value memref);

  /// One value per element, as the program sees them.
  GpuBlockBuilder::Values load(mlir::Value offset, int64_t count) const;
  mlir::Value load(mlir::Value offset) const { return load(offset, 1)[0]; }
  void store(mlir::ValueRange values, mlir::Value offset) const;

  /// The same with narrow floats as f32.
  GpuBlockBuilder::Values loadReals(mlir::Value offset, int64_t count) const;
  void storeReals(mlir::ValueRange values, mlir::Value offset) const;

  /// Copies `count` elements to another place, as the bits they are.
  void copy(mlir::Value offset, const ElementRuns &target, mlir::Value targetOffset, int64_t count) const;

private:
  GpuBlockBuilder::Values loadBytes(mlir::Value offset, int64_t count) const;
  mlir::Value at(mlir::Value offset) const;
  /// An element, or several, in memory.
  mlir::Type storedType(int64_t count) const;

  const GpuBlockBuilder &block;
  mlir::Type element;
  mlir::Value pointer;
};

/// Whether an element differs from zero; NaN does.
mlir::Value isNonzero(const GpuBlockBuilder &block, mlir::Value value);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_ELEMENTRUNS_H
