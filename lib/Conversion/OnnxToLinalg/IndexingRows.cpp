//===- IndexingRows.cpp - gather, scatter, top-k, and tensors made of indices --===//

#include "Rows.h"
#include "RuntimeAxes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"

using namespace mlir;
using namespace moec;

using Extents = Binder::Extents;
using Predicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

/// An index that the host knows is a slice: no gather, and weights stay weights.
static FailureOr<Value> gatherOne(Binder &b, Value data, int64_t axis, Value place) {
  Value extent = b.emit.extent(data, axis), zero = b.index.constant(0);
  if (!b.index.isNonNegative(place))
    place = b.index.select(b.index.compare(Predicate::slt, place, zero), b.index.add(place, extent), place);
  Value inside =
      b.index.logicalAnd(b.index.compare(Predicate::sge, place, zero), b.index.compare(Predicate::slt, place, extent));
  if (failed(b.emit.check(inside, "an index is out of range")))
    return failure();
  return b.emit.sliceAxis(data, axis, place, b.index.constant(1));
}

static LogicalResult lowerGather(Binder &b) {
  Value data = b.input(0);
  FailureOr<int64_t> axis = b.axis(0, b.rank(0));
  if (failed(axis))
    return failure();
  const ScalarTensor *known = b.knownScalars(1);
  if (known && known->elements.size() == 1) {
    FailureOr<Value> one = gatherOne(b, data, *axis, known->elements.front());
    if (failed(one))
      return failure();
    Extents extents = b.emit.extents(*one);
    extents.erase(extents.begin() + *axis);
    extents.insert(extents.begin() + *axis, known->shape.size(), b.index.constant(1));
    return b.result(0, b.emit.reshape(*one, extents));
  }
  return b.result(0, b.emit.gather(data, b.input(1), *axis));
}

static LogicalResult requireIndicesLikeData(Binder &b) {
  if (b.rank(0) == b.rank(1))
    return success();
  return b.error() << "expected indices of rank " << b.rank(0) << ", found " << b.type(1);
}

static LogicalResult lowerGatherElements(Binder &b) {
  FailureOr<int64_t> axis = b.axis(0, b.rank(0));
  if (failed(axis) || failed(requireIndicesLikeData(b)))
    return failure();
  Extents extents = b.emit.extents(b.input(1));
  auto op =
      nn::GatherElementsOp::create(b.emit.builder, b.emit.typeOf(extents, b.element(0)), b.input(0), b.input(1), *axis);
  return b.result(0, b.emit.withExtents(op, extents));
}

/// The static length of the index tuples in the last dimension of an input.
static FailureOr<int64_t> tupleLength(Binder &b, unsigned input, int64_t available) {
  RankedTensorType type = b.type(input);
  if (type.getRank() == 0 || type.isDynamicDim(type.getRank() - 1))
    return b.error() << "input " << input << ": expected a static last dimension, found " << type;
  int64_t length = type.getShape().back();
  if (length > available)
    return b.error() << "input " << input << ": index tuples of length " << length << " address " << available
                     << " dimensions";
  return length;
}

static LogicalResult lowerGatherNd(Binder &b) {
  int64_t batch = b.integer("batch_dims", 0);
  if (batch < 0 || batch >= std::min(b.rank(0), b.rank(1)))
    return b.error() << "attribute batch_dims: " << batch << " is out of range for ranks " << b.rank(0) << " and "
                     << b.rank(1);
  FailureOr<int64_t> length = tupleLength(b, 1, b.rank(0) - batch);
  if (failed(length))
    return failure();
  Extents data = b.emit.extents(b.input(0)), result = b.emit.extents(b.input(1));
  for (int64_t axis = 0; axis < batch; ++axis)
    if (failed(b.emit.unify(data[axis], result[axis], "batch dimension " + Twine(axis))))
      return failure();
  result.pop_back();
  llvm::append_range(result, ArrayRef(data).drop_front(batch + *length));
  auto op = nn::GatherNdOp::create(b.emit.builder, b.emit.typeOf(result, b.element(0)), b.input(0), b.input(1), batch);
  return b.result(0, b.emit.withExtents(op, result));
}

