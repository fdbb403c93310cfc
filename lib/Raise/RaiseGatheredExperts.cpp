//===- RaiseGatheredExperts.cpp - experts as products with gathered weights -===//
//
// Accepts, for ids [T, K] and gates [T, K] from anywhere, in any order of operands and any shapes that hold tokens,
// slots and features (RoutedLayout.h):
//
//   x [T, H] -> repeated per slot -> (* gates)      ids -> Gather / GatherND of W1 [E, N, H] or [E, H, N]
//                         \__________ MatMul __________/   (W1 may be two weights: gate and up)
//                                       |  (+ Gather b1)
//                    slices or splits of the features, elementwise nodes: one of #moe.activation
//                                       |  (* gates)      ids -> Gather of W2
//                                     MatMul ________________/
//                                       |  (+ Gather b2)
//                                       |  (Where another value for some ids: zero, copied, constant experts)
//                                    (* gates)
//                                       |
//                            ReduceSum over the slots; nothing for K = 1
//
// with the gates in one of the three places or in none, and before the second product only if there is no b2.
// Exporters: torch's dynamo (GatherND, Expand, Split) and TorchScript (Gather, OneHot and Tile, Slice with computed
// bounds).
//
//===----------------------------------------------------------------------===//

#include "LayerMatcher.h"
#include "RoutedExperts.h"
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

/// Where with the output of an expert in operand `kept`.
struct Replacement {
  onnx::NodeOp where;
  unsigned kept;
};

/// Matches and rewrites the layer that ends in one product.
class GatheredLayer : public LayerMatcher {
public:
  GatheredLayer(const ExpertProduct &down, Value ids, RowSpace space, const SymbolicShapes &shapes,
                llvm::SmallDenseSet<Operation *> products, WeightBuilder &weights)
      : down(down), ids(ids), shapes(shapes), weights(weights), region(std::move(space), ids, shapes, products) {}

  /// Lets the gates multiply the tokens.
  void allowGatesOnInput() { region.allowGatesOnInput(); }
  LogicalResult match();
  bool hasGates() const { return region.gates() != nullptr; }
  void rewrite();

private:
  LogicalResult matchCombine(const RoutedValue &product);
  LogicalResult stepCombine(onnx::NodeOp user, Layout &layout);
  LogicalResult stepReplace(onnx::NodeOp where, Layout &layout);
  LogicalResult matchActivation();
  LogicalResult matchInput(int64_t sourceIndex);
  Value expertIds(OpBuilder &builder);
  Value unitGates(OpBuilder &builder, Value experts);
  Value reshapeResult(OpBuilder &builder, Value y);
  Value withoutReplaced(OpBuilder &builder, Value rows);
  void zeroReplaced(OpBuilder &builder);

  ExpertProduct down;
  Value ids;
  const SymbolicShapes &shapes;
  WeightBuilder &weights;
  RoutedRegion region;

  RoutedSource downSource;
  Value downBias, tokens;
  /// The last value of the layer, which the raised op replaces, and its layout.
  Value result;
  Layout resultLayout;
  bool gatesAfter = false, reduced = false;
  /// Nodes that put something else in the place of an expert's output where their condition holds, or does not.
  SmallVector<Replacement> replacements;
  moe::WeightOn weightOn = moe::WeightOn::Output;
  std::optional<RoutedExperts> experts;
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
  return experts->check(weights, {tokens.getType(), result.getType()}, why);
}

