//===- RaiseGatheredExperts.cpp - experts as products with gathered weights -===//
//
// Accepts, for ids [T, K] and gates [T, K] from anywhere, in any order of operands and any shapes that hold tokens, slots
// and features (RoutedLayout.h):
//
//   x [T, H] -> repeated per slot -> (* gates)      ids -> Gather / GatherND of W1 [E, N, H] or [E, H, N]
//                         \__________ MatMul __________/   (W1 may be two weights: gate and up)
//                                       |  (+ Gather b1)
//                    slices or splits of the features, elementwise nodes: one of #moe.activation
//                                       |  (* gates)      ids -> Gather of W2
//                                     MatMul ________________/
//                                       |  (+ Gather b2)
//                                    (* gates)
//                                       |
//                            ReduceSum over the slots; nothing for K = 1
//
// with the gates in one of the three places or in none, and before the second product only if there is no b2. Exporters:
// torch's dynamo (GatherND, Expand, Split) and TorchScript (Gather, OneHot and Tile, Slice with computed bounds).
//
//===----------------------------------------------------------------------===//

#include "GraphPatterns.h"
#include "RoutedRegion.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Raise/Passes.h"

namespace moec {
#define GEN_PASS_DEF_RAISEGATHEREDEXPERTS
#include "moec/Raise/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::raise;

namespace {

/// The products whose weights are gathered by one value of ids.
using ProductGroups = llvm::MapVector<Value, SmallVector<ExpertProduct>>;

/// Matches and rewrites the layer that ends in one product.
class GatheredLayer {
public:
  GatheredLayer(const ExpertProduct &down, Value ids, RowSpace space, const SymbolicShapes &shapes,
                llvm::SmallDenseSet<Operation *> products, WeightBuilder &weights)
      : down(down), ids(ids), shapes(shapes), weights(weights), region(std::move(space), ids, shapes, products) {}

  LogicalResult match();
  void rewrite();
  StringRef reason() const { return why; }

private:
  LogicalResult miss(const Twine &text) {
    if (why.empty())
      why = text.str();
    return failure();
  }
  LogicalResult matchCombine(const RoutedValue &product);
  LogicalResult stepCombine(onnx::NodeOp user, Layout &layout);
  LogicalResult matchActivation();
  LogicalResult matchInput(int64_t sourceIndex);
  LogicalResult checkWeights();
  Value weightRows(OpBuilder &builder, const RoutedSource &source, const ScalarNode &column);
  Value biasRows(OpBuilder &builder, const RoutedSource &source, const ScalarNode &column);
  Value canonical(OpBuilder &builder, const RoutedSource &source);
  Value expertIds(OpBuilder &builder);
  Value unitGates(OpBuilder &builder, Value experts);
  Value reshapeResult(OpBuilder &builder, Value y);

  ExpertProduct down;
  Value ids;
  const SymbolicShapes &shapes;
  WeightBuilder &weights;
  RoutedRegion region;
  std::string why;

