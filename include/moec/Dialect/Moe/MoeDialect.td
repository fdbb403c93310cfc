//===- MoeDialect.td ---------------------------------------------*- tablegen -*-===//
#ifndef MOEC_DIALECT_MOE_DIALECT
#define MOEC_DIALECT_MOE_DIALECT

include "mlir/IR/OpBase.td"

def Moe_Dialect : Dialect {
  let name = "moe";
  let cppNamespace = "::moec::moe";
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
  let extraClassDeclaration = [{
    void registerAttributes();
  }];
  let summary = "mixture-of-experts layers: routing, experts, grouping, grouped products, weights";
  let description = [{
    T is the number of tokens, H the hidden size, I the inner size, E the number of experts, K the experts per token,
    R = T*K the routed rows. Expert weights are canonical `[E, N, K]`: outputs before inputs, as in a linear layer.
    An expert id of -1 means no expert; its gate is 0.
  }];
}

class Moe_Op<string mnemonic, list<Trait> traits = []> : Op<Moe_Dialect, mnemonic, traits>;

#endif
