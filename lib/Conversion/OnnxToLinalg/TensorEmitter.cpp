//===- TensorEmitter.cpp - extents, views and data movement -------------------===//

#include "TensorEmitter.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Step/Step.h"

using namespace mlir;
using namespace moec;

static RankedTensorType typeOfTensor(Value tensor) { return cast<RankedTensorType>(tensor.getType()); }

void TensorEmitter::setNode(Operation *op, std::string newLabel) {
  node = op;
  label = std::move(newLabel);
  builder.setLoc(op->getLoc());
}

InFlightDiagnostic TensorEmitter::error() { return emitError(node->getLoc()) << label << ": "; }

InFlightDiagnostic TensorEmitter::remark() { return emitRemark(node->getLoc()) << label << ": "; }

LogicalResult TensorEmitter::check(Value condition, const Twine &what) {
  if (IndexArithmetic::isConstant(condition, 0))
    return error() << what;
  if (!IndexArithmetic::isConstant(condition, 1) && checked.insert(condition).second)
    step::CheckOp::create(builder, condition, builder.getStringAttr(label + ": " + what));
  return success();
}

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

TensorEmitter::Extents TensorEmitter::extents(Value tensor) {
  auto found = known.find(tensor);
  if (found != known.end())
    return llvm::map_to_vector(found->second, [&](Value extent) { return index.representative(extent); });
  RankedTensorType type = typeOfTensor(tensor);
  ReifiedRankedShapedTypeDims reified;
  auto shaped = tensor.getDefiningOp<ReifyRankedShapedTypeOpInterface>();
  if (shaped && !type.hasStaticShape() && failed(shaped.reifyResultShapes(builder, reified)))
    reified.clear();
  Extents result;
  for (auto [axis, size] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(size)) {
      result.push_back(index.constant(size));
      continue;
    }
    Value dynamic;
    if (!reified.empty())
      dynamic = dyn_cast<Value>(reified[cast<OpResult>(tensor).getResultNumber()][axis]);
    // A result's extent is often that of an operand, which is known.
    auto dim = dynamic ? dynamic.getDefiningOp<tensor::DimOp>() : tensor::DimOp();
    if (dim && dim.getConstantIndex() && dim.getSource() != tensor)
      dynamic = extent(dim.getSource(), *dim.getConstantIndex());
    if (!dynamic)
      dynamic = tensor::DimOp::create(builder, tensor, index.constant(axis));
    index.assumeNonNegative(dynamic);
    result.push_back(dynamic);
  }
  known[tensor] = result;
  return result;
}

Value TensorEmitter::extent(Value tensor, int64_t axis) { return extents(tensor)[axis]; }

Value TensorEmitter::withExtents(Value tensor, ArrayRef<Value> extents) {
  known[tensor] = Extents(extents);
  return tensor;
}

RankedTensorType TensorEmitter::typeOf(ArrayRef<Value> extents, Type element) {
  SmallVector<int64_t> shape;
  for (Value extent : extents)
    shape.push_back(IndexArithmetic::asConstant(index.representative(extent)).value_or(ShapedType::kDynamic));
  return RankedTensorType::get(shape, element);
}

void TensorEmitter::addSymbol(Value extent, StringAttr symbol) {
  if (!symbol || symbol.empty() || IndexArithmetic::asConstant(extent))
    return;
  SmallVector<StringAttr, 1> &names = symbols[extent];
  if (!llvm::is_contained(names, symbol))
    names.push_back(symbol);
}

bool TensorEmitter::equalOrSameSymbol(Value lhs, Value rhs) {
  if (index.provablyEqual(lhs, rhs))
    return true;
  auto left = symbols.find(lhs), right = symbols.find(rhs);
  if (left == symbols.end() || right == symbols.end())
    return false;
  return llvm::any_of(left->second, [&](StringAttr name) { return llvm::is_contained(right->second, name); });
}

FailureOr<Value> TensorEmitter::unify(Value lhs, Value rhs, const Twine &what) {
  lhs = index.representative(lhs);
  rhs = index.representative(rhs);
  std::optional<int64_t> left = IndexArithmetic::asConstant(lhs), right = IndexArithmetic::asConstant(rhs);
  if (left && right && *left != *right)
    return error() << what << ": extents " << *left << " and " << *right << " differ";
  if (!index.provablyEqual(lhs, rhs)) {
    if (failed(check(index.compare(arith::CmpIPredicate::eq, lhs, rhs), what + ": extents differ")))
      return failure();
    index.assumeEqual(lhs, rhs);
  }
  return left ? lhs : rhs;
}

