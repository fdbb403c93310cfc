//===- TensorComputation.cpp - the forms of linalg.generic the rows use -------===//

#include "TensorEmitter.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace moec;

static RankedTensorType typeOfTensor(Value tensor) { return cast<RankedTensorType>(tensor.getType()); }

static SmallVector<utils::IteratorType> loops(int64_t parallel, int64_t reductions = 0) {
  SmallVector<utils::IteratorType> result(parallel, utils::IteratorType::parallel);
  result.append(reductions, utils::IteratorType::reduction);
  return result;
}

// The one element of a constant whose elements are all equal.
static TypedAttr splatOf(Value tensor) {
  DenseElementsAttr elements;
  if (matchPattern(tensor, m_Constant(&elements)) && elements.isSplat())
    return cast<TypedAttr>(elements.getSplatValue<Attribute>());
  return {};
}

//===----------------------------------------------------------------------===//
// Element by element
//===----------------------------------------------------------------------===//

Value TensorEmitter::compute(ArrayRef<Value> inputs, ArrayRef<Value> extents, Type element, bool isUnsigned,
                             Body body) {
  int64_t rank = extents.size();
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  SmallVector<TypedAttr> splats;
  for (Value input : inputs) {
    splats.push_back(splatOf(input));
    if (splats.back())
      continue;
    Extents sizes = this->extents(input);
    SmallVector<AffineExpr> places;
    for (auto [axis, size] : llvm::enumerate(sizes)) {
      int64_t loop = rank - sizes.size() + axis;
      bool repeated = IndexArithmetic::isConstant(size, 1) && !IndexArithmetic::isConstant(extents[loop], 1);
      places.push_back(repeated ? builder.getAffineConstantExpr(0) : builder.getAffineDimExpr(loop));
    }
    operands.push_back(input);
    maps.push_back(AffineMap::get(rank, 0, places, builder.getContext()));
  }
  maps.push_back(builder.getMultiDimIdentityMap(rank));
  Value init = empty(extents, element);
  auto buildBody = [&](OpBuilder &nested, Location loc, ValueRange arguments) {
    ScalarBody scalar{ImplicitLocOpBuilder(loc, nested), isUnsigned};
    SmallVector<Value> values;
    for (TypedAttr splat : splats) {
      Value value;
      if (splat)
        value = arith::ConstantOp::create(scalar.builder, splat);
      else
        value = arguments.front(), arguments = arguments.drop_front();
      values.push_back(scalar.widen(value));
    }
    linalg::YieldOp::create(scalar.builder, scalar.narrow(body(scalar, values), element));
  };
  auto op = linalg::GenericOp::create(builder, init.getType(), operands, init, maps, loops(rank), buildBody);
  return withExtents(op.getResult(0), extents);
}

FailureOr<Value> TensorEmitter::elementwise(ArrayRef<Value> inputs, Type element, bool isUnsigned, Body body) {
  SmallVector<Value> operands(inputs);
  FailureOr<Extents> result = broadcast(operands);
  if (failed(result))
    return failure();
  return compute(operands, *result, element, isUnsigned, body);
}

Value TensorEmitter::map(Value input, Type element, bool isUnsigned, Body body) {
  return compute(input, extents(input), element, isUnsigned, body);
}

Value TensorEmitter::generate(ArrayRef<Value> extents, Type element, Body body) {
  auto withIndices = [&](ScalarBody &scalar, ValueRange) {
    SmallVector<Value> indices;
    for (size_t axis = 0; axis < extents.size(); ++axis)
      indices.push_back(linalg::IndexOp::create(scalar.builder, axis));
    return body(scalar, indices);
  };
  return compute({}, extents, element, /*isUnsigned=*/false, withIndices);
}

Value TensorEmitter::convertElements(Value tensor, Type element, bool fromUnsigned, bool toUnsigned) {
  if (typeOfTensor(tensor).getElementType() == element)
    return tensor;
  return map(tensor, element, fromUnsigned, [&](ScalarBody &scalar, ValueRange values) {
    return scalar.convert(values[0], computeType(element), fromUnsigned, toUnsigned);
  });
}

