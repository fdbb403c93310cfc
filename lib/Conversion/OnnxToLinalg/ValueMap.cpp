//===- ValueMap.cpp - what ONNX values have become ----------------------------===//

#include "ValueMap.h"
#include "NarrowElements.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "moec/Dialect/Onnx/Onnx.h"

using namespace mlir;
using namespace moec;

Type moec::storageType(Type type) {
  if (auto shaped = dyn_cast<ShapedType>(type))
    return shaped.clone(storageType(shaped.getElementType()));
  if (isNarrow(type))
    return IntegerType::get(type.getContext(), 8);
  if (type.isUnsignedInteger())
    return IntegerType::get(type.getContext(), type.getIntOrFloatBitWidth());
  return type;
}

ElementsAttr moec::storedElements(ElementsAttr attr) {
  auto type = cast<ShapedType>(storageType(attr.getShapedType()));
  if (type == attr.getShapedType())
    return attr;
  if (isNarrow(attr.getElementType()))
    return storedNarrowElements(cast<DenseElementsAttr>(attr));
  if (auto dense = dyn_cast<DenseElementsAttr>(attr))
    return dense.bitcast(type.getElementType());
  return DenseResourceElementsAttr::get(type, cast<DenseResourceElementsAttr>(attr).getRawHandle());
}

bool ValueMap::isScalarizable(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || tensor.getRank() > 1 || !tensor.hasStaticShape() || tensor.getNumElements() > maxScalars)
    return false;
  Type element = tensor.getElementType();
  return element.isSignlessInteger(1) || element.isSignlessInteger(32) || element.isSignlessInteger(64);
}

const ScalarTensor *ValueMap::knownScalars(Value value) {
  auto found = scalars.find(value);
  if (found != scalars.end())
    return &found->second;
  auto constant = value.getDefiningOp<onnx::ConstantOp>();
  auto elements = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : DenseElementsAttr();
  if (!elements || !isScalarizable(value.getType()))
    return nullptr;
  ScalarTensor result{{}, llvm::to_vector(elements.getType().getShape()), elements.getElementType()};
  for (const APInt &element : elements.getValues<APInt>())
    result.elements.push_back(result.element.isInteger(1) ? emitter.index.boolean(element.isOne())
                                                          : emitter.index.constant(element.getSExtValue()));
  return &(scalars[value] = std::move(result));
}

const ScalarTensor *ValueMap::readScalars(Value value) {
  if (const ScalarTensor *known = knownScalars(value))
    return known;
  Value source = tensor(value);
  auto type = cast<RankedTensorType>(source.getType());
  if (!isScalarizable(type))
    return nullptr;
  ScalarTensor result{{}, llvm::to_vector(type.getShape()), type.getElementType()};
  for (int64_t place = 0; place < type.getNumElements(); ++place) {
    SmallVector<Value> places;
    if (result.isVector())
      places.push_back(emitter.index.constant(place));
    Value element = tensor::ExtractOp::create(emitter.builder, source, places);
    result.elements.push_back(result.element.isInteger(1) ? element : emitter.index.fromInteger(element));
  }
  return &(scalars[value] = std::move(result));
}

Value ValueMap::materialize(const ScalarTensor &scalars) {
  auto type = RankedTensorType::get(scalars.shape, scalars.element);
  SmallVector<APInt> constants;
  unsigned width = scalars.element.getIntOrFloatBitWidth();
  for (Value element : scalars.elements)
    if (std::optional<int64_t> known = IndexArithmetic::asConstant(element))
      constants.push_back(APInt(width, *known, /*isSigned=*/true, /*implicitTrunc=*/true));
  if (constants.size() == scalars.elements.size())
    return emitter.constant(DenseElementsAttr::get(type, constants));
  SmallVector<Value> elements;
  for (Value element : scalars.elements)
    elements.push_back(emitter.index.toInteger(element, scalars.element));
  return tensor::FromElementsOp::create(emitter.builder, type, elements);
}

Value ValueMap::tensor(Value value) {
  Value &known = tensors[value];
  if (known)
    return known;
  auto found = scalars.find(value);
  if (found != scalars.end())
    known = materialize(found->second);
  else if (auto constant = value.getDefiningOp<onnx::ConstantOp>())
    known = emitter.constant(storedElements(constant.getValue()));
  else
    known = value;
  return known;
}