//===----------------------------------------------------------------------===//
// Scatter
//===----------------------------------------------------------------------===//

static FailureOr<nn::ScatterReduction> scatterReduction(Binder &b) {
  StringRef name = b.string("reduction", "none");
  if (std::optional<nn::ScatterReduction> kind = nn::symbolizeScatterReduction(name))
    return *kind;
  return b.error() << "attribute reduction: expected none, add, mul, max or min, found " << name;
}

static LogicalResult lowerScatterElements(Binder &b) {
  FailureOr<int64_t> axis = b.axis(0, b.rank(0));
  FailureOr<nn::ScatterReduction> kind = scatterReduction(b);
  if (failed(axis) || failed(kind) || failed(requireIndicesLikeData(b)) || failed(b.sameElements({0, 2})) ||
      failed(b.emit.unifyExtents(b.input(1), b.input(2), "indices and updates")))
    return failure();
  Value data = b.input(0);
  auto op = nn::ScatterElementsOp::create(b.emit.builder, data.getType(), data, b.input(1), b.input(2), *axis, *kind);
  return b.result(0, b.emit.withExtents(op, b.emit.extents(data)));
}

static LogicalResult lowerScatterNd(Binder &b) {
  FailureOr<int64_t> length = tupleLength(b, 1, b.rank(0));
  FailureOr<nn::ScatterReduction> kind = scatterReduction(b);
  if (failed(length) || failed(kind) || failed(b.sameElements({0, 2})))
    return failure();
  Value data = b.input(0);
  Extents expected = b.emit.extents(b.input(1)), updates = b.emit.extents(b.input(2));
  expected.pop_back();
  llvm::append_range(expected, ArrayRef(b.emit.extents(data)).drop_front(*length));
  if (expected.size() != updates.size())
    return b.error() << "expected updates of rank " << expected.size() << ", found rank " << updates.size();
  for (auto [want, found] : llvm::zip_equal(expected, updates))
    if (failed(b.emit.unify(want, found, "updates")))
      return failure();
  auto op = nn::ScatterNdOp::create(b.emit.builder, data.getType(), data, b.input(1), b.input(2), *kind);
  return b.result(0, b.emit.withExtents(op, b.emit.extents(data)));
}

//===----------------------------------------------------------------------===//
// Search
//===----------------------------------------------------------------------===//

static LogicalResult lowerTopK(Binder &b) {
  Value x = b.input(0);
  int64_t rank = b.rank(0);
  FailureOr<int64_t> axis = b.axis(-1, rank);
  FailureOr<Extents> k = b.sizes(1);
  if (failed(axis) || failed(k))
    return failure();
  if (k->size() != 1)
    return b.error() << "input 1: expected one element, found " << k->size();
  Value count = k->front(), extent = b.emit.extent(x, *axis);
  if (failed(b.emit.check(b.index.compare(Predicate::sle, count, extent), "k exceeds the dimension")))
    return failure();
  auto order = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::swap(order[*axis], order.back());
  auto [values, indices] = b.emit.topK(b.emit.transpose(x, order), count, b.integer("largest", 1) != 0);
  if (failed(b.result(0, b.emit.transpose(values, order))))
    return failure();
  return b.result(1, b.emit.transpose(indices, order));
}

static LogicalResult lowerNonZero(Binder &b) {
  Value x = b.input(0), zero = b.index.constant(0);
  Type integer = b.emit.builder.getI64Type();
  auto counted = nn::CountNonzeroOp::create(b.emit.builder, RankedTensorType::get({1}, integer), x);
  Value count = b.index.fromInteger(tensor::ExtractOp::create(b.emit.builder, counted, zero));
  b.index.assumeNonNegative(count);
  Extents result = {b.index.constant(b.rank(0)), count};
  auto op = nn::NonzeroOp::create(b.emit.builder, b.emit.typeOf(result, integer), x, count);
  return b.result(0, b.emit.withExtents(op, result));
}

