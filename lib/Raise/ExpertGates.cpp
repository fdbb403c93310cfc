//===- ExpertGates.cpp - which expert a mask or a gate belongs to -----------===//

#include "ExpertGates.h"
#include "ExpertBody.h"
#include "GroupedProducts.h"
#include "RoutedRegion.h"
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::raise;

//===----------------------------------------------------------------------===//
// Ids
//===----------------------------------------------------------------------===//

/// Whether the last axis of `ids` runs over the experts of a token.
static bool hasSlotAxis(Value ids) {
  RankedTensorType type = tensorTypeOf(ids);
  onnx::NodeOp argMax = producer(ids, "ArgMax");
  return type && type.getRank() >= 2 && !(argMax && argMax.getInt("keepdims", 1) == 0);
}

std::optional<int64_t> raise::slotCountOf(Value ids, const SymbolicShapes &shapes) {
  if (!hasSlotAxis(ids))
    return 1;
  std::optional<ArrayRef<Extent>> extents = shapes.extents(ids);
  return extents ? extents->back().constant() : std::nullopt;
}

std::optional<int64_t> raise::boundOfIds(Value ids) {
  ids = skipReshapes(ids);
  if (onnx::NodeOp pick = producer(ids, "Gather"))
    ids = skipReshapes(pick.getInputs()[0]);
  onnx::NodeOp node = producer(ids);
  bool isTopK = node && node.is("TopK") && cast<OpResult>(ids).getResultNumber() == 1;
  if (!isTopK && !(node && node.is("ArgMax")))
    return std::nullopt;
  RankedTensorType type = tensorTypeOf(node.getInputs()[0]);
  std::optional<int64_t> axis =
      type ? normalizeAxis(node.getInt("axis", isTopK ? -1 : 0), type.getRank()) : std::nullopt;
  return axis && !type.isDynamicDim(*axis) ? std::optional(type.getDimSize(*axis)) : std::nullopt;
}

/// Whether the ids of a token differ from each other.
static bool areDistinctPerToken(Value ids) {
  RankedTensorType type = tensorTypeOf(ids);
  if (!hasSlotAxis(ids) || type.getShape().back() == 1)
    return true;
  Value base = skipReshapes(ids);
  onnx::NodeOp topK = producer(base, "TopK");
  RankedTensorType baseType = tensorTypeOf(base);
  return topK && baseType.getShape().back() == type.getShape().back() &&
         normalizeAxis(topK.getInt("axis", -1), baseType.getRank()) == baseType.getRank() - 1 &&
         (base == ids || !type.isDynamicDim(type.getRank() - 1));
}

static constexpr unsigned maxSignDepth = 24;

static bool isNonNegative(Value value, unsigned depth) {
  value = skipReshapes(value);
  if (std::optional<double> constant = filledWith(value))
    return *constant >= 0;
  onnx::NodeOp node = producer(value);
  if (!node || depth == 0)
    return false;
  auto input = [&](unsigned index) { return isNonNegative(node.getInputs()[index], depth - 1); };
  StringRef op = node.getOpType();
  if (op == "Softmax" || op == "Sigmoid" || op == "Relu" || op == "Exp" || op == "Abs" || op == "Softplus")
    return true;
  if (op == "TopK" || op == "Gather" || op == "GatherND" || op == "GatherElements" || op == "ReduceSum" ||
      op == "ReduceMax" || op == "Slice" || op == "Split" || op == "Transpose" || op == "Expand")
    return input(0);
  if (op == "Add" || op == "Mul" || op == "Div" || op == "Max")
    return input(0) && input(1);
  if (op == "Where")
    return input(1) && input(2);
  if (op == "Clip" && node.getInput(1))
    return filledWith(node.getInput(1)).value_or(-1) >= 0;
  return op == "ScatterElements" && input(0) && input(2);
}

bool raise::isNonNegative(Value value) { return ::isNonNegative(value, maxSignDepth); }

//===----------------------------------------------------------------------===//
// One-hot
//===----------------------------------------------------------------------===//

using MaskAxes = SmallVector<MaskAxis, 4>;

/// The axes of a tensor of ids.
static MaskAxes axesOfIds(Value ids) {
  RankedTensorType type = tensorTypeOf(ids);
  MaskAxes axes(type.getRank(), MaskAxis::Token);
  if (hasSlotAxis(ids))
    axes.back() = MaskAxis::Slot;
  for (auto [axis, extent] : llvm::zip_equal(axes, type.getShape()))
    if (extent == 1)
      axis = MaskAxis::Unit;
  return axes;
}

