//===- RandomRows.cpp - random values ------------------------------------------===//
//
// An element is a function of the seed, the node and its place: the same in every run, on every device, whatever order
// elements are computed in.
//
//===----------------------------------------------------------------------===//

#include "Rows.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/Support/xxhash.h"
#include <numbers>

using namespace mlir;
using namespace moec;

using Extents = Binder::Extents;

/// What tells the streams of nodes apart: the seed, if the node has one, or what the node is called.
static uint64_t streamOf(Binder &b) {
  if (auto seed = dyn_cast_or_null<FloatAttr>(b.attribute("seed")))
    return seed.getValue().bitcastToAPInt().getZExtValue();
  if (auto seed = dyn_cast_or_null<IntegerAttr>(b.attribute("seed")))
    return seed.getInt();
  std::string name;
  llvm::raw_string_ostream(name) << b.emit.builder.getLoc();
  return llvm::xxh3_64bits(name);
}

static Value wide(ScalarBody &s, uint64_t value) {
  return arith::ConstantOp::create(s.builder, s.builder.getIntegerAttr(s.builder.getI64Type(), APInt(64, value)));
}

/// SplitMix64 of a counter.
static Value randomBits(ScalarBody &s, uint64_t stream, Value counter) {
  Value z = s.add(wide(s, stream), s.mul(s.add(counter, wide(s, 1)), wide(s, 0x9e3779b97f4a7c15)));
  for (auto [shift, factor] : {std::pair<int, uint64_t>(30, 0xbf58476d1ce4e5b9), {27, 0x94d049bb133111eb}}) {
    Value mixed = arith::XOrIOp::create(s.builder, z, arith::ShRUIOp::create(s.builder, z, wide(s, shift)));
    z = s.mul(mixed, wide(s, factor));
  }
  return arith::XOrIOp::create(s.builder, z, arith::ShRUIOp::create(s.builder, z, wide(s, 31)));
}

/// Uniform in [0, 1), of 24 bits in f32 and 53 in f64.
static Value uniform(ScalarBody &s, uint64_t stream, Value counter, Type real) {
  unsigned bits = real.isF64() ? 53 : 24;
  Value whole = arith::ShRUIOp::create(s.builder, randomBits(s, stream, counter), wide(s, 64 - bits));
  return s.mul(arith::UIToFPOp::create(s.builder, real, whole), s.constant(std::ldexp(1.0, -int(bits)), real));
}

/// The place of the element that a linalg body of these extents computes.
static Value elementPlace(ScalarBody &s, ArrayRef<Value> extents) {
  Value place = s.constant(0, s.builder.getIndexType());
  for (auto [axis, extent] : llvm::enumerate(extents))
    place = s.add(s.mul(place, extent), linalg::IndexOp::create(s.builder, axis));
  return arith::IndexCastOp::create(s.builder, s.builder.getI64Type(), place);
}

static LogicalResult uniformOf(Binder &b, ArrayRef<Value> extents) {
  Type element = b.resultElement(0), real = computeType(element);
  if (!isa<FloatType>(element))
    return b.error() << "random elements of type " << element << " are not supported";
  double low = b.real("low", 0), high = b.real("high", 1);
  uint64_t stream = streamOf(b);
  return b.result(0, b.emit.compute({}, extents, element, false, [&](ScalarBody &s, ValueRange) {
    Value unit = uniform(s, stream, elementPlace(s, extents), real);
    return s.add(s.mul(unit, s.constant(high - low, real)), s.constant(low, real));
  }));
}

// Box and Muller: of two uniform values a radius and an angle.
static LogicalResult normalOf(Binder &b, ArrayRef<Value> extents) {
  Type element = b.resultElement(0), real = computeType(element);
  if (!isa<FloatType>(element))
    return b.error() << "random elements of type " << element << " are not supported";
  double mean = b.real("mean", 0), scale = b.real("scale", 1);
  uint64_t stream = streamOf(b);
  return b.result(0, b.emit.compute({}, extents, element, false, [&](ScalarBody &s, ValueRange) {
    Value counter = s.add(elementPlace(s, extents), elementPlace(s, extents));
    Value first = s.sub(s.constant(1, real), uniform(s, stream, counter, real));
    Value second = uniform(s, stream, s.add(counter, wide(s, 1)), real);
    Value radius = s.sqrt(s.mul(s.constant(-2, real), s.log(first)));
    Value angle = s.mul(second, s.constant(2 * std::numbers::pi, real));
    Value normal = s.mul(radius, math::CosOp::create(s.builder, angle));
    return s.add(s.mul(normal, s.constant(scale, real)), s.constant(mean, real));
  }));
}

using Distribution = LogicalResult (*)(Binder &, ArrayRef<Value>);

template <Distribution distribution> static LogicalResult ofShape(Binder &b) {
  Extents extents;
  for (int64_t size : b.integers("shape").value_or(Binder::Axes()))
    extents.push_back(b.index.constant(size));
  return distribution(b, extents);
}

template <Distribution distribution> static LogicalResult likeInput(Binder &b) {
  return distribution(b, b.emit.extents(b.input(0)));
}

// In training an element is kept with probability 1 - ratio, divided by that, and is 0 if not. Otherwise the identity.
static LogicalResult lowerDropout(Binder &b) {
  Extents extents = b.emit.extents(b.input(0));
  bool trains = b.has(2);
  if (trains) {
    FailureOr<Value> training = b.integer(2);
    if (failed(training))
      return failure();
    trains = !IndexArithmetic::isConstant(*training, 0);
  }
  if (!trains) {
    if (b.isUsed(1) && failed(b.result(1, b.emit.fill(extents, b.index.boolean(true)))))
      return failure();
    return b.result(0, b.input(0));
  }
  Type real = b.emit.builder.getF32Type(), boolean = b.emit.builder.getI1Type();
  FailureOr<Value> training = b.scalar(2), ratio = b.has(1) ? b.scalar(1) : b.emit.splat(0.5, {}, real);
  if (failed(training) || failed(ratio))
    return failure();
  uint64_t stream = streamOf(b);
  Value mask = b.emit.compute({*training, *ratio}, extents, boolean, false, [&](ScalarBody &s, ValueRange v) {
    Value isKept = s.lessEqual(s.convert(v[1], real, false, false), uniform(s, stream, elementPlace(s, extents), real));
    return s.select(v[0], isKept, s.constant(1, boolean));
  });
  if (failed(b.result(1, mask)))
    return failure();
  Value inputs[] = {b.input(0), mask, *training, *ratio};
  return b.result(0, b.emit.compute(inputs, extents, b.element(0), false, [&](ScalarBody &s, ValueRange v) {
    Type type = v[0].getType();
    Value share = s.sub(s.constant(1, type), s.convert(v[3], type, false, false));
    Value trained = s.select(v[1], s.div(v[0], share), s.constant(0, type));
    return s.select(v[2], trained, v[0]);
  }));
}

ArrayRef<Row> moec::randomRows() {
  static const Row rows[] = {
      {"Dropout", 13, 28, 1, lowerDropout},
      {"RandomNormal", 1, 28, 0, ofShape<normalOf>},
      {"RandomNormalLike", 1, 28, 1, likeInput<normalOf>},
      {"RandomUniform", 1, 28, 0, ofShape<uniformOf>},
      {"RandomUniformLike", 1, 28, 1, likeInput<uniformOf>},
  };
  return rows;
}
