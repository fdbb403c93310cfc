//===- ProtoConverter.h - types, attributes and tensors of ONNX in MLIR ---------===//
#ifndef MOEC_LIB_IMPORT_PROTOCONVERTER_H
#define MOEC_LIB_IMPORT_PROTOCONVERTER_H

#include "OnnxModel.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"

namespace moec::reader {

/// Converts the leaves of a model; what has no place in `onnx` ops is an error.
class ProtoConverter {
public:
  explicit ProtoConverter(const Reporter &reporter) : reporter(reporter), builder(&reporter.getContext()) {}

  /// The MLIR type of an inferred type, or null with an error that begins with `what`.
  mlir::Type getType(const ::onnx::TypeProto *type, const llvm::Twine &what);
  /// The symbol of each dimension, "" where it is static or unnamed.
  mlir::ArrayAttr getSymbols(const ::onnx::TypeProto *type);
  /// `onnx.name`, `onnx.elem_type` and `onnx.dims` of an argument or result.
  mlir::DictionaryAttr getSignatureAttrs(llvm::StringRef name, const ::onnx::TypeProto &declared);
  mlir::FailureOr<mlir::ElementsAttr> getElementsAttr(const ::onnx::TensorProto &tensor, llvm::StringRef name);
  mlir::FailureOr<mlir::Attribute> getAttribute(const ::onnx::NodeProto &node,
                                                const ::onnx::AttributeProto &attribute);
  /// The value of a Constant node.
  mlir::FailureOr<mlir::ElementsAttr> getConstantValue(const ::onnx::NodeProto &node);

private:
  const Reporter &reporter;
  mlir::Builder builder;
};

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_PROTOCONVERTER_H
