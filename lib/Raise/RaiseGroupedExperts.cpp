//===- RaiseGroupedExperts.cpp - experts as products over sorted rows -------===//
//
// Accepts, for ids [.., K] that a TopK selects among E experts and gates of as many elements:
//
//   ids -> flat -> full ascending TopK: sorted ids, order           histogram -> CumSum: ends [E]
//   x [T, H] -> Gather by order / K: rows                             |
//   for each expert e: MatMul(rows[ends[e - 1] .. ends[e]), W1[e]) ---+    Concat
//                                   |  (+ Gather b1 by sorted ids)
//                    slices or splits of the features, elementwise nodes: one of #moe.activation
//                                   |
//   for each expert e: MatMul(rows[ends[e - 1] .. ends[e]), W2[e])         Concat
//                                   |  (+ Gather b2 by sorted ids)
//                        * Gather of the gates by order
//                                   |
//         ScatterND by order, or Gather by the inverse of order (a scatter of 0, 1, …, or another sort)
//                                   |
//              Reshape [T, K, Ho], ReduceSum over K
//
// This is what the Hugging Face exporter makes of grouped products. Every part is proven for all experts
// (GroupedProducts.h).
//
//===----------------------------------------------------------------------===//

#include "GroupedProducts.h"
#include "LayerMatcher.h"
#include "RoutedExperts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Raise/Passes.h"

namespace moec {
#define GEN_PASS_DEF_RAISEGROUPEDEXPERTS
#include "moec/Raise/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::raise;

namespace {

/// Matches and rewrites the layer that ends in one grouped product.
class GroupedLayer : public LayerMatcher {
public:
  GroupedLayer(const GroupedProduct &down, const SortedTokens &sorted, RoutedRegion region,
               const SymbolicShapes &shapes, WeightBuilder &weights)
      : down(down), sorted(sorted), region(std::move(region)), shapes(shapes), weights(weights) {}

  LogicalResult match();
  void rewrite();

private:
  LogicalResult matchCombine();
  LogicalResult stepSorted(onnx::NodeOp user);
  LogicalResult matchActivation();
  LogicalResult matchInput(int64_t sourceIndex);
  bool isOnePerSlot(Value value) const;

  GroupedProduct down;
  const SortedTokens &sorted;
  RoutedRegion region;
  const SymbolicShapes &shapes;
  WeightBuilder &weights;

