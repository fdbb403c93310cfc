// RUN: moe-opt %s --moe-convert-onnx-to-linalg --split-input-file | FileCheck %s

// One scale for each index of axis 0; the result saturates as u8.
// CHECK-LABEL: func.func @quantized
// CHECK: arith.divf
// CHECK: math.roundeven
// CHECK: arith.uitofp {{.*}} : i8 to f32
// CHECK: arith.fptoui {{.*}} : f32 to i8
func.func @quantized(%x: tensor<2x?xf32>, %s: tensor<2xf32>, %z: tensor<2xui8>) -> tensor<2x?xui8> {
  %0 = onnx.node "QuantizeLinear"(%x, %s, %z) {version = 19 : i64, attrs = {axis = 0 : i64}} : (tensor<2x?xf32>, tensor<2xf32>, tensor<2xui8>) -> tensor<2x?xui8>
  return %0 : tensor<2x?xui8>
}

// -----

// One scale for each block of two along axis 1.
// CHECK-LABEL: func.func @blocks
// CHECK: tensor.extract %arg1
// CHECK: arith.sitofp {{.*}} : i64 to f32
// CHECK: arith.mulf
func.func @blocks(%x: tensor<3x4xi8>, %s: tensor<3x2xf32>) -> tensor<3x4xf32> {
  %0 = onnx.node "DequantizeLinear"(%x, %s) {version = 21 : i64, attrs = {axis = 1 : i64, block_size = 2 : i64}} : (tensor<3x4xi8>, tensor<3x2xf32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}
