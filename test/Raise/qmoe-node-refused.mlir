// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-moe-nodes

moe.weight @w1 : tensor<8x64x32xui8> source(#moe.random<1, 1.0>)
moe.weight @s1 : tensor<8x64xf32> source(#moe.random<1, 1.0>)
func.func @prepacked_attribute(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x32xui8>
  %s1 = moe.load_weight @s1 : tensor<8x64xf32>
  // expected-error @+1 {{attribute weights_prepacked: expected 0 (raw weights), found 1}}
  %y = onnx.node "QMoE"(%x, %p, %w1, %s1, %none, %w1, %s1) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, weights_prepacked = 1 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x32xui8>, tensor<8x64xf32>, none, tensor<8x64x32xui8>, tensor<8x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x32xui8> source(#moe.random<1, 1.0>)
moe.weight @s1 : tensor<8x64xf32> source(#moe.random<1, 1.0>)
func.func @three_bits(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x32xui8>
  %s1 = moe.load_weight @s1 : tensor<8x64xf32>
  // expected-error @+1 {{attribute expert_weight_bits: expected 2, 4 or 8, found 3}}
  %y = onnx.node "QMoE"(%x, %p, %w1, %s1, %none, %w1, %s1) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, expert_weight_bits = 3 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x32xui8>, tensor<8x64xf32>, none, tensor<8x64x32xui8>, tensor<8x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x32xui8> source(#moe.random<1, 1.0>)
moe.weight @s1 : tensor<8x64xf32> source(#moe.random<1, 1.0>)
func.func @global_scale(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x32xui8>
  %s1 = moe.load_weight @s1 : tensor<8x64xf32>
  // expected-error @+1 {{input 15 has no known meaning for integer weights}}
  %y = onnx.node "QMoE"(%x, %p, %w1, %s1, %none, %w1, %s1, %none, %none, %none, %none, %none, %none, %none, %none, %s1) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x32xui8>, tensor<8x64xf32>, none, tensor<8x64x32xui8>, tensor<8x64xf32>, none, none, none, none, none, none, none, none, tensor<8x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x32xui8> source(#moe.random<1, 1.0>)
moe.weight @s1 : tensor<8x64xf32> source(#moe.random<1, 1.0>)
func.func @no_scales(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x32xui8>
  %s1 = moe.load_weight @s1 : tensor<8x64xf32>
  // expected-error @+1 {{fc1_experts_weights, scales and zero points must be given and constant}}
  %y = onnx.node "QMoE"(%x, %p, %w1, %none, %none, %w1, %s1) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x32xui8>, none, none, tensor<8x64x32xui8>, tensor<8x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x32xui8> source(#moe.random<1, 1.0>)
moe.weight @s1 : tensor<8x64xf32> source(#moe.random<1, 1.0>)
moe.weight @f : tensor<8x64x64xf32> source(#moe.random<1, 1.0>)
func.func @float_weights(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x32xui8>
  %s1 = moe.load_weight @s1 : tensor<8x64xf32>
  %f = moe.load_weight @f : tensor<8x64x64xf32>
  // expected-error @+1 {{fc1_experts_weights: expected a tensor of rank 3 of uint8, found}}
  %y = onnx.node "QMoE"(%x, %p, %f, %s1, %none, %w1, %s1) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64xf32>, none, tensor<8x64x32xui8>, tensor<8x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x32xui8> source(#moe.random<1, 1.0>)
moe.weight @s1 : tensor<8x64xf32> source(#moe.random<1, 1.0>)
func.func @scales_of_other_blocks(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x32xui8>
  %s1 = moe.load_weight @s1 : tensor<8x64xf32>
  // expected-error @+1 {{fc1_scales: expected floats of shape}}
  %y = onnx.node "QMoE"(%x, %p, %w1, %s1, %none, %w1, %s1) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64, block_size = 32 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x32xui8>, tensor<8x64xf32>, none, tensor<8x64x32xui8>, tensor<8x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w1 : tensor<8x64x32xui8> source(#moe.random<1, 1.0>)
moe.weight @s1 : tensor<8x64xf32> source(#moe.random<1, 1.0>)
moe.weight @z : tensor<8x64xui8> source(#moe.random<1, 1.0>)
func.func @unpacked_zero_points(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @w1 : tensor<8x64x32xui8>
  %s1 = moe.load_weight @s1 : tensor<8x64xf32>
  %z = moe.load_weight @z : tensor<8x64xui8>
  // expected-error @+1 {{fc1_zero_points: expected 'tensor<8x32xui8>', found 'tensor<8x64xui8>'}}
  %y = onnx.node "QMoE"(%x, %p, %w1, %s1, %none, %w1, %s1, %none, %none, %none, %none, %z) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x32xui8>, tensor<8x64xf32>, none, tensor<8x64x32xui8>, tensor<8x64xf32>, none, none, none, none, tensor<8x64xui8>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
