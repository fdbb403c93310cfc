// RUN: moe-opt %s --moe-convert-onnx-to-linalg | FileCheck %s

// -1 takes the factors the other extents leave.
// CHECK-LABEL: func.func @inferred
// CHECK: %[[B:.*]] = tensor.dim %arg0, %c0
// CHECK: tensor.expand_shape {{.*}} output_shape [%[[B]], 2, 4]
func.func @inferred(%x: tensor<?x8xf32>) -> tensor<?x?x4xf32> {
  %s = onnx.constant dense<[0, -1, 4]> : tensor<3xi64> : tensor<3xi64>
  %0 = onnx.node "Reshape"(%x, %s) {version = 14 : i64} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x?x4xf32>
  return %0 : tensor<?x?x4xf32>
}

// What cannot be proven is checked: the count, and the extent the importer promised.
// CHECK-LABEL: func.func @checked
// CHECK: arith.divsi
// CHECK: step.check {{.*}}"Reshape-14 at node \22/r\22: number of elements: extents differ"
// CHECK: tensor.collapse_shape %arg0 {{\[\[}}0, 1]] : tensor<?x?xf32> into tensor<?xf32>
// CHECK: tensor.expand_shape
// CHECK: step.check {{.*}}"Reshape-14 at node \22/r\22: result 0 at dimension 1: extents differ"
// CHECK: tensor.cast {{.*}} : tensor<?x?xf32> to tensor<?x6xf32>
func.func @checked(%x: tensor<?x?xf32>, %y: tensor<?xf32>) -> tensor<?x6xf32> {
  %minus = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %n = onnx.node "Shape"(%y) {version = 15 : i64} : (tensor<?xf32>) -> tensor<1xi64>
  %s = onnx.node "Concat"(%n, %minus) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
  %0 = onnx.node "Reshape"(%x, %s) {version = 14 : i64, name = "/r"} : (tensor<?x?xf32>, tensor<2xi64>) -> tensor<?x6xf32>
  return %0 : tensor<?x6xf32>
}

// CHECK-LABEL: func.func @scalar
// CHECK: tensor.collapse_shape %arg0 [] : tensor<1xf32> into tensor<f32>
// CHECK: tensor.expand_shape %{{.*}} [] output_shape [1] : tensor<f32> into tensor<1xf32>
func.func @scalar(%x: tensor<1xf32>) -> (tensor<f32>, tensor<1xf32>) {
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %0 = onnx.node "Squeeze"(%x, %axis) {version = 13 : i64} : (tensor<1xf32>, tensor<1xi64>) -> tensor<f32>
  %r = onnx.node "Relu"(%0) {version = 14 : i64} : (tensor<f32>) -> tensor<f32>
  %1 = onnx.node "Unsqueeze"(%r, %axis) {version = 13 : i64} : (tensor<f32>, tensor<1xi64>) -> tensor<1xf32>
  return %0, %1 : tensor<f32>, tensor<1xf32>
}

// A squeezed dimension must be 1.
// CHECK-LABEL: func.func @squeeze
// CHECK: step.check {{.*}}"Squeeze-13 at node \22\22: squeezed dimension 0: extents differ"
func.func @squeeze(%x: tensor<?x4xf32>) -> tensor<4xf32> {
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %0 = onnx.node "Squeeze"(%x, %axis) {version = 13 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @flatten
// CHECK: %[[OUTER:.*]] = arith.muli
// CHECK: output_shape [%[[OUTER]], 8]
func.func @flatten(%x: tensor<?x?x8xf32>) -> tensor<?x8xf32> {
  %0 = onnx.node "Flatten"(%x) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// Without axes those of extent 1 go; open ones must not be 1.
// CHECK-LABEL: func.func @squeeze_open
// CHECK: step.check {{.*}}without axes, dimension 0 may not be 1
// CHECK: tensor.collapse_shape {{.*}} : tensor<?x1x3xf32> into tensor<?x3xf32>
func.func @squeeze_open(%x: tensor<?x1x3xf32>) -> tensor<?x3xf32> {
  %0 = onnx.node "Squeeze"(%x) {version = 13 : i64} : (tensor<?x1x3xf32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}