/// Reshape that only merges the tokens: in front of the same slots and experts, with further axes of extent 1.
static std::optional<MaskAxes> mergeTokens(const MaskAxes &input, RankedTensorType from, RankedTensorType to) {
  auto isToken = [](MaskAxis axis) { return axis == MaskAxis::Token || axis == MaskAxis::Unit; };
  SmallVector<std::pair<MaskAxis, int64_t>> kept;
  for (auto [axis, extent] : llvm::zip_equal(input, from.getShape()))
    if (!isToken(axis))
      kept.emplace_back(axis, extent);
  bool tokensLead = llvm::is_sorted(input, [&](MaskAxis a, MaskAxis b) { return a == MaskAxis::Token && !isToken(b); });
  MaskAxes axes;
  bool hasTokens = false;
  for (int64_t extent : llvm::reverse(to.getShape())) {
    if (!kept.empty() && extent == kept.back().second) {
      axes.insert(axes.begin(), kept.pop_back_val().first);
    } else if (extent == 1) {
      axes.insert(axes.begin(), MaskAxis::Unit);
    } else if (kept.empty() && !hasTokens) {
      axes.insert(axes.begin(), MaskAxis::Token);
      hasTokens = true;
    } else {
      return std::nullopt;
    }
  }
  bool isWhole = tokensLead && kept.empty() && hasTokens;
  return isWhole ? std::optional(axes) : std::nullopt;
}

/// The axes behind a view; nullopt if it does not keep them whole.
static std::optional<MaskAxes> axesThroughView(onnx::NodeOp view, const MaskAxes &input) {
  RankedTensorType from = tensorTypeOf(view.getInputs()[0]), to = tensorTypeOf(view.getResult(0));
  if (!from || !to)
    return std::nullopt;
  if (view.is("Identity") || view.is("Cast"))
    return input;
  if (view.is("Transpose")) {
    SmallVector<int64_t> reversed(llvm::reverse(llvm::seq<int64_t>(input.size())));
    MaskAxes axes;
    for (int64_t axis : view.getInts("perm").value_or(reversed))
      axes.push_back(input[axis]);
    return axes;
  }
  if (view.is("Reshape") || view.is("Flatten"))
    return mergeTokens(input, from, to);
  bool isSqueeze = view.is("Squeeze");
  if (!isSqueeze && !view.is("Unsqueeze"))
    return std::nullopt;
  std::optional<SmallVector<int64_t>> axes = constantAxes(view, isSqueeze ? from.getRank() : to.getRank());
  if (!axes)
    return std::nullopt;
  MaskAxes result = input;
  for (int64_t axis : isSqueeze ? llvm::to_vector(llvm::reverse(*axes)) : *axes) {
    if (isSqueeze && result[axis] != MaskAxis::Unit)
      return std::nullopt;
    if (isSqueeze)
      result.erase(result.begin() + axis);
    else
      result.insert(result.begin() + axis, MaskAxis::Unit);
  }
  return result;
}

static bool isBool(Value value) { return getElementTypeOrSelf(value.getType()).isInteger(1); }

/// Whether all elements are 0 or 1.
static bool isZeroOrOne(Value value) {
  onnx::NodeOp node = producer(value);
  if (node && (isViewNode(node) || node.is("Cast")))
    return isBool(value) || isZeroOrOne(node.getInputs()[0]);
  return isBool(value);
}

/// 0, 1, …, count - 1 along the last axis.
static std::optional<int64_t> countOfIota(Value value) {
  std::optional<SmallVector<int64_t>> elements = constantInts(value);
  RankedTensorType type = tensorTypeOf(value);
  if (!elements || elements->empty() || type.getRank() == 0 ||
      type.getShape().back() != static_cast<int64_t>(elements->size()))
    return std::nullopt;
  for (auto [index, element] : llvm::enumerate(*elements))
    if (element != static_cast<int64_t>(index))
      return std::nullopt;
  return elements->size();
}

