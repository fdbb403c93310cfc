//===- Passes.td - passes of lib/Transforms ------------------------------*- tablegen -*-===//
#ifndef MOEC_TRANSFORMS_PASSES
#define MOEC_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

#endif
