//===- PoolRows.cpp - pooling: reductions over a sliding window ----------------===//

#include "Rows.h"
#include "SlidingWindow.h"

using namespace mlir;
using namespace moec;

using Axes = Binder::Axes;
using Extents = Binder::Extents;
using S = ScalarBody;

static Value add(S &s, ValueRange v) { return s.add(v[0], v[1]); }
static Value zero(S &s, Type type) { return s.constant(0, type); }

/// The dimensions of the elements in a view of [N, C, places…, elements…].
static Axes elementAxes(const SlidingWindow &window) {
  int64_t spatial = window.getSpatialRank();
  return llvm::to_vector(llvm::seq<int64_t>(spatial + 2, 2 * spatial + 2));
}

/// The least value of an element type, which no maximum takes from outside the input.
static double leastOf(Type element, bool isUnsigned) {
  if (isa<FloatType>(element))
    return -std::numeric_limits<double>::infinity();
  return isUnsigned ? 0 : -std::ldexp(1.0, element.getIntOrFloatBitWidth() - 1);
}

//===----------------------------------------------------------------------===//
// Maximum
//===----------------------------------------------------------------------===//

/// Where in x, flattened, the first largest element that each place sees lies. `seen` is [N, C, places…, elements…].
static Value largestPositions(Binder &b, const SlidingWindow &window, Value seen) {
  Value x = b.input(0);
  int64_t spatial = window.getSpatialRank();
  Extents flat = b.emit.extents(seen);
  flat.truncate(spatial + 2);
  flat.push_back(b.index.constant(window.getElementCount()));
  Value element =
      b.emit.dropAxes(b.emit.topK(b.emit.reshape(seen, flat), b.index.constant(1), true).second, spatial + 2);
  Extents extents = b.emit.extents(x);
  bool columnMajor = b.integer("storage_order", 0) != 0;
  return b.emit.map(element, b.emit.builder.getI64Type(), false, [&](S &s, ValueRange v) {
    Type type = v[0].getType();
    auto asInteger = [&](Value index) -> Value { return arith::IndexCastOp::create(s.builder, type, index); };
    auto loop = [&](int64_t axis) { return asInteger(linalg::IndexOp::create(s.builder, axis)); };
    SmallVector<Value> at(spatial);
    Value rest = v[0];
    for (int64_t axis = spatial - 1; axis >= 0; --axis) {
      Value size = s.constant(window.kernel[axis], type), inWindow = s.rem(rest, size);
      rest = s.div(rest, size);
      Value start =
          s.sub(s.mul(loop(axis + 2), s.constant(window.strides[axis], type)), asInteger(window.before[axis]));
      at[axis] = s.add(start, s.mul(inWindow, s.constant(window.dilations[axis], type)));
    }
    Value position = s.add(s.mul(loop(0), asInteger(extents[1])), loop(1)), place = s.constant(0, type);
    for (int64_t i = 0; i < spatial; ++i) {
      int64_t axis = columnMajor ? spatial - 1 - i : i;
      place = s.add(s.mul(place, asInteger(extents[axis + 2])), at[axis]);
      position = s.mul(position, asInteger(extents[i + 2]));
    }
    return s.add(position, place);
  });
}

