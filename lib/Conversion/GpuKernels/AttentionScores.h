//===- AttentionScores.h - from products of queries and keys to scores ------===//
//
// Scale, softcap, mask, and which keys a query sees. Weights are powers of two, so scores are in units of log 2, save
// for a factor that is left to them where nothing but the scale lies between products and scores.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONSCORES_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONSCORES_H

#include "AttentionSchedule.h"

namespace moec {

/// log2(e).
inline constexpr double attentionLog2E = 1.4426950408889634;

/// Operands as pointers and extents as i32.
struct AttentionOperands {
  mlir::Value q, k, v, mask, sinks, out;
  mlir::Value positions, keys, capacity; // S, L, and keys that k and v have room for
  mlir::Value maskExtents[3];
};

/// The tile of a block, and its share of the keys.
struct AttentionUnit {
  /// The rows that tiles are cut from are numbered over all batches, and so are key heads.
  mlir::Value unit, keyHead;
  /// The batch of the unit, and its first head within that.
  mlir::Value batch, head;
  mlir::Value firstRow, rowCount; // within the unit
  mlir::Value beginKey, endKey;
  /// All rows see the keys of the share from `allSeenBegin` (null: from the first) to `allSeenEnd`.
  mlir::Value allSeenBegin, allSeenEnd;
};

class AttentionScores {
public:
  using Values = GpuBlockBuilder::Values;

  /// `warpRow` is the first row of the warp in the tile.
  AttentionScores(const GpuBlockBuilder &block, const AttentionProblem &problem, const AttentionBody &body,
                  const AttentionOperands &operands, const AttentionUnit &unit, mlir::Value lane, mlir::Value warpRow);

  /// What scores are still to be multiplied with; positive.
  double factor() const;
  /// Scores from the products of the warp's rows with keys from `firstKey` on, those of the warp in a step that begins
  /// at `stepKey`. The order is that of AttentionProducts.
  Values compute(mlir::ValueRange products, mlir::Value stepKey, mlir::Value firstKey) const;

private:
  /// A row of which the lane has scores, two in each tile: the keys it sees, and its row of the mask.
  struct Row {
    mlir::Value endKey, beginKey, mask;
  };

  Row describeRow(mlir::Value row) const;
  /// The row of a score, and how far behind `firstKey` the first key of its lane comes.
  std::pair<const Row &, int64_t> find(size_t score) const;
  mlir::Value scale(mlir::Value product) const;
  mlir::Value addMask(mlir::Value score, const Row &row, mlir::Value key) const;

  GpuBlockBuilder block;
  const AttentionProblem &problem;
  const AttentionBody &body;
  const AttentionOperands &operands;
  const AttentionUnit &unit;
  mlir::Value pairOfLane;
  llvm::SmallVector<Row> rows;
};

/// The head of a row of the unit, within the batch.
mlir::Value attentionHead(const GpuBlockBuilder &block, const AttentionOperands &operands, const AttentionUnit &unit,
                          mlir::Value row);

/// The larger number of two; a number rather than NaN.
mlir::Value largerScore(const GpuBlockBuilder &block, mlir::Value a, mlir::Value b);
/// 2 to the power of an f32.
mlir::Value powerOfTwo(const GpuBlockBuilder &block, mlir::Value exponent);
/// `value`, or 0 where it is minus infinity, so that minus infinity less it is not undefined.
mlir::Value finiteMaximum(const GpuBlockBuilder &block, mlir::Value value);
inline mlir::Value hiddenScore(const GpuBlockBuilder &block) {
  return block.f32(-std::numeric_limits<double>::infinity());
}

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONSCORES_H
