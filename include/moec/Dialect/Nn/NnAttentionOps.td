//===- NnAttentionOps.td - attention and what feeds it -----------*- tablegen -*-===//
#ifndef MOEC_DIALECT_NN_ATTENTIONOPS
#define MOEC_DIALECT_NN_ATTENTIONOPS

include "moec/Dialect/Nn/NnDialect.td"

def Nn_RotaryOp : Nn_Op<"rotary"> {
  let summary = "rotary position embedding";
  let description = [{
    x `[B, N, S, D]`; cos and sin `[Bc, S, P]` with Bc = B or 1 and P = half the rotated extent R <= D; d < P:
    out[d] = x[d] cos[d] - x[d'] sin[d], out[d'] = x[d'] cos[d] + x[d] sin[d] with d' = d + P, or pairs (2d, 2d+1)
    if interleaved. Values from R on are copied.
    - C1: ranks 4, 3, 3, all float; cos and sin have one shape; 2P <= D; D and P static.
    - C2: the result has x's type.
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$cos, AnyRankedTensor:$sin, BoolAttr:$interleaved);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = [{
    $x `,` $cos `,` $sin `interleaved` $interleaved attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Nn_AttentionOp : Nn_Op<"attention", [AttrSizedOperandSegments]> {
  let summary = "softmax(q k^T * scale + mask) v with grouped heads";
  let description = [{
    q `[B, N, S, D]`, k `[B, G, L, D]`, v `[B, G, L, Dv]`; query head n uses key head n / (N/G). `mask`
    `[Bm, Nm, Sm, L]` is added to the scaled scores (f32), or disables where it is false (i1); Bm, Nm, Sm are 1 or the
    full extent. `causal`: query s sees keys l <= s + L - S. `window` > 0: also l > s + L - S - window. softcap c > 0:
    c * tanh(score / c) before the mask. `sinks` `[N]` adds exp(sink) to the denominator. A row that sees nothing has
    weights of 0, or without sinks of NaN if `empty_is_nan`; one with a weight of NaN has weights of 0 if `nan_to_zero`.
    Weights of 0 give 0, or NaN where v is not finite. With `length` (an index) k and v have room for more keys than
    there are, and L is `length`.
    - C1: ranks 4, float; N a multiple of G; D of q and k agree; N, G, D, Dv static.
    - C2: the result is [B, N, S, Dv] with q's element type. Arithmetic is f32.
    - C3: mask is i1 or float of the shape above, sinks float; window >= 0; softcap >= 0; scale and softcap are finite.
    - C4: not both `nan_to_zero` and `empty_is_nan`.
  }];
  let arguments = (ins AnyRankedTensor:$q, AnyRankedTensor:$k, AnyRankedTensor:$v, Optional<AnyRankedTensor>:$mask,
      Optional<AnyRankedTensor>:$sinks, Optional<Index>:$length, F64Attr:$scale,
      DefaultValuedAttr<BoolAttr, "false">:$causal,
      DefaultValuedAttr<I64Attr, "0">:$window, DefaultValuedAttr<F64Attr, "0.0">:$softcap,
      DefaultValuedAttr<BoolAttr, "false">:$nan_to_zero, DefaultValuedAttr<BoolAttr, "false">:$empty_is_nan);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = [{
    $q `,` $k `,` $v (`mask` $mask^)? (`sinks` $sinks^)? (`length` $length^)? `scale` $scale attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Nn_KvAppendOp : Nn_Op<"kv_append"> {
  let summary = "writes new positions behind those a state holds";
  let description = [{
    state `[B, G, C, D]` has room for C positions and holds `position` of them; new is `[B, G, S, D]`. The result is the
    state's buffer with new at [position, position + S) of dimension 2; nothing else of it is read or written. The state must
    not be used afterwards. position + S <= C, which the host program sees to. With `starts` `[B]` those of sequence b come
    at starts[b] in the place of position; starts[b] + S <= C.
    - C1: rank 4; state and new agree in B, G, D and the element type.
    - C2: the result has state's type.
    - C3: starts is [B] of i64.
  }];
  let arguments = (ins AnyRankedTensor:$state, AnyRankedTensor:$new_positions, Index:$position,
      Optional<AnyRankedTensor>:$starts);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = [{
    $new_positions `to` $state `at` $position (`starts` $starts^ `:` type($starts))? attr-dict `:`
    type($new_positions) `,` type($state) `->` type($out)
  }];
  let hasVerifier = 1;
}

#endif
