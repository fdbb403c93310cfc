//===- ElementwiseRows.cpp - arithmetic, comparisons, logic, casts ------------===//

#include "NarrowElements.h"
#include "Rows.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <functional>
#include <numbers>

using namespace mlir;
using namespace moec;

using S = ScalarBody;

//===----------------------------------------------------------------------===//
// Forms: unary, binary, variadic, comparison
//===----------------------------------------------------------------------===//

template <auto compute> static LogicalResult unary(Binder &b) {
  return b.result(0, b.emit.map(b.input(0), b.element(0), b.isUnsigned(0),
                                [](S &s, ValueRange v) -> Value { return std::invoke(compute, s, v[0]); }));
}

template <auto compute> static LogicalResult binary(Binder &b) {
  if (failed(b.sameElements()))
    return failure();
  return b.result(b.emit.elementwise({b.input(0), b.input(1)}, b.element(0), b.isUnsigned(0),
                                     [](S &s, ValueRange v) -> Value { return std::invoke(compute, s, v[0], v[1]); }));
}

template <auto compute> static LogicalResult comparison(Binder &b) {
  if (failed(b.sameElements()))
    return failure();
  return b.result(b.emit.elementwise({b.input(0), b.input(1)}, b.emit.builder.getI1Type(), b.isUnsigned(0),
                                     [](S &s, ValueRange v) -> Value { return std::invoke(compute, s, v[0], v[1]); }));
}

template <auto combine> static FailureOr<Value> combineInputs(Binder &b) {
  if (failed(b.sameElements()))
    return failure();
  return b.emit.elementwise(b.inputs(), b.element(0), b.isUnsigned(0), [](S &s, ValueRange v) {
    Value result = v[0];
    for (Value next : v.drop_front())
      result = std::invoke(combine, s, result, next);
    return result;
  });
}

template <auto combine> static LogicalResult variadic(Binder &b) { return b.result(combineInputs<combine>(b)); }

//===----------------------------------------------------------------------===//
// Unary operators
//===----------------------------------------------------------------------===//

template <typename Op> static Value apply(S &s, Value x) { return Op::create(s.builder, x); }

static Value sign(S &s, Value x) {
  Value zero = s.constant(0, x.getType()), one = s.constant(1, x.getType());
  Value positive = s.select(s.less(zero, x), one, x);
  return s.isUnsigned ? positive : s.select(s.less(x, zero), s.constant(-1, x.getType()), positive);
}

static Value reciprocal(S &s, Value x) { return s.div(s.constant(1, x.getType()), x); }

static Value logicalNot(S &s, Value x) { return arith::XOrIOp::create(s.builder, x, s.constant(1, x.getType())); }

static Value bitwiseNot(S &s, Value x) { return arith::XOrIOp::create(s.builder, x, s.constant(-1, x.getType())); }

static LogicalResult isNaN(Binder &b) {
  return b.result(0, b.emit.map(b.input(0), b.emit.builder.getI1Type(), false, [](S &s, ValueRange v) -> Value {
    return arith::CmpFOp::create(s.builder, arith::CmpFPredicate::UNO, v[0], v[0]);
  }));
}

static LogicalResult isInf(Binder &b) {
  bool negative = b.integer("detect_negative", 1), positive = b.integer("detect_positive", 1);
  return b.result(0, b.emit.map(b.input(0), b.emit.builder.getI1Type(), false, [&](S &s, ValueRange v) -> Value {
    Type type = v[0].getType();
    Value result = s.constant(0, s.builder.getI1Type());
    if (negative)
      result = s.equal(v[0], s.lowest(type));
    if (positive)
      result = arith::OrIOp::create(s.builder, result, s.equal(v[0], s.highest(type)));
    return result;
  }));
}

//===----------------------------------------------------------------------===//
// Binary and variadic operators
//===----------------------------------------------------------------------===//

template <typename Op> static Value applyBits(S &s, Value lhs, Value rhs) { return Op::create(s.builder, lhs, rhs); }

static Value greater(S &s, Value lhs, Value rhs) { return s.less(rhs, lhs); }

static Value greaterOrEqual(S &s, Value lhs, Value rhs) { return s.lessEqual(rhs, lhs); }

static LogicalResult mean(Binder &b) {
  FailureOr<Value> sum = combineInputs<&S::add>(b);
  if (failed(sum))
    return failure();
  double count = b.inputCount();
  return b.result(0, b.emit.map(*sum, b.element(0), b.isUnsigned(0),
                                [&](S &s, ValueRange v) { return s.div(v[0], s.constant(count, v[0].getType())); }));
}

