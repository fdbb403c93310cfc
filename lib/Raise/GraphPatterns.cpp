//===- GraphPatterns.cpp - reading and writing onnx.node graphs -------------===//

#include "GraphPatterns.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::raise;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

onnx::NodeOp raise::producer(Value value) { return value ? value.getDefiningOp<onnx::NodeOp>() : nullptr; }

onnx::NodeOp raise::producer(Value value, StringRef opType, StringRef domain) {
  onnx::NodeOp node = producer(value);
  return node && node.is(opType, domain) ? node : nullptr;
}

static DenseElementsAttr constantElements(Value value) {
  if (!value)
    return nullptr;
  auto constant = value.getDefiningOp<onnx::ConstantOp>();
  return constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : nullptr;
}

std::optional<SmallVector<int64_t>> raise::constantInts(Value value) {
  DenseElementsAttr elements = constantElements(value);
  if (!elements || !isa<IntegerType>(elements.getElementType()))
    return std::nullopt;
  bool isUnsigned = elements.getElementType().isUnsignedInteger() || elements.getElementType().isInteger(1);
  return llvm::map_to_vector(elements.getValues<APInt>(), [&](const APInt &element) {
    return isUnsigned ? static_cast<int64_t>(element.getZExtValue()) : element.getSExtValue();
  });
}

std::optional<double> raise::constantSplat(Value value) {
  DenseElementsAttr elements = constantElements(value);
  if (!elements || elements.empty() || !isa<FloatType>(elements.getElementType()))
    return std::nullopt;
  APFloat first = *elements.value_begin<APFloat>();
  if (!elements.isSplat() && !llvm::all_of(elements.getValues<APFloat>(),
                                           [&](const APFloat &element) { return element.bitwiseIsEqual(first); }))
    return std::nullopt;
  bool lost = false;
  first.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
  if (first.isNaN())
    return std::nullopt;
  return first.convertToDouble();
}

std::optional<double> raise::filledWith(Value value) {
  value = skipFloatCasts(value);
  if (onnx::NodeOp expand = producer(value, "Expand"))
    value = skipFloatCasts(expand.getInputs()[0]);
  DenseElementsAttr elements = constantElements(value);
  if (onnx::NodeOp fill = producer(value, "ConstantOfShape")) {
    if (!fill.getNodeAttr("value"))
      return 0.0;
    elements = dyn_cast<DenseElementsAttr>(fill.getNodeAttr("value"));
  }
  if (!elements || elements.empty())
    return std::nullopt;
  auto all = elements.getValues<Attribute>();
  Attribute first = *all.begin();
  if (!elements.isSplat() && !llvm::all_equal(all))
    return std::nullopt;
  if (auto integer = dyn_cast<IntegerAttr>(first))
    return static_cast<double>(integer.getValue().getSExtValue());
  auto real = dyn_cast<FloatAttr>(first);
  return real && !real.getValue().isNaN() ? std::optional(real.getValueAsDouble()) : std::nullopt;
}

bool raise::isNear(double actual, double expected) {
  if (actual == expected)
    return true;
  return std::abs(actual - expected) <= 1e-6 * std::abs(expected);
}

std::optional<int64_t> raise::normalizeAxis(int64_t axis, int64_t rank) {
  if (axis < 0)
    axis += rank;
  if (axis < 0 || axis >= rank)
    return std::nullopt;
  return axis;
}

std::optional<SmallVector<int64_t>> raise::constantAxes(onnx::NodeOp node, int64_t rank) {
  std::optional<SmallVector<int64_t>> axes = node.getInts("axes");
  if (!axes && node.getInput(1))
    axes = constantInts(node.getInput(1));
  if (!axes)
    return std::nullopt;
  for (int64_t &axis : *axes) {
    std::optional<int64_t> normalized = normalizeAxis(axis, rank);
    if (!normalized)
      return std::nullopt;
    axis = *normalized;
  }
  llvm::sort(*axes);
  return axes;
}

