//===- ExpertActivation.cpp - the epilogue's arithmetic ---------------------===//

#include "ExpertActivation.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <numbers>

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

/// Arithmetic on values of one f32 scalar or vector type.
class ActivationEmitter {
public:
  ActivationEmitter(LoopEmitter &emit, Type type) : emit(emit), type(type) {}

  Value real(double value) { return emit.real(type, value); }
  Value add(Value a, Value b) { return emit.make<arith::AddFOp>(a, b); }
  Value mul(Value a, Value b) { return emit.make<arith::MulFOp>(a, b); }

  Value relu(Value x) { return emit.make<arith::MaximumFOp>(x, real(0.0)); }

  Value sigmoid(Value x) {
    Value exponential = emit.make<math::ExpOp>(emit.make<arith::NegFOp>(x), approximate);
    return emit.make<arith::DivFOp>(real(1.0), add(real(1.0), exponential), approximate);
  }

  Value gelu(Value x) {
    Value erf = emit.make<math::ErfOp>(mul(x, real(1.0 / std::numbers::sqrt2)), approximate);
    return mul(mul(real(0.5), x), add(real(1.0), erf));
  }

  Value geluTanh(Value x) {
    Value cube = mul(mul(x, x), x);
    Value inner = mul(real(std::numbers::sqrt2 * std::numbers::inv_sqrtpi), add(x, mul(real(0.044715), cube)));
    return mul(mul(real(0.5), x), add(real(1.0), emit.make<math::TanhOp>(inner, approximate)));
  }

  Value silu(Value x, double alpha) { return mul(x, sigmoid(alpha == 1.0 ? x : mul(x, real(alpha)))); }

  Value atMost(Value x, double limit) { return emit.make<arith::MinimumFOp>(x, real(limit)); }
  Value atLeast(Value x, double limit) { return emit.make<arith::MaximumFOp>(x, real(limit)); }

private:
  /// Where the target has instructions for functions that are good enough next to 1.
  static constexpr auto approximate = arith::FastMathFlags::afn;

  LoopEmitter &emit;
  Type type;
};

} // namespace

static Value emitPlainKind(ActivationEmitter &math, ActivationKind kind, Value x, double alpha) {
  switch (kind) {
  case ActivationKind::Identity:
    return x;
  case ActivationKind::Relu:
  case ActivationKind::Reglu:
    return math.relu(x);
  case ActivationKind::Relu2:
    return math.mul(math.relu(x), math.relu(x));
  case ActivationKind::Silu:
    return math.silu(x, 1.0);
  case ActivationKind::Swiglu:
    return math.silu(x, alpha);
  case ActivationKind::Gelu:
  case ActivationKind::Geglu:
    return math.gelu(x);
  case ActivationKind::GeluTanh:
  case ActivationKind::GegluTanh:
    return math.geluTanh(x);
  }
  llvm_unreachable("unknown activation");
}

Value moec::emitExpertActivation(LoopEmitter &emit, ActivationAttr activation, Value value, Value linear) {
  ActivationEmitter math(emit, value.getType());
  double alpha = activation.getAlpha().convertToDouble();
  if (!activation.isGated())
    return emitPlainKind(math, activation.getKind(), value, alpha);

  if (!activation.getLimit().isInfinity()) {
    double limit = activation.getLimit().convertToDouble();
    value = math.atMost(value, limit);
    linear = math.atLeast(math.atMost(linear, limit), -limit);
  }
  if (!activation.getBeta().isZero())
    linear = math.add(linear, math.real(activation.getBeta().convertToDouble()));
  return math.mul(emitPlainKind(math, activation.getKind(), value, alpha), linear);
}
