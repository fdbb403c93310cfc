//===- ResizeRows.cpp - Resize: interpolation along each axis -----------------===//
//
// Interpolation is separable: each axis is resized by itself, as a sum of a few neighbours with weights that depend on
// the position. Scales may be computed: positions are computed in the kernel that reads them.
//
//===----------------------------------------------------------------------===//

#include "Rows.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace moec;

using Axes = Binder::Axes;
using Extents = Binder::Extents;
using S = ScalarBody;

namespace {

/// What the attributes ask for.
struct Interpolation {
  StringRef mode, coordinates, rounding;
  double cubicA, extrapolated;
  bool excludesOutside, antialiases;
};

/// One axis on its way. `scale` is a tensor<f32>; roi bounds are tensor<f32> or null.
struct ResizedAxis {
  int64_t axis;
  Value extent, scale, roiStart, roiEnd;
  bool hasGivenScale = false;
};

} // namespace

static FailureOr<Interpolation> bindInterpolation(Binder &b) {
  Interpolation how = {b.string("mode", "nearest"),
                       b.string("coordinate_transformation_mode", "half_pixel"),
                       b.string("nearest_mode", "round_prefer_floor"),
                       b.real("cubic_coeff_a", -0.75),
                       b.real("extrapolation_value", 0),
                       b.integer("exclude_outside", 0) != 0,
                       b.integer("antialias", 0) != 0};
  auto known = [&](StringRef name, StringRef value, ArrayRef<StringRef> values) -> LogicalResult {
    if (llvm::is_contained(values, value))
      return success();
    return b.error() << "attribute " << name << ": expected " << llvm::join(values, ", ") << ", found " << value;
  };
  if (failed(known("mode", how.mode, {"nearest", "linear", "cubic"})) ||
      failed(known("coordinate_transformation_mode", how.coordinates,
                   {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
                    "tf_crop_and_resize"})) ||
      failed(known("nearest_mode", how.rounding, {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"})))
    return failure();
  return how;
}

//===----------------------------------------------------------------------===//
// Extents and scales
//===----------------------------------------------------------------------===//

/// Element `place` of a float input, as tensor<f32>.
static Value pickReal(Binder &b, unsigned input, int64_t place) {
  Value one = b.emit.sliceAxis(b.input(input), 0, b.index.constant(place), b.index.constant(1));
  return b.emit.convertElements(b.emit.reshape(one, {}), b.emit.builder.getF32Type());
}

/// f(extent as float, scale) as an extent that a kernel computes and the host reads.
static FailureOr<Value> scaledExtent(Binder &b, Value extent, Value scale) {
  Type integer = b.emit.builder.getI64Type();
  Value computed = b.emit.map(scale, integer, false, [&](S &s, ValueRange v) {
    Value length = arith::IndexCastOp::create(s.builder, integer, extent);
    Value product = s.mul(s.convert(length, v[0].getType(), false, false), v[0]);
    return s.convert(math::FloorOp::create(s.builder, product), integer, false, false);
  });
  Value result = b.index.fromInteger(tensor::ExtractOp::create(b.emit.builder, computed, ValueRange()));
  Value fits = b.index.compare(arith::CmpIPredicate::sge, result, b.index.constant(0));
  if (failed(b.emit.check(fits, "a scale is negative")))
    return failure();
  b.index.assumeNonNegative(result);
  return result;
}

/// numerator / denominator as tensor<f32>.
static Value ratio(Binder &b, Value numerator, Value denominator) {
  Type real = b.emit.builder.getF32Type(), integer = b.emit.builder.getI64Type();
  return b.emit.compute({}, {}, real, false, [&](S &s, ValueRange) {
    auto asReal = [&](Value index) {
      return s.convert(arith::IndexCastOp::create(s.builder, integer, index), real, false, false);
    };
    return s.div(asReal(numerator), asReal(denominator));
  });
}

/// Extents from input `sizes`; with a policy one factor, the least or the largest, holds for all axes.
static LogicalResult placeBySizes(Binder &b, MutableArrayRef<ResizedAxis> axes) {
  FailureOr<Extents> sizes = b.sizes(3);
  if (failed(sizes))
    return failure();
  if (sizes->size() != axes.size())
    return b.error() << "expected " << axes.size() << " sizes, found " << sizes->size();
  StringRef policy = b.string("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch" && policy != "not_larger" && policy != "not_smaller")
    return b.error() << "attribute keep_aspect_ratio_policy: expected stretch, not_larger or not_smaller, found "
                     << policy;
  Value common;
  for (auto [axis, size] : llvm::zip_equal(axes, *sizes)) {
    axis.extent = size;
    axis.scale = ratio(b, size, b.emit.extent(b.input(0), axis.axis));
    auto closer = [&](S &s, ValueRange v) { return policy == "not_larger" ? s.min(v[0], v[1]) : s.max(v[0], v[1]); };
    Type real = b.emit.builder.getF32Type();
    common = common ? b.emit.compute({common, axis.scale}, {}, real, false, closer) : axis.scale;
  }
  if (policy == "stretch")
    return success();
  for (ResizedAxis &axis : axes) {
    // Rounded, half up.
    Type integer = b.emit.builder.getI64Type();
    Value extent = b.emit.extent(b.input(0), axis.axis);
    Value computed = b.emit.map(common, integer, false, [&](S &s, ValueRange v) {
      Value length = s.convert(arith::IndexCastOp::create(s.builder, integer, extent), v[0].getType(), false, false);
      Value half = s.constant(0.5, v[0].getType());
      return s.convert(math::FloorOp::create(s.builder, s.add(s.mul(length, v[0]), half)), integer, false, false);
    });
    axis.extent = b.index.fromInteger(tensor::ExtractOp::create(b.emit.builder, computed, ValueRange()));
    b.index.assumeNonNegative(axis.extent);
    axis.scale = common;
  }
  return success();
}

static LogicalResult placeByScales(Binder &b, MutableArrayRef<ResizedAxis> axes) {
  if (b.rank(2) != 1 || b.type(2).getDimSize(0) != static_cast<int64_t>(axes.size()))
    return b.error() << "expected " << axes.size() << " scales, found " << b.type(2);
  for (auto [place, axis] : llvm::enumerate(axes)) {
    axis.scale = pickReal(b, 2, place);
    axis.hasGivenScale = true;
    FailureOr<Value> extent = scaledExtent(b, b.emit.extent(b.input(0), axis.axis), axis.scale);
    if (failed(extent))
      return failure();
    axis.extent = *extent;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// One axis
//===----------------------------------------------------------------------===//

namespace {

/// Emits the value at one position of the result.
class AxisInterpolator {
public:
  AxisInterpolator(S &s, const Interpolation &how, Value input, Value sourceExtent, const ResizedAxis &axis,
                   ValueRange indices)
      : s(s), how(how), input(input), sourceExtent(sourceExtent), axis(axis), indices(indices),
        real(s.builder.getF32Type()), position(asReal(indices[axis.axis])) {}

  Value emit() {
    Value x = coordinate();
    Value value = how.mode == "nearest" ? at(nearest(x)) : how.mode == "linear" ? linear(x) : cubic(x);
    return extrapolate(value, x);
  }

  /// Antialiased, element `place` of the input counts by the filter stretched to the distance of the results.
  Value weightOf(Value place) {
    Value stretch = s.min(scalar(axis.scale), number(1)), at = asReal(place);
    Value t = s.abs(s.mul(s.sub(at, coordinate()), stretch)), one = number(1), weight;
    if (how.mode == "linear")
      weight = s.max(s.sub(one, t), number(0));
    else
      weight = s.select(s.lessEqual(t, one), keys(t, true), s.select(s.less(t, number(2)), keys(t, false), number(0)));
    return how.excludesOutside ? s.select(exists(at), weight, number(0)) : weight;
  }

  /// Antialiased: the weighted sum divided by the sum of the weights.
  Value finish(Value total, Value weights) { return extrapolate(s.div(total, weights), coordinate()); }

private:
  Value extrapolate(Value value, Value x) {
    if (how.coordinates != "tf_crop_and_resize")
      return value;
    Value beyond = arith::OrIOp::create(s.builder, s.less(x, number(0)), s.less(last(), x));
    return s.select(beyond, s.convert(number(how.extrapolated), value.getType(), false, false), value);
  }
  Value exists(Value place) {
    return arith::AndIOp::create(s.builder, s.lessEqual(number(0), place), s.lessEqual(place, last()));
  }
  Value number(double value) { return s.constant(value, real); }
  Value asReal(Value index) {
    return s.convert(arith::IndexCastOp::create(s.builder, s.builder.getI64Type(), index), real, false, false);
  }
  Value scalar(Value tensor) { return tensor::ExtractOp::create(s.builder, tensor, ValueRange()); }
  Value floor(Value x) { return math::FloorOp::create(s.builder, x); }
  Value last() { return s.sub(asReal(sourceExtent), number(1)); }

  /// The element at a whole position, the nearest one that exists.
  Value at(Value position) {
    Value inside = s.max(s.min(position, last()), number(0));
    Value place = arith::IndexCastOp::create(s.builder, indices[axis.axis].getType(),
                                             s.convert(inside, s.builder.getI64Type(), false, false));
    SmallVector<Value> places(indices);
    places[axis.axis] = place;
    return s.widen(tensor::ExtractOp::create(s.builder, input, places));
  }

  /// Where the position of the result lies in the input. The length of the result is what the scale asks for, before
  /// that is rounded to an extent: so ONNX's tests have it.
  Value coordinate() {
    Value scale = scalar(axis.scale), half = number(0.5), one = number(1);
    Value length = axis.hasGivenScale ? s.mul(asReal(sourceExtent), scale) : asReal(axis.extent);
    Value halfPixel = s.sub(s.div(s.add(position, half), scale), half);
    Value isOne = s.lessEqual(length, one);
    if (how.coordinates == "half_pixel")
      return halfPixel;
    if (how.coordinates == "asymmetric")
      return s.div(position, scale);
    if (how.coordinates == "pytorch_half_pixel")
      return s.select(isOne, number(0), halfPixel);
    Value span = s.select(isOne, one, s.sub(length, one));
    if (how.coordinates == "align_corners")
      return s.select(isOne, number(0), s.div(s.mul(position, last()), span));
    if (how.coordinates == "half_pixel_symmetric") {
      Value wanted = s.mul(asReal(sourceExtent), scale), centre = s.div(asReal(sourceExtent), number(2));
      Value offset = s.mul(centre, s.sub(one, s.div(asReal(axis.extent), wanted)));
      return s.add(offset, halfPixel);
    }
    // tf_crop_and_resize
    Value start = scalar(axis.roiStart), end = scalar(axis.roiEnd);
    Value along = s.add(s.mul(start, last()), s.div(s.mul(s.mul(position, s.sub(end, start)), last()), span));
    return s.select(isOne, s.mul(s.mul(half, s.add(start, end)), last()), along);
  }

  Value nearest(Value x) {
    if (how.rounding == "floor")
      return floor(x);
    if (how.rounding == "ceil")
      return math::CeilOp::create(s.builder, x);
    Value half = number(0.5);
    if (how.rounding == "round_prefer_ceil")
      return floor(s.add(x, half));
    return math::CeilOp::create(s.builder, s.sub(x, half));
  }

  /// sum of weight * element over neighbours; with exclude_outside only those that exist count.
  Value sum(ArrayRef<std::pair<Value, Value>> taps) {
    Value total = number(0), weights = number(0);
    for (auto [place, weight] : taps) {
      if (how.excludesOutside) {
        weight = s.select(exists(place), weight, number(0));
        weights = s.add(weights, weight);
      }
      total = s.add(total, s.mul(weight, s.convert(at(place), real, false, false)));
    }
    return how.excludesOutside ? s.div(total, weights) : total;
  }

  Value linear(Value x) {
    Value low = floor(x), ratio = s.sub(x, low);
    return sum({{low, s.sub(number(1), ratio)}, {s.add(low, number(1)), ratio}});
  }

  /// The convolution kernel of Keys with parameter a at distance t: inside 1, or from 1 to 2.
  Value keys(Value t, bool inner) {
    double a = how.cubicA;
    Value square = s.mul(t, t), cube = s.mul(square, t);
    if (inner)
      return s.add(s.sub(s.mul(number(a + 2), cube), s.mul(number(a + 3), square)), number(1));
    Value quadratic = s.sub(s.mul(number(a), cube), s.mul(number(5 * a), square));
    return s.sub(s.add(quadratic, s.mul(number(8 * a), t)), number(4 * a));
  }

  Value cubic(Value x) {
    Value low = floor(x), r = s.sub(x, low), one = number(1);
    return sum({{s.sub(low, one), keys(s.add(r, one), false)},
                {low, keys(r, true)},
                {s.add(low, one), keys(s.sub(one, r), true)},
                {s.add(low, number(2)), keys(s.sub(number(2), r), false)}});
  }

  S &s;
  const Interpolation &how;
  Value input, sourceExtent;
  const ResizedAxis &axis;
  ValueRange indices;
  Type real;
  Value position;
};

} // namespace

static Value resizeAxis(Binder &b, Value x, const Interpolation &how, const ResizedAxis &axis, Type element) {
  Extents extents = b.emit.extents(x);
  Value source = extents[axis.axis];
  extents[axis.axis] = axis.extent;
  return b.emit.generate(extents, element, [&](S &s, ValueRange indices) {
    Value value = AxisInterpolator(s, how, x, source, axis, indices).emit();
    return s.convert(value, computeType(element), false, false);
  });
}

/// As a product with a matrix of weights, as the number of neighbours depends on the scale. The input is surrounded by
/// its first and last elements as far as the filter reaches.
static FailureOr<Value> antialiasAxis(Binder &b, Value x, const Interpolation &how, const ResizedAxis &axis) {
  Extents extents = b.emit.extents(x);
  Value source = extents[axis.axis], zero = b.index.constant(0), one = b.index.constant(1);
  // Cubic filters reach over two results; extents are rounded scales.
  Value ratio = b.index.ceilDiv(b.index.mul(source, b.index.constant(4)), b.index.max(axis.extent, one));
  Value margin = b.index.add(ratio, b.index.constant(2));
  Value whole = b.index.add(source, b.index.mul(margin, b.index.constant(2)));
  Type real = b.emit.builder.getF32Type();

  ResizedAxis rows = axis;
  rows.axis = 0;
  Value weights = b.emit.generate({axis.extent, whole}, real, [&](S &s, ValueRange i) {
    return AxisInterpolator(s, how, x, source, rows, i.take_front()).weightOf(s.sub(i[1], margin));
  });
  extents[axis.axis] = whole;
  Value surrounded = b.emit.generate(extents, real, [&](S &s, ValueRange i) {
    SmallVector<Value> places(i);
    Value place = s.sub(i[axis.axis], margin), last = s.sub(source, one);
    places[axis.axis] = s.max(s.min(place, last), zero);
    return s.convert(s.widen(tensor::ExtractOp::create(s.builder, x, places)), real, false, false);
  });
  SmallVector<int64_t> labels = llvm::to_vector(llvm::seq<int64_t>(0, extents.size())), result = labels;
  int64_t inner = extents.size();
  std::swap(labels[axis.axis], inner);
  FailureOr<Value> total = b.emit.contract(weights, {axis.axis, labels[axis.axis]}, surrounded, labels, result);
  if (failed(total))
    return failure();
  Value sums = b.emit.reduce(
      weights, 1, false, [](S &s, Type type) { return s.constant(0, type); },
      [](S &s, ValueRange v) { return s.add(v[0], v[1]); });
  Extents resized = b.emit.extents(*total);
  sums = b.emit.insertAxes(sums, llvm::to_vector(llvm::seq<int64_t>(1, resized.size() - axis.axis)));
  return b.emit.compute({*total, sums}, resized, real, false, [&](S &s, ValueRange v) {
    Value row = linalg::IndexOp::create(s.builder, axis.axis);
    return AxisInterpolator(s, how, x, source, rows, row).finish(v[0], v[1]);
  });
}

//===----------------------------------------------------------------------===//
// Resize
//===----------------------------------------------------------------------===//

static FailureOr<SmallVector<ResizedAxis>> bindAxes(Binder &b, const Interpolation &how) {
  SmallVector<ResizedAxis> axes;
  for (int64_t given : b.integers("axes").value_or(Axes(llvm::to_vector(llvm::seq<int64_t>(0, b.rank(0)))))) {
    FailureOr<int64_t> axis = b.normalizeAxis(given, b.rank(0));
    if (failed(axis))
      return failure();
    axes.push_back({*axis, {}, {}, {}, {}, false});
  }
  if (b.has(2) == b.has(3))
    return b.error() << "expected either scales or sizes";
  if (failed(b.has(2) ? placeByScales(b, axes) : placeBySizes(b, axes)))
    return failure();
  if (how.coordinates != "tf_crop_and_resize")
    return axes;
  if (!b.has(1) || b.rank(1) != 1 || b.type(1).getDimSize(0) != static_cast<int64_t>(2 * axes.size()))
    return b.error() << "expected a region of " << 2 * axes.size() << " bounds for tf_crop_and_resize";
  for (auto [place, axis] : llvm::enumerate(axes)) {
    axis.roiStart = pickReal(b, 1, place);
    axis.roiEnd = pickReal(b, 1, place + axes.size());
  }
  return axes;
}

static LogicalResult lowerResize(Binder &b) {
  FailureOr<Interpolation> how = bindInterpolation(b);
  if (failed(how))
    return failure();
  FailureOr<SmallVector<ResizedAxis>> axes = bindAxes(b, *how);
  if (failed(axes))
    return failure();
  // Between axes interpolated values are not rounded to integers.
  Value x = b.input(0);
  Type between = how->mode == "nearest" ? b.element(0) : Type(b.emit.builder.getF32Type());
  for (const ResizedAxis &axis : *axes) {
    Value extent = b.emit.extent(x, axis.axis), zero = b.index.constant(0);
    Value some = b.index.logicalOr(b.index.compare(arith::CmpIPredicate::sgt, extent, zero),
                                   b.index.compare(arith::CmpIPredicate::eq, axis.extent, zero));
    if (failed(b.emit.check(some, "dimension " + Twine(axis.axis) + " is empty")))
      return failure();
    FailureOr<Value> resized = how->antialiases && how->mode != "nearest"
                                   ? antialiasAxis(b, x, *how, axis)
                                   : FailureOr<Value>(resizeAxis(b, x, *how, axis, between));
    if (failed(resized))
      return failure();
    x = *resized;
  }
  return b.result(0, b.emit.convertElements(x, b.element(0), false, b.isUnsigned(0)));
}

ArrayRef<Row> moec::resizeRows() {
  static const Row rows[] = {
      {"Resize", 11, 28, 1, lowerResize},
  };
  return rows;
}
