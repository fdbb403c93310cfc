// RUN: moe-opt %s --moe-convert-onnx-to-linalg | FileCheck %s

// Packed heads, rotary embedding at the past's length, keys and values appended.
// Sequences of a batch begin at their own places. Where all begin behind the caches no mask is made.
// CHECK-LABEL: func.func @group_query
// CHECK: %[[P:.*]] = tensor.dim %arg1, %c2
// CHECK: step.check {{.*}}"com.microsoft.GroupQueryAttention-1 at node \22/attn\22: total_sequence_length is not that of the caches and the new positions"
// CHECK: %[[STARTS:.*]] = linalg.generic {{.*}} ins(%arg3
// CHECK: nn.count_nonzero
// CHECK: %[[UNIFORM:.*]] = arith.cmpi eq
// CHECK: nn.count_nonzero
// CHECK: step.check {{.*}}a length of seqlens_k is beyond the caches and the new positions
// CHECK: %[[COS:.*]] = nn.gather %arg4
// CHECK: %[[Q:.*]] = nn.rotary {{.*}} interleaved false {{.*}} -> tensor<?x4x?x16xf32>
// CHECK: %[[NEW:.*]] = nn.rotary {{.*}} -> tensor<?x2x?x16xf32>
// CHECK: %[[WHOLE:.*]] = tensor.concat dim(2) %arg1, %[[NEW]]
// CHECK: %[[K:.*]] = nn.kv_append %[[NEW]] to %[[WHOLE]] at %[[P]] starts
// CHECK: %[[V:.*]] = nn.kv_append
// CHECK: scf.if
// CHECK-NEXT: nn.attention %[[Q]], %[[K]], %[[V]] scale 2.5{{.*}} {causal = true, window = 4 : i64}
// CHECK: else
// CHECK: %[[MASK:.*]] = linalg.generic {{.*}} outs({{.*}} : tensor<?x1x?x?xf32>)
// CHECK: nn.attention %[[Q]], %[[K]], %[[V]] mask %[[MASK]] scale 2.5{{[^{]*}} :
func.func @group_query(%qkv: tensor<?x?x128xf32> {onnx.dims = ["b", "s", ""]}, %pk: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "p", ""]},
    %pv: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "p", ""]}, %lengths: tensor<?xi32>, %cos: tensor<256x8xf32>,
    %sin: tensor<256x8xf32>, %total: tensor<i32>) -> (tensor<?x?x64xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>) {
  %none = onnx.absent
  %0:3 = onnx.node "GroupQueryAttention"(%qkv, %none, %none, %pk, %pv, %lengths, %total, %cos, %sin) {
      domain = "com.microsoft", version = 1 : i64, name = "/attn",
      attrs = {num_heads = 4 : i64, kv_num_heads = 2 : i64, do_rotary = 1 : i64, local_window_size = 4 : i64}}
    : (tensor<?x?x128xf32>, none, none, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?xi32>, tensor<i32>,
       tensor<256x8xf32>, tensor<256x8xf32>) -> (tensor<?x?x64xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>)
  return %0#0, %0#1, %0#2 : tensor<?x?x64xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>
}

// One sequence has the length of its caches. Heads are normalised in front.
// CHECK-LABEL: func.func @one_sequence
// CHECK: nn.rms_norm {{.*}} weight %arg5 eps 9.99{{.*}}E-7
// CHECK: nn.rms_norm {{.*}} weight %arg5
// CHECK: step.check {{.*}}seqlens_k is not the length of the caches and the new positions
// CHECK-NOT: scf.if
// CHECK: nn.attention {{.*}}causal = true
func.func @one_sequence(%q: tensor<1x?x32xf32> {onnx.dims = ["", "s", ""]}, %p: tensor<1x2x?x16xf32> {onnx.dims = ["", "", "p", ""]},
    %lengths: tensor<1xi32>, %total: tensor<i32>, %w: tensor<16xf32>, %n: tensor<16xf32>) -> tensor<1x?x32xf32> {
  %none = onnx.absent
  %0 = onnx.node "GroupQueryAttention"(%q, %q, %q, %p, %p, %lengths, %total, %none, %none, %none, %none, %none, %none, %none, %n, %n) {
      domain = "com.microsoft", version = 1 : i64, attrs = {num_heads = 2 : i64, kv_num_heads = 2 : i64}}
    : (tensor<1x?x32xf32>, tensor<1x?x32xf32>, tensor<1x?x32xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1xi32>,
       tensor<i32>, none, none, none, none, none, none, none, tensor<16xf32>, tensor<16xf32>) -> tensor<1x?x32xf32>
  return %0 : tensor<1x?x32xf32>
}

// CHECK-LABEL: func.func @multi_head
// CHECK: nn.attention %{{.*}}, %{{.*}}, %{{.*}} mask %arg3 scale 5.0{{.*}} : {{.*}} -> tensor<1x2x3x4xf32>
func.func @multi_head(%q: tensor<1x3x8xf32>, %k: tensor<1x5x8xf32>, %v: tensor<1x5x8xf32>, %bias: tensor<1x1x3x5xf32>) -> tensor<1x3x8xf32> {
  %none = onnx.absent
  %0 = onnx.node "MultiHeadAttention"(%q, %k, %v, %none, %none, %bias) {domain = "com.microsoft", version = 1 : i64, attrs = {num_heads = 2 : i64}}
    : (tensor<1x3x8xf32>, tensor<1x5x8xf32>, tensor<1x5x8xf32>, none, none, tensor<1x1x3x5xf32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// CHECK-LABEL: func.func @rotary
// CHECK: %[[COS:.*]] = nn.gather %arg2[%arg1] axis 0
// CHECK: %[[SIN:.*]] = nn.gather %arg3[%arg1] axis 0
// CHECK: nn.rotary %{{.*}}, %[[COS]], %[[SIN]] interleaved true : {{.*}} -> tensor<2x2x3x8xf32>
func.func @rotary(%x: tensor<2x3x16xf32>, %p: tensor<2x3xi64>, %cos: tensor<32x4xf32>, %sin: tensor<32x4xf32>) -> tensor<2x3x16xf32> {
  %0 = onnx.node "RotaryEmbedding"(%x, %p, %cos, %sin) {domain = "com.microsoft", version = 1 : i64, attrs = {interleaved = 1 : i64, num_heads = 2 : i64}}
    : (tensor<2x3x16xf32>, tensor<2x3xi64>, tensor<32x4xf32>, tensor<32x4xf32>) -> tensor<2x3x16xf32>
  return %0 : tensor<2x3x16xf32>
}
