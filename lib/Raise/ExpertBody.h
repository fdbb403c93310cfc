//===- ExpertBody.h - the function of one expert ----------------------------===//
//
// An expert that a graph spells out on its own: two layers of products with matrices, an activation between them, and a
// gate somewhere. Several such bodies with the same function become the stacked weights of one moe.experts.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_EXPERTBODY_H
#define MOEC_LIB_RAISE_EXPERTBODY_H

#include "GraphPatterns.h"
#include "RoutedExperts.h"
#include "RoutedRegion.h"

namespace moec::raise {

/// rows -> (* gate) -> products -> activation -> (* gate) -> product -> (* gate), each with a bias or without.
struct ExpertBody {
  ActivationMatch activation;
  RoutedSource gateSource, down;
  std::optional<RoutedSource> linearSource;
  mlir::Value rows;
  /// One number per row; null if there is none.
  mlir::Value gate;
  moe::WeightOn weightOn = moe::WeightOn::Output;
};

/// Whether products with two layers of matrices lead to `value`.
bool resemblesExpertBody(mlir::Value value, const SymbolicShapes &shapes);

/// What `value`, one row of features per row of the result's `rows`, computes; else `reason` says what is in the way.
std::optional<ExpertBody> matchExpertBody(mlir::Value value, const SymbolicShapes &shapes, std::string &reason);

/// Bodies, in the order of the experts, as one op; else `reason` says why their functions differ.
std::optional<RoutedExperts> stackExpertBodies(llvm::ArrayRef<ExpertBody> bodies, mlir::OpBuilder &builder,
                                               WeightBuilder &weights, std::string &reason);

/// `index` if it is constant, or e if it is the e-th of all experts that occur in a trace of which each expert was hit:
///
///   OneHot(ids) as [E, ..] -> ReduceSum -> Greater 0 -> NonZero -> Split into as many parts as ids have values
///
/// The Split demands that all occur, so its parts are 0, 1, ….
std::optional<int64_t> matchExpertIndex(mlir::Value index);

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_EXPERTBODY_H
