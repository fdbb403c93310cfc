//===- FormDenseMatmul.cpp - products with a weight -------------------------===//

#include "WeightExpressions.h"

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Transforms/MoePatterns.h"
#include "moec/Transforms/Passes.h"

#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace moec {
#define GEN_PASS_DEF_FORMDENSEMATMUL
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// A product out[rows…, n] = sum over k of x[rows…, k] * w[n, k] or w[k, n].
struct WeightProduct {
  Value x, w;
  /// Whether the weight is stored with inputs before outputs.
  bool transposed;
};

/// Reads the loops of a contraction; fails with a reason if it is no WeightProduct.
FailureOr<WeightProduct> matchProduct(linalg::LinalgOp op, PatternRewriter &rewriter) {
  if (!op.hasPureTensorSemantics() || !linalg::isaContractionOpInterface(op))
    return rewriter.notifyMatchFailure(op, "is not a contraction of tensors");
  if (op.getNumReductionLoops() != 1)
    return rewriter.notifyMatchFailure(op, "sums over several dimensions");
  auto fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  if (!fill || !matchPattern(fill.getInputs()[0], m_AnyZeroFloat()))
    return rewriter.notifyMatchFailure(op, "does not start from zeros of a float type");

  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  unsigned inner = reductions.front();
  AffineMap result = op.getIndexingMapsArray().back();
  for (OpOperand *operand : op.getDpsInputOperands()) {
    Value w = operand->get();
    AffineMap map = op.getMatchingIndexingMap(operand);
    if (map.getNumResults() != 2 || !isWeightExpression(w))
      continue;
    OpOperand *other = op.getDpsInputOperand(1 - operand->getOperandNumber());
    AffineMap rows = op.getMatchingIndexingMap(other);
    unsigned column = map.getDimPosition(0) == inner ? map.getDimPosition(1) : map.getDimPosition(0);
    if (rows.getNumResults() == 0 || rows.getResults().back() != rewriter.getAffineDimExpr(inner) ||
        result.getResults().back() != rewriter.getAffineDimExpr(column) ||
        rows.getResults().drop_back() != result.getResults().drop_back())
      continue;
    return WeightProduct{other->get(), w, map.getDimPosition(0) == inner};
  }
  return rewriter.notifyMatchFailure(op, "has no weight of rank 2 whose outputs are the last dimension");
}

struct FormDenseMatmulPattern : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op, PatternRewriter &rewriter) const override {
    FailureOr<WeightProduct> product = matchProduct(op, rewriter);
    if (failed(product))
      return failure();
    auto resultType = cast<RankedTensorType>(op->getResult(0).getType());
    if (!isa<FloatType>(typeOf(product->x).getElementType()) || !isa<FloatType>(typeOf(product->w).getElementType()))
      return rewriter.notifyMatchFailure(op, "has operands that are not float");

    Location loc = op.getLoc();
    SmallVector<OpFoldResult> extents = tensor::getMixedSizes(rewriter, loc, product->x);
    Value w = toCanonical(rewriter, loc, *product);
    int64_t columns = typeOf(w).getDimSize(1);
    Value x = toRows(rewriter, loc, product->x, typeOf(w).getDimSize(2), resultType.getElementType());
    auto none = ActivationAttr::get(op.getContext(), ActivationKind::Identity, GateLayout::NotGated,
                                    llvm::APFloat(1.0), llvm::APFloat(0.0),
                                    llvm::APFloat::getInf(llvm::APFloat::IEEEdouble()));
    auto rowType = RankedTensorType::get({typeOf(x).getDimSize(0), columns}, resultType.getElementType());
    Value out = GroupedMatmulOp::create(rewriter, loc, rowType, x, w, Value(), Value(), Value(), Value(), columns,
                                        /*rows_per_token=*/1, none, StringAttr());
    extents.back() = rewriter.getIndexAttr(columns);
    rewriter.replaceOp(op, fromRows(rewriter, loc, out, resultType, extents));
    return success();
  }

