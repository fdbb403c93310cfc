//===- StackedProducts.cpp - batched products with all experts --------------===//

#include "GraphPatterns.h"
#include "RoutedRegion.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

std::optional<StackedProduct> raise::matchStackedProduct(onnx::NodeOp node) {
  if (!node || node.getInputs().size() != 2 || !(node.is("MatMul") || node.is("Einsum")))
    return std::nullopt;
  auto isStack = [](Value value) {
    RankedTensorType type = tensorTypeOf(value);
    return type && type.getRank() == 3 && type.hasStaticShape() && isa<FloatType>(type.getElementType());
  };
  StackedProduct product{.node = node};
  Value weight;
  if (node.is("MatMul")) {
    RankedTensorType data = tensorTypeOf(node.getInputs()[0]);
    if (!data || data.getRank() < 2 || !isStack(node.getInputs()[1]))
      return std::nullopt;
    product.data = node.getInputs()[0];
    weight = node.getInputs()[1];
    int64_t rank = data.getRank(), added = rank == 2 ? 1 : 0;
    product.contracted = rank - 1;
    product.columnAxis = rank - 1 + added;
    product.expertAxis = rank - 3 + added;
    for (int64_t axis : llvm::seq(rank + added))
      product.dataAxes.push_back(axis == product.columnAxis ? -1 : axis - added);
  } else {
    std::optional<EinsumEquation> equation = einsumEquation(node);
    unsigned side = isStack(node.getInputs()[1]) ? 1 : 0;
    if (!equation || !isStack(node.getInputs()[side]))
      return std::nullopt;
    product.data = node.getInputs()[1 - side];
    weight = node.getInputs()[side];
    // The experts come first in the stack and stay; of the other two letters one is summed over, the other is new.
    StringRef stack = equation->inputs[side], data = equation->inputs[1 - side], out = equation->output;
    auto isSummed = [&](char letter) { return data.contains(letter) && !out.contains(letter); };
    auto isNew = [&](char letter) { return !data.contains(letter) && out.contains(letter); };
    bool inByOut = isSummed(stack[1]) && isNew(stack[2]);
    product.outByIn = isNew(stack[1]) && isSummed(stack[2]);
    if (!out.contains(stack[0]) || inByOut == product.outByIn)
      return std::nullopt;
    product.contracted = data.find(stack[inByOut ? 1 : 2]);
    product.columnAxis = out.find(stack[inByOut ? 2 : 1]);
    product.expertAxis = out.find(stack[0]);
    for (char letter : out)
      product.dataAxes.push_back(data.contains(letter) ? static_cast<int64_t>(data.find(letter)) : -1);
    if (out.size() != data.size() + (data.contains(stack[0]) ? 0 : 1))
      return std::nullopt;
  }
  if (onnx::NodeOp transpose = producer(weight, "Transpose");
      transpose && transpose.getInts("perm") == SmallVector<int64_t>{0, 2, 1}) {
    weight = transpose.getInputs()[0];
    product.outByIn = !product.outByIn;
  }
  product.weight = weight;
  return product;
}

std::optional<RoutedValue> RoutedRegion::evaluateStackedProduct(const StackedProduct &product) {
  std::optional<RoutedValue> data =
      dependsOnProduct(product.data) ? evaluate(product.data) : evaluateInput(product.data);
  if (!data)
    return std::nullopt;
  onnx::NodeOp node = product.node;
  if (data->layout[product.contracted] != AxisIndices{FeatureIndex})
    return fail("'" + labelOf(node) + "' does not sum over the features");
  Layout layout;
  for (auto [axis, dataAxis] : llvm::enumerate(product.dataAxes)) {
    layout.push_back(dataAxis < 0 ? AxisIndices() : data->layout[dataAxis]);
    if (static_cast<int64_t>(axis) == product.columnAxis)
      layout.back() = AxisIndices{FeatureIndex};
    else if (static_cast<int64_t>(axis) == product.expertAxis && layout.back().empty() && expertIndex == SlotIndex)
      layout.back().push_back(SlotIndex);
  }
  if (layout[product.expertAxis] != AxisIndices{expertIndex})
    return fail("'" + labelOf(node) + "' does not give each expert its own rows");
  RoutedSource source{.kind = RoutedSource::Product, .value = product.weight, .data = data->expression};
  source.outByIn = product.outByIn;
  source.columns = tensorTypeOf(product.weight).getDimSize(product.outByIn ? 1 : 2);
  return RoutedValue{layout, pool.column(addSource(source))};
}

/// A constant with a row per expert and a column per feature, as in [E, 1, N].
std::optional<RoutedValue> RoutedRegion::evaluateStackedBias(Value value) {
  RankedTensorType type = tensorTypeOf(value);
  if (stackedProducts.empty() || !type || !type.hasStaticShape() || type.getRank() < 2 ||
      !isa<FloatType>(type.getElementType()))
    return std::nullopt;
  Value base = skipReshapes(value);
  if (!base.getDefiningOp<moe::LoadWeightOp>() && !base.getDefiningOp<onnx::ConstantOp>())
    return std::nullopt;
  const StackedProduct &product = stackedProducts.begin()->second;
  int64_t experts = tensorTypeOf(product.weight).getDimSize(0);
  Layout layout(type.getRank());
  layout.back().push_back(FeatureIndex);
  int64_t fromEnd = product.dataAxes.size() - product.expertAxis;
  if (fromEnd > type.getRank() || product.columnAxis + 1 != static_cast<int64_t>(product.dataAxes.size()) ||
      type.getDimSize(type.getRank() - fromEnd) != experts || type.getNumElements() != experts * type.getShape().back())
    return std::nullopt;
  layout[type.getRank() - fromEnd].push_back(expertIndex);
  return RoutedValue{layout, pool.column(addSource({.kind = RoutedSource::Bias, .value = value}))};
}
