// RUN: moe-opt %s --moe-convert-onnx-to-linalg | FileCheck %s

// "To the end" is the extent, and a slice of everything is no op.
// CHECK-LABEL: func.func @slice
// CHECK: %[[N:.*]] = tensor.dim %arg0, %c0
// CHECK: tensor.extract_slice %arg0[0, 4] [%[[N]], 4] [1, 1]
// CHECK-NOT: tensor.extract_slice
func.func @slice(%x: tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %zero = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %one = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %four = onnx.constant dense<4> : tensor<1xi64> : tensor<1xi64>
  %end = onnx.constant dense<9223372036854775807> : tensor<1xi64> : tensor<1xi64>
  %0 = onnx.node "Slice"(%x, %four, %end, %one) {version = 13 : i64} : (tensor<?x8xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x4xf32>
  %1 = onnx.node "Slice"(%0, %zero, %end, %zero) {version = 13 : i64} : (tensor<?x4xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x4xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x4xf32>
}

// Backwards, a slice is a gather.
// CHECK-LABEL: func.func @reverse
// CHECK: %[[PLACES:.*]] = linalg.generic
// CHECK: linalg.index 0
// CHECK: nn.gather %arg0[%[[PLACES]]] axis 0
func.func @reverse(%x: tensor<5xf32>) -> tensor<5xf32> {
  %zero = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %minus = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %end = onnx.constant dense<-9223372036854775807> : tensor<1xi64> : tensor<1xi64>
  %0 = onnx.node "Slice"(%x, %minus, %end, %zero, %minus) {version = 13 : i64} : (tensor<5xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<5xf32>
  return %0 : tensor<5xf32>
}

// The last part of an uneven split is smaller.
// CHECK-LABEL: func.func @split
// CHECK: tensor.extract_slice %arg0[0] [3] [1]
// CHECK: tensor.extract_slice %arg0[3] [2] [1]
func.func @split(%x: tensor<5xf32>) -> (tensor<3xf32>, tensor<2xf32>) {
  %0:2 = onnx.node "Split"(%x) {version = 18 : i64, attrs = {num_outputs = 2 : i64}} : (tensor<5xf32>) -> (tensor<3xf32>, tensor<2xf32>)
  return %0#0, %0#1 : tensor<3xf32>, tensor<2xf32>
}

// CHECK-LABEL: func.func @tile
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<2x3x4xf32>)
// CHECK: tensor.collapse_shape {{.*}} into tensor<24xf32>
// CHECK: tensor.expand_shape {{.*}} into tensor<6x4xf32>
func.func @tile(%x: tensor<3x4xf32>) -> tensor<6x4xf32> {
  %r = onnx.constant dense<[2, 1]> : tensor<2xi64> : tensor<2xi64>
  %0 = onnx.node "Tile"(%x, %r) {version = 13 : i64} : (tensor<3x4xf32>, tensor<2xi64>) -> tensor<6x4xf32>
  return %0 : tensor<6x4xf32>
}

// CHECK-LABEL: func.func @pad
// CHECK: %[[INIT:.*]] = linalg.generic
// CHECK: tensor.insert_slice %arg0 into %[[INIT]][1] [3] [1] : tensor<3xf32> into tensor<6xf32>
func.func @pad(%x: tensor<3xf32>) -> tensor<6xf32> {
  %p = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %0 = onnx.node "Pad"(%x, %p) {version = 13 : i64} : (tensor<3xf32>, tensor<2xi64>) -> tensor<6xf32>
  return %0 : tensor<6xf32>
}

// CHECK-LABEL: func.func @concat
// CHECK: tensor.concat dim(0) %arg0, %arg1
func.func @concat(%x: tensor<?x4xf32>, %y: tensor<2x4xf32>) -> tensor<?x4xf32> {
  %0 = onnx.node "Concat"(%x, %y) {version = 13 : i64, attrs = {axis = -2 : i64}} : (tensor<?x4xf32>, tensor<2x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// A slice of nothing adds nothing.
// CHECK-LABEL: func.func @nothing
// CHECK-NEXT: return %arg0
func.func @nothing(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = onnx.constant dense<4> : tensor<1xi64> : tensor<1xi64>
  %0 = onnx.node "Slice"(%x, %a, %a) {version = 13 : i64} : (tensor<4xf32>, tensor<1xi64>, tensor<1xi64>) -> tensor<0xf32>
  %1 = onnx.node "Concat"(%x, %0) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<4xf32>, tensor<0xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
