//===- MatmulRows.cpp - matrix products, einsum, convolution ------------------===//
//
// All of them label the dimensions of their operands and leave the rest to TensorEmitter::contract, whose loops are
// batch, rows, columns, reduction. A weight, or its linalg.transpose, stays an operand of its own.
//
//===----------------------------------------------------------------------===//

#include "Rows.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace moec;

using Extents = Binder::Extents;
using Labels = SmallVector<int64_t>;

namespace {
/// A tensor and a label for each of its dimensions.
struct Labelled {
  Value tensor;
  Labels labels;
};
} // namespace

//===----------------------------------------------------------------------===//
// Labels
//===----------------------------------------------------------------------===//

/// Drops dimensions of extent 1 that broadcast against another operand's.
static void dropOnes(Binder &b, Labelled &operand, const Labelled &other) {
  Labels kept, dropped;
  for (auto [axis, label] : llvm::enumerate(operand.labels)) {
    const auto *found = llvm::find(other.labels, label);
    bool isOne = IndexArithmetic::isConstant(b.emit.extent(operand.tensor, axis), 1);
    bool drops = isOne && found != other.labels.end() &&
                 !IndexArithmetic::isConstant(b.emit.extent(other.tensor, found - other.labels.begin()), 1);
    if (drops)
      dropped.push_back(axis);
    else
      kept.push_back(label);
  }
  if (!dropped.empty())
    operand = {b.emit.dropAxes(operand.tensor, dropped), kept};
}

static FailureOr<Value> contract(Binder &b, Labelled lhs, Labelled rhs, ArrayRef<int64_t> result) {
  dropOnes(b, lhs, rhs);
  dropOnes(b, rhs, lhs);
  return b.emit.contract(lhs.tensor, lhs.labels, rhs.tensor, rhs.labels, result);
}

//===----------------------------------------------------------------------===//
// MatMul and Gemm
//===----------------------------------------------------------------------===//

/// The product in the compute type, with ONNX's rules for vectors and leading dimensions.
static FailureOr<Value> matmul(Binder &b, bool transposeLeft, bool transposeRight) {
  constexpr int64_t inner = -1, row = -2, column = -3;
  SmallVector<Value> operands = {b.input(0), b.input(1)};
  int64_t leftRank = b.rank(0), rightRank = b.rank(1);
  if (leftRank == 0 || rightRank == 0)
    return b.error() << "expected tensors of rank 1 or more, found a scalar";
  if (leftRank > 2 && rightRank > 2 && failed(b.emit.broadcast(operands, /*trailing=*/2)))
    return failure();
  int64_t batch = std::max<int64_t>(std::max(leftRank, rightRank) - 2, 0);
  auto batchLabels = [&](int64_t rank) {
    return llvm::to_vector(llvm::seq<int64_t>(std::min(batch, batch - rank + 2), batch));
  };
  Labelled left{operands[0], batchLabels(leftRank)}, right{operands[1], batchLabels(rightRank)};
  Labels result = llvm::to_vector(llvm::seq<int64_t>(0, batch));
  if (leftRank > 1) {
    left.labels.push_back(transposeLeft ? inner : row);
    result.push_back(row);
  }
  left.labels.push_back(transposeLeft && leftRank > 1 ? row : inner);
  if (rightRank == 1) {
    right.labels.push_back(inner);
  } else {
    right.labels.push_back(transposeRight ? column : inner);
    right.labels.push_back(transposeRight ? inner : column);
    result.push_back(column);
  }
  return contract(b, left, right, result);
}

static LogicalResult lowerMatMul(Binder &b) {
  FailureOr<Value> product = matmul(b, false, false);
  if (failed(product))
    return failure();
  return b.result(0, b.emit.convertElements(*product, b.element(0)));
}

