//===- AttentionParts.h - what attention operators have in common ---*- C++ -*-===//
#ifndef MOEC_LIB_CONVERSION_ONNXTOLINALG_ATTENTIONPARTS_H
#define MOEC_LIB_CONVERSION_ONNXTOLINALG_ATTENTIONPARTS_H

#include "Binder.h"

namespace moec {

int64_t lastExtent(mlir::Value tensor);
/// [B, S, N * D] -> [B, N, S, D]
mlir::FailureOr<mlir::Value> splitHeads(Binder &b, mlir::Value x, int64_t heads);
/// [B, N, S, D] -> [B, S, N * D]
mlir::Value joinHeads(Binder &b, mlir::Value x);

mlir::Value rotate(Binder &b, mlir::Value x, mlir::Value cos, mlir::Value sin, bool interleaved);
using RotaryTables = std::pair<mlir::Value, mlir::Value>;
/// The rows of the cosine and sine tables, inputs `cos` and `cos + 1`, at `positions` [batch, sequence].
mlir::FailureOr<RotaryTables> tablesAt(Binder &b, unsigned cos, mlir::Value positions);
/// Rows [first, first + count), the same for all sequences.
mlir::FailureOr<RotaryTables> tablesFrom(Binder &b, unsigned cos, mlir::Value first, mlir::Value count);
/// The rows for input `positions`: [batch, sequence], or one position to count from.
mlir::FailureOr<RotaryTables> rotaryTables(Binder &b, unsigned positions, unsigned cos, mlir::Value sequence);

struct AttentionOptions {
  double scale;
  bool causal = false;
  int64_t window = 0;
  double softcap = 0;
};
mlir::Value attend(Binder &b, mlir::Value q, mlir::Value k, mlir::Value v, mlir::Value mask, mlir::Value sinks,
                   const AttentionOptions &options);
double attentionScale(Binder &b, mlir::Value q);
/// Input `past` if it is given, with `added` behind it.
mlir::FailureOr<mlir::Value> appendToPast(Binder &b, unsigned past, mlir::Value added);
/// A tensor of f32 of `extents`, 0 where `isSeen` holds of the element of `tensor` at that place, else `other`.
mlir::Value maskWith(Binder &b, mlir::Value tensor, const Binder::Extents &extents, double other,
                     llvm::function_ref<mlir::Value(ScalarBody &, mlir::Value element)> isSeen);
/// Fails for an input that would change the meaning and is not handled.
mlir::LogicalResult refuseInputs(Binder &b, std::initializer_list<std::pair<unsigned, llvm::StringRef>> inputs);

/// The row of GroupQueryAttention.
mlir::LogicalResult lowerGroupQuery(Binder &b);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_ONNXTOLINALG_ATTENTIONPARTS_H
