//===- ReductionRows.cpp - reductions along axes ------------------------------===//

#include "Rows.h"
#include "RuntimeAxes.h"

using namespace mlir;
using namespace moec;

using S = ScalarBody;
using Axes = Binder::Axes;
using Extents = Binder::Extents;

static Value zero(S &s, Type type) { return s.constant(0, type); }
static Value one(S &s, Type type) { return s.constant(1, type); }
static Value add(S &s, ValueRange v) { return s.add(v[0], v[1]); }
static Value multiply(S &s, ValueRange v) { return s.mul(v[0], v[1]); }
static Value greatest(S &s, ValueRange v) { return s.max(v[0], v[1]); }
static Value least(S &s, ValueRange v) { return s.min(v[0], v[1]); }
static Value lowest(S &s, Type type) { return s.lowest(type); }
static Value highest(S &s, Type type) { return s.highest(type); }
static Value addAbsolute(S &s, ValueRange v) { return s.add(v[0], s.abs(v[1])); }
static Value addSquare(S &s, ValueRange v) { return s.add(v[0], s.mul(v[1], v[1])); }

/// Applies `f` to each element, in the compute type.
static Value each(Binder &b, Value x, function_ref<Value(S &, Value)> f) {
  Type element = computeType(cast<RankedTensorType>(x.getType()).getElementType());
  return b.emit.map(x, element, b.isUnsigned(0), [&](S &s, ValueRange v) { return f(s, v[0]); });
}

//===----------------------------------------------------------------------===//
// Forms
//===----------------------------------------------------------------------===//

/// Makes of a tensor and axes the tensor without these axes, in the compute type.
using Lowering = function_ref<Value(Value, ArrayRef<int64_t>)>;

// Each dimension is seen as two, one that is kept and one that is reduced, of which one has extent 1.
static LogicalResult reduceAtRuntime(Binder &b, const RuntimeAxes &axes, Lowering lower) {
  Value one = b.index.constant(1);
  Extents extents = b.emit.extents(b.input(0)), pairs, kept;
  Axes reducedPlaces;
  for (auto [axis, extent] : llvm::enumerate(extents)) {
    kept.push_back(b.index.select(axes.contains(axis), one, extent));
    reducedPlaces.push_back(pairs.size() + 1);
    llvm::append_values(pairs, kept.back(), b.index.select(axes.contains(axis), extent, one));
  }
  Value reduced = lower(b.emit.reshape(b.input(0), pairs), reducedPlaces);
  if (b.integer("keepdims", 1) == 0)
    reduced = b.emit.reshape(reduced, axes.drop(extents));
  return b.result(0, b.emit.convertElements(reduced, b.element(0)));
}

/// Reads axes and keepdims and finishes what `lower` makes of the input.
static LogicalResult reduceWith(Binder &b, Lowering lower) {
  int64_t rank = b.rank(0);
  FailureOr<std::optional<RuntimeAxes>> computed = RuntimeAxes::find(b, 1, rank);
  if (failed(computed))
    return failure();
  if (*computed)
    return reduceAtRuntime(b, **computed, lower);
  FailureOr<std::optional<Axes>> given = b.axes(1, rank);
  if (failed(given))
    return failure();
  Axes axes = given->value_or(Axes());
  if (axes.empty() && b.integer("noop_with_empty_axes", 0) == 0)
    axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  Value reduced = lower(b.input(0), axes);
  if (b.integer("keepdims", 1) != 0)
    reduced = b.emit.insertAxes(reduced, axes);
  return b.result(0, b.emit.convertElements(reduced, b.element(0)));
}

template <Value (*init)(S &, Type), Value (*combine)(S &, ValueRange)> static LogicalResult reduction(Binder &b) {
  return reduceWith(
      b, [&](Value x, ArrayRef<int64_t> axes) { return b.emit.reduce(x, axes, b.isUnsigned(0), init, combine); });
}

//===----------------------------------------------------------------------===//
// Reductions with something around them
//===----------------------------------------------------------------------===//

static LogicalResult reduceMean(Binder &b) {
  return reduceWith(b, [&](Value x, ArrayRef<int64_t> axes) { return b.emit.mean(x, axes, b.isUnsigned(0)); });
}

static LogicalResult requireFloat(Binder &b) {
  if (b.isFloat(0))
    return success();
  return b.error() << "elements of type " << b.element(0) << " are not supported";
}