static LogicalResult lowerFusedMatMul(Binder &b) {
  if (failed(b.require("transBatchA", 0)) || failed(b.require("transBatchB", 0)))
    return failure();
  double alpha = b.real("alpha", 1);
  FailureOr<Value> product = matmul(b, b.integer("transA", 0) != 0, b.integer("transB", 0) != 0);
  if (failed(product))
    return failure();
  if (alpha == 1)
    return b.result(0, b.emit.convertElements(*product, b.element(0)));
  return b.result(0, b.emit.map(*product, b.element(0), false, [&](ScalarBody &s, ValueRange v) {
    return s.mul(v[0], s.constant(alpha, v[0].getType()));
  }));
}

static LogicalResult lowerGemm(Binder &b) {
  double alpha = b.real("alpha", 1), beta = b.real("beta", 1);
  if (b.rank(0) != 2 || b.rank(1) != 2)
    return b.error() << "expected matrices, found " << b.type(0) << " and " << b.type(1);
  if (!b.isFloat(0) && (alpha != 1 || beta != 1))
    return b.error() << "expected alpha and beta to be 1 for integers";
  FailureOr<Value> product = matmul(b, b.integer("transA", 0) != 0, b.integer("transB", 0) != 0);
  if (failed(product))
    return failure();
  bool adds = b.has(2) && beta != 0;
  if (!adds && alpha == 1)
    return b.result(0, b.emit.convertElements(*product, b.element(0)));
  SmallVector<Value> operands = {*product};
  if (adds)
    operands.push_back(b.input(2));
  auto scale = [](ScalarBody &s, Value v, double factor) {
    return factor == 1 ? v : s.mul(v, s.constant(factor, v.getType()));
  };
  return b.result(b.emit.elementwise(operands, b.element(0), false, [&](ScalarBody &s, ValueRange v) {
    Value scaled = scale(s, v[0], alpha);
    return adds ? s.add(scaled, scale(s, v[1], beta)) : scaled;
  }));
}

//===----------------------------------------------------------------------===//
// Einsum
//===----------------------------------------------------------------------===//

/// Labels of a term: letters by their code, dimensions of an ellipsis by 256 and up, counted from the right.
static FailureOr<Labels> parseTerm(Binder &b, StringRef term, std::optional<int64_t> rank, int64_t ellipsisRank) {
  Labels labels;
  int64_t letters = llvm::count_if(term, llvm::isAlpha);
  for (size_t place = 0; place < term.size(); ++place) {
    if (llvm::isAlpha(term[place])) {
      if (llvm::is_contained(labels, term[place]))
        return b.error() << "equation: label " << term[place] << " is repeated in a term";
      labels.push_back(term[place]);
      continue;
    }
    if (!term.drop_front(place).starts_with("..."))
      return b.error() << "equation: unexpected character in term " << term;
    place += 2;
    for (int64_t left = rank ? *rank - letters : ellipsisRank; left > 0; --left)
      labels.push_back(255 + left);
  }
  if (rank && static_cast<int64_t>(labels.size()) != *rank)
    return b.error() << "equation: term " << term << " does not fit rank " << *rank;
  return labels;
}

/// The labels of the result if the equation does not give them: those that occur once, in order.
static Labels impliedResult(ArrayRef<Labelled> operands) {
  Labels all, result;
  for (const Labelled &operand : operands)
    llvm::append_range(all, operand.labels);
  for (int64_t label : all)
    if (label > 255 ? !llvm::is_contained(result, label) : llvm::count(all, label) == 1)
      result.push_back(label);
  llvm::sort(result, [](int64_t a, int64_t b) { return (a > 255) != (b > 255) ? a > 255 : (a > 255 ? a > b : a < b); });
  return result;
}

