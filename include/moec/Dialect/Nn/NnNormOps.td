//===- NnNormOps.td - normalisation ------------------------------*- tablegen -*-===//
#ifndef MOEC_DIALECT_NN_NORMOPS
#define MOEC_DIALECT_NN_NORMOPS

include "moec/Dialect/Nn/NnDialect.td"

def Nn_SoftmaxOp : Nn_Op<"softmax", [SameOperandsAndResultType]> {
  let summary = "softmax over the last axis";
  let description = [{
    exp(x - max) / sum(exp(x - max)) in f32; an extent of 0 gives nothing. A row of −inf gives NaN.
    - C1: rank >= 1, float; the result has x's type.
  }];
  let arguments = (ins AnyRankedTensor:$x);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = "$x attr-dict `:` type($x)";
  let hasVerifier = 1;
}

def Nn_RmsNormOp : Nn_Op<"rms_norm"> {
  let summary = "x / sqrt(mean(x^2) + eps) * weight over the last axis";
  let description = [{
    - C1: x is float of rank >= 1 with last extent n; weight is float of shape [n] or absent; eps is finite and
      not negative; the result has x's type.
  }];
  let arguments = (ins AnyRankedTensor:$x, Optional<AnyRankedTensor>:$weight, F64Attr:$eps);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = "$x (`weight` $weight^)? `eps` $eps attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Nn_LayerNormOp : Nn_Op<"layer_norm", [AttrSizedOperandSegments]> {
  let summary = "(x - mean) / sqrt(variance + eps) * weight + bias over the last axis";
  let description = [{
    - C1: as nn.rms_norm; bias like weight.
  }];
  let arguments = (ins AnyRankedTensor:$x, Optional<AnyRankedTensor>:$weight, Optional<AnyRankedTensor>:$bias,
      F64Attr:$eps);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = [{
    $x (`weight` $weight^)? (`bias` $bias^)? `eps` $eps attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif
