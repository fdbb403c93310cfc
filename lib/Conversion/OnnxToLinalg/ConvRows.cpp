//===- ConvRows.cpp - convolutions, one product per element of the window -----===//

#include "Rows.h"

using namespace mlir;
using namespace moec;

using Extents = Binder::Extents;
using Labels = SmallVector<int64_t>;

//===----------------------------------------------------------------------===//
// Conv
//===----------------------------------------------------------------------===//

namespace {
struct Window {
  Binder::Axes kernel, strides, dilations, before, after;
};
} // namespace

static FailureOr<Window> bindWindow(Binder &b) {
  int64_t spatial = b.rank(0) - 2;
  Window window;
  if (spatial < 1 || b.rank(1) != b.rank(0))
    return b.error() << "expected input and weight of one rank, at least 3, found " << b.type(0) << " and "
                     << b.type(1);
  window.kernel = Binder::Axes(b.type(1).getShape().drop_front(2));
  if (!b.type(1).hasStaticShape())
    return b.error() << "expected a weight of static shape, found " << b.type(1);
  window.strides = b.integers("strides").value_or(Binder::Axes(spatial, 1));
  window.dilations = b.integers("dilations").value_or(Binder::Axes(spatial, 1));
  Binder::Axes pads = b.integers("pads").value_or(Binder::Axes(2 * spatial, 0));
  StringRef automatic = b.string("auto_pad", "NOTSET");
  if (automatic != "NOTSET" && automatic != "VALID")
    return b.error() << "attribute auto_pad: expected NOTSET or VALID, found " << automatic;
  auto fit = [](ArrayRef<int64_t> values, int64_t size, int64_t least) {
    return static_cast<int64_t>(values.size()) == size && llvm::all_of(values, [&](int64_t v) { return v >= least; });
  };
  if (!fit(pads, 2 * spatial, 0) || !fit(window.strides, spatial, 1) || !fit(window.dilations, spatial, 1))
    return b.error() << "expected pads, strides and dilations of " << spatial << " dimensions, none negative";
  window.before = Binder::Axes(ArrayRef(pads).take_front(spatial));
  window.after = Binder::Axes(ArrayRef(pads).drop_front(spatial));
  constexpr int64_t maxTaps = 64;
  if (!fit(window.kernel, spatial, 1) || llvm::product_of(window.kernel) > maxTaps)
    return b.error() << "expected a window of 1 to " << maxTaps << " elements, found " << b.type(1);
  return window;
}

/// x surrounded by zeros, and the extents [N, O, …] of the result.
static std::pair<Value, Extents> padInput(Binder &b, const Window &window) {
  auto number = [&](int64_t value) { return b.index.constant(value); };
  int64_t rank = b.rank(0);
  Extents before(rank, number(0)), after(rank, number(0));
  for (int64_t axis = 2; axis < rank; ++axis) {
    before[axis] = number(window.before[axis - 2]);
    after[axis] = number(window.after[axis - 2]);
  }
  Value x = b.emit.pad(b.input(0), before, after, b.emit.splat(0, {}, b.element(0)));
  Extents result = {b.emit.extent(x, 0), b.emit.extent(b.input(1), 0)};
  for (int64_t axis = 2; axis < rank; ++axis) {
    int64_t reach = (window.kernel[axis - 2] - 1) * window.dilations[axis - 2];
    Value room = b.index.max(b.index.sub(b.emit.extent(x, axis), number(reach)), number(0));
    result.push_back(b.index.ceilDiv(room, number(window.strides[axis - 2])));
  }
  return {x, result};
}

/// Splits dimension `axis` into groups of `inner`.
static Value splitGroups(Binder &b, Value tensor, size_t axis, Value groups, Value inner) {
  Extents extents = b.emit.extents(tensor);
  extents[axis] = inner;
  extents.insert(extents.begin() + axis, groups);
  return b.emit.reshape(tensor, extents);
}

/// The elements of x [N, G, C, …] that one element of the window sees, and that element of w [G, O, C, …].
static std::pair<Value, Value> sliceTap(Binder &b, Value x, Value w, const Window &window, int64_t tap,
                                        ArrayRef<Value> result) {
  auto number = [&](int64_t value) { return b.index.constant(value); };
  Extents xSizes = b.emit.extents(x), wSizes = b.emit.extents(w);
  Extents xOffsets(xSizes.size(), number(0)), wOffsets = xOffsets, xStrides(xSizes.size(), number(1));
  Extents wStrides = xStrides;
  Labels windowAxes;
  for (int64_t axis = window.kernel.size() - 1, rest = tap; axis >= 0; rest /= window.kernel[axis], --axis) {
    int64_t place = rest % window.kernel[axis];
    xOffsets[axis + 3] = number(place * window.dilations[axis]);
    xStrides[axis + 3] = number(window.strides[axis]);
    xSizes[axis + 3] = result[axis + 2];
    wOffsets[axis + 3] = number(place);
    wSizes[axis + 3] = number(1);
    windowAxes.push_back(axis + 3);
  }
  return {b.emit.slice(x, xOffsets, xSizes, xStrides),
          b.emit.dropAxes(b.emit.slice(w, wOffsets, wSizes, wStrides), windowAxes)};
}

