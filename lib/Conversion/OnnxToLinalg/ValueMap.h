//===- ValueMap.h - what ONNX values have become --------------------*- C++ -*-===//
#ifndef MOEC_LIB_CONVERSION_ONNXTOLINALG_VALUEMAP_H
#define MOEC_LIB_CONVERSION_ONNXTOLINALG_VALUEMAP_H

#include "TensorEmitter.h"

namespace moec {

/// A small integer or boolean tensor whose elements are known one by one: `index` or `i1` values.
struct ScalarTensor {
  llvm::SmallVector<mlir::Value> elements;
  llvm::SmallVector<int64_t> shape;
  mlir::Type element;

  static ScalarTensor scalar(mlir::Value value, mlir::Type element) { return {{value}, {}, element}; }
  static ScalarTensor vector(llvm::ArrayRef<mlir::Value> values, mlir::Type element) {
    return {llvm::SmallVector<mlir::Value>(values), {static_cast<int64_t>(values.size())}, element};
  }
  bool isVector() const { return shape.size() == 1; }
  bool isScalar() const { return shape.empty(); }
};

/// What elements are kept as: `uiN` becomes `iN`, narrow types (NarrowElements.h) become `i8`, all others stay.
mlir::Type storageType(mlir::Type type);
mlir::ElementsAttr storedElements(mlir::ElementsAttr attr);

/// The lowered form of each ONNX value: a tensor, the scalars it consists of, or both. Either is made from the other on
/// demand, so that shape arithmetic leaves no tensors behind.
class ValueMap {
public:
  /// Tensors above this size are not taken apart.
  static constexpr int64_t maxScalars = 64;

  explicit ValueMap(TensorEmitter &emitter) : emitter(emitter) {}

  void setTensor(mlir::Value value, mlir::Value tensor) { tensors[value] = tensor; }
  void setScalars(mlir::Value value, ScalarTensor scalars) { this->scalars[value] = std::move(scalars); }
  mlir::Value tensor(mlir::Value value);
  /// The type of the lowered tensor, which may know more than that of `value`.
  mlir::Type tensorType(mlir::Value value) const {
    mlir::Value lowered = tensors.lookup(value);
    return lowered ? lowered.getType() : value.getType();
  }
  bool isLowered(mlir::Value value) const { return tensors.contains(value) || scalars.contains(value); }
  /// Null if the elements are not known; reads nothing at run time. Valid until the map changes.
  const ScalarTensor *knownScalars(mlir::Value value);
  /// As knownScalars, but lets the host read a tensor that a kernel or the caller fills. Null if the number of elements
  /// is unknown or too large, or the type is not integer.
  const ScalarTensor *readScalars(mlir::Value value);

  /// Whether tensors of this type may be taken apart.
  static bool isScalarizable(mlir::Type type);

  /// Forgets at its end what values became since its begin.
  class Scope {
  public:
    explicit Scope(ValueMap &values) : values(values), tensors(values.tensors), scalars(values.scalars) {}
    ~Scope() {
      values.tensors = std::move(tensors);
      values.scalars = std::move(scalars);
    }

  private:
    ValueMap &values;
    llvm::DenseMap<mlir::Value, mlir::Value> tensors;
    llvm::DenseMap<mlir::Value, ScalarTensor> scalars;
  };

private:
  mlir::Value materialize(const ScalarTensor &scalars);

  TensorEmitter &emitter;
  llvm::DenseMap<mlir::Value, mlir::Value> tensors;
  llvm::DenseMap<mlir::Value, ScalarTensor> scalars;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_ONNXTOLINALG_VALUEMAP_H
