//===- ExpertBody.cpp - the function of one expert --------------------------===//

#include "ExpertBody.h"
#include "ExpertGates.h"
#include "GroupedProducts.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

/// How many nodes may lie between two products of an expert.
static constexpr unsigned maxBodyNodes = 64;

//===----------------------------------------------------------------------===//
// Weights of one expert
//===----------------------------------------------------------------------===//

std::optional<int64_t> raise::matchExpertIndex(Value index) {
  while (true) {
    index = skipReshapes(index);
    if (std::optional<SmallVector<int64_t>> known = constantInts(index))
      return known->size() == 1 ? std::optional(known->front()) : std::nullopt;
    // The only element of a vector of one.
    onnx::NodeOp pick = producer(index, "Gather");
    RankedTensorType type = pick ? tensorTypeOf(pick.getInputs()[0]) : nullptr;
    if (!type || !type.hasStaticShape() || type.getNumElements() != 1)
      break;
    index = pick.getInputs()[0];
  }
  onnx::NodeOp split = producer(index, "Split");
  onnx::NodeOp nonZero = split ? producer(skipReshapes(split.getInputs()[0])) : nullptr;
  if (nonZero && nonZero.is("Transpose"))
    nonZero = producer(nonZero.getInputs()[0]);
  bool isUnit = split && split.getInput(1) && filledWith(split.getInput(1)) == 1.0 && split.getInt("axis", 0) == 0;
  onnx::NodeOp greater = isUnit && nonZero && nonZero.is("NonZero") ? producer(nonZero.getInputs()[0]) : nullptr;
  if (!greater || !greater.is("Greater") || filledWith(greater.getInputs()[1]) != 0.0)
    return std::nullopt;
  onnx::NodeOp counts = producer(greater.getInputs()[0], "ReduceSum");
  RankedTensorType countType = counts ? tensorTypeOf(counts.getResult(0)) : nullptr;
  RankedTensorType maskType = counts ? tensorTypeOf(counts.getInputs()[0]) : nullptr;
  if (!maskType || !countType || countType.getRank() != 1)
    return std::nullopt;
  std::optional<SmallVector<int64_t>> axes = constantAxes(counts, maskType.getRank());
  std::optional<OneHot> mask = matchOneHot(counts.getInputs()[0]);
  if (!axes || !mask || llvm::is_contained(*axes, mask->expertAxis()) ||
      boundOfIds(mask->ids) != static_cast<int64_t>(split->getNumResults()))
    return std::nullopt;
  return cast<OpResult>(index).getResultNumber();
}

namespace {
/// A value that belongs to one expert: by itself, or as element `expert` of a stack.
struct ExpertWeight {
  Value base, stack;
  int64_t expert = -1;
  bool isTransposed = false;
};
} // namespace

/// Whether `value` is stored in the model, possibly in another shape, order or type.
static bool isStored(Value value) {
  while (onnx::NodeOp node = producer(value)) {
    if (!isViewNode(node) || node.is("Expand") || node.is("Tile"))
      return false;
    value = node.getInputs()[0];
  }
  return value.getDefiningOp<moe::LoadWeightOp>() || value.getDefiningOp<onnx::ConstantOp>();
}

static std::optional<ExpertWeight> matchExpertWeight(Value value) {
  ExpertWeight weight{.base = value};
  while (onnx::NodeOp node = producer(weight.base)) {
    if (node.is("Transpose") && tensorTypeOf(weight.base).getRank() == 2)
      weight.isTransposed ^= node.getInts("perm").value_or(SmallVector<int64_t>{1, 0}) == SmallVector<int64_t>{1, 0};
    else if (!node.is("Identity"))
      break;
    weight.base = node.getInputs()[0];
  }
  if (isStored(weight.base))
    return weight;
  if (std::optional<Element> element = matchElement(weight.base)) {
    weight.stack = element->source;
    weight.expert = element->index;
  } else {
    onnx::NodeOp gather = producer(skipReshapes(weight.base), "Gather");
    std::optional<int64_t> index =
        gather && gather.getInt("axis", 0) == 0 ? matchExpertIndex(gather.getInputs()[1]) : std::nullopt;
    if (!index)
      return std::nullopt;
    weight.stack = gather.getInputs()[0];
    weight.expert = *index;
  }
  RankedTensorType stack = tensorTypeOf(weight.stack), own = tensorTypeOf(weight.base);
  bool isElement = stack && own && stack.hasStaticShape() && stack.getRank() == own.getRank() + 1 &&
                   stack.getShape().drop_front() == own.getShape() && isStored(weight.stack);
  return isElement ? std::optional(weight) : std::nullopt;
}