  RoutedSource downSource;
  Value downBias, tokens;
  /// The last value of the layer, which the raised op replaces, and its layout.
  Value result;
  Layout resultLayout;
  bool gatesAfter = false, reduced = false;
  moe::WeightOn weightOn = moe::WeightOn::Output;
  std::optional<ActivationMatch> activation;
  int64_t inner = 0;
};

} // namespace

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

LogicalResult GatheredLayer::match() {
  std::optional<RoutedValue> product = region.evaluateProduct(down.node);
  if (!product)
    return miss(region.reason);
  downSource = region.source(region.expressions()[product->expression].source);
  if (failed(matchCombine(*product)) || failed(matchActivation()))
    return failure();
  return checkWeights();
}

/// The only node that reads the elements of `value`, not just its shape.
static onnx::NodeOp onlyUser(Value value) {
  onnx::NodeOp found;
  for (Operation *user : value.getUsers()) {
    auto node = dyn_cast<onnx::NodeOp>(user);
    if (node && node.is("Shape"))
      continue;
    if (!node || (found && found != node))
      return nullptr;
    found = node;
  }
  return found;
}

// Follows the result of the second product to the sum over the slots.
LogicalResult GatheredLayer::matchCombine(const RoutedValue &product) {
  result = down.node.getResult(0);
  Layout layout = product.layout;
  while (!reduced) {
    if (region.rows().slotCount() == 1 && gatesAfter)
      break;
    onnx::NodeOp user = onlyUser(result);
    if (!user || failed(stepCombine(user, layout))) {
      if (region.rows().slotCount() == 1 && why.empty())
        break;
      return miss(user ? "'" + labelOf(user) + "' (" + user.getOpType() + ") is not part of the weighted sum over the slots"
                       : "the outputs of the experts have other uses than their weighted sum");
    }
    result = user.getResult(0);
  }
  // Only tokens and features are left, in a shape that a Reshape can make.
  unsigned merged = llvm::count_if(layout, [](const AxisIndices &axis) { return axis.size() > 1; });
  if (merged > 1)
    return miss("the sum has a shape that is not understood");
  for (const AxisIndices &axis : layout)
    if (llvm::is_contained(axis, SlotIndex) || (axis.size() > 1 && llvm::is_contained(axis, FeatureIndex)))
      return miss("the weighted sum is not over the slots");
  resultLayout = layout;
  return success();
}

LogicalResult GatheredLayer::stepCombine(onnx::NodeOp user, Layout &layout) {
  if (isViewNode(user) && user.getInputs()[0] == result) {
    std::optional<Layout> next = region.rows().throughView(user, layout, shapes);
    if (next)
      layout = *next;
    return success(next.has_value());
  }
  Value other;
  auto isResult = [&](Value value) { return value == result; };
  if (user.is("Add") && !gatesAfter && !downBias && splitCommutative(user, isResult, other)) {
    std::optional<RoutedValue> bias = region.evaluateBias(other);
    std::optional<Layout> next = bias ? broadcastLayouts(layout, bias->layout) : std::nullopt;
    if (!next)
      return failure();
    downBias = region.source(region.expressions()[bias->expression].source).value;
    layout = *next;
    return success();
  }
  if (user.is("Mul") && !gatesAfter && splitCommutative(user, isResult, other) && other != result) {
    std::optional<Layout> gates = region.layoutOfGates(other);
    std::optional<Layout> next = gates ? broadcastLayouts(layout, *gates) : std::nullopt;
    if (!next)
      return failure();
    gatesAfter = true;
    layout = *next;
    return success();
  }
  if (!user.is("ReduceSum"))
    return failure();
  std::optional<SmallVector<int64_t>> axes = constantAxes(user, layout.size());
  if (!axes || axes->size() != 1 || layout[axes->front()] != AxisIndices{SlotIndex})
    return miss("'" + labelOf(user) + "' does not sum over the slots alone");
  if (user.getInt("keepdims", 1))
    layout[axes->front()].clear();
  else
    layout.erase(layout.begin() + axes->front());
  reduced = true;
  return success();
}

LogicalResult GatheredLayer::matchActivation() {
  ScalarExpressions &pool = region.expressions();
  ScalarId expression = downSource.data;
  if (!gatesAfter && pool.usesGate(expression)) {
    std::optional<ScalarId> rest = pool.withoutGate(expression);
    if (!rest || downBias)
      return miss("the gates are not a factor that may move behind the second product");
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

// A product of the tokens, or of the tokens times the gates.
LogicalResult GatheredLayer::matchInput(int64_t sourceIndex) {
  ScalarExpressions &pool = region.expressions();
  const RoutedSource &source = region.source(sourceIndex);
  if (source.kind != RoutedSource::Product)
    return miss("the activation is not a function of the first product");
  ScalarId rows = source.data;
  if (pool.usesGate(rows)) {
    std::optional<ScalarId> rest = pool.withoutGate(rows);
    if (!rest || gatesAfter)
      return miss("the gates multiply more than once");
    weightOn = moe::WeightOn::Input;
    rows = *rest;
  }
  const ScalarNode &column = pool[rows];
  if (column.kind != ScalarKind::Column || region.source(column.source).kind != RoutedSource::Tokens)
    return miss("the first product is not applied to the tokens");
  Value found = region.source(column.source).value;
  if (tokens && tokens != found)
    return miss("the two products in front of the activation have different inputs");
  tokens = found;
  return success();
}

LogicalResult GatheredLayer::checkWeights() {
  auto typeOf = [](Value value) { return cast<RankedTensorType>(value.getType()); };
  const RoutedSource &gate = region.source(activation->gate.source);
  RankedTensorType downType = typeOf(downSource.value);
  inner = downType.getDimSize(downSource.outByIn ? 2 : 1);
  SmallVector<const RoutedSource *> sources = {&gate, &downSource};
  if (activation->linear)
    sources.push_back(&region.source(activation->linear->source));
  if (!isComputedInF32(downType.getElementType()))
    return miss("the weights are not f32, f16 or bf16");
  for (const RoutedSource *source : sources) {
    if (typeOf(source->value).getDimSize(0) != downType.getDimSize(0))
      return miss("the weights have different numbers of experts");
    if (typeOf(source->value).getElementType() != downType.getElementType() ||
        downType.getElementType() != typeOf(tokens).getElementType() ||
        downType.getElementType() != typeOf(result).getElementType())
      return miss("the weights and the tokens have different element types");
    if (!weights.get(source->value) || (source->bias && !weights.get(source->bias)))
      return miss("the stacked weights are not constant");
  }
  if (downBias && (!weights.get(downBias) || typeOf(downBias).getDimSize(0) != downType.getDimSize(0)))
    return miss("the stacked bias is not a constant with one row per expert");
  for (const ScalarNode *column : {&activation->gate, activation->linear ? &*activation->linear : nullptr})
    if (column && column->start + column->step * (inner - 1) >= region.source(column->source).columns)
      return miss("the activation reads past the columns of the first product");
  return success();
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// [E, out, in]
Value GatheredLayer::canonical(OpBuilder &builder, const RoutedSource &source) {
  Value weight = weights.get(source.value);
  return source.outByIn ? weight : transposeWeight(builder, weight.getLoc(), weight, {0, 2, 1});
}

/// The rows of a stacked weight or bias that a column stands for.
static Value sliceRows(OpBuilder &builder, Value weight, const ScalarNode &column, int64_t count) {
  auto type = cast<RankedTensorType>(weight.getType());
  if (column.start == 0 && column.step == 1 && type.getDimSize(1) == count)
    return weight;
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0)), strides(type.getRank(), builder.getIndexAttr(1)),
      sizes;
  for (int64_t extent : type.getShape())
    sizes.push_back(builder.getIndexAttr(extent));
  offsets[1] = builder.getIndexAttr(column.start);
  strides[1] = builder.getIndexAttr(column.step);
  sizes[1] = builder.getIndexAttr(count);
  return tensor::ExtractSliceOp::create(builder, weight.getLoc(), weight, offsets, sizes, strides);
}

Value GatheredLayer::weightRows(OpBuilder &builder, const RoutedSource &source, const ScalarNode &column) {
  return sliceRows(builder, canonical(builder, source), column, inner);
}

Value GatheredLayer::biasRows(OpBuilder &builder, const RoutedSource &source, const ScalarNode &column) {
  return source.bias ? sliceRows(builder, weights.get(source.bias), column, inner) : Value();
}

/// Whether ids that come from `value` are never negative, so that -1 cannot mean the last expert.
static bool isNeverNegative(Value value) {
  value = skipReshapes(value);
  if (std::optional<SmallVector<int64_t>> constants = constantInts(value))
    return llvm::all_of(*constants, [](int64_t id) { return id >= 0; });
  auto result = dyn_cast<OpResult>(value);
  onnx::NodeOp node = producer(value);
  return node && ((node.is("TopK") && result.getResultNumber() == 1) || node.is("ArgMax"));
}

/// `ids` as tensor<TxKxi32>. Gather counts negative ids from the end.
Value GatheredLayer::expertIds(OpBuilder &builder) {
  NodeBuilder nodes(builder, down.node.getLoc());
  Value rows = nodes.reshape(ids, {-1, region.rows().slotCount()});
  auto type = cast<RankedTensorType>(rows.getType());
  if (!isNeverNegative(ids)) {
    int64_t expertCount = cast<RankedTensorType>(downSource.value.getType()).getDimSize(0);
    auto scalar = [&](int64_t value) -> Value {
      auto scalarType = RankedTensorType::get({}, type.getElementType());
      return onnx::ConstantOp::create(
          builder, down.node.getLoc(),
          DenseElementsAttr::get(scalarType, builder.getIntegerAttr(type.getElementType(), value)));
    };
    Value isNegative = nodes.node("Less", 13, {rows, scalar(0)}, type.clone(builder.getI1Type()));
    Value wrapped = nodes.node("Add", 14, {rows, scalar(expertCount)}, type);
    rows = nodes.node("Where", 16, {isNegative, wrapped, rows}, type);
  }
  return nodes.cast(rows, builder.getI32Type());
}

/// Ones in the shape of `experts`.
Value GatheredLayer::unitGates(OpBuilder &builder, Value experts) {
  NodeBuilder nodes(builder, down.node.getLoc());
  auto type = cast<RankedTensorType>(experts.getType()).clone(builder.getF32Type());
  Value shape = nodes.node("Shape", 15, experts, RankedTensorType::get({2}, builder.getI64Type()));
  auto one = DenseElementsAttr::get(RankedTensorType::get({1}, builder.getF32Type()), 1.0f);
  return nodes.node("ConstantOfShape", 9, shape, type, builder.getNamedAttr("value", one));
}

/// `y` [T, Ho] in the shape of the value it replaces.
Value GatheredLayer::reshapeResult(OpBuilder &builder, Value y) {
  NodeBuilder nodes(builder, down.node.getLoc());
  auto type = cast<RankedTensorType>(result.getType());
  if (type.getNumDynamicDims() <= 1) {
    SmallVector<int64_t> shape = llvm::map_to_vector(
        type.getShape(), [](int64_t extent) { return ShapedType::isDynamic(extent) ? int64_t(-1) : extent; });
    // The feature extent is known even where the type does not say it.
    Value reshaped = nodes.reshape(y, shape);
    return reshaped.getType() == type ? reshaped : tensor::CastOp::create(builder, down.node.getLoc(), type, reshaped);
  }
  SmallVector<Value> extents;
  auto vector = RankedTensorType::get({1}, builder.getI64Type());
  for (auto [axis, extent] : llvm::zip_equal(resultLayout, type.getShape())) {
    if (!ShapedType::isDynamic(extent)) {
      extents.push_back(nodes.ints({extent}));
    } else if (axis.size() != 1) {
      extents.push_back(nodes.ints({-1}));
    } else {
      NamedAttribute range[] = {builder.getNamedAttr("start", builder.getI64IntegerAttr(axis.front())),
                                builder.getNamedAttr("end", builder.getI64IntegerAttr(axis.front() + 1))};
      extents.push_back(nodes.node("Shape", 15, ids, vector, range));
    }
  }
  Value shape = nodes.node("Concat", 13, extents, RankedTensorType::get({type.getRank()}, builder.getI64Type()),
                           builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)));
  return nodes.node("Reshape", 14, {y, shape}, type);
}

