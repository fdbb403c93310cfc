//===- NormRows.cpp - softmax and normalisation -------------------------------===//

#include "Rows.h"
#include "moec/Dialect/Nn/Nn.h"

using namespace mlir;
using namespace moec;

using Extents = Binder::Extents;

static Type elementOf(Value tensor) { return cast<RankedTensorType>(tensor.getType()).getElementType(); }

static Value sumOf(Binder &b, Value x, int64_t axis) {
  return b.emit.reduce(
      x, axis, false, [](ScalarBody &s, Type type) { return s.constant(0, type); },
      [](ScalarBody &s, ValueRange v) { return s.add(v[0], v[1]); });
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// The kernels of nn know storage types of f32.
static LogicalResult requireF32Arithmetic(Binder &b, Type element) {
  if (computeType(element).isF32())
    return success();
  return b.error() << "elements of type " << element << " are not supported";
}

/// exp(x - max) and its sum along an axis, kept, in the compute type.
static std::pair<Value, Value> shiftedPowers(Binder &b, Value shifted, int64_t axis) {
  Type element = elementOf(shifted);
  Value powers = b.emit.map(shifted, element, false, [](ScalarBody &s, ValueRange v) { return s.exp(v[0]); });
  return {powers, b.emit.insertAxes(sumOf(b, powers, axis), axis)};
}

/// x - max along an axis, in the compute type.
static Value shiftByPeak(Binder &b, int64_t axis) {
  Type element = computeType(b.element(0));
  Value x = b.emit.convertElements(b.input(0), element);
  Value peak = b.emit.reduce(
      x, axis, false, [](ScalarBody &s, Type type) { return s.lowest(type); },
      [](ScalarBody &s, ValueRange v) { return s.max(v[0], v[1]); });
  return b.emit.compute({x, b.emit.insertAxes(peak, axis)}, b.emit.extents(x), element, false,
                        [](ScalarBody &s, ValueRange v) { return s.sub(v[0], v[1]); });
}

static LogicalResult lowerSoftmax(Binder &b) {
  Value x = b.input(0);
  int64_t rank = b.rank(0);
  FailureOr<int64_t> axis = b.axis(-1, rank);
  if (failed(axis))
    return failure();
  if (!computeType(b.element(0)).isF32()) {
    auto [powers, total] = shiftedPowers(b, shiftByPeak(b, *axis), *axis);
    return b.result(0, b.emit.compute({powers, total}, b.emit.extents(powers), b.element(0), false,
                                      [](ScalarBody &s, ValueRange v) { return s.div(v[0], v[1]); }));
  }
  auto order = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::swap(order[*axis], order.back());
  x = b.emit.transpose(x, order);
  auto op = nn::SoftmaxOp::create(b.emit.builder, x.getType(), x);
  return b.result(0, b.emit.transpose(b.emit.withExtents(op, b.emit.extents(x)), order));
}

static LogicalResult lowerLogSoftmax(Binder &b) {
  FailureOr<int64_t> axis = b.axis(-1, b.rank(0));
  if (failed(axis))
    return failure();
  Value shifted = shiftByPeak(b, *axis), total = shiftedPowers(b, shifted, *axis).second;
  return b.result(0, b.emit.compute({shifted, total}, b.emit.extents(shifted), b.element(0), false,
                                    [](ScalarBody &s, ValueRange v) { return s.sub(v[0], s.log(v[1])); }));
}

// 1 at the first largest element along the axis, 0 elsewhere.
static LogicalResult lowerHardmax(Binder &b) {
  int64_t rank = b.rank(0);
  FailureOr<int64_t> axis = b.axis(-1, rank);
  if (failed(axis))
    return failure();
  auto order = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::swap(order[*axis], order.back());
  Value place = b.emit.topK(b.emit.transpose(b.input(0), order), b.index.constant(1), /*largest=*/true).second;
  place = b.emit.transpose(place, order);
  return b.result(
      0, b.emit.compute(place, b.emit.extents(b.input(0)), b.element(0), false, [&](ScalarBody &s, ValueRange v) {
        Value here = arith::IndexCastOp::create(s.builder, v[0].getType(), linalg::IndexOp::create(s.builder, *axis));
        Type type = computeType(b.element(0));
        return s.select(s.equal(here, v[0]), s.constant(1, type), s.constant(0, type));
      }));
}

//===----------------------------------------------------------------------===//
// Normalisation over the last dimensions
//===----------------------------------------------------------------------===//

namespace {
/// The dimensions from `axis` on are one; weights have one dimension of the same extent.
struct NormInputs {
  Value x, weight, bias;
  Extents extents, outer;
};
} // namespace

/// Gives a weight the shape [n]: it must cover the normalised dimensions exactly, but for leading ones.
static FailureOr<Value> flattenWeight(Binder &b, Value weight, ArrayRef<Value> normalized, Type element) {
  Extents extents = b.emit.extents(weight);
  while (extents.size() > normalized.size() && IndexArithmetic::isConstant(extents.front(), 1))
    extents.erase(extents.begin());
  if (extents.size() > normalized.size())
    return b.error() << "expected a scale of the normalised dimensions, found " << weight.getType();
  FailureOr<Value> full = b.emit.expand(b.emit.reshape(weight, extents), normalized);
  if (failed(full))
    return failure();
  return b.emit.convertElements(b.emit.reshape(*full, b.index.product(normalized)), element);
}

static FailureOr<NormInputs> bindNorm(Binder &b, Value x, int64_t axis, Value weight, Value bias) {
  NormInputs inputs;
  Type element = b.resultElement(0);
  if (failed(requireF32Arithmetic(b, element)))
    return failure();
  inputs.extents = b.emit.extents(x);
  inputs.outer = Extents(ArrayRef(inputs.extents).take_front(axis));
  auto normalized = ArrayRef(inputs.extents).drop_front(axis);
  Extents flat = inputs.outer;
  flat.push_back(b.index.product(normalized));
  inputs.x = b.emit.reshape(b.emit.convertElements(x, element), flat);
  for (auto [from, to] : {std::pair(weight, &inputs.weight), std::pair(bias, &inputs.bias)}) {
    if (!from)
      continue;
    FailureOr<Value> flatWeight = flattenWeight(b, from, normalized, element);
    if (failed(flatWeight))
      return failure();
    *to = *flatWeight;
  }
  return inputs;
}

/// mean(f(x)) over the last dimension, in the compute type, then `finish` on it.
static Value statistic(Binder &b, const NormInputs &inputs, TensorEmitter::Body f, TensorEmitter::Body finish) {
  Type element = computeType(elementOf(inputs.x));
  int64_t last = inputs.outer.size();
  Value sum = sumOf(b, b.emit.map(inputs.x, element, false, f), last);
  Value count = b.emit.extent(inputs.x, last);
  return b.emit.map(sum, element, false, [&](ScalarBody &s, ValueRange v) {
    Value integer = arith::IndexCastOp::create(s.builder, s.builder.getI64Type(), count);
    Value mean = s.div(v[0], s.convert(integer, v[0].getType(), false, false));
    return finish(s, mean);
  });
}

static Value inverseRoot(ScalarBody &s, Value variance, double eps) {
  Type type = variance.getType();
  return s.div(s.constant(1, type), s.sqrt(s.add(variance, s.constant(eps, type))));
}

/// A statistic as ONNX wants it: the normalised dimensions are 1.
static LogicalResult giveStatistic(Binder &b, unsigned result, const NormInputs &inputs, Value value) {
  Extents extents = inputs.outer;
  extents.resize(inputs.extents.size(), b.index.constant(1));
  return b.result(result, b.emit.reshape(b.emit.convertElements(value, b.resultElement(result)), extents));
}

static LogicalResult lowerLayerNorm(Binder &b) {
  FailureOr<int64_t> axis = b.axis(-1, b.rank(0));
  if (failed(axis))
    return failure();
  FailureOr<NormInputs> inputs = bindNorm(b, b.input(0), *axis, b.input(1), b.has(2) ? b.input(2) : Value());
  if (failed(inputs))
    return failure();
  double eps = b.real("epsilon", 1e-5f);
  auto op = nn::LayerNormOp::create(b.emit.builder, inputs->x.getType(), inputs->x, inputs->weight, inputs->bias,
                                    b.emit.builder.getF64FloatAttr(eps));
  Value y = b.emit.withExtents(op, b.emit.extents(inputs->x));
  if (failed(b.result(0, b.emit.reshape(y, inputs->extents))))
    return failure();
  if (!b.isUsed(1) && !b.isUsed(2))
    return success();
  auto identity = [](ScalarBody &, ValueRange v) { return v[0]; };
  Value mean = statistic(b, *inputs, identity, identity);
  if (b.isUsed(1) && failed(giveStatistic(b, 1, *inputs, mean)))
    return failure();
  if (!b.isUsed(2))
    return success();
  NormInputs centered = *inputs;
  int64_t last = inputs->outer.size();
  centered.x = b.emit.compute({inputs->x, b.emit.insertAxes(mean, last)}, b.emit.extents(inputs->x),
                              computeType(elementOf(inputs->x)), false,
                              [](ScalarBody &s, ValueRange v) { return s.sub(v[0], v[1]); });
  Value inverse = statistic(
      b, centered, [](ScalarBody &s, ValueRange v) { return s.mul(v[0], v[0]); },
      [&](ScalarBody &s, ValueRange v) { return inverseRoot(s, v[0], eps); });
  return giveStatistic(b, 2, *inputs, inverse);
}

/// Normalises `x`; `inverseResult` is the result that takes 1 / sqrt(mean(x^2) + eps), if there is one.
static LogicalResult rmsNorm(Binder &b, Value x, int64_t axis, Value weight, std::optional<unsigned> inverseResult) {
  FailureOr<NormInputs> inputs = bindNorm(b, x, axis, weight, Value());
  if (failed(inputs))
    return failure();
  double eps = b.real("epsilon", 1e-5f);
  auto op = nn::RmsNormOp::create(b.emit.builder, inputs->x.getType(), inputs->x, inputs->weight,
                                  b.emit.builder.getF64FloatAttr(eps));
  Value y = b.emit.withExtents(op, b.emit.extents(inputs->x));
  if (failed(b.result(0, b.emit.reshape(y, inputs->extents))))
    return failure();
  if (!inverseResult || !b.isUsed(*inverseResult))
    return success();
  Value inverse = statistic(
      b, *inputs, [](ScalarBody &s, ValueRange v) { return s.mul(v[0], v[0]); },
      [&](ScalarBody &s, ValueRange v) { return inverseRoot(s, v[0], eps); });
  return giveStatistic(b, *inverseResult, *inputs, inverse);
}

static LogicalResult lowerRmsNorm(Binder &b) {
  FailureOr<int64_t> axis = b.axis(-1, b.rank(0));
  if (failed(axis))
    return failure();
  return rmsNorm(b, b.input(0), *axis, b.input(1), 1);
}

/// input + skip (+ bias), the sum that the fused operators normalise and give as result 3.
static FailureOr<Value> skipSum(Binder &b, unsigned bias) {
  SmallVector<Value> terms = {b.input(0), b.input(1)};
  if (b.has(bias))
    terms.push_back(b.input(bias));
  FailureOr<Value> sum = b.emit.elementwise(terms, b.element(0), false, [](ScalarBody &s, ValueRange v) {
    Value total = s.add(v[0], v[1]);
    return v.size() == 3 ? s.add(total, v[2]) : total;
  });
  if (failed(sum) || failed(b.result(3, *sum)))
    return failure();
  return sum;
}

static LogicalResult lowerSkipRmsNorm(Binder &b) {
  FailureOr<Value> sum = skipSum(b, /*bias=*/3);
  if (failed(sum))
    return failure();
  return rmsNorm(b, *sum, b.rank(0) - 1, b.input(2), 2);
}

static LogicalResult lowerSkipLayerNorm(Binder &b) {
  FailureOr<Value> sum = skipSum(b, /*bias=*/4);
  if (failed(sum))
    return failure();
  FailureOr<NormInputs> inputs = bindNorm(b, *sum, b.rank(0) - 1, b.input(2), b.has(3) ? b.input(3) : Value());
  if (failed(inputs))
    return failure();
  auto op = nn::LayerNormOp::create(b.emit.builder, inputs->x.getType(), inputs->x, inputs->weight, inputs->bias,
                                    b.emit.builder.getF64FloatAttr(b.real("epsilon", 1e-12f)));
  return b.result(0, b.emit.withExtents(op, inputs->extents));
}

//===----------------------------------------------------------------------===//
// Normalisation of channels
//===----------------------------------------------------------------------===//

/// (x - mean) * scale / sqrt(variance + epsilon) + bias; scale and bias are [C], and C is dimension 1 of x.
static LogicalResult normalizeChannels(Binder &b, Value mean, Value variance, Value scale, Value bias) {
  double eps = b.real("epsilon", 1e-5f);
  auto trailing = llvm::to_vector(llvm::seq<int64_t>(1, b.rank(0) - 1));
  Value alongX[] = {b.emit.insertAxes(scale, trailing), b.emit.insertAxes(bias, trailing)};
  return b.result(b.emit.elementwise({b.input(0), mean, variance, alongX[0], alongX[1]}, b.resultElement(0), false,
                                     [&](ScalarBody &s, ValueRange v) {
                                       // Parameters may be wider than x.
                                       Type wide = v[0].getType();
                                       SmallVector<Value> p;
                                       for (Value value : v.drop_front())
                                         p.push_back(s.convert(value, wide, false, false));
                                       Value factor = s.mul(p[2], inverseRoot(s, p[1], eps));
                                       return s.add(s.mul(s.sub(v[0], p[0]), factor), p[3]);
                                     }));
}

/// Mean and variance of x over `axes`, which stay as 1.
static std::pair<Value, Value> momentsOf(Binder &b, ArrayRef<int64_t> axes) {
  Value mean = b.emit.insertAxes(b.emit.mean(b.input(0), axes), axes);
  Value squares = b.emit.compute({b.input(0), mean}, b.emit.extents(b.input(0)), elementOf(mean), false,
                                 [](ScalarBody &s, ValueRange v) {
                                   Value centered = s.sub(v[0], v[1]);
                                   return s.mul(centered, centered);
                                 });
  return {mean, b.emit.insertAxes(b.emit.mean(squares, axes), axes)};
}

// In training the moments are those of x, and results 1 and 2 are what running means of them become.
static LogicalResult lowerBatchNorm(Binder &b) {
  if (b.rank(0) < 2)
    return b.error() << "expected rank 2 or more, found " << b.type(0);
  auto trailing = llvm::to_vector(llvm::seq<int64_t>(1, b.rank(0) - 1));
  if (b.integer("training_mode", 0) == 0)
    return normalizeChannels(b, b.emit.insertAxes(b.input(3), trailing), b.emit.insertAxes(b.input(4), trailing),
                             b.input(1), b.input(2));
  SmallVector<int64_t> axes = {0};
  llvm::append_range(axes, llvm::seq<int64_t>(2, b.rank(0)));
  auto [mean, variance] = momentsOf(b, axes);
  double momentum = b.real("momentum", 0.9f);
  for (auto [result, moment] : {std::pair(1u, mean), std::pair(2u, variance)}) {
    FailureOr<Value> running = b.emit.elementwise(
        {b.input(2 + result), b.emit.dropAxes(moment, axes)}, b.resultElement(result), false,
        [&](ScalarBody &s, ValueRange v) {
          Value kept = s.mul(v[0], s.constant(momentum, v[0].getType()));
          Value added = s.mul(s.convert(v[1], v[0].getType(), false, false), s.constant(1 - momentum, v[0].getType()));
          return s.convert(s.add(kept, added), computeType(b.resultElement(result)), false, false);
        });
    if (failed(running) || failed(b.result(result, *running)))
      return failure();
  }
  auto leading = [&](Value moment) { return b.emit.dropAxes(moment, 0); };
  return normalizeChannels(b, leading(mean), leading(variance), b.input(1), b.input(2));
}

static LogicalResult lowerInstanceNorm(Binder &b) {
  if (b.rank(0) < 3)
    return b.error() << "expected rank 3 or more, found " << b.type(0);
  auto [mean, variance] = momentsOf(b, llvm::to_vector(llvm::seq<int64_t>(2, b.rank(0))));
  return normalizeChannels(b, mean, variance, b.input(1), b.input(2));
}

// x / norm(x) along an axis; 0 where the norm is 0.
static LogicalResult lowerLpNorm(Binder &b) {
  FailureOr<int64_t> axis = b.axis(-1, b.rank(0));
  int64_t p = b.integer("p", 2);
  if (failed(axis))
    return failure();
  if (p != 1 && p != 2)
    return b.error() << "attribute p: expected 1 or 2, found " << p;
  Value sum = b.emit.reduce(
      b.input(0), *axis, false, [](ScalarBody &s, Type type) { return s.constant(0, type); },
      [&](ScalarBody &s, ValueRange v) { return s.add(v[0], p == 1 ? s.abs(v[1]) : s.mul(v[1], v[1])); });
  return b.result(0, b.emit.compute({b.input(0), b.emit.insertAxes(sum, *axis)}, b.emit.extents(b.input(0)),
                                    b.element(0), false, [&](ScalarBody &s, ValueRange v) {
                                      Value norm = p == 1 ? v[1] : s.sqrt(v[1]), zero = s.constant(0, norm.getType());
                                      return s.select(s.equal(norm, zero), zero, s.div(v[0], norm));
                                    }));
}

ArrayRef<Row> moec::normRows() {
  static const Row rows[] = {
      {"BatchNormalization", 9, 28, 5, lowerBatchNorm},
      {"Hardmax", 13, 28, 1, lowerHardmax},
      {"InstanceNormalization", 6, 28, 3, lowerInstanceNorm},
      {"LayerNormalization", 1, 28, 2, lowerLayerNorm},
      {"LogSoftmax", 13, 28, 1, lowerLogSoftmax},
      {"LpNormalization", 1, 28, 1, lowerLpNorm},
      {"RMSNormalization", 23, 28, 2, lowerRmsNorm},
      {"SimplifiedLayerNormalization", 1, 28, 2, lowerRmsNorm},
      {"Softmax", 13, 28, 1, lowerSoftmax},
      {"SimplifiedLayerNormalization", 1, 1, 2, lowerRmsNorm, "com.microsoft"},
      {"SkipLayerNormalization", 1, 1, 3, lowerSkipLayerNorm, "com.microsoft"},
      {"SkipSimplifiedLayerNormalization", 1, 1, 3, lowerSkipRmsNorm, "com.microsoft"},
  };
  return rows;
}
