//===- ActivationRows.cpp - activation functions ------------------------------===//

#include "Rows.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <numbers>

using namespace mlir;
using namespace moec;

using S = ScalarBody;

template <Value (*compute)(S &, Value)> static LogicalResult activation(Binder &b) {
  return b.result(
      0, b.emit.map(b.input(0), b.element(0), b.isUnsigned(0), [](S &s, ValueRange v) { return compute(s, v[0]); }));
}

/// An activation with up to two attributes, given in the order of its formula.
template <Value (*compute)(S &, Value, double)>
static LogicalResult scaled(Binder &b, StringRef name, double defaultValue) {
  double parameter = b.real(name, defaultValue);
  return b.result(0, b.emit.map(b.input(0), b.element(0), b.isUnsigned(0),
                                [&](S &s, ValueRange v) { return compute(s, v[0], parameter); }));
}

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

static Value zeroOf(S &s, Value x) { return s.constant(0, x.getType()); }

static Value scale(S &s, Value x, double factor) { return s.mul(x, s.constant(factor, x.getType())); }

static Value shift(S &s, Value x, double term) { return s.add(x, s.constant(term, x.getType())); }

static Value sigmoid(S &s, Value x) { return s.logistic(x); }

static Value tanh(S &s, Value x) { return math::TanhOp::create(s.builder, x); }

static Value relu(S &s, Value x) { return s.max(x, zeroOf(s, x)); }

/// log(1 + exp(x)) that does not overflow.
static Value softplus(S &s, Value x) {
  Value tail = s.log(shift(s, s.exp(s.neg(s.abs(x))), 1));
  return s.add(relu(s, x), tail);
}

static Value softsign(S &s, Value x) { return s.div(x, shift(s, s.abs(x), 1)); }

static Value mish(S &s, Value x) { return s.mul(x, tanh(s, softplus(s, x))); }

static Value gelu(S &s, Value x) {
  Value erf = math::ErfOp::create(s.builder, scale(s, x, 1 / std::numbers::sqrt2));
  return s.mul(scale(s, x, 0.5), shift(s, erf, 1));
}

static Value geluTanh(S &s, Value x) {
  Value cubic = s.mul(x, shift(s, scale(s, s.mul(x, x), 0.044715), 1));
  Value inner = scale(s, cubic, std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
  return s.mul(scale(s, x, 0.5), shift(s, tanh(s, inner), 1));
}

/// clip(slope * x + offset, 0, 1)
static Value hardSigmoidOf(S &s, Value x, double slope, double offset) {
  Value line = shift(s, scale(s, x, slope), offset);
  return s.min(s.max(line, zeroOf(s, x)), s.constant(1, x.getType()));
}

static Value hardSwish(S &s, Value x) { return s.mul(x, hardSigmoidOf(s, x, 1.0 / 6, 0.5)); }

static Value swish(S &s, Value x, double alpha) { return s.mul(x, s.logistic(scale(s, x, alpha))); }

static Value leakyRelu(S &s, Value x, double alpha) { return s.select(s.less(x, zeroOf(s, x)), scale(s, x, alpha), x); }

static Value elu(S &s, Value x, double alpha) {
  return s.select(s.less(x, zeroOf(s, x)), scale(s, shift(s, s.exp(x), -1), alpha), x);
}

static Value celu(S &s, Value x, double alpha) {
  return s.select(s.less(x, zeroOf(s, x)), scale(s, shift(s, s.exp(scale(s, x, 1 / alpha)), -1), alpha), x);
}

static Value thresholdedRelu(S &s, Value x, double alpha) {
  return s.select(s.less(s.constant(alpha, x.getType()), x), x, zeroOf(s, x));
}

//===----------------------------------------------------------------------===//
// Operators with more than one attribute or input
//===----------------------------------------------------------------------===//

static LogicalResult lowerGelu(Binder &b) {
  StringRef approximate = b.string("approximate", "none");
  if (approximate != "none" && approximate != "tanh")
    return b.error() << "attribute approximate: expected none or tanh, found " << approximate;
  return approximate == "tanh" ? activation<geluTanh>(b) : activation<gelu>(b);
}

static LogicalResult lowerHardSigmoid(Binder &b) {
  double alpha = b.real("alpha", 0.2f), beta = b.real("beta", 0.5f);
  return b.result(0, b.emit.map(b.input(0), b.element(0), false,
                                [&](S &s, ValueRange v) { return hardSigmoidOf(s, v[0], alpha, beta); }));
}

static LogicalResult lowerSelu(Binder &b) {
  double alpha = b.real("alpha", 1.67326319217681884765625), gamma = b.real("gamma", 1.05070102214813232421875);
  return b.result(0, b.emit.map(b.input(0), b.element(0), false,
                                [&](S &s, ValueRange v) { return scale(s, elu(s, v[0], alpha), gamma); }));
}

static LogicalResult lowerPRelu(Binder &b) {
  if (failed(b.sameElements()))
    return failure();
  return b.result(b.emit.elementwise(b.inputs(), b.element(0), b.isUnsigned(0), [](S &s, ValueRange v) {
    return s.select(s.less(v[0], zeroOf(s, v[0])), s.mul(v[0], v[1]), v[0]);
  }));
}

/// gelu(x + bias) with an optional bias.
template <Value (*compute)(S &, Value)> static LogicalResult biased(Binder &b) {
  if (failed(b.sameElements()))
    return failure();
  return b.result(b.emit.elementwise(b.inputs(), b.element(0), false, [](S &s, ValueRange v) {
    return compute(s, v.size() == 2 ? s.add(v[0], v[1]) : v[0]);
  }));
}

ArrayRef<Row> moec::activationRows() {
  static const Row rows[] = {
      {"Celu", 12, 28, 1, [](Binder &b) { return scaled<celu>(b, "alpha", 1); }},
      {"Elu", 6, 28, 1, [](Binder &b) { return scaled<elu>(b, "alpha", 1); }},
      {"Gelu", 20, 28, 1, lowerGelu},
      {"HardSigmoid", 6, 28, 1, lowerHardSigmoid},
      {"HardSwish", 14, 28, 1, activation<hardSwish>},
      {"LeakyRelu", 6, 28, 1, [](Binder &b) { return scaled<leakyRelu>(b, "alpha", 0.01f); }},
      {"Mish", 18, 28, 1, activation<mish>},
      {"PRelu", 9, 28, 2, lowerPRelu},
      {"Relu", 13, 28, 1, activation<relu>},
      {"Selu", 6, 28, 1, lowerSelu},
      {"Sigmoid", 13, 28, 1, activation<sigmoid>},
      {"Softplus", 1, 28, 1, activation<softplus>},
      {"Softsign", 1, 28, 1, activation<softsign>},
      {"Swish", 24, 28, 1, [](Binder &b) { return scaled<swish>(b, "alpha", 1); }},
      {"Tanh", 13, 28, 1, activation<tanh>},
      {"ThresholdedRelu", 10, 28, 1, [](Binder &b) { return scaled<thresholdedRelu>(b, "alpha", 1); }},
      {"BiasGelu", 1, 1, 2, biased<gelu>, "com.microsoft"},
      {"FastGelu", 1, 1, 1, biased<geluTanh>, "com.microsoft"},
      {"Gelu", 1, 1, 1, activation<gelu>, "com.microsoft"},
      {"QuickGelu", 1, 1, 1, [](Binder &b) { return scaled<swish>(b, "alpha", 1.702f); }, "com.microsoft"},
  };
  return rows;
}