static bool isFloatMatrix(Value value) {
  RankedTensorType type = tensorTypeOf(value);
  return type && type.getRank() == 2 && type.hasStaticShape() && isa<FloatType>(type.getElementType());
}

/// A vector that belongs to one expert, or a row of a matrix; a single number is an ordinary constant.
static bool isExpertBias(Value value) {
  RankedTensorType type = tensorTypeOf(value);
  return type && type.getRank() >= 1 && type.hasStaticShape() && type.getShape().back() > 1 &&
         type.getNumElements() == type.getShape().back() && isa<FloatType>(type.getElementType()) &&
         matchExpertWeight(value);
}

/// MatMul(rows, W) or Gemm(rows, W, b) with the matrix of one expert.
static std::optional<RowProduct> matchRowProduct(onnx::NodeOp node) {
  if (!node || !(node.is("MatMul") || node.is("Gemm")))
    return std::nullopt;
  Value data = node.getInputs()[0], matrix = node.getInputs()[1];
  std::optional<ExpertWeight> weight = isFloatMatrix(matrix) ? matchExpertWeight(matrix) : std::nullopt;
  if (!weight)
    return std::nullopt;
  RowProduct product{.weight = weight->base, .data = data, .outByIn = weight->isTransposed};
  if (node.is("MatMul"))
    return product;
  if (node.getFloat("alpha", 1) != 1 || node.getInt("transA", 0) != 0)
    return std::nullopt;
  if (node.getInt("transB", 0))
    product.outByIn = !product.outByIn;
  if (Value bias = node.getInput(2)) {
    if (node.getFloat("beta", 1) != 1 || !isExpertBias(bias))
      return std::nullopt;
    product.bias = bias;
  }
  return product;
}

//===----------------------------------------------------------------------===//
// Products in front of a value
//===----------------------------------------------------------------------===//

namespace {
struct FoundProduct {
  onnx::NodeOp node;
  RowProduct product;
};
} // namespace

static bool isOnePerRow(Value value) {
  RankedTensorType type = tensorTypeOf(value);
  return type && (type.getRank() < 2 || type.getShape().back() == 1);
}

/// The nearest products that `value` is computed from elementwise, and the biases added on the way.
static SmallVector<FoundProduct> productsInFront(Value value, SmallVectorImpl<Value> &biases) {
  SmallVector<FoundProduct> found;
  SmallVector<Value> stack = {value};
  llvm::SmallDenseSet<Operation *> seen;
  while (!stack.empty() && seen.size() < maxBodyNodes) {
    Value next = stack.pop_back_val();
    onnx::NodeOp node = producer(next);
    if (!node || isOnePerRow(next) || !seen.insert(node).second)
      continue;
    if (std::optional<RowProduct> product = matchRowProduct(node)) {
      found.push_back({node, *product});
      continue;
    }
    if (!isElementwiseNode(node) && !isViewNode(node))
      continue;
    for (Value input : isViewNode(node) ? node.getInputs().take_front() : node.getInputs()) {
      if (node.is("Add") && isExpertBias(input))
        biases.push_back(input);
      else
        stack.push_back(input);
    }
  }
  return found;
}

bool raise::resemblesExpertBody(Value value, const SymbolicShapes &shapes) {
  SmallVector<Value> biases;
  SmallVector<FoundProduct> down = productsInFront(value, biases);
  return down.size() == 1 && !productsInFront(down.front().product.data, biases).empty();
}

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// Divides `id` by the gate if it has one.
static std::optional<ScalarId> takeGate(ScalarExpressions &pool, ScalarId id, bool &isGated) {
  if (!pool.usesGate(id))
    return id;
  if (isGated)
    return std::nullopt;
  isGated = true;
  return pool.withoutGate(id);
}

