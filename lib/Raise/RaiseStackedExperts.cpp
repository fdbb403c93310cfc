//===- RaiseStackedExperts.cpp - experts as one batch of products -----------===//
//
// Accepts, for stacked weights W1 [E, H, N] and W2 [E, I, H] in either order of their axes, two forms of
//
//   rows (* gates) -> MatMul or Einsum with W1 (+ b1) -> one of #moe.activation -> with W2 (+ b2) (* gates)
//
// 1. Every expert sees every token: the rows are the tokens [.., H], repeated for the experts or not, and the results
// of
//    the experts are summed:
//
//      [E, T, H] * gates -> ReduceSum over E, or Einsum with the gates
//
//    The gates are a matrix with one per token and expert, on the rows or on the results; a scatter of the gates of
//    selected experts makes these the slots (ExpertGates.h). Gates on the rows must leave f(0) = 0, so no biases, for
//    the others to add nothing.
//
// 2. Each expert has rows of its own, [.., E, R, H]: the tokens or slots that were dispatched to it. The rows are
// tokens
//    of one slot, whose expert is given by their place. How they came there and where they go stays as it is: an
//    expert's choice of tokens, a softmax over tokens. Where one-hot products bring tokens to places below a capacity
//    and back (OneHotDispatch.h), the layer is that of the tokens.
//
// Exporters: torch's einsum and bmm, tiled batched products.
//
//===----------------------------------------------------------------------===//

#include "ExpertGates.h"
#include "LayerMatcher.h"
#include "OneHotDispatch.h"
#include "RoutedExperts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Raise/Passes.h"

namespace moec {
#define GEN_PASS_DEF_RAISESTACKEDEXPERTS
#include "moec/Raise/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::raise;

namespace {

using StackedProducts = llvm::MapVector<Operation *, StackedProduct>;

/// Matches and rewrites the layer that ends in one product.
class StackedLayer : public LayerMatcher {
public:
  StackedLayer(const StackedProduct &down, const StackedProducts &products, bool sharesTokens,
               const SymbolicShapes &shapes, WeightBuilder &weights);

  LogicalResult match();
  void rewrite();

private:
  void rewriteDispatch(const OneHotDispatch &dispatch);
  LogicalResult matchOutputs(const RoutedValue &product);
  LogicalResult stepOutputs(onnx::NodeOp user, Layout &layout);
  LogicalResult stepSum(onnx::NodeOp user, Layout &layout);
  LogicalResult matchActivation();
  LogicalResult matchInput(int64_t sourceIndex);
  LogicalResult matchGates();
  LogicalResult matchRows(Value weight);
  Value placesOfRows(OpBuilder &builder);
  int64_t expertCount() const { return tensorTypeOf(down.weight).getDimSize(0); }

  StackedProduct down;
  const StackedProducts &products;
  /// Whether every expert sees every token.
  bool sharesTokens;
  const SymbolicShapes &shapes;
  WeightBuilder &weights;
  RoutedRegion region;

