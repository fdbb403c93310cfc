//===- MathToIntrinsics.cpp - functions that instructions compute -----------===//

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "moec/Target/Math/Passes.h"

namespace moec {
#define GEN_PASS_DEF_MATHTOINTRINSICS
#include "moec/Target/Math/Passes.h.inc"
} // namespace moec

using namespace mlir;

namespace {

/// An op whose operands and result have one type becomes a call of the intrinsic `name`, which LLVM overloads by type.
template <typename OpTy> struct CallIntrinsic : OpRewritePattern<OpTy> {
  CallIntrinsic(MLIRContext *context, StringRef name) : OpRewritePattern<OpTy>(context), name(name) {}

  LogicalResult matchAndRewrite(OpTy op, PatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(op, op.getType(), rewriter.getStringAttr(name),
                                                       op->getOperands());
    return success();
  }

  StringRef name;
};

Value floatConstant(OpBuilder &builder, Location loc, Type type, const llvm::APFloat &value) {
  TypedAttr attr = FloatAttr::get(getElementTypeOrSelf(type), value);
  if (auto shaped = dyn_cast<ShapedType>(type))
    attr = DenseElementsAttr::get(shaped, attr);
  return arith::ConstantOp::create(builder, loc, attr);
}

/// A test of the kind of a float becomes `low <= |x| predicate infinity`, the lower bound only for normal numbers.
template <typename OpTy, arith::CmpFPredicate predicate, bool hasLowerBound = false>
struct CompareWithInfinity : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op, PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type type = op.getOperand().getType();
    const llvm::fltSemantics &semantics = cast<FloatType>(getElementTypeOrSelf(type)).getFloatSemantics();
    Value magnitude = math::AbsFOp::create(rewriter, loc, op.getOperand());
    Value infinity = floatConstant(rewriter, loc, type, llvm::APFloat::getInf(semantics));
    Value result = arith::CmpFOp::create(rewriter, loc, predicate, magnitude, infinity);
    if (hasLowerBound) {
      Value smallest = floatConstant(rewriter, loc, type, llvm::APFloat::getSmallestNormalized(semantics));
      Value isLarge = arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::OGE, magnitude, smallest);
      result = arith::AndIOp::create(rewriter, loc, result, isLarge);
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct CompareWithItself : OpRewritePattern<math::IsNaNOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::IsNaNOp op, PatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<arith::CmpFOp>(op, arith::CmpFPredicate::UNO, op.getOperand(), op.getOperand());
    return success();
  }
};

struct NegateIfNegative : OpRewritePattern<math::AbsIOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::AbsIOp op, PatternRewriter &rewriter) const override {
    Value zero = arith::ConstantOp::create(rewriter, op.getLoc(), rewriter.getZeroAttr(op.getType()));
    Value negated = arith::SubIOp::create(rewriter, op.getLoc(), zero, op.getOperand());
    rewriter.replaceOpWithNewOp<arith::MaxSIOp>(op, op.getOperand(), negated);
    return success();
  }
};

struct MathToIntrinsics : moec::impl::MathToIntrinsicsBase<MathToIntrinsics> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<CallIntrinsic<math::AbsFOp>>(context, "llvm.fabs");
    patterns.add<CallIntrinsic<math::CeilOp>>(context, "llvm.ceil");
    patterns.add<CallIntrinsic<math::CopySignOp>>(context, "llvm.copysign");
    patterns.add<CallIntrinsic<math::FloorOp>>(context, "llvm.floor");
    patterns.add<CallIntrinsic<math::FmaOp>>(context, "llvm.fma");
    patterns.add<CallIntrinsic<math::RoundOp>>(context, "llvm.round");
    patterns.add<CallIntrinsic<math::RoundEvenOp>>(context, "llvm.roundeven");
    patterns.add<CallIntrinsic<math::SqrtOp>>(context, "llvm.sqrt");
    patterns.add<CallIntrinsic<math::TruncOp>>(context, "llvm.trunc");
    patterns.add<CallIntrinsic<arith::MaxNumFOp>>(context, "llvm.maxnum");
    patterns.add<CallIntrinsic<arith::MinNumFOp>>(context, "llvm.minnum");
    patterns.add<CompareWithInfinity<math::IsFiniteOp, arith::CmpFPredicate::OLT>,
                 CompareWithInfinity<math::IsInfOp, arith::CmpFPredicate::OEQ>,
                 CompareWithInfinity<math::IsNormalOp, arith::CmpFPredicate::OLT, /*hasLowerBound=*/true>,
                 CompareWithItself, NegateIfNegative>(context);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
