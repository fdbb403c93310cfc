// RUN: moe-opt %s --split-input-file --moe-raise-gathered-experts 2>&1 | FileCheck %s

// Expert 3 copies its input: the other experts are raised, the copies added.
// CHECK-LABEL: func.func @copy_expert
// CHECK: %[[C:.*]] = onnx.node "Unsqueeze"({{.*}} -> tensor<?x2x1xi1>
// CHECK: %[[Z:.*]] = onnx.node "ConstantOfShape"({{.*}} -> tensor<?x2x4xf32>
// CHECK: onnx.node "Where"(%[[C]], %{{.*}}, %[[Z]])
// CHECK: %[[SUM:.*]] = onnx.node "ReduceSum"
// CHECK: %[[M:.*]] = onnx.node "Reshape"(%[[C]], {{.*}} -> tensor<?x2xi1>
// CHECK: %[[IDS:.*]] = onnx.node "Where"(%[[M]], %{{.*}}) {{.*}} -> tensor<?x2xi32>
// CHECK: %[[Y:.*]] = moe.experts %arg0 routed(%[[IDS]], %arg2)
// CHECK: onnx.node "Add"(%[[SUM]], %[[Y]])
moe.weight @a : tensor<3x4x8xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<3x8x4xf32> source(#moe.splat<1.0>)
func.func @copy_expert(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %g: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %none = onnx.absent
  %a = moe.load_weight @a : tensor<3x4x8xf32>
  %b = moe.load_weight @b : tensor<3x8x4xf32>
  %c0 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %c2 = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %c3 = onnx.constant dense<3> : tensor<i64> : tensor<i64>
  %c4 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %c5 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c6 = onnx.constant dense<[1, 2, 1]> : tensor<3xi64> : tensor<3xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %v2 = onnx.node "Clip"(%v1, %none, %c1) {version = 13 : i64} : (tensor<?x2xi64>, none, tensor<i64>) -> tensor<?x2xi64>
  %v3 = onnx.node "Unsqueeze"(%x, %c2) {version = 13 : i64} : (tensor<?x4xf32>, tensor<2xi64>) -> tensor<?x1x1x4xf32>
  %v4 = onnx.node "Gather"(%a, %v2) {version = 13 : i64} : (tensor<3x4x8xf32>, tensor<?x2xi64>) -> tensor<?x2x4x8xf32>
  %v5 = onnx.node "MatMul"(%v3, %v4) {version = 13 : i64} : (tensor<?x1x1x4xf32>, tensor<?x2x4x8xf32>) -> tensor<?x2x1x8xf32>
  %v6 = onnx.node "Relu"(%v5) {version = 14 : i64} : (tensor<?x2x1x8xf32>) -> tensor<?x2x1x8xf32>
  %v7 = onnx.node "Gather"(%b, %v2) {version = 13 : i64} : (tensor<3x8x4xf32>, tensor<?x2xi64>) -> tensor<?x2x8x4xf32>
  %v8 = onnx.node "MatMul"(%v6, %v7) {version = 13 : i64, name = "down"} : (tensor<?x2x1x8xf32>, tensor<?x2x8x4xf32>) -> tensor<?x2x1x4xf32>
  %v9 = onnx.node "Squeeze"(%v8, %c0) {version = 13 : i64} : (tensor<?x2x1x4xf32>, tensor<1xi64>) -> tensor<?x2x4xf32>
  %v10 = onnx.node "Equal"(%v1, %c3) {version = 13 : i64} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %v11 = onnx.node "Unsqueeze"(%v10, %c4) {version = 13 : i64} : (tensor<?x2xi1>, tensor<1xi64>) -> tensor<?x2x1xi1>
  %v12 = onnx.node "Unsqueeze"(%x, %c5) {version = 13 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<?x1x4xf32>
  %v13 = onnx.node "Expand"(%v12, %c6) {version = 13 : i64} : (tensor<?x1x4xf32>, tensor<3xi64>) -> tensor<?x2x4xf32>
  %v14 = onnx.node "Where"(%v11, %v13, %v9) {version = 16 : i64, name = "copy"} : (tensor<?x2x1xi1>, tensor<?x2x4xf32>, tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %v15 = onnx.node "Unsqueeze"(%g, %c4) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %v16 = onnx.node "Mul"(%v14, %v15) {version = 14 : i64} : (tensor<?x2x4xf32>, tensor<?x2x1xf32>) -> tensor<?x2x4xf32>
  %v17 = onnx.node "ReduceSum"(%v16, %c5) {version = 13 : i64, attrs = {keepdims = 0 : i64}} : (tensor<?x2x4xf32>, tensor<1xi64>) -> tensor<?x4xf32>
  return %v17 : tensor<?x4xf32>
}
