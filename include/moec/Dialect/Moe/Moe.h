//===- Moe.h - the moe dialect ----------------------------------------------===//
#ifndef MOEC_DIALECT_MOE_MOE_H
#define MOEC_DIALECT_MOE_MOE_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "moec/Dialect/Moe/MoeDialect.h.inc"
#include "moec/Dialect/Moe/MoeEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "moec/Dialect/Moe/MoeAttributes.h.inc"
#define GET_OP_CLASSES
#include "moec/Dialect/Moe/MoeOps.h.inc"

#endif // MOEC_DIALECT_MOE_MOE_H
