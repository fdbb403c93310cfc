//===- MatmulSchedule.h - how a grouped matmul is cut for a GPU -------------===//
//
// A block computes a tile: the panels of some columns, times up to `tokens` rows of one expert. The columns of the
// weight are the rows of the matrix instruction and tokens its columns, so that a tile of few tokens wastes little.
// Everything here depends on types, static sizes and the machine, except the height of a tile, which depends on the
// number of rows as well; host and device compute it alike.
//
// Each result is summed in an order that depends on static sizes alone: over ascending k within a chunk, then over
// ascending chunks. So the bits of a row do not depend on its companions, whether one block computes all chunks or
// several compute one each.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_MATMULSCHEDULE_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_MATMULSCHEDULE_H

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Step/GpuMachine.h"

namespace moec {

class MatmulCost;

/// How products are computed.
enum class MatmulArithmetic {
  Matrix16, // m16n8k16 on bf16 or f16
  Tf32,     // m16n8k8 on f32 split into tf32 parts
  Fma       // one multiply-add at a time
};

/// The types and static sizes of a grouped matmul.
struct MatmulProblem {
  MatmulProblem(moe::GroupedMatmulOp op, const step::GpuMachine &machine);

  mutable moe::GroupedMatmulOp op; // whose accessors are not const
  mlir::Type xType, wType;
  /// Of an element.
  int64_t xBytes, wBytes;
  int64_t experts, inner, resultColumns;
  /// Panels of 16 columns of an expert. With a gated activation gate and linear panels alternate, also where the weight
  /// is not stored so.
  int64_t panels, panelsPerResult;
  bool isPacked;
  /// Of a panel of a packed weight.
  int64_t panelBytes;
  MatmulArithmetic arithmetic;

  struct Quantization {
    int64_t bits;
    /// Terms that share a scale, and how many scales a column has.
    int64_t block, blocks;
    mlir::Type scaleType;
    int64_t scaleBytes;
    bool hasZeroPoints;
  };
  std::optional<Quantization> quantized;

  /// Elements of the inner dimension that a step takes, the steps, and the bytes of a panel that a step takes.
  int64_t innerPerStep() const;
  int64_t steps() const;
  int64_t panelStepBytes() const;
};

/// Matrix products on tf32 for each product of f32 by a weight.
inline int64_t tf32Passes(mlir::Type weight) { return weight.isF32() ? 3 : 2; }

/// Consecutive terms of a sum that a lane takes together from a quantised weight. Four lanes share a run, which has one
/// scale.
int64_t quantizedRun(const MatmulProblem &problem);

/// The code for tiles of up to `tokens` rows, and of more than the next smaller body takes. Warps share the octets that
/// have rows evenly, so that no more is padded than the narrowest instruction needs.
struct MatmulBody {
  int64_t tokens;
  /// The warps of a block, and what each computes: between `fewestOctets` and `octetsPerWarp` octets.
  int64_t warpsAcrossColumns, warpsAcrossTokens;
  int64_t panelsPerWarp, fewestOctets, octetsPerWarp;
  /// Steps whose operands lie in shared memory.
  int64_t stages;
};

struct MatmulSchedule {
  MatmulSchedule(const MatmulProblem &problem, const step::GpuMachine &machine);

  static constexpr int64_t threads = 128;
  /// So that one computes while the other waits.
  static constexpr int64_t blocksPerProcessor = 2;
  /// What a step reads of a row of x.
  static constexpr int64_t stepBytes = 64;
  static constexpr int64_t panelWidth = 16, octet = 8;

  /// Elements of the inner dimension that a step takes.
  int64_t innerPerStep;
  int64_t steps, chunks, stepsPerChunk;
  int64_t panelsPerBlock, columnBlocks;
  /// Tiles of so many consecutive rows go through the columns together, while their rows are in the second-level cache.
  int64_t tilesPerGroup;
  /// Blocks, as many as are on the machine together, that take one tile after the other; or none, and each takes one.
  int64_t persistentBlocks = 0;
  /// Ascending by tokens.
  llvm::SmallVector<MatmulBody> bodies;
  /// Up to `rows` rows tiles are `tokens` high; the last entry is for any number.
  struct Height {
    int64_t rows, tokens;
  };
  llvm::SmallVector<Height> heights;
  /// Up to so many rows each chunk is computed by a block of its own.
  int64_t splitRows = 0;

  /// Bytes of a panel that a step takes, and of one stage in shared memory: the weight, then the rows of x.
  int64_t panelStepBytes, weightBytes;
  int64_t stageBytes(int64_t tokens) const { return weightBytes + tokens * stepBytes; }
  int64_t sharedBytes;

  /// Scales of a quantised weight lie in a ring in front of the stages. `stepsPerScale` steps share the `scaleRows`
  /// rows of scales and zero points in a slot.
  int64_t stepsPerScale = 1, scaleRows = 1, scaleSlots = 0, scaleSlotBytes = 0, zeroPointOffset = 0;
  int64_t scaleRingBytes() const { return (scaleSlots * scaleSlotBytes + 127) / 128 * 128; }

  int64_t resultPanelsPerBlock(const MatmulProblem &problem) const { return panelsPerBlock / problem.panelsPerResult; }
  /// Bytes from one token to the next where results are gathered in shared memory before they are stored. The rest of
  /// 16 keeps the threads that hold neighbouring tokens off each other's banks.
  int64_t resultPitch(const MatmulProblem &problem) const {
    return resultPanelsPerBlock(problem) * panelWidth * problem.xBytes + 16;
  }
  /// f32 sums of a block in the workspace, for each chunk; tiles that are split are no higher than the largest body.
  int64_t partialBytes() const { return 4 * panelsPerBlock * panelWidth * splitHeight; }
  int64_t splitHeight = 0;

  /// Chooses by the number of rows, an integer or index: the height of tiles, or its logarithm.
  mlir::Value buildHeight(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value rows) const;
  mlir::Value buildHeightLog2(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value rows) const;
  /// How many blocks share the sums of a tile.
  mlir::Value buildSplit(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value rows) const;

private:
  static constexpr int64_t mostStages = 8;
  /// Rows of the tiles of short launches.
  static constexpr int64_t lowestTile = 32;

  void chooseScales(const MatmulProblem &problem);
  void chooseBodies(const MatmulProblem &problem, const step::GpuMachine &machine);
  void chooseHeights(const MatmulProblem &problem, const MatmulCost &cost);
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_MATMULSCHEDULE_H