// Not through compute, which widens narrow floats and so would touch the bits of NaN.
Value TensorEmitter::reinterpret(Value tensor, Type element) {
  Extents sizes = extents(tensor);
  Value init = empty(sizes, element);
  AffineMap identity = builder.getMultiDimIdentityMap(sizes.size());
  auto buildBody = [&](OpBuilder &nested, Location loc, ValueRange arguments) {
    linalg::YieldOp::create(nested, loc, arith::BitcastOp::create(nested, loc, element, arguments[0]).getResult());
  };
  auto op = linalg::GenericOp::create(builder, init.getType(), tensor, init, ArrayRef{identity, identity},
                                      loops(sizes.size()), buildBody);
  return withExtents(op.getResult(0), sizes);
}

//===----------------------------------------------------------------------===//
// Broadcasting
//===----------------------------------------------------------------------===//

// The extent that a dimension of the operands broadcasts to. `decided` becomes false if some extent may be 1 or equal.
Value TensorEmitter::broadcastExtent(ArrayRef<Value> extents, bool &decided) {
  decided = true;
  Value result;
  for (Value extent : extents) {
    extent = index.representative(extent);
    if (IndexArithmetic::isConstant(extent, 1))
      continue;
    if (!result || (IndexArithmetic::asConstant(extent) && !IndexArithmetic::asConstant(result))) {
      decided &= !result || equalOrSameSymbol(result, extent);
      result = extent;
      continue;
    }
    if (equalOrSameSymbol(result, extent) || IndexArithmetic::asConstant(result))
      decided &= equalOrSameSymbol(result, extent);
    else {
      decided = false;
      result = index.select(index.compare(arith::CmpIPredicate::eq, result, index.constant(1)), extent, result);
    }
  }
  return result ? result : index.constant(1);
}

FailureOr<TensorEmitter::Extents> TensorEmitter::broadcastExtents(ArrayRef<Extents> sizes,
                                                                  MutableArrayRef<bool> expands) {
  size_t rank = 0;
  for (const Extents &extents : sizes)
    rank = std::max(rank, extents.size());
  Extents result(rank);
  for (size_t axis = 0; axis < rank; ++axis) {
    SmallVector<std::pair<size_t, Value>> present;
    for (auto [operand, extents] : llvm::enumerate(sizes))
      if (axis + extents.size() >= rank)
        present.push_back({operand, index.representative(extents[axis + extents.size() - rank])});
    bool decided;
    result[axis] = broadcastExtent(llvm::map_to_vector(present, [](auto pair) { return pair.second; }), decided);
    for (auto [operand, size] : present) {
      if (IndexArithmetic::isConstant(size, 1) || index.provablyEqual(size, result[axis]))
        continue;
      bool bothConstant = IndexArithmetic::asConstant(size) && IndexArithmetic::asConstant(result[axis]);
      if (decided || bothConstant) {
        if (failed(unify(size, result[axis], "broadcast at dimension " + Twine(axis))))
          return failure();
        continue;
      }
      Value isOne = index.compare(arith::CmpIPredicate::eq, size, index.constant(1));
      Value isWhole = index.compare(arith::CmpIPredicate::eq, size, result[axis]);
      Value fits = index.logicalOr(isOne, isWhole);
      if (failed(check(fits, "broadcast at dimension " + Twine(axis) + ": extents differ")))
        return failure();
      expands[operand] = true;
    }
  }
  if (llvm::is_contained(expands, true))
    remark() << "a dimension of an operand may be 1 or more; whether it is repeated is decided at run time";
  return result;
}

FailureOr<TensorEmitter::Extents> TensorEmitter::broadcast(SmallVectorImpl<Value> &operands, int64_t trailing) {
  SmallVector<Extents> sizes, kept;
  for (Value operand : operands) {
    Extents all = extents(operand);
    sizes.push_back(Extents(ArrayRef(all).drop_back(trailing)));
    kept.push_back(Extents(ArrayRef(all).take_back(trailing)));
  }
  SmallVector<bool> expands(operands.size(), false);
  FailureOr<Extents> result = broadcastExtents(sizes, expands);
  if (failed(result))
    return failure();
  for (size_t operand = 0; operand < operands.size(); ++operand) {
    if (!expands[operand])
      continue;
    Extents target(ArrayRef(*result).take_back(sizes[operand].size()));
    llvm::append_range(target, kept[operand]);
    operands[operand] = expandOnes(operands[operand], target);
  }
  return result;
}

