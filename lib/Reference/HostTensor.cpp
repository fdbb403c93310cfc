//===- HostTensor.cpp - a tensor value in memory ----------------------------===//

#include "moec/Reference/HostTensor.h"

#include <cassert>

using namespace mlir;
using namespace moec::reference;

static double roundTo(FloatType type, double value) {
  APFloat rounded(value);
  bool losesInfo;
  rounded.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven, &losesInfo);
  rounded.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
  return rounded.convertToDouble();
}

HostTensor::HostTensor(Type elementType, ArrayRef<int64_t> shape) : elementType(elementType), shape(shape) {
  elements.resize(ShapedType::getNumElements(shape), isFloat() ? Element{.real = 0.0} : Element{.integer = 0});
}

HostTensor::HostTensor(Type elementType, ArrayRef<int64_t> shape, ArrayRef<double> values)
    : HostTensor(elementType, shape) {
  assert(static_cast<int64_t>(values.size()) == getSize() && "as many values as elements");
  for (int64_t position : llvm::seq(getSize())) {
    if (isFloat())
      setReal(position, values[position]);
    else
      setInteger(position, static_cast<int64_t>(values[position]));
  }
}

HostTensor::HostTensor(ElementsAttr attr) : HostTensor(attr.getElementType(), attr.getShapedType().getShape()) {
  if (isFloat()) {
    for (auto [position, value] : llvm::enumerate(attr.getValues<APFloat>())) {
      APFloat wide = value;
      bool losesInfo;
      wide.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
      elements[position].real = wide.convertToDouble();
    }
    return;
  }
  for (auto [position, value] : llvm::enumerate(attr.getValues<APInt>()))
    setInteger(position, value.getSExtValue());
}

int64_t HostTensor::offset(ArrayRef<int64_t> index) const {
  assert(index.size() == shape.size() && "an index for each dimension");
  int64_t offset = 0;
  for (auto [position, extent] : llvm::zip_equal(index, shape)) {
    assert(0 <= position && position < extent && "index within the shape");
    offset = offset * extent + position;
  }
  return offset;
}

double HostTensor::real(int64_t position) const {
  assert(isFloat() && "float elements");
  return elements[position].real;
}

void HostTensor::setReal(int64_t position, double value) {
  elements[position].real = roundTo(cast<FloatType>(elementType), value);
}

int64_t HostTensor::integer(int64_t position) const {
  assert(!isFloat() && "integer elements");
  return elements[position].integer;
}

void HostTensor::setInteger(int64_t position, int64_t value) {
  assert(!isFloat() && "integer elements");
  if (auto type = dyn_cast<IntegerType>(elementType); type && type.getWidth() < 64) {
    bool keepsSign = !type.isUnsigned() && type.getWidth() > 1;
    APInt bits(64, static_cast<uint64_t>(value));
    bits = bits.trunc(type.getWidth());
    value = keepsSign ? bits.getSExtValue() : static_cast<int64_t>(bits.getZExtValue());
  }
  elements[position].integer = value;
}

void HostTensor::copyElement(int64_t position, const HostTensor &source, int64_t sourcePosition) {
  assert(elementType == source.elementType && "one element type");
  elements[position] = source.elements[sourcePosition];
}

bool HostTensor::isZero(int64_t position) const { return isFloat() ? real(position) == 0.0 : integer(position) == 0; }

LogicalResult moec::reference::tryForEachIndex(ArrayRef<int64_t> shape,
                                               function_ref<LogicalResult(ArrayRef<int64_t>)> visit) {
  if (llvm::is_contained(shape, 0))
    return success();
  SmallVector<int64_t> index(shape.size(), 0);
  while (true) {
    if (failed(visit(index)))
      return failure();
    int64_t axis = static_cast<int64_t>(shape.size()) - 1;
    for (; axis >= 0 && ++index[axis] == shape[axis]; --axis)
      index[axis] = 0;
    if (axis < 0)
      return success();
  }
}

void moec::reference::forEachIndex(ArrayRef<int64_t> shape, function_ref<void(ArrayRef<int64_t>)> visit) {
  (void)tryForEachIndex(shape, [&](ArrayRef<int64_t> index) {
    visit(index);
    return success();
  });
}
