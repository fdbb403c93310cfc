//===- ShapeRows.cpp - shapes, and changes of shape that move no data ---------===//

#include "Rows.h"
#include "RuntimeAxes.h"

using namespace mlir;
using namespace moec;

using Axes = Binder::Axes;
using Extents = Binder::Extents;

//===----------------------------------------------------------------------===//
// Extents as values
//===----------------------------------------------------------------------===//

static LogicalResult lowerShape(Binder &b) {
  Extents extents = b.emit.extents(b.input(0));
  int64_t rank = extents.size();
  auto clamp = [&](int64_t place) { return std::clamp<int64_t>(place < 0 ? place + rank : place, 0, rank); };
  int64_t start = clamp(b.integer("start", 0)), end = clamp(b.integer("end", rank));
  auto chosen = ArrayRef(extents).slice(start, std::max<int64_t>(end - start, 0));
  return b.result(0, ScalarTensor::vector(chosen, b.resultElement(0)));
}

static LogicalResult lowerSize(Binder &b) {
  Value count = b.index.product(b.emit.extents(b.input(0)));
  return b.result(0, ScalarTensor::scalar(count, b.resultElement(0)));
}

//===----------------------------------------------------------------------===//
// Reshape
//===----------------------------------------------------------------------===//

/// What a requested extent asks for: 0 is the input's extent unless allowzero is given. An extent that is computed from
/// others and happens to be 0 means zero elements, not a copy.
static Value requestedExtent(Binder &b, Value request, ArrayRef<Value> source, size_t axis) {
  bool mayCopy = b.integer("allowzero", 0) == 0;
  bool isExtent = b.index.isNonNegative(request) && !IndexArithmetic::asConstant(request);
  if (!mayCopy || isExtent)
    return request;
  Value copied = axis < source.size() ? source[axis] : b.index.constant(0);
  return b.index.select(b.index.compare(arith::CmpIPredicate::eq, request, b.index.constant(0)), copied, request);
}

static FailureOr<Extents> reshapeExtents(Binder &b, ArrayRef<Value> requests, ArrayRef<Value> source) {
  Value total = b.index.product(source), one = b.index.constant(1), minusOne = b.index.constant(-1);
  Extents result, rest;
  SmallVector<Value> isInferred;
  bool infers = false;
  for (auto [axis, request] : llvm::enumerate(requests)) {
    if (IndexArithmetic::isConstant(request, 0) && b.integer("allowzero", 0) == 0 && axis >= source.size())
      return b.error() << "extent 0 at dimension " << axis << " copies from an input of rank " << source.size();
    result.push_back(requestedExtent(b, request, source, axis));
    isInferred.push_back(b.index.compare(arith::CmpIPredicate::eq, result.back(), minusOne));
    rest.push_back(b.index.select(isInferred.back(), one, result.back()));
    infers |= !IndexArithmetic::isConstant(isInferred.back(), 0);
  }
  if (infers) {
    std::optional<Value> exact = b.index.exactQuotient(total, rest);
    Value inferred = exact ? *exact : b.index.div(total, b.index.product(rest));
    for (auto [extent, condition] : llvm::zip_equal(result, isInferred))
      extent = b.index.select(condition, inferred, extent);
  }
  for (Value extent : result) {
    if (std::optional<int64_t> known = IndexArithmetic::asConstant(extent); known && *known < 0)
      return b.error() << "extent " << *known << " is negative";
    if (b.index.isNonNegative(extent))
      continue;
    Value fits = b.index.compare(arith::CmpIPredicate::sge, extent, b.index.constant(0));
    if (failed(b.emit.check(fits, "an extent is negative")))
      return failure();
    b.index.assumeNonNegative(extent);
  }
  if (failed(b.emit.unify(b.index.product(result), total, "number of elements")))
    return failure();
  return result;
}

static LogicalResult lowerReshape(Binder &b) {
  FailureOr<Extents> requests = b.integers(1);
  if (failed(requests))
    return failure();
  FailureOr<Extents> target = reshapeExtents(b, *requests, b.emit.extents(b.input(0)));
  if (failed(target))
    return failure();
  return b.result(0, b.emit.reshape(b.input(0), *target));
}