// out[n, g, o, l] = sum over taps of x[n, g, c, stride l + dilation tap] w[g, o, c, tap]
static LogicalResult lowerConv(Binder &b) {
  FailureOr<Window> window = bindWindow(b);
  if (failed(window))
    return failure();
  int64_t group = b.integer("group", 1), spatial = b.rank(0) - 2, outputs = b.type(1).getDimSize(0);
  if (group < 1 || outputs % group != 0)
    return b.error() << "group " << group << " does not divide the channels of " << b.type(1);
  auto [padded, result] = padInput(b, *window);
  Value groups = b.index.constant(group), inChannels = b.emit.extent(b.input(1), 1);
  if (failed(b.emit.unify(b.emit.extent(padded, 1), b.index.mul(groups, inChannels), "channels")))
    return failure();
  Value x = splitGroups(b, padded, 1, groups, inChannels);
  Value w = splitGroups(b, b.input(1), 0, groups, b.index.constant(outputs / group));

  constexpr int64_t batch = 0, grouped = 1, input = 2, output = 3, firstSpatial = 4;
  Labels xLabels = {batch, grouped, input}, wLabels = {grouped, output, input}, labels = {batch, grouped, output};
  for (int64_t axis = 0; axis < spatial; ++axis) {
    xLabels.push_back(firstSpatial + axis);
    labels.push_back(firstSpatial + axis);
  }
  auto add = [](ScalarBody &s, ValueRange v) { return s.add(v[0], v[1]); };
  Value sum;
  for (int64_t tap = 0, taps = llvm::product_of(window->kernel); tap < taps; ++tap) {
    auto [seen, factor] = sliceTap(b, x, w, *window, tap, result);
    FailureOr<Value> product = b.emit.contract(seen, xLabels, factor, wLabels, labels);
    if (failed(product))
      return failure();
    Type element = computeType(b.element(0));
    sum = sum ? b.emit.compute({sum, *product}, b.emit.extents(sum), element, false, add) : *product;
  }
  sum = b.emit.reshape(sum, result);
  if (!b.has(2))
    return b.result(0, b.emit.convertElements(sum, b.element(0)));
  Value bias = b.emit.insertAxes(b.input(2), llvm::to_vector(llvm::seq<int64_t>(1, spatial + 1)));
  return b.result(b.emit.elementwise({sum, bias}, b.element(0), false, add));
}

//===----------------------------------------------------------------------===//
// CausalConvWithState
//===----------------------------------------------------------------------===//

static LogicalResult refuseCausalForms(Binder &b) {
  for (auto [name, expected] : {std::pair("ndim", 1),
                                {"dilation", 1},
                                {"channels_last", 0},
                                {"state_channels_last", 0},
                                {"state_window", 0},
                                {"input_channel_offset", 0}})
    if (failed(b.require(name, expected)))
      return failure();
  for (StringRef name : {"state_length", "state_update_capacity", "input_channels"})
    if (b.hasAttribute(name))
      return b.error() << "attribute " << name << " is not supported";
  StringRef activation = b.string("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish")
    return b.error() << "attribute activation: expected none, silu or swish, found " << activation;
  RankedTensorType weight = b.type(1);
  if (b.rank(0) != 3 || weight.getRank() != 3 || !weight.hasStaticShape() || weight.getDimSize(1) != 1)
    return b.error() << "expected [batch, channels, length] and a depthwise weight, found " << b.type(0) << " and "
                     << weight;
  return success();
}

// Depthwise over the past and the new values: y[b, c, l] = sum over taps of (past ++ x)[b, c, l + tap] w[c, tap].
static LogicalResult lowerCausalConv(Binder &b) {
  if (failed(refuseCausalForms(b)))
    return failure();
  auto number = [&](int64_t value) { return b.index.constant(value); };
  int64_t taps = b.type(1).getDimSize(2);
  Extents result = b.emit.extents(b.input(0));
  Value past = b.has(3) ? b.input(3) : Value();
  if (!past) {
    Extents extents = result;
    extents[2] = number(taps - 1);
    past = b.emit.compute(b.emit.splat(0, {}, b.element(0)), extents, b.element(0), false,
                          [](ScalarBody &, ValueRange v) { return v[0]; });
  }
  if (failed(b.emit.unify(b.emit.extent(past, 2), number(taps - 1), "length of the past")))
    return failure();
  FailureOr<Value> whole = b.emit.concat({past, b.input(0)}, 2);
  if (failed(whole))
    return failure();
  SmallVector<Value> operands;
  for (int64_t tap = 0; tap < taps; ++tap) {
    operands.push_back(b.emit.sliceAxis(*whole, 2, number(tap), result[2]));
    operands.push_back(b.emit.dropAxes(b.emit.sliceAxis(b.input(1), 2, number(tap), number(1)), 1));
  }
  bool hasBias = b.has(2), isSilu = b.string("activation", "none") != "none";
  if (hasBias)
    operands.push_back(b.emit.insertAxes(b.input(2), 1));
  FailureOr<Value> y = b.emit.elementwise(operands, b.element(0), false, [&](ScalarBody &s, ValueRange v) {
    Value sum = hasBias ? v.back() : s.constant(0, v[0].getType());
    for (int64_t tap = 0; tap < taps; ++tap)
      sum = s.add(sum, s.mul(v[2 * tap], v[2 * tap + 1]));
    return isSilu ? s.mul(sum, s.logistic(sum)) : sum;
  });
  if (failed(y) || failed(b.result(0, *y)))
    return failure();
  return b.result(1, b.emit.sliceAxis(*whole, 2, result[2], number(taps - 1)));
}

ArrayRef<Row> moec::convRows() {
  static const Row rows[] = {
      {"Conv", 11, 28, 2, lowerConv},
      {"CausalConvWithState", 1, 1, 2, lowerCausalConv, "com.microsoft"},
  };
  return rows;
}
