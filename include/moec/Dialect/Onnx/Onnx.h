//===- Onnx.h - the onnx dialect ----------------------------------------------===//
#ifndef MOEC_DIALECT_ONNX_ONNX_H
#define MOEC_DIALECT_ONNX_ONNX_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "moec/Dialect/Onnx/OnnxDialect.h.inc"
#define GET_OP_CLASSES
#include "moec/Dialect/Onnx/OnnxOps.h.inc"

#endif // MOEC_DIALECT_ONNX_ONNX_H
