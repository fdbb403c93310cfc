// RUN: moe-opt %s --split-input-file --moe-raise-chosen-tokens 2>&1 | FileCheck %s

// Three tokens of each sequence pass the expert, in the order they have there.
// CHECK-LABEL: func.func @depths
// CHECK: %[[X:.*]] = onnx.node "GatherElements"(%arg0
// CHECK: %[[ROWS:.*]] = onnx.node "Reshape"(%[[X]],
// CHECK: %[[Y:.*]] = moe.experts %[[ROWS]] routed({{.*}}{form = "chosen", label = "Mul"}
// CHECK: %[[O:.*]] = onnx.node "Reshape"(%[[Y]],
// CHECK: onnx.node "ScatterElements"(%arg0, %{{.*}}, %[[O]])
moe.weight @a : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @depths(%x: tensor<?x?x4xf32> {onnx.dims = ["b", "s", ""]}, %l: tensor<?x?xf32> {onnx.dims = ["b", "s"]}) -> tensor<?x?x4xf32> {
  %a = moe.load_weight @a : tensor<4x8xf32>
  %b = moe.load_weight @b : tensor<8x4xf32>
  %c0 = onnx.constant dense<3> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %c2 = onnx.constant dense<[1, 1, 4]> : tensor<3xi64> : tensor<3xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x?xf32>, tensor<1xi64>) -> (tensor<?x3xf32>, tensor<?x3xi64>)
  %v2, %v3 = onnx.node "TopK"(%v1, %c0) {version = 11 : i64, attrs = {largest = 0 : i64}} : (tensor<?x3xi64>, tensor<1xi64>) -> (tensor<?x3xi64>, tensor<?x3xi64>)
  %v4 = onnx.node "GatherElements"(%v0, %v3) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x3xf32>, tensor<?x3xi64>) -> tensor<?x3xf32>
  %v5 = onnx.node "Unsqueeze"(%v2, %c1) {version = 13 : i64} : (tensor<?x3xi64>, tensor<1xi64>) -> tensor<?x3x1xi64>
  %v6 = onnx.node "Expand"(%v5, %c2) {version = 13 : i64} : (tensor<?x3x1xi64>, tensor<3xi64>) -> tensor<?x3x4xi64>
  %v7 = onnx.node "GatherElements"(%x, %v6) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x?x4xf32>, tensor<?x3x4xi64>) -> tensor<?x3x4xf32>
  %v8 = onnx.node "MatMul"(%v7, %a) {version = 13 : i64} : (tensor<?x3x4xf32>, tensor<4x8xf32>) -> tensor<?x3x8xf32>
  %v9 = onnx.node "Relu"(%v8) {version = 14 : i64} : (tensor<?x3x8xf32>) -> tensor<?x3x8xf32>
  %v10 = onnx.node "MatMul"(%v9, %b) {version = 13 : i64} : (tensor<?x3x8xf32>, tensor<8x4xf32>) -> tensor<?x3x4xf32>
  %v11 = onnx.node "Sigmoid"(%v4) {version = 13 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %v12 = onnx.node "Unsqueeze"(%v11, %c1) {version = 13 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> tensor<?x3x1xf32>
  %v13 = onnx.node "Mul"(%v10, %v12) {version = 14 : i64} : (tensor<?x3x4xf32>, tensor<?x3x1xf32>) -> tensor<?x3x4xf32>
  %v14 = onnx.node "ScatterElements"(%x, %v6, %v13) {version = 18 : i64, attrs = {axis = 1 : i64, reduction = "add"}} : (tensor<?x?x4xf32>, tensor<?x3x4xi64>, tensor<?x3x4xf32>) -> tensor<?x?x4xf32>
  return %v14 : tensor<?x?x4xf32>
}
