//===- Passes.h - passes of lib/Transforms ---------------------------------------===//
#ifndef MOEC_TRANSFORMS_PASSES_H
#define MOEC_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace moec {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

#endif // MOEC_TRANSFORMS_PASSES_H
