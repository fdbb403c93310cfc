//===- AttentionTiles.h - queries, keys and values in shared memory ---------===//
//
// A tile is rows of a head, each padded with zeros to whole steps of the matrix instruction. Rows lie at a pitch of an
// odd number of 16 bytes, so that eight of them are in different banks.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONTILES_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONTILES_H

#include "GpuBlockBuilder.h"

namespace moec {

/// The rows that a tile is filled from, and the tile.
struct AttentionTile {
  mlir::Type sourceType, tileType;
  /// Elements from row to row of the source, and how many of a row are taken, an i32; null for all.
  int64_t sourceColumns;
  mlir::Value columns;
  int64_t rows, pitch;
};

/// What a thread copies of each tile. A thread fills one chunk of 16 bytes of some rows, with copies as wide as the
/// alignment of the rows allows, or through registers where elements are converted.
class AttentionTileCopy {
public:
  AttentionTileCopy(const GpuBlockBuilder &block, mlir::Value thread, const AttentionTile &tile);

  /// Begins to fill the tile at `target` from `source`, of whose rows the first `existing` are read; the others become
  /// zero.
  void emit(mlir::Value source, mlir::Value existing, mlir::Value target) const;

private:
  void copyChunk(mlir::Value wanted, mlir::Value source, mlir::Value target) const;
  void convertChunk(mlir::Value wanted, mlir::Value source, mlir::Value target) const;
  mlir::Value isInRow(mlir::Value wanted, int64_t element) const;

  GpuBlockBuilder block;
  AttentionTile tile;
  int64_t sourceBytes, tileBytes; // of an element
  int64_t elementsPerChunk, copyBytes, activeThreads, rowsPerPass;
  mlir::Value thread, firstRow, firstElement;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONTILES_H