bool raise::reducesLastAxisKept(onnx::NodeOp node) {
  RankedTensorType type = tensorTypeOf(node.getInputs()[0]);
  if (!type || type.getRank() == 0 || node.getInt("keepdims", 1) != 1)
    return false;
  std::optional<SmallVector<int64_t>> axes = constantAxes(node, type.getRank());
  return axes && axes->size() == 1 && axes->front() == type.getRank() - 1;
}

std::optional<Comparison> raise::matchComparison(onnx::NodeOp node) {
  bool isLess = node && (node.is("Less") || node.is("LessOrEqual"));
  if (!isLess && !(node && (node.is("Greater") || node.is("GreaterOrEqual"))))
    return std::nullopt;
  bool includesEqual = node.is("LessOrEqual") || node.is("GreaterOrEqual");
  return Comparison{node.getInputs()[isLess ? 1 : 0], node.getInputs()[isLess ? 0 : 1], includesEqual};
}

bool raise::splitCommutative(onnx::NodeOp node, function_ref<bool(Value)> first, Value &other) {
  if (node.getInputs().size() != 2)
    return false;
  for (unsigned index : {0u, 1u}) {
    if (first(node.getInputs()[index])) {
      other = node.getInputs()[1 - index];
      return true;
    }
  }
  return false;
}

std::optional<EinsumEquation> raise::einsumEquation(onnx::NodeOp node) {
  std::string text = node.getString("equation", "").str();
  llvm::erase(text, ' ');
  auto [inputs, output] = StringRef(text).split("->");
  EinsumEquation equation{.output = output.str()};
  SmallVector<StringRef> parts;
  inputs.split(parts, ',');
  auto isPlain = [](StringRef letters) {
    return llvm::all_of(letters, [&](char letter) { return llvm::isAlpha(letter) && letters.count(letter) == 1; });
  };
  if (text.find("->") == std::string::npos || parts.size() != node.getInputs().size() ||
      !llvm::all_of(parts, isPlain) || !isPlain(output))
    return std::nullopt;
  for (auto [part, input] : llvm::zip_equal(parts, node.getInputs())) {
    RankedTensorType type = tensorTypeOf(input);
    if (!type || type.getRank() != static_cast<int64_t>(part.size()))
      return std::nullopt;
    equation.inputs.push_back(part.str());
  }
  return equation;
}

/// Whether every value of `from` is a value of `to`.
static bool isWideningCast(FloatType from, FloatType to) {
  return from && to && (from == to || from.getWidth() < to.getWidth());
}

Value raise::skipFloatCasts(Value value) {
  while (onnx::NodeOp node = producer(value)) {
    bool isExact = node.is("Identity");
    if (node.is("Cast"))
      isExact = isWideningCast(dyn_cast<FloatType>(getElementTypeOrSelf(node.getInputs()[0].getType())),
                               dyn_cast<FloatType>(getElementTypeOrSelf(value.getType())));
    if (!isExact)
      break;
    value = node.getInputs()[0];
  }
  return value;
}

bool raise::isComputedInF32(Type elementType) {
  return elementType.isF32() || elementType.isF16() || elementType.isBF16();
}

onnx::NodeOp raise::onlyReader(Value value) {
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

StringRef raise::labelOf(onnx::NodeOp node) { return node.getName().value_or(node.getOpType()); }

void raise::eraseUnusedNodes(ModuleOp module) {
  SmallVector<Operation *> nodes;
  module.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (isa<onnx::NodeOp, onnx::ConstantOp, onnx::AbsentOp, moe::LoadWeightOp>(op))
      nodes.push_back(op);
  });
  for (Operation *op : llvm::reverse(nodes))
    if (op->use_empty())
      op->erase();
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

Value raise::transposeWeight(OpBuilder &builder, Location loc, Value weight, ArrayRef<int64_t> permutation) {
  auto type = cast<RankedTensorType>(weight.getType());
  SmallVector<int64_t> shape = llvm::map_to_vector(permutation, [&](int64_t axis) { return type.getDimSize(axis); });
  Value init = tensor::EmptyOp::create(builder, loc, shape, type.getElementType());
  return linalg::TransposeOp::create(builder, loc, weight, init, permutation)->getResult(0);
}

