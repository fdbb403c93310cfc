//===- DataMovementRows.cpp - operators that copy without computing -----------===//

#include "Rows.h"
#include "RuntimeAxes.h"

using namespace mlir;
using namespace moec;

using Axes = Binder::Axes;
using Extents = Binder::Extents;
using Predicate = arith::CmpIPredicate;

static LogicalResult lowerTranspose(Binder &b) {
  int64_t rank = b.rank(0);
  auto reversed = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
  Axes permutation = b.integers("perm").value_or(Axes(reversed));
  Axes sorted = permutation;
  llvm::sort(sorted);
  if (!llvm::equal(sorted, llvm::seq<int64_t>(0, rank)))
    return b.error() << "perm is not a permutation of " << rank << " dimensions";
  return b.result(0, b.emit.transpose(b.input(0), permutation));
}

static LogicalResult lowerConcat(Binder &b) {
  FailureOr<int64_t> axis = b.axis(0, b.rank(0));
  if (failed(axis) || failed(b.sameElements()))
    return failure();
  return b.result(b.emit.concat(b.inputs(), *axis));
}

//===----------------------------------------------------------------------===//
// Slice
//===----------------------------------------------------------------------===//

/// A bound of a slice: negative values count from the end, then clamped to [low, high]. Exporters write the largest
/// integers for "to the end".
static Value sliceBound(Binder &b, Value bound, Value extent, Value low, Value high) {
  std::optional<int64_t> known = IndexArithmetic::asConstant(bound);
  if (known && *known >= std::numeric_limits<int32_t>::max())
    return high;
  if (known && *known < -std::numeric_limits<int32_t>::max())
    return low;
  if (!b.index.isNonNegative(bound)) {
    Value fromEnd = b.index.add(extent, bound);
    bound = b.index.select(b.index.compare(Predicate::slt, bound, b.index.constant(0)), fromEnd, bound);
  }
  return b.index.max(b.index.min(bound, high), low);
}

static Value sliceAlong(Binder &b, Value x, int64_t axis, Value start, Value end, int64_t step) {
  Value extent = b.emit.extent(x, axis), zero = b.index.constant(0), one = b.index.constant(1);
  if (step > 0) {
    Value from = sliceBound(b, start, extent, zero, extent), to = sliceBound(b, end, extent, zero, extent);
    Value length = b.index.max(b.index.sub(to, from), zero);
    Extents sizes = b.emit.extents(x);
    SmallVector<Value> offsets(sizes.size(), zero), strides(sizes.size(), one);
    offsets[axis] = from;
    strides[axis] = b.index.constant(step);
    sizes[axis] = b.index.ceilDiv(length, strides[axis]);
    return b.emit.slice(x, offsets, sizes, strides);
  }
  Value last = b.index.sub(extent, one), minusOne = b.index.constant(-1);
  Value from = b.index.max(sliceBound(b, start, extent, zero, last), minusOne);
  Value to = sliceBound(b, end, extent, minusOne, last);
  Value length = b.index.max(b.index.sub(from, to), zero);
  Value count = b.index.ceilDiv(length, b.index.constant(-step));
  return b.emit.gather(x, b.emit.countUp(from, b.index.constant(step), count), axis);
}

/// A slice whose step may have either sign.
static Value sliceEitherWay(Binder &b, Value x, int64_t axis, Value start, Value end, Value step) {
  Value extent = b.emit.extent(x, axis), zero = b.index.constant(0), one = b.index.constant(1);
  Value last = b.index.sub(extent, one), minusOne = b.index.constant(-1);
  Value forward = b.index.compare(Predicate::sgt, step, zero);
  Value low = b.index.select(forward, zero, minusOne), high = b.index.select(forward, extent, last);
  Value from = sliceBound(b, start, extent, low, high), to = sliceBound(b, end, extent, low, high);
  Value length = b.index.select(forward, b.index.sub(to, from), b.index.sub(from, to));
  Value magnitude = b.index.max(b.index.select(forward, step, b.index.sub(zero, step)), one);
  Value count = b.index.ceilDiv(b.index.max(length, zero), magnitude);
  b.index.assumeNonNegative(count);
  return b.emit.gather(x, b.emit.countUp(from, step, count), axis);
}

/// With axes or steps that are computed, every dimension is sliced, those not named as a whole.
static LogicalResult sliceAtRuntime(Binder &b, ArrayRef<Value> starts, ArrayRef<Value> ends, ArrayRef<Value> axes,
                                    ArrayRef<Value> steps) {
  Value x = b.input(0), zero = b.index.constant(0), one = b.index.constant(1);
  for (Value step : steps)
    if (failed(b.emit.check(b.index.compare(Predicate::ne, step, zero), "a step is 0")))
      return failure();
  FailureOr<RuntimeAxes> sliced = RuntimeAxes::get(b, axes, b.rank(0));
  if (failed(sliced))
    return failure();
  for (int64_t axis = 0, rank = b.rank(0); axis < rank; ++axis)
    x = sliceEitherWay(b, x, axis, sliced->find(axis, starts, zero), sliced->find(axis, ends, b.emit.extent(x, axis)),
                       sliced->find(axis, steps, one));
  return b.result(0, x);
}

