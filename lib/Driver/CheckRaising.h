//===- CheckRaising.h - runs what was recognised beside plain operators -----===//
#ifndef MOEC_LIB_DRIVER_CHECKRAISING_H
#define MOEC_LIB_DRIVER_CHECKRAISING_H

#include "mlir/IR/BuiltinOps.h"

namespace moec {

struct CheckCounts {
  unsigned structures = 0;
  unsigned rejected = 0;
  /// Those that could not be compared; remarks say why.
  unsigned unchecked = 0;
};

/// Compares each structure that `raised` has in the place of operators of `plain`, its copy from before, both numbered.
/// Structures that are equal but for names and large constants are compared once. What differs goes back to plain
/// operators with a warning, or is an error if `strict`.
CheckCounts checkRaising(mlir::ModuleOp raised, mlir::ModuleOp plain, bool strict);

} // namespace moec

#endif // MOEC_LIB_DRIVER_CHECKRAISING_H
