//===- WeightOps.cpp - reference evaluation of weights ----------------------===//

#include "OpEvaluators.h"
#include "moec/Reference/Evaluate.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;
using namespace moec::reference;

LogicalResult reference::evaluateOp(PackPanelsOp op, Values &values) {
  const HostTensor &w = values[op.getW()], *linear = values.find(op.getLinear());
  HostTensor &packed = values.addResult(cast<ShapedType>(op.getPacked().getType()).getShape());
  int64_t step = linear ? 2 : 1;
  forEachIndex(w.getShape(), [&](ArrayRef<int64_t> index) {
    int64_t expert = index[0], column = index[1], k = index[2];
    int64_t panel = column / 16 * step;
    packed.copyElement(packed.offset({expert, panel, k, column % 16}), w, w.offset(index));
    if (linear)
      packed.copyElement(packed.offset({expert, panel + 1, k, column % 16}), *linear, w.offset(index));
  });
  return success();
}

/// Value `position` of a row of bytes that holds `bits` per value, lowest bits first.
static int64_t unpack(const HostTensor &bytes, ArrayRef<int64_t> row, int64_t position, int64_t bits) {
  SmallVector<int64_t> index(row);
  index.push_back(position * bits / 8);
  int64_t byte = bytes.integer(index) & 0xff;
  return byte >> (position * bits % 8) & ((1 << bits) - 1);
}

LogicalResult reference::evaluateOp(DequantizeOp op, Values &values) {
  const HostTensor &q = values[op.getQ()], &scales = values[op.getScales()];
  const HostTensor *zeroPoints = values.find(op.getZeroPoints());
  int64_t bits = op.getBits(), block = op.getBlock();
  HostTensor &out = values.addResult(cast<ShapedType>(op.getOut().getType()).getShape());
  int64_t valueBits = q.getShape().back() == out.getShape().back() ? 8 : bits, zeroPointBits = bits;
  if (zeroPoints && zeroPoints->getShape().back() > llvm::divideCeil(scales.getShape().back() * bits, 8))
    zeroPointBits = 8;
  forEachIndex(out.getShape(), [&](ArrayRef<int64_t> index) {
    ArrayRef<int64_t> row = index.drop_back();
    SmallVector<int64_t> scale(row);
    if (block > 0)
      scale.push_back(index.back() / block);
    int64_t zero = int64_t(1) << (bits - 1);
    if (zeroPoints)
      zero = unpack(*zeroPoints, ArrayRef<int64_t>(scale).drop_back(), scale.back(), zeroPointBits);
    out.setReal(index, (unpack(q, row, index.back(), valueBits) - zero) * scales.real(scale));
  });
  return success();
}

LogicalResult reference::evaluateOp(UnpackValuesOp op, Values &values) {
  const HostTensor &q = values[op.getQ()];
  HostTensor &out = values.addResult(cast<ShapedType>(op.getValues().getType()).getShape());
  int64_t sign = op.getIsSigned() ? 1 << (op.getBits() - 1) : 0;
  forEachIndex(out.getShape(), [&](ArrayRef<int64_t> index) {
    out.setInteger(index, (unpack(q, index.drop_back(), index.back(), op.getBits()) ^ sign) - sign);
  });
  return success();
}

LogicalResult reference::evaluateOp(OffsetValuesOp op, Values &values) {
  const HostTensor &given = values[op.getValues()];
  HostTensor &out = values.addResult(given.getShape());
  int64_t sign = 1 << (op.getBits() - 1);
  for (int64_t i : llvm::seq(given.getSize()))
    out.setInteger(i, (given.integer(i) + sign) & (2 * sign - 1));
  return success();
}

LogicalResult reference::evaluateOp(PackWordsOp op, Values &values) {
  const HostTensor &bytes = values[op.getValues()];
  int64_t bits = op.getBits(), perWord = 32 / bits;
  HostTensor &out = values.addResult(cast<ShapedType>(op.getWords().getType()).getShape());
  forEachIndex(bytes.getShape(), [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> word(index);
    word.back() /= perWord;
    int64_t i = index.back() % perWord, value = bytes.integer(index) & ((1 << bits) - 1);
    out.setInteger(word, out.integer(word) | value << (bits * (i / 2) + 16 * (i % 2)));
  });
  return success();
}

LogicalResult reference::evaluateOp(LoadWeightOp op, Values &values) {
  auto weight = SymbolTable::lookupNearestSymbolFrom<WeightOp>(op, op.getWeightAttr());
  HostTensor &result = values.addResult(cast<ShapedType>(op.getType()).getShape());
  Attribute source = weight.getSource().value_or(Attribute());
  if (auto elements = dyn_cast_if_present<ElementsAttr>(source)) {
    result = HostTensor(elements);
    return success();
  }
  if (auto splat = dyn_cast_if_present<SplatAttr>(source)) {
    double value = splat.getValue().convertToDouble();
    result = HostTensor(result.getElementType(), result.getShape(), SmallVector<double>(result.getSize(), value));
    return success();
  }
  return op.emitError() << "the value of " << op.getWeightAttr() << " is not in the IR";
}
