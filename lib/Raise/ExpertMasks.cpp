//===- ExpertMasks.cpp - which tokens an expert gets ------------------------===//

#include "ExpertMasks.h"
#include "ExpertBody.h"
#include "RoutedRegion.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

//===----------------------------------------------------------------------===//
// Ids
//===----------------------------------------------------------------------===//

bool raise::hasSlotAxis(Value ids) {
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

bool raise::areDistinctPerToken(Value ids) {
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
  if ((op == "TopK" && cast<OpResult>(value).getResultNumber() == 1) || op == "ArgMax")
    return true;
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

MaskAxes raise::axesOfIds(Value ids) {
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
  if (view.is("Identity") || view.is("Cast") || view.is("CastLike"))
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
  if (node && (isViewNode(node) || node.is("Cast") || node.is("CastLike")))
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
  if (isViewNode(node) || node.is("Cast") || node.is("CastLike")) {
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

std::optional<AxisElement> raise::matchAxisElement(Value value) {
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

std::optional<ExpertMask> raise::matchExpertMask(Value value) {
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
  if (!isViewNode(node) && !node.is("Cast") && !node.is("CastLike"))
    return std::nullopt;
  std::optional<ExpertMask> mask = matchExpertMask(node.getInputs()[0]);
  std::optional<MaskAxes> axes = mask ? axesThroughView(node, mask->axes) : std::nullopt;
  if (!axes)
    return std::nullopt;
  mask->axes = *axes;
  return mask;
}

std::optional<IndexColumn> raise::matchIndexColumn(Value index) {
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
  if (!mask || llvm::count(mask->axes, MaskAxis::Token) != 1)
    return std::nullopt;
  ExpertRows rows{column->nonZero, mask->ids, mask->dropped, mask->expert};
  rows.tokenRow = llvm::find(mask->axes, MaskAxis::Token) - mask->axes.begin();
  if (auto *slot = llvm::find(mask->axes, MaskAxis::Slot); slot != mask->axes.end())
    rows.slotRow = slot - mask->axes.begin();
  return rows.tokenRow == column->row ? std::optional(rows) : std::nullopt;
}
