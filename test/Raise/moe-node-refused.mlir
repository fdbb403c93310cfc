// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-moe-nodes

moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
func.func @sparse_mixer(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  // expected-error @+1 {{node 'mixer' (MoE): attribute use_sparse_mixer: expected 0, found 1}}
  %y = onnx.node "MoE"(%x, %p, %w, %none, %w) {domain = "com.microsoft", version = 1 : i64, name = "mixer",
      attrs = {k = 2 : i64, use_sparse_mixer = 1 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
func.func @relu_fc3(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  // expected-error @+1 {{fc3_experts_weights with activation_type "relu" has no known meaning}}
  %y = onnx.node "MoE"(%x, %p, %w, %none, %w, %none, %w) {domain = "com.microsoft", version = 1 : i64, attrs = {}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>)
    -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
func.func @too_many_selected(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  // expected-error @+1 {{attribute k: expected a number from 1 to 8, found 9}}
  %y = onnx.node "MoE"(%x, %p, %w, %none, %w) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 9 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
func.func @computed_weights(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>, %w: tensor<8x64x64xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  // expected-error @+1 {{fc1_experts_weights must be constant}}
  %y = onnx.node "MoE"(%x, %p, %w, %none, %w) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, none, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @q : tensor<8x128x32xui8> source(#moe.random<1, 1.0>)
moe.weight @s : tensor<8x128xf32> source(#moe.splat<1.0>)
func.func @prepacked(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w = moe.load_weight @q : tensor<8x128x32xui8>
  %s = moe.load_weight @s : tensor<8x128xf32>
  // expected-error @+1 {{(prepacked weights are not supported)}}
  %y = onnx.node "QMoE"(%x, %p, %w, %s, %none, %w, %s) {domain = "com.microsoft", version = 1 : i64, attrs = {k = 2 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x128x32xui8>, tensor<8x128xf32>, none, tensor<8x128x32xui8>,
       tensor<8x128xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @q : tensor<8x64x32xui8> source(#moe.random<1, 1.0>)
moe.weight @s : tensor<8x64xf32> source(#moe.splat<1.0>)
func.func @nvfp4(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w = moe.load_weight @q : tensor<8x64x32xui8>
  %s = moe.load_weight @s : tensor<8x64xf32>
  // expected-error @+1 {{attribute quant_type: expected "int", found "nvfp4"}}
  %y = onnx.node "QMoE"(%x, %p, %w, %s, %none, %w, %s) {domain = "com.microsoft", version = 1 : i64,
      attrs = {k = 2 : i64, quant_type = "nvfp4"}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x32xui8>, tensor<8x64xf32>, none, tensor<8x64x32xui8>,
       tensor<8x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
