//===- ExpertActivation.h - the epilogue's arithmetic -----------------------===//
#ifndef MOEC_LIB_CONVERSION_KERNELS_EXPERTACTIVATION_H
#define MOEC_LIB_CONVERSION_KERNELS_EXPERTACTIVATION_H

#include "LoopEmitter.h"

#include "moec/Dialect/Moe/Moe.h"

namespace moec {

/// Emits `activation` on f32 scalars or vectors. `linear` is the linear value of a gated kind and null otherwise.
mlir::Value emitExpertActivation(LoopEmitter &emit, moe::ActivationAttr activation, mlir::Value value,
                                 mlir::Value linear);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_KERNELS_EXPERTACTIVATION_H
