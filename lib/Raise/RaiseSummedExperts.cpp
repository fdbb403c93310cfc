//===- RaiseSummedExperts.cpp - experts spelt out one by one ----------------===//
//
// Accepts a sum over the experts e of
//
//   for every token                           for its own tokens, (t, j) = NonZero(ids = e)
//   x [.., H]                                 Gather(x, t)
//     |  (* gate)                               |  (* gate)
//   MatMul / Gemm with the matrices of e, biases, an activation of #moe.activation, MatMul / Gemm
//     |  (* gate)                               |  (* gate)
//   term, (where gate > 0)                    rows, added to the rows t of the sum
//
// where the gate of e is
//   - column e of a matrix [.., E]: of a scatter of the gates by the ids, of gates times OneHot(ids) summed over the
//     slots, of a function of these that keeps 0, or of anything else, which makes every expert a slot;
//   - the sum over the slots of the gates where ids = e;
//   - gates[t, j], gathered by both or from the flat gates.
//
// The sum is a chain of Add, Sum, ScatterND or ScatterElements (ExpertTerms.h), or the ReduceSum of a Concat of all
// experts. Summands of other kinds, as a shared expert or the residual, are added afterwards. The ids of a token must
// be distinct where an overwriting scatter would lose one of two equal ones. A trace that was made with every expert
// hit fails for other inputs; the raised layer computes what it would for these.
//
// Exporters: loops unrolled by TorchScript and dynamo (with index_add and without), dense masks, mobius.
//
//===----------------------------------------------------------------------===//

#include "ExpertBody.h"
#include "ExpertGates.h"
#include "ExpertTerms.h"
#include "GroupedProducts.h"
#include "LayerMatcher.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Raise/Passes.h"

namespace moec {
#define GEN_PASS_DEF_RAISESUMMEDEXPERTS
#include "moec/Raise/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::raise;

namespace {

/// A summand that is one expert on its tokens.
struct MatchedTerm {
  ExpertBody body;
  ExpertGate gate;
  /// What the rows are taken from.
  Value tokens;
  Value dropped;
  bool onlyPositive = false;
};

/// Matches and rewrites one sum.
class SummedLayer : public LayerMatcher {
public:
  SummedLayer(ExpertSum sum, const SymbolicShapes &shapes, WeightBuilder &weights)
      : sum(std::move(sum)), shapes(shapes), weights(weights) {}

  /// Failure without a reason: not a sum of experts.
  LogicalResult match();
  LogicalResult rewrite();

private:
  /// Without a reason if the summand does not resemble a gated expert.
  std::optional<MatchedTerm> matchTerm(const ExpertTerm &term, std::string &reason) const;
  LogicalResult matchTarget();
  Value buildResult(OpBuilder &builder, Value y);

  ExpertSum sum;
  const SymbolicShapes &shapes;
  WeightBuilder &weights;

