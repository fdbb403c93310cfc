// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-routers

moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The divisor is the sum over all experts, not over the slots.
func.func @sum_of_others(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %p = onnx.node "Sigmoid"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %s = onnx.node "ReduceSum"(%p, %last) {version = 13 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%v, %s) {version = 14 : i64} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: 'Div' does not divide the gates by their sum over the slots}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// Selected by softmax over all, then a softmax over those probabilities of which the values are not logits.
func.func @softmax_of_softmax(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %q = onnx.node "Exp"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %v2 = onnx.node "GatherElements"(%q, %i) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x8xf32>, tensor<?x2xi64>) -> tensor<?x2xf32>
  %g = onnx.node "Softmax"(%v2) {version = 13 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: the score function over the selected experts is not applied to the logits that select them}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The smallest are selected.
func.func @smallest(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64, attrs = {largest = 0 : i64}} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: 'TopK' does not select the largest along the last axis}}
  %y = moe.experts %x routed(%e, %v) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The gates are gathered by other ids.
func.func @other_ids(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %v9, %j = onnx.node "TopK"(%l, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %g = onnx.node "GatherElements"(%p, %j) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x8xf32>, tensor<?x2xi64>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: the gates are not values that the TopK selected}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The ids are an input.
func.func @ids_from_outside(%x: tensor<?x64xf32>, %i: tensor<?x2xi64>, %g: tensor<?x2xf32>) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>

  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: the expert ids do not come from a TopK}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The sum is bounded from above, too.
func.func @bounded_above(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %lo = onnx.constant dense<0.1> : tensor<f32> : tensor<f32>
  %hi = onnx.constant dense<1.0> : tensor<f32> : tensor<f32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %s = onnx.node "ReduceSum"(%v, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %se = onnx.node "Clip"(%s, %lo, %hi) {version = 13 : i64} : (tensor<?x1xf32>, tensor<f32>, tensor<f32>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%v, %se) {version = 14 : i64} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: 'Clip' does not bound the sum of the gates from below by a constant}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The gates are gathered along the tokens.
func.func @gathered_tokens(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %g = onnx.node "GatherElements"(%p, %i) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x2xi64>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: 'GatherElements' does not gather along the experts}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The epsilon is negative.
func.func @negative_epsilon(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %eps = onnx.constant dense<-1.0> : tensor<f32> : tensor<f32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %s = onnx.node "ReduceSum"(%v, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %se = onnx.node "Add"(%s, %eps) {version = 14 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%v, %se) {version = 14 : i64} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: the scale or the epsilon of the gates is not a number a router can have}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