  RoutedSource downSource;
  Value downBias, tokens, result;
  /// What the first product reads: for rows of their own, with an axis for each of the result's.
  Value rows;
  bool gatesAfter = false, summed = false;
  moe::WeightOn weightOn = moe::WeightOn::Output;
  std::optional<SlotGates> slots;
  std::optional<ActivationMatch> activation;
  std::optional<RoutedExperts> experts;
};

} // namespace

/// The tokens and slots of the rows of a product.
static RowSpace spaceOf(const StackedProduct &product, bool sharesTokens, const SymbolicShapes &shapes) {
  onnx::NodeOp node = product.node;
  Extents rows;
  for (auto [axis, extent] : llvm::enumerate(*shapes.extents(node.getResult(0))))
    if (static_cast<int64_t>(axis) != product.columnAxis &&
        !(sharesTokens && static_cast<int64_t>(axis) == product.expertAxis))
      rows.push_back(extent);
  return RowSpace::ofTokens(rows, sharesTokens ? tensorTypeOf(product.weight).getDimSize(0) : 1);
}

StackedLayer::StackedLayer(const StackedProduct &down, const StackedProducts &products, bool sharesTokens,
                           const SymbolicShapes &shapes, WeightBuilder &weights)
    : down(down), products(products), sharesTokens(sharesTokens), shapes(shapes), weights(weights),
      region(spaceOf(down, sharesTokens, shapes), Value(), shapes, {}) {
  int expertAxis = down.expertAxis - (down.columnAxis < down.expertAxis ? 1 : 0);
  for (const auto &[node, product] : products)
    region.addStackedProduct(product, sharesTokens ? static_cast<int>(SlotIndex) : expertAxis);
}

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

LogicalResult StackedLayer::match() {
  if (sharesTokens)
    region.allowGatesOnInput();
  std::optional<RoutedValue> product = region.evaluateProduct(down.node);
  if (!product)
    return miss(region.reason);
  downSource = region.source(region.expressions()[product->expression].source);
  if (failed(matchOutputs(*product)) || failed(matchActivation()) || failed(matchGates()))
    return failure();
  auto perExpert = [&](Value bias) {
    if (!bias || tensorTypeOf(bias).getRank() == 2)
      return bias;
    OpBuilder builder(bias.getContext());
    builder.setInsertionPointAfterValue(bias);
    return NodeBuilder(builder, bias.getLoc()).reshape(bias, {expertCount(), tensorTypeOf(bias).getShape().back()});
  };
  RoutedSource gate = region.source(activation->gate.source);
  std::optional<RoutedSource> linear;
  if (activation->linear) {
    bool isSame = activation->linear->source == activation->gate.source;
    linear = region.source(activation->linear->source);
    activation->linear->source = isSame ? 0 : 1;
    linear->bias = perExpert(linear->bias);
  }
  activation->gate.source = 0;
  gate.bias = perExpert(gate.bias);
  experts.emplace(*activation, gate, linear, downSource, perExpert(downBias));
  return experts->check(weights, {tokens.getType(), result.getType()}, why);
}

// Follows the result of the second product: to the sum over the experts if they see the same tokens.
LogicalResult StackedLayer::matchOutputs(const RoutedValue &product) {
  result = down.node.getResult(0);
  Layout layout = product.layout;
  while (!summed) {
    onnx::NodeOp user = onlyReader(result);
    if (user && succeeded(stepOutputs(user, layout))) {
      result = user.getResult(0);
      continue;
    }
    if (!sharesTokens)
      break;
    return miss(user ? "'" + labelOf(user) + "' (" + user.getOpType() +
                           ") is not part of the weighted sum over the experts"
                     : "the outputs of the experts have other uses than their weighted sum");
  }
  Layout order = region.rows().idsLayout();
  if (sharesTokens)
    order.pop_back();
  order.push_back(AxisIndices{FeatureIndex});
  return layout == order ? success() : miss("the rows of the result are in another order than the tokens");
}

LogicalResult StackedLayer::stepOutputs(onnx::NodeOp user, Layout &layout) {
  if (sharesTokens && isViewNode(user) && user.getInputs()[0] == result) {
    std::optional<Layout> next = region.rows().throughView(user, layout, shapes);
    if (next)
      layout = *next;
    return success(next.has_value());
  }
  Value other;
  auto isResult = [&](Value value) { return value == result; };
  bool isBinary = (user.is("Add") || user.is("Mul")) && splitCommutative(user, isResult, other) && other != result;
  if (isBinary && user.is("Add") && !gatesAfter && !downBias) {
    std::optional<RoutedValue> bias = region.evaluateBias(other);
    std::optional<Layout> next = bias ? broadcastLayouts(layout, bias->layout) : std::nullopt;
    if (!next || *next != layout)
      return failure();
    downBias = region.source(region.expressions()[bias->expression].source).value;
    return success();
  }
  if (isBinary && user.is("Mul") && !gatesAfter) {
    std::optional<Layout> gates = region.layoutOfGates(other);
    std::optional<Layout> next = gates ? broadcastLayouts(layout, *gates) : std::nullopt;
    if (!next || *next != layout)
      return failure();
    gatesAfter = true;
    return success();
  }
  return sharesTokens ? stepSum(user, layout) : failure();
}

// ReduceSum over the experts, or Einsum with the gates that leaves the experts out.
LogicalResult StackedLayer::stepSum(onnx::NodeOp user, Layout &layout) {
  if (user.is("ReduceSum")) {
    std::optional<SmallVector<int64_t>> axes = constantAxes(user, layout.size());
    if (!axes || axes->size() != 1 || layout[axes->front()] != AxisIndices{SlotIndex} ||
        user.getInt("keepdims", 1) != 0)
      return failure();
    layout.erase(layout.begin() + axes->front());
    summed = true;
    return success();
  }
  std::optional<EinsumEquation> equation = user.is("Einsum") ? einsumEquation(user) : std::nullopt;
  if (!equation || gatesAfter || user.getInputs().size() != 2)
    return failure();
  unsigned side = user.getInputs()[0] == result ? 0 : 1;
  std::optional<Layout> gates = region.layoutOfGates(user.getInputs()[1 - side]);
  if (!gates)
    return failure();
  std::map<char, AxisIndices> meaning;
  for (auto [letter, axis] : llvm::zip_equal(equation->inputs[side], layout))
    meaning[letter] = axis;
  for (auto [letter, axis] : llvm::zip_equal(equation->inputs[1 - side], *gates))
    if (auto [known, inserted] = meaning.try_emplace(letter, axis); !inserted && known->second != axis)
      return failure();
  Layout next;
  for (char letter : equation->output) {
    next.push_back(meaning[letter]);
    meaning.erase(letter);
  }
  // Only the experts are summed over, and they are an axis of both.
  bool sumsExperts = meaning.size() == 1 && meaning.begin()->second == AxisIndices{SlotIndex} &&
                     equation->inputs[0].find(meaning.begin()->first) != std::string::npos &&
                     equation->inputs[1].find(meaning.begin()->first) != std::string::npos;
  if (!sumsExperts)
    return failure();
  layout = next;
  gatesAfter = summed = true;
  return success();
}

LogicalResult StackedLayer::matchActivation() {
  ScalarExpressions &pool = region.expressions();
  ScalarId expression = downSource.data;
  if (!gatesAfter && pool.usesGate(expression)) {
    std::optional<ScalarId> rest = pool.withoutGate(expression);
    if (!rest || downBias)
      return miss("the gates are not a factor that may move behind the second product");
    gatesAfter = true;
    expression = *rest;
  }
  activation = pool.matchActivation(expression);
  if (!activation)
    return miss("the function between the two products is not a known activation");
  for (const ScalarNode *column : {&activation->gate, activation->linear ? &*activation->linear : nullptr})
    if (column && failed(matchInput(column->source)))
      return failure();
  return success();
}

LogicalResult StackedLayer::matchInput(int64_t sourceIndex) {
  std::string reason;
  if (failed(matchLayerInput(region, sourceIndex, gatesAfter, tokens, weightOn, reason)))
    return miss(reason);
  return sharesTokens ? success() : matchRows(region.source(sourceIndex).value);
}

// The first product with `weight`, of rows whose axes are those of the result.
LogicalResult StackedLayer::matchRows(Value weight) {
  for (const auto &[node, product] : products) {
    RoutedRegion probe(RowSpace::ofTokens({}), Value(), shapes, {});
    probe.addStackedProduct(product, SlotIndex);
    if (product.weight != weight || !probe.dependsOnProduct(down.data))
      continue;
    rows = product.data;
    bool keepsAxes = product.columnAxis == product.contracted;
    for (auto [axis, dataAxis] : llvm::enumerate(product.dataAxes))
      keepsAxes &= static_cast<int64_t>(axis) == product.columnAxis || dataAxis == static_cast<int64_t>(axis);
    return keepsAxes ? success() : miss("the first product reorders the rows");
  }
  return miss("the first product is not found");
}

LogicalResult StackedLayer::matchGates() {
  if (!sharesTokens)
    return success();
  if (!region.gates())
    return miss("the outputs of the experts are not multiplied by gates");
  slots = SlotGates::ofMatrix(region.gates(), shapes);
  bool hasBias = downBias || region.source(activation->gate.source).bias ||
                 (activation->linear && region.source(activation->linear->source).bias);
  if (weightOn == moe::WeightOn::Input && hasBias)
    return miss("experts with biases do not map tokens with gate 0 to 0");
  return success(slots->fitTokens(product(region.rows().tokens()), expertCount(), shapes, why));
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// The expert of each row, i32 [rows, 1], by its place along the axis of the experts.
Value StackedLayer::placesOfRows(OpBuilder &builder) {
  Location loc = down.node.getLoc();
  NodeBuilder nodes(builder, loc);
  SmallVector<int64_t> shape(down.dataAxes.size() - 1, 1);
  shape[down.expertAxis] = expertCount();
  SmallVector<int32_t> all = llvm::to_vector(llvm::seq<int32_t>(0, expertCount()));
  Value places = onnx::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(RankedTensorType::get(shape, builder.getI32Type()), ArrayRef(all)));
  // The experts repeat for each row in front of them, and each for all the rows behind.
  auto type = RankedTensorType::get(tensorTypeOf(down.node.getResult(0)).getShape().drop_back(), builder.getI32Type());
  auto vector = RankedTensorType::get({1}, builder.getI64Type());
  SmallVector<Value> extents;
  for (auto [axis, extent] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(extent)) {
      extents.push_back(nodes.ints({extent}));
      continue;
    }
    NamedAttribute range[] = {builder.getNamedAttr("start", builder.getI64IntegerAttr(axis)),
                              builder.getNamedAttr("end", builder.getI64IntegerAttr(axis + 1))};
    extents.push_back(nodes.node("Shape", 15, rows, vector, range));
  }
  Value whole = nodes.node("Concat", 13, extents, RankedTensorType::get({type.getRank()}, builder.getI64Type()),
                           builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)));
  return nodes.reshape(nodes.node("Expand", 13, {places, whole}, type), {-1, 1});
}

