//===- ExpertMasks.h - which tokens an expert gets --------------------------===//
//
// The masks by which graphs that spell out every expert select its tokens, brought back to the expert ids:
//
//   one-hot    OneHot(ids), or Equal(ids, 0, 1, …): one more axis, over the experts
//   mask       Equal(ids, e), or one expert's slice of a one-hot
//   rows       NonZero of a mask: places of the expert's tokens and slots
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_EXPERTMASKS_H
#define MOEC_LIB_RAISE_EXPERTMASKS_H

#include "GraphPatterns.h"
#include "SymbolicShapes.h"

namespace moec::raise {

/// What an axis of a mask runs over; Unit has extent 1.
enum class MaskAxis { Token, Slot, Expert, Unit };
using MaskAxes = llvm::SmallVector<MaskAxis, 4>;

/// Whether the last axis of `ids` runs over the experts of a token.
bool hasSlotAxis(mlir::Value ids);

/// The axes of a tensor of ids.
MaskAxes axesOfIds(mlir::Value ids);

/// Whether the ids of a token differ from each other.
bool areDistinctPerToken(mlir::Value ids);

/// Ones where an id is the expert of the axis, zeros elsewhere.
struct OneHot {
  mlir::Value ids;
  /// [ids, E]: the one-hot times zeros and ones that drop some of it; null if nothing is dropped.
  mlir::Value dropped;
  int64_t depth;
  MaskAxes axes;

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

/// Element `index` of `source` along `axis`, whether `axis` stays with extent 1 or not.
struct AxisElement {
  mlir::Value source;
  int64_t axis, index;
  bool keepsAxis;
};
std::optional<AxisElement> matchAxisElement(mlir::Value value);

/// True, or not 0, where an id is `expert`.
struct ExpertMask {
  mlir::Value ids, dropped;
  int64_t expert;
  MaskAxes axes;
};
std::optional<ExpertMask> matchExpertMask(mlir::Value value);

/// Row `row` of the result of NonZero.
struct IndexColumn {
  onnx::NodeOp nonZero;
  int64_t row;
};
std::optional<IndexColumn> matchIndexColumn(mlir::Value index);

/// Where the tokens and slots of one expert are.
struct ExpertRows {
  onnx::NodeOp nonZero;
  mlir::Value ids, dropped;
  int64_t expert;
  /// Which rows of NonZero's result are the tokens and the slots; no slot if a token has one.
  int64_t tokenRow;
  std::optional<int64_t> slotRow;
};
/// `index` holds the place of a token for each row of the expert: once for each of its slots.
std::optional<ExpertRows> matchTokenIndex(mlir::Value index);

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_EXPERTMASKS_H