static LogicalResult lowerCumSum(Binder &b) {
  FailureOr<Value> given = b.integer(1);
  if (failed(given))
    return failure();
  auto cumulate = [&](Value x, int64_t axis) {
    auto op = nn::CumSumOp::create(b.emit.builder, x.getType(), x, axis, b.integer("exclusive", 0) != 0,
                                   b.integer("reverse", 0) != 0);
    return b.emit.withExtents(op, b.emit.extents(x));
  };
  if (std::optional<int64_t> known = IndexArithmetic::asConstant(*given)) {
    FailureOr<int64_t> axis = b.normalizeAxis(*known, b.rank(0));
    return failed(axis) ? failure() : b.result(0, cumulate(b.input(0), *axis));
  }
  // An axis that is computed is the middle one of three.
  FailureOr<RuntimeAxes> axis = RuntimeAxes::get(b, *given, b.rank(0));
  if (failed(axis))
    return failure();
  Extents extents = b.emit.extents(b.input(0)), parts(3, b.index.constant(1));
  Value before = b.index.boolean(true);
  for (auto [place, extent] : llvm::enumerate(extents)) {
    Value here = axis->contains(place), one = b.index.constant(1);
    before = b.index.logicalAnd(before, b.index.logicalNot(here));
    Value behind = b.index.logicalNot(b.index.logicalOr(before, here));
    Value among[] = {before, here, behind};
    for (auto [part, inside] : llvm::zip_equal(parts, among))
      part = b.index.mul(part, b.index.select(inside, extent, one));
  }
  Value sums = cumulate(b.emit.reshape(b.input(0), parts), 1);
  return b.result(0, b.emit.reshape(sums, extents));
}

//===----------------------------------------------------------------------===//
// Tensors made of indices
//===----------------------------------------------------------------------===//

/// Element `place` of an input of two elements, as a tensor of one; a constant if the input is.
static Value pick(Binder &b, unsigned input, int64_t place) {
  if (DenseElementsAttr elements = b.constantElements(input))
    return b.emit.constant(DenseElementsAttr::get(RankedTensorType::get({1}, elements.getElementType()),
                                                  elements.getValues<Attribute>()[place]));
  return b.emit.sliceAxis(b.input(input), 0, b.index.constant(place), b.index.constant(1));
}

/// The depth may come as a float, which the host cannot read: a kernel converts it.
static FailureOr<Value> oneHotDepth(Binder &b) {
  if (b.isFloat(1)) {
    FailureOr<Value> real = b.scalar(1);
    if (failed(real))
      return failure();
    Value whole = b.emit.convertElements(*real, b.emit.builder.getI64Type());
    Value depth = b.index.fromInteger(tensor::ExtractOp::create(b.emit.builder, whole, ValueRange()));
    Value fits = b.index.compare(Predicate::sge, depth, b.index.constant(0));
    if (failed(b.emit.check(fits, "input 1 is negative")))
      return failure();
    b.index.assumeNonNegative(depth);
    return depth;
  }
  FailureOr<Extents> depths = b.sizes(1);
  if (failed(depths))
    return failure();
  if (depths->size() != 1)
    return b.error() << "input 1: expected one element, found " << depths->size();
  return depths->front();
}

