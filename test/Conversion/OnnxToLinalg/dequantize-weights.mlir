// RUN: moe-opt %s --moe-convert-onnx-to-linalg --split-input-file | FileCheck %s

// What the model holds is dequantised when the file is written; products find it with their outputs first.

moe.weight @q : tensor<64x24xi4> source(#moe.splat<1.0>)
moe.weight @s : tensor<2x24xf32> source(#moe.splat<1.0>)

// Blocks of 32 along the summed axis. Signed values are offset to the default zero point.
// CHECK-LABEL: func.func @blocks
// CHECK-DAG: %[[V:.*]] = moe.unpack_values %{{.*}} bits 4 signed : (tensor<768xi8>) -> tensor<1536xi8>
// CHECK-DAG: %[[T:.*]] = linalg.transpose ins(%{{.*}} : tensor<64x24xi8>)
// CHECK-DAG: %[[O:.*]] = moe.offset_values %{{.*}} bits 4 : tensor<24x64xi8>
// CHECK-DAG: %[[S:.*]] = linalg.transpose ins(%{{.*}} : tensor<2x24xf32>)
// CHECK: moe.dequantize %[[O]] scales %{{.*}} bits 4 block 32 : (tensor<24x64xi8>, tensor<24x2xf32>) -> tensor<24x64xf32>
// CHECK: linalg.transpose {{.*}} permutation = [1, 0]
func.func @blocks() -> tensor<64x24xf32> {
  %q = moe.load_weight @q : tensor<64x24xi4>
  %s = moe.load_weight @s : tensor<2x24xf32>
  %0 = onnx.node "DequantizeLinear"(%q, %s) {version = 21 : i64, attrs = {axis = 0 : i64, block_size = 32 : i64}}
    : (tensor<64x24xi4>, tensor<2x24xf32>) -> tensor<64x24xf32>
  return %0 : tensor<64x24xf32>
}

// -----

moe.weight @q : tensor<6x2x2xui8> source(#moe.splat<1.0>)
moe.weight @s : tensor<6xf16> source(#moe.splat<1.0>)

// One scale for each filter; without zero points those of unsigned values are 0.
// CHECK-LABEL: func.func @filters
// CHECK-DAG: arith.constant dense<0> : tensor<6xi8>
// CHECK: moe.dequantize %{{.*}} zero_points %{{.*}} bits 8 block 0 : (tensor<6x4xi8>, tensor<6xf16>, tensor<6xi8>) -> tensor<6x4xf16>
// CHECK: into tensor<6x2x2xf16>
func.func @filters() -> tensor<6x2x2xf16> {
  %q = moe.load_weight @q : tensor<6x2x2xui8>
  %s = moe.load_weight @s : tensor<6xf16>
  %0 = onnx.node "DequantizeLinear"(%q, %s) {version = 21 : i64, attrs = {axis = 0 : i64}}
    : (tensor<6x2x2xui8>, tensor<6xf16>) -> tensor<6x2x2xf16>
  return %0 : tensor<6x2x2xf16>
}

// -----

moe.weight @q : tensor<8x4xi8> source(#moe.splat<1.0>)

// One scale for all becomes one for each output.
// CHECK-LABEL: func.func @single
// CHECK-DAG: %[[S:.*]] = arith.constant dense<5.000000e-01> : tensor<4xf32>
// CHECK-DAG: %[[Z:.*]] = moe.offset_values %{{.*}} bits 8 : tensor<4xi8>
// CHECK: moe.dequantize %{{.*}} scales %[[S]] zero_points %[[Z]] bits 8 block 0
func.func @single() -> tensor<8x4xf32> {
  %q = moe.load_weight @q : tensor<8x4xi8>
  %s = onnx.constant dense<0.5> : tensor<f32> : tensor<f32>
  %z = onnx.constant dense<3> : tensor<i8> : tensor<i8>
  %0 = onnx.node "DequantizeLinear"(%q, %s, %z) {version = 21 : i64} : (tensor<8x4xi8>, tensor<f32>, tensor<i8>) -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// -----

// What a run brings is dequantised by a kernel.
// CHECK-LABEL: func.func @input
// CHECK-NOT: moe.dequantize
// CHECK: arith.mulf
func.func @input(%q: tensor<?x4xi8>, %s: tensor<4xf32>) -> tensor<?x4xf32> {
  %0 = onnx.node "DequantizeLinear"(%q, %s) {version = 21 : i64} : (tensor<?x4xi8>, tensor<4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
