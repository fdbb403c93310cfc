//===- RoutedRegion.cpp - values around products with gathered weights ------===//

#include "RoutedRegion.h"
#include "GraphPatterns.h"
#include "llvm/ADT/StringSet.h"
#include <cmath>
#include <deque>

using namespace mlir;
using namespace moec;
using namespace moec::raise;

/// How many nodes may lie between two products of a layer.
static constexpr unsigned maxActivationNodes = 64;

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

Value raise::skipReshapes(Value value) {
  while (onnx::NodeOp node = producer(value)) {
    if (!isViewNode(node) || node.is("Expand") || node.is("Tile") || node.is("Transpose"))
      break;
    value = node.getInputs()[0];
  }
  return value;
}

std::optional<GatheredWeight> raise::matchGatheredWeight(Value value, int64_t rank) {
  onnx::NodeOp node = producer(value);
  if (!node || !(node.is("Gather") || node.is("GatherND")))
    return std::nullopt;
  Value weight = node.getInput(0), indices = node.getInput(1);
  RankedTensorType type = tensorTypeOf(weight), indicesType = tensorTypeOf(indices);
  // A scalar index picks the weight of one expert for all rows.
  if (!type || !indicesType || indicesType.getRank() == 0 || type.getRank() != rank || !type.hasStaticShape() ||
      !isa<FloatType>(type.getElementType()))
    return std::nullopt;
  if (node.is("Gather")
          ? node.getInt("axis", 0) != 0 && node.getInt("axis", 0) != -rank
          : node.getInt("batch_dims", 0) != 0 || indicesType.getRank() < 1 || indicesType.getShape().back() != 1)
    return std::nullopt;
  return GatheredWeight{weight, indices};
}

/// The gather below a transposition, a cast or further axes.
static std::optional<GatheredWeight> matchMatrixOperand(Value value) {
  while (onnx::NodeOp node = producer(value)) {
    if (!isViewNode(node))
      break;
    value = node.getInputs()[0];
  }
  return matchGatheredWeight(value, 3);
}

std::optional<ExpertProduct> raise::matchExpertProduct(onnx::NodeOp node) {
  if (!node.is("MatMul") || node.getInputs().size() != 2)
    return std::nullopt;
  for (unsigned operand : {0u, 1u})
    if (std::optional<GatheredWeight> weight = matchMatrixOperand(node.getInputs()[operand]))
      return ExpertProduct{node, *weight, 1 - operand};
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

std::optional<RoutedValue> RoutedRegion::fail(const Twine &why) {
  if (reason.empty())
    reason = why.str();
  return std::nullopt;
}

int64_t RoutedRegion::addSource(RoutedSource source) {
  for (auto [index, known] : llvm::enumerate(sources))
    if (known.kind == source.kind && known.value == source.value && known.bias == source.bias &&
        known.data == source.data)
      return index;
  sources.push_back(source);
  return sources.size() - 1;
}

bool raise::isElementwiseNode(onnx::NodeOp node) {
  static const llvm::StringSet<> names = {"Add",   "Sub",        "Mul",  "Div",  "Pow",  "Neg",      "Sigmoid",
                                          "Tanh",  "Erf",        "Exp",  "Relu", "Gelu", "FastGelu", "QuickGelu",
                                          "Swish", "Reciprocal", "Clip", "Min",  "Max",  "Split",    "Slice"};
  return names.contains(node.getOpType());
}

bool RoutedRegion::dependsOnProduct(Value value) const {
  std::deque<Value> queue = {value};
  llvm::SmallDenseSet<Operation *> seen;
  while (!queue.empty() && seen.size() < maxActivationNodes) {
    onnx::NodeOp node = producer(queue.front());
    queue.pop_front();
    if (!node || !seen.insert(node).second)
      continue;
    if (products.contains(node))
      return true;
    if (isElementwiseNode(node))
      queue.insert(queue.end(), node.getInputs().begin(), node.getInputs().end());
    else if (isViewNode(node))
      queue.push_back(node.getInputs()[0]);
  }
  return false;
}

std::optional<RoutedValue> RoutedRegion::evaluate(Value value) {
  if (auto found = evaluated.find(value); found != evaluated.end())
    return found->second;
  std::optional<RoutedValue> result = evaluateNew(value);
  evaluated[value] = result;
  return result;
}

/// The number that a constant of an activation is. A narrow float that is one of theirs rounded stands for that one,
/// which is closer to it than what the rounding of results hides.
static std::optional<double> activationConstant(Value value) {
  std::optional<double> number = constantSplat(value);
  auto type = dyn_cast<FloatType>(getElementTypeOrSelf(value.getType()));
  if (!number || !type || type.getWidth() > 16)
    return number;
  for (double exact : {std::sqrt(2.0), std::sqrt(0.5), std::sqrt(2 / M_PI), 0.044715, 1.702}) {
    APFloat rounded(exact);
    bool isInexact = false;
    rounded.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven, &isInexact);
    if (rounded.convertToDouble() == *number)
      return exact;
  }
  return number;
}