FailureOr<Value> TensorEmitter::expand(Value tensor, ArrayRef<Value> shape) {
  bool expands[2] = {};
  FailureOr<Extents> target = broadcastExtents({extents(tensor), Extents(shape)}, expands);
  if (failed(target))
    return failure();
  if (expands[0])
    tensor = expandOnes(tensor, ArrayRef(*target).take_back(typeOfTensor(tensor).getRank()));
  Extents sizes = extents(tensor);
  auto equal = [&](auto pair) { return index.provablyEqual(std::get<0>(pair), std::get<1>(pair)); };
  if (sizes.size() == target->size() && llvm::all_of(llvm::zip_equal(sizes, *target), equal))
    return tensor;
  return compute(tensor, *target, typeOfTensor(tensor).getElementType(), /*isUnsigned=*/false,
                 [](ScalarBody &, ValueRange values) { return values[0]; });
}

// Reads index 0 of dimensions that are 1 at run time; the caller has checked that the others equal the result's.
Value TensorEmitter::expandOnes(Value tensor, ArrayRef<Value> target) {
  Extents sizes = extents(tensor), result;
  for (auto [size, whole] : llvm::zip_equal(sizes, target))
    result.push_back(IndexArithmetic::isConstant(size, 1) ? size : whole);
  Type element = typeOfTensor(tensor).getElementType();
  return generate(result, element, [&](ScalarBody &scalar, ValueRange indices) {
    SmallVector<Value> places;
    for (auto [axis, place] : llvm::enumerate(indices)) {
      if (index.provablyEqual(sizes[axis], result[axis])) {
        places.push_back(place);
        continue;
      }
      Value zero = scalar.constant(0, place.getType()), one = scalar.constant(1, place.getType());
      places.push_back(scalar.select(scalar.equal(sizes[axis], one), zero, place));
    }
    return tensor::ExtractOp::create(scalar.builder, tensor, places).getResult();
  });
}

//===----------------------------------------------------------------------===//
// Reductions and contractions
//===----------------------------------------------------------------------===//

Value TensorEmitter::reduce(Value input, ArrayRef<int64_t> axes, bool isUnsigned,
                            function_ref<Value(ScalarBody &, Type)> init, Body combine) {
  // Loops: kept dimensions in order, then the reduced ones.
  Extents sizes = extents(input), result;
  int64_t rank = sizes.size(), kept = rank - axes.size(), nextKept = 0, nextReduced = kept;
  SmallVector<AffineExpr> places;
  for (int64_t axis = 0; axis < rank; ++axis) {
    bool reduced = llvm::is_contained(axes, axis);
    if (!reduced)
      result.push_back(sizes[axis]);
    places.push_back(builder.getAffineDimExpr(reduced ? nextReduced++ : nextKept++));
  }
  Type element = computeType(typeOfTensor(input).getElementType());
  ScalarBody host{builder, isUnsigned};
  Value start = fill(result, init(host, element));
  SmallVector<AffineExpr> keptPlaces;
  for (int64_t loop = 0; loop < kept; ++loop)
    keptPlaces.push_back(builder.getAffineDimExpr(loop));
  SmallVector<AffineMap> maps = {AffineMap::get(rank, 0, places, builder.getContext()),
                                 AffineMap::get(rank, 0, keptPlaces, builder.getContext())};
  auto buildBody = [&](OpBuilder &nested, Location loc, ValueRange arguments) {
    ScalarBody scalar{ImplicitLocOpBuilder(loc, nested), isUnsigned};
    Value combined = combine(scalar, {arguments[1], scalar.widen(arguments[0])});
    linalg::YieldOp::create(scalar.builder, combined);
  };
  auto op =
      linalg::GenericOp::create(builder, start.getType(), input, start, maps, loops(kept, axes.size()), buildBody);
  return withExtents(op.getResult(0), result);
}

