//===- MoeWeightOps.td - weights and expressions over them -------*- tablegen -*-===//
#ifndef MOEC_DIALECT_MOE_WEIGHTOPS
#define MOEC_DIALECT_MOE_WEIGHTOPS

include "moec/Dialect/Moe/MoeDialect.td"
include "moec/Dialect/Moe/MoeAttributes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Moe_WeightOp : Moe_Op<"weight", [Symbol, IsolatedFromAbove, NoRegionArguments]> {
  let summary = "a weight: a constant tensor that lives in a file, not in the IR";
  let description = [{
    `source` says where the bytes come from: #moe.file, #moe.splat, #moe.random, or a dense elements attribute (tests,
    small constants). A weight without source is computed when the file is written, by the region: it loads other
    weights and yields one tensor. Bytes are little endian and row-major in the type's element type: an i1 takes a byte,
    elements of 2 or 4 bits are packed from the lowest bits up.
    - C1: the type is static.
    - C2: exactly one of source and region is given; a source is one of those above.
    - C3: a #moe.file source has as many bytes as the type; elements have the type.
    - C4: the region holds only moe.load_weight and the ops of WeightExpression (moe.pack_panels, moe.dequantize,
      moe.unpack_values, moe.offset_values, moe.pack_words, tensor.extract_slice, tensor.concat, tensor.collapse_shape,
      tensor.expand_shape, linalg.transpose with a tensor.empty, arith.extf, arith.truncf, arith.constant,
      onnx.constant) and ends in moe.yield of the type.
    ```mlir
    moe.weight @w : tensor<8x64x32xf32> source(#moe.file<"model.onnx", 4096, 65536>)
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<StrAttr>:$sym_visibility,
      TypeAttrOf<AnyRankedTensor>:$type, OptionalAttr<AnyAttr>:$source);
  let regions = (region AnyRegion:$expression);
  let assemblyFormat = "$sym_name `:` $type (`source` `(` $source^ `)`)? ($expression^)? attr-dict-with-keyword";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The size of the value in bytes.
    uint64_t getByteCount();
  }];
}

def Moe_LoadWeightOp : Moe_Op<"load_weight", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a weight";
  let description = [{
    - C1: `weight` names a moe.weight.
    - C2: the result has its type.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def Moe_PackPanelsOp : Moe_Op<"pack_panels", [Pure]> {
  let summary = "the stored form of a product's weight: panels of 16 columns";
  let description = [{
    `[E, N, K]` -> `[E, ceil(N/16), K, 16]`, missing columns 0. With `linear`, both `[E, I, K]`: panel 2i holds columns
    16i… of `w` and panel 2i+1 those of `linear`.
    - C1: static shapes of rank 3; equal types of w and linear.
    - C2: the result has the shape above and w's element type.
  }];
  let arguments = (ins AnyRankedTensor:$w, Optional<AnyRankedTensor>:$linear);
  let results = (outs AnyRankedTensor:$packed);
  let assemblyFormat = "$w (`linear` $linear^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Moe_DequantizeOp : Moe_Op<"dequantize", [Pure]> {
  let summary = "(q - zero point) * scale";
  let description = [{
    `q` `[..., N, C]` ui8 holds K values of `bits` (2, 4, 8): a byte holds one, or several along the last axis, lowest
    bits first. `scales` `[..., N]` or `[..., N, ceil(K/block)]`; zero points likewise, one in a byte or packed along
    their last axis in whole bytes, default 2^(bits-1).
    - C1: bits is 2, 4 or 8; block is 0 (one scale per row) or positive; q, scales and zero_points have static shapes as
      above with C = K or K = C*8/bits; scales are float, zero points ui8.
    - C2: the result is [..., N, K] with a float element type.
  }];
  let arguments = (ins AnyRankedTensor:$q, AnyRankedTensor:$scales, Optional<AnyRankedTensor>:$zero_points,
      I64Attr:$bits, I64Attr:$block);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = [{
    $q `scales` $scales (`zero_points` $zero_points^)? `bits` $bits `block` $block attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Moe_UnpackValuesOp : Moe_Op<"unpack_values", [Pure]> {
  let summary = "values of a few bits as bytes";
  let description = [{
    `[..., C]` bytes, each of 8/bits values, lowest bits first, -> `[..., C*8/bits]` bytes of one value each, extended
    by its sign if `signed`.
    - C1: bits is 2, 4 or 8; q is static and has 8-bit elements.
    - C2: the result has the shape above and q's element type.
  }];
  let arguments = (ins AnyRankedTensor:$q, I64Attr:$bits, UnitAttr:$is_signed);
  let results = (outs AnyRankedTensor:$values);
  let assemblyFormat = "$q `bits` $bits (`signed` $is_signed^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Moe_OffsetValuesOp : Moe_Op<"offset_values", [Pure, SameOperandsAndResultType]> {
  let summary = "signed values as unsigned ones";
  let description = [{
    Bytes of one signed value of `bits` bits each -> the values plus 2^(bits-1), which moe.dequantize takes as the zero
    point unless it is given one.
    - C1: bits is 2, 4 or 8; values is static and has 8-bit elements.
  }];
  let arguments = (ins AnyRankedTensor:$values, I64Attr:$bits);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = "$values `bits` $bits attr-dict `:` type($values)";
  let hasVerifier = 1;
}

def Moe_PackWordsOp : Moe_Op<"pack_words", [Pure]> {
  let summary = "bytes of one value each as the words of a quantised weight";
  let description = [{
    `[..., K]` bytes -> `[..., ceil(K*bits/32)]` words in the order of #moe.quantization, missing values 0.
    - C1: bits is 2, 4 or 8; values is static and has 8-bit elements.
    - C2: the result has the shape above and elements i32.
  }];
  let arguments = (ins AnyRankedTensor:$values, I64Attr:$bits);
  let results = (outs AnyRankedTensor:$words);
  let assemblyFormat = "$values `bits` $bits attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Moe_YieldOp : Moe_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let summary = "ends the expression of a weight";
  let arguments = (ins AnyType:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

#endif