std::optional<RoutedValue> RoutedRegion::evaluateNew(Value value) {
  if (std::optional<RoutedValue> bias = evaluateBias(value))
    return bias;
  if (std::optional<double> constant = activationConstant(value))
    return RoutedValue{Layout(), pool.constant(*constant)};
  onnx::NodeOp node = producer(value);
  if (node && (products.contains(node) || dependsOnProduct(value)))
    return evaluateNode(node, value);
  if (std::optional<Layout> layout = layoutOfGates(value))
    return RoutedValue{*layout, pool.gate()};
  return fail("a factor is neither a gate nor computed from the products");
}

std::optional<RoutedValue> RoutedRegion::evaluateNode(onnx::NodeOp node, Value value) {
  if (products.contains(node))
    return evaluateProduct(node);
  if (isViewNode(node)) {
    std::optional<RoutedValue> input = evaluate(node.getInputs()[0]);
    if (!input)
      return std::nullopt;
    std::optional<Layout> layout = space.throughView(node, input->layout, shapes);
    if (!layout)
      return fail("'" + labelOf(node) + "' mixes tokens, slots and features");
    return RoutedValue{*layout, input->expression};
  }
  if (node.is("Split"))
    return evaluateSplit(node, cast<OpResult>(value).getResultNumber());
  if (node.is("Slice"))
    return evaluateSlice(node);
  if (node.is("Clip"))
    return evaluateClip(node);
  if (node.is("Min") || node.is("Max"))
    return evaluateBound(node);
  if (node.getInputs().size() == 2 && node.getDomain().empty())
    return evaluateBinary(node);
  return evaluateElementwise(node);
}

std::optional<RoutedValue> RoutedRegion::evaluateElementwise(onnx::NodeOp node) {
  if (node.getInputs().size() != 1 || node.getNumResults() != 1)
    return fail("'" + labelOf(node) + "' (" + node.getOpType() + ") is not an elementwise function");
  std::optional<RoutedValue> input = evaluate(node.getInputs()[0]);
  if (!input)
    return std::nullopt;
  ScalarId x = input->expression;
  auto swish = [&](double alpha) {
    return pool.multiply(x, pool.apply(ScalarKind::Sigmoid, pool.multiply(pool.constant(alpha), x)));
  };
  StringRef op = node.getOpType();
  bool isContrib = node.getDomain() == "com.microsoft";
  std::optional<ScalarId> result;
  if (op == "Gelu")
    result = pool.apply(node.getString("approximate", "none") == "tanh" ? ScalarKind::GeluTanh : ScalarKind::Gelu, x);
  else if (op == "FastGelu" && isContrib)
    result = pool.apply(ScalarKind::GeluTanh, x);
  else if (op == "QuickGelu" && isContrib)
    result = swish(node.getFloat("alpha", 1.702f));
  else if (op == "Swish" && !isContrib)
    result = swish(node.getFloat("alpha", 1.0f));
  else if (op == "Sigmoid")
    result = pool.apply(ScalarKind::Sigmoid, x);
  else if (op == "Tanh")
    result = pool.apply(ScalarKind::Tanh, x);
  else if (op == "Erf")
    result = pool.apply(ScalarKind::Erf, x);
  else if (op == "Exp")
    result = pool.apply(ScalarKind::Exp, x);
  else if (op == "Relu")
    result = pool.apply(ScalarKind::Relu, x);
  else if (op == "Neg")
    result = pool.multiply(pool.constant(-1), x);
  else if (op == "Reciprocal")
    result = pool.inverse(x);
  if (!result)
    return fail("'" + labelOf(node) + "' (" + node.getOpType() + ") is not part of a known activation");
  return RoutedValue{input->layout, *result};
}