// Follows the result of the second product to the sum over the slots.
LogicalResult GatheredLayer::matchCombine(const RoutedValue &product) {
  result = down.node.getResult(0);
  Layout layout = product.layout;
  while (!reduced) {
    if (region.rows().slotCount() == 1 && gatesAfter)
      break;
    onnx::NodeOp user = onlyReader(result);
    if (!user || failed(stepCombine(user, layout))) {
      if (region.rows().slotCount() == 1 && why.empty())
        break;
      return miss(user ? "'" + labelOf(user) + "' (" + user.getOpType() +
                             ") is not part of the weighted sum over the slots"
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
  if (user.is("Where"))
    return stepReplace(user, layout);
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

// Where(a condition per token and slot, another value, the output of the expert), or the other way round
LogicalResult GatheredLayer::stepReplace(onnx::NodeOp where, Layout &layout) {
  Value condition = where.getInputs()[0];
  std::optional<ArrayRef<Extent>> extents = shapes.extents(condition), rows = shapes.extents(result);
  std::optional<Layout> slots = extents ? region.rows().gateLayout(*extents) : std::nullopt;
  std::optional<Layout> next = slots ? broadcastLayouts(layout, *slots) : std::nullopt;
  bool isOneSide = (where.getInputs()[1] == result) != (where.getInputs()[2] == result) && condition != result;
  if (!next || *next != layout || !isOneSide || !rows || rows->size() != extents->size() ||
      rows->drop_back() != extents->drop_back() || shapes.extents(where.getResult(0)) != rows ||
      tensorTypeOf(result).isDynamicDim(tensorTypeOf(result).getRank() - 1))
    return failure();
  replacements.push_back({where, where.getInputs()[1] == result ? 1u : 2u});
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
  std::optional<ActivationMatch> activation = pool.matchActivation(expression);
  if (!activation)
    return miss("the function between the two products is not a known activation");
  for (const ScalarNode *column : {&activation->gate, activation->linear ? &*activation->linear : nullptr})
    if (column && failed(matchInput(column->source)))
      return failure();
  experts.emplace(region, *activation, downSource, downBias);
  return success();
}

LogicalResult GatheredLayer::matchInput(int64_t sourceIndex) {
  std::string reason;
  if (failed(matchLayerInput(region, sourceIndex, gatesAfter, tokens, weightOn, reason)))
    return miss(reason);
  return success();
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// Whether ids that come from `value` are never negative, so that -1 cannot mean the last expert.
static bool isNeverNegative(Value value) {
  value = skipReshapes(value);
  if (std::optional<SmallVector<int64_t>> constants = constantInts(value))
    return llvm::all_of(*constants, [](int64_t id) { return id >= 0; });
  auto result = dyn_cast<OpResult>(value);
  onnx::NodeOp node = producer(value);
  if (node && node.is("Concat"))
    return llvm::all_of(node.getInputs(), isNeverNegative);
  return node && ((node.is("TopK") && result.getResultNumber() == 1) || node.is("ArgMax"));
}

/// `ids` as tensor<TxKxi32>. Gather counts negative ids from the end.
Value GatheredLayer::expertIds(OpBuilder &builder) {
  NodeBuilder nodes(builder, down.node.getLoc());
  Value rows = nodes.reshape(ids, {-1, region.rows().slotCount()});
  auto type = cast<RankedTensorType>(rows.getType());
  if (!isNeverNegative(ids)) {
    auto scalar = [&](int64_t value) -> Value {
      auto scalarType = RankedTensorType::get({}, type.getElementType());
      return onnx::ConstantOp::create(
          builder, down.node.getLoc(),
          DenseElementsAttr::get(scalarType, builder.getIntegerAttr(type.getElementType(), value)));
    };
    Value isNegative = nodes.node("Less", 13, {rows, scalar(0)}, type.clone(builder.getI1Type()));
    Value wrapped = nodes.node("Add", 14, {rows, scalar(experts->expertCount())}, type);
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

/// `rows` i32 [T, K] with -1 where the output of the expert is replaced.
Value GatheredLayer::withoutReplaced(OpBuilder &builder, Value rows) {
  NodeBuilder nodes(builder, down.node.getLoc());
  auto type = RankedTensorType::get({}, builder.getI32Type());
  for (auto [where, kept] : replacements) {
    Value none = onnx::ConstantOp::create(builder, down.node.getLoc(), DenseElementsAttr::get(type, int32_t(-1)));
    Value condition = nodes.reshape(where.getInputs()[0], {-1, region.rows().slotCount()});
    if (kept == 1)
      rows = nodes.node("Where", 16, {condition, rows, none}, rows.getType());
    else
      rows = nodes.node("Where", 16, {condition, none, rows}, rows.getType());
  }
  return rows;
}

/// Leaves zeros in the place of the outputs that are not replaced.
void GatheredLayer::zeroReplaced(OpBuilder &builder) {
  auto [where, kept] = replacements.front();
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(where);
  NodeBuilder nodes(builder, where.getLoc());
  auto type = cast<RankedTensorType>(where.getInputs()[kept].getType());
  Value leading =
      nodes.node("Shape", 15, where.getInputs()[0], RankedTensorType::get({type.getRank() - 1}, builder.getI64Type()),
                 builder.getNamedAttr("end", builder.getI64IntegerAttr(-1)));
  Value shape = nodes.node("Concat", 13, {leading, nodes.ints({type.getShape().back()})},
                           RankedTensorType::get({type.getRank()}, builder.getI64Type()),
                           builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)));
  auto zero = builder.getZeroAttr(RankedTensorType::get({1}, type.getElementType()));
  where->setOperand(kept, nodes.node("ConstantOfShape", 9, shape, type, builder.getNamedAttr("value", zero)));
}

void GatheredLayer::rewrite() {
  Operation *end = result.getDefiningOp();
  OpBuilder builder(end);
  builder.setInsertionPointAfter(end);
  NodeBuilder nodes(builder, down.node.getLoc());
  int64_t slots = region.rows().slotCount();
  Value routed = withoutReplaced(builder, expertIds(builder));
  Value gates = region.gates() ? nodes.cast(nodes.reshape(region.gates(), {-1, slots}), builder.getF32Type())
                               : unitGates(builder, routed);
  Value y = experts->create(builder, down.node.getLoc(), weights, tokens, routed, gates, weightOn, "gathered",
                            labelOf(down.node));
  Value routedResult = reshapeResult(builder, y);
  if (replacements.empty())
    return result.replaceAllUsesWith(routedResult);
  zeroReplaced(builder);
  Value sum = nodes.node("Add", 14, {result, routedResult}, result.getType());
  result.replaceAllUsesExcept(sum, sum.getDefiningOp());
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct RaiseGatheredExperts : moec::impl::RaiseGatheredExpertsBase<RaiseGatheredExperts> {
  void runOnOperation() override {
    raiseLayers(getOperation(), [&](func::FuncOp function, WeightBuilder &weights) { raiseIn(function, weights); });
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
      products.front().node->emitRemark(
          "gathered weights are not raised: the number of experts per token is not known");
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
      GatheredLayer layer(product, ids, *space, shapes, nodes, weights), onInput = layer;
      bool matches = succeeded(layer.match());
      if (!matches || !layer.hasGates()) {
        onInput.allowGatesOnInput();
        if (succeeded(onInput.match()) && onInput.hasGates()) {
          onInput.rewrite();
          continue;
        }
      }
      if (matches)
        layer.rewrite();
      else
        product.node->emitRemark("gathered weights are not raised: ") << layer.reason();
    }
    if (!foundSecond)
      products.front().node->emitRemark("gathered weights are not raised: no second product uses the same expert ids");
  }
};
} // namespace
