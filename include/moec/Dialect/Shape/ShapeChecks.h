//===- ShapeChecks.h - constraints on tensor types, and result extents ------===//
//
// What the verifiers and shape inference of the moe and nn dialects share: each constraint of an op has a label (C1,
// C2, …) in its documentation, and a breach is reported with it. Extents that are dynamic on either side agree.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_DIALECT_SHAPE_SHAPECHECKS_H
#define MOEC_DIALECT_SHAPE_SHAPECHECKS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

namespace moec {

/// The type of a value that ODS already restricts to ranked tensors.
inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

/// The extent both know; dynamic if neither does.
inline int64_t knownExtent(int64_t a, int64_t b) { return mlir::ShapedType::isDynamic(a) ? b : a; }

/// a * b, dynamic if a factor is.
int64_t multiplyExtents(int64_t a, int64_t b);

/// Reports "<label>: <message>" on an op.
mlir::InFlightDiagnostic emitBreach(mlir::Operation *op, llvm::StringRef label);

/// The checks of one op under one label; each reports at most one diagnostic.
class ShapeChecks {
public:
  ShapeChecks(mlir::Operation *op, llvm::StringRef label) : op(op), label(label) {}

  /// `value` has `rank` dimensions.
  llvm::LogicalResult rank(llvm::StringRef name, mlir::Value value, int64_t rank) const;
  /// `value` has at least `rank` dimensions.
  llvm::LogicalResult rankAtLeast(llvm::StringRef name, mlir::Value value, int64_t rank) const;
  /// `value` has the rank and agrees with the extents of `shape`.
  llvm::LogicalResult shape(llvm::StringRef name, mlir::Value value, llvm::ArrayRef<int64_t> shape) const;
  /// Dimension `axis` of `value` is static.
  llvm::LogicalResult staticExtent(llvm::StringRef name, mlir::Value value, int64_t axis) const;
  /// All dimensions of `value` are static.
  llvm::LogicalResult staticShape(llvm::StringRef name, mlir::Value value) const;
  /// 0 <= axis < rank.
  llvm::LogicalResult axis(int64_t axis, int64_t rank) const;
  llvm::LogicalResult elementType(llvm::StringRef name, mlir::Value value, mlir::Type expected) const;
  llvm::LogicalResult floatElements(llvm::StringRef name, mlir::Value value) const;
  llvm::LogicalResult i32Elements(llvm::StringRef name, mlir::Value value) const;
  llvm::LogicalResult f32Elements(llvm::StringRef name, mlir::Value value) const;
  /// ui8, or i8 where signedness is already dropped.
  llvm::LogicalResult byteElements(llvm::StringRef name, mlir::Value value) const;
  /// i32 or i64.
  llvm::LogicalResult indexElements(llvm::StringRef name, mlir::Value value) const;

private:
  mlir::Operation *op;
  llvm::StringRef label;
};

/// The extent of a dimension of `result`: an attribute if its type says it, else the extent of `axis` of `source`.
mlir::OpFoldResult extentFrom(mlir::OpBuilder &builder, mlir::Value result, int64_t resultAxis, mlir::Value source,
                              int64_t axis);

/// All extents of `result`, which has the rank of `source` and agrees with it in each.
llvm::SmallVector<mlir::OpFoldResult> extentsLike(mlir::OpBuilder &builder, mlir::Value result, mlir::Value source);

/// The product of two extents, folded where they are static.
mlir::OpFoldResult multiplyExtents(mlir::OpBuilder &builder, mlir::Location loc, mlir::OpFoldResult a,
                                   mlir::OpFoldResult b);

} // namespace moec

#endif // MOEC_DIALECT_SHAPE_SHAPECHECKS_H