LogicalResult TensorEmitter::unifyExtents(Value lhs, Value rhs, const Twine &what) {
  Extents left = extents(lhs), right = extents(rhs);
  if (left.size() != right.size())
    return error() << what << ": ranks " << left.size() << " and " << right.size() << " differ";
  for (auto [a, b] : llvm::zip_equal(left, right))
    if (failed(unify(a, b, what)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Constants and views
//===----------------------------------------------------------------------===//

static SmallVector<OpFoldResult> foldResults(ArrayRef<Value> values) {
  return getAsOpFoldResult(SmallVector<Value>(values));
}

Value TensorEmitter::constant(ElementsAttr value) { return arith::ConstantOp::create(builder, cast<TypedAttr>(value)); }

Value TensorEmitter::splat(double value, ArrayRef<int64_t> shape, Type element) {
  TypedAttr scalar;
  if (isa<FloatType>(element))
    scalar = builder.getFloatAttr(element, value);
  else
    scalar = builder.getIntegerAttr(element, static_cast<int64_t>(value));
  return constant(DenseElementsAttr::get(RankedTensorType::get(shape, element), Attribute(scalar)));
}

Value TensorEmitter::empty(ArrayRef<Value> extents, Type element) {
  RankedTensorType type = typeOf(extents, element);
  SmallVector<Value> dynamic;
  for (auto [axis, extent] : llvm::enumerate(extents))
    if (type.isDynamicDim(axis))
      dynamic.push_back(extent);
  return withExtents(tensor::EmptyOp::create(builder, type, dynamic), extents);
}

Value TensorEmitter::fill(ArrayRef<Value> extents, Value scalar) {
  Value init = empty(extents, scalar.getType());
  return withExtents(linalg::FillOp::create(builder, scalar, init).getResult(0), extents);
}

Value TensorEmitter::castTo(Value tensor, RankedTensorType type) {
  if (tensor.getType() == type)
    return tensor;
  Extents sizes = extents(tensor);
  for (auto [axis, size] : llvm::enumerate(type.getShape()))
    if (!ShapedType::isDynamic(size))
      sizes[axis] = index.constant(size);
  return withExtents(tensor::CastOp::create(builder, type, tensor), sizes);
}

// The reassociation that merges all dimensions of a tensor of rank `rank` into one.
static SmallVector<ReassociationIndices> mergeAll(int64_t rank) {
  if (rank == 0)
    return {};
  return {llvm::to_vector<2>(llvm::seq<int64_t>(0, rank))};
}

Value TensorEmitter::reshape(Value tensor, ArrayRef<Value> target) {
  Extents source = extents(tensor);
  Type element = typeOfTensor(tensor).getElementType();
  RankedTensorType targetType = typeOf(target, element);
  auto equal = [&](auto pair) { return index.provablyEqual(std::get<0>(pair), std::get<1>(pair)); };
  if (source.size() == target.size() && llvm::all_of(llvm::zip_equal(source, target), equal))
    return withExtents(castTo(tensor, targetType), target);

  // Through one dimension: static if any side knows the count, as the verifier of the views wants it.
  RankedTensorType sourceType = typeOfTensor(tensor);
  Value count = index.product(target);
  Value flat = tensor;
  if (source.size() != 1) {
    int64_t size = sourceType.hasStaticShape() ? sourceType.getNumElements() : ShapedType::kDynamic;
    auto type = RankedTensorType::get({size}, element);
    if (source.empty())
      flat = tensor::ExpandShapeOp::create(builder, type, tensor, ArrayRef<ReassociationIndices>{},
                                           SmallVector<OpFoldResult>{builder.getIndexAttr(1)});
    else
      flat = tensor::CollapseShapeOp::create(builder, type, tensor, mergeAll(source.size()));
    withExtents(flat, count);
  }
  int64_t size = targetType.hasStaticShape() ? targetType.getNumElements() : ShapedType::kDynamic;
  if (target.size() == 1)
    return withExtents(castTo(flat, targetType), target);
  flat = castTo(flat, RankedTensorType::get({size}, element));
  if (target.empty())
    return withExtents(tensor::CollapseShapeOp::create(builder, targetType, flat, ArrayRef<ReassociationIndices>{}),
                       target);
  SmallVector<Value> known;
  for (Value extent : target)
    known.push_back(index.representative(extent));
  return withExtents(
      tensor::ExpandShapeOp::create(builder, targetType, flat, mergeAll(target.size()), foldResults(known)), target);
}

/// Groups `rank` dimensions so that each group holds one that is not in `units`, which are the others; empty if all
/// are.
static SmallVector<ReassociationIndices> groupUnits(int64_t rank, ArrayRef<int64_t> units) {
  SmallVector<ReassociationIndices> groups;
  ReassociationIndices leading;
  for (int64_t axis = 0; axis < rank; ++axis) {
    bool isUnit = llvm::is_contained(units, axis);
    if (isUnit && groups.empty()) {
      leading.push_back(axis);
      continue;
    }
    if (!isUnit)
      groups.push_back(std::exchange(leading, {}));
    groups.back().push_back(axis);
  }
  return groups;
}

// Extents of 1 come and go within a dimension, so that views that undo each other meet.
Value TensorEmitter::dropAxes(Value tensor, ArrayRef<int64_t> axes) {
  Extents source = extents(tensor), kept;
  for (auto [axis, extent] : llvm::enumerate(source))
    if (!llvm::is_contained(axes, static_cast<int64_t>(axis)))
      kept.push_back(extent);
  RankedTensorType type = typeOfTensor(tensor);
  bool areUnits = llvm::all_of(axes, [&](int64_t axis) { return type.getDimSize(axis) == 1; });
  if (kept.empty() || axes.empty() || !areUnits)
    return reshape(tensor, kept);
  SmallVector<int64_t> shape;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    if (!llvm::is_contained(axes, axis))
      shape.push_back(type.getDimSize(axis));
  return withExtents(tensor::CollapseShapeOp::create(builder, RankedTensorType::get(shape, type.getElementType()),
                                                     tensor, groupUnits(type.getRank(), axes)),
                     kept);
}

Value TensorEmitter::insertAxes(Value tensor, ArrayRef<int64_t> axes) {
  Extents source = extents(tensor), target;
  size_t next = 0;
  for (size_t axis = 0, rank = source.size() + axes.size(); axis < rank; ++axis)
    target.push_back(llvm::is_contained(axes, static_cast<int64_t>(axis)) ? index.constant(1) : source[next++]);
  RankedTensorType type = typeOfTensor(tensor);
  if (source.empty() || axes.empty())
    return reshape(tensor, target);
  SmallVector<int64_t> shape;
  SmallVector<OpFoldResult> sizes;
  next = 0;
  for (size_t axis = 0; axis < target.size(); ++axis) {
    bool isUnit = llvm::is_contained(axes, static_cast<int64_t>(axis));
    shape.push_back(isUnit ? 1 : type.getDimSize(next));
    if (isUnit || !type.isDynamicDim(next))
      sizes.push_back(builder.getIndexAttr(shape.back()));
    else
      sizes.push_back(index.representative(source[next]));
    next += !isUnit;
  }
  return withExtents(tensor::ExpandShapeOp::create(builder, RankedTensorType::get(shape, type.getElementType()), tensor,
                                                   groupUnits(target.size(), axes), sizes),
                     target);
}

//===----------------------------------------------------------------------===//
// Data movement
//===----------------------------------------------------------------------===//

Value TensorEmitter::transpose(Value tensor, ArrayRef<int64_t> permutation) {
  if (llvm::equal(permutation, llvm::seq<int64_t>(0, permutation.size())))
    return tensor;
  Extents source = extents(tensor), target;
  for (int64_t axis : permutation)
    target.push_back(source[axis]);
  Value init = empty(target, typeOfTensor(tensor).getElementType());
  return withExtents(linalg::TransposeOp::create(builder, tensor, init, permutation)->getResult(0), target);
}

Value TensorEmitter::slice(Value tensor, ArrayRef<Value> offsets, ArrayRef<Value> sizes, ArrayRef<Value> strides) {
  Extents source = extents(tensor);
  bool whole = true;
  for (auto [extent, offset, size, stride] : llvm::zip_equal(source, offsets, sizes, strides))
    whole &= IndexArithmetic::isConstant(offset, 0) && IndexArithmetic::isConstant(stride, 1) &&
             index.provablyEqual(extent, size);
  if (whole)
    return tensor;
  SmallVector<Value> known;
  for (Value size : sizes)
    known.push_back(index.representative(size));
  // The verifier has no offset to accept in a dimension of extent 0, and nothing is in a slice of nothing.
  Type element = typeOfTensor(tensor).getElementType();
  auto isZero = [](Value size) { return IndexArithmetic::isConstant(size, 0); };
  if (llvm::any_of(known, isZero) || llvm::any_of(source, isZero))
    return compute(splat(0, {}, element), sizes, element, /*isUnsigned=*/false,
                   [](ScalarBody &, ValueRange values) { return values[0]; });
  auto type = typeOf(sizes, element);
  return withExtents(tensor::ExtractSliceOp::create(builder, type, tensor, foldResults(offsets), foldResults(known),
                                                    foldResults(strides)),
                     sizes);
}

Value TensorEmitter::sliceAxis(Value tensor, int64_t axis, Value offset, Value size) {
  Extents sizes = extents(tensor);
  SmallVector<Value> offsets(sizes.size(), index.constant(0)), strides(sizes.size(), index.constant(1));
  offsets[axis] = offset;
  sizes[axis] = size;
  return slice(tensor, offsets, sizes, strides);
}

FailureOr<Value> TensorEmitter::concat(ArrayRef<Value> tensors, int64_t axis) {
  Extents result = extents(tensors.front());
  for (Value tensor : tensors.drop_front()) {
    Extents sizes = extents(tensor);
    if (sizes.size() != result.size())
      return error() << "concatenation of ranks " << result.size() << " and " << sizes.size();
    for (auto [position, size] : llvm::enumerate(sizes)) {
      if (static_cast<int64_t>(position) == axis) {
        result[axis] = index.add(result[axis], size);
        continue;
      }
      FailureOr<Value> common = unify(result[position], size, "concatenation at dimension " + Twine(position));
      if (failed(common))
        return failure();
      result[position] = *common;
    }
  }
  SmallVector<Value> operands;
  Type element = typeOfTensor(tensors.front()).getElementType();
  for (Value tensor : tensors) {
    Extents sizes = result;
    sizes[axis] = extent(tensor, axis);
    if (!IndexArithmetic::isConstant(sizes[axis], 0))
      operands.push_back(castTo(tensor, typeOf(sizes, element)));
  }
  if (operands.size() < 2)
    return operands.empty() ? tensors.front() : operands.front();
  auto inferred = tensor::ConcatOp::inferResultType(axis, TypeRange(ValueRange(operands)));
  Value joined = withExtents(tensor::ConcatOp::create(builder, inferred, axis, operands), result);
  return castTo(joined, typeOf(result, element));
}

Value TensorEmitter::pad(Value tensor, ArrayRef<Value> before, ArrayRef<Value> after, Value value) {
  Extents sizes = extents(tensor), padded;
  for (auto [size, low, high] : llvm::zip_equal(sizes, before, after))
    padded.push_back(index.add(index.add(size, low), high));
  bool whole = true;
  for (auto [size, target] : llvm::zip_equal(sizes, padded))
    whole &= index.provablyEqual(size, target);
  if (whole)
    return tensor;
  Value init = compute(value, padded, typeOfTensor(tensor).getElementType(), /*isUnsigned=*/false,
                       [](ScalarBody &, ValueRange values) { return values[0]; });
  SmallVector<Value> strides(sizes.size(), index.constant(1));
  return withExtents(tensor::InsertSliceOp::create(builder, tensor, init, foldResults(before), foldResults(sizes),
                                                   foldResults(strides)),
                     padded);
}

Value TensorEmitter::gather(Value data, Value indices, int64_t axis) {
  Extents source = extents(data);
  Extents result(llvm::ArrayRef(source).take_front(axis));
  llvm::append_range(result, extents(indices));
  llvm::append_range(result, llvm::ArrayRef(source).drop_front(axis + 1));
  auto type = typeOf(result, typeOfTensor(data).getElementType());
  return withExtents(nn::GatherOp::create(builder, type, data, indices, axis), result);
}

Value TensorEmitter::countUp(Value start, Value step, Value count) {
  return generate(count, builder.getI64Type(), [&](ScalarBody &scalar, ValueRange indices) -> Value {
    Value place = scalar.add(start, scalar.mul(indices[0], step));
    return arith::IndexCastOp::create(scalar.builder, scalar.builder.getI64Type(), place);
  });
}

std::pair<Value, Value> TensorEmitter::topK(Value tensor, Value k, bool largest) {
  Extents result = extents(tensor);
  result.back() = k;
  Type valuesType = typeOf(result, typeOfTensor(tensor).getElementType());
  Type indicesType = typeOf(result, builder.getI64Type());
  auto op = nn::TopKOp::create(builder, valuesType, indicesType, tensor, k, largest);
  return {withExtents(op.getValues(), result), withExtents(op.getIndices(), result)};
}
