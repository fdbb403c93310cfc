// RUN: moe-opt %s --moe-convert-onnx-to-linalg --split-input-file | FileCheck %s

// One scale for each index of axis 0; the result saturates as u8.
// CHECK-LABEL: func.func @quantized
// CHECK: arith.divf
// CHECK: arith.uitofp {{.*}} : i8 to f32
// CHECK: math.roundeven
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

// -----

// The quotient is rounded to the type of the scale, the sum to the 4 bits of the result.
// CHECK-LABEL: func.func @narrow
// CHECK: arith.divf
// CHECK: arith.truncf {{.*}} : f32 to f16
// CHECK: math.roundeven
// CHECK: arith.constant 7.000000e+00 : f32
// CHECK: arith.fptosi {{.*}} : f32 to i8
func.func @narrow(%x: tensor<?xf16>, %s: tensor<1xf16>, %z: tensor<1xi4>) -> tensor<?xi4> {
  %0 = onnx.node "QuantizeLinear"(%x, %s, %z) {version = 21 : i64} : (tensor<?xf16>, tensor<1xf16>, tensor<1xi4>) -> tensor<?xi4>
  return %0 : tensor<?xi4>
}

// -----

// CHECK-LABEL: func.func @floats(%arg0: tensor<2x0xi8>
// CHECK: arith.bitcast
// CHECK: arith.mulf
// CHECK: -> tensor<2x0xf32>
func.func @floats(%x: tensor<2x0xf8E4M3FN>, %s: tensor<f32>) -> tensor<2x0xf32> {
  %0 = onnx.node "DequantizeLinear"(%x, %s) {version = 19 : i64} : (tensor<2x0xf8E4M3FN>, tensor<f32>) -> tensor<2x0xf32>
  return %0 : tensor<2x0xf32>
}

// -----

// Rows of a table of which bytes hold two values, and so do those of its zero points; others are 0.
// CHECK-LABEL: func.func @rows
// CHECK: %[[GIVEN:.*]] = tensor.extract %arg1[%{{.*}}] : tensor<?xi64>
// CHECK: arith.divui
// CHECK: tensor.extract %arg3
// CHECK: tensor.extract %arg0
// CHECK: arith.shrui
// CHECK: -> tensor<?x32xf16>
func.func @rows(%d: tensor<9x16xui8>, %i: tensor<?xi64>, %s: tensor<9x2xf16>, %z: tensor<9x1xui8>) -> tensor<?x32xf16> {
  %0 = onnx.node "GatherBlockQuantized"(%d, %i, %s, %z) {domain = "com.microsoft", version = 1 : i64, attrs = {block_size = 16 : i64}}
    : (tensor<9x16xui8>, tensor<?xi64>, tensor<9x2xf16>, tensor<9x1xui8>) -> tensor<?x32xf16>
  return %0 : tensor<?x32xf16>
}

// -----

// The product of a gated sum is rounded before it is added.
// CHECK-LABEL: func.func @gated
// CHECK: arith.mulf
// CHECK: arith.truncf {{.*}} : f32 to f16
// CHECK: arith.addf
func.func @gated(%x: tensor<?x4xf16>, %y: tensor<?x4xf16>, %g: tensor<?x1xf16>) -> tensor<?x4xf16> {
  %0 = onnx.node "GatedAdd"(%x, %y, %g) {domain = "com.microsoft", version = 1 : i64}
    : (tensor<?x4xf16>, tensor<?x4xf16>, tensor<?x1xf16>) -> tensor<?x4xf16>
  return %0 : tensor<?x4xf16>
}
