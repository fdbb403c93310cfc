//===- ExpandMissingInstructions.cpp - what a small instruction set lacks ---===//
//
// Code generators turn an operation without an instruction into a call of a run-time library, which kernels do not
// have.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "moec/Target/Cpu/CpuTarget.h"
#include "moec/Target/Cpu/Passes.h"

namespace moec {
#define GEN_PASS_DEF_EXPANDMISSINGINSTRUCTIONS
#include "moec/Target/Cpu/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;

namespace {

/// `element` with the shape of `type`.
Type withElement(Type type, Type element) {
  auto vector = dyn_cast<VectorType>(type);
  return vector ? Type(vector.clone(element)) : element;
}

/// Arithmetic on scalars and vectors of one shape.
struct Lanes {
  ImplicitLocOpBuilder builder;

  Lanes(PatternRewriter &rewriter, Location loc) : builder(loc, rewriter) {}

  Value real(Type type, double value) {
    TypedAttr scalar = builder.getFloatAttr(getElementTypeOrSelf(type), value);
    return constant(type, scalar);
  }
  Value integer(Type type, int64_t value) {
    TypedAttr scalar = builder.getIntegerAttr(getElementTypeOrSelf(type), value);
    return constant(type, scalar);
  }
  template <typename Op, typename... Operands> Value make(Operands... operands) {
    return Op::create(builder, operands...);
  }
  Value compare(arith::CmpIPredicate predicate, Value lhs, Value rhs) {
    return arith::CmpIOp::create(builder, predicate, lhs, rhs);
  }

private:
  Value constant(Type type, TypedAttr scalar) {
    if (auto vector = dyn_cast<VectorType>(type))
      scalar = DenseElementsAttr::get(vector, Attribute(scalar));
    return arith::ConstantOp::create(builder, scalar);
  }
};

//===----------------------------------------------------------------------===//
// Fused multiply-add
//===----------------------------------------------------------------------===//

/// a + b and what rounding took from it (Knuth's TwoSum).
std::pair<Value, Value> sumWithRest(Lanes &lanes, Value a, Value b) {
  Value sum = lanes.make<arith::AddFOp>(a, b);
  Value seenOfB = lanes.make<arith::SubFOp>(sum, a);
  Value seenOfA = lanes.make<arith::SubFOp>(sum, seenOfB);
  Value restOfA = lanes.make<arith::SubFOp>(a, seenOfA), restOfB = lanes.make<arith::SubFOp>(b, seenOfB);
  return {sum, lanes.make<arith::AddFOp>(restOfA, restOfB)};
}

/// `value` as a sum of two numbers of at most 26 bits (Veltkamp's split).
std::pair<Value, Value> split(Lanes &lanes, Value value) {
  Value scaled = lanes.make<arith::MulFOp>(value, lanes.real(value.getType(), 0x1p27 + 1));
  Value high = lanes.make<arith::SubFOp>(scaled, lanes.make<arith::SubFOp>(scaled, value));
  return {high, lanes.make<arith::SubFOp>(value, high)};
}

/// a * b and what rounding took from it (Dekker's product).
std::pair<Value, Value> productWithRest(Lanes &lanes, Value a, Value b) {
  Value product = lanes.make<arith::MulFOp>(a, b);
  auto [aHigh, aLow] = split(lanes, a);
  auto [bHigh, bLow] = split(lanes, b);
  Value rest = lanes.make<arith::SubFOp>(lanes.make<arith::MulFOp>(aHigh, bHigh), product);
  rest = lanes.make<arith::AddFOp>(rest, lanes.make<arith::MulFOp>(aHigh, bLow));
  rest = lanes.make<arith::AddFOp>(rest, lanes.make<arith::MulFOp>(aLow, bHigh));
  return {product, lanes.make<arith::AddFOp>(rest, lanes.make<arith::MulFOp>(aLow, bLow))};
}

/// a * b + c rounded, within one unit in the last place, as if once. Functions of f64 compute rests of products by it.
Value emulateDouble(Lanes &lanes, Value a, Value b, Value c) {
  auto [product, productRest] = productWithRest(lanes, a, b);
  auto [sum, sumRest] = sumWithRest(lanes, product, c);
  Value rest = lanes.make<arith::AddFOp>(productRest, sumRest);
  // Infinities and factors near the largest number leave no rest.
  Value isFinite = arith::CmpFOp::create(lanes.builder, arith::CmpFPredicate::OLT, lanes.make<math::AbsFOp>(rest),
                                         lanes.real(rest.getType(), std::numeric_limits<double>::infinity()));
  return lanes.make<arith::SelectOp>(isFinite, lanes.make<arith::AddFOp>(sum, rest), sum);
}

/// f32 rounds twice: what kernels compute in f32 does not count on the rest of a product.
template <typename Op> struct ExpandFma : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Lanes lanes(rewriter, op.getLoc());
    auto [a, b, c] = std::tuple<Value, Value, Value>(op->getOperand(0), op->getOperand(1), op->getOperand(2));
    Value result = getElementTypeOrSelf(a).isF64() ? emulateDouble(lanes, a, b, c)
                                                   : lanes.make<arith::AddFOp>(lanes.make<arith::MulFOp>(a, b), c);
    rewriter.replaceOp(op, result);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Conversions of f16
//===----------------------------------------------------------------------===//

// Fields of binary32 and binary16.
constexpr int64_t kSign = 0x80000000, kMantissaShift = 13, kInfinity = 0x7f800000, kInfinityOfHalf = 0x7c00;

/// The bits of f16 in an i32 become an f32: a multiplication rebiases the exponent and makes subnormal numbers normal.
struct ExpandHalfToFloat : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::ExtFOp op, PatternRewriter &rewriter) const override {
    Type half = op.getIn().getType(), result = op.getType();
    if (!getElementTypeOrSelf(half).isF16() || !getElementTypeOrSelf(result).isF32())
      return rewriter.notifyMatchFailure(op, "not from f16 to f32");
    Lanes lanes(rewriter, op.getLoc());
    Type i32 = withElement(half, rewriter.getI32Type());
    Value bits = lanes.make<arith::BitcastOp>(withElement(half, rewriter.getI16Type()), op.getIn());
    bits = lanes.make<arith::ExtUIOp>(i32, bits);
    Value magnitude = lanes.make<arith::AndIOp>(bits, lanes.integer(i32, 0x7fff));
    Value sign = lanes.make<arith::ShLIOp>(lanes.make<arith::XOrIOp>(bits, magnitude), lanes.integer(i32, 16));
    Value shifted = lanes.make<arith::ShLIOp>(magnitude, lanes.integer(i32, kMantissaShift));
    Value scaled =
        lanes.make<arith::MulFOp>(lanes.make<arith::BitcastOp>(result, shifted), lanes.real(result, 0x1p112));
    Value finite = lanes.make<arith::BitcastOp>(i32, scaled);
    Value special = lanes.make<arith::OrIOp>(shifted, lanes.integer(i32, kInfinity));
    Value isSpecial = lanes.compare(arith::CmpIPredicate::uge, magnitude, lanes.integer(i32, kInfinityOfHalf));
    Value chosen = lanes.make<arith::SelectOp>(isSpecial, special, finite);
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, result, lanes.make<arith::OrIOp>(chosen, sign));
    return success();
  }
};

