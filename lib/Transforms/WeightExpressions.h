//===- WeightExpressions.h - what can be computed when the file is written --===//
#ifndef MOEC_LIB_TRANSFORMS_WEIGHTEXPRESSIONS_H
#define MOEC_LIB_TRANSFORMS_WEIGHTEXPRESSIONS_H

#include "mlir/IR/Operation.h"

namespace moec {

/// Whether `op` loads a weight or is a constant tensor.
bool isWeightLeaf(mlir::Operation *op);

/// Whether the writer can compute `op` from the values of its operands: an op of moe.weight's C4 with static shapes.
bool isWeightComputation(mlir::Operation *op);

/// Whether `value` is computed from weights and constants alone, by ops the writer knows.
bool isWeightExpression(mlir::Value value);

} // namespace moec

#endif // MOEC_LIB_TRANSFORMS_WEIGHTEXPRESSIONS_H
