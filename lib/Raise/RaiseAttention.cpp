//===- RaiseAttention.cpp - attention that is spelt out ---------------------===//
//
// Accepts, with N query heads, G key heads and r = N / G,
//
//   q [B, N, S, D] (* c) ─┐
//   k [B, N, L, D] ─ Transpose (* c) ─ MatMul (* c) (+ mask) ─ Softmax (─ Where(IsNaN, 0)) ─┐
//   v [B, N, L, Dv] ───────────────────────────────────────────────────────────────── MatMul
//
// where k and v may be repeated from [B, G, L, D] by Unsqueeze, Expand and Reshape, or all have an axis more: q
// [B, G, r, S, D], k and v [B, G, 1, L, D]. The transposition may go through [B * N, L, D]. Extents that broadcast in
// the graph must be proven equal, and the extents of the mask must be 1 or those of the scores.
//
// A row that sees no key is NaN if the mask hides keys by infinities (`empty_is_nan`), unless NaN is replaced by 0
// (`nan_to_zero`).
//
//===----------------------------------------------------------------------===//

#include "GraphPatterns.h"
#include "SymbolicShapes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Raise/Passes.h"
#include <cmath>

namespace moec {
#define GEN_PASS_DEF_RAISEATTENTION
#include "moec/Raise/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::raise;

namespace {

class AttentionMatcher {
public:
  AttentionMatcher(onnx::NodeOp softmax, const SymbolicShapes &shapes) : softmax(softmax), shapes(shapes) {}

  /// Whether the softmax lies between two products, so that a failure is worth a remark.
  bool isCandidate();
  LogicalResult match();
  void rewrite();
  StringRef reason() const { return why; }

private:
  LogicalResult miss(const Twine &text) {
    why = text.str();
    return failure();
  }
  bool matchScores(Value value);
  bool matchWeights();
  LogicalResult matchKeys();
  LogicalResult checkExtents();
  LogicalResult checkMask();
  Value skipScale(Value value);
  Value untranspose(Value value) const;
  Value unrepeat(Value value) const;
  ArrayRef<Extent> extents(Value value) const { return *shapes.extents(value); }
  Value withoutAxisTwo(OpBuilder &builder, Value value);
  Value withKnownExtents(OpBuilder &builder, Value value);

