//===- DoubleFunctions.cpp - hyperbolic functions of f64, erf, and patterns -===//

#include "DoubleFunctions.h"
#include "DoubleEmitter.h"

using namespace mlir;
using namespace moec;

/// From here on exp(-x) is nothing beside exp(x), which is computed as a square so that it overflows no earlier than
/// the result.
static constexpr double largeHyperbolic = 700;

static Value halfOfLargeExp(DoubleEmitter &emit, Value x) {
  Value root = emitExp(emit, emit.mul(x, 0.5));
  return emit.mul(emit.mul(root, 0.5), root);
}

Value moec::emitSinh(DoubleEmitter &emit, Value x) {
  Value a = emit.abs(x), t = emitExpMinusOne(emit, emit.atMost(a, largeHyperbolic));
  Value result = emit.mul(emit.add(t, emit.div(t, emit.add(t, 1))), 0.5);
  result = emit.select(emit.less(a, largeHyperbolic), result, halfOfLargeExp(emit, a));
  return emit.copySign(result, x);
}

Value moec::emitCosh(DoubleEmitter &emit, Value x) {
  Value a = emit.abs(x), e = emitExp(emit, emit.atMost(a, largeHyperbolic));
  Value result = emit.mul(emit.add(e, emit.div(emit.real(1), e)), 0.5);
  return emit.select(emit.less(a, largeHyperbolic), result, halfOfLargeExp(emit, a));
}

Value moec::emitTanh(DoubleEmitter &emit, Value x) {
  // From 22 on it rounds to 1.
  Value a = emit.atMost(emit.abs(x), 22), t = emitExpMinusOne(emit, emit.mul(a, 2));
  return emit.copySign(emit.div(t, emit.add(t, 2)), x);
}

/// log(2 x) for x of 2^28 and more, where the ones in the formulas of inverses no longer count.
static Value logOfTwice(DoubleEmitter &emit, Value x) { return emit.add(emitLog(emit, x), 0x1.62e42fefa39efp-1); }

Value moec::emitAsinh(DoubleEmitter &emit, Value x) {
  Value a = emit.abs(x), square = emit.mul(a, a);
  Value root = emit.sqrt(emit.add(square, 1));
  Value small = emitLogOnePlus(emit, emit.add(a, emit.div(square, emit.add(root, 1))));
  return emit.copySign(emit.select(emit.less(a, 0x1p28), small, logOfTwice(emit, a)), x);
}

Value moec::emitAcosh(DoubleEmitter &emit, Value x) {
  Value t = emit.sub(x, 1);
  Value small = emitLogOnePlus(emit, emit.add(t, emit.sqrt(emit.fma(t, t, emit.mul(t, 2)))));
  Value result = emit.select(emit.less(x, 0x1p28), small, logOfTwice(emit, x));
  return emit.select(emit.less(x, 1), emit.nan(), result);
}

Value moec::emitAtanh(DoubleEmitter &emit, Value x) {
  Value a = emit.abs(x), ratio = emit.div(emit.mul(a, 2), emit.sub(emit.real(1), a));
  return emit.copySign(emit.mul(emitLogOnePlus(emit, ratio), 0.5), x);
}

Value moec::emitErf(DoubleEmitter &emit, Value x) {
  // erf(x) / x over x^2 up to 1.
  static constexpr double small[] = {0x1.20dd750429b6dp+0,   -0x1.812746b0379e6p-2,  0x1.ce2f21a042b30p-4,
                                     -0x1.b82ce31284e00p-6,  0x1.565bcd0dbaa38p-8,   -0x1.c02db3dac435fp-11,
                                     0x1.f9a321d5b8e1ep-14,  -0x1.f4d1e3183f7aep-17, 0x1.b9df224ca4b97p-20,
                                     -0x1.5f1ecb6f0764cp-23, 0x1.f7b4bf3b13964p-27,  -0x1.389d4f2641625p-30,
                                     0x1.05ffd737fb32ep-34};
  // (1 + 2 x) exp(x^2) erfc(x) over (x - 2.5) / (x + 2.5) for x from 1 to 6.
  static constexpr double large[] = {0x1.43cc6f6c9672cp+0,   -0x1.f52c5d7e22303p-4,  -0x1.959ac16f85742p-4,
                                     0x1.42d379989b623p-3,   -0x1.a5c0c8a4026c2p-4,  0x1.0c6092a59c0d3p-5,
                                     0x1.e8948933f9da7p-11,  -0x1.1f2f131d5552ep-8,  0x1.01e12197284d5p-11,
                                     0x1.4b6a4418994b2p-11,  -0x1.731e43803d3cap-14, -0x1.dc235b59a255bp-14,
                                     0x1.a5ed9c46ecc3bp-18,  0x1.7c9b2ce3585eep-16,  0x1.4e0f84db15f55p-19,
                                     -0x1.180826c6e54f2p-18, -0x1.444c5f7e052adp-20, 0x1.fb8fc25d94544p-22};
  Value a = emit.abs(x), square = emit.mul(x, x);
  Value inner = emit.mul(a, emit.polynomial(square, small));
  Value bounded = emit.atMost(a, 6);
  Value t = emit.div(emit.sub(bounded, 2.5), emit.add(bounded, 2.5));
  Value decay = emitExp(emit, emit.neg(emit.mul(bounded, bounded)));
  Value rest = emit.div(emit.mul(decay, emit.polynomial(t, large)), emit.fma(bounded, emit.real(2), emit.real(1)));
  return emit.copySign(emit.select(emit.less(a, 1), inner, emit.sub(emit.real(1), rest)), x);
}

namespace {

template <typename Op, Value (*emitFunction)(DoubleEmitter &, Value)> struct ExpandUnary : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF64())
      return rewriter.notifyMatchFailure(op, "not f64");
    DoubleEmitter emit(rewriter, op.getLoc(), op.getType());
    rewriter.replaceOp(op, emitFunction(emit, op.getOperand()));
    return success();
  }
};

struct ExpandPower : OpRewritePattern<math::PowFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::PowFOp op, PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF64())
      return rewriter.notifyMatchFailure(op, "not f64");
    DoubleEmitter emit(rewriter, op.getLoc(), op.getType());
    rewriter.replaceOp(op, emitPower(emit, op.getLhs(), op.getRhs()));
    return success();
  }
};

} // namespace

void moec::populateDoubleFunctionPatterns(RewritePatternSet &patterns) {
  // Before the general expansions, which lose digits near zeros of the functions.
  constexpr unsigned benefit = 2;
  patterns.add<ExpandUnary<math::ExpOp, emitExp>, ExpandUnary<math::LogOp, emitLog>, ExpandUnary<math::SinOp, emitSin>,
               ExpandUnary<math::CosOp, emitCos>, ExpandUnary<math::TanOp, emitTan>,
               ExpandUnary<math::AsinOp, emitAsin>, ExpandUnary<math::AcosOp, emitAcos>,
               ExpandUnary<math::AtanOp, emitAtan>, ExpandUnary<math::SinhOp, emitSinh>,
               ExpandUnary<math::CoshOp, emitCosh>, ExpandUnary<math::TanhOp, emitTanh>,
               ExpandUnary<math::AsinhOp, emitAsinh>, ExpandUnary<math::AcoshOp, emitAcosh>,
               ExpandUnary<math::AtanhOp, emitAtanh>, ExpandUnary<math::ErfOp, emitErf>, ExpandPower>(
      patterns.getContext(), benefit);
}
