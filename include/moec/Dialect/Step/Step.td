//===- Step.td - kernels and the host program --------------------*- tablegen -*-===//
#ifndef MOEC_DIALECT_STEP
#define MOEC_DIALECT_STEP

include "moec/Dialect/Step/StepDialect.td"
include "moec/Dialect/Step/StepKernelOps.td"
include "moec/Dialect/Step/StepProgramOps.td"

#endif
