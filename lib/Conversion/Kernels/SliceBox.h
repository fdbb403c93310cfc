//===- SliceBox.h - where a slice lies in a tensor ----------------------------===//
#ifndef MOEC_LIB_CONVERSION_KERNELS_SLICEBOX_H
#define MOEC_LIB_CONVERSION_KERNELS_SLICEBOX_H

#include "LoopEmitter.h"

#include "mlir/Interfaces/ViewLikeInterface.h"

namespace moec {

/// Static values where they are, and `dynamic` in order where they are not.
llvm::SmallVector<mlir::Value> mixedValues(const LoopEmitter &index, llvm::ArrayRef<int64_t> statics,
                                           mlir::ValueRange dynamics);

/// Where a slice lies in the tensor it is a part of.
class SliceBox {
public:
  /// `operands` stand for the op's operands, `whole` for the tensor the slice is a part of.
  SliceBox(const LoopEmitter &index, mlir::OffsetSizeAndStrideOpInterface op, mlir::ValueRange operands,
           mlir::Value whole);

  /// Elements that lie next to each other in the slice, for each combination of the dimensions before the cut.
  mlir::Value run(const LoopEmitter &index) const { return index.mul(count, inner); }
  /// The same in the whole tensor.
  mlir::Value wholeRun(const LoopEmitter &index) const {
    return extents.empty() ? inner : index.mul(extents[cut], inner);
  }

  /// The extents of the dimensions up to the cut, and of those behind it as one: of the slice and of the whole.
  llvm::SmallVector<mlir::Value> sliceShape() const { return collapsed(sizes); }
  llvm::SmallVector<mlir::Value> wholeShape() const { return collapsed(extents); }

  /// What must hold lest the slice leave the tensor.
  llvm::SmallVector<mlir::Value> conditions(const LoopEmitter &emit) const;

  llvm::SmallVector<mlir::Value> extents, offsets, sizes, strides;
  llvm::SmallVector<bool> isWhole;
  int64_t cut;       // the last dimension that the slice does not take whole, or the first of all
  bool isContiguous; // the slice's elements at the cut are neighbours
  mlir::Value inner; // elements of the dimensions after the cut
  mlir::Value count; // the slice's size at the cut

private:
  llvm::SmallVector<mlir::Value> collapsed(llvm::ArrayRef<mlir::Value> shape) const {
    llvm::SmallVector<mlir::Value> result(shape.take_front(shape.empty() ? 0 : cut + 1));
    result.push_back(inner);
    return result;
  }
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_KERNELS_SLICEBOX_H
