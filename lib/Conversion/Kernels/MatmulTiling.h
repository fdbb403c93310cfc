//===- MatmulTiling.h - how a grouped matmul is cut into tasks and tiles ----===//
//
// The grid of a grouped matmul is (group slot, column block). Its constants depend on the extents of the weight alone,
// so that host and every code variant agree; the register tile depends on the machine.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_KERNELS_MATMULTILING_H
#define MOEC_LIB_CONVERSION_KERNELS_MATMULTILING_H

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Step/KernelInterface.h"

#include <algorithm>
#include <cstdint>

namespace moec {

/// Columns of a panel, the unit of the stored form and of column blocks.
constexpr int64_t panelWidth = 16;
/// Panels a tile of the widest micro-kernel spans.
constexpr int64_t widestPanels = 4;
/// Panels that all row blocks of a task walk before the next ones are touched.
constexpr int64_t groupPanels = 2;
/// An upper bound of the rows of a register tile on any machine.
constexpr int64_t mostTileRows = 14;

/// The task grid of a product with `panels` panels and `inner` terms in each sum.
struct MatmulGrid {
  /// Rows of one expert that one task takes: as many as fit into a megabyte once packed. Each run of rows reads the
  /// weights again, so that few rows would be bound by memory.
  int64_t rowsPerTask;
  /// Panels of a column block: 16 blocks if the product is wide enough, but neither so narrow that packing the rows
  /// shows nor so wide that few tasks are left.
  int64_t panelsPerTask;
  int64_t columnBlocks;

  MatmulGrid(int64_t panels, int64_t inner) {
    constexpr int64_t packedBytes = 1024 * 1024;
    int64_t tiles = packedBytes / (4 * packedStride(inner) * mostTileRows);
    rowsPerTask = mostTileRows * std::clamp<int64_t>(tiles, 2, 12);
    int64_t wanted = (panels + 16 * widestPanels - 1) / (16 * widestPanels) * widestPanels;
    panelsPerTask = std::clamp<int64_t>(wanted, 2 * widestPanels, 8 * widestPanels);
    columnBlocks = (panels + panelsPerTask - 1) / panelsPerTask;
  }

  /// Floats from one packed row to the next. The padding keeps rows of a power-of-two length off each other's cache
  /// sets.
  static int64_t packedStride(int64_t inner) { return (inner + panelWidth - 1) / panelWidth * panelWidth + panelWidth; }

  int64_t packedBytes(int64_t inner) const { return 4 * rowsPerTask * packedStride(inner); }
  int64_t tileBytes() const { return 4 * mostTileRows * widestPanels * panelWidth; }
};

/// How sums of products by integers are cut, and the scratch memory that takes besides the packed rows.
struct QuantizedTiling {
  /// Terms with one scale: all of them if there is one for the column.
  int64_t block;
  /// Terms that are unpacked at a time: whole blocks, and of a group of panels as many as a first-level cache takes.
  int64_t chunkTerms;
  int64_t rowsPerTask;

  QuantizedTiling(const MatmulGrid &grid, moe::QuantizationAttr quantized, int64_t inner)
      : block(quantized.getBlockCount(inner) == 1 ? inner : quantized.getBlock()), rowsPerTask(grid.rowsPerTask) {
    constexpr int64_t wanted = 128;
    chunkTerms = block == inner ? wanted : std::max<int64_t>(1, wanted / block) * block;
  }

  /// The sums of all rows of a task in a group of panels.
  int64_t tileBytes() const { return 4 * rowsPerTask * groupPanels * panelWidth; }
  int64_t bytes() const { return tileBytes() + 4 * chunkTerms * groupPanels * panelWidth; }
};

/// The register tile of a machine: accumulators leave room for the columns of one step and a broadcast row value.
struct RegisterTile {
  int64_t rows;
  int64_t vectorsPerPanel;
  int64_t accumulators;
  int64_t registers;

  explicit RegisterTile(const step::KernelContext &context) : registers(context.vectorRegisters) {
    vectorsPerPanel = std::max<int64_t>(1, panelWidth / context.vectorLanes);
    setAccumulators(context.vectorRegisters >= 32 ? (vectorsPerPanel == 1 ? 28 : 24) : 12);
  }

  /// The same with another register beside each accumulator, where there are enough.
  RegisterTile withTotals() const {
    RegisterTile tile = *this;
    if (registers >= 32)
      tile.setAccumulators(accumulators / 2);
    return tile;
  }

  /// The panels a micro-kernel of `tileRows` rows walks side by side. Few rows take many, so that enough independent
  /// sums are in flight; only a task of less than `rows` rows may have a tile of four panels.
  int64_t panels(int64_t tileRows) const {
    if (tileRows * widestPanels <= rows)
      return widestPanels;
    return 2 * tileRows * vectorsPerPanel <= accumulators ? 2 : 1;
  }

  /// The rows for which integers are best unpacked in registers: their sums leave half of those to the unpacking. Less
  /// than any block of rows that is not the only one.
  int64_t fewRows() const {
    int64_t few = 1;
    while (2 * (few + 1) < rows && (few + 1) * panels(few + 1) * vectorsPerPanel <= registers / 2)
      ++few;
    return few;
  }

private:
  void setAccumulators(int64_t count) {
    accumulators = count;
    // One vector per panel needs two panels a step to use each broadcast twice.
    rows = std::min(mostTileRows, accumulators / std::max<int64_t>(2, vectorsPerPanel));
  }
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_KERNELS_MATMULTILING_H