static LogicalResult reduceL2(Binder &b) {
  if (failed(requireFloat(b)))
    return failure();
  return reduceWith(b, [&](Value x, ArrayRef<int64_t> axes) {
    Value sum = b.emit.reduce(x, axes, b.isUnsigned(0), zero, addSquare);
    return each(b, sum, [](S &s, Value v) { return s.sqrt(v); });
  });
}

static LogicalResult reduceLogSum(Binder &b) {
  if (failed(requireFloat(b)))
    return failure();
  return reduceWith(b, [&](Value x, ArrayRef<int64_t> axes) {
    Value sum = b.emit.reduce(x, axes, b.isUnsigned(0), zero, add);
    return each(b, sum, [](S &s, Value v) { return s.log(v); });
  });
}

// max + log(sum(exp(x - max))), with a maximum of -inf or inf counted as 0 to keep NaN out.
static LogicalResult reduceLogSumExp(Binder &b) {
  if (failed(requireFloat(b)))
    return failure();
  return reduceWith(b, [&](Value x, ArrayRef<int64_t> axes) {
    Value peak = b.emit.reduce(x, axes, false, lowest, greatest);
    peak = each(b, peak, [](S &s, Value v) {
      Type type = v.getType();
      Value infinite = s.equal(s.abs(v), s.highest(type));
      return s.select(infinite, s.constant(0, type), v);
    });
    Type element = cast<RankedTensorType>(peak.getType()).getElementType();
    Value wide = b.emit.convertElements(x, element);
    Value aligned = b.emit.insertAxes(peak, axes);
    Value powers = b.emit.compute({wide, aligned}, b.emit.extents(wide), element, false,
                                  [](S &s, ValueRange v) { return s.exp(s.sub(v[0], v[1])); });
    Value sum = b.emit.reduce(powers, axes, false, zero, add);
    return b.emit.compute({sum, peak}, b.emit.extents(sum), element, false,
                          [](S &s, ValueRange v) { return s.add(s.log(v[0]), v[1]); });
  });
}

//===----------------------------------------------------------------------===//
// ArgMax and ArgMin
//===----------------------------------------------------------------------===//

// The first of nn.top_k along the axis; ties go to the lowest index. select_last_index looks from the other end.
template <bool largest> static LogicalResult argReduction(Binder &b) {
  Value x = b.input(0);
  int64_t rank = b.rank(0);
  FailureOr<int64_t> axis = b.axis(0, rank);
  if (failed(axis))
    return failure();
  bool fromEnd = b.integer("select_last_index", 0) != 0;
  Value extent = b.emit.extent(x, *axis);
  if (fromEnd)
    x = b.emit.gather(x, b.emit.countUp(b.index.sub(extent, b.index.constant(1)), b.index.constant(-1), extent), *axis);
  auto order = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  order.erase(order.begin() + *axis);
  order.push_back(*axis);
  x = b.emit.transpose(x, order);
  Value place = b.emit.topK(x, b.index.constant(1), largest).second;
  place = b.emit.dropAxes(place, rank - 1);
  if (fromEnd)
    place = b.emit.map(place, b.resultElement(0), false, [&](S &s, ValueRange v) {
      Value last = arith::IndexCastOp::create(s.builder, v[0].getType(), extent);
      return s.sub(s.sub(last, v[0]), s.constant(1, v[0].getType()));
    });
  return b.result(0, b.integer("keepdims", 1) != 0 ? b.emit.insertAxes(place, *axis) : place);
}

ArrayRef<Row> moec::reductionRows() {
  static const Row rows[] = {
      {"ArgMax", 13, 28, 1, argReduction<true>},
      {"ArgMin", 13, 28, 1, argReduction<false>},
      {"ReduceL1", 13, 28, 1, reduction<zero, addAbsolute>},
      {"ReduceL2", 13, 28, 1, reduceL2},
      {"ReduceLogSum", 13, 28, 1, reduceLogSum},
      {"ReduceLogSumExp", 13, 28, 1, reduceLogSumExp},
      {"ReduceMax", 13, 28, 1, reduction<lowest, greatest>},
      {"ReduceMean", 13, 28, 1, reduceMean},
      {"ReduceMin", 13, 28, 1, reduction<highest, least>},
      {"ReduceProd", 13, 28, 1, reduction<one, multiply>},
      {"ReduceSum", 13, 28, 1, reduction<zero, add>},
      {"ReduceSumSquare", 13, 28, 1, reduction<zero, addSquare>},
  };
  return rows;
}