static LogicalResult lowerOneHot(Binder &b) {
  FailureOr<int64_t> axis = b.axis(-1, b.rank(0) + 1);
  if (failed(axis))
    return failure();
  FailureOr<Value> given = oneHotDepth(b);
  if (failed(given))
    return failure();
  Value depth = *given;
  if (!b.type(2).hasStaticShape() || b.type(2).getShape() != ArrayRef<int64_t>{2})
    return b.error() << "input 2: expected two values, found " << b.type(2);
  Value indices = b.emit.insertAxes(b.input(0), *axis), off = pick(b, 2, 0), on = pick(b, 2, 1);
  Extents result = b.emit.extents(indices);
  result[*axis] = depth;
  bool fromUnsigned = b.isUnsigned(0);
  Value hot =
      b.emit.compute({indices, off, on}, result, b.element(2), b.isUnsigned(2), [&](ScalarBody &s, ValueRange v) {
        Type integer = s.builder.getI64Type();
        Value place = s.convert(v[0], integer, fromUnsigned, false);
        Value wrapped = s.add(place, arith::IndexCastOp::create(s.builder, integer, depth));
        place = s.select(s.less(place, s.constant(0, integer)), wrapped, place);
        Value here = arith::IndexCastOp::create(s.builder, integer, linalg::IndexOp::create(s.builder, *axis));
        return s.select(s.equal(place, here), v[2], v[1]);
      });
  return b.result(0, hot);
}

static LogicalResult lowerTrilu(Binder &b) {
  Value x = b.input(0), k = b.index.constant(0);
  int64_t rank = b.rank(0);
  if (rank < 2)
    return b.error() << "expected rank 2 or more, found " << b.type(0);
  if (b.has(1)) {
    FailureOr<Value> given = b.integer(1);
    if (failed(given))
      return failure();
    k = *given;
  }
  bool upper = b.integer("upper", 1) != 0;
  return b.result(0, b.emit.map(x, b.element(0), false, [&](ScalarBody &s, ValueRange v) -> Value {
    Value row = linalg::IndexOp::create(s.builder, rank - 2), column = linalg::IndexOp::create(s.builder, rank - 1);
    Value diagonal = s.sub(column, row);
    Value kept = arith::CmpIOp::create(s.builder, upper ? Predicate::sge : Predicate::sle, diagonal, k);
    return s.select(kept, v[0], s.constant(0, v[0].getType()));
  }));
}

static LogicalResult lowerEyeLike(Binder &b) {
  int64_t k = b.integer("k", 0);
  Type element = b.resultElement(0), wide = computeType(element);
  if (b.rank(0) != 2)
    return b.error() << "expected rank 2, found " << b.type(0);
  return b.result(0, b.emit.generate(b.emit.extents(b.input(0)), element, [&](ScalarBody &s, ValueRange i) {
    Value onDiagonal = s.equal(s.sub(i[1], i[0]), s.constant(k, i[0].getType()));
    return s.select(onDiagonal, s.constant(1, wide), s.constant(0, wide));
  }));
}

static LogicalResult lowerConstantOfShape(Binder &b) {
  FailureOr<Extents> extents = b.sizes(0);
  if (failed(extents))
    return failure();
  Type element = b.resultElement(0);
  TypedAttr value = cast<TypedAttr>(b.emit.builder.getZeroAttr(element));
  if (auto elements = dyn_cast_or_null<DenseElementsAttr>(b.attribute("value")))
    value = cast<TypedAttr>(cast<DenseElementsAttr>(storedElements(elements)).getSplatValue<Attribute>());
  return b.result(0, b.emit.fill(*extents, arith::ConstantOp::create(b.emit.builder, value)));
}

static LogicalResult lowerConstant(Binder &b) {
  if (auto elements = dyn_cast_or_null<ElementsAttr>(b.attribute("value")))
    return b.result(0, b.emit.constant(storedElements(elements)));
  auto scalar =
      dyn_cast_or_null<TypedAttr>(b.hasAttribute("value_int") ? b.attribute("value_int") : b.attribute("value_float"));
  if (scalar)
    return b.result(
        0, b.emit.constant(DenseElementsAttr::get(RankedTensorType::get({}, scalar.getType()), Attribute(scalar))));
  if (std::optional<Binder::Axes> values = b.integers("value_ints"))
    return b.result(0, b.emit.constant(b.emit.builder.getI64TensorAttr(*values)));
  if (auto values = dyn_cast_or_null<DenseF32ArrayAttr>(b.attribute("value_floats")))
    return b.result(0, b.emit.constant(DenseElementsAttr::get(
                           RankedTensorType::get({values.size()}, b.emit.builder.getF32Type()), values.asArrayRef())));
  return b.error() << "no value of a supported kind";
}

