//===- NnDialect.td ----------------------------------------------*- tablegen -*-===//
#ifndef MOEC_DIALECT_NN_DIALECT
#define MOEC_DIALECT_NN_DIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def Nn_Dialect : Dialect {
  let name = "nn";
  let cppNamespace = "::moec::nn";
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
  let summary = "what surrounds an MoE layer and deserves a kernel of its own";
  let description = [{
    Normalisation, attention, and data movement that depends on tensor contents (gather, scatter, top-k, …), which
    linalg cannot state. Index operands are i32 or i64.
  }];
}

class Nn_Op<string mnemonic, list<Trait> traits = []> : Op<Nn_Dialect, mnemonic,
  !listconcat([Pure, DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>], traits)>;

#endif
