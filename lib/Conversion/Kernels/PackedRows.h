//===- PackedRows.h - the rows of a task of a packed matmul -----------------===//
//
// What products with a weight in panels share, whatever the panels hold: a task packs its rows once (gathered, scaled,
// extended to f32, padded apart), cuts them into blocks for the micro-kernels, and turns tiles of sums into results.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_KERNELS_PACKEDROWS_H
#define MOEC_LIB_CONVERSION_KERNELS_PACKEDROWS_H

#include "GroupedMatmulTask.h"

namespace moec {

/// Rows of a task, counted from its first.
struct RowRange {
  mlir::Value first, count;
};

class PackedRows {
public:
  explicit PackedRows(GroupedMatmulTask &task);

  /// Emits the loops that pack the rows.
  void pack() const;
  /// Value `k` of a packed row in all lanes.
  mlir::Value broadcast(mlir::Value row, mlir::Value k) const;

  /// An f32 view of the scratch memory behind the packed rows, `byteOffset` further on.
  mlir::Value scratchFloats(llvm::ArrayRef<int64_t> shape, int64_t byteOffset = 0) const;

  /// How many blocks of at most `most` rows of nearly equal size the rows make, and one of them: none is smaller than
  /// half of `most` unless it is the only one.
  mlir::Value blockCount(int64_t most) const;
  RowRange block(mlir::Value index, mlir::Value blocks) const;
  /// Emits `body` for each count in [least, most] as a case of a switch.
  void forCount(mlir::Value count, int64_t least, int64_t most, llvm::function_ref<void(int64_t)> body) const;

  /// The last panel where `panel` lies beyond it: tiles at the edge of the weight repeat it, and results skip it.
  mlir::Value clampPanel(mlir::Value panel) const;

  using FinishSum = llvm::function_ref<mlir::Value(mlir::Value sum, mlir::Value panel)>;
  /// Adds the bias, applies the activation and stores the results of the panels [panelBegin, panelEnd). `tile` holds
  /// the sums of `rows`, from row 0 and column 0 on; `finish` changes a vector of them first.
  void emitResults(mlir::Value tile, const RowRange &rows, mlir::Value panelBegin, mlir::Value panelEnd,
                   FinishSum finish) const;

  GroupedMatmulTask &task;
  LoopEmitter &emit;
  mlir::VectorType vectorType;
  /// Panels of the weight, and how many of them make one vector of results: gate and linear, or one.
  int64_t panels, unitPanels;
  mlir::Value rowCount;

private:
  void packRow(mlir::Value row) const;
  /// Sums of one row that become one vector of results.
  struct ResultUnit {
    mlir::Value tile, tileRow, tileColumn, place, unit, mask;
  };
  void emitUnit(const ResultUnit &result, FinishSum finish) const;

  mlir::Value packed;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_KERNELS_PACKEDROWS_H
