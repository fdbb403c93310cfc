//===- Passes.h - passes of lib/Conversion ---------------------------------------===//
#ifndef MOEC_CONVERSION_PASSES_H
#define MOEC_CONVERSION_PASSES_H

#include "mlir/Pass/Pass.h"

namespace moec {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "moec/Conversion/Passes.h.inc"
} // namespace moec

#endif // MOEC_CONVERSION_PASSES_H