static std::optional<OneHot> matchOneHotBase(onnx::NodeOp node) {
  OneHot found;
  if (node.is("OneHot")) {
    std::optional<SmallVector<int64_t>> depth = constantInts(node.getInputs()[1]);
    auto values = node.getInputs()[2].getDefiningOp<onnx::ConstantOp>();
    std::optional<SmallVector<int64_t>> offOn = constantInts(node.getInputs()[2]);
    auto reals = values ? dyn_cast<DenseFPElementsAttr>(values.getValue()) : DenseFPElementsAttr();
    if (reals && reals.size() == 2)
      offOn = {
          {reals.getValues<APFloat>()[0].isZero() ? 0 : -1, reals.getValues<APFloat>()[1].isExactlyValue(1) ? 1 : 0}};
    int64_t rank = tensorTypeOf(node.getResult(0)).getRank();
    // Negative ids would count from the end.
    bool isLast = normalizeAxis(node.getInt("axis", -1), rank) == rank - 1 && boundOfIds(node.getInputs()[0]);
    if (!isLast || !depth || depth->size() != 1 || offOn != SmallVector<int64_t>{0, 1})
      return std::nullopt;
    found.ids = node.getInputs()[0];
    found.depth = depth->front();
  } else if (node.is("Equal")) {
    Value ids;
    std::optional<int64_t> count;
    auto isIota = [&](Value operand) { return (count = countOfIota(operand)).has_value(); };
    if (!splitCommutative(node, isIota, ids))
      return std::nullopt;
    onnx::NodeOp unsqueeze = producer(ids, "Unsqueeze");
    RankedTensorType type = tensorTypeOf(ids);
    std::optional<SmallVector<int64_t>> axes = unsqueeze ? constantAxes(unsqueeze, type.getRank()) : std::nullopt;
    if (!axes || axes->size() != 1 || axes->front() != type.getRank() - 1)
      return std::nullopt;
    found.ids = unsqueeze.getInputs()[0];
    found.depth = *count;
  } else {
    return std::nullopt;
  }
  found.axes = axesOfIds(found.ids);
  found.axes.push_back(MaskAxis::Expert);
  return found;
}

std::optional<OneHot> raise::matchOneHot(Value value) {
  onnx::NodeOp node = producer(value);
  if (!node)
    return std::nullopt;
  if (std::optional<OneHot> base = matchOneHotBase(node))
    return base;
  if (isViewNode(node) || node.is("Cast")) {
    std::optional<OneHot> input = matchOneHot(node.getInputs()[0]);
    std::optional<MaskAxes> axes = input ? axesThroughView(node, input->axes) : std::nullopt;
    if (!axes)
      return std::nullopt;
    input->axes = *axes;
    return input;
  }
  Value factor;
  std::optional<OneHot> other;
  auto isMask = [&](Value operand) { return (other = matchOneHot(operand)).has_value(); };
  bool drops = (node.is("Mul") || node.is("And")) && splitCommutative(node, isMask, factor) && isZeroOrOne(factor);
  MaskAxes whole = drops ? axesOfIds(other->ids) : MaskAxes();
  whole.push_back(MaskAxis::Expert);
  if (!drops || other->axes != whole || tensorTypeOf(factor).getRank() > static_cast<int64_t>(whole.size()))
    return std::nullopt;
  other->dropped = value;
  return other;
}

//===----------------------------------------------------------------------===//
// Rows of an expert
//===----------------------------------------------------------------------===//

namespace {
/// True where an id is `expert`.
struct ExpertMask {
  Value ids, dropped;
  int64_t expert;
  MaskAxes axes;
};
/// Row `row` of the result of NonZero.
struct IndexColumn {
  onnx::NodeOp nonZero;
  int64_t row;
};
/// Element `index` of `source` along `axis`; `keepsAxis` with extent 1.
struct AxisElement {
  Value source;
  int64_t axis, index;
  bool keepsAxis;
};
} // namespace

