//===- ExpertGates.h - the gates of experts that are spelt out --------------===//
//
// The ways in which graphs that spell out every expert give it gates, brought back to those of a token's slots, or to a
// matrix with a gate for every expert:
//
//   rows       gates gathered by the places of the expert's tokens and slots (ExpertMasks.h)
//   column     column e of a matrix of gates [.., E]
//   sum        ReduceSum over the slots of the gates where ids = e
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_EXPERTGATES_H
#define MOEC_LIB_RAISE_EXPERTGATES_H

#include "ExpertMasks.h"

namespace moec::raise {

/// The gates of one expert.
struct ExpertGate {
  int64_t expert;
  /// The expert ids and the gates of the slots; without ids, `gates` is a matrix with a column per expert.
  mlir::Value ids, gates;
};
/// `gate` with one number per row of the expert.
std::optional<ExpertGate> matchGatheredGate(mlir::Value gate, const ExpertRows &rows, const SymbolicShapes &shapes);
/// `gate` with one number per token.
std::optional<ExpertGate> matchTokenGate(mlir::Value gate, const SymbolicShapes &shapes);

/// Gates and ids of the slots of each token.
struct SlotGates {
  mlir::Value ids, gates, dropped;
  /// What is applied to the gates, innermost last.
  llvm::SmallVector<onnx::NodeOp> functions = {};

  /// What a matrix [.., E] of gates holds, below a scatter by distinct ids, a sum of one-hot rows, and functions that
  /// keep 0; without ids if every expert is a slot.
  static SlotGates ofMatrix(mlir::Value matrix, const SymbolicShapes &shapes);
  /// Whether the gates are those of `tokens` tokens; else `reason` says why not.
  bool fitTokens(const Extent &tokens, int64_t expertCount, const SymbolicShapes &shapes, std::string &reason) const;
  /// Experts i32 [T, K], -1 for none, and gates f32 [T, K].
  std::pair<mlir::Value, mlir::Value> build(mlir::OpBuilder &builder, mlir::Location loc, int64_t expertCount,
                                            const SymbolicShapes &shapes) const;
};

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_EXPERTGATES_H