/// Splits rows * gate, where the gate is one number per row.
static bool splitGatedRows(Value value, const SymbolicShapes &shapes, Value &rows, Value &gate) {
  onnx::NodeOp node = producer(value, "Mul");
  auto isGate = [&](Value operand) { return isOnePerRow(operand) && !constantSplat(operand); };
  if (!node || !splitCommutative(node, isGate, rows) || isOnePerRow(rows))
    return false;
  gate = node.getInputs()[node.getInputs()[0] == rows ? 1 : 0];
  std::optional<ArrayRef<Extent>> a = shapes.extents(rows), b = shapes.extents(gate);
  return a && b && a->size() == b->size() && a->drop_back() == b->drop_back();
}

std::optional<ExpertBody> raise::matchExpertBody(Value value, const SymbolicShapes &shapes, std::string &reason) {
  auto miss = [&](const Twine &why) {
    reason = why.str();
    return std::nullopt;
  };
  SmallVector<Value> biases;
  SmallVector<FoundProduct> down = productsInFront(value, biases);
  if (down.size() != 1)
    return miss("an expert does not end in one product");
  SmallVector<FoundProduct> up = productsInFront(down.front().product.data, biases);
  if (up.empty() || up.size() > 2)
    return miss("an expert does not begin with one or two products");
  std::optional<ArrayRef<Extent>> extents = shapes.extents(down.front().node.getResult(0));
  if (!extents || extents->size() < 2)
    return miss("the rows of an expert are not known");
  RoutedRegion region(RowSpace::ofTokens(extents->drop_back()), Value(), shapes, {});
  for (const FoundProduct &found : llvm::concat<FoundProduct>(down, up))
    region.addRowProduct(found.node, found.product);
  for (Value bias : biases)
    region.addRowBias(bias);

  std::optional<RoutedValue> result = region.evaluate(value);
  if (!result)
    return miss(region.reason);
  ScalarExpressions &pool = region.expressions();
  bool isGated = false;
  std::optional<ScalarId> output = takeGate(pool, result->expression, isGated);
  if (!output || pool[*output].kind != ScalarKind::Column || pool[*output].start != 0 || pool[*output].step != 1 ||
      region.source(pool[*output].source).kind != RoutedSource::Product)
    return miss("the output of an expert is not its product, times its gate or not");
  ExpertBody body;
  body.down = region.source(pool[*output].source);
  bool isGatedAfter = isGated;
  std::optional<ScalarId> hidden = takeGate(pool, body.down.data, isGated);
  if (!hidden || (isGated && !isGatedAfter && body.down.bias))
    return miss("the gate is not a factor that may move behind the second product");
  std::optional<ActivationMatch> activation = pool.matchActivation(*hidden);
  if (!activation)
    return miss("the function between the two products is not a known activation");
  body.activation = *activation;
  body.gateSource = region.source(activation->gate.source);
  body.activation.gate.source = 0;
  if (activation->linear) {
    bool isSame = activation->linear->source == activation->gate.source;
    body.linearSource = region.source(activation->linear->source);
    body.activation.linear->source = isSame ? 0 : 1;
  }
  for (const RoutedSource *source : {&body.gateSource, body.linearSource ? &*body.linearSource : nullptr}) {
    if (!source)
      continue;
    const ScalarNode column = pool[source->data];
    if (source->kind != RoutedSource::Product || column.kind != ScalarKind::Column ||
        region.source(column.source).kind != RoutedSource::Tokens)
      return miss("the activation is not a function of products of the same rows");
    Value rows = region.source(column.source).value;
    if (body.rows && body.rows != rows)
      return miss("the products in front of the activation have different inputs");
    body.rows = rows;
  }
  body.gate = region.gates();
  Value rows, gate;
  if (!body.gate && splitGatedRows(body.rows, shapes, rows, gate)) {
    body.rows = rows;
    body.gate = gate;
    body.weightOn = moe::WeightOn::Input;
  }
  std::optional<ArrayRef<Extent>> rowExtents = shapes.extents(body.rows), outExtents = shapes.extents(value);
  if (!rowExtents || !outExtents || rowExtents->drop_back() != extents->drop_back() ||
      outExtents->drop_back() != extents->drop_back())
    return miss("the rows of an expert change on the way");
  return body;
}