static std::optional<AxisElement> matchAxisElement(Value value) {
  onnx::NodeOp node = producer(value);
  RankedTensorType type = node && !node.getInputs().empty() ? tensorTypeOf(node.getInputs()[0]) : nullptr;
  if (!type)
    return std::nullopt;
  int64_t rank = type.getRank();
  if (node.is("Gather")) {
    std::optional<int64_t> axis = normalizeAxis(node.getInt("axis", 0), rank),
                           index = matchExpertIndex(node.getInputs()[1]);
    RankedTensorType indices = tensorTypeOf(node.getInputs()[1]);
    if (!axis || !index || *index < 0 || !indices || indices.getRank() > 1)
      return std::nullopt;
    return AxisElement{node.getInputs()[0], *axis, *index, indices.getRank() == 1};
  }
  if (node.is("Split")) {
    std::optional<int64_t> axis = normalizeAxis(node.getInt("axis", 0), rank);
    RankedTensorType part = tensorTypeOf(value);
    bool isUnit = axis && type.getDimSize(*axis) == static_cast<int64_t>(node->getNumResults()) && part &&
                  part.getDimSize(*axis) == 1 && (!node.getInput(1) || filledWith(node.getInput(1)) == 1.0) &&
                  !node.getNodeAttr("split");
    if (!isUnit)
      return std::nullopt;
    return AxisElement{node.getInputs()[0], *axis, cast<OpResult>(value).getResultNumber(), true};
  }
  if (!node.is("Slice") || !node.getInput(3))
    return std::nullopt;
  std::optional<SmallVector<int64_t>> start = constantInts(node.getInput(1)), end = constantInts(node.getInput(2)),
                                      axes = constantInts(node.getInput(3)), steps = SmallVector<int64_t>{1};
  if (node.getInput(4))
    steps = constantInts(node.getInput(4));
  if (!start || !end || !axes || !steps || start->size() != 1 || end->size() != 1 || axes->size() != 1 ||
      *steps != SmallVector<int64_t>{1} || start->front() < 0 || end->front() != start->front() + 1)
    return std::nullopt;
  std::optional<int64_t> axis = normalizeAxis(axes->front(), rank);
  if (!axis || type.isDynamicDim(*axis) || start->front() >= type.getDimSize(*axis))
    return std::nullopt;
  return AxisElement{node.getInputs()[0], *axis, start->front(), true};
}

static std::optional<ExpertMask> matchExpertMask(Value value) {
  onnx::NodeOp node = producer(value);
  if (!node)
    return std::nullopt;
  if (node.is("Equal")) {
    std::optional<double> expert;
    Value ids;
    auto isExpert = [&](Value operand) { return (expert = filledWith(operand)).has_value(); };
    if (!splitCommutative(node, isExpert, ids) || !isa<IntegerType>(getElementTypeOrSelf(ids.getType())) ||
        isBool(ids) || tensorTypeOf(node.getResult(0)).getRank() != tensorTypeOf(ids).getRank())
      return std::nullopt;
    return ExpertMask{ids, Value(), static_cast<int64_t>(*expert), axesOfIds(ids)};
  }
  if (node.is("Greater") && filledWith(node.getInputs()[1]) == 0.0)
    return matchExpertMask(node.getInputs()[0]);
  if (std::optional<AxisElement> element = matchAxisElement(value)) {
    std::optional<OneHot> oneHot = matchOneHot(element->source);
    if (!oneHot || oneHot->axes[element->axis] != MaskAxis::Expert)
      return std::nullopt;
    ExpertMask mask{oneHot->ids, oneHot->dropped, element->index, oneHot->axes};
    if (element->keepsAxis)
      mask.axes[element->axis] = MaskAxis::Unit;
    else
      mask.axes.erase(mask.axes.begin() + element->axis);
    return mask;
  }
  if (!isViewNode(node) && !node.is("Cast"))
    return std::nullopt;
  std::optional<ExpertMask> mask = matchExpertMask(node.getInputs()[0]);
  std::optional<MaskAxes> axes = mask ? axesThroughView(node, mask->axes) : std::nullopt;
  if (!axes)
    return std::nullopt;
  mask->axes = *axes;
  return mask;
}

static std::optional<IndexColumn> matchIndexColumn(Value index) {
  index = skipReshapes(index);
  int64_t row = 0;
  std::optional<AxisElement> element = matchAxisElement(index);
  if (element) {
    index = element->source;
    row = element->index;
  }
  onnx::NodeOp transpose = producer(index, "Transpose");
  onnx::NodeOp nonZero = producer(transpose ? transpose.getInputs()[0] : index, "NonZero");
  RankedTensorType type = nonZero ? tensorTypeOf(nonZero.getResult(0)) : nullptr;
  bool isColumn = type && (element ? element->axis == (transpose ? 1 : 0) : type.getDimSize(0) == 1);
  return isColumn ? std::optional(IndexColumn{nonZero, row}) : std::nullopt;
}

std::optional<ExpertRows> raise::matchTokenIndex(Value index) {
  std::optional<IndexColumn> column = matchIndexColumn(index);
  std::optional<ExpertMask> mask = column ? matchExpertMask(column->nonZero.getInputs()[0]) : std::nullopt;
  if (!mask || llvm::count(mask->axes, MaskAxis::Token) != 1 || !areDistinctPerToken(mask->ids))
    return std::nullopt;
  ExpertRows rows{column->nonZero, mask->ids, mask->dropped, mask->expert};
  rows.tokenRow = llvm::find(mask->axes, MaskAxis::Token) - mask->axes.begin();
  if (auto *slot = llvm::find(mask->axes, MaskAxis::Slot); slot != mask->axes.end())
    rows.slotRow = slot - mask->axes.begin();
  return rows.tokenRow == column->row ? std::optional(rows) : std::nullopt;
}

