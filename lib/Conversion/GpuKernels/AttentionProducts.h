//===- AttentionProducts.h - the matrix products of attention ---------------===//
//
// A warp multiplies its queries, 16 by 16, with its keys of a step, and the weights that become of these scores with
// values. Both leave sums in the registers of the matrix instruction, and scores of two neighbouring keys are in one
// lane, so weights are operands as they lie.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONPRODUCTS_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONPRODUCTS_H

#include "AttentionSchedule.h"
#include "MatmulProducts.h"

namespace moec {

class AttentionProducts {
public:
  using Values = GpuBlockBuilder::Values;

  /// `firstRow` and `firstKey` of the warp, in the tile of queries and in one of keys.
  AttentionProducts(const GpuBlockBuilder &block, const AttentionProblem &problem, const AttentionSchedule &schedule,
                    const AttentionBody &body, mlir::Value lane, mlir::Value firstRow, mlir::Value firstKey)
      : block(block), problem(problem), schedule(schedule), body(body), lane(lane), firstRow(firstRow),
        firstKey(firstKey) {}

  int64_t keyOctets() const { return body.keysPerWarp() / 8; }
  /// Those of the values, and behind them one of ones, whose sums are those of the weights.
  int64_t sumOctets() const { return schedule.columnsPerPart / 8 + 1; }

  /// Whether the queries stay in registers: few enough of them.
  bool keepsQueries() const;
  /// Says where the queries lie, which have arrived if they are kept.
  void setQueries(mlir::Value tile);
  /// Scores of all queries and keys of the warp, in the order (tile of queries, octet of keys, register).
  Values multiplyKeys(mlir::Value tile) const;
  /// Appends the weights of two neighbouring keys as `addValues` takes them, in the order (tile, octet of keys, row of
  /// the lane).
  void appendWeights(Values &weights, mlir::Value first, mlir::Value second) const;
  /// Adds weighted values to sums in the order (tile, octet of columns, register).
  Values addValues(mlir::Value tile, mlir::ValueRange weights, mlir::ValueRange sums) const;

private:
  int64_t querySteps() const { return (schedule.keyPitch - 16) / AttentionSchedule::stepBytes; }
  mlir::Value laneAddress(mlir::Value tile, mlir::Value firstRow, int64_t pitch, bool rowsFirst) const;
  void addValues16(mlir::Value tile, mlir::ValueRange weights, Values &sums) const;
  void addValues32(mlir::Value tile, mlir::ValueRange weights, Values &sums) const;
  MatrixParts split(mlir::ValueRange values) const;
  MatrixParts ones() const;
  void multiply(const MatrixParts &a, const MatrixParts &b, Values &sums, int64_t octet) const;
  MatrixParts loadQueries(int64_t tile, int64_t step) const;

  GpuBlockBuilder block;
  const AttentionProblem &problem;
  const AttentionSchedule &schedule;
  const AttentionBody &body;
  mlir::Value lane, firstRow, firstKey;
  mlir::Value queries;                 // the address of the lane
  llvm::SmallVector<MatrixParts> kept; // in the order (tile, step)
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONPRODUCTS_H