static LogicalResult lowerSlice(Binder &b) {
  FailureOr<Extents> starts = b.integers(1), ends = b.integers(2);
  if (failed(starts) || failed(ends))
    return failure();
  Extents axes, steps(starts->size(), b.index.constant(1));
  for (size_t i = 0; i < starts->size(); ++i)
    axes.push_back(b.index.constant(i));
  FailureOr<Extents> givenAxes = b.has(3) ? b.integers(3) : FailureOr<Extents>(axes);
  FailureOr<Extents> givenSteps = b.has(4) ? b.integers(4) : FailureOr<Extents>(steps);
  if (failed(givenAxes) || failed(givenSteps))
    return failure();
  if (ends->size() != starts->size() || givenAxes->size() != starts->size() || givenSteps->size() != starts->size())
    return b.error() << "starts, ends, axes and steps differ in number";
  std::optional<Axes> knownAxes = IndexArithmetic::asConstants(*givenAxes);
  std::optional<Axes> knownSteps = IndexArithmetic::asConstants(*givenSteps);
  if (!knownAxes || !knownSteps)
    return sliceAtRuntime(b, *starts, *ends, *givenAxes, *givenSteps);
  Value x = b.input(0);
  for (auto [start, end, given, step] : llvm::zip_equal(*starts, *ends, *knownAxes, *knownSteps)) {
    FailureOr<int64_t> axis = b.normalizeAxis(given, b.rank(0));
    if (failed(axis))
      return failure();
    if (step == 0)
      return b.error() << "a step is 0";
    x = sliceAlong(b, x, *axis, start, end, step);
  }
  return b.result(0, x);
}

//===----------------------------------------------------------------------===//
// Split
//===----------------------------------------------------------------------===//

static FailureOr<Extents> splitSizes(Binder &b, Value extent) {
  if (b.has(1)) {
    FailureOr<Extents> sizes = b.sizes(1);
    if (succeeded(sizes) && sizes->size() != b.resultCount())
      return b.error() << "expected " << b.resultCount() << " sizes, found " << sizes->size();
    return sizes;
  }
  Value count = b.index.constant(b.resultCount());
  Value chunk = b.index.ceilDiv(extent, count);
  Extents sizes;
  Value rest = extent;
  for (unsigned i = 0; i < b.resultCount(); ++i) {
    // Only with num_outputs may the last part be smaller.
    bool whole = !b.hasAttribute("num_outputs") || b.index.provablyEqual(extent, b.index.mul(chunk, count));
    sizes.push_back(whole ? chunk : b.index.min(chunk, rest));
    rest = b.index.max(b.index.sub(rest, sizes.back()), b.index.constant(0));
  }
  return sizes;
}

static LogicalResult lowerSplit(Binder &b) {
  FailureOr<int64_t> axis = b.axis(0, b.rank(0));
  if (failed(axis))
    return failure();
  Value x = b.input(0), extent = b.emit.extent(x, *axis), offset = b.index.constant(0);
  FailureOr<Extents> sizes = splitSizes(b, extent);
  if (failed(sizes))
    return failure();
  for (auto [i, size] : llvm::enumerate(*sizes)) {
    if (b.isUsed(i) && failed(b.result(i, b.emit.sliceAxis(x, *axis, offset, size))))
      return failure();
    offset = b.index.add(offset, size);
  }
  return failure(failed(b.emit.unify(offset, extent, "sum of the parts")));
}

//===----------------------------------------------------------------------===//
// Tile and Pad
//===----------------------------------------------------------------------===//

// [d0, d1] -> [1, d0, 1, d1] -> [r0, d0, r1, d1] -> [r0*d0, r1*d1]
static LogicalResult lowerTile(Binder &b) {
  FailureOr<Extents> repeats = b.sizes(1);
  if (failed(repeats))
    return failure();
  Value x = b.input(0);
  Extents extents = b.emit.extents(x), result;
  if (repeats->size() != extents.size())
    return b.error() << "expected " << extents.size() << " repeats, found " << repeats->size();
  Extents apart, repeated;
  for (auto [extent, repeat] : llvm::zip_equal(extents, *repeats)) {
    if (!IndexArithmetic::isConstant(repeat, 1)) {
      apart.push_back(b.index.constant(1));
      repeated.push_back(repeat);
    }
    apart.push_back(extent);
    repeated.push_back(extent);
    result.push_back(b.index.mul(repeat, extent));
  }
  if (apart.size() == extents.size())
    return b.result(0, x);
  Value wide = b.emit.compute(b.emit.reshape(x, apart), repeated, b.element(0), false,
                              [](ScalarBody &, ValueRange v) { return v[0]; });
  return b.result(0, b.emit.reshape(wide, result));
}