//===----------------------------------------------------------------------===//
// Stacking
//===----------------------------------------------------------------------===//

static bool areAlike(const ScalarNode &a, const ScalarNode &b) {
  return a.source == b.source && a.start == b.start && a.step == b.step;
}

/// Whether the two compute the same function of weights of the same shape.
static bool areAlike(const RoutedSource &a, const RoutedSource &b) {
  return a.value.getType() == b.value.getType() && a.outByIn == b.outByIn && !a.bias == !b.bias &&
         (!a.bias || a.bias.getType() == b.bias.getType());
}

static bool areAlike(const ExpertBody &a, const ExpertBody &b) {
  const ActivationMatch &x = a.activation, &y = b.activation;
  bool sameActivation = x.kind == y.kind && x.alpha == y.alpha && x.beta == y.beta && x.limit == y.limit &&
                        areAlike(x.gate, y.gate) && !x.linear == !y.linear &&
                        (!x.linear || areAlike(*x.linear, *y.linear));
  return sameActivation && a.weightOn == b.weightOn && areAlike(a.gateSource, b.gateSource) &&
         areAlike(a.down, b.down) && (!a.linearSource || areAlike(*a.linearSource, *b.linearSource));
}

/// The values of all experts as one; null if they are elements of a stack in another order, or not constant.
static Value stackValues(ArrayRef<Value> values, OpBuilder &builder, WeightBuilder &weights) {
  Value stack;
  for (auto [index, value] : llvm::enumerate(values)) {
    std::optional<ExpertWeight> weight = matchExpertWeight(value);
    if (!weight || weight->isTransposed || (index > 0 && weight->stack != stack))
      return {};
    stack = weight->stack;
    bool isInPlace = !stack || (weight->expert == static_cast<int64_t>(index) &&
                                tensorTypeOf(stack).getDimSize(0) == static_cast<int64_t>(values.size()));
    if (!isInPlace || !weights.get(stack ? stack : value))
      return {};
  }
  return stack ? stack : weights.stack(builder, values);
}

std::optional<RoutedExperts> raise::stackExpertBodies(ArrayRef<ExpertBody> bodies, OpBuilder &builder,
                                                      WeightBuilder &weights, std::string &reason) {
  const ExpertBody &first = bodies.front();
  auto miss = [&](const Twine &why) {
    reason = why.str();
    return std::nullopt;
  };
  for (auto [index, body] : llvm::enumerate(bodies))
    if (!areAlike(first, body))
      return miss("expert " + Twine(index) + " computes another function than expert 0");
  bool isShared =
      llvm::all_of(bodies, [&](const ExpertBody &body) { return body.gateSource.value == first.gateSource.value; });
  if (isShared && bodies.size() > 1)
    return miss("the experts share their first product");
  auto stack = [&](const RoutedSource &like, function_ref<const RoutedSource &(const ExpertBody &)> source) {
    RoutedSource stacked = like;
    stacked.value = stackValues(llvm::map_to_vector(bodies, [&](const ExpertBody &body) { return source(body).value; }),
                                builder, weights);
    if (like.bias)
      stacked.bias = stackValues(llvm::map_to_vector(bodies, [&](const ExpertBody &body) { return source(body).bias; }),
                                 builder, weights);
    return stacked;
  };
  RoutedSource gate =
      stack(first.gateSource, [](const ExpertBody &body) -> const RoutedSource & { return body.gateSource; });
  RoutedSource down = stack(first.down, [](const ExpertBody &body) -> const RoutedSource & { return body.down; });
  std::optional<RoutedSource> linear;
  if (first.linearSource)
    linear = first.activation.linear->source == 0
                 ? gate
                 : stack(*first.linearSource,
                         [](const ExpertBody &body) -> const RoutedSource & { return *body.linearSource; });
  for (const RoutedSource *source : {&gate, &down, linear ? &*linear : nullptr})
    if (source && (!source->value || (first.down.bias && source == &down && !source->bias) ||
                   (first.gateSource.bias && source == &gate && !source->bias) ||
                   (linear && source == &*linear && first.linearSource->bias && !source->bias)))
      return miss("the weights of the experts are not constants of one stack each, in the order of the experts");
  Value downBias = down.bias;
  return RoutedExperts(first.activation, gate, linear, down, downBias);
}
