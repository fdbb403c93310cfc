//===- MoeWeightOps.cpp - weights and expressions over them -----------------===//

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Onnx/Onnx.h"
#include "moec/Dialect/Shape/ShapeChecks.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

//===----------------------------------------------------------------------===//
// WeightOp
//===----------------------------------------------------------------------===//

uint64_t WeightOp::getByteCount() {
  auto type = cast<RankedTensorType>(getType());
  uint64_t bits = type.getElementTypeBitWidth();
  return bits == 1 ? type.getNumElements() : llvm::divideCeil(type.getNumElements() * bits, 8);
}

static LogicalResult verifySource(WeightOp op, Attribute source) {
  if (auto file = dyn_cast<FileAttr>(source)) {
    if (file.getSize() == op.getByteCount())
      return success();
    return emitBreach(op, "C3") << "expected " << op.getByteCount() << " bytes for " << op.getType() << ", found "
                                << file.getSize();
  }
  if (auto elements = dyn_cast<ElementsAttr>(source)) {
    if (elements.getShapedType() == op.getType())
      return success();
    return emitBreach(op, "C3") << "expected elements of type " << op.getType() << ", found "
                                << elements.getShapedType();
  }
  if (isa<SplatAttr, RandomAttr>(source))
    return success();
  return emitBreach(op, "C2") << "expected a source of #moe.file, #moe.splat, #moe.random or elements, found "
                              << source;
}

static LogicalResult verifyExpression(WeightOp op) {
  Region &region = op.getExpression();
  if (!region.hasOneBlock())
    return emitBreach(op, "C4") << "expected an expression of one block";
  Block &block = region.front();
  for (Operation &nested : block) {
    bool known =
        isa<LoadWeightOp, PackPanelsOp, DequantizeOp, UnpackValuesOp, OffsetValuesOp, PackWordsOp, YieldOp,
            onnx::ConstantOp, arith::ConstantOp, tensor::ExtractSliceOp, tensor::ConcatOp, tensor::CollapseShapeOp,
            tensor::ExpandShapeOp, tensor::EmptyOp, linalg::TransposeOp, arith::ExtFOp, arith::TruncFOp>(nested);
    if (!known)
      return emitBreach(op, "C4") << "expected an op of weight expressions, found '" << nested.getName() << "'";
  }
  auto yield = block.empty() ? YieldOp() : dyn_cast<YieldOp>(block.back());
  if (!yield)
    return emitBreach(op, "C4") << "expected the expression to end in moe.yield";
  if (yield.getValue().getType() != op.getType())
    return emitBreach(op, "C4") << "expected the expression to yield " << op.getType() << ", found "
                                << yield.getValue().getType();
  return success();
}

LogicalResult WeightOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape())
    return emitBreach(*this, "C1") << "expected a static type, found " << type;
  if (getSource().has_value() != getExpression().empty())
    return emitBreach(*this, "C2") << "expected either a source or an expression, found "
                                   << (getSource() ? "both" : "neither");
  return getSource() ? verifySource(*this, *getSource()) : verifyExpression(*this);
}

//===----------------------------------------------------------------------===//
// LoadWeightOp
//===----------------------------------------------------------------------===//

LogicalResult LoadWeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto weight = symbols.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight)
    return emitBreach(*this, "C1") << "expected a moe.weight named " << getWeightAttr();
  if (weight.getType() != getType())
    return emitBreach(*this, "C2") << "expected the type " << weight.getType() << " of " << getWeightAttr()
                                   << ", found " << getType();
  return success();
}

//===----------------------------------------------------------------------===//
// PackPanelsOp
//===----------------------------------------------------------------------===//

LogicalResult PackPanelsOp::verify() {
  ShapeChecks c1(*this, "C1"), c2(*this, "C2");
  if (failed(c1.rank("w", getW(), 3)) || failed(c1.staticShape("w", getW())))
    return failure();
  if (getLinear() && getLinear().getType() != getW().getType())
    return emitBreach(*this, "C1") << "expected linear of type " << getW().getType() << ", found "
                                   << getLinear().getType();
  RankedTensorType w = tensorType(getW());
  int64_t panels = llvm::divideCeil(w.getDimSize(1), 16) * (getLinear() ? 2 : 1);
  return failure(failed(c2.shape("the result", getPacked(), {w.getDimSize(0), panels, w.getDimSize(2), 16})) ||
                 failed(c2.staticShape("the result", getPacked())) ||
                 failed(c2.elementType("the result", getPacked(), w.getElementType())));
}