Value raise::reshapeWeight(OpBuilder &builder, Location loc, Value weight, ArrayRef<int64_t> shape) {
  auto type = cast<RankedTensorType>(weight.getType());
  auto wanted = RankedTensorType::get(shape, type.getElementType());
  if (type == wanted)
    return weight;
  if (auto groups = getReassociationIndicesForReshape(type, wanted)) {
    if (wanted.getRank() > type.getRank())
      return tensor::ExpandShapeOp::create(builder, loc, wanted, weight, *groups);
    return tensor::CollapseShapeOp::create(builder, loc, wanted, weight, *groups);
  }
  Value flat = reshapeWeight(builder, loc, weight, {type.getNumElements()});
  return reshapeWeight(builder, loc, flat, shape);
}

Value WeightBuilder::get(Value value) {
  auto [entry, inserted] = made.try_emplace(value);
  if (!inserted)
    return entry->second;
  Value weight = build(value);
  made[value] = weight;
  return weight;
}

Value WeightBuilder::stack(OpBuilder &builder, ArrayRef<Value> parts) {
  std::vector<void *> key = {builder.getInsertionBlock()};
  for (Value part : parts)
    key.push_back(part.getAsOpaquePointer());
  auto [known, isNew] = stacks.try_emplace(key);
  if (!isNew && (builder.getInsertionPoint() == builder.getInsertionBlock()->end() ||
                 known->second.getDefiningOp()->isBeforeInBlock(&*builder.getInsertionPoint())))
    return known->second;
  SmallVector<int64_t> shape(tensorTypeOf(parts.front()).getShape());
  shape.insert(shape.begin(), 1);
  Location loc = parts.front().getLoc();
  SmallVector<Value> rows =
      llvm::map_to_vector(parts, [&](Value part) { return reshapeWeight(builder, loc, get(part), shape); });
  Value stacked = rows.size() == 1 ? rows.front() : tensor::ConcatOp::create(builder, loc, /*dim=*/0, rows);
  known->second = made[stacked] = stacked;
  return stacked;
}

Value WeightBuilder::build(Value value) {
  if (value.getDefiningOp<moe::LoadWeightOp>())
    return value;
  if (onnx::NodeOp node = producer(value))
    return buildNode(node);
  auto constant = value.getDefiningOp<onnx::ConstantOp>();
  if (!constant)
    return {};
  OpBuilder builder(constant);
  auto type = cast<RankedTensorType>(constant.getType());
  auto weight = moe::WeightOp::create(builder, constant.getLoc(), "constant", nullptr, type, constant.getValue());
  weight->remove();
  StringAttr name = symbols.insert(weight, module.getBody()->begin());
  return moe::LoadWeightOp::create(builder, constant.getLoc(), type, name);
}

