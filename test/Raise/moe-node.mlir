// RUN: moe-opt %s --moe-raise-moe-nodes | FileCheck %s

moe.weight @fc1 : tensor<8x64x64xf32> source(#moe.splat<1.0>)
moe.weight @fc2 : tensor<8x64x32xf32> source(#moe.splat<1.0>)
moe.weight @up : tensor<8x32x64xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x64xf32> source(#moe.splat<1.0>)
moe.weight @b2 : tensor<8x64xf32> source(#moe.splat<1.0>)

// The interleaved form with all constants of gpt-oss, rank 3 around it.
// CHECK-LABEL: func.func @interleaved
// CHECK: moe.route %arg1 router(<score = softmax, over = all, k = 4, renormalize = sum_plus_eps>)
// CHECK: %[[X:.*]] = onnx.node "Reshape"(%arg0, %{{.*}})
// CHECK: %[[Y:.*]] = moe.experts %[[X]] routed(%experts, %gates) w1 %{{.*}} w2 %{{.*}} b1 %{{.*}} b2
// CHECK-SAME: activation(<kind = swiglu, layout = interleaved, alpha = 1.702{{[0-9]*}}, beta = 1.000000e+00, limit = 7.000000e+00>)
// CHECK-SAME: form = "MoE", label = "layer"
// CHECK: onnx.node "Reshape"(%[[Y]], {{.*}}) -> tensor<?x?x64xf32>
func.func @interleaved(%x: tensor<?x?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x?x64xf32> {
  %w1 = moe.load_weight @fc1 : tensor<8x64x64xf32>
  %b1 = moe.load_weight @b1 : tensor<8x64xf32>
  %w2 = moe.load_weight @fc2 : tensor<8x64x32xf32>
  %b2 = moe.load_weight @b2 : tensor<8x64xf32>
  %y = onnx.node "MoE"(%x, %p, %w1, %b1, %w2, %b2) {domain = "com.microsoft", version = 1 : i64, name = "layer",
      attrs = {k = 4 : i64, activation_type = "swiglu", swiglu_fusion = 1 : i64, normalize_routing_weights = 1 : i64,
               activation_alpha = 1.702 : f32, activation_beta = 1.0 : f32, swiglu_limit = 7.0 : f32}}
    : (tensor<?x?x64xf32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64xf32>, tensor<8x64x32xf32>, tensor<8x64xf32>)
    -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// silu with fc3 is gated; without normalisation the gates are the plain probabilities.
// CHECK-LABEL: func.func @silu_fc3
// CHECK: moe.route %arg1 router(<score = softmax, over = all, k = 2>)
// CHECK: moe.experts %arg0 {{.*}} w3 {{.*}} activation(<kind = swiglu, layout = separate>)
func.func @silu_fc3(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @up : tensor<8x32x64xf32>
  %w2 = moe.load_weight @fc2 : tensor<8x64x32xf32>
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2, %none, %w1) {domain = "com.microsoft", version = 1 : i64,
      attrs = {k = 2 : i64, activation_type = "silu"}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x32x64xf32>, none, tensor<8x64x32xf32>, none, tensor<8x32x64xf32>)
    -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Older models hold [E, in, out].
// CHECK-LABEL: func.func @legacy_order
// CHECK-COUNT-2: linalg.transpose {{.*}} permutation = [0, 2, 1]
// CHECK: moe.experts {{.*}} activation(<kind = gelu_tanh>)
func.func @legacy_order(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @fc2 : tensor<8x64x32xf32>
  %w2 = moe.load_weight @up : tensor<8x32x64xf32>
  %y = onnx.node "MoE"(%x, %p, %w1, %none, %w2) {domain = "com.microsoft", version = 1 : i64,
      attrs = {k = 2 : i64, activation_type = "gelu"}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x32xf32>, none, tensor<8x32x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