//===----------------------------------------------------------------------===//
// Gates of an expert
//===----------------------------------------------------------------------===//

/// Whether `gates` holds a number for each element of `ids`, in its shape but for axes of extent 1.
static bool areGatesOf(Value gates, Value ids, const SymbolicShapes &shapes) {
  std::optional<ArrayRef<Extent>> a = shapes.extents(gates), b = shapes.extents(ids);
  auto withoutUnits = [](ArrayRef<Extent> extents) {
    Extents kept;
    llvm::copy_if(extents, std::back_inserter(kept), [](const Extent &extent) { return !extent.isOne(); });
    return kept;
  };
  return a && b && isa<FloatType>(getElementTypeOrSelf(gates.getType())) && withoutUnits(*a) == withoutUnits(*b);
}

static bool isRow(Value index, onnx::NodeOp nonZero, std::optional<int64_t> row) {
  std::optional<IndexColumn> column = matchIndexColumn(index);
  return column && column->nonZero == nonZero && row == column->row;
}

/// Whether `index` counts token * slots + slot.
static bool isFlatIndex(Value index, const ExpertRows &rows, int64_t slots, const SymbolicShapes &shapes) {
  if (isRow(index, rows.nonZero, rows.tokenRow))
    return slots == 1;
  onnx::NodeOp add = producer(skipReshapes(index), "Add");
  Value scaled, token;
  // With one slot its place is 0, whichever row of extent 1 it is.
  auto isSlot = [&](Value operand) {
    if (rows.slotRow)
      return isRow(operand, rows.nonZero, rows.slotRow);
    std::optional<IndexColumn> column = matchIndexColumn(operand);
    return column && column->nonZero == rows.nonZero && column->row != rows.tokenRow;
  };
  if (!add || !splitCommutative(add, isSlot, scaled))
    return false;
  onnx::NodeOp multiply = producer(skipReshapes(scaled), "Mul");
  auto isCount = [&](Value operand) { return shapes.constants(operand) == SmallVector<int64_t>{slots}; };
  return multiply && splitCommutative(multiply, isCount, token) && isRow(token, rows.nonZero, rows.tokenRow);
}

std::optional<ExpertGate> raise::matchGatheredGate(Value gate, const ExpertRows &rows, const SymbolicShapes &shapes) {
  onnx::NodeOp gather = producer(skipReshapes(gate));
  std::optional<int64_t> slots = slotCountOf(rows.ids, shapes);
  if (!gather || !slots || !(gather.is("Gather") || gather.is("GatherND")))
    return std::nullopt;
  Value data = gather.getInputs()[0], index = gather.getInputs()[1];
  Value gates = skipReshapes(data);
  RankedTensorType type = tensorTypeOf(data);
  bool matches = false;
  if (gather.is("Gather")) {
    // Flat, with a row per token and slot.
    bool isFlat = type.getRank() == 1 || (type.getRank() == 2 && type.getDimSize(1) == 1);
    matches = isFlat && gather.getInt("axis", 0) == 0 && isFlatIndex(index, rows, *slots, shapes);
  } else if (gather.getInt("batch_dims", 0) == 0 && type.getRank() == 2) {
    gates = data;
    if (onnx::NodeOp concat = producer(index, "Concat"))
      matches = concat.getInputs().size() == 2 && normalizeAxis(concat.getInt("axis", 0), 2) == 1 &&
                isRow(concat.getInputs()[0], rows.nonZero, rows.tokenRow) && rows.slotRow &&
                isRow(concat.getInputs()[1], rows.nonZero, rows.slotRow);
    else if (onnx::NodeOp transpose = producer(index, "Transpose"))
      matches = producer(transpose.getInputs()[0]) == rows.nonZero && rows.tokenRow == 0 && rows.slotRow == 1;
  }
  if (!matches || !areGatesOf(gates, rows.ids, shapes))
    return std::nullopt;
  return ExpertGate{rows.expert, rows.ids, gates};
}