  /// By expert.
  SmallVector<MatchedTerm, 0> experts;
  /// Summands of other kinds.
  SmallVector<Value> others;
  std::optional<SlotGates> slots;
};

} // namespace

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// The data of a gather of whole rows by the places of tokens; also with a leading axis of extent 1.
static std::optional<std::pair<Value, Value>> matchTokenGather(Value rows) {
  onnx::NodeOp node = producer(skipReshapes(rows));
  if (!node || !(node.is("Gather") || node.is("GatherND")))
    return std::nullopt;
  Value data = node.getInputs()[0];
  RankedTensorType type = tensorTypeOf(data), indices = tensorTypeOf(node.getInputs()[1]);
  if (!type || !indices)
    return std::nullopt;
  int64_t axis = node.getInt("axis", 0);
  if (node.is("Gather") && axis == 1 && type.getRank() == 3 && type.getDimSize(0) == 1) {
    onnx::NodeOp unsqueeze = producer(data, "Unsqueeze");
    if (!unsqueeze)
      return std::nullopt;
    data = unsqueeze.getInputs()[0];
    type = tensorTypeOf(data);
    axis = 0;
  }
  bool isRows = node.is("Gather")
                    ? axis == 0 && indices.getRank() == 1
                    : indices.getRank() == 2 && indices.getDimSize(1) == 1 && node.getInt("batch_dims", 0) == 0;
  if (!isRows || !type || type.getRank() != 2 || tensorTypeOf(rows).getShape().back() != type.getDimSize(1))
    return std::nullopt;
  return std::pair(data, node.getInputs()[1]);
}

std::optional<MatchedTerm> SummedLayer::matchTerm(const ExpertTerm &term, std::string &reason) const {
  auto leave = [&](const Twine &text) {
    reason = text.str();
    return std::nullopt;
  };
  if (!resemblesExpertBody(term.value, shapes))
    return std::nullopt;
  std::optional<ExpertBody> body = matchExpertBody(term.value, shapes, reason);
  if (!body)
    return std::nullopt;
  MatchedTerm matched{.body = *body, .tokens = body->rows};
  if (term.gateMatrix) {
    if (body->gate)
      return leave("the outputs of an expert are multiplied by two gates");
    matched.gate = {term.expert, Value(), term.gateMatrix};
    return matched;
  }
  if (!body->gate) // such as a shared expert
    return std::nullopt;
  std::optional<ExpertGate> gate;
  if (term.tokenIndex) {
    std::optional<ExpertRows> rows = matchTokenIndex(term.tokenIndex);
    auto gather = rows ? matchTokenGather(body->rows) : std::nullopt;
    std::optional<ExpertRows> gathered = gather ? matchTokenIndex(gather->second) : std::nullopt;
    if (!gathered || gathered->nonZero != rows->nonZero || (term.overwrites && !areDistinctPerToken(rows->ids)))
      return leave("the rows of an expert are not proven to be those of its own tokens, each once");
    gate = matchGatheredGate(body->gate, *rows, shapes);
    if (!gate)
      return leave("the gates of an expert are not gathered by its tokens and slots");
    matched.tokens = gather->first;
    matched.dropped = rows->dropped;
  } else {
    gate = matchTokenGate(body->gate, shapes);
    if (!gate)
      return std::nullopt;
    if (term.positiveGate) {
      if (skipReshapes(term.positiveGate) != skipReshapes(body->gate))
        return leave("an expert is masked by something else than its gate");
      matched.onlyPositive = !isNonNegative(gate->gates);
    }
  }
  matched.gate = *gate;
  return matched;
}

LogicalResult SummedLayer::match() {
  if (sum.terms.size() < 2)
    return failure();
  SmallVector<MatchedTerm, 0> found;
  unsigned resembling = 0;
  for (const ExpertTerm &term : sum.terms) {
    std::string reason;
    if (std::optional<MatchedTerm> matched = matchTerm(term, reason)) {
      found.push_back(std::move(*matched));
      continue;
    }
    resembling += !reason.empty();
    if (why.empty())
      why = reason;
    if (term.tokenIndex || term.positiveGate || term.gateMatrix)
      return failure();
    others.push_back(term.value);
  }
  if (found.size() + resembling < 2)
    why.clear();
  if (found.size() < 2 || resembling > 0)
    return failure();
  int64_t expertCount = found.size();
  experts.resize(expertCount);
  SmallVector<bool> seen(expertCount, false);
  const MatchedTerm &first = found.front();
  for (const MatchedTerm &term : found) {
    int64_t expert = term.gate.expert;
    if (term.gate.ids != first.gate.ids || term.gate.gates != first.gate.gates || term.dropped != first.dropped)
      return miss("the experts have gates from different routers");
    if (term.tokens != first.tokens)
      return miss("the experts have different tokens");
    if (term.onlyPositive != first.onlyPositive)
      return miss("only some of the experts are masked by the sign of their gate");
    if (expert < 0 || expert >= expertCount || seen[expert])
      return miss("the experts that are summed are not 0 to " + Twine(expertCount - 1) + ", each once");
    seen[expert] = true;
    experts[expert] = term;
  }
  if (first.gate.ids)
    slots = SlotGates{first.gate.ids, first.gate.gates, first.dropped};
  else
    slots = SlotGates::ofMatrix(first.gate.gates, shapes);
  return matchTarget();
}

// The tokens against the gates, and the sum against the tokens.
LogicalResult SummedLayer::matchTarget() {
  std::optional<ArrayRef<Extent>> tokens = shapes.extents(experts.front().tokens), total = shapes.extents(sum.root);
  RankedTensorType down = tensorTypeOf(experts.front().body.down.value), type = tensorTypeOf(sum.root);
  if (!tokens || !total || tokens->drop_back() != total->drop_back() ||
      type.getShape().back() != down.getDimSize(experts.front().body.down.outByIn ? 0 : 1))
    return miss("the sum cannot be proven to have a row for each token");
  // A bias or a residual may be broadcast; a zero that the rows are added into must not be smaller.
  for (Value zero : sum.zeros)
    if (shapes.extents(zero) != total && !tensorTypeOf(zero).hasStaticShape())
      return miss("the rows are added into a tensor of unknown extents");
  if (experts.front().onlyPositive && !slots->ids)
    return miss("gates for every expert are masked by their sign");
  if (!slots->fitTokens(product(tokens->drop_back()), experts.size(), shapes, why))
    return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// `y` [T, Ho] in the shape of the sum, plus the other summands.
Value SummedLayer::buildResult(OpBuilder &builder, Value y) {
  NodeBuilder nodes(builder, sum.root.getLoc());
  auto type = cast<RankedTensorType>(sum.root.getType());
  y = nodes.reshapeRows(y, experts.front().tokens, type);
  for (Value other : others)
    y = nodes.node("Add", 14, {other, y}, type);
  return y;
}

LogicalResult SummedLayer::rewrite() {
  Operation *end = sum.root.getDefiningOp();
  OpBuilder builder(end);
  builder.setInsertionPointAfter(end);
  std::optional<RoutedExperts> stacked = stackExpertBodies(
      llvm::map_to_vector<0>(experts, [](const MatchedTerm &term) { return term.body; }), builder, weights, why);
  if (!stacked || failed(stacked->check(weights, {experts.front().tokens.getType(), sum.root.getType()}, why)))
    return failure();
  auto [ids, gates] = slots->build(builder, end->getLoc(), experts.size(), shapes);
  if (experts.front().onlyPositive)
    gates = NodeBuilder(builder, end->getLoc()).node("Relu", 14, gates, gates.getType());
  Value y =
      stacked->create(builder, end->getLoc(), weights, experts.front().tokens, ids, gates,
                      experts.front().body.weightOn, slots->ids ? "summed" : "dense", labelOf(cast<onnx::NodeOp>(end)));
  Value result = buildResult(builder, y);
  sum.root.replaceAllUsesWith(result);
  return success();
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct RaiseSummedExperts : moec::impl::RaiseSummedExpertsBase<RaiseSummedExperts> {
  void runOnOperation() override {
    raiseLayers(getOperation(), [&](func::FuncOp function, WeightBuilder &weights) { raiseIn(function, weights); });
  }

  void raiseIn(func::FuncOp function, WeightBuilder &weights) {
    SmallVector<onnx::NodeOp> nodes;
    function.walk([&](onnx::NodeOp node) { nodes.push_back(node); });
    // From the end, so that a sum is met before its parts.
    SmallVector<ExpertSum> sums;
    llvm::SmallDenseSet<Operation *> inner;
    for (onnx::NodeOp node : llvm::reverse(nodes)) {
      if (inner.contains(node))
        continue;
      std::optional<ExpertSum> sum = ExpertSum::of(node);
      if (!sum || sum->terms.size() < 2)
        continue;
      inner.insert(sum->inner.begin(), sum->inner.end());
      sums.push_back(std::move(*sum));
    }
    if (sums.empty())
      return;
    SymbolicShapes shapes(function);
    for (ExpertSum &sum : llvm::reverse(sums)) {
      auto root = cast<onnx::NodeOp>(sum.root.getDefiningOp());
      SummedLayer layer(std::move(sum), shapes, weights);
      if ((failed(layer.match()) || failed(layer.rewrite())) && !layer.reason().empty())
        root->emitRemark("a sum of experts is not raised: ") << layer.reason();
    }
  }
};
} // namespace
