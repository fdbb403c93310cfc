//===- RaiseRotary.cpp - rotary position embedding --------------------------===//
//
// Accepts, for x [B, N, S, 2P] and cos, sin [B or 1, 1, S, 2P] whose two halves along the last axis are equal,
//
//   x ── Split or two Slices ── first, second        rotated = Concat(Neg(second), first)
//   Add(Mul(x, cos), Mul(rotated, sin))                                                     -> nn.rotary
//
// The halves are equal where cos and sin are computed elementwise from Concat(f, f), or from positions times a constant
// with equal halves.
//
//===----------------------------------------------------------------------===//

#include "GraphPatterns.h"
#include "SymbolicShapes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Raise/Passes.h"

namespace moec {
#define GEN_PASS_DEF_RAISEROTARY
#include "moec/Raise/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::raise;

namespace {

/// The first halves of cosines and sines, each made once.
class AngleTables {
public:
  explicit AngleTables(const SymbolicShapes &shapes) : shapes(shapes) {}

  bool hasEqualHalves(Value value);
  /// [B, 1, S, 2P] -> [B, S, P]
  Value firstHalf(Value table);

private:
  bool computeEqualHalves(Value value);

  const SymbolicShapes &shapes;
  llvm::DenseMap<Value, bool> known;
  llvm::DenseMap<Value, Value> made;
};

struct Rotation {
  Value x, cos, sin;
};

} // namespace

//===----------------------------------------------------------------------===//
// Angles
//===----------------------------------------------------------------------===//

bool AngleTables::hasEqualHalves(Value value) {
  auto [entry, inserted] = known.try_emplace(value, false);
  if (!inserted)
    return entry->second;
  bool isEqual = computeEqualHalves(value);
  known[value] = isEqual;
  return isEqual;
}

static bool constantHasEqualHalves(onnx::ConstantOp constant) {
  auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
  auto type = cast<RankedTensorType>(constant.getType());
  if (!elements || type.getRank() == 0 || !isa<FloatType>(type.getElementType()))
    return false;
  int64_t row = type.getShape().back(), half = row / 2;
  SmallVector<APFloat> values(elements.getValues<APFloat>());
  for (size_t start = 0; start < values.size(); start += row)
    for (int64_t i = 0; i < half; ++i)
      if (!values[start + i].bitwiseIsEqual(values[start + half + i]))
        return false;
  return row % 2 == 0;
}

bool AngleTables::computeEqualHalves(Value value) {
  std::optional<ArrayRef<Extent>> extents = shapes.extents(value);
  if (!extents)
    return false;
  if (extents->empty() || extents->back().isOne()) // the same for all features
    return true;
  if (auto constant = value.getDefiningOp<onnx::ConstantOp>())
    return constantHasEqualHalves(constant);
  onnx::NodeOp node = producer(value);
  if (!node || !node.getDomain().empty())
    return false;
  if (node.is("Concat")) {
    int64_t rank = extents->size();
    return node.getInputs().size() == 2 && node.getInputs()[0] == node.getInputs()[1] &&
           normalizeAxis(node.getInt("axis", 0), rank) == rank - 1;
  }
  if (node.is("Unsqueeze")) {
    std::optional<SmallVector<int64_t>> axes = constantAxes(node, extents->size());
    return axes && !llvm::is_contained(*axes, static_cast<int64_t>(extents->size()) - 1) &&
           hasEqualHalves(node.getInputs()[0]);
  }
  bool isElementwise =
      node.is("Cos") || node.is("Sin") || node.is("Cast") || node.is("Identity") || node.is("Mul") || node.is("Add");
  return isElementwise && llvm::all_of(node.getInputs(), [&](Value input) { return hasEqualHalves(input); });
}

Value AngleTables::firstHalf(Value table) {
  auto [entry, inserted] = made.try_emplace(table);
  if (!inserted)
    return entry->second;
  OpBuilder builder(table.getContext());
  builder.setInsertionPointAfterValue(table);
  NodeBuilder nodes(builder, table.getLoc());
  auto type = cast<RankedTensorType>(table.getType());
  int64_t pairs = type.getDimSize(3) / 2;
  auto tableType =
      RankedTensorType::get({type.getDimSize(0), type.getDimSize(2), type.getDimSize(3)}, type.getElementType());
  Value rows = nodes.node("Squeeze", 13, {table, nodes.ints({1})}, tableType);
  auto halfType = RankedTensorType::get({type.getDimSize(0), type.getDimSize(2), pairs}, type.getElementType());
  Value half = nodes.node("Slice", 13, {rows, nodes.ints({0}), nodes.ints({pairs}), nodes.ints({2})}, halfType);
  made[table] = half;
  return half;
}

//===----------------------------------------------------------------------===//
// Rotation
//===----------------------------------------------------------------------===//

/// Whether `value` is the half of `x` along the last axis that starts at `start`.
static bool isHalf(Value value, Value x, int64_t start, int64_t pairs, const SymbolicShapes &shapes) {
  onnx::NodeOp node = producer(value);
  std::optional<ArrayRef<Extent>> extents = shapes.extents(value);
  if (!node || !extents || extents->size() != 4 || extents->back() != Extent(pairs) || node.getInputs()[0] != x)
    return false;
  if (node.is("Split"))
    return node.getNumResults() == 2 && normalizeAxis(node.getInt("axis", 0), 4) == 3 &&
           (cast<OpResult>(value).getResultNumber() == 1) == (start != 0);
  if (!node.is("Slice") || !node.getInput(3))
    return false;
  auto starts = shapes.constants(node.getInput(1)), axes = shapes.constants(node.getInput(3));
  auto steps = node.getInput(4) ? shapes.constants(node.getInput(4)) : SmallVector<int64_t>{1};
  return starts && axes && steps && starts->size() == 1 && axes->size() == 1 && normalizeAxis(axes->front(), 4) == 3 &&
         steps->front() == 1 && (starts->front() == start || starts->front() == start - 2 * pairs);
}

static bool isRotated(Value value, Value x, int64_t pairs, const SymbolicShapes &shapes) {
  onnx::NodeOp concat = producer(value, "Concat");
  if (!concat || concat.getInputs().size() != 2 || normalizeAxis(concat.getInt("axis", 0), 4) != 3)
    return false;
  onnx::NodeOp negated = producer(concat.getInputs()[0], "Neg");
  return negated && isHalf(negated.getInputs()[0], x, pairs, pairs, shapes) &&
         isHalf(concat.getInputs()[1], x, 0, pairs, shapes);
}

/// x [B, N, S, 2P], table [B or 1, 1, S, 2P]
static bool isTableFor(Value table, Value x, const SymbolicShapes &shapes) {
  std::optional<ArrayRef<Extent>> mine = shapes.extents(table), theirs = shapes.extents(x);
  return mine && theirs && mine->size() == 4 && theirs->size() == 4 &&
         ((*mine)[0].isOne() || (*mine)[0] == (*theirs)[0]) && (*mine)[1].isOne() && (*mine)[2] == (*theirs)[2] &&
         (*mine)[3] == (*theirs)[3] && !tensorTypeOf(table).isDynamicDim(3) && !tensorTypeOf(x).isDynamicDim(3);
}

static std::optional<Rotation> matchRotation(onnx::NodeOp add, const SymbolicShapes &shapes) {
  if (!add.is("Add"))
    return std::nullopt;
  for (unsigned plain : {0u, 1u}) {
    onnx::NodeOp straight = producer(add.getInputs()[plain], "Mul"),
                 turned = producer(add.getInputs()[1 - plain], "Mul");
    if (!straight || !turned)
      return std::nullopt;
    for (unsigned turnedOperand : {0u, 1u}) {
      Value rotated = turned.getInputs()[turnedOperand];
      if (!producer(rotated, "Concat"))
        continue;
      for (unsigned straightOperand : {0u, 1u}) {
        Value x = straight.getInputs()[straightOperand];
        std::optional<ArrayRef<Extent>> extents = shapes.extents(x);
        std::optional<int64_t> size = extents && extents->size() == 4 ? extents->back().constant() : std::nullopt;
        if (size && *size % 2 == 0 && isRotated(rotated, x, *size / 2, shapes))
          return Rotation{x, straight.getInputs()[1 - straightOperand], turned.getInputs()[1 - turnedOperand]};
      }
    }
  }
  return std::nullopt;
}

namespace {
struct RaiseRotary : moec::impl::RaiseRotaryBase<RaiseRotary> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      SymbolicShapes shapes(function);
      AngleTables tables(shapes);
      SmallVector<std::pair<onnx::NodeOp, Rotation>> found;
      function.walk([&](onnx::NodeOp node) {
        if (std::optional<Rotation> rotation = matchRotation(node, shapes))
          found.push_back({node, *rotation});
      });
      for (auto &[node, rotation] : found)
        raise(node, rotation, shapes, tables);
    }
    eraseUnusedNodes(getOperation());
  }

  void raise(onnx::NodeOp node, const Rotation &rotation, const SymbolicShapes &shapes, AngleTables &tables) {
    auto miss = [&](StringRef reason) { node->emitRemark("the rotary embedding is not raised: ") << reason; };
    if (!isTableFor(rotation.cos, rotation.x, shapes) || !isTableFor(rotation.sin, rotation.x, shapes))
      return miss("cosine and sine do not have a row for each position");
    if (!tables.hasEqualHalves(rotation.cos) || !tables.hasEqualHalves(rotation.sin))
      return miss("the halves of cosine and sine cannot be proven equal");
    RankedTensorType type = tensorTypeOf(rotation.x);
    if (!isComputedInF32(type.getElementType()))
      return miss("the type is not f32, f16 or bf16");
    for (Value table : {rotation.cos, rotation.sin})
      if (tensorTypeOf(table).getElementType() != type.getElementType())
        return miss("cosine and sine have another element type than the input");
    Value cos = tables.firstHalf(rotation.cos), sin = tables.firstHalf(rotation.sin);
    OpBuilder builder(node);
    Value out = nn::RotaryOp::create(builder, node.getLoc(), type, rotation.x, cos, sin, false);
    if (node.getResult(0).getType() != type)
      out = tensor::CastOp::create(builder, node.getLoc(), node.getResult(0).getType(), out);
    node.getResult(0).replaceAllUsesWith(out);
  }
};
} // namespace
