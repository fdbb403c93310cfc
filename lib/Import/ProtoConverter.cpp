//===- ProtoConverter.cpp - types, attributes and tensors of ONNX in MLIR -------===//

#include "ProtoConverter.h"
#include "TensorData.h"

using namespace llvm;
using namespace mlir;
using namespace moec::reader;
using ::onnx::AttributeProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::TypeProto;

Type ProtoConverter::getType(const TypeProto *type, const Twine &what) {
  if (!type || !type->has_tensor_type()) {
    reporter.error() << what << " is not a tensor: sequences, maps and optionals are not supported";
    return {};
  }
  const TypeProto::Tensor &tensor = type->tensor_type();
  Type elementType = getElementType(reporter.getContext(), tensor.elem_type());
  if (!elementType) {
    reporter.error() << what << " has unsupported element type " << getDataTypeName(tensor.elem_type());
    return {};
  }
  if (!tensor.has_shape())
    return UnrankedTensorType::get(elementType);
  // Inference gives a negative extent where a node cannot run, as in a branch that is not taken.
  SmallVector<int64_t> shape;
  for (const auto &dim : tensor.shape().dim())
    shape.push_back(dim.has_dim_value() && dim.dim_value() >= 0 ? dim.dim_value() : ShapedType::kDynamic);
  return RankedTensorType::get(shape, elementType);
}

ArrayAttr ProtoConverter::getSymbols(const TypeProto *type) {
  SmallVector<StringRef> symbols;
  if (type)
    for (const auto &dim : type->tensor_type().shape().dim())
      symbols.push_back(dim.has_dim_value() ? "" : StringRef(dim.dim_param()));
  return builder.getStrArrayAttr(symbols);
}

DictionaryAttr ProtoConverter::getSignatureAttrs(StringRef name, const TypeProto &declared) {
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("onnx.name", builder.getStringAttr(name)),
       builder.getNamedAttr("onnx.elem_type", builder.getI32IntegerAttr(declared.tensor_type().elem_type())),
       builder.getNamedAttr("onnx.dims", getSymbols(&declared))});
}

FailureOr<ElementsAttr> ProtoConverter::getElementsAttr(const TensorProto &tensor, StringRef name) {
  Type elementType = getElementType(reporter.getContext(), tensor.data_type());
  if (!elementType)
    return reporter.error() << "tensor '" << name << "': unsupported element type "
                            << getDataTypeName(tensor.data_type());
  std::string bytes = getRawBytes(tensor);
  auto type = RankedTensorType::get(getDims(tensor), elementType);
  return cast<ElementsAttr>(getElements(type, bytes));
}

FailureOr<Attribute> ProtoConverter::getAttribute(const NodeProto &node, const AttributeProto &attribute) {
  switch (attribute.type()) {
  case AttributeProto::INT:
    return Attribute(builder.getI64IntegerAttr(attribute.i()));
  case AttributeProto::FLOAT:
    return Attribute(builder.getF32FloatAttr(attribute.f()));
  case AttributeProto::STRING:
    return Attribute(builder.getStringAttr(attribute.s()));
  case AttributeProto::INTS:
    return Attribute(
        builder.getDenseI64ArrayAttr(ArrayRef<int64_t>(attribute.ints().data(), attribute.ints_size())));
  case AttributeProto::FLOATS:
    return Attribute(
        builder.getDenseF32ArrayAttr(ArrayRef<float>(attribute.floats().data(), attribute.floats_size())));
  case AttributeProto::STRINGS: {
    SmallVector<StringRef> strings(attribute.strings().begin(), attribute.strings().end());
    return Attribute(builder.getStrArrayAttr(strings));
  }
  case AttributeProto::TENSOR: {
    FailureOr<ElementsAttr> elements = getElementsAttr(attribute.t(), attribute.name());
    if (failed(elements))
      return failure();
    return Attribute(*elements);
  }
  default:
    return reporter.error(node) << ": attribute '" << attribute.name() << "' has an unsupported type, found "
                                << AttributeProto::AttributeType_Name(attribute.type());
  }
}

FailureOr<ElementsAttr> ProtoConverter::getConstantValue(const NodeProto &node) {
  // Inference has made sure that there is one attribute.
  const AttributeProto &attribute = node.attribute(0);
  auto fromValues = [](ArrayRef<int64_t> shape, Type elementType, auto elements) -> FailureOr<ElementsAttr> {
    return cast<ElementsAttr>(DenseElementsAttr::get(RankedTensorType::get(shape, elementType), elements));
  };
  switch (attribute.type()) {
  case AttributeProto::TENSOR:
    return getElementsAttr(attribute.t(), node.output(0));
  case AttributeProto::INT:
    return fromValues({}, builder.getI64Type(), ArrayRef<int64_t>(attribute.i()));
  case AttributeProto::INTS:
    return fromValues({attribute.ints_size()}, builder.getI64Type(),
                      ArrayRef<int64_t>(attribute.ints().data(), attribute.ints_size()));
  case AttributeProto::FLOAT:
    return fromValues({}, builder.getF32Type(), ArrayRef<float>(attribute.f()));
  case AttributeProto::FLOATS:
    return fromValues({attribute.floats_size()}, builder.getF32Type(),
                      ArrayRef<float>(attribute.floats().data(), attribute.floats_size()));
  default:
    return reporter.error(node) << ": unsupported constant of type "
                                << AttributeProto::AttributeType_Name(attribute.type());
  }
}