private:
  /// [N, K] or [K, N] -> [1, N, K].
  static Value toCanonical(PatternRewriter &rewriter, Location loc, const WeightProduct &product) {
    Value w = product.w;
    RankedTensorType type = typeOf(w);
    auto stored = w.getDefiningOp<linalg::TransposeOp>();
    if (product.transposed && stored) {
      w = stored.getInput();
      type = typeOf(w);
    } else if (product.transposed) {
      Value init = tensor::EmptyOp::create(rewriter, loc, {type.getDimSize(1), type.getDimSize(0)},
                                           type.getElementType());
      w = linalg::TransposeOp::create(rewriter, loc, w, init, ArrayRef<int64_t>{1, 0})->getResult(0);
      type = typeOf(w);
    }
    auto expanded = RankedTensorType::get({1, type.getDimSize(0), type.getDimSize(1)}, type.getElementType());
    return tensor::ExpandShapeOp::create(rewriter, loc, expanded, w, ArrayRef<ReassociationIndices>{{0, 1}, {2}});
  }

  /// [rows…, K] -> [M, K] in `element`.
  static Value toRows(PatternRewriter &rewriter, Location loc, Value x, int64_t inner, Type element) {
    RankedTensorType type = typeOf(x);
    if (type.getDimSize(type.getRank() - 1) != inner) {
      SmallVector<int64_t> shape(type.getShape());
      shape.back() = inner;
      x = tensor::CastOp::create(rewriter, loc, type.clone(shape), x);
      type = typeOf(x);
    }
    if (type.getElementType() != element)
      x = extend(rewriter, loc, x, element);
    if (type.getRank() == 2)
      return x;
    if (type.getRank() == 1) {
      auto expanded = RankedTensorType::get({1, inner}, element);
      return tensor::ExpandShapeOp::create(rewriter, loc, expanded, x, ArrayRef<ReassociationIndices>{{0, 1}});
    }
    return tensor::CollapseShapeOp::create(rewriter, loc, x, rowReassociation(type.getRank()));
  }

  static Value fromRows(PatternRewriter &rewriter, Location loc, Value out, RankedTensorType type,
                        ArrayRef<OpFoldResult> extents) {
    Value result = out;
    if (type.getRank() == 1) {
      result = tensor::CollapseShapeOp::create(rewriter, loc, out, ArrayRef<ReassociationIndices>{{0, 1}});
    } else if (type.getRank() > 2) {
      SmallVector<int64_t> shape;
      for (OpFoldResult extent : extents)
        shape.push_back(getConstantIntValue(extent).value_or(ShapedType::kDynamic));
      result = tensor::ExpandShapeOp::create(rewriter, loc, RankedTensorType::get(shape, type.getElementType()), out,
                                             rowReassociation(type.getRank()), extents);
    }
    return result.getType() == type ? result : Value(tensor::CastOp::create(rewriter, loc, type, result));
  }

  static SmallVector<ReassociationIndices> rowReassociation(int64_t rank) {
    return {llvm::to_vector<2>(llvm::seq<int64_t>(rank - 1)), {rank - 1}};
  }

  static Value extend(PatternRewriter &rewriter, Location loc, Value x, Type element) {
    SmallVector<OpFoldResult> extents = tensor::getMixedSizes(rewriter, loc, x);
    Value init = tensor::EmptyOp::create(rewriter, loc, extents, element);
    int64_t rank = typeOf(x).getRank();
    SmallVector<AffineMap> maps(2, rewriter.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
    auto body = [&](OpBuilder &builder, Location bodyLoc, ValueRange values) {
      Value wide = arith::ExtFOp::create(builder, bodyLoc, element, values[0]);
      linalg::YieldOp::create(builder, bodyLoc, wide);
    };
    return linalg::GenericOp::create(rewriter, loc, init.getType(), x, init, maps, loops, body).getResult(0);
  }
};

struct FormDenseMatmul : moec::impl::FormDenseMatmulBase<FormDenseMatmul> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateFormDenseMatmulPatterns(patterns);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace

void moec::populateFormDenseMatmulPatterns(RewritePatternSet &patterns) {
  patterns.add<FormDenseMatmulPattern>(patterns.getContext());
}
