//===- Passes.td - passes of lib/Raise ------------------------------*- tablegen -*-===//
#ifndef MOEC_RAISE_PASSES
#define MOEC_RAISE_PASSES

include "mlir/Pass/PassBase.td"

class Raise_Pass<string argument> : Pass<argument, "::mlir::ModuleOp"> {
  let dependentDialects = ["::moec::moe::MoeDialect", "::moec::nn::NnDialect", "::moec::onnx::OnnxDialect",
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def RaiseMoeNodes : Raise_Pass<"moe-raise-moe-nodes"> {
  let summary = "turns com.microsoft MoE and QMoE nodes into moe.route and moe.experts";
  let description = [{
    Afterwards no `MoE` or `QMoE` node is left. Precondition: weights, scales and zero points are constant. An
    attribute, input or shape without a known meaning is an error that names node, attribute, expected and found.
    ```mlir
    %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", attrs = {k = 2, activation_type = "silu"}}
    // becomes
    %e, %g = moe.route %p router(<score = softmax, over = all, k = 2>)
    %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<kind = silu>)
    ```
  }];
}

def RaiseGatheredExperts : Raise_Pass<"moe-raise-gathered-experts"> {
  let summary = "turns products with gathered weights into moe.experts";
  let description = [{
    Recognises `W[ids] x`, the activation between two such products and the weighted sum over the slots of a token. Each
    layer that resembles this form and is left as it is gets a remark with the reason.
    ```mlir
    %w = onnx.node "Gather"(%w1, %ids); %h = onnx.node "MatMul"(%x, %w); … %y = onnx.node "ReduceSum"(%weighted, %one)
    // becomes
    %y = moe.experts %x routed(%ids, %gates) w1 %w1 w2 %w2 activation(<kind = swiglu, layout = concatenated>)
    ```
  }];
}

def RaiseGroupedExperts : Raise_Pass<"moe-raise-grouped-experts"> {
  let summary = "turns products over rows sorted by expert into moe.experts";
  let description = [{
    Recognises tokens gathered in the order of their sorted expert ids, one product per expert over its range of rows,
    the activation, the second such products, and the weighted sum after the rows are back in order. Each layer that
    resembles this form and is left as it is gets a remark with the reason.
    ```mlir
    %s, %order = onnx.node "TopK"(%flat_ids, %count); … %p0 = onnx.node "MatMul"(%rows0, %w0); …
    %products = onnx.node "Concat"(%p0, %p1, …); … %y = onnx.node "ReduceSum"(%weighted, %one)
    // becomes
    %y = moe.experts %x routed(%ids, %gates) w1 %w1 w2 %w2 activation(<kind = swiglu, layout = concatenated>)
    ```
  }];
}

def RaiseSummedExperts : Raise_Pass<"moe-raise-summed-experts"> {
  let summary = "turns a sum over experts that are spelt out one by one into moe.experts";
  let description = [{
    Recognises loops over the experts that a trace has unrolled, with the tokens of each gathered and scattered back, and
    experts that see every token and are masked by their gates. The weights of the experts are stacked. Each sum that
    resembles this form and is left as it is gets a remark with the reason.
    ```mlir
    %g0 = onnx.node "Slice"(%gates, …); %t0 = onnx.node "Mul"(%expert0, %g0); … %y = onnx.node "Add"(%sum, %t7)
    // becomes
    %y = moe.experts %x routed(%ids, %gates) w1 %w1 w2 %w2 w3 %w3 activation(<kind = swiglu, layout = separate>)
    ```
  }];
}

def RaiseStackedExperts : Raise_Pass<"moe-raise-stacked-experts"> {
  let summary = "turns batched products with the weights of all experts into moe.experts";
  let description = [{
    Recognises two products with stacks of matrices and the activation between them, where either every expert sees every
    token and a weighted sum over the experts follows, or each expert has rows of its own. Each layer that resembles
    this form and is left as it is gets a remark with the reason.
    ```mlir
    %h = onnx.node "Einsum"(%x, %w1) {"th,ehi->eti"}; … %y = onnx.node "Einsum"(%out, %gates) {"eth,te->th"}
    // becomes
    %y = moe.experts %x routed(%ids, %slot_gates) w1 %w1 w2 %w2 activation(<kind = swiglu, layout = concatenated>)
    ```
  }];
}

def RaiseChosenTokens : Raise_Pass<"moe-raise-chosen-tokens"> {
  let summary = "turns one expert on the tokens it chose into moe.experts";
  let description = [{
    Recognises products, activation and gates between a gather and a scatter by the same index, which a `TopK` of scores
    chose. What resembles this and is left as it is gets a remark with the reason.
    ```mlir
    %rows = onnx.node "GatherElements"(%x, %i); … %y = onnx.node "ScatterElements"(%x, %i, %weighted) {reduction = "add"}
    // becomes
    %o = moe.experts %rows routed(%zeros, %gates) w1 %w1 w2 %w2 …; %y = onnx.node "ScatterElements"(%x, %i, %o)
    ```
  }];
}

def RaiseLookups : Raise_Pass<"moe-raise-lookups"> {
  let summary = "turns weighted sums of rows of a table into moe.combine";
  let description = [{
    Recognises rows of a constant table that are gathered by ids that a `TopK` chose, and their sum over the slots of a
    token with a gate each: product-key memories and the outputs of experts with one neuron. What resembles this and is
    left as it is gets a remark with the reason.
    ```mlir
    %rows = onnx.node "Gather"(%table, %ids); %w = onnx.node "Mul"(%rows, %gates); %y = onnx.node "ReduceSum"(%w, %one)
    // becomes
    %y = moe.combine %table inverse %ids gates %gates slots 4
    ```
  }];
}

def RaiseRouters : Raise_Pass<"moe-raise-routers"> {
  let summary = "turns the scoring and selection in front of moe.experts into moe.route";
  let description = [{
    Experts and gates of a `moe.experts` that come from one selection (`TopK`, `ArgMax`, one expert after the other)
    become the results of one `moe.route` on the logits, also in front of a `moe.limit_capacity`. A router that is not
    understood stays as plain nodes and gets a remark.
    ```mlir
    %p = onnx.node "Softmax"(%l); %v, %i = onnx.node "TopK"(%p, %k); %y = moe.experts %x routed(%i, %v) …
    // becomes
    %e, %g = moe.route %l router(<score = softmax, over = all, k = 2>); %y = moe.experts %x routed(%e, %g) …
    ```
  }];
}

def RaiseNorms : Raise_Pass<"moe-raise-norms"> {
  let summary = "turns spelt-out normalisation into nn.rms_norm and nn.layer_norm";
  let description = [{
    The RMS and layer norm that exporters write as Mul or Pow, ReduceMean, Add, Sqrt and Div or Mul. A mean of squares
    that does not become part of a norm gets a remark. Norms that are one node already are left to the lowering.
    ```mlir
    %s = onnx.node "Mul"(%x, %x); %m = onnx.node "ReduceMean"(%s); … %y = onnx.node "Mul"(%unit, %w)
    // becomes
    %y = nn.rms_norm %x weight %w eps 1.0e-6
    ```
  }];
}

def RaiseRotary : Raise_Pass<"moe-raise-rotary"> {
  let summary = "turns a spelt-out rotary position embedding into nn.rotary";
  let description = [{
    The form that rotates halves, over the last axis of `[B, N, S, D]`. Cosine and sine whose halves cannot be proven
    equal leave a remark.
    ```mlir
    %c = onnx.node "Mul"(%x, %cos); %s = onnx.node "Mul"(%rotated, %sin); %y = onnx.node "Add"(%c, %s)
    // becomes
    %y = nn.rotary %x, %cos, %sin interleaved false
    ```
  }];
}

def RaiseAttention : Raise_Pass<"moe-raise-attention"> {
  let summary = "turns spelt-out attention into nn.attention with grouped heads";
  let description = [{
    Two products around a softmax, with scale and an additive mask; keys and values that are repeated per query head
    become the key heads of the op. What resembles this and is left as it is gets a remark.
    ```mlir
    %s = onnx.node "MatMul"(%q, %kt); … %p = onnx.node "Softmax"(%masked); %y = onnx.node "MatMul"(%p, %v)
    // becomes
    %y = nn.attention %q, %k, %v mask %m scale 1.250000e-01
    ```
  }];
}

def FindState : Pass<"moe-find-state", "::mlir::ModuleOp"> {
  let summary = "note which outputs of a step are inputs of the next";
  let description = [{
    An output that appends to an input along a dynamic axis, `Concat(input, new)` or the caches of an attention operator,
    becomes an entry {input, output, axis} of `moe.states` of the module; an output present… of the type and symbols of
    an input past…, which each step replaces, one without axis. An input carries one state at most. The graph does not
    change.
  }];
}

#endif
