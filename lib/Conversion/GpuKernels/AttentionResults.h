//===- AttentionResults.h - from the sums of warps to stored results --------===//
//
// A warp leaves for each of its rows the largest score, the sum of the weights relative to it, and the weighted sum of
// the values. Several such triples of one row, of warps and of blocks that took different keys, are merged in a fixed
// order.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONRESULTS_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONRESULTS_H

#include "AttentionScores.h"

namespace moec {

/// Of the rows of a lane, two in each tile. Values are in the order (tile, octet of columns, register), and the last
/// octet of a tile is the sum of the weights.
struct AttentionSums {
  mlir::ValueRange largest;
  mlir::ValueRange values;
};

/// What of the launch the results of a block depend on; pointers and i32.
struct AttentionShare {
  mlir::Value blockIndex, split, splits;
  mlir::Value flag; // of the tile, a word of zero
  mlir::Value workspace;
  mlir::Value part; // of the columns
};

/// Stores the results of a tile. Shared memory is free for it, and nothing else may be under way there.
void emitAttentionResults(const GpuBlockBuilder &block, const AttentionProblem &problem,
                          const AttentionSchedule &schedule, const AttentionBody &body,
                          const AttentionOperands &operands, const AttentionUnit &unit, const AttentionShare &share,
                          mlir::Value unitRows, mlir::Value thread, mlir::Value shared, const AttentionSums &sums);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONRESULTS_H