/// Sums over labels that only this operand has.
static void sumPrivateLabels(Binder &b, Labelled &operand, function_ref<bool(int64_t)> isNeeded) {
  Labels axes, kept;
  for (auto [axis, label] : llvm::enumerate(operand.labels))
    (isNeeded(label) ? kept : axes).push_back(isNeeded(label) ? label : static_cast<int64_t>(axis));
  if (axes.empty())
    return;
  auto zero = [](ScalarBody &s, Type type) { return s.constant(0, type); };
  auto add = [](ScalarBody &s, ValueRange v) { return s.add(v[0], v[1]); };
  operand = {b.emit.reduce(operand.tensor, axes, false, zero, add), kept};
}

/// Contracts the operands from left to right.
static FailureOr<Value> contractAll(Binder &b, SmallVector<Labelled> operands, ArrayRef<int64_t> result) {
  auto isNeededBeyond = [&](size_t from, int64_t label) {
    return llvm::is_contained(result, label) || llvm::any_of(ArrayRef(operands).drop_front(from), [&](auto &other) {
             return llvm::is_contained(other.labels, label);
           });
  };
  Labelled sum = operands.front();
  sumPrivateLabels(b, sum, [&](int64_t label) { return isNeededBeyond(1, label); });
  for (size_t i = 1; i < operands.size(); ++i) {
    Labelled next = operands[i];
    sumPrivateLabels(b, next, [&](int64_t label) {
      return llvm::is_contained(sum.labels, label) || isNeededBeyond(i + 1, label);
    });
    Labels kept;
    for (int64_t label : llvm::concat<int64_t>(sum.labels, next.labels))
      if (isNeededBeyond(i + 1, label) && !llvm::is_contained(kept, label))
        kept.push_back(label);
    if (i + 1 == operands.size())
      kept = Labels(result);
    FailureOr<Value> product = contract(b, sum, next, kept);
    if (failed(product))
      return failure();
    sum = {*product, kept};
  }
  Labels order;
  for (int64_t label : result)
    order.push_back(llvm::find(sum.labels, label) - sum.labels.begin());
  return b.emit.transpose(sum.tensor, order);
}

static LogicalResult lowerEinsum(Binder &b) {
  std::string equation;
  for (char c : b.string("equation", ""))
    if (c != ' ')
      equation += c;
  auto [terms, output] = StringRef(equation).split("->");
  SmallVector<StringRef> inputs;
  terms.split(inputs, ',');
  if (inputs.size() != b.inputCount())
    return b.error() << "equation: expected " << b.inputCount() << " terms, found " << inputs.size();
  SmallVector<Labelled> operands;
  int64_t ellipsisRank = 0;
  for (auto [i, term] : llvm::enumerate(inputs)) {
    FailureOr<Labels> labels = parseTerm(b, term, b.rank(i), 0);
    if (failed(labels))
      return failure();
    ellipsisRank = std::max<int64_t>(ellipsisRank, llvm::count_if(*labels, [](int64_t label) { return label > 255; }));
    operands.push_back({b.input(i), *labels});
  }
  Labels result = impliedResult(operands);
  if (StringRef(equation).contains("->")) {
    FailureOr<Labels> given = parseTerm(b, output, std::nullopt, ellipsisRank);
    if (failed(given))
      return failure();
    result = *given;
  }
  for (int64_t label : result)
    if (llvm::none_of(operands, [&](const Labelled &operand) { return llvm::is_contained(operand.labels, label); }))
      return b.error() << "equation: a label of the result occurs in no input";
  FailureOr<Value> product = contractAll(b, operands, result);
  if (failed(product))
    return failure();
  return b.result(0, b.emit.convertElements(*product, b.element(0)));
}

//===----------------------------------------------------------------------===//
// Convolution
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

ArrayRef<Row> moec::matmulRows() {
  static const Row rows[] = {
      {"Conv", 11, 28, 2, lowerConv},
      {"Einsum", 12, 28, 1, lowerEinsum},
      {"Gemm", 13, 28, 2, lowerGemm},
      {"MatMul", 13, 28, 2, lowerMatMul},
      {"FusedMatMul", 1, 1, 2, lowerFusedMatMul, "com.microsoft"},
  };
  return rows;
}