//===----------------------------------------------------------------------===//
// DequantizeOp
//===----------------------------------------------------------------------===//

static LogicalResult verifyBits(Operation *op, int64_t bits) {
  if (bits == 2 || bits == 4 || bits == 8)
    return success();
  return emitBreach(op, "C1") << "expected 2, 4 or 8 bits, found " << bits;
}

LogicalResult DequantizeOp::verify() {
  ShapeChecks c1(*this, "C1"), c2(*this, "C2");
  int64_t bits = getBits(), block = getBlock();
  if (failed(verifyBits(*this, bits)))
    return failure();
  if (block < 0)
    return emitBreach(*this, "C1") << "expected a block of 0 or more values, found " << block;
  if (failed(c1.rankAtLeast("q", getQ(), 2)) || failed(c1.staticShape("q", getQ())) ||
      failed(c1.byteElements("q", getQ())) || failed(c1.floatElements("scales", getScales())))
    return failure();

  SmallVector<int64_t> rows(tensorType(getQ()).getShape());
  int64_t bytes = rows.pop_back_val(), inner = bytes * 8 / bits;
  if (tensorType(getOut()).getRank() > 0 && tensorType(getOut()).getShape().back() == bytes)
    inner = bytes;
  SmallVector<int64_t> scales = rows;
  if (block > 0)
    scales.push_back(llvm::divideCeil(inner, block));
  if (failed(c1.shape("scales", getScales(), scales)))
    return failure();
  if (Value zeroPoints = getZeroPoints()) {
    SmallVector<int64_t> packed = scales;
    RankedTensorType type = tensorType(zeroPoints);
    if (type.getRank() == 0 || type.getShape().back() != packed.back())
      packed.back() = llvm::divideCeil(packed.back() * bits, 8);
    if (failed(c1.byteElements("zero points", zeroPoints)) || failed(c1.shape("zero points", zeroPoints, packed)))
      return failure();
  }
  SmallVector<int64_t> shape = rows;
  shape.push_back(inner);
  return failure(failed(c2.shape("the result", getOut(), shape)) || failed(c2.floatElements("the result", getOut())));
}

//===----------------------------------------------------------------------===//
// UnpackValuesOp, OffsetValuesOp and PackWordsOp
//===----------------------------------------------------------------------===//

LogicalResult UnpackValuesOp::verify() {
  ShapeChecks c1(*this, "C1"), c2(*this, "C2");
  int64_t bits = getBits();
  if (failed(verifyBits(*this, bits)) || failed(c1.rankAtLeast("q", getQ(), 1)) ||
      failed(c1.staticShape("q", getQ())) || failed(c1.byteElements("q", getQ())))
    return failure();
  SmallVector<int64_t> shape(tensorType(getQ()).getShape());
  shape.back() *= 8 / bits;
  return failure(failed(c2.shape("the result", getValues(), shape)) ||
                 failed(c2.elementType("the result", getValues(), tensorType(getQ()).getElementType())));
}

LogicalResult OffsetValuesOp::verify() {
  ShapeChecks c1(*this, "C1");
  return failure(failed(verifyBits(*this, getBits())) || failed(c1.staticShape("values", getValues())) ||
                 failed(c1.byteElements("values", getValues())));
}

LogicalResult PackWordsOp::verify() {
  ShapeChecks c1(*this, "C1"), c2(*this, "C2");
  int64_t bits = getBits();
  if (bits != 2 && bits != 4 && bits != 8)
    return emitBreach(*this, "C1") << "expected 2, 4 or 8 bits, found " << bits;
  if (failed(c1.rankAtLeast("values", getValues(), 1)) || failed(c1.staticShape("values", getValues())) ||
      failed(c1.byteElements("values", getValues())))
    return failure();
  SmallVector<int64_t> shape(tensorType(getValues()).getShape());
  shape.back() = llvm::divideCeil(shape.back() * bits, 32);
  return failure(failed(c2.shape("the result", getWords(), shape)) || failed(c2.i32Elements("the result", getWords())));
}
