//===- Step.h - the step dialect ----------------------------------------------===//
#ifndef MOEC_DIALECT_STEP_STEP_H
#define MOEC_DIALECT_STEP_STEP_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "moec/Dialect/Step/StepDialect.h.inc"
#include "moec/Dialect/Step/KernelInterface.h"
#include "moec/Dialect/Step/GpuKernelInterface.h"
#define GET_TYPEDEF_CLASSES
#include "moec/Dialect/Step/StepTypes.h.inc"
#define GET_OP_CLASSES
#include "moec/Dialect/Step/StepOps.h.inc"

#endif // MOEC_DIALECT_STEP_STEP_H