/// A bias that is added to the same columns of its product becomes part of the source.
std::optional<ScalarId> RoutedRegion::addBias(ScalarId a, ScalarId b) {
  for (auto [productId, biasId] : {std::pair(a, b), std::pair(b, a)}) {
    const ScalarNode product = pool[productId], bias = pool[biasId];
    if (product.kind != ScalarKind::Column || bias.kind != ScalarKind::Column || product.start != bias.start ||
        product.step != bias.step)
      continue;
    RoutedSource source = sources[product.source];
    if (source.kind != RoutedSource::Product || source.bias || sources[bias.source].kind != RoutedSource::Bias)
      continue;
    source.bias = sources[bias.source].value;
    return pool.slice(pool.column(addSource(source)), product.start, product.step);
  }
  return std::nullopt;
}

std::optional<RoutedValue> RoutedRegion::evaluateBinary(onnx::NodeOp node) {
  Value first = node.getInputs()[0], second = node.getInputs()[1];
  std::optional<RoutedValue> a = evaluate(first), b = a ? evaluate(second) : std::nullopt;
  if (!a || !b)
    return std::nullopt;
  std::optional<Layout> layout = broadcastLayouts(a->layout, b->layout);
  if (!layout)
    return fail("'" + labelOf(node) + "' pairs different axes");
  // A bias has fewer axes than the rows it is added to.
  auto features = [&](Value value, const Layout &layout) -> std::optional<Extent> {
    std::optional<unsigned> axis = axisOf(layout, FeatureIndex);
    std::optional<ArrayRef<Extent>> extents = shapes.extents(value);
    size_t fromEnd = axis ? layout.size() - *axis : 0;
    return axis && extents && fromEnd <= extents->size() ? std::optional((*extents)[extents->size() - fromEnd])
                                                         : std::nullopt;
  };
  std::optional<Extent> mine = features(first, a->layout), theirs = features(second, b->layout);
  if (mine && theirs && *mine != *theirs)
    return fail("'" + labelOf(node) + "' pairs one feature with several");
  StringRef op = node.getOpType();
  ScalarId x = a->expression, y = b->expression;
  std::optional<ScalarId> result;
  if (op == "Mul") {
    result = pool.multiply(x, y);
  } else if (op == "Div") {
    result = pool.multiply(x, pool.inverse(y));
  } else if (op == "Add") {
    std::optional<ScalarId> biased = addBias(x, y);
    result = biased ? *biased : pool.add(x, y);
  } else if (op == "Sub") {
    result = pool.add(x, pool.multiply(pool.constant(-1), y));
  } else if (op == "Pow" && pool[y].kind == ScalarKind::Constant && (pool[y].constant == 2 || pool[y].constant == 3)) {
    result = pool.multiply(x, x);
    if (pool[y].constant == 3)
      result = pool.multiply(*result, x);
  }
  if (!result)
    return fail("'" + labelOf(node) + "' (" + op + ") is not part of a known activation");
  return RoutedValue{*layout, *result};
}

std::optional<RoutedValue> RoutedRegion::evaluateClip(onnx::NodeOp node) {
  std::optional<RoutedValue> input = evaluate(node.getInputs()[0]);
  if (!input)
    return std::nullopt;
  ScalarId result = input->expression;
  for (unsigned operand : {1u, 2u}) {
    std::optional<double> bound;
    if (Value given = node.getInput(operand)) {
      bound = constantSplat(given);
      if (!bound)
        return fail("'" + labelOf(node) + "' has a bound that is not constant");
    } else if (auto attr = dyn_cast_or_null<FloatAttr>(node.getNodeAttr(operand == 1 ? "min" : "max"))) {
      bound = attr.getValueAsDouble();
    }
    if (bound)
      result = operand == 1 ? pool.maximum(result, *bound) : pool.minimum(result, *bound);
  }
  return RoutedValue{input->layout, result};
}

