//===- ShapeContents.cpp - elements of small integer tensors ---------------===//

#include "ShapeTransfer.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

std::optional<Extents> SymbolicShapes::Transfer::contents() const {
  StringRef op = node.getOpType();
  if (!node.getDomain().empty() || node.getInputs().empty())
    return std::nullopt;
  if (op == "Shape") {
    std::optional<ArrayRef<Extent>> extents = in(0);
    if (!extents)
      return std::nullopt;
    int64_t rank = extents->size(), start = node.getInt("start", 0), end = node.getInt("end", rank);
    start = std::clamp<int64_t>(start < 0 ? start + rank : start, 0, rank);
    end = std::clamp<int64_t>(end < 0 ? end + rank : end, start, rank);
    return Extents(extents->slice(start, end - start));
  }
  if (op == "Cast" || op == "Identity" || op == "Reshape" || op == "Squeeze" || op == "Unsqueeze" || op == "Flatten")
    return copy(valuesOf(0));
  if (op == "Concat") {
    Extents result;
    for (unsigned index : llvm::seq<unsigned>(node.getInputs().size())) {
      std::optional<ArrayRef<Extent>> part = valuesOf(index), shape = in(index);
      if (!part || !shape || shape->size() != 1)
        return std::nullopt;
      llvm::append_range(result, *part);
    }
    return result;
  }
  if (op == "Gather") {
    std::optional<ArrayRef<Extent>> data = valuesOf(0), shape = in(0);
    std::optional<SmallVector<int64_t>> indices = intsOf(1);
    if (!data || !indices || !shape || shape->size() != 1)
      return std::nullopt;
    Extents result;
    for (int64_t index : *indices) {
      std::optional<int64_t> place = normalizeAxis(index, data->size());
      if (!place)
        return std::nullopt;
      result.push_back((*data)[*place]);
    }
    return result;
  }
  if (op == "ConstantOfShape") {
    std::optional<ArrayRef<Extent>> shape = valuesOf(0);
    std::optional<int64_t> count = shape ? product(*shape).constant() : std::nullopt;
    auto fill = dyn_cast_or_null<DenseElementsAttr>(node.getNodeAttr("value"));
    if (!count || *count > maxShapeContents || *count < 0 || !fill || !isa<IntegerType>(fill.getElementType()))
      return std::nullopt;
    return Extents(*count, Extent((*fill.value_begin<APInt>()).getSExtValue()));
  }
  if (op == "OneHot") {
    std::optional<SmallVector<int64_t>> indices = intsOf(0), depth = intsOf(1);
    std::optional<ArrayRef<Extent>> offOn = valuesOf(2);
    if (!indices || !depth || depth->size() != 1 || !offOn || offOn->size() != 2 || node.getInt("axis", -1) != -1)
      return std::nullopt;
    if (depth->front() < 1 || depth->front() * static_cast<int64_t>(indices->size()) > maxShapeContents)
      return std::nullopt;
    Extents result;
    for (int64_t index : *indices)
      for (int64_t place : llvm::seq<int64_t>(depth->front()))
        result.push_back((*offOn)[place == index || place - depth->front() == index]);
    return result;
  }
  if (op == "Slice")
    return sliceContents();
  return elementwiseContents();
}

std::optional<Extents> SymbolicShapes::Transfer::sliceContents() const {
  std::optional<ArrayRef<Extent>> data = valuesOf(0), shape = in(0);
  std::optional<SmallVector<int64_t>> starts = intsOf(1), ends = intsOf(2), steps = intsOf(4);
  if (!data || !shape || shape->size() != 1 || !starts || !ends || starts->size() != 1 || (input(4) && !steps))
    return std::nullopt;
  int64_t extent = data->size(), step = steps ? steps->front() : 1;
  std::optional<int64_t> length = sliceLength(extent, starts->front(), ends->front(), step);
  if (!length)
    return std::nullopt;
  int64_t start = std::clamp<int64_t>(starts->front() < 0 ? starts->front() + extent : starts->front(), 0, extent);
  Extents result;
  for (int64_t place : llvm::seq<int64_t>(*length))
    result.push_back((*data)[start + place * step]);
  return result;
}

std::optional<Extents> SymbolicShapes::Transfer::elementwiseContents() const {
  StringRef op = node.getOpType();
  SmallVector<ArrayRef<Extent>, 3> operands;
  size_t count = 0;
  for (unsigned index : llvm::seq<unsigned>(node.getInputs().size())) {
    std::optional<ArrayRef<Extent>> values = valuesOf(index);
    if (!values)
      return std::nullopt;
    operands.push_back(*values);
    count = std::max(count, values->size());
  }
  auto element = [&](unsigned operand, size_t place) {
    return operands[operand].size() == 1 ? operands[operand][0] : operands[operand][place];
  };
  if (llvm::any_of(operands, [&](ArrayRef<Extent> values) { return values.size() != 1 && values.size() != count; }))
    return std::nullopt;
  Extents result;
  for (size_t place : llvm::seq(count)) {
    std::optional<Extent> value;
    Extent a = element(0, place), b = operands.size() > 1 ? element(1, place) : Extent();
    std::optional<int64_t> x = a.constant(), y = b.constant();
    if (op == "Mul" && operands.size() == 2)
      value = a * b;
    else if (op == "Neg")
      value = a * Extent(-1);
    else if (op == "Add" && operands.size() == 2)
      value = shapes.sum(a, b);
    else if (op == "Sub" && operands.size() == 2)
      value = shapes.difference(a, b);
    else if (op == "Div" && operands.size() == 2 && x && y && *y != 0)
      value = Extent(*x / *y);
    else if (op == "Div" && operands.size() == 2)
      value = a.dividedBy(b) ? *a.dividedBy(b) : shapes.computed("div", a, b);
    else if (op == "Equal" && x && y)
      value = Extent(*x == *y);
    else if (op == "Equal" && ((x && *x < 0 && shapes.isDimension(b)) || (y && *y < 0 && shapes.isDimension(a))))
      value = Extent(0);
    else if (op == "Where" && operands.size() == 3 && x)
      value = *x ? b : element(2, place);
    if (!value)
      return std::nullopt;
    result.push_back(*value);
  }
  return result;
}
