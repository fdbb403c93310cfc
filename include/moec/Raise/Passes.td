//===- Passes.td - passes of lib/Raise ------------------------------*- tablegen -*-===//
#ifndef MOEC_RAISE_PASSES
#define MOEC_RAISE_PASSES

include "mlir/Pass/PassBase.td"

#endif