  RoutedSource downSource;
  Value downBias, gates;
  /// The last value of the layer, which the raised op replaces.
  Value result;
  std::optional<RoutedExperts> experts;
};

} // namespace

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

LogicalResult GroupedLayer::match() {
  std::optional<RoutedValue> product = region.evaluateProduct(down.concat);
  if (!product)
    return miss(region.reason);
  downSource = region.source(region.expressions()[product->expression].source);
  if (failed(matchCombine()) || failed(matchActivation()))
    return failure();
  return experts->check(weights, {sorted.tokens.getType(), result.getType()}, why);
}

/// Whether `value` has as many elements as there are tokens and slots.
bool GroupedLayer::isOnePerSlot(Value value) const {
  std::optional<ArrayRef<Extent>> extents = shapes.extents(value), ids = shapes.extents(sorted.ids);
  return extents && ids && product(*extents) == product(*ids);
}

// Follows the result of the second product to the sum over the slots.
LogicalResult GroupedLayer::matchCombine() {
  result = down.concat.getResult(0);
  int64_t columns = tensorTypeOf(result).getDimSize(1);
  bool isSorted = true, isSummed = false;
  while (!isSummed) {
    onnx::NodeOp user = onlyReader(result);
    if (!user)
      return miss("the outputs of the experts have other uses than their weighted sum");
    RankedTensorType type = tensorTypeOf(result);
    auto strange = [&] {
      return miss("'" + labelOf(user) + "' (" + user.getOpType() + ") is not part of the weighted sum over the slots");
    };
    if (isSorted) {
      if (restoresOrder(user, result, sorted, shapes))
        isSorted = false;
      else if (failed(stepSorted(user)))
        return strange();
    } else if (type.getRank() == 2) {
      RankedTensorType slots = user.is("Reshape") ? tensorTypeOf(user.getResult(0)) : nullptr;
      if (!slots || slots.getRank() != 3 || slots.getShape().drop_front() != ArrayRef{sorted.slotCount, columns})
        return strange();
    } else {
      std::optional<SmallVector<int64_t>> axes = user.is("ReduceSum") ? constantAxes(user, 3) : std::nullopt;
      if (!axes || axes->size() != 1 || axes->front() != 1 || user.getInt("keepdims", 1) != 0)
        return strange();
      isSummed = true;
    }
    result = user.getResult(0);
  }
  return gates ? success() : miss("the outputs of the experts are not multiplied by gates");
}

// A bias or the gates, while the rows are sorted.
LogicalResult GroupedLayer::stepSorted(onnx::NodeOp user) {
  Value other;
  auto isResult = [&](Value value) { return value == result; };
  if (!splitCommutative(user, isResult, other) || other == result || tensorTypeOf(other).getRank() != 2)
    return failure();
  if (user.is("Add") && !gates && !downBias) {
    std::optional<RoutedValue> bias = region.evaluateBias(other);
    if (!bias || bias->layout.back() != AxisIndices{FeatureIndex})
      return failure();
    downBias = region.source(region.expressions()[bias->expression].source).value;
    return success();
  }
  if (!user.is("Mul") || gates || tensorTypeOf(other).getDimSize(1) != 1)
    return failure();
  gates = gatheredInOrder(other, sorted);
  bool isGate = gates && isOnePerSlot(gates) && isComputedInF32(getElementTypeOrSelf(gates.getType()));
  return success(isGate);
}

LogicalResult GroupedLayer::matchActivation() {
  std::optional<ActivationMatch> activation = region.expressions().matchActivation(downSource.data);
  if (!activation)
    return miss("the function between the two products is not a known activation");
  if (failed(matchInput(activation->gate.source)) ||
      (activation->linear && failed(matchInput(activation->linear->source))))
    return failure();
  experts.emplace(region, *activation, downSource, downBias);
  return success();
}

// A product of the tokens.
LogicalResult GroupedLayer::matchInput(int64_t sourceIndex) {
  const RoutedSource &source = region.source(sourceIndex);
  if (source.kind != RoutedSource::Product)
    return miss("the activation is not a function of the first product");
  const ScalarNode &column = region.expressions()[source.data];
  bool isTokens = column.kind == ScalarKind::Column && region.source(column.source).kind == RoutedSource::Tokens;
  std::string reason;
  std::optional<SortedTokens> rows =
      isTokens ? matchSortedTokens(region.source(column.source).value, shapes, reason) : std::nullopt;
  if (!rows || rows->tokens != sorted.tokens || rows->order != sorted.order)
    return miss("the first product is not applied to the sorted tokens");
  return success();
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

void GroupedLayer::rewrite() {
  Operation *end = result.getDefiningOp();
  OpBuilder builder(end);
  builder.setInsertionPointAfter(end);
  Location loc = down.concat.getLoc();
  NodeBuilder nodes(builder, loc);
  Value routed = nodes.cast(nodes.reshape(sorted.ids, {-1, sorted.slotCount}), builder.getI32Type());
  Value factors = nodes.cast(nodes.reshape(gates, {-1, sorted.slotCount}), builder.getF32Type());
  Value y = experts->create(builder, loc, weights, sorted.tokens, routed, factors, moe::WeightOn::Output, "grouped",
                            labelOf(down.concat));
  if (y.getType() != result.getType())
    y = tensor::CastOp::create(builder, loc, result.getType(), y);
  result.replaceAllUsesWith(y);
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct RaiseGroupedExperts : moec::impl::RaiseGroupedExpertsBase<RaiseGroupedExperts> {
  void runOnOperation() override {
    raiseLayers(getOperation(), [&](func::FuncOp function, WeightBuilder &weights) { raiseIn(function, weights); });
  }

  static void leave(onnx::NodeOp concat, const Twine &why) {
    concat->emitRemark("grouped products are not raised: ") << why;
  }

  void raiseIn(func::FuncOp function, WeightBuilder &weights) {
    llvm::MapVector<Value, SmallVector<GroupedProduct>> groups;
    function.walk([&](onnx::NodeOp node) {
      if (!resemblesGroupedProduct(node))
        return;
      std::string reason;
      if (std::optional<GroupedProduct> product = matchGroupedProduct(node, reason))
        groups[product->ends].push_back(*product);
      else
        leave(node, reason);
    });
    if (groups.empty())
      return;
    SymbolicShapes shapes(function);
    for (auto &[ends, products] : groups)
      raiseGroup(ends, products, shapes, weights);
  }

  void raiseGroup(Value ends, ArrayRef<GroupedProduct> products, const SymbolicShapes &shapes, WeightBuilder &weights) {
    const GroupedProduct &first = products.front();
    std::string reason;
    std::optional<SortedTokens> sorted = matchSortedTokens(first.rows, shapes, reason);
    if (!sorted)
      return leave(first.concat, reason);
    if (!areGroupEnds(ends, *sorted, first.expertCount))
      return leave(first.concat, "the ranges of rows do not come from a histogram of the sorted expert ids");
    std::optional<RowSpace> space = RowSpace::create(sorted->sortedIds, shapes);
    assert(space && "a full sort has known extents");
    llvm::SmallDenseSet<Operation *> nodes;
    for (const GroupedProduct &product : products)
      nodes.insert(product.concat);
    RoutedRegion region(*space, sorted->sortedIds, shapes, nodes);
    for (const GroupedProduct &product : products)
      region.addRowProduct(product.concat, product.weight, product.rows);
    bool foundSecond = false;
    for (const GroupedProduct &product : products) {
      if (!region.dependsOnProduct(product.rows))
        continue;
      foundSecond = true;
      GroupedLayer layer(product, *sorted, region, shapes, weights);
      if (succeeded(layer.match()))
        layer.rewrite();
      else
        leave(product.concat, layer.reason());
    }
    if (!foundSecond)
      leave(first.concat, "no second product uses the same ranges of rows");
  }
};
} // namespace
