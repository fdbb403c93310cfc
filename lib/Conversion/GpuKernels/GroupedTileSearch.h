//===- GroupedTileSearch.h - which tile of a grouped matmul a block computes --===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_GROUPEDTILESEARCH_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_GROUPEDTILESEARCH_H

#include "GpuBlockBuilder.h"
#include "MatmulSchedule.h"

namespace moec {

/// A tile: rows [firstRow, firstRow + rows) of an expert, times a block of columns.
struct GroupedTile {
  /// Whether there is such a tile; if not, the rest is unspecified.
  mlir::Value exists;
  mlir::Value expert, firstRow, rows, columnBlock;
};

/// Finds the tile that is the `unit`-th of all. `offsets` points to the places where experts begin and end, or is null
/// where one group has all rows; `rowCount` is the number of places. The tiles of an expert follow each other, and of
/// these the ones that share columns: each weight is read by neighbours.
GroupedTile findGroupedTile(const GpuBlockBuilder &block, const MatmulProblem &problem, const MatmulSchedule &schedule,
                            mlir::Value offsets, mlir::Value rowCount, mlir::Value unit);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_GROUPEDTILESEARCH_H
