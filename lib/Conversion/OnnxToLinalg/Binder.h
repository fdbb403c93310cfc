//===- Binder.h - a row's view of one ONNX node ---------------------*- C++ -*-===//
//
// Gives a row the inputs and attributes of its node and takes its results. What a node asks for and a row cannot do
// ends in a diagnostic that names node, operator and version.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_ONNXTOLINALG_BINDER_H
#define MOEC_LIB_CONVERSION_ONNXTOLINALG_BINDER_H

#include "ValueMap.h"
#include "mlir/IR/TypeUtilities.h"
#include "moec/Dialect/Onnx/Onnx.h"

namespace moec {

class Binder {
public:
  using Extents = TensorEmitter::Extents;
  using Axes = llvm::SmallVector<int64_t>;

  Binder(onnx::NodeOp node, ValueMap &values, TensorEmitter &emitter)
      : emit(emitter), index(emitter.index), node(node), values(values) {}

  mlir::InFlightDiagnostic error() { return emit.error(); }

  //===--- inputs ---===//
  unsigned inputCount() { return node.getInputs().size(); }
  bool has(unsigned i) { return static_cast<bool>(node.getInput(i)); }
  /// The lowered input. The row's number of required inputs says which are there.
  mlir::Value input(unsigned i) { return values.tensor(node.getInput(i)); }
  llvm::SmallVector<mlir::Value> inputs();
  int64_t rank(unsigned i) { return type(i).getRank(); }
  mlir::RankedTensorType type(unsigned i) { return mlir::cast<mlir::RankedTensorType>(input(i).getType()); }
  /// The element type as it is stored.
  mlir::Type element(unsigned i) { return type(i).getElementType(); }
  bool isFloat(unsigned i) { return mlir::isa<mlir::FloatType>(element(i)); }
  bool isUnsigned(unsigned i);
  /// Whether the model holds the input, so that what is computed from it alone can be part of the file.
  bool isWeight(unsigned i);
  /// The element type of the model, which tells signs and narrow types.
  mlir::Type declaredElement(unsigned i) { return mlir::getElementTypeOrSelf(node.getInputs()[i].getType()); }

  /// Fails unless these inputs, or all, have one element type.
  mlir::LogicalResult sameElements(llvm::ArrayRef<unsigned> inputs);
  mlir::LogicalResult sameElements();

  /// The elements of a small integer input, if they are known while the host program runs up to here anyway.
  const ScalarTensor *knownScalars(unsigned i) { return values.knownScalars(node.getInput(i)); }
  /// The elements of a small integer input, read by the host if a kernel computes them.
  mlir::FailureOr<Extents> integers(unsigned i);
  /// As integers, for extents and counts: checked to be non-negative.
  mlir::FailureOr<Extents> sizes(unsigned i);
  /// An input of one element as a tensor of rank 0.
  mlir::FailureOr<mlir::Value> scalar(unsigned i);
  /// The one element of an integer input.
  mlir::FailureOr<mlir::Value> integer(unsigned i);
  /// The elements of a constant tensor, or null.
  mlir::DenseElementsAttr constantElements(unsigned i);

  //===--- attributes ---===//
  bool hasAttribute(llvm::StringRef name) { return static_cast<bool>(node.getNodeAttr(name)); }
  mlir::Attribute attribute(llvm::StringRef name) { return node.getNodeAttr(name); }
  int64_t integer(llvm::StringRef name, int64_t defaultValue) { return node.getInt(name, defaultValue); }
  double real(llvm::StringRef name, double defaultValue);
  llvm::StringRef string(llvm::StringRef name, llvm::StringRef defaultValue) {
    return node.getString(name, defaultValue);
  }
  std::optional<Axes> integers(llvm::StringRef name) { return node.getInts(name); }
  /// Fails with a diagnostic if the attribute is given and is not `expected`.
  mlir::LogicalResult require(llvm::StringRef name, int64_t expected);
  int64_t version() { return node.getVersion(); }

  //===--- axes ---===//
  mlir::FailureOr<int64_t> normalizeAxis(int64_t axis, int64_t rank);
  /// The attribute `axis`.
  mlir::FailureOr<int64_t> axis(int64_t defaultValue, int64_t rank);
  /// Normalised and sorted axes of input `i`, or of the attribute `axes`; nullopt if neither is given. Axes that are
  /// not constants are the matter of RuntimeAxes.
  mlir::FailureOr<std::optional<Axes>> axes(unsigned i, int64_t rank);

  //===--- results ---===//
  unsigned resultCount() { return node.getNumResults(); }
  bool isUsed(unsigned i) { return i < node.getNumResults() && !node.getResult(i).use_empty(); }
  /// The element type of a result, as inferred by the importer and as it is stored.
  mlir::Type declaredResultElement(unsigned i) { return mlir::getElementTypeOrSelf(node.getResult(i).getType()); }
  mlir::Type resultElement(unsigned i);
  bool isResultUnsigned(unsigned i);
  /// Whether result 0 is a small integer tensor that may be kept as scalars.
  bool hasScalarResult();
  /// Gives result `i`. Where the importer knows an extent that the lowering does not, it is checked at run time.
  mlir::LogicalResult result(unsigned i, mlir::Value tensor);
  mlir::LogicalResult result(unsigned i, ScalarTensor scalars);
  /// Gives result 0, or fails with it.
  mlir::LogicalResult result(mlir::FailureOr<mlir::Value> tensor);

  TensorEmitter &emit;
  IndexArithmetic &index;

private:
  onnx::NodeOp node;
  ValueMap &values;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_ONNXTOLINALG_BINDER_H
