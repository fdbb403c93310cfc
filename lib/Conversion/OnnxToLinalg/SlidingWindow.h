//===- SlidingWindow.h - windows of convolutions and pooling --------*- C++ -*-===//
//
// A window slides over the spatial dimensions of [N, C, spatial…]. What it sees is a tensor with one dimension per
// spatial dimension for the places of the window and one for the elements inside it; reductions over the latter fuse
// with the reading, products take it as their activation.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_ONNXTOLINALG_SLIDINGWINDOW_H
#define MOEC_LIB_CONVERSION_ONNXTOLINALG_SLIDINGWINDOW_H

#include "Binder.h"

namespace moec {

class SlidingWindow {
public:
  using Axes = Binder::Axes;
  using Extents = Binder::Extents;

  /// Reads strides, dilations, pads, auto_pad and ceil_mode of a node whose input 0 is [N, C, spatial…].
  static llvm::FailureOr<SlidingWindow> get(Binder &b, llvm::ArrayRef<int64_t> kernel);
  /// The same, with attribute kernel_shape.
  static llvm::FailureOr<SlidingWindow> getPooling(Binder &b);
  /// strides, dilations and pads alone; extents of places are not known.
  static llvm::FailureOr<SlidingWindow> getSteps(Binder &b, llvm::ArrayRef<int64_t> kernel);

  int64_t getSpatialRank() const { return kernel.size(); }
  int64_t getElementCount() const { return llvm::product_of(kernel); }
  /// How far the last element lies behind the first.
  int64_t getReach(int64_t axis) const { return (kernel[axis] - 1) * dilations[axis]; }

  /// What the window sees of x [N, C, spatial…]: [N, places…, C, elements…] if `channelsLast`, else
  /// [N, C, places…, elements…]. `outside` stands for elements beyond x.
  mlir::Value view(Binder &b, mlir::Value x, double outside, bool channelsLast) const;
  /// How many elements of x each place sees, [1, 1, places…] of `element`; with `countPads` declared pads count.
  mlir::Value count(Binder &b, mlir::Type element, bool countPads) const;

  Axes kernel, strides, dilations;
  /// Elements in front of and behind each spatial dimension that are not in x.
  Extents before, after;
  /// The number of places along each spatial dimension.
  Extents places;

private:
  mlir::Value surround(Binder &b, mlir::Value x, double outside, llvm::ArrayRef<mlir::Value> low,
                       llvm::ArrayRef<mlir::Value> high) const;
  mlir::Value see(Binder &b, mlir::Value padded, bool channelsLast) const;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_ONNXTOLINALG_SLIDINGWINDOW_H
