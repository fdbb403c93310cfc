// RUN: moe-opt %s --moe-raise-moe-nodes | FileCheck %s

moe.weight @q1 : tensor<8x64x32xui8> source(#moe.random<1, 1.0>)
moe.weight @s1 : tensor<8x64x2xf32> source(#moe.splat<1.0>)
moe.weight @z1 : tensor<8x64x1xui8> source(#moe.random<2, 1.0>)
moe.weight @q2 : tensor<8x64x16xui8> source(#moe.random<3, 1.0>)
moe.weight @s2 : tensor<8x64x1xf32> source(#moe.splat<1.0>)

// 4 bits in blocks of 32; the softmax is over the selected experts although the flag is 0.
// CHECK-LABEL: func.func @blocks
// CHECK-DAG: moe.dequantize %{{.*}} scales %{{.*}} zero_points %{{.*}} bits 4 block 32 : {{.*}} -> tensor<8x64x64xf32>
// CHECK-DAG: moe.dequantize %{{.*}} scales %{{.*}} bits 4 block 32 : {{.*}} -> tensor<8x64x32xf32>
// CHECK: moe.route %arg1 router(<score = softmax, over = selected, k = 4>)
// CHECK: moe.experts {{.*}} activation(<kind = swiglu, layout = concatenated>) {form = "QMoE"
func.func @blocks(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @q1 : tensor<8x64x32xui8>
  %s1 = moe.load_weight @s1 : tensor<8x64x2xf32>
  %z1 = moe.load_weight @z1 : tensor<8x64x1xui8>
  %w2 = moe.load_weight @q2 : tensor<8x64x16xui8>
  %s2 = moe.load_weight @s2 : tensor<8x64x1xf32>
  %y = onnx.node "QMoE"(%x, %p, %w1, %s1, %none, %w2, %s2, %none, %none, %none, %none, %z1) {domain = "com.microsoft",
      version = 1 : i64, attrs = {k = 4 : i64, activation_type = "swiglu", swiglu_fusion = 2 : i64, block_size = 32 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x32xui8>, tensor<8x64x2xf32>, none, tensor<8x64x16xui8>,
       tensor<8x64x1xf32>, none, none, none, none, tensor<8x64x1xui8>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// With router_weights the logits only select.
// CHECK-LABEL: func.func @router_weights
// CHECK: moe.route %arg1 mix %arg2 : tensor<?x8xf32> router(<score = identity, over = all, k = 2, renormalize = sum_plus_eps>)
func.func @router_weights(%x: tensor<?x64xf32>, %p: tensor<?x8xf32>, %mix: tensor<?x8xf32>) -> tensor<?x64xf32> {
  %none = onnx.absent
  %w1 = moe.load_weight @q1 : tensor<8x64x32xui8>
  %s1 = moe.load_weight @s1 : tensor<8x64x2xf32>
  %w2 = moe.load_weight @q2 : tensor<8x64x16xui8>
  %s2 = moe.load_weight @s2 : tensor<8x64x1xf32>
  %y = onnx.node "QMoE"(%x, %p, %w1, %s1, %none, %w2, %s2, %none, %none, %none, %none, %none, %none, %none, %mix)
    {domain = "com.microsoft", version = 1 : i64,
     attrs = {k = 2 : i64, activation_type = "swiglu", swiglu_fusion = 1 : i64, block_size = 32 : i64,
              normalize_routing_weights = 1 : i64}}
    : (tensor<?x64xf32>, tensor<?x8xf32>, tensor<8x64x32xui8>, tensor<8x64x2xf32>, none, tensor<8x64x16xui8>,
       tensor<8x64x1xf32>, none, none, none, none, none, none, none, tensor<?x8xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
