//===- Passes.h - passes of lib/Raise ---------------------------------------===//
#ifndef MOEC_RAISE_PASSES_H
#define MOEC_RAISE_PASSES_H

#include "mlir/Pass/Pass.h"

namespace moec {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "moec/Raise/Passes.h.inc"
} // namespace moec

#endif // MOEC_RAISE_PASSES_H
