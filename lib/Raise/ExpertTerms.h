//===- ExpertTerms.h - what a sum over experts adds up ----------------------===//
#ifndef MOEC_LIB_RAISE_EXPERTTERMS_H
#define MOEC_LIB_RAISE_EXPERTTERMS_H

#include "GraphPatterns.h"
#include "SymbolicShapes.h"

namespace moec::raise {

/// One summand.
struct ExpertTerm {
  mlir::Value value;
  /// Places of the tokens that the rows of `value` are added to; null if it has a row for every token.
  mlir::Value tokenIndex = {};
  /// Whether of two rows for one token only one is added.
  bool overwrites = false;
  /// What a token must fulfil for its row to be added: this gate is positive. Null if all are added.
  mlir::Value positiveGate = {};
  /// The gate that multiplies `value`: column `expert` of this matrix. Null if `value` holds its gate itself.
  mlir::Value gateMatrix = {};
  int64_t expert = -1;
};

/// A value as a sum: over Add, Sum, ScatterND and ScatterElements into what was added before, Where(gate > 0, sum +
/// term, sum), and ReduceSum of a Concat of all experts, times a matrix of gates or with gates of their own.
struct ExpertSum {
  mlir::Value root;
  llvm::SmallVector<ExpertTerm> terms;
  /// Tensors that the terms are added into, known to be 0.
  llvm::SmallVector<mlir::Value> zeros;
  /// The nodes in between.
  llvm::SmallVector<onnx::NodeOp> inner;

  /// nullopt if `root` is no such node.
  static std::optional<ExpertSum> of(onnx::NodeOp root);
};

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_EXPERTTERMS_H
