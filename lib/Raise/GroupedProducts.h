//===- GroupedProducts.h - products over rows sorted by expert --------------===//
//
// The parts of a routed layer whose rows are sorted by expert: the order, the histogram of the expert ids and its
// running sums, one product per expert over its range of rows, and the way back. Each function proves what its result
// says.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_GROUPEDPRODUCTS_H
#define MOEC_LIB_RAISE_GROUPEDPRODUCTS_H

#include "SymbolicShapes.h"

namespace moec::raise {

/// Slice `index` of `source` along its first axis, of extent 1.
struct Element {
  mlir::Value source;
  int64_t index;
};
std::optional<Element> matchElement(mlir::Value value);

/// Concat over the experts e of rows[ends[e - 1], ends[e]) * weight[e].
struct GroupedProduct {
  onnx::NodeOp concat;
  mlir::Value rows;
  /// [E, in, out]
  mlir::Value weight;
  /// [E], counted from the first row.
  mlir::Value ends;
  int64_t expertCount;
};

/// Whether the first operand of a Concat along axis 0 is a product over a range of rows.
bool resemblesGroupedProduct(onnx::NodeOp concat);
/// Needs resemblesGroupedProduct; on failure `reason` says why.
std::optional<GroupedProduct> matchGroupedProduct(onnx::NodeOp concat, std::string &reason);

/// Rows of tokens, one per token and slot, sorted by expert.
struct SortedTokens {
  /// [T, H]
  mlir::Value tokens;
  /// [.., K], from the TopK of a router: each id is below `idBound`.
  mlir::Value ids;
  int64_t slotCount, idBound;
  /// The sorted ids, and where each comes from among all T * K.
  mlir::Value sortedIds, order;
};
std::optional<SortedTokens> matchSortedTokens(mlir::Value rows, const SymbolicShapes &shapes, std::string &reason);

/// Whether `ends` are the running sums of how often each of `expertCount` ids occurs.
bool areGroupEnds(mlir::Value ends, const SortedTokens &sorted, int64_t expertCount);

/// What `value` gathers along its first axis in the order of the rows: one element per row of `value`; null if it does
/// not.
mlir::Value gatheredInOrder(mlir::Value value, const SortedTokens &sorted);

/// Whether `node` puts the sorted rows `rows` back in the order of tokens and slots.
bool restoresOrder(onnx::NodeOp node, mlir::Value rows, const SortedTokens &sorted, const SymbolicShapes &shapes);

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_GROUPEDPRODUCTS_H
