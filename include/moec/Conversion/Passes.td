//===- Passes.td - passes of lib/Conversion ------------------------------*- tablegen -*-===//
#ifndef MOEC_CONVERSION_PASSES
#define MOEC_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

#endif
