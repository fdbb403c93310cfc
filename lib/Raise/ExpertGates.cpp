//===- ExpertGates.cpp - the gates of experts that are spelt out ------------===//

#include "ExpertGates.h"
#include "ExpertCapacity.h"
#include "RoutedRegion.h"
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::raise;

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
    // An only slot has an axis of extent 1.
    onnx::NodeOp nonZero = rows.nonZero;
    RankedTensorType idsType = tensorTypeOf(nonZero.getInputs()[0]);
    bool isOnlySlot = *slots == 1 && idsType && idsType.getRank() == 2 && type.getDimSize(1) == 1;
    std::optional<int64_t> slotRow = isOnlySlot && rows.tokenRow == 0 ? 1 : rows.slotRow;
    if (onnx::NodeOp concat = producer(index, "Concat"))
      matches = concat.getInputs().size() == 2 && normalizeAxis(concat.getInt("axis", 0), 2) == 1 &&
                isRow(concat.getInputs()[0], rows.nonZero, rows.tokenRow) && slotRow &&
                isRow(concat.getInputs()[1], rows.nonZero, slotRow);
    else if (onnx::NodeOp transpose = producer(index, "Transpose"))
      matches = producer(transpose.getInputs()[0]) == rows.nonZero && rows.tokenRow == 0 && slotRow == 1;
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
  if (node.is("Identity") || (node.is("Cast") && isa<FloatType>(getElementTypeOrSelf(node.getInputs()[0].getType())) &&
                              isa<FloatType>(getElementTypeOrSelf(node.getResult(0).getType()))))
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
  if (std::optional<Capacity> capacity = dropped ? matchCapacity(dropped) : std::nullopt;
      capacity && capacity->ids == ids && capacity->depth == expertCount)
    return limitCapacity(builder, loc, *capacity);
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