/// The tokens themselves, with the experts that have room for them.
void StackedLayer::rewriteDispatch(const OneHotDispatch &dispatch) {
  onnx::NodeOp end = dispatch.combined;
  OpBuilder builder(end);
  builder.setInsertionPointAfter(end);
  Location loc = down.node.getLoc();
  NodeBuilder nodes(builder, loc);
  Value ids = limitCapacity(builder, loc, dispatch.capacity);
  Value gates = nodes.cast(nodes.reshape(dispatch.gates, {-1, 1}), builder.getF32Type());
  Value y =
      experts->create(builder, loc, weights, dispatch.tokens, ids, gates, weightOn, "one-hot", labelOf(down.node));
  Value combined = end.getResult(0);
  combined.replaceAllUsesWith(nodes.reshapeRows(y, dispatch.tokens, cast<RankedTensorType>(combined.getType())));
}

void StackedLayer::rewrite() {
  std::optional<OneHotDispatch> dispatch =
      sharesTokens || region.gates() ? std::nullopt : matchOneHotDispatch(rows, result, shapes);
  if (dispatch && dispatch->capacity.depth == expertCount())
    return rewriteDispatch(*dispatch);
  Operation *end = result.getDefiningOp();
  OpBuilder builder(end);
  builder.setInsertionPointAfter(end);
  Location loc = down.node.getLoc();
  NodeBuilder nodes(builder, loc);
  Value ids, gates;
  if (sharesTokens) {
    std::tie(ids, gates) = slots->build(builder, loc, expertCount(), shapes);
  } else {
    ids = placesOfRows(builder);
    auto type = cast<RankedTensorType>(ids.getType()).clone(builder.getF32Type());
    if (region.gates()) {
      gates = nodes.cast(nodes.reshape(region.gates(), {-1, 1}), builder.getF32Type());
    } else {
      Value shape = nodes.node("Shape", 15, ids, RankedTensorType::get({2}, builder.getI64Type()));
      auto one = DenseElementsAttr::get(RankedTensorType::get({1}, builder.getF32Type()), 1.0f);
      gates = nodes.node("ConstantOfShape", 9, shape, type, builder.getNamedAttr("value", one));
    }
  }
  StringRef form = !sharesTokens ? "dispatched" : slots->ids ? "stacked" : "dense";
  Value y = experts->create(builder, loc, weights, tokens, ids, gates, weightOn, form, labelOf(down.node));
  result.replaceAllUsesWith(
      nodes.reshapeRows(y, sharesTokens ? tokens : rows, cast<RankedTensorType>(result.getType())));
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct RaiseStackedExperts : moec::impl::RaiseStackedExpertsBase<RaiseStackedExperts> {
  void runOnOperation() override {
    raiseLayers(getOperation(), [&](func::FuncOp function, WeightBuilder &weights) { raiseIn(function, weights); });
  }

  void raiseIn(func::FuncOp function, WeightBuilder &weights) {
    StackedProducts products;
    function.walk([&](onnx::NodeOp node) {
      std::optional<StackedProduct> product = matchStackedProduct(node);
      if (product && weights.get(product->weight))
        products[node] = *product;
    });
    if (products.size() < 2)
      return;
    SymbolicShapes shapes(function);
    for (auto &[node, product] : products) {
      RoutedRegion probe(RowSpace::ofTokens({}), Value(), shapes, {});
      for (auto &[other, before] : products)
        if (tensorTypeOf(before.weight).getDimSize(0) == tensorTypeOf(product.weight).getDimSize(0))
          probe.addStackedProduct(before, SlotIndex);
      if (!probe.dependsOnProduct(product.data))
        continue;
      raiseLayer(product, products, shapes, weights);
    }
  }

  static void raiseLayer(const StackedProduct &product, const StackedProducts &products, const SymbolicShapes &shapes,
                         WeightBuilder &weights) {
    StackedLayer shared(product, products, /*sharesTokens=*/true, shapes, weights);
    if (succeeded(shared.match()))
      return shared.rewrite();
    StackedLayer dispatched(product, products, /*sharesTokens=*/false, shapes, weights);
    if (succeeded(dispatched.match()))
      return dispatched.rewrite();
    onnx::NodeOp node = product.node;
    node->emitRemark("batched products of experts are not raised: ")
        << shared.reason() << "; with rows of their own: " << dispatched.reason();
  }
};
} // namespace
