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
  if (static_cast<int64_t>(pads.size()) != 2 * spatial)
    return b.error() << "expected " << 2 * spatial << " pads, found " << pads.size();
  window.before = Binder::Axes(ArrayRef(pads).take_front(spatial));
  window.after = Binder::Axes(ArrayRef(pads).drop_front(spatial));
  constexpr int64_t maxTaps = 64;
  if (llvm::product_of(window.kernel) > maxTaps)
    return b.error() << "expected a window of at most " << maxTaps << " elements, found " << b.type(1);
  return window;
}

// One product per element of the window: out[n, g, o, l] = sum over taps of x[n, g, c, stride l + tap] w[g, o, c, tap].
static LogicalResult lowerConv(Binder &b) {
  FailureOr<Window> window = bindWindow(b);
  if (failed(window))
    return failure();
  int64_t group = b.integer("group", 1), spatial = b.rank(0) - 2;
  if (b.type(1).getDimSize(0) % group != 0)
    return b.error() << "group " << group << " does not divide the channels of " << b.type(1);
  auto number = [&](int64_t value) { return b.index.constant(value); };
  Extents sizes = b.emit.extents(b.input(0)), weight = b.emit.extents(b.input(1));
  Extents before(sizes.size(), number(0)), after(sizes.size(), number(0));
  for (int64_t axis = 0; axis < spatial; ++axis) {
    before[axis + 2] = number(window->before[axis]);
    after[axis + 2] = number(window->after[axis]);
  }
  Value x = b.emit.pad(b.input(0), before, after, b.emit.splat(0, {}, b.element(0)));
  Extents result(ArrayRef(sizes).take_front(2));
  for (int64_t axis = 0; axis < spatial; ++axis) {
    int64_t reach = (window->kernel[axis] - 1) * window->dilations[axis];
    Value room = b.index.sub(b.emit.extent(x, axis + 2), number(reach));
    result.push_back(b.index.ceilDiv(b.index.max(room, number(0)), number(window->strides[axis])));
  }
  // [N, C, …] -> [N, G, C/G, …] and [O, C/G, …] -> [G, O/G, C/G, …]
  auto divided = [&](ArrayRef<Value> extents, size_t axis, Value inner) {
    Extents split(extents.take_front(axis));
    split.push_back(number(group));
    split.push_back(inner);
    llvm::append_range(split, extents.drop_front(axis + 1));
    return split;
  };
  Value inChannels = weight[1], outChannels = b.index.div(weight[0], number(group));
  Extents padded = b.emit.extents(x);
  if (failed(b.emit.unify(padded[1], b.index.mul(number(group), inChannels), "channels")))
    return failure();
  x = b.emit.reshape(x, divided(padded, 1, inChannels));
  Value w = b.emit.reshape(b.input(1), divided(weight, 0, outChannels));

  constexpr int64_t batch = 0, groups = 1, input = 2, output = 3, firstSpatial = 4;
  Labels xLabels = {batch, groups, input}, wLabels = {groups, output, input}, labels = {batch, groups, output};
  for (int64_t axis = 0; axis < spatial; ++axis) {
    xLabels.push_back(firstSpatial + axis);
    labels.push_back(firstSpatial + axis);
  }
  Value sum;
  for (int64_t tap = 0, taps = llvm::product_of(window->kernel); tap < taps; ++tap) {
    Extents xSizes = b.emit.extents(x), wSizes = b.emit.extents(w);
    Extents xOffsets(xSizes.size(), number(0)), wOffsets(wSizes.size(), number(0));
    Extents xStrides(xSizes.size(), number(1)), wStrides(wSizes.size(), number(1));
    Labels tapAxes;
    for (int64_t axis = spatial - 1, rest = tap; axis >= 0; rest /= window->kernel[axis], --axis) {
      int64_t place = rest % window->kernel[axis];
      xOffsets[axis + 3] = number(place * window->dilations[axis]);
      xStrides[axis + 3] = number(window->strides[axis]);
      xSizes[axis + 3] = result[axis + 2];
      wOffsets[axis + 3] = number(place);
      wSizes[axis + 3] = number(1);
      tapAxes.push_back(axis + 3);
    }
    Value rows = b.emit.slice(x, xOffsets, xSizes, xStrides);
    Value columns = b.emit.dropAxes(b.emit.slice(w, wOffsets, wSizes, wStrides), tapAxes);
    FailureOr<Value> product = b.emit.contract(rows, xLabels, columns, wLabels, labels);
    if (failed(product))
      return failure();
    sum = !sum ? *product
               : b.emit.compute({sum, *product}, b.emit.extents(sum), computeType(b.element(0)), false,
                                [](ScalarBody &s, ValueRange v) { return s.add(v[0], v[1]); });
  }
  result[1] = weight[0];
  sum = b.emit.reshape(sum, result);
  if (!b.has(2))
    return b.result(0, b.emit.convertElements(sum, b.element(0)));
  Value bias = b.emit.insertAxes(b.input(2), llvm::to_vector(llvm::seq<int64_t>(1, spatial + 1)));
  return b.result(b.emit.elementwise({sum, bias}, b.element(0), false,
                                     [](ScalarBody &s, ValueRange v) { return s.add(v[0], v[1]); }));
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