static LogicalResult lowerFlatten(Binder &b) {
  int64_t rank = b.rank(0);
  int64_t axis = b.integer("axis", 1);
  if (axis < -rank || axis > rank)
    return b.error() << "axis " << axis << " is out of range for rank " << rank;
  int64_t place = axis < 0 ? axis + rank : axis;
  Extents extents = b.emit.extents(b.input(0));
  Value outer = b.index.product(ArrayRef(extents).take_front(place));
  Value inner = b.index.product(ArrayRef(extents).drop_front(place));
  return b.result(0, b.emit.reshape(b.input(0), {outer, inner}));
}

//===----------------------------------------------------------------------===//
// Dimensions of extent 1
//===----------------------------------------------------------------------===//

static LogicalResult squeezeAtRuntime(Binder &b, const RuntimeAxes &squeezed) {
  Extents extents = b.emit.extents(b.input(0));
  Value one = b.index.constant(1);
  for (auto [axis, extent] : llvm::enumerate(extents)) {
    Value fits = b.index.logicalOr(b.index.logicalNot(squeezed.contains(axis)),
                                   b.index.compare(arith::CmpIPredicate::eq, extent, one));
    if (failed(b.emit.check(fits, "squeezed dimension " + Twine(axis) + " is not 1")))
      return failure();
  }
  return b.result(0, b.emit.reshape(b.input(0), squeezed.drop(extents)));
}

static LogicalResult lowerSqueeze(Binder &b) {
  FailureOr<std::optional<RuntimeAxes>> computed = RuntimeAxes::find(b, 1, b.rank(0));
  if (failed(computed))
    return failure();
  if (*computed)
    return squeezeAtRuntime(b, **computed);
  FailureOr<std::optional<Axes>> given = b.axes(1, b.rank(0));
  if (failed(given))
    return failure();
  Extents extents = b.emit.extents(b.input(0));
  Axes axes;
  if (*given) {
    axes = **given;
  } else {
    for (auto [axis, extent] : llvm::enumerate(extents)) {
      if (!IndexArithmetic::asConstant(extent)) {
        // Which axes there are must not depend on the run.
        Value stays = b.index.compare(arith::CmpIPredicate::ne, extent, b.index.constant(1));
        if (failed(b.emit.check(stays, "without axes, dimension " + Twine(axis) + " may not be 1")))
          return failure();
      }
      if (IndexArithmetic::isConstant(extent, 1))
        axes.push_back(axis);
    }
  }
  for (int64_t axis : axes)
    if (failed(b.emit.unify(extents[axis], b.index.constant(1), "squeezed dimension " + Twine(axis))))
      return failure();
  return b.result(0, b.emit.dropAxes(b.input(0), axes));
}

static LogicalResult lowerUnsqueeze(Binder &b) {
  FailureOr<Extents> given = b.integers(1);
  if (failed(given))
    return failure();
  int64_t rank = b.rank(0) + given->size();
  FailureOr<std::optional<RuntimeAxes>> computed = RuntimeAxes::find(b, 1, rank);
  if (failed(computed))
    return failure();
  if (*computed)
    return b.result(0, b.emit.reshape(b.input(0), (*computed)->insertOnes(b.emit.extents(b.input(0)))));
  FailureOr<std::optional<Axes>> axes = b.axes(1, rank);
  if (failed(axes))
    return failure();
  return b.result(0, b.emit.insertAxes(b.input(0), **axes));
}

static LogicalResult lowerIdentity(Binder &b) { return b.result(0, b.input(0)); }

static LogicalResult lowerExpand(Binder &b) {
  FailureOr<Extents> shape = b.sizes(1);
  if (failed(shape))
    return failure();
  return b.result(b.emit.expand(b.input(0), *shape));
}

ArrayRef<Row> moec::shapeRows() {
  static const Row rows[] = {

      {"Expand", 13, 28, 2, lowerExpand},
      {"Flatten", 13, 28, 1, lowerFlatten, "", true},
      {"Identity", 13, 28, 1, lowerIdentity, "", true},
      {"Reshape", 13, 28, 2, lowerReshape, "", true},
      {"Shape", 13, 28, 1, lowerShape, "", true},
      {"Size", 13, 28, 1, lowerSize, "", true},
      {"Squeeze", 13, 28, 1, lowerSqueeze, "", true},
      {"Unsqueeze", 13, 28, 2, lowerUnsqueeze, "", true},
  };
  return rows;
}