std::optional<RoutedValue> RoutedRegion::evaluateBound(onnx::NodeOp node) {
  Value other;
  std::optional<double> bound;
  auto isBound = [&](Value value) { return (bound = constantSplat(value)).has_value(); };
  if (!splitCommutative(node, isBound, other))
    return fail("'" + labelOf(node) + "' has no constant bound");
  std::optional<RoutedValue> input = evaluate(other);
  if (!input)
    return std::nullopt;
  bool isMin = node.is("Min");
  return RoutedValue{input->layout,
                     isMin ? pool.minimum(input->expression, *bound) : pool.maximum(input->expression, *bound)};
}

std::optional<RoutedValue> RoutedRegion::evaluateSlice(onnx::NodeOp node) {
  std::optional<RoutedValue> input = evaluate(node.getInputs()[0]);
  if (!input)
    return std::nullopt;
  std::optional<unsigned> axis = axisOf(input->layout, FeatureIndex);
  std::optional<SmallVector<int64_t>> starts = shapes.constants(node.getInput(1)),
                                      axes = node.getInput(3) ? shapes.constants(node.getInput(3)) : std::nullopt;
  SmallVector<int64_t> steps = {1};
  if (node.getInput(4))
    steps = shapes.constants(node.getInput(4)).value_or(SmallVector<int64_t>());
  if (!axis || !starts || !axes || starts->size() != 1 || axes->size() != 1 || steps.size() != 1 || steps[0] < 1 ||
      normalizeAxis(axes->front(), input->layout.size()) != static_cast<int64_t>(*axis))
    return fail("'" + labelOf(node) + "' does not slice the features by constants");
  std::optional<int64_t> extent = (*shapes.extents(node.getInputs()[0]))[*axis].constant();
  if (!extent || !(*shapes.extents(node.getResult(0)))[*axis].constant())
    return fail("'" + labelOf(node) + "' has bounds that are not constant");
  int64_t start = std::clamp<int64_t>(starts->front() < 0 ? starts->front() + *extent : starts->front(), 0, *extent);
  return RoutedValue{input->layout, pool.slice(input->expression, start, steps[0])};
}

std::optional<RoutedValue> RoutedRegion::evaluateSplit(onnx::NodeOp node, unsigned result) {
  std::optional<RoutedValue> input = evaluate(node.getInputs()[0]);
  if (!input)
    return std::nullopt;
  std::optional<unsigned> axis = axisOf(input->layout, FeatureIndex);
  if (!axis || normalizeAxis(node.getInt("axis", 0), input->layout.size()) != static_cast<int64_t>(*axis))
    return fail("'" + labelOf(node) + "' does not split the features");
  int64_t start = 0;
  for (unsigned before : llvm::seq(result)) {
    std::optional<ArrayRef<Extent>> extents = shapes.extents(node.getResult(before));
    std::optional<int64_t> extent = extents ? (*extents)[*axis].constant() : std::nullopt;
    if (!extent)
      return fail("'" + labelOf(node) + "' has parts of unknown size");
    start += *extent;
  }
  return RoutedValue{input->layout, pool.slice(input->expression, start, 1)};
}

//===----------------------------------------------------------------------===//
// Leaves
//===----------------------------------------------------------------------===//

std::optional<Layout> RoutedRegion::layoutOfIds(Value value) const {
  if (value == ids)
    return space.idsLayout();
  onnx::NodeOp node = producer(value);
  if (!node || !isViewNode(node))
    return std::nullopt;
  std::optional<Layout> input = layoutOfIds(node.getInputs()[0]);
  return input ? space.throughView(node, *input, shapes) : std::nullopt;
}

/// A gathered weight runs over the axes of its indices, then over the rows and columns of a matrix.
std::optional<Layout> RoutedRegion::layoutOfWeight(Value value) const {
  onnx::NodeOp node = producer(value);
  std::optional<GatheredWeight> gathered = matchGatheredWeight(value, 3);
  std::optional<GatheredWeight> bias = gathered ? std::nullopt : matchGatheredWeight(value, 2);
  if (gathered || bias) {
    std::optional<Layout> layout = layoutOfIds(gathered ? gathered->ids : bias->ids);
    if (layout && node.is("GatherND"))
      layout->pop_back();
    if (layout && gathered)
      layout->append({AxisIndices{WeightRow}, AxisIndices{WeightColumn}});
    else if (layout)
      layout->push_back(AxisIndices{FeatureIndex});
    return layout;
  }
  if (!node || !isViewNode(node))
    return std::nullopt;
  std::optional<Layout> input = layoutOfWeight(node.getInputs()[0]);
  if (!input)
    return std::nullopt;
  if (node.is("Reshape") && axisOf(*input, WeightRow)) // two features at once; only other views keep them apart
    return std::nullopt;
  if (node.is("Squeeze") || node.is("Unsqueeze")) {
    bool isSqueeze = node.is("Squeeze");
    std::optional<SmallVector<int64_t>> axes =
        constantAxes(node, isSqueeze ? input->size() : tensorTypeOf(value).getRank());
    if (!axes)
      return std::nullopt;
    for (int64_t axis : isSqueeze ? llvm::to_vector(llvm::reverse(*axes)) : *axes) {
      if (isSqueeze && !(*input)[axis].empty())
        return std::nullopt;
      isSqueeze ? (void)input->erase(input->begin() + axis) : (void)input->insert(input->begin() + axis, AxisIndices());
    }
    return input;
  }
  return space.throughView(node, *input, shapes);
}

