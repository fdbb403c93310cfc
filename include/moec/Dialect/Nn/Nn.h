//===- Nn.h - the nn dialect ----------------------------------------------===//
#ifndef MOEC_DIALECT_NN_NN_H
#define MOEC_DIALECT_NN_NN_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "moec/Dialect/Nn/NnDialect.h.inc"
#include "moec/Dialect/Nn/NnEnums.h.inc"
#define GET_OP_CLASSES
#include "moec/Dialect/Nn/NnOps.h.inc"

#endif // MOEC_DIALECT_NN_NN_H
