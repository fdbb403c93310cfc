//===- Passes.td - passes of lib/Target/Cpu ------------------------------*- tablegen -*-===//
#ifndef MOEC_TARGET_CPU_PASSES
#define MOEC_TARGET_CPU_PASSES

include "mlir/Pass/PassBase.td"

#endif