// x + y * gate, of which the product is rounded too.
static LogicalResult gatedAdd(Binder &b) {
  if (b.has(3))
    return b.error() << "input 3 (gate_weight) is not supported";
  if (failed(b.sameElements()))
    return failure();
  Type element = b.element(0);
  return b.result(b.emit.elementwise(b.inputs(), element, false, [&](S &s, ValueRange v) {
    return s.add(v[0], s.widen(s.narrow(s.mul(v[1], v[2]), element)));
  }));
}

// fmod = 0: the sign of the divisor; 1: of the dividend.
static LogicalResult mod(Binder &b) {
  if (failed(b.sameElements()))
    return failure();
  bool truncates = b.integer("fmod", 0) != 0;
  return b.result(b.emit.elementwise({b.input(0), b.input(1)}, b.element(0), b.isUnsigned(0), [&](S &s, ValueRange v) {
    Value remainder = s.rem(v[0], v[1]);
    if (truncates || s.isUnsigned)
      return remainder;
    Value zero = s.constant(0, remainder.getType());
    Value signsDiffer = arith::XOrIOp::create(s.builder, s.less(remainder, zero), s.less(v[1], zero));
    Value adjusted = s.select(signsDiffer, s.add(remainder, v[1]), remainder);
    return s.select(s.equal(remainder, zero), remainder, adjusted);
  }));
}

// Amounts outside [0, width) leave what the sign extends to: -1 for a negative value shifted right, otherwise 0.
static LogicalResult bitShift(Binder &b) {
  if (failed(b.sameElements()))
    return failure();
  bool left = b.string("direction", "") == "LEFT";
  auto body = [&](S &s, ValueRange v) -> Value {
    Type type = v[0].getType();
    Value width = s.constant(type.getIntOrFloatBitWidth(), type), zero = s.constant(0, type);
    Value inside = arith::CmpIOp::create(s.builder, arith::CmpIPredicate::ult, v[1], width);
    Value amount = s.select(inside, v[1], zero);
    if (left)
      return s.select(inside, applyBits<arith::ShLIOp>(s, v[0], amount), zero);
    if (s.isUnsigned)
      return s.select(inside, applyBits<arith::ShRUIOp>(s, v[0], amount), zero);
    Value sign = s.select(s.less(v[0], zero), s.constant(-1, type), zero);
    return s.select(inside, applyBits<arith::ShRSIOp>(s, v[0], amount), sign);
  };
  return b.result(b.emit.elementwise({b.input(0), b.input(1)}, b.element(0), b.isUnsigned(0), body));
}

// x^n by repeated squaring, for small n.
static Value integerPower(S &s, Value x, int64_t exponent) {
  Value result;
  for (Value square = x; exponent != 0; exponent >>= 1) {
    if (exponent & 1)
      result = result ? s.mul(result, square) : square;
    if (exponent > 1)
      square = s.mul(square, square);
  }
  return result ? result : s.constant(1, x.getType());
}

static Value constantPower(S &s, Value x, double exponent) {
  constexpr double maxUnrolled = 64;
  bool whole = exponent == std::floor(exponent);
  if (whole && std::abs(exponent) <= maxUnrolled) {
    Value power = integerPower(s, x, static_cast<int64_t>(std::abs(exponent)));
    return exponent < 0 ? reciprocal(s, power) : power;
  }
  if (std::abs(exponent) == 0.5) {
    Value root = s.sqrt(x);
    return exponent < 0 ? reciprocal(s, root) : root;
  }
  return math::PowFOp::create(s.builder, x, s.constant(exponent, x.getType()));
}

static std::optional<double> splatValue(DenseElementsAttr elements) {
  if (!elements || !elements.isSplat())
    return std::nullopt;
  if (isa<FloatType>(elements.getElementType())) {
    APFloat value = elements.getSplatValue<APFloat>();
    bool losesInfo;
    value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
    return value.convertToDouble();
  }
  return static_cast<double>(elements.getSplatValue<APInt>().getSExtValue());
}

// x^n modulo 2^width by squaring, a step for each bit of n. Below 0 only 1 and -1 have a power that is not 0.
static Value wrappingPower(S &s, Value x, Value n) {
  Type type = x.getType();
  Value one = s.constant(1, type), zero = s.constant(0, type), none = s.constant(0, n.getType());
  Value isNegative = s.isUnsigned ? s.constant(0, s.builder.getI1Type()) : s.less(n, none);
  Value exponent = s.select(isNegative, s.neg(n), n), result = one, square = x;
  for (unsigned bit = 0, bits = n.getType().getIntOrFloatBitWidth(); bit < bits; ++bit) {
    Value shifted = applyBits<arith::ShRUIOp>(s, exponent, s.constant(bit, n.getType()));
    Value isSet = arith::TruncIOp::create(s.builder, s.builder.getI1Type(), shifted);
    result = s.select(isSet, s.mul(result, square), result);
    if (bit + 1 < bits)
      square = s.mul(square, square);
  }
  Value isUnit = s.equal(s.mul(x, x), one);
  return s.select(isNegative, s.select(isUnit, result, zero), result);
}