static LogicalResult lowerMaxPool(Binder &b) {
  FailureOr<SlidingWindow> window = SlidingWindow::getPooling(b);
  if (failed(window))
    return failure();
  Value seen = window->view(b, b.input(0), leastOf(b.element(0), b.isUnsigned(0)), /*channelsLast=*/false);
  Value largest = b.emit.reduce(
      seen, elementAxes(*window), b.isUnsigned(0), [](S &s, Type type) { return s.lowest(type); },
      [](S &s, ValueRange v) { return s.max(v[0], v[1]); });
  if (failed(b.result(0, b.emit.convertElements(largest, b.element(0)))))
    return failure();
  return b.isUsed(1) ? b.result(1, largestPositions(b, *window, seen)) : success();
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

static LogicalResult lowerAveragePool(Binder &b) {
  FailureOr<SlidingWindow> window = SlidingWindow::getPooling(b);
  if (failed(window))
    return failure();
  Value seen = window->view(b, b.input(0), 0, /*channelsLast=*/false);
  Value sum = b.emit.reduce(seen, elementAxes(*window), false, zero, add);
  Type element = cast<RankedTensorType>(sum.getType()).getElementType();
  Value count = window->count(b, element, b.integer("count_include_pad", 0) != 0);
  return b.result(0, b.emit.compute({sum, count}, b.emit.extents(sum), b.element(0), false,
                                    [](S &s, ValueRange v) { return s.div(v[0], v[1]); }));
}

/// |v|^p, with a constant p.
static Value absolutePower(S &s, Value v, int64_t p) {
  Value magnitude = s.abs(v);
  if (p == 1)
    return magnitude;
  if (p == 2)
    return s.mul(v, v);
  return math::PowFOp::create(s.builder, magnitude, s.constant(p, v.getType()));
}

static Value root(S &s, Value v, int64_t p) {
  if (p == 1)
    return v;
  if (p == 2)
    return s.sqrt(v);
  return math::PowFOp::create(s.builder, v, s.constant(1.0 / p, v.getType()));
}

/// (sum |x|^p)^(1/p) along axes, kept as they are or not.
static LogicalResult lowerNorm(Binder &b, Value seen, ArrayRef<int64_t> axes, bool keepsAxes) {
  int64_t p = b.integer("p", 2);
  if (p < 1)
    return b.error() << "attribute p: expected a positive number, found " << p;
  Value sum = b.emit.reduce(seen, axes, false, zero,
                            [&](S &s, ValueRange v) { return s.add(v[0], absolutePower(s, v[1], p)); });
  if (keepsAxes)
    sum = b.emit.insertAxes(sum, axes);
  return b.result(0, b.emit.map(sum, b.element(0), false, [&](S &s, ValueRange v) { return root(s, v[0], p); }));
}

static LogicalResult lowerLpPool(Binder &b) {
  FailureOr<SlidingWindow> window = SlidingWindow::getPooling(b);
  if (failed(window))
    return failure();
  return lowerNorm(b, window->view(b, b.input(0), 0, /*channelsLast=*/false), elementAxes(*window), false);
}

//===----------------------------------------------------------------------===//
// All of a channel
//===----------------------------------------------------------------------===//

static FailureOr<Axes> spatialAxes(Binder &b) {
  if (b.rank(0) < 3)
    return b.error() << "expected rank 3 or more, found " << b.type(0);
  return Axes(llvm::to_vector(llvm::seq<int64_t>(2, b.rank(0))));
}

static LogicalResult lowerGlobalMaxPool(Binder &b) {
  FailureOr<Axes> axes = spatialAxes(b);
  if (failed(axes))
    return failure();
  Value largest = b.emit.reduce(
      b.input(0), *axes, false, [](S &s, Type type) { return s.lowest(type); },
      [](S &s, ValueRange v) { return s.max(v[0], v[1]); });
  return b.result(0, b.emit.convertElements(b.emit.insertAxes(largest, *axes), b.element(0)));
}

static LogicalResult lowerGlobalAveragePool(Binder &b) {
  FailureOr<Axes> axes = spatialAxes(b);
  if (failed(axes))
    return failure();
  Value mean = b.emit.insertAxes(b.emit.mean(b.input(0), *axes), *axes);
  return b.result(0, b.emit.convertElements(mean, b.element(0)));
}

static LogicalResult lowerGlobalLpPool(Binder &b) {
  FailureOr<Axes> axes = spatialAxes(b);
  return failed(axes) ? failure() : lowerNorm(b, b.input(0), *axes, /*keepsAxes=*/true);
}

ArrayRef<Row> moec::poolRows() {
  static const Row rows[] = {
      {"AveragePool", 11, 28, 1, lowerAveragePool},
      {"GlobalAveragePool", 1, 28, 1, lowerGlobalAveragePool},
      {"GlobalLpPool", 2, 28, 1, lowerGlobalLpPool},
      {"GlobalMaxPool", 1, 28, 1, lowerGlobalMaxPool},
      {"LpPool", 11, 28, 1, lowerLpPool},
      {"MaxPool", 11, 28, 1, lowerMaxPool},
  };
  return rows;
}