void GatheredLayer::rewrite() {
  Operation *end = result.getDefiningOp();
  OpBuilder builder(end);
  builder.setInsertionPointAfter(end);
  NodeBuilder nodes(builder, down.node.getLoc());
  const RoutedSource &gate = region.source(activation->gate.source);
  Value w1, w3, b1, b3;
  moe::GateLayout layout = moe::GateLayout::NotGated;
  if (activation->linear) {
    const ScalarNode &g = activation->gate, &l = *activation->linear;
    bool isWhole = g.source == l.source && gate.columns == 2 * inner && g.start == 0;
    layout = isWhole && g.step == 1 && l.step == 1 && l.start == inner ? moe::GateLayout::Concatenated
             : isWhole && g.step == 2 && l.step == 2 && l.start == 1   ? moe::GateLayout::Interleaved
                                                                       : moe::GateLayout::Separate;
    if (layout == moe::GateLayout::Separate) {
      w3 = weightRows(builder, region.source(l.source), l);
      b3 = biasRows(builder, region.source(l.source), l);
    }
  }
  bool isFused = layout == moe::GateLayout::Concatenated || layout == moe::GateLayout::Interleaved;
  w1 = isFused ? canonical(builder, gate) : weightRows(builder, gate, activation->gate);
  if (gate.bias)
    b1 = isFused ? weights.get(gate.bias) : biasRows(builder, gate, activation->gate);
  Value w2 = canonical(builder, downSource), b2 = downBias ? weights.get(downBias) : Value();

  int64_t slots = region.rows().slotCount();
  auto tokensType = cast<RankedTensorType>(tokens.getType());
  Value x = nodes.reshape(tokens, {-1, cast<RankedTensorType>(w1.getType()).getDimSize(2)});
  Value experts = expertIds(builder);
  Value gates = region.gates() ? nodes.cast(nodes.reshape(region.gates(), {-1, slots}), builder.getF32Type())
                               : unitGates(builder, experts);
  auto attr = moe::ActivationAttr::get(builder.getContext(), activation->kind, layout, APFloat(activation->alpha),
                                       APFloat(activation->beta), APFloat(activation->limit));
  auto type = RankedTensorType::get({cast<RankedTensorType>(x.getType()).getDimSize(0),
                                     cast<RankedTensorType>(w2.getType()).getDimSize(1)},
                                    tokensType.getElementType());
  Value y = moe::ExpertsOp::create(builder, down.node.getLoc(), type, x, experts, gates, w1, w2, w3, b1, b2, b3,
                                   attr, weightOn, builder.getStringAttr("gathered"),
                                   builder.getStringAttr(labelOf(down.node)));
  result.replaceAllUsesWith(reshapeResult(builder, y));
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct RaiseGatheredExperts : moec::impl::RaiseGatheredExpertsBase<RaiseGatheredExperts> {
  void runOnOperation() override {
    WeightBuilder weights(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>())
      raiseIn(function, weights);
    eraseUnusedNodes(getOperation());
  }

  void raiseIn(func::FuncOp function, WeightBuilder &weights) {
    ProductGroups groups;
    function.walk([&](onnx::NodeOp node) {
      if (std::optional<ExpertProduct> product = matchExpertProduct(node))
        groups[skipReshapes(product->weight.ids)].push_back(*product);
    });
    if (groups.empty())
      return;
    SymbolicShapes shapes(function);
    for (auto &[ids, products] : groups)
      raiseGroup(ids, products, shapes, weights);
  }

  void raiseGroup(Value ids, ArrayRef<ExpertProduct> products, const SymbolicShapes &shapes, WeightBuilder &weights) {
    std::optional<RowSpace> space = RowSpace::create(ids, shapes);
    if (!space) {
      products.front().node->emitRemark("gathered weights are not raised: the number of experts per token is not known");
      return;
    }
    llvm::SmallDenseSet<Operation *> nodes;
    for (const ExpertProduct &product : products)
      nodes.insert(product.node);
    RoutedRegion probe(*space, ids, shapes, nodes);
    bool foundSecond = false;
    for (const ExpertProduct &product : products) {
      if (!probe.dependsOnProduct(product.data()))
        continue;
      foundSecond = true;
      GatheredLayer layer(product, ids, *space, shapes, nodes, weights);
      if (succeeded(layer.match()))
        layer.rewrite();
      else
        product.node->emitRemark("gathered weights are not raised: ") << layer.reason();
    }
    if (!foundSecond)
      products.front().node->emitRemark("gathered weights are not raised: no second product uses the same expert ids");
  }
};
} // namespace
