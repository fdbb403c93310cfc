//===- SlidingWindow.cpp - windows of convolutions and pooling ----------------===//

#include "SlidingWindow.h"

using namespace mlir;
using namespace moec;

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

static bool fits(ArrayRef<int64_t> values, int64_t size, int64_t least) {
  return static_cast<int64_t>(values.size()) == size && llvm::all_of(values, [&](int64_t v) { return v >= least; });
}

FailureOr<SlidingWindow> SlidingWindow::getSteps(Binder &b, ArrayRef<int64_t> kernel) {
  int64_t spatial = b.rank(0) - 2;
  SlidingWindow window;
  window.kernel = Axes(kernel);
  if (spatial < 1 || !fits(kernel, spatial, 1))
    return b.error() << "expected an input of rank 3 or more and a window over its spatial dimensions, found "
                     << b.type(0) << " and [" << kernel << "]";
  window.strides = b.integers("strides").value_or(Axes(spatial, 1));
  window.dilations = b.integers("dilations").value_or(Axes(spatial, 1));
  Axes pads = b.integers("pads").value_or(Axes(2 * spatial, 0));
  if (!fits(pads, 2 * spatial, 0) || !fits(window.strides, spatial, 1) || !fits(window.dilations, spatial, 1))
    return b.error() << "expected pads, strides and dilations of " << spatial << " dimensions, none negative";
  for (int64_t axis = 0; axis < spatial; ++axis) {
    window.before.push_back(b.index.constant(pads[axis]));
    window.after.push_back(b.index.constant(pads[axis + spatial]));
  }
  return window;
}

FailureOr<SlidingWindow> SlidingWindow::get(Binder &b, ArrayRef<int64_t> kernel) {
  FailureOr<SlidingWindow> steps = getSteps(b, kernel);
  if (failed(steps))
    return failure();
  SlidingWindow window = *steps;
  StringRef automatic = b.string("auto_pad", "NOTSET");
  if (!llvm::is_contained({"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"}, automatic))
    return b.error() << "attribute auto_pad: expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, found " << automatic;
  bool ceil = b.integer("ceil_mode", 0) != 0;
  auto number = [&](int64_t value) { return b.index.constant(value); };
  for (int64_t axis = 0; axis < window.getSpatialRank(); ++axis) {
    Value extent = b.emit.extent(b.input(0), axis + 2), stride = number(window.strides[axis]), zero = number(0);
    Value length = number(window.getReach(axis) + 1);
    if (automatic.starts_with("SAME")) {
      Value places = b.index.ceilDiv(extent, stride);
      Value last = b.index.mul(b.index.max(b.index.sub(places, number(1)), zero), stride);
      Value total = b.index.max(b.index.sub(b.index.add(last, length), extent), zero);
      Value half = b.index.div(total, number(2)), rest = b.index.sub(total, half);
      window.before[axis] = automatic == "SAME_UPPER" ? half : rest;
      window.after[axis] = automatic == "SAME_UPPER" ? rest : half;
      window.places.push_back(places);
      continue;
    }
    Value ahead = b.index.add(extent, window.before[axis]);
    Value room = b.index.sub(b.index.add(ahead, window.after[axis]), length);
    Value fitting = b.index.max(b.index.add(room, stride), zero);
    Value places = b.index.div(fitting, stride);
    if (ceil) {
      // A place that would start behind the input and the pads in front of it does not count.
      Value rounded = b.index.ceilDiv(fitting, stride);
      Value starts = b.index.mul(b.index.max(b.index.sub(rounded, number(1)), zero), stride);
      Value inside = b.index.compare(arith::CmpIPredicate::slt, starts, ahead);
      places = b.index.select(inside, rounded, b.index.max(b.index.sub(rounded, number(1)), zero));
    }
    b.index.assumeNonNegative(places);
    window.places.push_back(places);
  }
  return window;
}

FailureOr<SlidingWindow> SlidingWindow::getPooling(Binder &b) {
  std::optional<Axes> kernel = b.integers("kernel_shape");
  if (!kernel)
    return b.error() << "expected attribute kernel_shape";
  return get(b, *kernel);
}