/// The gates where ids are `expert`, 0 elsewhere.
static std::optional<ExpertGate> matchMaskedGates(Value value, const SymbolicShapes &shapes) {
  onnx::NodeOp node = producer(value);
  if (!node)
    return std::nullopt;
  std::optional<ExpertMask> mask;
  Value gates;
  auto isMask = [&](Value operand) { return (mask = matchExpertMask(operand)).has_value(); };
  if (node.is("Where") && isMask(node.getInputs()[0]) && filledWith(node.getInputs()[2]) == 0.0)
    gates = node.getInputs()[1];
  else if (!node.is("Mul") || !splitCommutative(node, isMask, gates))
    return std::nullopt;
  if (mask->dropped || mask->axes != axesOfIds(mask->ids) || shapes.extents(gates) != shapes.extents(mask->ids))
    return std::nullopt;
  return ExpertGate{mask->expert, mask->ids, gates};
}

std::optional<ExpertGate> raise::matchTokenGate(Value gate, const SymbolicShapes &shapes) {
  for (gate = skipFloatCasts(gate); onnx::NodeOp view = producer(gate); gate = view.getInputs()[0]) {
    bool isView = view.is("Squeeze") || view.is("Unsqueeze") || view.is("Reshape") || view.is("Identity");
    if (!isView || matchAxisElement(gate))
      break;
  }
  onnx::NodeOp sum = producer(gate, "ReduceSum");
  if (sum) {
    RankedTensorType type = tensorTypeOf(sum.getInputs()[0]);
    std::optional<SmallVector<int64_t>> axes = type ? constantAxes(sum, type.getRank()) : std::nullopt;
    std::optional<ExpertGate> masked = matchMaskedGates(sum.getInputs()[0], shapes);
    bool overSlots =
        masked && hasSlotAxis(masked->ids) && axes && axes->size() == 1 && axes->front() == type.getRank() - 1;
    return overSlots ? masked : std::nullopt;
  }
  std::optional<AxisElement> element = matchAxisElement(gate);
  if (!element)
    return std::nullopt;
  Value matrix = element->source;
  int64_t rank = tensorTypeOf(matrix).getRank();
  if (onnx::NodeOp transpose = producer(matrix, "Transpose"); transpose && rank == 2 && element->axis == 0) {
    matrix = transpose.getInputs()[0];
    element->axis = 1;
  }
  if (rank < 2 || element->axis != rank - 1)
    return std::nullopt;
  return ExpertGate{element->index, Value(), matrix};
}

//===----------------------------------------------------------------------===//
// Slots
//===----------------------------------------------------------------------===//

static bool isSingleNumber(Value value) {
  RankedTensorType type = tensorTypeOf(value);
  return constantSplat(value) && type.getNumElements() == 1 && type.getRank() <= 2;
}

/// The value of an elementwise function at a constant; nullopt if it is not one.
static std::optional<double> applyFunction(onnx::NodeOp node, double value) {
  if (node.is("Sigmoid"))
    return 1 / (1 + std::exp(-value));
  if (node.is("Relu"))
    return std::max(value, 0.0);
  if (node.is("Exp"))
    return std::exp(value);
  if (node.is("Cast") || node.is("Identity"))
    return value;
  if (node.is("Mul")) {
    Value other;
    if (splitCommutative(node, isSingleNumber, other))
      return value * *constantSplat(node.getInputs()[node.getInputs()[0] == other ? 1 : 0]);
  }
  return std::nullopt;
}

/// Whether the functions, applied to rows that hold `fill` besides the slots, leave 0 there and see nothing of it.
static bool keepZero(ArrayRef<onnx::NodeOp> functions, double fill) {
  std::optional<double> value = fill;
  for (onnx::NodeOp function : llvm::reverse(functions)) {
    if (function.is("Softmax"))
      value = *value == -std::numeric_limits<double>::infinity() ? std::optional(0.0) : std::nullopt;
    else
      value = applyFunction(function, *value);
    if (!value)
      return false;
  }
  return *value == 0;
}

