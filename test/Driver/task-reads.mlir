// RUN: moec %s -o %t.moe --cpu=x86-64-v3
// RUN: moe-dump %t.moe --json | FileCheck %s
// RUN: moec %s -o %t.plain.moe --cpu=x86-64-v3 --disable=moe-encode-weights
// RUN: moe-dump %t.plain.moe --json | FileCheck %s --check-prefix=PLAIN
// REQUIRES: moec, moe-dump
// What tasks of grouped products read: column blocks of the weight [3, 320, 16] and of the bias [3, 320].

// Panels hold gate and linear columns in turn: 8 panels of 16 columns x 16 terms x 4 bytes are a block.
// CHECK: "name":"moe_grouped_matmul",{{.*}}"reads":[{"buffer":1,"experts":3,"blocks":3,"offsets":2,"rows_per_slot":168,
// CHECK-SAME: "expert_bytes":20480,"block_bytes":8192,"first":0,"end":20480},
// CHECK-SAME: {"buffer":4,"experts":3,"blocks":3,"offsets":2,"rows_per_slot":168,
// CHECK-SAME: "expert_bytes":1280,"block_bytes":512,"first":0,"end":1280}]

// Concatenated columns are two ranges, each of half the bytes.
// PLAIN: "name":"moe_grouped_matmul",{{.*}}"reads":[
// PLAIN-SAME: {"buffer":1,{{.*}}"expert_bytes":20480,"block_bytes":4096,"first":0,"end":10240},
// PLAIN-SAME: {"buffer":1,{{.*}}"expert_bytes":20480,"block_bytes":4096,"first":10240,"end":20480},
// PLAIN-SAME: {"buffer":4,{{.*}}"expert_bytes":1280,"block_bytes":256,"first":0,"end":640},
// PLAIN-SAME: {"buffer":4,{{.*}}"expert_bytes":1280,"block_bytes":256,"first":640,"end":1280}]

moe.weight @up : tensor<3x320x16xf32> source(#moe.random<1, 0.5>)
moe.weight @bias : tensor<3x320xf32> source(#moe.random<2, 0.5>)
moe.weight @down : tensor<3x16x160xf32> source(#moe.random<3, 0.5>)
func.func @main(%x: tensor<?x16xf32> {onnx.name = "x", onnx.elem_type = 1 : i32, onnx.dims = ["tokens", ""]},
                %l: tensor<?x3xf32> {onnx.name = "logits", onnx.elem_type = 1 : i32, onnx.dims = ["tokens", ""]})
    -> (tensor<?x16xf32> {onnx.name = "y", onnx.elem_type = 1 : i32, onnx.dims = ["tokens", ""]}) {
  %up = moe.load_weight @up : tensor<3x320x16xf32>
  %bias = moe.load_weight @bias : tensor<3x320xf32>
  %down = moe.load_weight @down : tensor<3x16x160xf32>
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 2>)
      : tensor<?x3xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %y = moe.experts %x routed(%e, %g) w1 %up w2 %down b1 %bias activation(<kind = swiglu, layout = concatenated>)
      : (tensor<?x16xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<3x320x16xf32>, tensor<3x16x160xf32>,
         tensor<3x320xf32>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
