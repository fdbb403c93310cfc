//===- NnIndexingOps.cpp - gather, scatter, top-k, scan ---------------------===//

#include "mlir/IR/Matchers.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Shape/ShapeChecks.h"

using namespace mlir;
using namespace moec;
using namespace moec::nn;

#include "moec/Dialect/Nn/NnEnums.cpp.inc"
#define GET_OP_CLASSES
#include "moec/Dialect/Nn/NnOps.cpp.inc"

/// Where an extent of a result comes from.
using ExtentSource = std::pair<Value, int64_t>;

static SmallVector<int64_t> shapeOf(ArrayRef<ExtentSource> sources) {
  return llvm::map_to_vector(sources,
                             [](ExtentSource source) { return tensorType(source.first).getDimSize(source.second); });
}

static SmallVector<OpFoldResult> extentsFrom(OpBuilder &builder, Value result, ArrayRef<ExtentSource> sources) {
  SmallVector<OpFoldResult> extents;
  for (auto [axis, source] : llvm::enumerate(sources))
    extents.push_back(extentFrom(builder, result, axis, source.first, source.second));
  return extents;
}

static void appendExtents(SmallVectorImpl<ExtentSource> &sources, Value value, int64_t begin, int64_t end) {
  for (int64_t axis : llvm::seq(begin, end))
    sources.emplace_back(value, axis);
}

static LogicalResult verifyReduction(Operation *op, ScatterReduction reduction, Value data) {
  if (reduction == ScatterReduction::None || !tensorType(data).getElementType().isInteger(1))
    return success();
  return emitBreach(op, "C1") << "expected reduction none for i1, found " << stringifyScatterReduction(reduction);
}

//===----------------------------------------------------------------------===//
// GatherOp
//===----------------------------------------------------------------------===//

static SmallVector<ExtentSource> resultExtents(GatherOp op) {
  SmallVector<ExtentSource> sources;
  appendExtents(sources, op.getData(), 0, op.getAxis());
  appendExtents(sources, op.getIndices(), 0, tensorType(op.getIndices()).getRank());
  appendExtents(sources, op.getData(), op.getAxis() + 1, tensorType(op.getData()).getRank());
  return sources;
}

LogicalResult GatherOp::verify() {
  ShapeChecks c1(*this, "C1"), c2(*this, "C2");
  if (failed(c1.axis(getAxis(), tensorType(getData()).getRank())) || failed(c1.indexElements("indices", getIndices())))
    return failure();
  return failure(failed(c2.shape("the result", getOut(), shapeOf(resultExtents(*this)))) ||
                 failed(c2.elementType("the result", getOut(), tensorType(getData()).getElementType())));
}

LogicalResult GatherOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(extentsFrom(builder, getOut(), resultExtents(*this)));
  return success();
}

//===----------------------------------------------------------------------===//
// GatherElementsOp
//===----------------------------------------------------------------------===//

// Off the axis, the extents of indices may be smaller than those of data.
static LogicalResult verifyWithin(Operation *op, Value indices, Value data, int64_t axis) {
  for (int64_t dim : llvm::seq(tensorType(data).getRank())) {
    int64_t extent = tensorType(indices).getDimSize(dim), bound = tensorType(data).getDimSize(dim);
    bool known = !ShapedType::isDynamic(extent) && !ShapedType::isDynamic(bound);
    if (dim != axis && known && extent > bound)
      return emitBreach(op, "C1") << "expected dimension " << dim << " of indices to be at most " << bound << ", found "
                                  << extent;
  }
  return success();
}

LogicalResult GatherElementsOp::verify() {
  ShapeChecks c1(*this, "C1"), c2(*this, "C2");
  int64_t rank = tensorType(getData()).getRank();
  if (failed(c1.rank("indices", getIndices(), rank)) || failed(c1.axis(getAxis(), rank)) ||
      failed(c1.indexElements("indices", getIndices())) ||
      failed(verifyWithin(*this, getIndices(), getData(), getAxis())))
    return failure();
  return failure(failed(c2.shape("the result", getOut(), tensorType(getIndices()).getShape())) ||
                 failed(c2.elementType("the result", getOut(), tensorType(getData()).getElementType())));
}

LogicalResult GatherElementsOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(extentsLike(builder, getOut(), getIndices()));
  return success();
}

//===----------------------------------------------------------------------===//
// GatherNdOp
//===----------------------------------------------------------------------===//