std::optional<RoutedValue> RoutedRegion::evaluateBias(Value value) {
  if (rowBiases.contains(value)) {
    Layout layout = space.idsLayout();
    layout.push_back(AxisIndices{FeatureIndex});
    return RoutedValue{layout, pool.column(addSource({.kind = RoutedSource::Bias, .value = value}))};
  }
  if (std::optional<RoutedValue> stacked = evaluateStackedBias(value))
    return stacked;
  Value below = value;
  for (onnx::NodeOp node = producer(below); node && isViewNode(node); node = producer(below))
    below = node.getInputs()[0];
  std::optional<GatheredWeight> bias = matchGatheredWeight(below, 2);
  if (!bias) {
    // One row for each expert.
    bias = matchGatheredWeight(below, 3);
    if (!bias || tensorTypeOf(bias->weight).getDimSize(1) != 1)
      return std::nullopt;
  }
  std::optional<Layout> layout = layoutOfWeight(value);
  if (!layout)
    return std::nullopt;
  for (AxisIndices &axis : *layout) {
    if (axis == AxisIndices{WeightRow})
      axis.clear();
    else if (axis == AxisIndices{WeightColumn})
      axis = AxisIndices{FeatureIndex};
  }
  return RoutedValue{*layout, pool.column(addSource({.kind = RoutedSource::Bias, .value = bias->weight}))};
}

std::optional<Layout> RoutedRegion::layoutOfGates(Value value) {
  std::optional<ArrayRef<Extent>> extents = shapes.extents(value);
  std::optional<Layout> layout = extents ? space.gateLayout(*extents) : std::nullopt;
  if (onnx::NodeOp node = producer(value); node && isViewNode(node)) {
    std::optional<Layout> input = layoutOfGates(node.getInputs()[0]);
    if (input)
      return space.throughView(node, *input, shapes);
  }
  if (!layout || (gateValue && gateValue != value))
    return std::nullopt;
  gateValue = value;
  return layout;
}

// The tokens are the value furthest up a chain of views that still has a row of features per token.
std::optional<RoutedValue> RoutedRegion::tokensBelow(Value value) {
  onnx::NodeOp node = producer(value);
  if (node && isViewNode(node)) {
    if (std::optional<RoutedValue> input = tokensBelow(node.getInputs()[0]))
      if (std::optional<Layout> layout = space.throughView(node, input->layout, shapes))
        return RoutedValue{*layout, input->expression};
  }
  std::optional<ArrayRef<Extent>> extents = shapes.extents(value);
  std::optional<Layout> layout = extents ? space.tokenLayout(*extents) : std::nullopt;
  if (!layout)
    return std::nullopt;
  return RoutedValue{*layout, pool.column(addSource({.kind = RoutedSource::Tokens, .value = value}))};
}

