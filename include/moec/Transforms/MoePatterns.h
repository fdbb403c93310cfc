//===- MoePatterns.h - rewrites of moe ops and weights ----------------------===//
#ifndef MOEC_TRANSFORMS_MOEPATTERNS_H
#define MOEC_TRANSFORMS_MOEPATTERNS_H

namespace mlir {
class RewritePatternSet;
} // namespace mlir

namespace moec {

/// moe.experts -> moe.group, two moe.grouped_matmul, moe.combine.
void populateDecomposeExpertsPatterns(mlir::RewritePatternSet &patterns);
/// A contraction with a weight of rank 2 -> moe.grouped_matmul with one group.
void populateFormDenseMatmulPatterns(mlir::RewritePatternSet &patterns);
/// The weight of a moe.grouped_matmul -> its stored form, in which integers stay integers.
void populateEncodeWeightsPatterns(mlir::RewritePatternSet &patterns);

} // namespace moec

#endif // MOEC_TRANSFORMS_MOEPATTERNS_H
