// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-chosen-tokens

// The rows come from other places than they go to.
moe.weight @a : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @other_rows(%x: tensor<?x?x4xf32> {onnx.dims = ["b", "s", ""]}, %l: tensor<?x?xf32> {onnx.dims = ["b", "s"]}, %o: tensor<?x3xi64> {onnx.dims = ["b", ""]}) -> tensor<?x?x4xf32> {
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
  %v7 = onnx.node "Unsqueeze"(%o, %c1) {version = 13 : i64} : (tensor<?x3xi64>, tensor<1xi64>) -> tensor<?x3x1xi64>
  %v8 = onnx.node "Expand"(%v7, %c2) {version = 13 : i64} : (tensor<?x3x1xi64>, tensor<3xi64>) -> tensor<?x3x4xi64>
  %v9 = onnx.node "GatherElements"(%x, %v8) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x?x4xf32>, tensor<?x3x4xi64>) -> tensor<?x3x4xf32>
  %v10 = onnx.node "MatMul"(%v9, %a) {version = 13 : i64} : (tensor<?x3x4xf32>, tensor<4x8xf32>) -> tensor<?x3x8xf32>
  %v11 = onnx.node "Relu"(%v10) {version = 14 : i64} : (tensor<?x3x8xf32>) -> tensor<?x3x8xf32>
  %v12 = onnx.node "MatMul"(%v11, %b) {version = 13 : i64} : (tensor<?x3x8xf32>, tensor<8x4xf32>) -> tensor<?x3x4xf32>
  %v13 = onnx.node "Sigmoid"(%v4) {version = 13 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %v14 = onnx.node "Unsqueeze"(%v13, %c1) {version = 13 : i64} : (tensor<?x3xf32>, tensor<1xi64>) -> tensor<?x3x1xf32>
  %v15 = onnx.node "Mul"(%v12, %v14) {version = 14 : i64} : (tensor<?x3x4xf32>, tensor<?x3x1xf32>) -> tensor<?x3x4xf32>
  // expected-remark @+1 {{an expert on chosen tokens is not raised: its rows are not gathered by the index of the scatter}}
  %v16 = onnx.node "ScatterElements"(%x, %v6, %v15) {version = 18 : i64, attrs = {axis = 1 : i64, reduction = "add"}} : (tensor<?x?x4xf32>, tensor<?x3x4xi64>, tensor<?x3x4xf32>) -> tensor<?x?x4xf32>
  return %v16 : tensor<?x?x4xf32>
}

// -----
// The outputs are added as they are.
moe.weight @a : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @no_gates(%x: tensor<?x?x4xf32> {onnx.dims = ["b", "s", ""]}, %l: tensor<?x?xf32> {onnx.dims = ["b", "s"]}) -> tensor<?x?x4xf32> {
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
  // expected-remark @+1 {{an expert on chosen tokens is not raised: its outputs are not multiplied by gates}}
  %v11 = onnx.node "ScatterElements"(%x, %v6, %v10) {version = 18 : i64, attrs = {axis = 1 : i64, reduction = "add"}} : (tensor<?x?x4xf32>, tensor<?x3x4xi64>, tensor<?x3x4xf32>) -> tensor<?x?x4xf32>
  return %v11 : tensor<?x?x4xf32>
}