// The rows that enter the layer: tokens, or tokens times gates.
std::optional<RoutedValue> RoutedRegion::evaluateInput(Value value) {
  onnx::NodeOp node = producer(value);
  if (gatesOnInput && node && isViewNode(node)) {
    std::optional<RoutedValue> input = evaluateInput(node.getInputs()[0]);
    std::optional<Layout> layout = input ? space.throughView(node, input->layout, shapes) : std::nullopt;
    if (layout)
      return RoutedValue{*layout, input->expression};
  }
  if (gatesOnInput && node && node.is("Mul")) {
    std::optional<Layout> gate;
    Value rows;
    auto isGate = [&](Value operand) { return (gate = layoutOfGates(operand)).has_value(); };
    if (splitCommutative(node, isGate, rows))
      if (std::optional<RoutedValue> tokens = tokensBelow(rows))
        if (std::optional<Layout> layout = broadcastLayouts(*gate, tokens->layout))
          return RoutedValue{*layout, pool.multiply(tokens->expression, pool.gate())};
  }
  if (std::optional<RoutedValue> tokens = tokensBelow(value))
    return tokens;
  return fail("the rows of the input cannot be proven to be the tokens of the expert ids");
}

std::optional<RoutedValue> RoutedRegion::evaluateRowProduct(const RowProduct &product) {
  auto [weight, data, bias, outByIn] = product;
  Layout layout = space.idsLayout();
  layout.push_back(AxisIndices{FeatureIndex});
  std::optional<RoutedValue> input =
      dependsOnProduct(data)
          ? evaluate(data)
          : RoutedValue{layout, pool.column(addSource({.kind = RoutedSource::Tokens, .value = data}))};
  if (!input)
    return std::nullopt;
  if (input->layout != layout)
    return fail("the rows between the products are not one per token and slot");
  RoutedSource source{.kind = RoutedSource::Product, .value = weight, .bias = bias, .data = input->expression};
  source.outByIn = outByIn;
  source.columns = tensorTypeOf(weight).getShape().take_back(2)[outByIn ? 0 : 1];
  return RoutedValue{layout, pool.column(addSource(source))};
}

std::optional<RoutedValue> RoutedRegion::evaluateProduct(onnx::NodeOp node) {
  if (auto found = rowProducts.find(node); found != rowProducts.end())
    return evaluateRowProduct(found->second);
  if (auto found = stackedProducts.find(node); found != stackedProducts.end())
    return evaluateStackedProduct(found->second);
  ExpertProduct product = *matchExpertProduct(node);
  unsigned dataOperand = product.dataOperand;
  std::optional<Layout> weight = layoutOfWeight(node.getInputs()[1 - dataOperand]);
  if (!weight)
    return fail("'" + labelOf(node) + "' gathers weights by something else than the expert ids");
  Value dataValue = node.getInputs()[dataOperand];
  std::optional<RoutedValue> data = dependsOnProduct(dataValue) ? evaluate(dataValue) : evaluateInput(dataValue);
  if (!data)
    return std::nullopt;
  if (weight->size() < 2 || data->layout.size() < 2)
    return fail("'" + labelOf(node) + "' has an operand of rank 1");
  bool dataFirst = dataOperand == 0;
  size_t rank = data->layout.size(), weightRank = weight->size();
  // data [.., 1, K] x W [.., K, N], or W [.., N, K] x data [.., K, 1].
  unsigned contracted = dataFirst ? rank - 1 : rank - 2, unit = dataFirst ? rank - 2 : rank - 1;
  AxisIndices inner = (*weight)[dataFirst ? weightRank - 2 : weightRank - 1],
              outer = (*weight)[dataFirst ? weightRank - 1 : weightRank - 2];
  bool isMatrix = inner.size() == 1 && outer.size() == 1 && inner[0] >= WeightRow && outer[0] >= WeightRow;
  if (!isMatrix || data->layout[contracted] != AxisIndices{FeatureIndex} || !data->layout[unit].empty())
    return fail("'" + labelOf(node) + "' is not the product of an expert's matrix and a row");
  Layout batch(weight->begin(), weight->end() - 2), dataBatch(data->layout.begin(), data->layout.end() - 2);
  std::optional<Layout> layout = broadcastLayouts(batch, dataBatch);
  if (!layout)
    return fail("'" + labelOf(node) + "' pairs different axes");
  layout->append({AxisIndices(), AxisIndices{FeatureIndex}});
  if (!dataFirst)
    std::swap(layout->back(), (*layout)[layout->size() - 2]);
  auto type = tensorTypeOf(product.weight.weight);
  RoutedSource source{.kind = RoutedSource::Product, .value = product.weight.weight, .data = data->expression};
  source.outByIn = inner[0] == WeightColumn;
  source.columns = type.getDimSize(source.outByIn ? 1 : 2);
  return RoutedValue{*layout, pool.column(addSource(source))};
}