// An integer to the power of a float is computed as floats and truncated.
static LogicalResult powerOfIntegers(Binder &b) {
  bool isUnsigned = b.isUnsigned(0), floatExponent = b.isFloat(1);
  return b.result(b.emit.elementwise({b.input(0), b.input(1)}, b.element(0), isUnsigned, [&](S &s, ValueRange v) {
    if (!floatExponent)
      return wrappingPower(s, v[0], v[1]);
    Value base = s.convert(v[0], v[1].getType(), isUnsigned, false);
    Value power = math::PowFOp::create(s.builder, base, v[1]);
    return s.convert(power, v[0].getType(), false, isUnsigned);
  }));
}

static LogicalResult pow(Binder &b) {
  std::optional<double> exponent = splatValue(b.constantElements(1));
  bool isSmallNatural = exponent && *exponent == std::floor(*exponent) && *exponent >= 0 && *exponent <= 64;
  if (!b.isFloat(0) && !isSmallNatural)
    return powerOfIntegers(b);
  bool exponentUnsigned = b.isUnsigned(1);
  return b.result(
      b.emit.elementwise({b.input(0), b.input(1)}, b.element(0), b.isUnsigned(0), [&](S &s, ValueRange v) -> Value {
        if (exponent)
          return constantPower(s, v[0], *exponent);
        Value power = s.convert(v[1], v[0].getType(), exponentUnsigned, false);
        return math::PowFOp::create(s.builder, v[0], power);
      }));
}

//===----------------------------------------------------------------------===//
// Selection and conversion
//===----------------------------------------------------------------------===//

static LogicalResult clip(Binder &b) {
  if (failed(b.sameElements()))
    return failure();
  bool hasMin = b.has(1), hasMax = b.has(2);
  return b.result(b.emit.elementwise(b.inputs(), b.element(0), b.isUnsigned(0), [&](S &s, ValueRange v) {
    Value result = hasMin ? s.max(v[0], v[1]) : v[0];
    return hasMax ? s.min(result, v[hasMin ? 2 : 1]) : result;
  }));
}

static LogicalResult where(Binder &b) {
  if (failed(b.sameElements({1, 2})))
    return failure();
  if (!b.element(0).isInteger(1))
    return b.error() << "expected a condition of booleans, found " << b.type(0);
  return b.result(b.emit.elementwise(b.inputs(), b.element(1), b.isUnsigned(1),
                                     [](S &s, ValueRange v) { return s.select(v[0], v[1], v[2]); }));
}

/// What the attributes of Cast and CastLike say of narrow floats.
static FailureOr<NarrowRounding> bindRounding(Binder &b) {
  NarrowRounding rounding;
  rounding.saturates = b.integer("saturate", 1) != 0;
  StringRef mode = b.string("round_mode", "up");
  if (mode != "up" && mode != "down" && mode != "nearest")
    return b.error() << "attribute round_mode: expected up, down or nearest, found " << mode;
  rounding.power = mode == "up" ? PowerRounding::Up : mode == "down" ? PowerRounding::Down : PowerRounding::Nearest;
  return rounding;
}

static LogicalResult castNarrow(Binder &b, Type from, Type to) {
  FailureOr<NarrowRounding> rounding = bindRounding(b);
  if (failed(rounding))
    return failure();
  if (from == to)
    return b.result(0, b.input(0));
  if (isa<Float8E8M0FNUType>(to) && (!isa<FloatType>(from) || from.isF64()))
    return b.error() << "a conversion from " << from << " to " << to << " is not supported";
  bool fromUnsigned = b.isUnsigned(0), toUnsigned = b.isResultUnsigned(0);
  return b.result(0, b.emit.map(b.input(0), b.resultElement(0), fromUnsigned, [&](S &s, ValueRange v) {
    Value value = isNarrow(from) ? decodeNarrow(s, v[0], from) : v[0];
    if (isNarrow(to))
      return encodeNarrow(s, value, fromUnsigned, to, *rounding);
    return s.convert(value, computeType(b.resultElement(0)), fromUnsigned, toUnsigned);
  }));
}

static LogicalResult cast(Binder &b) {
  Type from = b.declaredElement(0), to = b.declaredResultElement(0);
  if (isNarrow(from) || isNarrow(to))
    return castNarrow(b, from, to);
  return b.result(0, b.emit.convertElements(b.input(0), b.resultElement(0), b.isUnsigned(0), b.isResultUnsigned(0)));
}

