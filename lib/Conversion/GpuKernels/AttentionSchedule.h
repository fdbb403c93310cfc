//===- AttentionSchedule.h - how attention is cut for a GPU -----------------===//
//
// Queries are rows. Those of the query heads that share a key head lie one after the other in q, so where a head has
// few positions the rows of all these heads are cut into tiles together, else those of each head. A block computes a
// tile of rows against a run of keys: all that the tile sees, or its share of them.
//
// Where the tiles of one batch entry are too few to fill the machine the keys are split. The number of splits depends
// on positions and keys alone, so the bits of a result do not depend on the batch.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONSCHEDULE_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONSCHEDULE_H

#include "GpuBlockBuilder.h"

#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Step/GpuMachine.h"

#include <optional>

namespace moec {

/// The types and static sizes of an attention.
struct AttentionProblem {
  explicit AttentionProblem(nn::AttentionOp op);

  mutable nn::AttentionOp op; // whose accessors are not const
  mlir::Type qType, kType, vType;
  /// What is multiplied: elements as they are if all have one type of 16 bits, else f32 as tf32 parts.
  MatrixKind kind;
  mlir::Type tileType;
  int64_t tileBytes;
  int64_t size, valueSize; // of a head of q and k, and of v
  int64_t keyHeads, group; // heads of k, heads of q for each of them

  bool hasWindow() const { return op.getWindow() > 0; }
  bool hasSoftcap() const { return op.getSoftcap().isNonZero(); }
};

/// The code for tiles of one height.
struct AttentionBody {
  /// The warps of a block: each has some rows of the tile, 16 by 16, and a part of the keys of a step.
  int64_t warpsAcrossRows, warpsAcrossKeys, tilesPerWarp;
  int64_t keysPerStep;
  /// A split of fewer steps is not worth what it leaves in the workspace.
  int64_t fewestSteps;
  /// Tiles of keys or values in shared memory, those under way included.
  int64_t slots = 0, slotBytes = 0;

  int64_t rowsPerWarp() const { return 16 * tilesPerWarp; }
  int64_t rows() const { return rowsPerWarp() * warpsAcrossRows; }
  int64_t keysPerWarp() const { return keysPerStep / warpsAcrossKeys; }
};

struct AttentionSchedule {
  AttentionSchedule(const AttentionProblem &problem, const step::GpuMachine &machine);

  static constexpr int64_t threads = 128, warps = threads / warpLanes;
  /// What the matrix instruction takes of a row at once.
  static constexpr int64_t stepBytes = 32;

  /// Whether shared memory has room.
  bool fits = true;
  int64_t blocksPerProcessor = 2;
  int64_t processors;
  /// The columns of v are computed in so many parts, by blocks of their own, so that sums fit into registers.
  int64_t parts, columnsPerPart;
  /// Bytes from row to row in shared memory: an odd number of 16, so that eight rows lie in different banks.
  int64_t keyPitch, valuePitch;
  /// For up to 16 rows (or 32), where a warp takes a part of the keys, for more, and for many: where registers have
  /// room, a warp has so many rows that what it loads of keys and values is used twice.
  AttentionBody flat, tall;
  std::optional<AttentionBody> wide;
  int64_t sharedBytes = 0;

  int64_t queryBytes(const AttentionBody &body) const { return body.rows() * keyPitch; }
  /// Where results are gathered in shared memory: bytes from row to row, and all with maximum and sum of each row. The
  /// rest of 32 bytes keeps lanes that hold neighbouring rows off each other's banks.
  int64_t resultPitch() const;
  int64_t resultRows(const AttentionBody &body) const { return warps * body.rowsPerWarp(); }
  int64_t resultBytes(const AttentionBody &body) const { return resultRows(body) * resultPitch(); }
  int64_t gatherBytes(const AttentionBody &body) const { return resultBytes(body) + resultRows(body) * 8; }
  /// What a block leaves in the workspace where keys are split.
  int64_t partialBytes(const AttentionBody &body) const { return body.rows() * (columnsPerPart + 2) * 4; }

private:
  void chooseSlots(AttentionBody &body, const step::GpuMachine &machine, int64_t budget);
};

/// How a launch is cut, as values of one integer type; the same on host and device.
struct AttentionGrid {
  /// Which body serves: the flat one, else the wide one, else the tall one; null if there is no wide one.
  mlir::Value isFlat, isWide;
  /// Whether tiles are cut from the rows of a key head rather than a head.
  mlir::Value isPacked;
  /// The rows that tiles are cut from, and their tiles.
  mlir::Value rows, tilesPerUnit;
  mlir::Value splits, blocks;
  /// What a block leaves in the workspace.
  mlir::Value partialBytes;
};

AttentionGrid buildAttentionGrid(const GpuBlockBuilder &builder, const AttentionProblem &problem,
                                 const AttentionSchedule &schedule, mlir::Value batches, mlir::Value positions,
                                 mlir::Value keys);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_ATTENTIONSCHEDULE_H
