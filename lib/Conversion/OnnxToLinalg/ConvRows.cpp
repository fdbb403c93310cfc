//===- ConvRows.cpp - convolutions: products of what a window sees -------------===//

#include "Rows.h"
#include "SlidingWindow.h"

using namespace mlir;
using namespace moec;

using Axes = Binder::Axes;
using Extents = Binder::Extents;
using Labels = SmallVector<int64_t>;

//===----------------------------------------------------------------------===//
// Conv
//===----------------------------------------------------------------------===//

/// Splits dimension `axis` into groups of `inner`.
static Value splitGroups(Binder &b, Value tensor, size_t axis, Value groups, Value inner) {
  Extents extents = b.emit.extents(tensor);
  extents[axis] = inner;
  extents.insert(extents.begin() + axis, groups);
  return b.emit.reshape(tensor, extents);
}

/// sum over channels and elements of seen [N, places…, groups * C, elements…] * w [groups, O, C, elements…], as
/// [N, groups * O, places…] in the compute type. One group is a product with a matrix.
static FailureOr<Value> contractWindows(Binder &b, Value seen, Value w, int64_t spatial) {
  Extents seenSizes = b.emit.extents(seen), wSizes = b.emit.extents(w), seenShape, wShape;
  Value depth = b.index.product(ArrayRef(wSizes).drop_front(2));
  llvm::append_range(seenShape, ArrayRef(seenSizes).take_front(spatial + 1));
  Extents result = {seenSizes[0], b.index.mul(wSizes[0], wSizes[1])};
  llvm::append_range(result, ArrayRef(seenShape).drop_front());

  Labels places = llvm::to_vector(llvm::seq<int64_t>(0, spatial + 1)), seenLabels = places, wLabels, labels = places;
  int64_t group = spatial + 1, output = group + 1, summed = group + 2;
  bool isGrouped = !IndexArithmetic::isConstant(wSizes[0], 1);
  if (isGrouped) {
    llvm::append_values(seenShape, wSizes[0]);
    llvm::append_values(wShape, wSizes[0]);
    for (Labels *list : {&seenLabels, &wLabels, &labels})
      list->push_back(group);
  }
  llvm::append_values(seenShape, depth);
  llvm::append_values(wShape, wSizes[1], depth);
  seenLabels.push_back(summed);
  llvm::append_values(wLabels, output, summed);
  labels.push_back(output);
  FailureOr<Value> product =
      b.emit.contract(b.emit.reshape(seen, seenShape), seenLabels, b.emit.reshape(w, wShape), wLabels, labels);
  if (failed(product))
    return failure();
  Labels order = {0};
  for (int64_t axis = spatial + 1; axis < static_cast<int64_t>(labels.size()); ++axis)
    order.push_back(axis);
  for (int64_t axis = 1; axis <= spatial; ++axis)
    order.push_back(axis);
  return b.emit.reshape(b.emit.transpose(*product, order), result);
}

/// Adds the optional bias, input 2, and gives result 0.
static LogicalResult finishConvolution(Binder &b, Value sum) {
  if (!b.has(2))
    return b.result(0, b.emit.convertElements(sum, b.element(0)));
  Value bias = b.emit.insertAxes(b.input(2), llvm::to_vector(llvm::seq<int64_t>(1, b.rank(0) - 1)));
  auto add = [](ScalarBody &s, ValueRange v) { return s.add(v[0], v[1]); };
  return b.result(b.emit.elementwise({sum, bias}, b.element(0), false, add));
}

static LogicalResult requireStaticWeight(Binder &b) {
  if (b.rank(1) != b.rank(0))
    return b.error() << "expected input and weight of one rank, found " << b.type(0) << " and " << b.type(1);
  if (!b.type(1).hasStaticShape())
    return b.error() << "expected a weight of static shape, found " << b.type(1);
  return success();
}

// out[n, g o, p] = sum over c and elements e of x[n, g c, stride p + dilation e] w[g o, c, e]
static LogicalResult lowerConv(Binder &b) {
  if (failed(requireStaticWeight(b)))
    return failure();
  FailureOr<SlidingWindow> window = SlidingWindow::get(b, b.type(1).getShape().drop_front(2));
  if (failed(window))
    return failure();
  int64_t group = b.integer("group", 1), outputs = b.type(1).getDimSize(0);
  if (group < 1 || outputs % group != 0)
    return b.error() << "group " << group << " does not divide the channels of " << b.type(1);
  Value groups = b.index.constant(group), inChannels = b.emit.extent(b.input(1), 1);
  if (failed(b.emit.unify(b.emit.extent(b.input(0), 1), b.index.mul(groups, inChannels), "channels")))
    return failure();
  Value seen = window->view(b, b.input(0), 0, /*channelsLast=*/true);
  Value w = splitGroups(b, b.input(1), 0, groups, b.index.constant(outputs / group));
  FailureOr<Value> sum = contractWindows(b, seen, w, window->getSpatialRank());
  return failed(sum) ? failure() : finishConvolution(b, *sum);
}

//===----------------------------------------------------------------------===//
// ConvTranspose
//===----------------------------------------------------------------------===//

