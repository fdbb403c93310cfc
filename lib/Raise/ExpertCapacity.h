//===- ExpertCapacity.h - experts that take so many tokens and no more ------===//
//
// Graphs count the tokens of each expert by a running sum over the one-hot of their ids, and drop those whose count
// exceeds a constant. That is moe.limit_capacity on the ids.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_EXPERTCAPACITY_H
#define MOEC_LIB_RAISE_EXPERTCAPACITY_H

#include "ExpertMasks.h"

namespace moec::raise {

/// `rank`, [ids, E], says in the column of its expert how many tokens of the batch up to a token have that expert, and
/// `added` to it. Columns of other experts may hold anything.
struct ExpertRank {
  mlir::Value ids;
  int64_t depth, added;
};
std::optional<ExpertRank> matchExpertRank(mlir::Value rank);

/// The most tokens of an expert that keep it where `mask` [ids, E] is true in its column; nullopt if `mask` is anything
/// else, or true in other columns.
struct Capacity {
  mlir::Value ids;
  int64_t depth, tokens;
};
std::optional<Capacity> matchCapacity(mlir::Value mask);

/// `ids`, [T] or [B, T] without slots, as i32 with -1 beyond the capacity: [T, 1] or [B * T, 1].
mlir::Value limitCapacity(mlir::OpBuilder &builder, mlir::Location loc, const Capacity &capacity);

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_EXPERTCAPACITY_H