Value WeightBuilder::buildNode(onnx::NodeOp node) {
  if (node.getNumResults() != 1 || node.getInputs().empty())
    return {};
  RankedTensorType type = tensorTypeOf(node.getResult(0)), sourceType = tensorTypeOf(node.getInputs()[0]);
  bool isView = node.is("Reshape") || node.is("Squeeze") || node.is("Unsqueeze") || node.is("Flatten");
  if (!type || !sourceType || !type.hasStaticShape() || !sourceType.hasStaticShape() ||
      (!isView && !node.is("Identity") && !node.is("Transpose") && !node.is("Cast")))
    return {};
  Value source = get(node.getInputs()[0]);
  if (!source || node.is("Identity"))
    return source;
  OpBuilder builder(node);
  if (isView)
    return reshapeWeight(builder, node.getLoc(), source, type.getShape());
  if (node.is("Transpose")) {
    SmallVector<int64_t> permutation(llvm::reverse(llvm::seq<int64_t>(type.getRank())));
    return transposeWeight(builder, node.getLoc(), source, node.getInts("perm").value_or(permutation));
  }
  auto from = dyn_cast<FloatType>(sourceType.getElementType()), to = dyn_cast<FloatType>(type.getElementType());
  if (from == to)
    return source;
  if (!from || !to || from.getWidth() == to.getWidth())
    return {};
  if (from.getWidth() < to.getWidth())
    return arith::ExtFOp::create(builder, node.getLoc(), type, source);
  return arith::TruncFOp::create(builder, node.getLoc(), type, source);
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

Value NodeBuilder::node(StringRef opType, int64_t version, ValueRange inputs, Type resultType,
                        ArrayRef<NamedAttribute> attrs) {
  OperationState state(loc, onnx::NodeOp::getOperationName());
  state.addOperands(inputs);
  state.addTypes(resultType);
  state.addAttribute("op_type", builder.getStringAttr(opType));
  state.addAttribute("domain", builder.getStringAttr(""));
  state.addAttribute("version", builder.getI64IntegerAttr(version));
  state.addAttribute("attrs", builder.getDictionaryAttr(attrs));
  return builder.create(state)->getResult(0);
}

Value NodeBuilder::ints(ArrayRef<int64_t> values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())}, builder.getI64Type());
  return onnx::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, values));
}

Value NodeBuilder::reshape(Value value, ArrayRef<int64_t> shape) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> extents(shape);
  int64_t known = 1;
  for (int64_t extent : shape)
    known *= extent == -1 ? 1 : extent;
  for (int64_t &extent : extents)
    if (extent == -1)
      extent = type.hasStaticShape() && known != 0 ? type.getNumElements() / known : ShapedType::kDynamic;
  auto wanted = RankedTensorType::get(extents, type.getElementType());
  if (wanted == type)
    return value;
  return node("Reshape", 14, {value, ints(shape)}, wanted);
}

Value NodeBuilder::reshapeLike(Value value, Value like, RankedTensorType type) {
  if (value.getType() == type && type.getNumDynamicDims() <= 1)
    return value;
  if (type.hasStaticShape())
    return reshape(value, type.getShape());
  auto shapeType = RankedTensorType::get({type.getRank()}, builder.getI64Type());
  Value shape = node("Shape", 15, like, shapeType);
  return node("Reshape", 14, {value, shape}, type, builder.getNamedAttr("allowzero", builder.getI64IntegerAttr(1)));
}

Value NodeBuilder::reshapeRows(Value rows, Value like, RankedTensorType type) {
  if (type.getNumDynamicDims() > 1) {
    auto leading = RankedTensorType::get({type.getRank() - 1}, builder.getI64Type());
    Value shape = node("Shape", 15, like, leading, builder.getNamedAttr("end", builder.getI64IntegerAttr(-1)));
    Value whole = node("Concat", 13, {shape, ints({type.getShape().back()})},
                       RankedTensorType::get({type.getRank()}, builder.getI64Type()),
                       builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)));
    return node("Reshape", 14, {rows, whole}, type, builder.getNamedAttr("allowzero", builder.getI64IntegerAttr(1)));
  }
  SmallVector<int64_t> extents = llvm::map_to_vector(
      type.getShape(), [](int64_t extent) { return ShapedType::isDynamic(extent) ? int64_t(-1) : extent; });
  Value reshaped = reshape(rows, extents);
  // The extents are known even where the type does not say it.
  return reshaped.getType() == type ? reshaped : tensor::CastOp::create(builder, loc, type, reshaped);
}

Value NodeBuilder::cast(Value value, Type elementType) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getElementType() == elementType)
    return value;
  // The numbers of TensorProto.DataType.
  int64_t to = elementType.isInteger(32)   ? 6
               : elementType.isInteger(64) ? 7
               : elementType.isF16()       ? 10
               : elementType.isBF16()      ? 16
                                           : 1;
  return node("Cast", 13, value, type.clone(elementType), builder.getNamedAttr("to", builder.getI64IntegerAttr(to)));
}
