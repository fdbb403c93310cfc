//===- EncodeWeights.cpp - weights of products in their stored form ---------===//

#include "QuantizedValues.h"
#include "WeightExpressions.h"

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Transforms/MoePatterns.h"
#include "moec/Transforms/Passes.h"

#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace moec {
#define GEN_PASS_DEF_ENCODEWEIGHTS
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

constexpr int64_t panelWidth = 16;

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Gate and linear halves of a weight or bias along its second dimension.
class GateSplitter {
public:
  GateSplitter(PatternRewriter &rewriter, Location loc, GateLayout layout)
      : rewriter(rewriter), loc(loc), layout(layout) {}

  std::pair<Value, Value> split(Value value) {
    int64_t half = typeOf(value).getDimSize(1) / 2;
    auto concat = value.getDefiningOp<tensor::ConcatOp>();
    if (layout == GateLayout::Concatenated && concat && concat.getDim() == 1 && concat.getInputs().size() == 2 &&
        typeOf(concat.getInputs()[0]).getDimSize(1) == half)
      return {concat.getInputs()[0], concat.getInputs()[1]};
    if (layout == GateLayout::Interleaved)
      return {slice(value, 0, 2, half), slice(value, 1, 2, half)};
    return {slice(value, 0, 1, half), slice(value, half, 1, half)};
  }

private:
  Value slice(Value value, int64_t offset, int64_t stride, int64_t size) {
    int64_t rank = typeOf(value).getRank();
    SmallVector<OpFoldResult> offsets(rank, rewriter.getIndexAttr(0)), strides(rank, rewriter.getIndexAttr(1)), sizes;
    for (int64_t extent : typeOf(value).getShape())
      sizes.push_back(rewriter.getIndexAttr(extent));
    offsets[1] = rewriter.getIndexAttr(offset);
    strides[1] = rewriter.getIndexAttr(stride);
    sizes[1] = rewriter.getIndexAttr(size);
    return tensor::ExtractSliceOp::create(rewriter, loc, value, offsets, sizes, strides);
  }

  PatternRewriter &rewriter;
  Location loc;
  GateLayout layout;
};

struct EncodeGroupedMatmul : OpRewritePattern<GroupedMatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GroupedMatmulOp op, PatternRewriter &rewriter) const override {
    if (op.isPacked())
      return rewriter.notifyMatchFailure(op, "already has the stored form");
    if (!isWeightExpression(op.getW()))
      return rewriter.notifyMatchFailure(op, "w is not computed from weights");
    if (typeOf(op.getW()).getNumElements() == 0)
      return rewriter.notifyMatchFailure(op, "w has no elements");
    bool gated = op.getActivation().isGated();
    if (gated && op.getBias() && !isWeightExpression(op.getBias()))
      return rewriter.notifyMatchFailure(op, "the bias is not computed from weights");

    Location loc = op.getLoc();
    ActivationAttr activation = op.getActivation();
    GateSplitter splitter(rewriter, loc, activation.getLayout());
    Value gate = op.getW(), linear;
    std::optional<QuantizedFormat> format = findQuantizedFormat(gate);
    if (gated) {
      std::tie(gate, linear) = splitter.split(gate);
      activation = ActivationAttr::get(op.getContext(), activation.getKind(), GateLayout::Panels, activation.getAlpha(),
                                       activation.getBeta(), activation.getLimit());
    }
    rewriter.modifyOpInPlace(op, [&] {
      if (format)
        storeQuantized(rewriter, op, *format, gate, linear);
      else
        op.getWMutable().assign(pack(rewriter, loc, gate, linear));
      if (gated && op.getBias()) {
        auto [gateBias, linearBias] = splitter.split(op.getBias());
        op.getBiasMutable().assign(interleavePanels(rewriter, loc, gateBias, linearBias));
      }
      op.setActivationAttr(activation);
    });
    return success();
  }

private:
  /// Gives the op the words, scales and zero points of a quantised weight.
  static void storeQuantized(PatternRewriter &rewriter, GroupedMatmulOp op, const QuantizedFormat &format, Value gate,
                             Value linear) {
    Location loc = op.getLoc();
    QuantizedValues first = buildQuantizedValues(rewriter, loc, gate), second;
    if (linear)
      second = buildQuantizedValues(rewriter, loc, linear);
    auto words = [&](Value values) -> Value {
      if (!values)
        return {};
      SmallVector<int64_t> shape(typeOf(values).getShape());
      shape.back() = llvm::divideCeil(shape.back() * format.bits, 32);
      return PackWordsOp::create(rewriter, loc, RankedTensorType::get(shape, rewriter.getI32Type()), values,
                                 format.bits);
    };
    op.getWMutable().assign(pack(rewriter, loc, words(first.values), words(second.values)));
    op.getWScalesMutable().assign(pack(rewriter, loc, first.scales, second.scales));
    if (format.hasZeroPoints)
      op.getWZeroPointsMutable().assign(pack(rewriter, loc, first.zeroPoints, second.zeroPoints));
    op.setQuantizedAttr(QuantizationAttr::get(op.getContext(), format.bits, format.block));
  }

  static Value pack(PatternRewriter &rewriter, Location loc, Value w, Value linear) {
    RankedTensorType type = typeOf(w);
    int64_t panels = llvm::divideCeil(type.getDimSize(1), panelWidth) * (linear ? 2 : 1);
    auto packed =
        RankedTensorType::get({type.getDimSize(0), panels, type.getDimSize(2), panelWidth}, type.getElementType());
    return PackPanelsOp::create(rewriter, loc, packed, w, linear);
  }

  /// [E, I] and [E, I] -> [E, 32 ceil(I/16)], 16 of one and 16 of the other in turn, missing columns 0.
  static Value interleavePanels(PatternRewriter &rewriter, Location loc, Value gate, Value linear) {
    RankedTensorType type = typeOf(gate);
    int64_t experts = type.getDimSize(0), units = llvm::divideCeil(type.getDimSize(1), panelWidth);
    auto toPanels = [&](Value half) -> Value {
      if (int64_t missing = units * panelWidth - type.getDimSize(1)) {
        auto zeroType = RankedTensorType::get({experts, missing}, type.getElementType());
        Value zeros = arith::ConstantOp::create(rewriter, loc, rewriter.getZeroAttr(zeroType));
        half = tensor::ConcatOp::create(rewriter, loc, /*dim=*/1, ValueRange{half, zeros});
      }
      auto panelType = RankedTensorType::get({experts, units, 1, panelWidth}, type.getElementType());
      return tensor::ExpandShapeOp::create(rewriter, loc, panelType, half,
                                           ArrayRef<ReassociationIndices>{{0}, {1, 2, 3}});
    };
    Value both = tensor::ConcatOp::create(rewriter, loc, /*dim=*/2, ValueRange{toPanels(gate), toPanels(linear)});
    return tensor::CollapseShapeOp::create(rewriter, loc, both, ArrayRef<ReassociationIndices>{{0}, {1, 2, 3}});
  }
};

struct EncodeWeights : moec::impl::EncodeWeightsBase<EncodeWeights> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateEncodeWeightsPatterns(patterns);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace

void moec::populateEncodeWeightsPatterns(RewritePatternSet &patterns) {
  patterns.add<EncodeGroupedMatmul>(patterns.getContext());
}
