// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-stacked-experts

// The gates are summed over the tokens.
moe.weight @a : tensor<2x4x8xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<2x8x4xf32> source(#moe.splat<1.0>)
func.func @sum_over_tokens(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %g: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<2x4xf32> {
  %a = moe.load_weight @a : tensor<2x4x8xf32>
  %b = moe.load_weight @b : tensor<2x8x4xf32>
  %v0 = onnx.node "Einsum"(%x, %a) {version = 12 : i64, attrs = {equation = "th,ehi->eti"}} : (tensor<?x4xf32>, tensor<2x4x8xf32>) -> tensor<2x?x8xf32>
  %v1 = onnx.node "Relu"(%v0) {version = 14 : i64} : (tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
  // expected-remark @+1 {{batched products of experts are not raised: 'out' (Einsum) is not part of the weighted sum over the experts; with rows of their own: the rows of the input cannot be proven to be the tokens of the expert ids}}
  %v2 = onnx.node "Einsum"(%v1, %b) {version = 12 : i64, name = "down", attrs = {equation = "eti,eih->eth"}} : (tensor<2x?x8xf32>, tensor<2x8x4xf32>) -> tensor<2x?x4xf32>
  %v3 = onnx.node "Einsum"(%v2, %g) {version = 12 : i64, name = "out", attrs = {equation = "eth,te->eh"}} : (tensor<2x?x4xf32>, tensor<?x2xf32>) -> tensor<2x4xf32>
  return %v3 : tensor<2x4xf32>
}

// -----
// The experts are summed without gates.
moe.weight @a : tensor<2x4x8xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<2x8x4xf32> source(#moe.splat<1.0>)
func.func @no_gates(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a = moe.load_weight @a : tensor<2x4x8xf32>
  %b = moe.load_weight @b : tensor<2x8x4xf32>
  %c0 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %v0 = onnx.node "Einsum"(%x, %a) {version = 12 : i64, attrs = {equation = "th,ehi->eti"}} : (tensor<?x4xf32>, tensor<2x4x8xf32>) -> tensor<2x?x8xf32>
  %v1 = onnx.node "Relu"(%v0) {version = 14 : i64} : (tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
  // expected-remark @+1 {{batched products of experts are not raised: the outputs of the experts are not multiplied by gates; with rows of their own: the rows of the input cannot be proven to be the tokens of the expert ids}}
  %v2 = onnx.node "Einsum"(%v1, %b) {version = 12 : i64, name = "down", attrs = {equation = "eti,eih->eth"}} : (tensor<2x?x8xf32>, tensor<2x8x4xf32>) -> tensor<2x?x4xf32>
  %v3 = onnx.node "ReduceSum"(%v2, %c0) {version = 13 : i64, attrs = {keepdims = 0 : i64}} : (tensor<2x?x4xf32>, tensor<1xi64>) -> tensor<?x4xf32>
  return %v3 : tensor<?x4xf32>
}

// -----
// The function between the products is no activation of a routed layer.
moe.weight @a : tensor<2x4x8xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<2x8x4xf32> source(#moe.splat<1.0>)
func.func @exponential(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %g: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a = moe.load_weight @a : tensor<2x4x8xf32>
  %b = moe.load_weight @b : tensor<2x8x4xf32>
  %v0 = onnx.node "Einsum"(%x, %a) {version = 12 : i64, attrs = {equation = "th,ehi->eti"}} : (tensor<?x4xf32>, tensor<2x4x8xf32>) -> tensor<2x?x8xf32>
  %v1 = onnx.node "Exp"(%v0) {version = 14 : i64} : (tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
  // expected-remark @+1 {{batched products of experts are not raised: the function between the two products is not a known activation}}
  %v2 = onnx.node "Einsum"(%v1, %b) {version = 12 : i64, name = "down", attrs = {equation = "eti,eih->eth"}} : (tensor<2x?x8xf32>, tensor<2x8x4xf32>) -> tensor<2x?x4xf32>
  %v3 = onnx.node "Einsum"(%v2, %g) {version = 12 : i64, attrs = {equation = "eth,te->th"}} : (tensor<2x?x4xf32>, tensor<?x2xf32>) -> tensor<?x4xf32>
  return %v3 : tensor<?x4xf32>
}
