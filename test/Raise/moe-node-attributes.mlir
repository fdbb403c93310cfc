// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-moe-nodes

moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @unknown_attribute(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{unknown attribute top_p}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, top_p = 0.5 : f32}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @shared_experts(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{attribute num_shared_experts: expected 0, found 1}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, num_shared_experts = 1 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @unknown_activation(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{attribute activation_type: expected relu, gelu, silu, swiglu or identity, found "mish"}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, activation_type = "mish"}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @unknown_fusion(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{attribute swiglu_fusion: expected 0, 1 or 2, found 3}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, swiglu_fusion = 3 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @fusion_without_swiglu(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{attribute swiglu_fusion: expected 0 without swiglu, found 1}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, swiglu_fusion = 1 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @swiglu_without_rows(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{swiglu with swiglu_fusion = 0 without fc3_experts_weights has no known meaning}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, activation_type = "swiglu"}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @alpha_of_relu(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{attribute activation_alpha: expected 1 without swiglu, found 2}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, activation_alpha = 2.0 : f32}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @beta_of_relu(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{attribute activation_beta: expected 0 without swiglu, found 1}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, activation_beta = 1.0 : f32}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @limit_of_relu(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{attribute swiglu_limit: expected none without swiglu, found 7}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, swiglu_limit = 7.0 : f32}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @no_limit(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{attribute swiglu_limit: expected a positive number, found 0}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, swiglu_limit = 0.0 : f32}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @infinite_alpha(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{attribute activation_alpha: expected a finite number}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, activation_alpha = 0x7F800000 : f32}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @nan_beta(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{attribute activation_beta: expected a finite number}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, activation_beta = 0x7FC00000 : f32}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @missing_weights(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{fc2_experts_weights is missing}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @b : tensor<8x64xf32> source(#moe.random<1, 1.0>)
func.func @bias_without_weights(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  %b = moe.load_weight @b : tensor<8x64xf32>
  // expected-error @+1 {{fc3_experts_bias without fc3_experts_weights}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2, %none, %none, %b) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>, none, none, tensor<8x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @flat_weights(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{fc1_experts_weights: expected a float tensor of rank 3, found}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<4x64x64xf32> source(#moe.random<1, 1.0>)
func.func @other_expert_count(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<4x64x64xf32>
  // expected-error @+1 {{fc2_experts_weights: expected}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<4x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @b : tensor<8x32xf32> source(#moe.random<1, 1.0>)
func.func @other_bias(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  %b = moe.load_weight @b : tensor<8x32xf32>
  // expected-error @+1 {{fc1_experts_bias: expected shape [8, 64], found}}
  %y = onnx.node "MoE"(%x, %p, %w1, %b, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x32xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @other_hidden_size(%x: tensor<?x32xf32>, %p: tensor<?x8xf32>) -> tensor<?x32xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{expected fc1_experts_weights [E, N, 32] and fc2_experts_weights [E, 32, I]}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x32xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @unknown_hidden_size(%x: tensor<?x?xf32>, %p: tensor<?x8xf32>) -> tensor<?x?xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{input: expected floats [T, H] or [B, S, H] with a known H and router_probs}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x?xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @other_logits(%x: tensor<?x64xf32>, %p: tensor<?x4xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{router_probs: expected [T, 8], found}}
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x64xf32>, tensor<?x4xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
moe.weight @w2 : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @computed_bias(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x64xf32>
  %w2 = moe.load_weight @w2 : tensor<8x64x64xf32>
  // expected-error @+1 {{fc1_experts_bias must be constant}}
  %y = onnx.node "MoE"(%x, %p, %w1, %p, %w2) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
