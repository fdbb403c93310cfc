//===- HostTensor.h - a tensor value in memory, for the reference evaluator -===//
#ifndef MOEC_REFERENCE_HOSTTENSOR_H
#define MOEC_REFERENCE_HOSTTENSOR_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <vector>

namespace moec::reference {

/// A dense row-major tensor of any float, integer or index type. A scalar operand of an op is one of rank 0. Floats are
/// held in double precision, always rounded to what the element type can represent.
class HostTensor {
public:
  HostTensor() = default;
  /// All elements 0.
  HostTensor(mlir::Type elementType, llvm::ArrayRef<int64_t> shape);
  /// Elements from `values`, rounded or truncated to the element type.
  HostTensor(mlir::Type elementType, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<double> values);
  /// The value of a constant; `elements` has a float, integer or index element type.
  explicit HostTensor(mlir::ElementsAttr elements);

  mlir::Type getElementType() const { return elementType; }
  llvm::ArrayRef<int64_t> getShape() const { return shape; }
  int64_t getRank() const { return shape.size(); }
  int64_t getDim(int64_t axis) const { return shape[axis]; }
  int64_t getSize() const { return elements.size(); }
  bool isFloat() const { return llvm::isa<mlir::FloatType>(elementType); }

  /// The position of an index in row-major order.
  int64_t offset(llvm::ArrayRef<int64_t> index) const;

  double real(int64_t position) const;
  double real(llvm::ArrayRef<int64_t> index) const { return real(offset(index)); }
  /// Rounds to the element type, which is a float type.
  void setReal(int64_t position, double value);
  void setReal(llvm::ArrayRef<int64_t> index, double value) { setReal(offset(index), value); }

  int64_t integer(int64_t position) const;
  int64_t integer(llvm::ArrayRef<int64_t> index) const { return integer(offset(index)); }
  /// Keeps the low bits the element type has; it is an integer type or index. An i1 reads back as 0 or 1, an unsigned
  /// type as a positive number.
  void setInteger(int64_t position, int64_t value);
  void setInteger(llvm::ArrayRef<int64_t> index, int64_t value) { setInteger(offset(index), value); }

  /// Copies an element of a tensor of the same element type.
  void copyElement(int64_t position, const HostTensor &source, int64_t sourcePosition);
  bool isZero(int64_t position) const;

private:
  union Element {
    double real;
    int64_t integer;
  };

  mlir::Type elementType;
  llvm::SmallVector<int64_t> shape;
  std::vector<Element> elements;
};

/// Calls `visit` with each index of `shape` in row-major order, once with the empty index for rank 0.
void forEachIndex(llvm::ArrayRef<int64_t> shape, llvm::function_ref<void(llvm::ArrayRef<int64_t>)> visit);

/// The same, but stops at the first failure.
llvm::LogicalResult tryForEachIndex(llvm::ArrayRef<int64_t> shape,
                                    llvm::function_ref<llvm::LogicalResult(llvm::ArrayRef<int64_t>)> visit);

} // namespace moec::reference

#endif // MOEC_REFERENCE_HOSTTENSOR_H