/// Pads and places of the result of a transposed convolution, from output_shape, auto_pad or pads.
static LogicalResult placeTransposed(Binder &b, SlidingWindow &window) {
  int64_t spatial = window.getSpatialRank();
  Axes padding = b.integers("output_padding").value_or(Axes(spatial, 0));
  std::optional<Axes> shape = b.integers("output_shape");
  StringRef automatic = b.string("auto_pad", "NOTSET");
  if (!llvm::is_contained({"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"}, automatic))
    return b.error() << "attribute auto_pad: expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, found " << automatic;
  if (static_cast<int64_t>(padding.size()) != spatial || (shape && static_cast<int64_t>(shape->size()) != spatial))
    return b.error() << "expected output_padding and output_shape of " << spatial << " dimensions";
  auto number = [&](int64_t value) { return b.index.constant(value); };
  for (int64_t axis = 0; axis < spatial; ++axis) {
    Value extent = b.emit.extent(b.input(0), axis + 2), stride = number(window.strides[axis]);
    Value spread = b.index.mul(b.index.sub(extent, number(1)), stride);
    Value whole = b.index.add(spread, number(window.getReach(axis) + 1 + padding[axis]));
    if (!shape && !automatic.starts_with("SAME")) {
      Value places = b.index.sub(b.index.sub(whole, window.before[axis]), window.after[axis]);
      window.places.push_back(b.index.max(places, number(0)));
      continue;
    }
    Value places = shape ? number((*shape)[axis]) : b.index.mul(extent, stride);
    Value total = b.index.max(b.index.sub(whole, places), number(0)), half = b.index.div(total, number(2));
    window.before[axis] = automatic == "SAME_UPPER" ? half : b.index.sub(total, half);
    window.places.push_back(places);
  }
  return success();
}

/// What place p of the result sees through element e: x[(p + before - dilation e) / stride], or 0 where that is not an
/// element of x. [N, places…, C, elements…].
static Value spreadView(Binder &b, const SlidingWindow &window) {
  Value x = b.input(0);
  int64_t spatial = window.getSpatialRank();
  Extents sizes = b.emit.extents(x), extents = {sizes[0]};
  llvm::append_range(extents, window.places);
  extents.push_back(sizes[1]);
  for (int64_t extent : window.kernel)
    extents.push_back(b.index.constant(extent));
  return b.emit.generate(extents, b.element(0), [&](ScalarBody &s, ValueRange i) {
    Type index = i[0].getType();
    Value nought = s.constant(0, index), one = s.constant(1, index);
    Value inside = arith::ConstantOp::create(s.builder, s.builder.getBoolAttr(true));
    SmallVector<Value> at = {i[0], i[spatial + 1]};
    for (int64_t axis = 0; axis < spatial; ++axis) {
      Value stride = s.constant(window.strides[axis], index), extent = sizes[axis + 2];
      Value ahead = s.add(i[axis + 1], window.before[axis]);
      Value spread = s.sub(ahead, s.mul(i[spatial + 2 + axis], s.constant(window.dilations[axis], index)));
      Value place = s.div(spread, stride);
      Value hits = arith::AndIOp::create(s.builder, s.equal(s.mul(place, stride), spread), s.lessEqual(nought, spread));
      hits = arith::AndIOp::create(s.builder, hits, s.less(place, extent));
      inside = arith::AndIOp::create(s.builder, inside, hits);
      at.push_back(s.max(s.min(place, s.sub(extent, one)), nought));
    }
    Value value = s.widen(tensor::ExtractOp::create(s.builder, x, at));
    return s.select(inside, value, s.constant(0, value.getType()));
  });
}

// w is [groups * C, O, elements…].
static LogicalResult lowerConvTranspose(Binder &b) {
  if (failed(requireStaticWeight(b)))
    return failure();
  FailureOr<SlidingWindow> window = SlidingWindow::getSteps(b, b.type(1).getShape().drop_front(2));
  if (failed(window) || failed(placeTransposed(b, *window)))
    return failure();
  int64_t group = b.integer("group", 1), inputs = b.type(1).getDimSize(0);
  if (group < 1 || inputs % group != 0)
    return b.error() << "group " << group << " does not divide the channels of " << b.type(1);
  if (failed(b.emit.unify(b.emit.extent(b.input(0), 1), b.index.constant(inputs), "channels")))
    return failure();
  for (int64_t axis = 2; axis < b.rank(0); ++axis) {
    Value some = b.index.compare(arith::CmpIPredicate::sgt, b.emit.extent(b.input(0), axis), b.index.constant(0));
    if (failed(b.emit.check(some, "spatial dimension " + Twine(axis) + " is empty")))
      return failure();
  }
  Value w = splitGroups(b, b.input(1), 0, b.index.constant(group), b.index.constant(inputs / group));
  Labels order = {0, 2, 1};
  for (int64_t axis = 3; axis <= b.rank(1); ++axis)
    order.push_back(axis);
  FailureOr<Value> sum =
      contractWindows(b, spreadView(b, *window), b.emit.transpose(w, order), window->getSpatialRank());
  return failed(sum) ? failure() : finishConvolution(b, *sum);
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
      {"ConvTranspose", 11, 28, 2, lowerConvTranspose},
      {"CausalConvWithState", 1, 1, 2, lowerCausalConv, "com.microsoft"},
  };
  return rows;
}