/// Sum over the slots of the gates times the one-hot of the ids.
static std::optional<SlotGates> matchOneHotSum(onnx::NodeOp sum, const SymbolicShapes &shapes) {
  onnx::NodeOp product = producer(sum.getInputs()[0]);
  RankedTensorType type = product ? tensorTypeOf(product.getResult(0)) : nullptr;
  std::optional<SmallVector<int64_t>> axes = type ? constantAxes(sum, type.getRank()) : std::nullopt;
  if (!axes || axes->size() != 1 || axes->front() != type.getRank() - 2 || sum.getInt("keepdims", 1) != 0)
    return std::nullopt;
  std::optional<OneHot> oneHot;
  Value spread;
  auto isOneHot = [&](Value operand) { return (oneHot = matchOneHot(operand)).has_value(); };
  if (product.is("Where") && isOneHot(product.getInputs()[0]) && filledWith(product.getInputs()[2]) == 0.0)
    spread = product.getInputs()[1];
  else if (!product.is("Mul") || !splitCommutative(product, isOneHot, spread))
    return std::nullopt;
  MaskAxes whole = axesOfIds(oneHot->ids);
  bool hasSlots = hasSlotAxis(oneHot->ids);
  whole.push_back(MaskAxis::Expert);
  onnx::NodeOp unsqueeze = producer(spread, "Unsqueeze");
  std::optional<SmallVector<int64_t>> at = unsqueeze ? constantAxes(unsqueeze, type.getRank()) : std::nullopt;
  if (!hasSlots || oneHot->axes != whole || oneHot->dropped || !at || *at != SmallVector<int64_t>{type.getRank() - 1} ||
      shapes.extents(unsqueeze.getInputs()[0]) != shapes.extents(oneHot->ids))
    return std::nullopt;
  return SlotGates{oneHot->ids, unsqueeze.getInputs()[0]};
}

static std::optional<SlotGates> matchScatter(onnx::NodeOp scatter, const SymbolicShapes &shapes) {
  RankedTensorType type = tensorTypeOf(scatter.getResult(0));
  Value ids = scatter.getInputs()[1];
  StringRef reduction = scatter.getString("reduction", "none");
  bool isScatter = type && normalizeAxis(scatter.getInt("axis", 0), type.getRank()) == type.getRank() - 1 &&
                   (reduction == "none" ? areDistinctPerToken(ids) : reduction == "add") && hasSlotAxis(ids) &&
                   shapes.extents(ids) == shapes.extents(scatter.getInputs()[2]);
  // A scatter with fewer rows than its data leaves the others as they are.
  std::optional<ArrayRef<Extent>> rows = shapes.extents(scatter.getInputs()[0]), slots = shapes.extents(ids);
  if (!isScatter || !rows || !slots || rows->drop_back() != slots->drop_back() || !slots->back().constant())
    return std::nullopt;
  return SlotGates{ids, scatter.getInputs()[2]};
}

SlotGates SlotGates::ofMatrix(Value matrix, const SymbolicShapes &shapes) {
  SlotGates dense{Value(), matrix};
  SmallVector<onnx::NodeOp> functions;
  for (Value value = matrix; onnx::NodeOp node = producer(value);) {
    std::optional<SlotGates> found;
    std::optional<double> fill = 0.0;
    if (node.is("ScatterElements")) {
      found = matchScatter(node, shapes);
      fill = filledWith(node.getInputs()[0]);
      if (fill && *fill != 0 && node.getString("reduction", "none") != "none")
        return dense;
    } else if (node.is("ReduceSum")) {
      found = matchOneHotSum(node, shapes);
    }
    if (found) {
      if (!fill || !keepZero(functions, *fill))
        return dense;
      found->functions = functions;
      return *found;
    }
    RankedTensorType type = tensorTypeOf(value);
    bool isSoftmax = node.is("Softmax") && type && node.getVersion() >= 13 &&
                     normalizeAxis(node.getInt("axis", -1), type.getRank()) == type.getRank() - 1;
    if (!isSoftmax && !applyFunction(node, 1))
      return dense;
    functions.push_back(node);
    value = node.getInputs()[node.is("Mul") && isSingleNumber(node.getInputs()[0]) ? 1 : 0];
  }
  return dense;
}

bool SlotGates::fitTokens(const Extent &tokens, int64_t expertCount, const SymbolicShapes &shapes,
                          std::string &reason) const {
  std::optional<ArrayRef<Extent>> extents = shapes.extents(ids ? ids : gates);
  std::optional<int64_t> slots = ids ? slotCountOf(ids, shapes) : expertCount;
  if (!ids && extents && extents->back() != Extent(expertCount)) {
    reason = "the gates are not one per expert";
    return false;
  }
  if (!extents || !slots || *slots < 1 || product(*extents) != tokens * Extent(*slots)) {
    reason = "the number of tokens cannot be proven to be that of the gates";
    return false;
  }
  return true;
}

