// RUN: moe-opt %s --moe-convert-onnx-to-linalg | FileCheck %s

moe.weight @q : tensor<32x2x16xui8> source(#moe.splat<1.0>)
moe.weight @s : tensor<32x2xf32> source(#moe.splat<1.0>)

// The last block is cut to K; the weight expression is evaluated when the file is written.
// CHECK: moe.weight @q : tensor<32x2x16xi8>
// CHECK-LABEL: func.func @quantised
// CHECK: %[[W:.*]] = moe.dequantize %{{.*}} scales %{{.*}} bits 4 block 32 : (tensor<32x32xi8>, tensor<32x2xf32>) -> tensor<32x64xf32>
// CHECK: %[[CUT:.*]] = tensor.extract_slice %[[W]][0, 0] [32, 48] [1, 1]
// CHECK: linalg.generic {{.*}} ins(%arg0, %[[CUT]] : tensor<?x48xf32>, tensor<32x48xf32>)
func.func @quantised(%x: tensor<?x48xf32>) -> tensor<?x32xf32> {
  %q = moe.load_weight @q : tensor<32x2x16xui8>
  %s = moe.load_weight @s : tensor<32x2xf32>
  %0 = onnx.node "MatMulNBits"(%x, %q, %s) {domain = "com.microsoft", version = 1 : i64,
      attrs = {K = 48 : i64, N = 32 : i64, bits = 4 : i64, block_size = 32 : i64}}
    : (tensor<?x48xf32>, tensor<32x2x16xui8>, tensor<32x2xf32>) -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// CHECK-LABEL: func.func @causal_conv
// CHECK: %[[ALL:.*]] = tensor.concat dim(2) %arg2, %arg0
// CHECK-COUNT-3: tensor.extract_slice %[[ALL]]
// CHECK: tensor.extract_slice %[[ALL]][0, 0, %{{.*}}] [%{{.*}}, 8, 2]
func.func @causal_conv(%x: tensor<?x8x?xf32> {onnx.dims = ["b", "", "s"]}, %w: tensor<8x1x3xf32>, %past: tensor<?x8x2xf32> {onnx.dims = ["b", "", ""]})
    -> (tensor<?x8x?xf32>, tensor<?x8x2xf32>) {
  %none = onnx.absent
  %0:2 = onnx.node "CausalConvWithState"(%x, %w, %none, %past) {domain = "com.microsoft", version = 1 : i64, attrs = {activation = "silu"}}
    : (tensor<?x8x?xf32>, tensor<8x1x3xf32>, none, tensor<?x8x2xf32>) -> (tensor<?x8x?xf32>, tensor<?x8x2xf32>)
  return %0#0, %0#1 : tensor<?x8x?xf32>, tensor<?x8x2xf32>
}
