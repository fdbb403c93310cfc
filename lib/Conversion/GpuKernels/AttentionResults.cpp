//===- AttentionResults.cpp - from the sums of warps to stored results ------===//

#include "AttentionResults.h"
#include "LastArrival.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;

namespace {

using Values = GpuBlockBuilder::Values;

/// The largest score, the sum of weights, then some columns.
struct Merged {
  Value largest, weight;
  Values columns;
};

class Results {
public:
  Results(const GpuBlockBuilder &block, const AttentionProblem &problem, const AttentionSchedule &schedule,
          const AttentionBody &body, const AttentionOperands &operands, const AttentionUnit &unit,
          const AttentionShare &share, Value unitRows, Value thread, Value shared)
      : block(block), problem(problem), schedule(schedule), body(body), operands(operands), unit(unit), share(share),
        unitRows(unitRows), thread(thread), shared(shared), f32(block.builder.getF32Type()) {
    width = std::min<int64_t>(4, problem.valueSize & -problem.valueSize);
    rowPieces = (schedule.parts == 1 ? problem.valueSize : schedule.columnsPerPart) / width;
  }

  void gather(const AttentionSums &sums);
  void store();

private:
  void forPieces(llvm::function_ref<void(Value row, Value column)> body) const;
  Values loadPiece(Value pointer) const;
  Merged mergeWarps(Value row, Value column) const;
  Values foldSplits(ValueRange initial, llvm::function_ref<Values(Value split)> load,
                    llvm::function_ref<Values(ValueRange loaded, ValueRange carried)> combine) const;
  Merged mergeSplits(Value row, Value column) const;
  void storeResult(Value row, Value column, const Merged &merged) const;
  void storePartial(Value row, Value column, const Merged &merged) const;
  Value partial(Value split) const;

  /// Where the largest score of a row lies behind the `rows` rows of columns; the sum of weights lies behind all.
  Value largestOf(Value start, Value row, int64_t bytes) const {
    return block.at(block.at(start, block.mul(row, 4)), bytes);
  }

  GpuBlockBuilder block;
  const AttentionProblem &problem;
  const AttentionSchedule &schedule;
  const AttentionBody &body;
  const AttentionOperands &operands;
  const AttentionUnit &unit;
  const AttentionShare &share;
  Value unitRows, thread, shared;
  Type f32;
  int64_t width, rowPieces; // columns that a thread takes at once, and how often that is in a row
};

} // namespace

/// The rows of warps come one after the other, also where they are the same ones.
void Results::gather(const AttentionSums &sums) {
  Value lane = block.rem(thread, warpLanes), warp = block.div(thread, warpLanes), pair = block.bitAnd(lane, 3);
  Value first = block.add(block.mul(warp, body.rowsPerWarp()), block.shiftRight(lane, 2));
  auto type = VectorType::get(2, f32);
  int64_t octets = schedule.columnsPerPart / 8;
  for (auto [i, largest] : llvm::enumerate(sums.largest)) {
    Value row = block.add(first, 8 * i);
    Value target = block.at(shared, block.add(block.mul(row, schedule.resultPitch()), block.mul(pair, 8)));
    ValueRange values = sums.values.drop_front(4 * (octets + 1) * (i / 2) + 2 * (i % 2));
    for (int64_t octet = 0; octet < octets; ++octet) {
      Value both = block.make<vector::FromElementsOp>(type, values.slice(4 * octet, 2));
      block.store(both, block.at(target, 32 * octet));
    }
    block.ifThen(block.equal(pair, int64_t(0)), [&, largest = largest] {
      Value place = largestOf(shared, row, schedule.resultBytes(body));
      block.store(largest, place);
      block.store(values[4 * octets], block.at(place, 4 * schedule.resultRows(body)));
    });
  }
}

/// Visits the columns of all rows that exist.
void Results::forPieces(llvm::function_ref<void(Value row, Value column)> body) const {
  Value pieces = block.mul(unit.rowCount, rowPieces);
  auto visit = [&](Value piece) {
    Value row = block.div(piece, rowPieces), column = block.mul(block.rem(piece, rowPieces), width);
    if (schedule.parts == 1)
      return body(row, column);
    Value first = block.mul(share.part, schedule.columnsPerPart);
    block.ifThen(block.less(block.add(first, column), problem.valueSize), [&] { body(row, column); });
  };
  if (this->body.rows() * rowPieces <= AttentionSchedule::threads)
    block.ifThen(block.less(thread, pieces), [&] { visit(thread); });
  else
    block.loop(thread, pieces, block.i32(AttentionSchedule::threads), visit);
}

