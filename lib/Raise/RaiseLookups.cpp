//===- RaiseLookups.cpp - experts that are rows of a table ------------------===//
//
// Accepts, for a constant table [E, H], ids [.., K] that a TopK chose, directly or among the sums of two others, and
// gates of as many elements:
//
//   table -> Gather / GatherND by ids: [.., K, H]
//     * gates [.., K, 1] -> ReduceSum over the slots, which may be several axes: heads, places
//   or
//     MatMul(gates [.., 1, K], rows [.., K, H])
//
// These are product-key memories, and the second layers of experts with one neuron, whose first layers are scores like
// any other. The sum becomes moe.combine: the rows of a token are read and added once, none is copied.
//
//===----------------------------------------------------------------------===//

#include "ExpertGates.h"
#include "RoutedRegion.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Raise/Passes.h"

namespace moec {
#define GEN_PASS_DEF_RAISELOOKUPS
#include "moec/Raise/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::raise;

namespace {
struct Lookup {
  onnx::NodeOp end;
  Value table, ids, gates;
  int64_t slots;
};
} // namespace

/// Whether `ids` are what a TopK chose, or elements of a tensor of ids at places that it chose.
static bool areChosen(Value ids) {
  Value base = skipReshapes(ids);
  if (onnx::NodeOp pick = producer(base, "GatherElements"))
    base = skipReshapes(pick.getInputs()[1]);
  return producer(base, "TopK") && cast<OpResult>(base).getResultNumber() == 1;
}

/// `value` without axes of extent 1, if that leaves `extents`.
static bool hasExtents(Value value, ArrayRef<Extent> extents, const SymbolicShapes &shapes) {
  std::optional<ArrayRef<Extent>> own = shapes.extents(value);
  auto isUnit = [](const Extent &extent) { return extent.isOne(); };
  Extents mine(own.value_or(ArrayRef<Extent>())), theirs(extents);
  llvm::erase_if(mine, isUnit);
  llvm::erase_if(theirs, isUnit);
  return own && mine == theirs;
}

/// The rows of a table by ids, if all is known about them; `axes` are those of the ids.
static std::optional<GatheredWeight> matchRows(Value value, const SymbolicShapes &shapes) {
  std::optional<GatheredWeight> rows = matchGatheredWeight(value, 2);
  return rows && areChosen(rows->ids) && shapes.extents(rows->ids) ? rows : std::nullopt;
}

static std::optional<Lookup> matchSum(onnx::NodeOp sum, const SymbolicShapes &shapes) {
  onnx::NodeOp product = sum.is("ReduceSum") ? producer(sum.getInputs()[0], "Mul") : nullptr;
  RankedTensorType type = product ? tensorTypeOf(product.getResult(0)) : nullptr;
  std::optional<GatheredWeight> rows;
  Value factors;
  auto isRows = [&](Value operand) { return (rows = matchRows(operand, shapes)).has_value(); };
  RankedTensorType result = tensorTypeOf(sum.getResult(0));
  if (!type || !result || result.getNumDynamicDims() > 1 || sum.getInt("keepdims", 1) != 0 ||
      !splitCommutative(product, isRows, factors))
    return std::nullopt;
  std::optional<SmallVector<int64_t>> axes = constantAxes(sum, type.getRank());
  ArrayRef<Extent> ids = *shapes.extents(rows->ids);
  if (onnx::NodeOp gather = producer(product.getInputs()[product.getInputs()[0] == factors ? 1 : 0]);
      gather.is("GatherND"))
    ids = ids.drop_back();
  std::optional<ArrayRef<Extent>> own = shapes.extents(factors);
  if (!axes || axes->empty() || static_cast<int64_t>(ids.size()) + 1 != type.getRank() || !own ||
      own->size() != ids.size() + 1 || !own->back().isOne() || own->drop_back() != ids)
    return std::nullopt;
  // The slots are the axes in front of the features.
  for (auto [place, axis] : llvm::enumerate(*axes))
    if (axis != type.getRank() - 1 - static_cast<int64_t>(axes->size() - place))
      return std::nullopt;
  std::optional<int64_t> slots = raise::product(ids.take_back(axes->size())).constant();
  if (!slots)
    return std::nullopt;
  return Lookup{sum, rows->weight, rows->ids, factors, *slots};
}

static std::optional<Lookup> matchProduct(onnx::NodeOp node, const SymbolicShapes &shapes) {
  std::optional<GatheredWeight> rows = node.is("MatMul") ? matchRows(node.getInputs()[1], shapes) : std::nullopt;
  if (!rows)
    return std::nullopt;
  std::optional<ArrayRef<Extent>> factors = shapes.extents(node.getInputs()[0]),
                                  data = shapes.extents(node.getInputs()[1]);
  if (!factors || !data || factors->size() != data->size() || factors->size() < 2 ||
      !(*factors)[factors->size() - 2].isOne() || !data->drop_back().back().constant())
    return std::nullopt;
  ArrayRef<Extent> ids = data->drop_back();
  if (!hasExtents(node.getInputs()[0], ids, shapes) || factors->back() != ids.back() ||
      factors->drop_back(2) != ids.drop_back())
    return std::nullopt;
  return Lookup{node, rows->weight, rows->ids, node.getInputs()[0], *ids.back().constant()};
}

namespace {
struct RaiseLookups : moec::impl::RaiseLookupsBase<RaiseLookups> {
  void runOnOperation() override {
    WeightBuilder weights(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>())
      raiseIn(function, weights);
    eraseUnusedNodes(getOperation());
  }

