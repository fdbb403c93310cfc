// RUN: moe-opt %s --split-input-file --moe-raise-lookups 2>&1 | FileCheck %s

// Two heads with three rows each, all summed.
// CHECK-LABEL: func.func @memory
// CHECK: %[[V:.*]]:2 = onnx.node "TopK"
// CHECK: %[[S:.*]] = onnx.node "Unsqueeze"
// CHECK: %[[F:.*]] = onnx.node "Reshape"(%[[V]]#1, {{.*}} -> tensor<?xi64>
// CHECK: %[[I:.*]] = onnx.node "Cast"(%[[F]])
// CHECK: %[[G:.*]] = onnx.node "Reshape"(%[[S]], {{.*}} -> tensor<?x6xf32>
// CHECK: moe.combine %{{.*}} inverse %[[I]] gates %[[G]] slots 6 {label = "memory"}
moe.weight @v : tensor<9x4xf32> source(#moe.splat<1.0>)
func.func @memory(%l: tensor<?x2x9xf32> {onnx.dims = ["t", "", ""]}) -> tensor<?x4xf32> {
  %v = moe.load_weight @v : tensor<9x4xf32>
  %c0 = onnx.constant dense<3> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %c2 = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x2x9xf32>, tensor<1xi64>) -> (tensor<?x2x3xf32>, tensor<?x2x3xi64>)
  %v2 = onnx.node "Gather"(%v, %v1) {version = 13 : i64} : (tensor<9x4xf32>, tensor<?x2x3xi64>) -> tensor<?x2x3x4xf32>
  %v3 = onnx.node "Softmax"(%v0) {version = 13 : i64} : (tensor<?x2x3xf32>) -> tensor<?x2x3xf32>
  %v4 = onnx.node "Unsqueeze"(%v3, %c1) {version = 13 : i64} : (tensor<?x2x3xf32>, tensor<1xi64>) -> tensor<?x2x3x1xf32>
  %v5 = onnx.node "Mul"(%v2, %v4) {version = 14 : i64} : (tensor<?x2x3x4xf32>, tensor<?x2x3x1xf32>) -> tensor<?x2x3x4xf32>
  %v6 = onnx.node "ReduceSum"(%v5, %c2) {version = 13 : i64, name = "memory", attrs = {keepdims = 0 : i64}} : (tensor<?x2x3x4xf32>, tensor<2xi64>) -> tensor<?x4xf32>
  return %v6 : tensor<?x4xf32>
}

// -----
// The outputs of experts with one neuron: a product with the gated activations.
// CHECK-LABEL: func.func @neurons
// CHECK: %[[Y:.*]] = moe.combine %{{.*}} slots 3
// CHECK: onnx.node "Reshape"(%[[Y]], {{.*}} -> tensor<?x1x4xf32>
moe.weight @v : tensor<9x4xf32> source(#moe.splat<1.0>)
func.func @neurons(%l: tensor<?x9xf32> {onnx.dims = ["t", ""]}) -> tensor<?x1x4xf32> {
  %v = moe.load_weight @v : tensor<9x4xf32>
  %c0 = onnx.constant dense<3> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x9xf32>, tensor<1xi64>) -> (tensor<?x3xf32>, tensor<?x3xi64>)
  %v2 = onnx.node "Gather"(%v, %v1) {version = 13 : i64} : (tensor<9x4xf32>, tensor<?x3xi64>) -> tensor<?x3x4xf32>
  %v3 = onnx.node "Relu"(%v0) {version = 14 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %v4 = onnx.node "Unsqueeze"(%v3, %c1) {version = 13 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> tensor<?x1x3xf32>
  %v5 = onnx.node "MatMul"(%v4, %v2) {version = 13 : i64} : (tensor<?x1x3xf32>, tensor<?x3x4xf32>) -> tensor<?x1x4xf32>
  return %v5 : tensor<?x1x4xf32>
}