static SmallVector<ExtentSource> resultExtents(GatherNdOp op) {
  RankedTensorType indices = tensorType(op.getIndices());
  SmallVector<ExtentSource> sources;
  appendExtents(sources, op.getIndices(), 0, indices.getRank() - 1);
  appendExtents(sources, op.getData(), op.getBatchDims() + indices.getShape().back(),
                tensorType(op.getData()).getRank());
  return sources;
}

LogicalResult GatherNdOp::verify() {
  ShapeChecks c1(*this, "C1"), c2(*this, "C2");
  RankedTensorType data = tensorType(getData()), indices = tensorType(getIndices());
  int64_t batchDims = getBatchDims();
  if (failed(c1.rankAtLeast("indices", getIndices(), 1)) || failed(c1.indexElements("indices", getIndices())) ||
      failed(c1.staticExtent("indices", getIndices(), indices.getRank() - 1)))
    return failure();
  int64_t tuple = indices.getShape().back();
  if (batchDims < 0 || batchDims >= indices.getRank())
    return emitBreach(*this, "C1") << "expected batch dimensions in [0, " << indices.getRank() << "), found "
                                   << batchDims;
  if (batchDims + tuple > data.getRank())
    return emitBreach(*this, "C1") << "expected at most " << data.getRank() - batchDims << " indices per slice, found "
                                   << tuple;
  SmallVector<int64_t> batch(indices.getShape());
  llvm::copy(data.getShape().take_front(batchDims), batch.begin());
  if (failed(c1.shape("indices", getIndices(), batch)))
    return failure();
  return failure(failed(c2.shape("the result", getOut(), shapeOf(resultExtents(*this)))) ||
                 failed(c2.elementType("the result", getOut(), data.getElementType())));
}

LogicalResult GatherNdOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(extentsFrom(builder, getOut(), resultExtents(*this)));
  return success();
}

//===----------------------------------------------------------------------===//
// ScatterElementsOp
//===----------------------------------------------------------------------===//

LogicalResult ScatterElementsOp::verify() {
  ShapeChecks c1(*this, "C1"), c2(*this, "C2");
  RankedTensorType data = tensorType(getData());
  if (failed(c1.rank("indices", getIndices(), data.getRank())) || failed(c1.axis(getAxis(), data.getRank())) ||
      failed(c1.indexElements("indices", getIndices())) ||
      failed(verifyWithin(*this, getIndices(), getData(), getAxis())) ||
      failed(c1.shape("updates", getUpdates(), tensorType(getIndices()).getShape())) ||
      failed(c1.elementType("updates", getUpdates(), data.getElementType())) ||
      failed(verifyReduction(*this, getReduction(), getData())))
    return failure();
  return failure(failed(c2.shape("the result", getOut(), data.getShape())) ||
                 failed(c2.elementType("the result", getOut(), data.getElementType())));
}

LogicalResult ScatterElementsOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(extentsLike(builder, getOut(), getData()));
  return success();
}

//===----------------------------------------------------------------------===//
// ScatterNdOp
//===----------------------------------------------------------------------===//

LogicalResult ScatterNdOp::verify() {
  ShapeChecks c1(*this, "C1"), c2(*this, "C2"), c3(*this, "C3");
  RankedTensorType data = tensorType(getData()), indices = tensorType(getIndices());
  if (failed(c1.rankAtLeast("indices", getIndices(), 1)) || failed(c1.indexElements("indices", getIndices())) ||
      failed(c1.staticExtent("indices", getIndices(), indices.getRank() - 1)) ||
      failed(verifyReduction(*this, getReduction(), getData())))
    return failure();
  int64_t tuple = indices.getShape().back();
  if (tuple > data.getRank())
    return emitBreach(*this, "C1") << "expected at most " << data.getRank() << " indices per slice, found " << tuple;
  SmallVector<int64_t> updates(indices.getShape().drop_back());
  llvm::append_range(updates, data.getShape().drop_front(tuple));
  return failure(failed(c2.shape("updates", getUpdates(), updates)) ||
                 failed(c2.elementType("updates", getUpdates(), data.getElementType())) ||
                 failed(c3.shape("the result", getOut(), data.getShape())) ||
                 failed(c3.elementType("the result", getOut(), data.getElementType())));
}

LogicalResult ScatterNdOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(extentsLike(builder, getOut(), getData()));
  return success();
}

//===----------------------------------------------------------------------===//
// TopKOp
//===----------------------------------------------------------------------===//

