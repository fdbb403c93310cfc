//===- MatmulCost.h - what tiles of a grouped matmul cost on a machine ------===//
//
// An analytic model: a processor multiplies or waits for operands, whichever takes longer, block after block; all
// processors together wait for memory. It compares ways to cut a product, and is not meant to predict times.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_MATMULCOST_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_MATMULCOST_H

#include "MatmulSchedule.h"

namespace moec {

/// How a product is cut apart from the height of its tiles.
struct MatmulCut {
  /// The panels of a block, and the blocks that share the sums of a tile.
  int64_t panels, chunks;
};

class MatmulCost {
public:
  MatmulCost(const MatmulProblem &problem, const step::GpuMachine &machine) : problem(problem), machine(machine) {}

  /// Cycles until `rows` rows that fall on `groups` experts evenly are multiplied, in tiles of `height` rows.
  double launchCycles(MatmulCut cut, int64_t rows, int64_t groups, int64_t height) const;

  /// The cut for the few rows that a launch has at least.
  MatmulCut chooseCut() const;
  /// Tiles of so many rows go through the columns together: while all processors are busy they read the least.
  int64_t chooseTilesPerGroup(int64_t panels, int64_t height) const;
  /// Whether blocks stay for several tiles: where starting one takes as long as what it computes.
  bool isPersistent(MatmulCut cut, int64_t height) const;
  /// The stages with which a block's share of memory never waits for a round trip.
  int64_t fewestStages(int64_t panels) const;
  /// Blocks that are on the machine together.
  int64_t residentBlocks() const { return machine.processors * MatmulSchedule::blocksPerProcessor; }

private:
  double productsPerCycle() const;
  /// Of a processor for one step of a block, with `filled` rows in a tile and weights at a rate.
  double stepCycles(int64_t panels, int64_t filled, double weightRate) const;

  const MatmulProblem &problem;
  const step::GpuMachine &machine;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_MATMULCOST_H
