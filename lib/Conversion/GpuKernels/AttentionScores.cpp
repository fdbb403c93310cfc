//===- AttentionScores.cpp - from products of queries and keys to scores ----===//

#include "AttentionScores.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

Value moec::largerScore(const GpuBlockBuilder &block, Value a, Value b) { return block.make<arith::MaxNumFOp>(a, b); }

Value moec::powerOfTwo(const GpuBlockBuilder &block, Value exponent) {
  return LLVM::CallIntrinsicOp::create(block.builder, block.loc, exponent.getType(),
                                       block.builder.getStringAttr("llvm.nvvm.ex2.approx.ftz"), exponent)
      ->getResult(0);
}

Value moec::finiteMaximum(const GpuBlockBuilder &block, Value value) {
  Value isHidden = block.make<arith::CmpFOp>(arith::CmpFPredicate::OEQ, value, hiddenScore(block));
  return block.select(isHidden, block.f32(0), value);
}

Value moec::attentionHead(const GpuBlockBuilder &block, const AttentionOperands &operands, const AttentionUnit &unit,
                          Value row) {
  return block.add(unit.head, block.div(row, operands.positions));
}

AttentionScores::AttentionScores(const GpuBlockBuilder &block, const AttentionProblem &problem,
                                 const AttentionBody &body, const AttentionOperands &operands,
                                 const AttentionUnit &unit, Value lane, Value warpRow)
    : block(block), problem(problem), body(body), operands(operands), unit(unit),
      pairOfLane(block.mul(block.bitAnd(lane, 3), 2)) {
  Value row = block.add(warpRow, block.shiftRight(lane, 2));
  for (int64_t next = 0; next < body.rowsPerWarp(); next += 8)
    rows.push_back(describeRow(block.add(row, next)));
}

/// `row` counts in the tile; one behind the last stands for the last.
AttentionScores::Row AttentionScores::describeRow(Value row) const {
  Row result;
  row = block.add(unit.firstRow, block.min(row, block.sub(unit.rowCount, 1)));
  Value position = block.rem(row, operands.positions);
  Value seenEnd = block.add(position, block.add(block.sub(operands.keys, operands.positions), 1));
  result.endKey = problem.op.getCausal() ? block.min(unit.endKey, seenEnd) : unit.endKey;
  if (problem.hasWindow())
    result.beginKey = block.sub(seenEnd, static_cast<int64_t>(problem.op.getWindow()));
  if (!operands.mask)
    return result;
  Value at[] = {unit.batch, attentionHead(block, operands, unit, row), position}, offset = block.i64(0);
  for (auto [extent, coordinate] : llvm::zip_equal(operands.maskExtents, at)) {
    Value inRow = block.select(block.equal(extent, 1), block.i32(0), coordinate);
    offset = block.add(block.mul(offset, block.toI64(extent)), block.toI64(inRow));
  }
  Type element = cast<ShapedType>(problem.op.getMask().getType()).getElementType();
  int64_t bytes = llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
  result.mask = block.at(operands.mask, block.mul(block.mul(offset, block.toI64(operands.keys)), bytes));
  return result;
}

double AttentionScores::factor() const {
  double scale = problem.op.getScale().convertToDouble();
  bool isPlain = scale > 0.0 && !problem.hasSoftcap() && !operands.mask;
  return isPlain ? scale * attentionLog2E : 1.0;
}

Value AttentionScores::scale(Value product) const {
  double scale = problem.op.getScale().convertToDouble(), cap = problem.op.getSoftcap().convertToDouble();
  if (!problem.hasSoftcap())
    return block.mulFloat(product, block.f32(scale * attentionLog2E));
  Value ratio = block.mulFloat(product, block.f32(scale / cap));
  return block.mulFloat(block.make<math::TanhOp>(ratio), block.f32(cap * attentionLog2E));
}

Value AttentionScores::addMask(Value score, const Row &row, Value key) const {
  Type element = cast<ShapedType>(problem.op.getMask().getType()).getElementType();
  if (element.isInteger(1)) {
    Type byte = block.builder.getI8Type();
    Value keep = block.load(byte, block.at(row.mask, key));
    Value isHidden = block.equal(keep, int64_t(0));
    return block.select(isHidden, hiddenScore(block), score);
  }
  Value offset = block.mul(block.toI64(key), element.getIntOrFloatBitWidth() / 8);
  Value added = block.convert(block.load(element, block.at(row.mask, offset)), block.builder.getF32Type());
  return block.fma(added, block.f32(attentionLog2E), score);
}

std::pair<const AttentionScores::Row &, int64_t> AttentionScores::find(size_t score) const {
  size_t perTile = body.keysPerWarp() / 2, inTile = score % perTile;
  return {rows[2 * (score / perTile) + inTile / 2 % 2], 8 * (inTile / 4) + inTile % 2};
}

Values AttentionScores::compute(ValueRange products, Value stepKey, Value firstKey) const {
  Values scores;
  Value keyOfLane = block.add(firstKey, pairOfLane), lastKey = block.sub(operands.keys, 1);
  for (auto [i, product] : llvm::enumerate(products)) {
    Value score = factor() == 1.0 ? scale(product) : product;
    if (operands.mask) {
      // Keys that do not exist read the mask of the last one, and are hidden below.
      auto [row, distance] = find(i);
      score = addMask(score, row, block.min(block.add(keyOfLane, distance), lastKey));
    }
    scores.push_back(score);
  }

  // Most steps lie within what all rows see.
  Value isPartial = block.less(unit.allSeenEnd, block.add(stepKey, body.keysPerStep));
  if (problem.hasWindow())
    isPartial = block.make<arith::OrIOp>(isPartial, block.less(stepKey, unit.allSeenBegin));
  auto hide = [&] {
    Values seen;
    for (auto [i, score] : llvm::enumerate(scores)) {
      auto [row, distance] = find(i);
      Value isSeen = block.less(block.i32(distance), block.sub(row.endKey, keyOfLane));
      if (row.beginKey)
        isSeen = block.both(
            isSeen, block.compare(arith::CmpIPredicate::sge, block.i32(distance), block.sub(row.beginKey, keyOfLane)));
      seen.push_back(block.select(isSeen, score, hiddenScore(block)));
    }
    return seen;
  };
  return block.ifElse(isPartial, hide, [&] { return scores; });
}
