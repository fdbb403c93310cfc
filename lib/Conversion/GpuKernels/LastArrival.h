//===- LastArrival.h - the last of the blocks that share a tile -------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_LASTARRIVAL_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_LASTARRIVAL_H

#include "GpuBlockBuilder.h"

namespace moec {

/// Counts this block among the `count` (i32) blocks of a tile and returns whether all others came before; what those
/// have stored is visible behind it. `flag` points to an i32 that is zero before the first and after the last, `shared`
/// to 4 bytes of shared memory, which may be written again behind another barrier. Every thread of the block takes
/// part.
mlir::Value emitIsLastArrival(const GpuBlockBuilder &block, mlir::Value thread, mlir::Value flag, mlir::Value shared,
                              mlir::Value count);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_LASTARRIVAL_H