Values Results::loadPiece(Value pointer) const {
  if (width == 1)
    return {block.load(f32, pointer)};
  Value loaded = block.load(VectorType::get(width, f32), pointer);
  Values columns;
  for (int64_t i = 0; i < width; ++i)
    columns.push_back(block.make<vector::ExtractOp>(loaded, i));
  return columns;
}

Merged Results::mergeWarps(Value row, Value column) const {
  auto rowOf = [&](int64_t copy) { return block.add(row, body.rows() * copy); };
  Merged merged{hiddenScore(block), block.f32(0), Values(width, block.f32(0))};
  for (int64_t copy = 0; copy < body.warpsAcrossKeys; ++copy)
    merged.largest =
        largerScore(block, merged.largest, block.load(f32, largestOf(shared, rowOf(copy), schedule.resultBytes(body))));
  Value reference = finiteMaximum(block, merged.largest);
  for (int64_t copy = 0; copy < body.warpsAcrossKeys; ++copy) {
    Value place = largestOf(shared, rowOf(copy), schedule.resultBytes(body));
    Value factor = powerOfTwo(block, block.make<arith::SubFOp>(block.load(f32, place), reference));
    merged.weight = block.fma(block.load(f32, block.at(place, 4 * schedule.resultRows(body))), factor, merged.weight);
    Value source = block.add(block.mul(rowOf(copy), schedule.resultPitch()), block.mul(column, 4));
    for (auto [sum, value] : llvm::zip_equal(merged.columns, loadPiece(block.at(shared, source))))
      sum = block.fma(value, factor, sum);
  }
  return merged;
}

/// The partial results of a split, one of the blocks that share the tile.
Value Results::partial(Value split) const {
  Value index = block.add(block.sub(share.blockIndex, share.split), split);
  return block.at(share.workspace, block.mul(block.toI64(index), schedule.partialBytes(body)));
}

void Results::storePartial(Value row, Value column, const Merged &merged) const {
  Value start = partial(share.split);
  Value target = block.add(block.mul(row, 4 * schedule.columnsPerPart), block.mul(column, 4));
  Value columns =
      width == 1 ? merged.columns[0] : block.make<vector::FromElementsOp>(VectorType::get(width, f32), merged.columns);
  block.store(columns, block.at(start, target));
  block.ifThen(block.equal(column, int64_t(0)), [&] {
    Value place = largestOf(start, row, 4 * body.rows() * schedule.columnsPerPart);
    block.store(merged.largest, place);
    block.store(merged.weight, block.at(place, 4 * body.rows()));
  });
}

/// Folds what `load` finds of the splits, a few of which are loaded at once.
Values Results::foldSplits(ValueRange initial, llvm::function_ref<Values(Value split)> load,
                           llvm::function_ref<Values(ValueRange loaded, ValueRange carried)> combine) const {
  constexpr int64_t atOnce = 4;
  Value last = block.sub(share.splits, 1);
  return block.loop(block.i32(0), share.splits, block.i32(atOnce), initial, [&](Value first, ValueRange carried) {
    SmallVector<Values, atOnce> loaded;
    for (int64_t i = 0; i < atOnce; ++i)
      loaded.push_back(load(block.min(block.add(first, i), last)));
    Values next = combine(loaded[0], carried);
    for (int64_t i = 1; i < atOnce; ++i) {
      Value exists = block.less(block.add(first, i), share.splits);
      for (auto [value, combined] : llvm::zip_equal(next, combine(loaded[i], next)))
        value = block.select(exists, combined, value);
    }
    return next;
  });
}

