//===- ExpertGates.h - which expert a mask or a gate belongs to -------------===//
//
// The ways in which graphs that spell out every expert say which tokens it gets and with which gates:
//
//   one-hot    OneHot(ids), or Equal(ids, 0, 1, …): one more axis, over the experts
//   rows       NonZero of Equal(ids, e) or of one expert's slice of a one-hot: places of its tokens and slots
//   column     column e of a matrix of gates [.., E]
//   sum        ReduceSum over the slots of the gates where ids = e
//
// Each is brought back to the ids and gates of a token's slots, or to a matrix with a gate for every expert.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_EXPERTGATES_H
#define MOEC_LIB_RAISE_EXPERTGATES_H

#include "GraphPatterns.h"
#include "RoutedLayout.h"

namespace moec::raise {

/// What an axis of a mask runs over; Unit has extent 1.
enum class MaskAxis { Token, Slot, Expert, Unit };

/// Ones where an id is the expert of the axis, zeros elsewhere.
struct OneHot {
  mlir::Value ids;
  /// [ids, E]: the one-hot times zeros and ones that drop some of it; null if nothing is dropped.
  mlir::Value dropped;
  int64_t depth;
  llvm::SmallVector<MaskAxis, 4> axes;

  /// The axis of the experts.
  int64_t expertAxis() const { return llvm::find(axes, MaskAxis::Expert) - axes.begin(); }
};
/// Sees through casts, factors that only drop, and views that keep the experts an axis.
std::optional<OneHot> matchOneHot(mlir::Value value);

/// How many experts a token has in `ids`, [.., K] or, with one, [..]; nullopt if it is not known.
std::optional<int64_t> slotCountOf(mlir::Value ids, const SymbolicShapes &shapes);

/// A number that no id reaches, counted from 0; nullopt if it is not known.
std::optional<int64_t> boundOfIds(mlir::Value ids);

/// Whether no element of `value` can be negative.
bool isNonNegative(mlir::Value value);

/// Where the tokens and slots of one expert are.
struct ExpertRows {
  onnx::NodeOp nonZero;
  mlir::Value ids, dropped;
  int64_t expert;
  /// Which rows of NonZero's result are the tokens and the slots; no slot if a token has one.
  int64_t tokenRow;
  std::optional<int64_t> slotRow;
};
/// `index` holds the place of a token for each row of the expert.
std::optional<ExpertRows> matchTokenIndex(mlir::Value index);

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
