//===- ApproximateGpuMath.cpp - functions by way of ex2.approx --------------===//

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "moec/Target/Cuda/Passes.h"

#include <numbers>

namespace moec {
#define GEN_PASS_DEF_APPROXIMATEGPUMATH
#include "moec/Target/Cuda/Passes.h.inc"
} // namespace moec

using namespace mlir;

namespace {

/// Emits arithmetic on f32.
class SingleEmitter {
public:
  SingleEmitter(OpBuilder &builder, Location loc) : builder(builder), loc(loc) {}

  Value real(double value) {
    return arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(static_cast<float>(value)));
  }
  Value add(Value a, Value b) { return arith::AddFOp::create(builder, loc, a, b); }
  Value mul(Value a, Value b) { return arith::MulFOp::create(builder, loc, a, b); }
  Value fma(Value a, Value b, Value c) { return math::FmaOp::create(builder, loc, a, b, c); }
  Value abs(Value a) { return math::AbsFOp::create(builder, loc, a); }
  Value copySign(Value magnitude, Value sign) { return math::CopySignOp::create(builder, loc, magnitude, sign); }
  Value reciprocal(Value a) { return arith::DivFOp::create(builder, loc, real(1), a, arith::FastMathFlags::afn); }
  Value powerOfTwo(Value exponent) {
    return LLVM::CallIntrinsicOp::create(builder, loc, exponent.getType(),
                                         builder.getStringAttr("llvm.nvvm.ex2.approx.ftz"), exponent)
        ->getResult(0);
  }

private:
  OpBuilder &builder;
  Location loc;
};

/// A function of an f32 that may be approximated.
template <typename OpTy> struct Approximate : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op, PatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return rewriter.notifyMatchFailure(op, "no scalar of f32");
    if (!arith::bitEnumContainsAll(op.getFastmath(), arith::FastMathFlags::afn))
      return rewriter.notifyMatchFailure(op, "may not be approximated");
    SingleEmitter emit(rewriter, op.getLoc());
    rewriter.replaceOp(op, compute(emit, op, op.getOperand()));
    return success();
  }

private:
  static Value compute(SingleEmitter &emit, math::ExpOp, Value x) {
    return emit.powerOfTwo(emit.mul(x, emit.real(std::numbers::log2e)));
  }

  /// 1 - 2 / (1 + e^2x): infinities of the power give 1 and -1.
  static Value compute(SingleEmitter &emit, math::TanhOp, Value x) {
    Value power = emit.powerOfTwo(emit.mul(x, emit.real(2 * std::numbers::log2e)));
    return emit.fma(emit.reciprocal(emit.add(power, emit.real(1))), emit.real(-2), emit.real(1));
  }

  /// 1 + t p(t) e^(-x^2) with t = 1 / (1 + c |x|) and a polynomial p: Abramowitz and Stegun, 7.1.26.
  static Value compute(SingleEmitter &emit, math::ErfOp, Value x) {
    Value magnitude = emit.abs(x), one = emit.real(1);
    Value t = emit.reciprocal(emit.fma(magnitude, emit.real(0.3275911), one));
    Value sum = emit.real(-1.061405429);
    for (double coefficient : {1.453152027, -1.421413741, 0.284496736, -0.254829592})
      sum = emit.fma(sum, t, emit.real(coefficient));
    Value power = emit.powerOfTwo(emit.mul(emit.mul(x, x), emit.real(-std::numbers::log2e)));
    return emit.copySign(emit.fma(emit.mul(sum, t), power, one), x);
  }
};

struct ApproximateGpuMath : moec::impl::ApproximateGpuMathBase<ApproximateGpuMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<Approximate<math::ErfOp>, Approximate<math::ExpOp>, Approximate<math::TanhOp>>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