// Booleans are bytes of 0 and 1.
static LogicalResult bitCast(Binder &b) {
  Type from = b.element(0), to = b.resultElement(0);
  auto widthOf = [](Type type) { return type.isInteger(1) ? 8 : type.getIntOrFloatBitWidth(); };
  if (widthOf(from) != widthOf(to))
    return b.error() << "expected types of one width, found " << from << " and " << to;
  if (from.isInteger(1) || to.isInteger(1) || from == to)
    return b.result(0, b.emit.convertElements(b.input(0), to, /*fromUnsigned=*/true, /*toUnsigned=*/true));
  return b.result(0, b.emit.reinterpret(b.input(0), to));
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

ArrayRef<Row> moec::elementwiseRows() {
  static const Row rows[] = {
      {"Abs", 13, 28, 1, unary<&S::abs>},
      {"Acos", 7, 28, 1, unary<apply<math::AcosOp>>},
      {"Acosh", 9, 28, 1, unary<apply<math::AcoshOp>>},
      {"Asin", 7, 28, 1, unary<apply<math::AsinOp>>},
      {"Asinh", 9, 28, 1, unary<apply<math::AsinhOp>>},
      {"Atan", 7, 28, 1, unary<apply<math::AtanOp>>},
      {"Atanh", 9, 28, 1, unary<apply<math::AtanhOp>>},
      {"Ceil", 13, 28, 1, unary<apply<math::CeilOp>>},
      {"Cos", 7, 28, 1, unary<apply<math::CosOp>>},
      {"Cosh", 9, 28, 1, unary<apply<math::CoshOp>>},
      {"Erf", 13, 28, 1, unary<apply<math::ErfOp>>},
      {"Exp", 13, 28, 1, unary<&S::exp>},
      {"Floor", 13, 28, 1, unary<apply<math::FloorOp>>},
      {"IsInf", 10, 28, 1, isInf},
      {"IsNaN", 13, 28, 1, isNaN},
      {"Log", 13, 28, 1, unary<&S::log>},
      {"Neg", 13, 28, 1, unary<&S::neg>},
      {"Not", 1, 28, 1, unary<logicalNot>},
      {"BitwiseNot", 18, 28, 1, unary<bitwiseNot>},
      {"Reciprocal", 13, 28, 1, unary<reciprocal>},
      {"Round", 11, 28, 1, unary<apply<math::RoundEvenOp>>},
      {"Sign", 13, 28, 1, unary<sign>},
      {"Sin", 7, 28, 1, unary<apply<math::SinOp>>},
      {"Sinh", 9, 28, 1, unary<apply<math::SinhOp>>},
      {"Sqrt", 13, 28, 1, unary<&S::sqrt>},
      {"Tan", 7, 28, 1, unary<apply<math::TanOp>>},

      {"Add", 13, 28, 2, binary<&S::add>},
      {"And", 7, 28, 2, binary<applyBits<arith::AndIOp>>},
      {"BitShift", 11, 28, 2, bitShift},
      {"BitwiseAnd", 18, 28, 2, binary<applyBits<arith::AndIOp>>},
      {"BitwiseOr", 18, 28, 2, binary<applyBits<arith::OrIOp>>},
      {"BitwiseXor", 18, 28, 2, binary<applyBits<arith::XOrIOp>>},
      {"Div", 13, 28, 2, binary<&S::div>},
      {"Mod", 13, 28, 2, mod},
      {"Mul", 13, 28, 2, binary<&S::mul>},
      {"Or", 7, 28, 2, binary<applyBits<arith::OrIOp>>},
      {"Pow", 13, 28, 2, pow},
      {"Sub", 13, 28, 2, binary<&S::sub>},
      {"Xor", 7, 28, 2, binary<applyBits<arith::XOrIOp>>},

      {"Equal", 13, 28, 2, comparison<&S::equal>},
      {"Greater", 13, 28, 2, comparison<greater>},
      {"GreaterOrEqual", 12, 28, 2, comparison<greaterOrEqual>},
      {"Less", 13, 28, 2, comparison<&S::less>},
      {"LessOrEqual", 12, 28, 2, comparison<&S::lessEqual>},

      {"Max", 13, 28, 1, variadic<&S::max>},
      {"Mean", 13, 28, 1, mean},
      {"Min", 13, 28, 1, variadic<&S::min>},
      {"Sum", 13, 28, 1, variadic<&S::add>},

      {"BitCast", 26, 28, 1, bitCast},
      {"Cast", 13, 28, 1, cast, "", true},
      {"CastLike", 15, 28, 2, cast, "", true},
      {"Clip", 13, 28, 1, clip},
      {"Where", 9, 28, 3, where},
      {"GatedAdd", 1, 1, 3, gatedAdd, "com.microsoft"},
  };
  return rows;
}