//===----------------------------------------------------------------------===//
// Range
//===----------------------------------------------------------------------===//

static LogicalResult lowerIntegerRange(Binder &b) {
  FailureOr<Value> start = b.integer(0), limit = b.integer(1), delta = b.integer(2);
  if (failed(start) || failed(limit) || failed(delta))
    return failure();
  // ceil((limit - start) / delta) with the sign taken out of both.
  Value zero = b.index.constant(0), distance = b.index.sub(*limit, *start), magnitude = *delta;
  if (!b.index.isNonNegative(*delta)) {
    Value negative = b.index.compare(Predicate::slt, *delta, zero);
    distance = b.index.select(negative, b.index.sub(zero, distance), distance);
    magnitude = b.index.select(negative, b.index.sub(zero, *delta), *delta);
  }
  if (failed(b.emit.check(b.index.compare(Predicate::ne, *delta, zero), "delta is 0")))
    return failure();
  Value count = b.index.ceilDiv(b.index.max(distance, zero), magnitude);
  b.index.assumeNonNegative(count);
  Type element = b.element(0);
  return b.result(0, b.emit.generate(count, element, [&](ScalarBody &s, ValueRange i) -> Value {
    return arith::IndexCastOp::create(s.builder, element, s.add(*start, s.mul(i[0], *delta)));
  }));
}

// The number of elements is computed like the elements: in a kernel. The host reads it.
static LogicalResult lowerFloatRange(Binder &b) {
  SmallVector<Value> inputs;
  for (unsigned i = 0; i < 3; ++i) {
    FailureOr<Value> scalar = b.scalar(i);
    if (failed(scalar))
      return failure();
    inputs.push_back(*scalar);
  }
  Type integer = b.emit.builder.getI64Type();
  Value counted = b.emit.compute(inputs, {}, integer, false, [&](ScalarBody &s, ValueRange v) {
    Value steps = math::CeilOp::create(s.builder, s.div(s.sub(v[1], v[0]), v[2]));
    return s.max(s.convert(steps, integer, false, false), s.constant(0, integer));
  });
  Value count = b.index.fromInteger(tensor::ExtractOp::create(b.emit.builder, counted, ValueRange()));
  b.index.assumeNonNegative(count);
  return b.result(0,
                  b.emit.compute({inputs[0], inputs[2]}, count, b.element(0), false, [&](ScalarBody &s, ValueRange v) {
                    Value place = arith::IndexCastOp::create(s.builder, integer, linalg::IndexOp::create(s.builder, 0));
                    return s.add(v[0], s.mul(s.convert(place, v[0].getType(), false, false), v[1]));
                  }));
}

static LogicalResult lowerRange(Binder &b) { return b.isFloat(0) ? lowerFloatRange(b) : lowerIntegerRange(b); }

ArrayRef<Row> moec::indexingRows() {
  static const Row rows[] = {
      {"Constant", 13, 28, 0, lowerConstant},
      {"ConstantOfShape", 9, 28, 1, lowerConstantOfShape, "", true},
      {"CumSum", 11, 28, 2, lowerCumSum},
      {"EyeLike", 9, 28, 1, lowerEyeLike},
      {"Gather", 13, 28, 2, lowerGather},
      {"GatherElements", 13, 28, 2, lowerGatherElements},
      {"GatherND", 13, 28, 2, lowerGatherNd},
      {"NonZero", 13, 28, 1, lowerNonZero},
      {"OneHot", 11, 28, 3, lowerOneHot},
      {"Range", 11, 28, 3, lowerRange},
      {"ScatterElements", 13, 28, 3, lowerScatterElements},
      {"ScatterND", 13, 28, 3, lowerScatterNd},
      {"TopK", 11, 28, 2, lowerTopK},
      {"Trilu", 14, 28, 1, lowerTrilu},
  };
  return rows;
}