Merged Results::mergeSplits(Value row, Value column) const {
  auto placeOf = [&](Value split) { return largestOf(partial(split), row, 4 * body.rows() * schedule.columnsPerPart); };
  Merged merged;
  merged.largest = foldSplits(
      hiddenScore(block), [&](Value split) { return Values{block.load(f32, placeOf(split))}; },
      [&](ValueRange loaded, ValueRange carried) { return Values{largerScore(block, carried[0], loaded[0])}; })[0];
  Value reference = finiteMaximum(block, merged.largest);
  auto load = [&](Value split) {
    Value place = placeOf(split);
    Values loaded = {block.load(f32, place), block.load(f32, block.at(place, 4 * body.rows()))};
    Value source = block.add(block.mul(row, 4 * schedule.columnsPerPart), block.mul(column, 4));
    loaded.append(loadPiece(block.at(partial(split), source)));
    return loaded;
  };
  auto add = [&](ValueRange loaded, ValueRange carried) {
    Value factor = powerOfTwo(block, block.make<arith::SubFOp>(loaded[0], reference));
    Values next;
    for (auto [value, sum] : llvm::zip_equal(loaded.drop_front(), carried))
      next.push_back(block.fma(value, factor, sum));
    return next;
  };
  Values sums = foldSplits(Values(width + 1, block.f32(0)), load, add);
  merged.weight = sums[0];
  merged.columns.assign(sums.begin() + 1, sums.end());
  return merged;
}

void Results::storeResult(Value row, Value column, const Merged &merged) const {
  Value inUnit = block.add(unit.firstRow, row), weight = merged.weight, factor = block.f32(1);
  if (operands.sinks) {
    Type type = cast<ShapedType>(problem.op.getSinks().getType()).getElementType();
    Value head = attentionHead(block, operands, unit, inUnit);
    Value place = block.at(operands.sinks, block.mul(head, type.getIntOrFloatBitWidth() / 8));
    Value sink = block.mulFloat(block.convert(block.load(type, place), f32), block.f32(attentionLog2E));
    Value reference = finiteMaximum(block, largerScore(block, merged.largest, sink));
    factor = powerOfTwo(block, block.make<arith::SubFOp>(merged.largest, reference));
    weight = block.fma(weight, factor, powerOfTwo(block, block.make<arith::SubFOp>(sink, reference)));
  }
  // Sums of nothing are zero, those with a weight of NaN are not.
  bool nanToZero = problem.op.getNanToZero();
  auto isZero = nanToZero ? arith::CmpFPredicate::UEQ : arith::CmpFPredicate::OEQ;
  Value isEmpty = block.make<arith::CmpFOp>(isZero, weight, block.f32(0));
  factor = block.make<arith::DivFOp>(factor, weight);
  if (!problem.op.getEmptyIsNan()) // else infinite, times 0
    factor = block.select(isEmpty, block.f32(0), factor);
  Values results;
  for (Value value : merged.columns) {
    Value result = block.mulFloat(value, factor);
    if (nanToZero)
      result = block.select(isEmpty, block.f32(0), result);
    results.push_back(block.convert(result, problem.qType));
  }
  int64_t bytes = problem.qType.getIntOrFloatBitWidth() / 8;
  Value target = block.add(block.mul(block.toI64(unit.unit), block.toI64(unitRows)), block.toI64(inUnit));
  Value columnInRow = block.add(column, block.mul(share.part, schedule.columnsPerPart));
  target = block.add(block.mul(target, problem.valueSize * bytes), block.toI64(block.mul(columnInRow, bytes)));
  Value stored =
      width == 1 ? results[0] : block.make<vector::FromElementsOp>(VectorType::get(width, problem.qType), results);
  block.store(stored, block.at(operands.out, target));
}

void Results::store() {
  auto finish = [&] {
    forPieces([&](Value row, Value column) { storeResult(row, column, mergeWarps(row, column)); });
    return Values();
  };
  auto leave = [&] {
    forPieces([&](Value row, Value column) { storePartial(row, column, mergeWarps(row, column)); });
    block.ifThen(emitIsLastArrival(block, thread, share.flag, shared, share.splits), [&] {
      forPieces([&](Value row, Value column) { storeResult(row, column, mergeSplits(row, column)); });
    });
    return Values();
  };
  block.ifElse(block.equal(share.splits, 1), finish, leave);
}

void moec::emitAttentionResults(const GpuBlockBuilder &block, const AttentionProblem &problem,
                                const AttentionSchedule &schedule, const AttentionBody &body,
                                const AttentionOperands &operands, const AttentionUnit &unit,
                                const AttentionShare &share, Value unitRows, Value thread, Value shared,
                                const AttentionSums &sums) {
  Results results(block, problem, schedule, body, operands, unit, share, unitRows, thread, shared);
  results.gather(sums);
  block.barrier();
  results.store();
}
