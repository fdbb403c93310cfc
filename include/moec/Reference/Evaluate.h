//===- Evaluate.h - reference evaluation of moe and nn ops ------------------===//
//
// Plain loops that follow the documentation of the ops: what compiled code is compared with.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_REFERENCE_EVALUATE_H
#define MOEC_REFERENCE_EVALUATE_H

#include "moec/Reference/HostTensor.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace moec::reference {

/// The results of a moe or nn op, or of one that only moves values or extents (constants, arith.index_cast,
/// tensor.cast, tensor.dim, tensor.empty, tensor.extract). Fails with a diagnostic on the op: for other ops, for
/// operands that do not have the op's types, and where the op's documentation calls it a run-time error.
llvm::FailureOr<llvm::SmallVector<HostTensor>> evaluate(mlir::Operation *op, llvm::ArrayRef<HostTensor> operands);

/// The results of a function of one block whose ops `evaluate` knows.
llvm::FailureOr<llvm::SmallVector<HostTensor>> evaluateFunction(mlir::func::FuncOp function,
                                                                llvm::ArrayRef<HostTensor> inputs);

} // namespace moec::reference

#endif // MOEC_REFERENCE_EVALUATE_H
