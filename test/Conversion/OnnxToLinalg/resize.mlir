// RUN: moe-opt %s --moe-convert-onnx-to-linalg --split-input-file | FileCheck %s

// Sizes are extents; each axis is one interpolation, an axis that keeps its extent too.
// CHECK-LABEL: func.func @linear
// CHECK: tensor.extract %arg0[%{{.*}}, %{{.*}}] : tensor<4x4xf32>
// CHECK: math.floor
// CHECK: linalg.yield %{{.*}} : f32
// CHECK: -> tensor<8x8xf32>
func.func @linear(%x: tensor<4x4xf32>) -> tensor<8x8xf32> {
  %none = onnx.absent
  %sizes = onnx.constant dense<8> : tensor<2xi64> : tensor<2xi64>
  %0 = onnx.node "Resize"(%x, %none, %none, %sizes) {version = 19 : i64, attrs = {mode = "linear"}} : (tensor<4x4xf32>, none, none, tensor<2xi64>) -> tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}

// -----

// A scale is read by a kernel, which computes the extent; the host reads that.
// CHECK-LABEL: func.func @scaled
// CHECK: arith.fptosi
// CHECK: tensor.extract %{{.*}}[] : tensor<i64>
// CHECK: step.check {{.*}}"{{.*}}a scale is negative"
func.func @scaled(%x: tensor<4xf32>, %scales: tensor<1xf32>) -> tensor<?xf32> {
  %none = onnx.absent
  %0 = onnx.node "Resize"(%x, %none, %scales) {version = 19 : i64} : (tensor<4xf32>, none, tensor<1xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// Antialiased: a product with weights, as many as the scale says, over the input surrounded by its edges.
// CHECK-LABEL: func.func @antialiased
// CHECK: -> tensor<2x29xf32>
// CHECK: -> tensor<3x29xf32>
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]
// CHECK: arith.divf
func.func @antialiased(%x: tensor<3x5xf32>) -> tensor<3x2xf32> {
  %none = onnx.absent
  %sizes = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %0 = onnx.node "Resize"(%x, %none, %none, %sizes) {version = 19 : i64, attrs = {mode = "linear", antialias = 1 : i64, axes = array<i64: 1>}} : (tensor<3x5xf32>, none, none, tensor<1xi64>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}
