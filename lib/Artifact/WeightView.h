//===- WeightView.h - strided views of the values of weight expressions -----===//
#ifndef MOEC_LIB_ARTIFACT_WEIGHTVIEW_H
#define MOEC_LIB_ARTIFACT_WEIGHTVIEW_H

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <memory>
#include <vector>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace moec {

/// A tensor somewhere in memory. Elements of less than a byte occur only in dense views, which nothing but a copy uses.
struct WeightView {
  using Storage = std::shared_ptr<const void>;

  mlir::RankedTensorType type;
  const char *data = nullptr;
  /// In elements.
  llvm::SmallVector<int64_t> strides;
  /// Keeps `data` alive.
  Storage storage;

  llvm::ArrayRef<int64_t> shape() const { return type.getShape(); }
  int64_t count() const { return type.getNumElements(); }
  /// Bytes of an element; an i1 takes one. Zero if it is no whole number of bytes.
  int64_t elementSize() const { return elementSize(type.getElementType()); }
  bool isDense() const;

  static int64_t elementSize(mlir::Type type);
  static uint64_t byteCount(mlir::RankedTensorType type);
  static llvm::SmallVector<int64_t> denseStrides(llvm::ArrayRef<int64_t> shape);
  static WeightView dense(mlir::RankedTensorType type, const char *data, Storage storage);
};

/// A dense view over memory of its own, and where to fill it in.
struct OwnedWeight {
  explicit OwnedWeight(mlir::RankedTensorType type);
  WeightView view;
  char *data;
};

/// Calls `body(first, last)` for ranges of [0, count), in parallel if they are large with `unitBytes` bytes each.
void forRanges(int64_t count, int64_t unitBytes, llvm::function_ref<void(int64_t, int64_t)> body);

/// Copies the elements of `view` to `destination`, which has the same shape and strides of its own.
void copyElements(const WeightView &view, char *destination, llvm::ArrayRef<int64_t> destinationStrides);

/// `view` itself if it is dense, else a dense copy.
WeightView makeDense(const WeightView &view);

} // namespace moec

#endif // MOEC_LIB_ARTIFACT_WEIGHTVIEW_H