/// Where element i of a dimension that is padded by `before` comes from.
static Value paddedSource(ScalarBody &s, StringRef mode, Value i, Value before, Value extent) {
  Value place = s.sub(i, before), zero = s.constant(0, i.getType()), one = s.constant(1, i.getType());
  Value last = s.sub(extent, one);
  if (mode == "edge")
    return s.max(s.min(place, last), zero);
  if (mode == "wrap") {
    Value rest = s.rem(place, extent);
    return s.select(s.less(rest, zero), s.add(rest, extent), rest);
  }
  // reflect: a triangle wave of period 2 (extent - 1)
  Value period = s.mul(last, s.constant(2, i.getType()));
  Value rest = s.abs(s.rem(place, period));
  return s.min(rest, s.sub(s.max(period, zero), rest));
}

static Value padByIndex(Binder &b, Value x, int64_t axis, Value before, Value after, StringRef mode) {
  Value extent = b.emit.extent(x, axis);
  Value padded = b.index.add(b.index.add(extent, before), after);
  if (b.index.provablyEqual(padded, extent) && IndexArithmetic::isConstant(before, 0))
    return x;
  Value places = b.emit.generate(padded, b.emit.builder.getI64Type(), [&](ScalarBody &s, ValueRange i) -> Value {
    return arith::IndexCastOp::create(s.builder, s.builder.getI64Type(), paddedSource(s, mode, i[0], before, extent));
  });
  return b.emit.gather(x, places, axis);
}

/// The pads in front of every dimension, then those behind; 0 for dimensions that are not named.
static FailureOr<Extents> padsOfAllAxes(Binder &b) {
  int64_t rank = b.rank(0);
  FailureOr<Extents> pads = b.integers(1);
  if (failed(pads))
    return failure();
  Extents axes;
  for (int64_t axis = 0; axis < rank; ++axis)
    axes.push_back(b.index.constant(axis));
  FailureOr<Extents> given = b.has(3) ? b.integers(3) : FailureOr<Extents>(axes);
  if (failed(given))
    return failure();
  if (pads->size() != 2 * given->size())
    return b.error() << "expected " << 2 * given->size() << " pads, found " << pads->size();
  FailureOr<RuntimeAxes> padded = RuntimeAxes::get(b, *given, rank);
  if (failed(padded))
    return failure();
  auto low = ArrayRef(*pads).take_front(given->size()), high = ArrayRef(*pads).drop_front(given->size());
  Extents result;
  for (ArrayRef<Value> side : {low, high})
    for (int64_t axis = 0; axis < rank; ++axis)
      result.push_back(padded->find(axis, side, b.index.constant(0)));
  return result;
}

static LogicalResult lowerPad(Binder &b) {
  StringRef mode = b.string("mode", "constant");
  if (!llvm::is_contained({"constant", "edge", "reflect", "wrap"}, mode))
    return b.error() << "attribute mode: expected constant, edge, reflect or wrap, found " << mode;
  FailureOr<Extents> pads = padsOfAllAxes(b);
  if (failed(pads))
    return failure();
  int64_t rank = b.rank(0);
  Value x = b.input(0), zero = b.index.constant(0);
  SmallVector<Value> before(rank, zero), after(rank, zero);
  for (int64_t axis = 0; axis < rank; ++axis) {
    Value low = (*pads)[axis], high = (*pads)[axis + rank];
    if (mode != "constant") {
      x = padByIndex(b, x, axis, low, high, mode);
      continue;
    }
    // Negative padding removes elements.
    auto removed = [&](Value pad) {
      return b.index.isNonNegative(pad) ? zero : b.index.max(b.index.sub(zero, pad), zero);
    };
    Value kept = b.index.sub(b.index.sub(b.emit.extent(x, axis), removed(low)), removed(high));
    if (failed(b.emit.check(b.index.compare(Predicate::sge, kept, zero), "more elements are removed than there are")))
      return failure();
    x = b.emit.sliceAxis(x, axis, removed(low), kept);
    before[axis] = b.index.max(low, zero);
    after[axis] = b.index.max(high, zero);
  }
  if (mode != "constant")
    return b.result(0, x);
  FailureOr<Value> value = b.has(2) ? b.scalar(2) : FailureOr<Value>(b.emit.splat(0, {}, b.element(0)));
  if (failed(value) || failed(b.sameElements({0, b.has(2) ? 2u : 0u})))
    return failure();
  return b.result(0, b.emit.pad(x, before, after, *value));
}

ArrayRef<Row> moec::dataMovementRows() {
  static const Row rows[] = {
      {"Concat", 13, 28, 1, lowerConcat}, {"Pad", 13, 28, 2, lowerPad, "", true},
      {"Slice", 13, 28, 3, lowerSlice},   {"Split", 13, 28, 1, lowerSplit},
      {"Tile", 13, 28, 2, lowerTile},     {"Transpose", 13, 28, 1, lowerTranspose, "", true},
  };
  return rows;
}
