//===- WeightEvaluation.h - computes the bytes of weights -------------------===//
#ifndef MOEC_ARTIFACT_WEIGHTEVALUATION_H
#define MOEC_ARTIFACT_WEIGHTEVALUATION_H

#include "mlir/IR/SymbolTable.h"
#include "moec/Dialect/Moe/Moe.h"

#include <memory>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace moec {

/// Computes weights from their sources and expressions. Bytes of files are mapped, slices and transpositions are views,
/// and what is computed is freed after its last use: evaluation holds at most about twice the bytes of a weight. Large
/// weights are computed by several threads; an object serves one caller at a time.
class WeightEvaluator {
public:
  /// Expressions load the weights of `symbols`, which must outlive the object.
  explicit WeightEvaluator(mlir::SymbolTable &symbols);
  ~WeightEvaluator();

  /// Writes the bytes of `weight`. Fails with a diagnostic on the weight or the op that cannot be computed; some bytes
  /// may then have been written.
  llvm::LogicalResult write(moe::WeightOp weight, llvm::raw_ostream &stream);

private:
  class Implementation;
  std::unique_ptr<Implementation> implementation;
};

} // namespace moec

#endif // MOEC_ARTIFACT_WEIGHTEVALUATION_H
