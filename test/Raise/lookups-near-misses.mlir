// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-lookups

// The features are summed, not the slots.
moe.weight @v : tensor<9x4xf32> source(#moe.splat<1.0>)
func.func @over_features(%l: tensor<?x9xf32> {onnx.dims = ["t", ""]}) -> tensor<?x3xf32> {
  %v = moe.load_weight @v : tensor<9x4xf32>
  %c0 = onnx.constant dense<3> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %c2 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x9xf32>, tensor<1xi64>) -> (tensor<?x3xf32>, tensor<?x3xi64>)
  %v2 = onnx.node "Gather"(%v, %v1) {version = 13 : i64} : (tensor<9x4xf32>, tensor<?x3xi64>) -> tensor<?x3x4xf32>
  %v3 = onnx.node "Softmax"(%v0) {version = 13 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %v4 = onnx.node "Unsqueeze"(%v3, %c1) {version = 13 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> tensor<?x3x1xf32>
  %v5 = onnx.node "Mul"(%v2, %v4) {version = 14 : i64} : (tensor<?x3x4xf32>, tensor<?x3x1xf32>) -> tensor<?x3x4xf32>
  // expected-remark @+1 {{rows of a table are not raised: they are not summed over the slots of a token with a gate each}}
  %v6 = onnx.node "ReduceSum"(%v5, %c2) {version = 13 : i64, name = "memory", attrs = {keepdims = 0 : i64}} : (tensor<?x3x4xf32>, tensor<1xi64>) -> tensor<?x3xf32>
  return %v6 : tensor<?x3xf32>
}

// -----
// An id of -1 means the last row to Gather.
moe.weight @v : tensor<9x4xf32> source(#moe.splat<1.0>)
func.func @negative_ids(%l: tensor<?x9xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %v = moe.load_weight @v : tensor<9x4xf32>
  %c0 = onnx.constant dense<3> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %c2 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %c3 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x9xf32>, tensor<1xi64>) -> (tensor<?x3xf32>, tensor<?x3xi64>)
  %v2 = onnx.node "Sub"(%v1, %c1) {version = 14 : i64} : (tensor<?x3xi64>, tensor<i64>) -> tensor<?x3xi64>
  %v3 = onnx.node "GatherElements"(%v2, %v1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x3xi64>, tensor<?x3xi64>) -> tensor<?x3xi64>
  %v4 = onnx.node "Gather"(%v, %v3) {version = 13 : i64} : (tensor<9x4xf32>, tensor<?x3xi64>) -> tensor<?x3x4xf32>
  %v5 = onnx.node "Softmax"(%v0) {version = 13 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %v6 = onnx.node "Unsqueeze"(%v5, %c2) {version = 13 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> tensor<?x3x1xf32>
  %v7 = onnx.node "Mul"(%v4, %v6) {version = 14 : i64} : (tensor<?x3x4xf32>, tensor<?x3x1xf32>) -> tensor<?x3x4xf32>
  // expected-remark @+1 {{rows of a table are not raised: the ids may be negative}}
  %v8 = onnx.node "ReduceSum"(%v7, %c3) {version = 13 : i64, name = "memory", attrs = {keepdims = 0 : i64}} : (tensor<?x3x4xf32>, tensor<1xi64>) -> tensor<?x4xf32>
  return %v8 : tensor<?x4xf32>
}

// -----
// The table is in double precision.
moe.weight @v : tensor<9x4xf64> source(#moe.splat<1.0>)
func.func @double_precision(%l: tensor<?x9xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf64> {
  %v = moe.load_weight @v : tensor<9x4xf64>
  %c0 = onnx.constant dense<3> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %c2 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x9xf32>, tensor<1xi64>) -> (tensor<?x3xf32>, tensor<?x3xi64>)
  %v2 = onnx.node "Gather"(%v, %v1) {version = 13 : i64} : (tensor<9x4xf64>, tensor<?x3xi64>) -> tensor<?x3x4xf64>
  %v3 = onnx.node "Softmax"(%v0) {version = 13 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %v4 = onnx.node "Unsqueeze"(%v3, %c1) {version = 13 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> tensor<?x3x1xf64>
  %v5 = onnx.node "Mul"(%v2, %v4) {version = 14 : i64} : (tensor<?x3x4xf64>, tensor<?x3x1xf64>) -> tensor<?x3x4xf64>
  // expected-remark @+1 {{rows of a table are not raised: the table is not a constant in f32, f16 or bf16}}
  %v6 = onnx.node "ReduceSum"(%v5, %c2) {version = 13 : i64, name = "memory", attrs = {keepdims = 0 : i64}} : (tensor<?x3x4xf64>, tensor<1xi64>) -> tensor<?x4xf64>
  return %v6 : tensor<?x4xf64>
}
