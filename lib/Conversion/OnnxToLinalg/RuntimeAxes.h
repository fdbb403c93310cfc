//===- RuntimeAxes.h - axes that only the run tells -----------------*- C++ -*-===//
//
// Some operators take axes as an input. How many there are is known, hence every rank; which they are may be computed.
// Extents then become selects over the dimensions, and a row works on views in which dimensions that do not take part
// have extent 1.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_ONNXTOLINALG_RUNTIMEAXES_H
#define MOEC_LIB_CONVERSION_ONNXTOLINALG_RUNTIMEAXES_H

#include "Binder.h"

namespace moec {

class RuntimeAxes {
public:
  using Extents = Binder::Extents;

  /// The axes that input `input` names in a tensor of rank `rank`; nullopt if they are not given or are constants. The
  /// run fails where one is out of range or given twice.
  static llvm::FailureOr<std::optional<RuntimeAxes>> find(Binder &b, unsigned input, int64_t rank);
  /// The same for axes at hand, constant or not.
  static llvm::FailureOr<RuntimeAxes> get(Binder &b, llvm::ArrayRef<mlir::Value> axes, int64_t rank);

  /// Whether `axis` is one of them, an `i1`.
  mlir::Value contains(int64_t axis) const { return named[axis]; }
  /// The one of `values`, given in the order of the axes, that goes with `axis`, or `otherwise`.
  mlir::Value find(int64_t axis, llvm::ArrayRef<mlir::Value> values, mlir::Value otherwise) const;
  /// The extents of the other dimensions, in order.
  Extents drop(llvm::ArrayRef<mlir::Value> extents) const;
  /// The extents with a 1 put in at each of these axes of the result.
  Extents insertOnes(llvm::ArrayRef<mlir::Value> extents) const;

private:
  RuntimeAxes(IndexArithmetic &index, llvm::ArrayRef<mlir::Value> axes) : index(&index), axes(axes) {}
  /// How many of them are below `axis`.
  mlir::Value countBelow(int64_t axis) const;
  mlir::Value isAt(mlir::Value position, int64_t expected) const;

  IndexArithmetic *index;
  Extents axes, named;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_ONNXTOLINALG_RUNTIMEAXES_H
