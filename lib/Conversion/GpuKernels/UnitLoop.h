//===- UnitLoop.h - launches whose threads take turns ------------------------===//
//
// Work in independent units: neighbouring threads take neighbouring units, and after a whole round of the launch the
// next ones. A launch has at most as many threads as the machine holds at once.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_UNITLOOP_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_UNITLOOP_H

#include "LoopEmitter.h"

#include "moec/Dialect/Step/GpuKernelInterface.h"

namespace moec {

step::GpuLaunchShape getUnitLaunchShape();

/// The number of blocks for so many units, an `index`.
mlir::Value buildUnitBlockCount(const LoopEmitter &host, const step::GpuMachine &machine, mlir::Value units);

/// What a thread of the launch does. Units are `index`.
void emitUnitLoop(const LoopEmitter &emit, const step::GpuKernelContext &context, mlir::Value units,
                  llvm::function_ref<void(mlir::Value unit)> body);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_UNITLOOP_H