LogicalResult TopKOp::verify() {
  ShapeChecks c1(*this, "C1"), c2(*this, "C2");
  if (failed(c1.rankAtLeast("x", getX(), 1)))
    return failure();
  SmallVector<int64_t> shape(tensorType(getX()).getShape());
  IntegerAttr k;
  shape.back() = matchPattern(getK(), m_Constant(&k)) ? k.getInt() : ShapedType::kDynamic;
  return failure(failed(c2.shape("values", getValues(), shape)) || failed(c2.shape("indices", getIndices(), shape)) ||
                 failed(c2.shape("indices", getIndices(), tensorType(getValues()).getShape())) ||
                 failed(c2.elementType("values", getValues(), tensorType(getX()).getElementType())) ||
                 failed(c2.elementType("indices", getIndices(), IntegerType::get(getContext(), 64))));
}

LogicalResult TopKOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  int64_t last = tensorType(getX()).getRank() - 1;
  for (Value result : getResults()) {
    SmallVector<OpFoldResult> &extents = shapes.emplace_back();
    for (int64_t axis : llvm::seq(last))
      extents.push_back(extentFrom(builder, result, axis, getX(), axis));
    RankedTensorType type = tensorType(result);
    extents.push_back(type.isDynamicDim(last) ? OpFoldResult(getK())
                                              : OpFoldResult(builder.getIndexAttr(type.getDimSize(last))));
  }
  return success();
}

namespace {

struct MakeCountStatic : OpRewritePattern<TopKOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(TopKOp op, PatternRewriter &rewriter) const override {
    RankedTensorType values = tensorType(op.getValues()), indices = tensorType(op.getIndices());
    int64_t last = values.getRank() - 1;
    if (!values.isDynamicDim(last) && !indices.isDynamicDim(last))
      return rewriter.notifyMatchFailure(op, "the extent is static");
    IntegerAttr k;
    if (!matchPattern(op.getK(), m_Constant(&k)))
      return rewriter.notifyMatchFailure(op, "k is not constant");
    if (k.getInt() < 0)
      return rewriter.notifyMatchFailure(op, "k is negative");
    SmallVector<int64_t> shape(values.getShape());
    shape.back() = k.getInt();
    auto refined = TopKOp::create(rewriter, op.getLoc(), values.clone(shape), indices.clone(shape), op.getX(),
                                  op.getK(), op.getLargest());
    SmallVector<Value> results;
    for (auto [result, type] : llvm::zip_equal(refined.getResults(), op.getResultTypes()))
      results.push_back(rewriter.createOrFold<tensor::CastOp>(op.getLoc(), type, result));
    rewriter.replaceOp(op, results);
    return success();
  }
};

} // namespace

void TopKOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<MakeCountStatic>(context);
}

//===----------------------------------------------------------------------===//
// CumSumOp
//===----------------------------------------------------------------------===//

LogicalResult CumSumOp::verify() { return ShapeChecks(*this, "C1").axis(getAxis(), tensorType(getX()).getRank()); }

LogicalResult CumSumOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(extentsLike(builder, getOut(), getX()));
  return success();
}

//===----------------------------------------------------------------------===//
// CountNonzeroOp and NonzeroOp
//===----------------------------------------------------------------------===//

LogicalResult CountNonzeroOp::verify() {
  auto expected = RankedTensorType::get({1}, IntegerType::get(getContext(), 64));
  if (getCount().getType() == expected)
    return success();
  return emitBreach(*this, "C1") << "expected the result to be " << expected << ", found " << getCount().getType();
}

LogicalResult CountNonzeroOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back({builder.getIndexAttr(1)});
  return success();
}

LogicalResult NonzeroOp::verify() {
  ShapeChecks c1(*this, "C1");
  if (failed(c1.shape("the result", getIndices(), {tensorType(getX()).getRank(), ShapedType::kDynamic})) ||
      failed(c1.elementType("the result", getIndices(), IntegerType::get(getContext(), 64))))
    return failure();
  if (tensorType(getIndices()).isDynamicDim(0))
    return c1.staticExtent("the result", getIndices(), 0);
  return success();
}

LogicalResult NonzeroOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  RankedTensorType type = tensorType(getIndices());
  shapes.push_back(
      {builder.getIndexAttr(type.getDimSize(0)),
       type.isDynamicDim(1) ? OpFoldResult(getCount()) : OpFoldResult(builder.getIndexAttr(type.getDimSize(1)))});
  return success();
}
