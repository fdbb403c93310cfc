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
    Afterwards no `MoE` or `QMoE` node is left. Precondition: weights, scales and zero points are constant. An attribute, input
    or shape without a known meaning is an error that names node, attribute, expected and found.
    ```mlir
    %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {attrs = {k = 2 : i64, activation_type = "silu"}, domain = "com.microsoft", …}
    // becomes
    %e, %g = moe.route %p router(<score = softmax, over = all, k = 2>)
    %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<kind = silu>)
    ```
  }];
}

def FindState : Pass<"moe-find-state", "::mlir::ModuleOp"> {
  let summary = "note which outputs of a step are inputs of the next";
  let description = [{
    An output that is `Concat(input, new)` along a dynamic axis, each input at most once, becomes an entry {input, output,
    axis} of `moe.states` of the module. The graph does not change.
  }];
}

#endif