  onnx::NodeOp softmax, scoresNode, sumNode;
  const SymbolicShapes &shapes;
  std::string why;
  Value q, k, v, mask;
  double scale = 1;
  bool replacesNan = false;
  bool hidesRows = false; // the mask may hide all keys of a row by infinities, which gives NaN
  int64_t rank = 0;
};

} // namespace

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// Collects constant factors into `scale`.
Value AttentionMatcher::skipScale(Value value) {
  while (true) {
    value = skipFloatCasts(value);
    onnx::NodeOp node = producer(value);
    std::optional<double> factor;
    Value other;
    auto isConstant = [&](Value operand) { return (factor = constantSplat(operand)).has_value(); };
    if (node && node.is("Mul") && splitCommutative(node, isConstant, other)) {
      scale *= *factor;
      value = other;
    } else if (node && node.is("Div") && isConstant(node.getInputs()[1])) {
      scale /= *factor;
      value = node.getInputs()[0];
    } else {
      return value;
    }
  }
}

bool AttentionMatcher::matchScores(Value value) {
  double before = scale;
  scoresNode = producer(skipScale(value), "MatMul");
  if (!scoresNode)
    scale = before;
  return scoresNode != nullptr;
}

// The softmax, then perhaps Where(IsNaN(p), 0, p), then the product with the values; nothing else reads the weights.
bool AttentionMatcher::matchWeights() {
  Value weights = softmax.getResult(0);
  for (Operation *user : weights.getUsers()) {
    auto node = dyn_cast<onnx::NodeOp>(user);
    if (!node || !node.is("Where"))
      continue;
    onnx::NodeOp isNan = producer(node.getInputs()[0], "IsNaN");
    if (!isNan || isNan.getInputs()[0] != weights || node.getInputs()[2] != weights ||
        !isNan.getResult(0).hasOneUse() || constantSplat(node.getInputs()[1]) != 0.0 ||
        !llvm::hasNItems(weights.getUses(), 2))
      return false;
    replacesNan = true;
    weights = node.getResult(0);
    break;
  }
  while (weights.hasOneUse()) {
    auto node = dyn_cast<onnx::NodeOp>(*weights.user_begin());
    if (node && node.is("MatMul") && node.getInputs()[0] == weights) {
      sumNode = node;
      return true;
    }
    if (!node || skipFloatCasts(node.getResult(0)) != skipFloatCasts(weights))
      return false;
    weights = node.getResult(0);
  }
  return false;
}

bool AttentionMatcher::isCandidate() {
  RankedTensorType type = tensorTypeOf(softmax.getInputs()[0]);
  rank = type ? type.getRank() : 0;
  if ((rank != 4 && rank != 5) ||
      normalizeAxis(softmax.getInt("axis", softmax.getVersion() >= 13 ? -1 : 1), rank) != rank - 1)
    return false;
  Value scores = skipFloatCasts(softmax.getInputs()[0]);
  if (onnx::NodeOp add = producer(scores, "Add")) {
    auto isScores = [&](Value value) { return matchScores(value); };
    return splitCommutative(add, isScores, mask) && matchWeights();
  }
  return matchScores(scores) && matchWeights();
}

/// The keys [.., L, D] of which `value` [.., D, L] is the transposition.
Value AttentionMatcher::untranspose(Value value) const {
  std::optional<ArrayRef<Extent>> wanted = shapes.extents(value);
  onnx::NodeOp transpose = producer(value, "Transpose");
  bool isFlat = !transpose;
  if (onnx::NodeOp reshape = producer(value, "Reshape"))
    transpose = producer(reshape.getInputs()[0], "Transpose");
  if (!transpose || !wanted || wanted->size() < 3)
    return {};
  SmallVector<int64_t> perm = transpose.getInts("perm").value_or(SmallVector<int64_t>());
  SmallVector<int64_t> swapped = llvm::to_vector(llvm::seq<int64_t>(perm.size()));
  if (swapped.size() < 3)
    return {};
  std::swap(swapped[swapped.size() - 1], swapped[swapped.size() - 2]);
  if (perm != swapped)
    return {};
  Value source = transpose.getInputs()[0];
  if (!isFlat)
    return source;
  // [.., L, D] -> [X, L, D] -> [X, D, L] -> [.., D, L]
  onnx::NodeOp flatten = producer(source, "Reshape");
  std::optional<ArrayRef<Extent>> flat = shapes.extents(source);
  if (!flatten || !flat || flat->size() != 3)
    return {};
  source = flatten.getInputs()[0];
  std::optional<ArrayRef<Extent>> found = shapes.extents(source);
  bool isSame = found && found->size() == wanted->size() && found->drop_back(2) == wanted->drop_back(2) &&
                (*found)[found->size() - 1] == (*wanted)[wanted->size() - 2] &&
                (*found)[found->size() - 2] == wanted->back() && found->take_back(2) == flat->take_back(2);
  return isSame ? source : Value();
}

/// What Reshape(Expand(Unsqueeze(x, 2))) repeats the heads of, or `value` itself.
Value AttentionMatcher::unrepeat(Value value) const {
  onnx::NodeOp reshape = producer(value, "Reshape");
  onnx::NodeOp expand = reshape ? producer(reshape.getInputs()[0], "Expand") : nullptr;
  onnx::NodeOp unsqueeze = expand ? producer(expand.getInputs()[0], "Unsqueeze") : nullptr;
  if (!unsqueeze)
    return value;
  Value source = unsqueeze.getInputs()[0];
  std::optional<ArrayRef<Extent>> from = shapes.extents(source), one = shapes.extents(expand.getInputs()[0]),
                                  many = shapes.extents(expand.getResult(0)), to = shapes.extents(value);
  if (!from || !one || !many || !to || from->size() != 4 || one->size() != 5 || many->size() != 5 || to->size() != 4)
    return value;
  bool repeatsHeads = (*one)[2].isOne() && (*one)[0] == (*from)[0] && (*one)[1] == (*from)[1] &&
                      one->take_back(2) == from->take_back(2) && many->take_front(2) == one->take_front(2) &&
                      many->take_back(2) == one->take_back(2) && (*to)[0] == (*from)[0] &&
                      (*to)[1] == (*many)[1] * (*many)[2] && to->take_back(2) == from->take_back(2);
  return repeatsHeads ? source : value;
}

LogicalResult AttentionMatcher::matchKeys() {
  q = skipScale(scoresNode.getInputs()[0]);
  Value transposed = skipScale(scoresNode.getInputs()[1]);
  k = untranspose(transposed);
  if (!k)
    return miss("the keys are not transposed in their last two axes");
  v = skipFloatCasts(sumNode.getInputs()[1]);
  if (rank == 4) {
    k = unrepeat(k);
    v = unrepeat(v);
  }
  return success();
}

LogicalResult AttentionMatcher::checkExtents() {
  for (Value value : {q, k, v})
    if (!shapes.extents(value) || static_cast<int64_t>(extents(value).size()) != rank)
      return miss("queries, keys and values have different ranks");
  auto mine = extents(q), keys = extents(k), values = extents(v);
  int64_t last = rank - 1;
  // The extents that the products contract agree in every graph that runs; the others could broadcast.
  if (mine[0] != keys[0] || keys[0] != values[0] || keys[1] != values[1] || mine[last] != keys[last])
    return miss("the extents of queries, keys and values cannot be proven to match");
  if (rank == 5 && (mine[1] != keys[1] || !keys[2].isOne() || !values[2].isOne() || values[last] != mine[last]))
    return miss("the heads of queries and keys cannot be proven to match");
  std::optional<int64_t> heads = (rank == 5 ? mine[1] * mine[2] : mine[1]).constant(), groups = keys[1].constant();
  if (!heads || !groups || *groups == 0 || *heads % *groups != 0 || !mine[last].constant() || !values[last].constant())
    return miss("the numbers of heads and features are not known");
  Type element = tensorTypeOf(q).getElementType();
  if (!isComputedInF32(element) || !std::isfinite(scale))
    return miss("the type is not f32, f16 or bf16, or the scale is not finite");
  for (Value value : {k, v, sumNode.getResult(0)})
    if (tensorTypeOf(value).getElementType() != element)
      return miss("queries, keys, values and result have different element types");
  return success();
}

/// Whether no element of `mask` can be an infinity.
static bool isFiniteMask(Value mask) {
  for (int depth = 0; depth < 16; ++depth) {
    onnx::NodeOp node = producer(mask);
    std::optional<double> constant = constantSplat(mask);
    if (constant)
      return std::isfinite(*constant);
    if (!node)
      return false;
    if (node.is("Where")) {
      auto isFinite = [](Value value) {
        std::optional<double> constant = constantSplat(value);
        return constant && std::isfinite(*constant);
      };
      return isFinite(node.getInputs()[1]) && isFinite(node.getInputs()[2]);
    }
    bool isView = node.is("Unsqueeze") || node.is("Reshape") || node.is("Expand") || node.is("Slice") ||
                  node.is("Identity") || node.is("Squeeze");
    if (!isView)
      return false;
    mask = node.getInputs()[0];
  }
  return false;
}

LogicalResult AttentionMatcher::checkMask() {
  if (!mask)
    return success();
  mask = skipFloatCasts(mask);
  std::optional<ArrayRef<Extent>> found = shapes.extents(mask), scores = shapes.extents(scoresNode.getResult(0));
  if (!found || !scores || found->empty() || static_cast<int64_t>(found->size()) > rank ||
      !isComputedInF32(tensorTypeOf(mask).getElementType()))
    return miss("the mask is not a float tensor of known rank");
  if (found->back() != scores->back())
    return miss("the mask cannot be proven to have a column per key");
  for (auto [mine, theirs] : llvm::zip(llvm::reverse(*found), llvm::reverse(*scores)))
    if (!mine.isOne() && mine != theirs)
      return miss("the extents of the mask cannot be proven to be those of the scores or 1");
  if (found->size() == 5 && !((*found)[1].isOne() && (*found)[2].isOne()))
    return miss("the mask differs from head to head");
  if (found->size() == 3 && rank == 5 && !found->front().isOne())
    return miss("the mask differs from head to head");
  if (found->size() == 4 && rank == 5 && !((*found)[0].isOne() && (*found)[1].isOne()))
    return miss("the mask differs from head to head");
  hidesRows = !replacesNan && !isFiniteMask(mask);
  return success();
}

LogicalResult AttentionMatcher::match() {
  if (failed(matchKeys()) || failed(checkExtents()))
    return failure();
  return checkMask();
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// [B, G, r, .., ..] -> [B, G * r, .., ..]
Value AttentionMatcher::withoutAxisTwo(OpBuilder &builder, Value value) {
  if (rank == 4)
    return value;
  SmallVector<ReassociationIndices> groups = {{0}, {1, 2}, {3}, {4}};
  return tensor::CollapseShapeOp::create(builder, value.getLoc(), value, groups);
}

/// `value` with the constant extents in its type.
Value AttentionMatcher::withKnownExtents(OpBuilder &builder, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape = llvm::map_to_vector(
      extents(value), [](const Extent &extent) { return extent.constant().value_or(ShapedType::kDynamic); });
  auto wanted = RankedTensorType::get(shape, type.getElementType());
  return wanted == type ? value : tensor::CastOp::create(builder, value.getLoc(), wanted, value);
}

void AttentionMatcher::rewrite() {
  OpBuilder builder(sumNode);
  Location loc = sumNode.getLoc();
  NodeBuilder nodes(builder, loc);
  Value query = withoutAxisTwo(builder, withKnownExtents(builder, q)),
        keys = withoutAxisTwo(builder, withKnownExtents(builder, k)),
        values = withoutAxisTwo(builder, withKnownExtents(builder, v));
  Value bias = mask;
  if (bias) {
    auto type = cast<RankedTensorType>(bias.getType());
    SmallVector<int64_t> shape(type.getShape());
    SmallVector<int64_t> axes;
    if (shape.size() == 5) {
      shape.erase(shape.begin() + 1);
      bias = nodes.node("Squeeze", 13, {bias, nodes.ints({1})}, RankedTensorType::get(shape, type.getElementType()));
    }
    for (int64_t axis : llvm::seq<int64_t>(4 - shape.size()))
      axes.push_back(axis);
    shape.insert(shape.begin(), axes.size(), 1);
    if (!axes.empty())
      bias = nodes.node("Unsqueeze", 13, {bias, nodes.ints(axes)}, RankedTensorType::get(shape, type.getElementType()));
  }
  auto queryType = cast<RankedTensorType>(query.getType());
  SmallVector<int64_t> shape(queryType.getShape());
  shape.back() = cast<RankedTensorType>(values.getType()).getShape().back();
  auto type = RankedTensorType::get(shape, queryType.getElementType());
  Value out =
      nn::AttentionOp::create(builder, loc, type, query, keys, values, bias, Value(), Value(),
                              builder.getF64FloatAttr(scale), builder.getBoolAttr(false), builder.getI64IntegerAttr(0),
                              builder.getF64FloatAttr(0.0), builder.getBoolAttr(replacesNan), builder.getBoolAttr(hidesRows));
  auto resultType = cast<RankedTensorType>(sumNode.getResult(0).getType());
  if (rank == 5)
    out = nodes.reshapeLike(out, q, resultType);
  else if (type != resultType)
    out = tensor::CastOp::create(builder, loc, resultType, out);
  sumNode.getResult(0).replaceAllUsesWith(out);
}

namespace {
struct RaiseAttention : moec::impl::RaiseAttentionBase<RaiseAttention> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      SmallVector<onnx::NodeOp> candidates;
      function.walk([&](onnx::NodeOp node) {
        if (node.is("Softmax"))
          candidates.push_back(node);
      });
      if (candidates.empty())
        continue;
      SymbolicShapes shapes(function);
      for (onnx::NodeOp node : candidates) {
        AttentionMatcher matcher(node, shapes);
        if (!matcher.isCandidate())
          continue;
        if (succeeded(matcher.match()))
          matcher.rewrite();
        else
          node->emitRemark("the attention is not raised: ") << matcher.reason();
      }
    }
    eraseUnusedNodes(getOperation());
  }
};
} // namespace