/// A constant of rank 0 in the element type of `like`.
static Value scalarLike(OpBuilder &builder, Location loc, int64_t value, Type elementType) {
  auto type = RankedTensorType::get({}, elementType);
  Attribute element = isa<FloatType>(elementType) ? Attribute(builder.getFloatAttr(elementType, value))
                                                  : Attribute(builder.getIntegerAttr(elementType, value));
  return onnx::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, ArrayRef(element)));
}

/// `ids` as i32 [T, K], -1 where an id is no expert's or dropped.
static Value buildIds(OpBuilder &builder, Location loc, Value ids, Value dropped, int64_t slots, int64_t expertCount) {
  NodeBuilder nodes(builder, loc);
  Value rows = nodes.reshape(ids, {-1, slots});
  auto type = cast<RankedTensorType>(rows.getType());
  auto flags = type.clone(builder.getI1Type());
  Type idType = type.getElementType();
  auto keep = [&](Value flag) {
    rows = nodes.node("Where", 16, {flag, rows, scalarLike(builder, loc, -1, idType)}, type);
  };
  std::optional<int64_t> bound = boundOfIds(ids);
  if (!bound || *bound > expertCount) {
    Value below = nodes.node("Less", 13, {rows, scalarLike(builder, loc, expertCount, idType)}, flags);
    Value above = nodes.node("Less", 13, {scalarLike(builder, loc, -1, idType), rows}, flags);
    keep(nodes.node("And", 7, {below, above}, flags));
  }
  if (dropped) {
    RankedTensorType whole = tensorTypeOf(dropped);
    auto counts = RankedTensorType::get(whole.getShape().drop_back(), whole.getElementType());
    Value left = nodes.node("ReduceSum", 13, {dropped, nodes.ints({-1})}, counts,
                            builder.getNamedAttr("keepdims", builder.getI64IntegerAttr(0)));
    Value perSlot = nodes.reshape(left, {-1, slots});
    keep(nodes.node("Less", 13, {scalarLike(builder, loc, 0, whole.getElementType()), perSlot}, flags));
  }
  return nodes.cast(rows, builder.getI32Type());
}

std::pair<Value, Value> SlotGates::build(OpBuilder &builder, Location loc, int64_t expertCount,
                                         const SymbolicShapes &shapes) const {
  NodeBuilder nodes(builder, loc);
  Type f32 = builder.getF32Type();
  if (ids) {
    int64_t slots = *slotCountOf(ids, shapes);
    Value factors = nodes.reshape(gates, {-1, slots});
    for (onnx::NodeOp function : llvm::reverse(functions)) {
      auto type = cast<RankedTensorType>(factors.getType());
      if (function.is("Identity") || function.is("Cast")) {
        factors = nodes.cast(factors, getElementTypeOrSelf(function.getResult(0).getType()));
        continue;
      }
      bool isSoftmax = function.is("Softmax");
      SmallVector<Value> inputs = {factors};
      if (function.is("Mul"))
        inputs.push_back(function.getInputs()[isSingleNumber(function.getInputs()[0]) ? 0 : 1]);
      SmallVector<NamedAttribute> attrs;
      if (isSoftmax)
        attrs.push_back(builder.getNamedAttr("axis", builder.getI64IntegerAttr(-1)));
      factors = nodes.node(function.getOpType(), function.getVersion(), inputs, type, attrs);
    }
    return {buildIds(builder, loc, ids, dropped, slots, expertCount), nodes.cast(factors, f32)};
  }
  Value matrix = nodes.cast(nodes.reshape(gates, {-1, expertCount}), f32);
  auto type = cast<RankedTensorType>(matrix.getType());
  auto idType = type.clone(builder.getI32Type());
  SmallVector<int32_t> all = llvm::to_vector(llvm::seq<int32_t>(0, expertCount));
  Value every = onnx::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(RankedTensorType::get({1, expertCount}, builder.getI32Type()), ArrayRef(all)));
  // An expert whose gate is 0 adds nothing; scores of a softmax or sigmoid are hardly ever 0.
  onnx::NodeOp score = producer(skipReshapes(gates));
  if (score && (score.is("Softmax") || score.is("Sigmoid"))) {
    Value shape = nodes.node("Shape", 15, matrix, RankedTensorType::get({2}, builder.getI64Type()));
    return {nodes.node("Expand", 13, {every, shape}, idType), matrix};
  }
  Value isZero = nodes.node("Equal", 13, {matrix, scalarLike(builder, loc, 0, f32)}, type.clone(builder.getI1Type()));
  return {nodes.node("Where", 16, {isZero, scalarLike(builder, loc, -1, builder.getI32Type()), every}, idType), matrix};
}