//===----------------------------------------------------------------------===//
// What a window sees
//===----------------------------------------------------------------------===//

Value SlidingWindow::surround(Binder &b, Value x, double outside, ArrayRef<Value> low, ArrayRef<Value> high) const {
  Extents inFront(2, b.index.constant(0)), behind = inFront;
  llvm::append_range(inFront, low);
  llvm::append_range(behind, high);
  Type element = cast<RankedTensorType>(x.getType()).getElementType();
  return b.emit.pad(x, inFront, behind, b.emit.splat(outside, {}, element));
}

/// How far the last place reaches behind an extent, at least 0.
static Value overhang(Binder &b, const SlidingWindow &window, int64_t axis, Value extent) {
  Value zero = b.index.constant(0), one = b.index.constant(1);
  Value last =
      b.index.mul(b.index.max(b.index.sub(window.places[axis], one), zero), b.index.constant(window.strides[axis]));
  Value end = b.index.add(last, b.index.constant(window.getReach(axis) + 1));
  return b.index.max(b.index.sub(end, extent), zero);
}

// Element e of place p is x[p * stride + e * dilation].
Value SlidingWindow::see(Binder &b, Value padded, bool channelsLast) const {
  int64_t spatial = getSpatialRank();
  int64_t channelAt = channelsLast ? spatial + 1 : 1, firstPlace = channelsLast ? 1 : 2, firstElement = spatial + 2;
  Extents extents = {b.emit.extent(padded, 0)};
  llvm::append_range(extents, places);
  extents.insert(extents.begin() + channelAt, b.emit.extent(padded, 1));
  for (int64_t extent : kernel)
    extents.push_back(b.index.constant(extent));
  Type element = cast<RankedTensorType>(padded.getType()).getElementType();
  return b.emit.generate(extents, element, [&](ScalarBody &s, ValueRange i) {
    SmallVector<Value> at = {i[0], i[channelAt]};
    for (int64_t axis = 0; axis < spatial; ++axis) {
      Type index = i[0].getType();
      Value start = s.mul(i[firstPlace + axis], s.constant(strides[axis], index));
      at.push_back(s.add(start, s.mul(i[firstElement + axis], s.constant(dilations[axis], index))));
    }
    return s.widen(tensor::ExtractOp::create(s.builder, padded, at));
  });
}

Value SlidingWindow::view(Binder &b, Value x, double outside, bool channelsLast) const {
  Extents behind;
  for (int64_t axis = 0; axis < getSpatialRank(); ++axis)
    behind.push_back(overhang(b, *this, axis, b.index.add(b.emit.extent(x, axis + 2), before[axis])));
  return see(b, surround(b, x, outside, before, behind), channelsLast);
}

Value SlidingWindow::count(Binder &b, Type element, bool countPads) const {
  Extents counted(2, b.index.constant(1)), low, high;
  for (int64_t axis = 0; axis < getSpatialRank(); ++axis) {
    Value extent = b.emit.extent(b.input(0), axis + 2), zero = b.index.constant(0);
    Value declared = b.index.add(b.index.add(extent, before[axis]), after[axis]);
    counted.push_back(countPads ? declared : extent);
    low.push_back(countPads ? zero : before[axis]);
    high.push_back(overhang(b, *this, axis, b.index.add(counted.back(), low.back())));
  }
  Value ones = b.emit.fill(counted, arith::ConstantOp::create(b.emit.builder, b.emit.builder.getOneAttr(element)));
  Value seen = see(b, surround(b, ones, 0, low, high), /*channelsLast=*/false);
  auto elements = llvm::to_vector(llvm::seq<int64_t>(getSpatialRank() + 2, 2 * getSpatialRank() + 2));
  return b.emit.reduce(
      seen, elements, false, [](ScalarBody &s, Type type) { return s.constant(0, type); },
      [](ScalarBody &s, ValueRange v) { return s.add(v[0], v[1]); });
}