  static void raiseIn(func::FuncOp function, WeightBuilder &weights) {
    SmallVector<onnx::NodeOp> candidates;
    function.walk([&](onnx::NodeOp node) {
      onnx::NodeOp product = node.is("ReduceSum") ? producer(node.getInputs()[0], "Mul") : node;
      if (!product || !(node.is("ReduceSum") || node.is("MatMul")))
        return;
      if (llvm::any_of(product.getInputs(), [](Value input) {
            std::optional<GatheredWeight> rows = matchGatheredWeight(input, 2);
            return rows && areChosen(rows->ids);
          }))
        candidates.push_back(node);
    });
    if (candidates.empty())
      return;
    SymbolicShapes shapes(function);
    for (onnx::NodeOp node : candidates) {
      std::optional<Lookup> lookup = node.is("MatMul") ? matchProduct(node, shapes) : matchSum(node, shapes);
      auto leave = [&](StringRef why) { node->emitRemark("rows of a table are not raised: ") << why; };
      if (!lookup)
        leave("they are not summed over the slots of a token with a gate each");
      else if (!isNonNegative(lookup->ids))
        leave("the ids may be negative");
      else if (!weights.get(lookup->table) || !isComputedInF32(getElementTypeOrSelf(lookup->table.getType())))
        leave("the table is not a constant in f32, f16 or bf16");
      else
        rewrite(*lookup, weights);
    }
  }

  static void rewrite(const Lookup &lookup, WeightBuilder &weights) {
    onnx::NodeOp end = lookup.end;
    OpBuilder builder(end);
    NodeBuilder nodes(builder, end.getLoc());
    Value table = weights.get(lookup.table);
    Value places = nodes.cast(nodes.reshape(lookup.ids, {-1}), builder.getI32Type());
    Value gates = nodes.cast(nodes.reshape(lookup.gates, {-1, lookup.slots}), builder.getF32Type());
    RankedTensorType type = tensorTypeOf(table);
    auto sums = RankedTensorType::get({tensorTypeOf(gates).getDimSize(0), type.getDimSize(1)}, type.getElementType());
    Value y = moe::CombineOp::create(builder, end.getLoc(), sums, table, places, gates, lookup.slots,
                                     builder.getStringAttr(labelOf(end)));
    end.getResult(0).replaceAllUsesWith(nodes.reshapeRows(y, end.getInputs()[0], tensorTypeOf(end.getResult(0))));
  }
};
} // namespace
