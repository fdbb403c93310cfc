//===- MoeExpertOps.td - experts and their pieces ----------------*- tablegen -*-===//
#ifndef MOEC_DIALECT_MOE_EXPERTOPS
#define MOEC_DIALECT_MOE_EXPERTOPS

include "moec/Dialect/Moe/MoeDialect.td"
include "moec/Dialect/Moe/MoeAttributes.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def Moe_ExpertsOp : Moe_Op<"experts", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "a routed layer: the chosen experts on every token, combined";
  let description = [{
    y[t] = sum over j of gate[t,j] * (act(x[t] W1[e]^T + b1[e], x[t] W3[e]^T + b3[e]) W2[e]^T + b2[e]) with
    e = expert[t,j]; slots with e = -1 add nothing. With `weight_on = input` the gate multiplies x[t] instead.
    The sum is taken in ascending j.
    - C1: x is tensor<TxH> and float, experts tensor<TxKxi32>, gates tensor<TxKxf32>.
    - C2: w1 is tensor<ExNxH>, w2 tensor<ExHoxI>, w3 tensor<ExIxH>; static extents, E >= 1, float.
    - C3: w3 is given if and only if the activation's layout is separate; N = I, or 2I for concatenated and interleaved;
      panels is a stored form and not allowed here.
    - C4: b1 is tensor<ExN>, b2 tensor<ExHo>, b3 tensor<ExI>, all float; b3 only with w3.
    - C5: the result is tensor<TxHo> with x's element type.
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$experts, AnyRankedTensor:$gates, AnyRankedTensor:$w1,
      AnyRankedTensor:$w2, Optional<AnyRankedTensor>:$w3, Optional<AnyRankedTensor>:$b1,
      Optional<AnyRankedTensor>:$b2, Optional<AnyRankedTensor>:$b3, Moe_ActivationAttr:$activation,
      DefaultValuedAttr<Moe_WeightOnAttr, "::moec::moe::WeightOn::Output">:$weight_on,
      OptionalAttr<StrAttr>:$form, OptionalAttr<StrAttr>:$label);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = [{
    $x `routed` `(` $experts `,` $gates `)` `w1` $w1 `w2` $w2 (`w3` $w3^)? (`b1` $b1^)? (`b2` $b2^)? (`b3` $b3^)?
    `activation` `(` $activation `)` attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    int64_t getExpertCount() { return ::llvm::cast<::mlir::ShapedType>(getW1().getType()).getDimSize(0); }
    int64_t getSelectedCount() { return ::llvm::cast<::mlir::ShapedType>(getExperts().getType()).getDimSize(1); }
  }];
}