/// An f32 becomes the bits of the nearest f16, ties to even.
struct ExpandFloatToHalf : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    Type wide = op.getIn().getType(), result = op.getType();
    if (!getElementTypeOrSelf(result).isF16() || !getElementTypeOrSelf(wide).isF32())
      return rewriter.notifyMatchFailure(op, "not from f32 to f16");
    Lanes lanes(rewriter, op.getLoc());
    Type i32 = withElement(wide, rewriter.getI32Type());
    Value bits = lanes.make<arith::BitcastOp>(i32, op.getIn());
    Value sign = lanes.make<arith::AndIOp>(bits, lanes.integer(i32, kSign));
    Value magnitude = lanes.make<arith::XOrIOp>(bits, sign);
    Value half = roundNormal(lanes, magnitude);
    half = lanes.make<arith::SelectOp>(below(lanes, magnitude, 0x38800000), roundSubnormal(lanes, magnitude), half);
    // What rounds to 2^16 or more is infinite; a NaN keeps its upper bits and is quiet.
    half = lanes.make<arith::SelectOp>(below(lanes, magnitude, 0x47800000), half, lanes.integer(i32, kInfinityOfHalf));
    Value upper = lanes.make<arith::ShRUIOp>(magnitude, lanes.integer(i32, kMantissaShift));
    Value quiet = lanes.make<arith::OrIOp>(lanes.make<arith::AndIOp>(upper, lanes.integer(i32, 0x3ff)),
                                           lanes.integer(i32, kInfinityOfHalf | 0x200));
    half = lanes.make<arith::SelectOp>(below(lanes, magnitude, kInfinity + 1), half, quiet);
    half = lanes.make<arith::OrIOp>(half, lanes.make<arith::ShRUIOp>(sign, lanes.integer(i32, 16)));
    Value narrow = lanes.make<arith::TruncIOp>(withElement(wide, rewriter.getI16Type()), half);
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, result, narrow);
    return success();
  }

  static Value below(Lanes &lanes, Value magnitude, int64_t bound) {
    return lanes.compare(arith::CmpIPredicate::ult, magnitude, lanes.integer(magnitude.getType(), bound));
  }
  /// Rebiases the exponent and rounds in one addition; a carry out of the mantissa raises the exponent as it should.
  static Value roundNormal(Lanes &lanes, Value magnitude) {
    Type i32 = magnitude.getType();
    Value odd = lanes.make<arith::AndIOp>(lanes.make<arith::ShRUIOp>(magnitude, lanes.integer(i32, kMantissaShift)),
                                          lanes.integer(i32, 1));
    Value rebias = lanes.integer(i32, (int64_t(15 - 127) << 23) + 0xfff);
    Value sum = lanes.make<arith::AddIOp>(lanes.make<arith::AddIOp>(magnitude, rebias), odd);
    return lanes.make<arith::ShRUIOp>(sum, lanes.integer(i32, kMantissaShift));
  }
  /// Beside 0.5 a unit in the last place is 2^-24, that of a subnormal f16: the addition rounds.
  static Value roundSubnormal(Lanes &lanes, Value magnitude) {
    Type i32 = magnitude.getType(), f32 = withElement(i32, lanes.builder.getF32Type());
    Value half = lanes.real(f32, 0.5);
    Value sum = lanes.make<arith::AddFOp>(lanes.make<arith::BitcastOp>(f32, magnitude), half);
    return lanes.make<arith::SubIOp>(lanes.make<arith::BitcastOp>(i32, sum), lanes.make<arith::BitcastOp>(i32, half));
  }
};

struct ExpandMissingInstructions : moec::impl::ExpandMissingInstructionsBase<ExpandMissingInstructions> {
  void runOnOperation() override {
    const CpuVariant *variant = findCpuVariant(getOperation().getSymName().value_or(""));
    if (!variant) {
      getOperation().emitOpError("is not named after a code variant");
      return signalPassFailure();
    }
    if (variant->hasFma && variant->hasHalfConversions)
      return;
    RewritePatternSet patterns(&getContext());
    if (!variant->hasFma)
      patterns.add<ExpandFma<math::FmaOp>, ExpandFma<vector::FMAOp>>(&getContext());
    if (!variant->hasHalfConversions)
      patterns.add<ExpandHalfToFloat, ExpandFloatToHalf>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
