//===- AttentionProducts.cpp - the matrix products of attention -------------===//

#include "AttentionProducts.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

/// Of four matrices of 8 rows and 16 bytes the address that the lane gives: they are two octets of rows by two chunks,
/// with the octets or the chunks changing first.
Value AttentionProducts::laneAddress(Value tile, Value first, int64_t pitch, bool rowsFirst) const {
  Value low = block.bitAnd(block.shiftRight(lane, 3), 1), high = block.shiftRight(lane, 4);
  Value octet = rowsFirst ? low : high, chunk = rowsFirst ? high : low;
  Value row = block.add(block.add(first, block.bitAnd(lane, 7)), block.mul(octet, 8));
  return block.at(tile, block.add(block.mul(row, pitch), block.mul(chunk, 16)));
}

MatrixParts AttentionProducts::loadQueries(int64_t tile, int64_t step) const {
  int64_t offset = 16 * tile * schedule.keyPitch + step * AttentionSchedule::stepBytes;
  return split(block.loadMatrices(block.at(queries, offset), 4, /*transposed=*/false));
}

bool AttentionProducts::keepsQueries() const {
  constexpr int64_t mostKept = 8;
  return problem.kind != MatrixKind::Tf32 && body.tilesPerWarp * querySteps() <= mostKept;
}

void AttentionProducts::setQueries(Value tile) {
  queries = laneAddress(tile, firstRow, schedule.keyPitch, /*rowsFirst=*/true);
  if (keepsQueries())
    for (int64_t tile = 0; tile < body.tilesPerWarp; ++tile)
      for (int64_t step = 0; step < querySteps(); ++step)
        kept.push_back(loadQueries(tile, step));
}

MatrixParts AttentionProducts::split(ValueRange values) const {
  if (problem.kind != MatrixKind::Tf32)
    return {llvm::to_vector_of<Value>(values), {}};
  return splitTf32(block, values);
}

MatrixParts AttentionProducts::ones() const {
  int64_t bits = problem.kind == MatrixKind::Bf16  ? 0x3f803f80
                 : problem.kind == MatrixKind::F16 ? 0x3c003c00
                                                   : 0x3f800000;
  return {Values(2, block.i32(bits)), {}};
}

/// Adds a * b to the sums of an octet.
void AttentionProducts::multiply(const MatrixParts &a, const MatrixParts &b, Values &sums, int64_t octet) const {
  MatrixSums sum = {sums[4 * octet], sums[4 * octet + 1], sums[4 * octet + 2], sums[4 * octet + 3]};
  llvm::copy(multiplyParts(block, problem.kind, a, b, sum), sums.begin() + 4 * octet);
}

Values AttentionProducts::multiplyKeys(Value tile) const {
  Value keys = laneAddress(tile, firstKey, schedule.keyPitch, /*rowsFirst=*/false);
  Values scores(4 * body.tilesPerWarp * keyOctets(), block.f32(0));
  for (int64_t step = 0; step < querySteps(); ++step) {
    SmallVector<MatrixParts> left;
    for (int64_t tile = 0; tile < body.tilesPerWarp; ++tile)
      left.push_back(kept.empty() ? loadQueries(tile, step) : kept[tile * querySteps() + step]);
    for (int64_t octet = 0; octet < keyOctets(); octet += 2) {
      int64_t offset = 8 * octet * schedule.keyPitch + step * AttentionSchedule::stepBytes;
      Values loaded = block.loadMatrices(block.at(keys, offset), 4, /*transposed=*/false);
      for (int64_t half : {0, 1}) {
        MatrixParts right = split(ValueRange(loaded).slice(2 * half, 2));
        for (auto [tile, queries] : llvm::enumerate(left))
          multiply(queries, right, scores, tile * keyOctets() + octet + half);
      }
    }
  }
  return scores;
}

void AttentionProducts::appendWeights(Values &weights, Value first, Value second) const {
  if (problem.kind == MatrixKind::Tf32) {
    weights.append({first, second});
    return;
  }
  auto pair = VectorType::get(2, problem.tileType);
  const char *name = problem.kind == MatrixKind::Bf16 ? "llvm.nvvm.ff2bf16x2.rn" : "llvm.nvvm.ff2f16x2.rn";
  // The first operand goes to the upper half.
  Value packed = LLVM::CallIntrinsicOp::create(block.builder, block.loc, pair, block.builder.getStringAttr(name),
                                               ValueRange{second, first})
                     ->getResult(0);
  weights.push_back(block.bitcast(packed, block.builder.getI32Type()));
}

Values AttentionProducts::addValues(Value tile, ValueRange weights, ValueRange sums) const {
  Values next = llvm::to_vector_of<Value>(sums);
  if (problem.kind == MatrixKind::Tf32)
    addValues32(tile, weights, next);
  else
    addValues16(tile, weights, next);
  return next;
}

void AttentionProducts::addValues16(Value tile, ValueRange weights, Values &sums) const {
  Value values = laneAddress(tile, firstKey, schedule.valuePitch, /*rowsFirst=*/true);
  for (int64_t key = 0; key < keyOctets(); key += 2) {
    auto addProducts = [&](const MatrixParts &right, int64_t column) {
      for (int64_t tile = 0; tile < body.tilesPerWarp; ++tile)
        multiply(split(weights.slice(2 * (tile * keyOctets() + key), 4)), right, sums, tile * sumOctets() + column);
    };
    for (int64_t column = 0; column + 1 < sumOctets(); column += 2) {
      int64_t offset = 8 * key * schedule.valuePitch + 16 * column;
      Values right = block.loadMatrices(block.at(values, offset), 4, /*transposed=*/true);
      addProducts(split({right[0], right[1]}), column);
      addProducts(split({right[2], right[3]}), column + 1);
    }
    addProducts(ones(), sumOctets() - 1);
  }
}

/// An instruction takes eight keys: the first of each pair, then the second ones, as the lanes have their weights.
void AttentionProducts::addValues32(Value tile, ValueRange weights, Values &sums) const {
  Value key = block.add(firstKey, block.mul(block.bitAnd(lane, 3), 2)), column = block.shiftRight(lane, 2);
  Value values = block.at(tile, block.add(block.mul(key, schedule.valuePitch), block.mul(column, 4)));
  Type i32 = block.builder.getI32Type();
  for (int64_t octet = 0; octet < keyOctets(); ++octet) {
    SmallVector<MatrixParts> left;
    for (int64_t tile = 0; tile < body.tilesPerWarp; ++tile) {
      ValueRange weight = weights.slice(4 * (tile * keyOctets() + octet), 4);
      left.push_back(split({weight[0], weight[2], weight[1], weight[3]}));
    }
    for (int64_t columns = 0; columns < sumOctets(); ++columns) {
      MatrixParts right = ones();
      if (columns + 1 < sumOctets()) {
        Value pair = block.at(values, 8 * octet * schedule.valuePitch + 32 * columns);
        right = split({block.load(i32, pair), block.load(i32, block.at(pair, schedule.valuePitch))});
      }
      for (auto [tile, weight] : llvm::enumerate(left))
        multiply(weight, right, sums, tile * sumOctets() + columns);
    }
  }
}
