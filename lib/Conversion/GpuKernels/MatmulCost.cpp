//===- MatmulCost.cpp - what tiles of a grouped matmul cost on a machine ----===//

#include "MatmulCost.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace moec;

/// From the launch of a block until its first operands have landed, and from the last chunk of a tile to its sums.
static constexpr double startCycles = 2000, mergeCycles = 1500;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Multiply-adds of a processor in a cycle.
double MatmulCost::productsPerCycle() const {
  switch (problem.arithmetic) {
  case MatmulArithmetic::Matrix16:
    return machine.matrixProducts;
  case MatmulArithmetic::Tf32:
    return machine.matrixProducts / 2.0 / tf32Passes(problem.wType);
  case MatmulArithmetic::Fma:
    return machine.plainProducts;
  }
  llvm_unreachable("unknown arithmetic");
}

double MatmulCost::stepCycles(int64_t panels, int64_t filled, double weightRate) const {
  int64_t padded = llvm::alignTo(filled, MatmulSchedule::octet);
  double products = panels * MatmulSchedule::panelWidth * padded * problem.innerPerStep();
  double load = panels * problem.panelStepBytes() / weightRate +
                double(filled) * MatmulSchedule::stepBytes / machine.l2BytesPerCycle;
  return std::max(products / productsPerCycle(), load);
}

double MatmulCost::launchCycles(MatmulCut cut, int64_t rows, int64_t groups, int64_t height) const {
  int64_t rowsPerGroup = ceilDiv(rows, groups), filled = std::min(height, rowsPerGroup);
  int64_t tiles = groups * ceilDiv(rowsPerGroup, height) * ceilDiv(problem.panels, cut.panels);
  // One processor gets a bit more of the memory's bandwidth than its share; what tiles have in common is in the cache.
  double weightRate = machine.l2BytesPerCycle;
  if (rowsPerGroup <= height)
    weightRate = std::min(weightRate, 2.0 * machine.memoryBytesPerCycle / machine.processors);
  double block = ceilDiv(problem.steps(), cut.chunks) * stepCycles(cut.panels, filled, weightRate) + startCycles;
  double busiest = ceilDiv(tiles * cut.chunks, machine.processors) * block;
  double bytes = double(groups) * problem.panels * problem.steps() * problem.panelStepBytes();
  double memory = bytes / machine.memoryBytesPerCycle + startCycles;
  return std::max(busiest, memory) + (cut.chunks > 1 ? mergeCycles : 0);
}

MatmulCut MatmulCost::chooseCut() const {
  constexpr int64_t fewestSteps = 8, mostChunks = 8, lowest = 32;
  // More chunks and narrower blocks must pay: they read rows more often.
  constexpr double margin = 0.97;
  // The fewest experts that a launch is tuned for: those of one token. Contiguous rows do not tell how many that are.
  int64_t usual = problem.experts >= 32 ? 6 : 2;
  int64_t active = std::min<int64_t>(problem.experts, std::max<int64_t>(usual, problem.op.getRowsPerToken()));
  MatmulCut best = {8, 1};
  double bestCycles = launchCycles(best, active, active, lowest);
  int64_t most = std::clamp<int64_t>(problem.steps() / fewestSteps, 1, mostChunks);
  for (int64_t chunks = 1; chunks <= most; ++chunks)
    for (int64_t panels : {8, 4}) {
      // A warp needs the gate and the linear panel of its columns.
      if (panels == 4 && problem.panelsPerResult == 2)
        continue;
      double cycles = launchCycles({panels, chunks}, active, active, lowest);
      if (cycles < margin * bestCycles) {
        best = {panels, chunks};
        bestCycles = cycles;
      }
    }
  return best;
}

int64_t MatmulCost::chooseTilesPerGroup(int64_t panels, int64_t height) const {
  auto bytes = [&](int64_t tiles) {
    return tiles * height * MatmulSchedule::stepBytes +
           ceilDiv(residentBlocks(), tiles) * panels * problem.panelStepBytes();
  };
  int64_t best = 1;
  for (int64_t tiles = 2; tiles <= 32; tiles *= 2)
    if (bytes(tiles) < bytes(best))
      best = tiles;
  return best;
}

bool MatmulCost::isPersistent(MatmulCut cut, int64_t height) const {
  return cut.chunks == 1 && problem.steps() * stepCycles(cut.panels, height, machine.l2BytesPerCycle) <= startCycles;
}

int64_t MatmulCost::fewestStages(int64_t panels) const {
  double rate = double(machine.memoryBytesPerCycle) / residentBlocks();
  double underWay = rate * machine.memoryLatency;
  return 1 + static_cast<int64_t>(std::ceil(underWay / (panels * problem.panelStepBytes())));
}