Value TensorEmitter::mean(Value input, ArrayRef<int64_t> axes, bool isUnsigned) {
  Extents reduced;
  for (int64_t axis : axes)
    reduced.push_back(extent(input, axis));
  Value count = index.product(reduced);
  Value sum = reduce(
      input, axes, isUnsigned, [](ScalarBody &scalar, Type type) { return scalar.constant(0, type); },
      [](ScalarBody &scalar, ValueRange values) { return scalar.add(values[0], values[1]); });
  return map(sum, typeOfTensor(sum).getElementType(), isUnsigned, [&](ScalarBody &scalar, ValueRange values) {
    Type type = values[0].getType();
    if (std::optional<int64_t> known = IndexArithmetic::asConstant(count))
      return scalar.div(values[0], scalar.constant(*known, type));
    Value number = arith::IndexCastOp::create(scalar.builder, scalar.builder.getI64Type(), count);
    return scalar.div(values[0], scalar.convert(number, type, false, false));
  });
}

// Loops are ordered batch (in both operands and the result), rows of lhs, columns of rhs, reduction, and every map is a
// projected permutation: the form that later becomes a grouped product if one operand is a weight.
FailureOr<Value> TensorEmitter::contract(Value lhs, ArrayRef<int64_t> lhsLabels, Value rhs, ArrayRef<int64_t> rhsLabels,
                                         ArrayRef<int64_t> resultLabels) {
  SmallVector<int64_t> batch, rows, columns, order;
  for (int64_t label : resultLabels) {
    bool inLeft = llvm::is_contained(lhsLabels, label), inRight = llvm::is_contained(rhsLabels, label);
    (inLeft && inRight ? batch : inLeft ? rows : columns).push_back(label);
  }
  llvm::append_range(order, batch);
  llvm::append_range(order, rows);
  llvm::append_range(order, columns);
  // One side may lack a label that is summed over, where its extent was 1.
  for (int64_t label : llvm::concat<const int64_t>(lhsLabels, rhsLabels))
    if (!llvm::is_contained(order, label))
      order.push_back(label);

  llvm::DenseMap<int64_t, Value> sizes;
  for (auto [tensor, labels] : {std::pair(lhs, lhsLabels), std::pair(rhs, rhsLabels)})
    for (auto [label, extent] : llvm::zip_equal(labels, extents(tensor))) {
      Value &size = sizes[label];
      FailureOr<Value> common = size ? unify(size, extent, "product") : FailureOr<Value>(extent);
      if (failed(common))
        return failure();
      size = *common;
    }
  auto mapOf = [&](ArrayRef<int64_t> labels) {
    SmallVector<AffineExpr> places;
    for (int64_t label : labels)
      places.push_back(builder.getAffineDimExpr(llvm::find(order, label) - order.begin()));
    return AffineMap::get(order.size(), 0, places, builder.getContext());
  };
  Extents result;
  for (int64_t label : resultLabels)
    result.push_back(sizes[label]);

  Type element = computeType(typeOfTensor(lhs).getElementType());
  if (Type other = computeType(typeOfTensor(rhs).getElementType()); other != element)
    return error() << "product of " << element << " and " << other;
  ScalarBody host{builder, false};
  Value start = fill(result, host.constant(0, element));
  SmallVector<AffineMap> maps = {mapOf(lhsLabels), mapOf(rhsLabels), mapOf(resultLabels)};
  SmallVector<utils::IteratorType> iterators;
  for (int64_t label : order)
    iterators.push_back(llvm::is_contained(resultLabels, label) ? utils::IteratorType::parallel
                                                                : utils::IteratorType::reduction);
  auto buildBody = [](OpBuilder &nested, Location loc, ValueRange arguments) {
    ScalarBody scalar{ImplicitLocOpBuilder(loc, nested), false};
    Value product = scalar.mul(scalar.widen(arguments[0]), scalar.widen(arguments[1]));
    linalg::YieldOp::create(scalar.builder, scalar.add(arguments[2], product));
  };
  auto op =
      linalg::GenericOp::create(builder, start.getType(), ValueRange{lhs, rhs}, start, maps, iterators, buildBody);
  return withExtents(op.getResult(0), result);
}