def Moe_GroupedMatmulOp : Moe_Op<"grouped_matmul", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "one product per expert over the rows grouped to it";
  let description = [{
    For each expert e and place p in [offsets[e], offsets[e+1]): out[p] = act(row(p) W[e]^T + bias[e]). Without `order`
    row(p) = x[p]; with it row(p) = x[order[p] / rows_per_token]. `scale` `[T, K]` multiplies row(p) by
    scale[order[p]] (counted over both dimensions). Without `offsets` there is one group of all rows: a dense matrix
    product. Places that belong to no expert hold unspecified values.
    - C1: x is tensor<MxK'>; w is static, tensor<ExNxK'> or, packed (rank 4), tensor<ExPxK'x16> with P panels; both are
      float, or w is `quantized`.
    - C2: `columns` is the number N of columns of the product before the activation; without packing it equals w's
      second extent, with packing ceil(N/16) = P, but with layout panels N is even and P = 2 ceil(N/32).
    - C3: offsets is tensor<(E+1)xi32>; E = 1 without it. order is tensor<Rxi32> and needs offsets; scale is
      tensor<TxKxf32> with T = M and K = `rows_per_token` and needs order; `rows_per_token` >= 1, and 1 without order.
    - C4: bias is tensor<ExN>, or [E, 16 P] in panel order with layout panels.
    - C5: a gated activation has layout panels with packed weights, interleaved or concatenated with unpacked ones, and
      N is even. With panels, panel 2i holds 16 gate columns and panel 2i+1 the linear columns.
    - C6: the result is tensor<RxN>, or tensor<RxN/2> if the activation is gated, with R the extent of order, or of x
      without it; its element type is x's.
    - C7: with `quantized` K' is static and w is tensor<ExPxWx16xi32> with W = ceil(K' * bits / 32); an element is
      (value - zero point) * scale. w_scales is tensor<ExPxBx16> and float, with B blocks in K'; w_zero_points has
      that shape and elements of 8 bits, unsigned, and is 2^(bits-1) if not given. Without `quantized` there is neither.
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$w, Optional<AnyRankedTensor>:$offsets,
      Optional<AnyRankedTensor>:$order, Optional<AnyRankedTensor>:$scale, Optional<AnyRankedTensor>:$bias,
      Optional<AnyRankedTensor>:$w_scales, Optional<AnyRankedTensor>:$w_zero_points, I64Attr:$columns,
      DefaultValuedAttr<I64Attr, "1">:$rows_per_token, Moe_ActivationAttr:$activation,
      OptionalAttr<Moe_QuantizationAttr>:$quantized, OptionalAttr<StrAttr>:$label);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = [{
    $x `by` $w (`offsets` $offsets^)? (`order` $order^)? (`scale` $scale^)? (`bias` $bias^)?
    (`w_scales` $w_scales^)? (`w_zero_points` $w_zero_points^)? (`quantized` `(` $quantized^ `)`)? `columns` $columns
    `activation` `(` $activation `)` attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "::mlir::Type":$out, "::mlir::Value":$x, "::mlir::Value":$w, "::mlir::Value":$offsets,
      "::mlir::Value":$order, "::mlir::Value":$scale, "::mlir::Value":$bias, "int64_t":$columns,
      "int64_t":$rows_per_token, "ActivationAttr":$activation, "::mlir::StringAttr":$label), [{
    build($_builder, $_state, out, x, w, offsets, order, scale, bias, /*w_scales=*/{}, /*w_zero_points=*/{}, columns,
          rows_per_token, activation, /*quantized=*/{}, label);
  }]>];
  let extraClassDeclaration = [{
    /// The terms of each sum.
    int64_t getInner() {
      return ::llvm::cast<::mlir::ShapedType>((getQuantized() ? getX() : getW()).getType())
          .getDimSize(getQuantized() ? 1 : 2);
    }
    /// The columns of the result: `columns`, halved by a gated activation.
    int64_t getResultColumns() { return getActivation().isGated() ? getColumns() / 2 : getColumns(); }
    bool isPacked() { return ::llvm::cast<::mlir::ShapedType>(getW().getType()).getRank() == 4; }
  }];
}

def Moe_CombineOp : Moe_Op<"combine", [Pure,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "sums the routed rows of each token";
  let description = [{
    out[t] = sum over ascending j of gates[t,j] * y[inverse[t*K+j]], or without the factor where gates is absent; places
    of -1 add nothing. Accumulates in f32. Behind the products of a layer `y` has a row for each token and slot; a table
    whose rows are the experts has any number.
    - C1: y is tensor<RxH> and float, inverse tensor<(T*K)xi32>, gates tensor<TxKxf32>; `slots` is K >= 1. Places outside
      [-1, R) are a run-time error.
    - C2: the result is tensor<TxH> with y's element type.
  }];
  let arguments = (ins AnyRankedTensor:$y, AnyRankedTensor:$inverse, Optional<AnyRankedTensor>:$gates, I64Attr:$slots,
      OptionalAttr<StrAttr>:$label);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = [{
    $y `inverse` $inverse (`gates` $gates^)? `slots` $slots attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif
