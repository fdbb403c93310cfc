// RUN: moe-opt %s --moe-convert-onnx-to-linalg --split-input-file | FileCheck %s

// One group: what the windows see, a row for each place, times the weight as a matrix.
// CHECK-LABEL: func.func @conv
// CHECK: tensor.extract %arg0
// CHECK: tensor.collapse_shape {{.*}} : tensor<1x2x2x3x4x4xf32> into
// CHECK: linalg.generic {{.*}}ins({{.*}} : tensor<1x2x2x48xf32>, tensor<16x48xf32>) outs({{.*}} : tensor<1x2x2x16xf32>)
// CHECK: linalg.transpose {{.*}} permutation = [0, 3, 1, 2]
func.func @conv(%x: tensor<1x3x8x8xf32>, %w: tensor<16x3x4x4xf32>) -> tensor<1x16x2x2xf32> {
  %0 = onnx.node "Conv"(%x, %w) {version = 11 : i64, attrs = {strides = array<i64: 4, 4>}} : (tensor<1x3x8x8xf32>, tensor<16x3x4x4xf32>) -> tensor<1x16x2x2xf32>
  return %0 : tensor<1x16x2x2xf32>
}

// -----

// Groups are a dimension that both operands have.
// CHECK-LABEL: func.func @depthwise
// CHECK: linalg.generic {{.*}}ins({{.*}} : tensor<1x?x4x2xf32>, tensor<4x1x2xf32>)
func.func @depthwise(%x: tensor<1x4x?xf32>, %w: tensor<4x1x2xf32>) -> tensor<1x4x?xf32> {
  %0 = onnx.node "Conv"(%x, %w) {version = 11 : i64, attrs = {group = 4 : i64}} : (tensor<1x4x?xf32>, tensor<4x1x2xf32>) -> tensor<1x4x?xf32>
  return %0 : tensor<1x4x?xf32>
}

// -----

// Places of a transposed convolution that no element of the input reaches see 0.
// CHECK-LABEL: func.func @transposed
// CHECK: %[[X:.*]] = tensor.extract %arg0
// CHECK: arith.select %{{.*}}, %[[X]], %{{.*}} : f32
// CHECK: iterator_types = ["parallel", "parallel", "parallel", "reduction"]
func.func @transposed(%x: tensor<1x4x5xf32>, %w: tensor<4x2x3xf32>) -> tensor<1x2x11xf32> {
  %0 = onnx.node "ConvTranspose"(%x, %w) {version = 11 : i64, attrs = {strides = array<i64: 2>}} : (tensor<1x4x5xf32>, tensor<4x2x3xf32>) -> tensor<1x2x11xf32>
  return %0 : tensor<1x2x11xf32>
}

// -----

// Outside the input a maximum sees the least value.
// CHECK-LABEL: func.func @maximum
// CHECK: arith.constant 0xFF800000 : f32
// CHECK: tensor.insert_slice %arg0
// CHECK: arith.maximumf
func.func @maximum(%x: tensor<1x2x8xf32>) -> tensor<1x2x8xf32> {
  %0 = onnx.node "MaxPool"(%x) {version = 12 : i64, attrs = {kernel_shape = array<i64: 3>, pads = array<i64: 1, 1>}} : (tensor<1x2x8xf32>) -> tensor<1x2x8xf32>
  return %0 : tensor<1x2x8xf32>
}

// -----

// An average divides by the number of elements of the input that a place sees.
// CHECK-LABEL: func.func @average
// CHECK: iterator_types = ["parallel", "parallel", "parallel", "reduction"]
// CHECK: iterator_types = ["parallel", "parallel", "parallel", "reduction"]
// CHECK: arith.divf
func.func @average(%x: tensor<1x2x?xf32>) -> tensor<1x2x?xf32> {
  %0 = onnx.node "AveragePool"(%x) {version = 19 : i64, attrs = {auto_pad = "SAME_UPPER", kernel_shape = array<i64: 3>, strides = array<i64: 2>}} : (tensor<1x2x?xf32>) -> tensor<1x2x?xf32>
  return %0 : tensor<1x2x?xf32>
}
