//===- Rows.h - the tables of operators -----------------------------*- C++ -*-===//
#ifndef MOEC_LIB_CONVERSION_ONNXTOLINALG_ROWS_H
#define MOEC_LIB_CONVERSION_ONNXTOLINALG_ROWS_H

#include "Binder.h"
#include "llvm/ADT/StringMap.h"

namespace moec {

/// How the versions [since, until] of an operator are lowered. `inputs` is the number of inputs that must be given.
struct Row {
  llvm::StringRef opType;
  int64_t since, until;
  unsigned inputs;
  mlir::LogicalResult (*lower)(Binder &);
  llvm::StringRef domain = "";
  /// Whether elements may be of narrow types (NarrowElements.h): the row moves or converts them.
  bool takesNarrow = false;
};

/// Shape arithmetic: what an operator does to tensors whose elements are known one by one. Nullopt leaves the node to
/// its row.
struct ScalarRow {
  llvm::StringRef opType;
  std::optional<ScalarTensor> (*evaluate)(Binder &, llvm::ArrayRef<ScalarTensor>);
};

llvm::ArrayRef<Row> elementwiseRows();
llvm::ArrayRef<Row> activationRows();
llvm::ArrayRef<Row> attentionRows();
llvm::ArrayRef<Row> convRows();
llvm::ArrayRef<Row> reductionRows();
llvm::ArrayRef<Row> shapeRows();
llvm::ArrayRef<Row> dataMovementRows();
llvm::ArrayRef<Row> indexingRows();
llvm::ArrayRef<Row> matmulRows();
llvm::ArrayRef<Row> normRows();
llvm::ArrayRef<Row> poolRows();
llvm::ArrayRef<Row> quantizationRows();
llvm::ArrayRef<Row> randomRows();
llvm::ArrayRef<Row> resizeRows();
llvm::ArrayRef<ScalarRow> scalarRows();

class RowTable {
public:
  RowTable();
  const Row *find(llvm::StringRef domain, llvm::StringRef opType, int64_t version) const;
  const ScalarRow *findScalar(llvm::StringRef domain, llvm::StringRef opType) const;

private:
  llvm::StringMap<llvm::SmallVector<const Row *, 1>> rows;
  llvm::StringMap<const ScalarRow *> scalar;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_ONNXTOLINALG_ROWS_H
