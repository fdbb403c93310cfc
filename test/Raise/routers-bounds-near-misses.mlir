// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-routers

moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The sum includes the expert itself.
func.func @inclusive(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x8xf32>, tensor<?x8xi64>)
  %axis = onnx.constant dense<-1> : tensor<i64> : tensor<i64>
  %bound = onnx.constant dense<0.6> : tensor<f32> : tensor<f32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %c = onnx.node "CumSum"(%v, %axis) {version = 14 : i64} : (tensor<?x8xf32>, tensor<i64>) -> tensor<?x8xf32>
  %m = onnx.node "Less"(%c, %bound) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %w0 = onnx.node "Where"(%m, %v, %zero) {version = 16 : i64} : (tensor<?x8xi1>, tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "ReduceSum"(%w0, %last) {version = 13 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%w0, %s) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x8xi64>) -> tensor<?x8xi32>
  // expected-remark @+1 {{the router is not raised: 'Where' does not bound the values that the TopK selected}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The sums run over the tokens.
func.func @along_tokens(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x8xf32>, tensor<?x8xi64>)
  %axis = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %bound = onnx.constant dense<0.6> : tensor<f32> : tensor<f32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %c = onnx.node "CumSum"(%v, %axis) {version = 14 : i64} : (tensor<?x8xf32>, tensor<i64>) -> tensor<?x8xf32>
  %b = onnx.node "Sub"(%c, %v) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %m = onnx.node "Less"(%b, %bound) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %w0 = onnx.node "Where"(%m, %v, %zero) {version = 16 : i64} : (tensor<?x8xi1>, tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "ReduceSum"(%w0, %last) {version = 13 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%w0, %s) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x8xi64>) -> tensor<?x8xi32>
  // expected-remark @+1 {{the router is not raised: 'Where' does not bound the values that the TopK selected}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The sums are of logits, the selection is by scores.
func.func @other_sums(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x8xf32>, tensor<?x8xi64>)
  %k8 = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %v2, %i2 = onnx.node "TopK"(%l, %k8) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x8xf32>, tensor<?x8xi64>)
  %axis = onnx.constant dense<-1> : tensor<i64> : tensor<i64>
  %bound = onnx.constant dense<0.6> : tensor<f32> : tensor<f32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %c = onnx.node "CumSum"(%v2, %axis) {version = 14 : i64} : (tensor<?x8xf32>, tensor<i64>) -> tensor<?x8xf32>
  %b = onnx.node "Sub"(%c, %v2) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %m = onnx.node "Less"(%b, %bound) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %w0 = onnx.node "Where"(%m, %v, %zero) {version = 16 : i64} : (tensor<?x8xi1>, tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "ReduceSum"(%w0, %last) {version = 13 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%w0, %s) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x8xi64>) -> tensor<?x8xi32>
  // expected-remark @+1 {{the router is not raised: 'Where' does not bound the values that the TopK selected}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// What comes behind the bound is kept.
func.func @reversed(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x8xf32>, tensor<?x8xi64>)
  %axis = onnx.constant dense<-1> : tensor<i64> : tensor<i64>
  %bound = onnx.constant dense<0.6> : tensor<f32> : tensor<f32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %c = onnx.node "CumSum"(%v, %axis) {version = 14 : i64} : (tensor<?x8xf32>, tensor<i64>) -> tensor<?x8xf32>
  %b = onnx.node "Sub"(%c, %v) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %m = onnx.node "Greater"(%b, %bound) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %w0 = onnx.node "Where"(%m, %v, %zero) {version = 16 : i64} : (tensor<?x8xi1>, tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "ReduceSum"(%w0, %last) {version = 13 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%w0, %s) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x8xi64>) -> tensor<?x8xi32>
  // expected-remark @+1 {{the router is not raised: 'Where' does not bound the values that the TopK selected}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// Slots that are left out have gate 1.
func.func @other_fill(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x8xf32>, tensor<?x8xi64>)
  %axis = onnx.constant dense<-1> : tensor<i64> : tensor<i64>
  %bound = onnx.constant dense<0.6> : tensor<f32> : tensor<f32>
  %one = onnx.constant dense<1.0> : tensor<f32> : tensor<f32>
  %c = onnx.node "CumSum"(%v, %axis) {version = 14 : i64} : (tensor<?x8xf32>, tensor<i64>) -> tensor<?x8xf32>
  %b = onnx.node "Sub"(%c, %v) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %m = onnx.node "Less"(%b, %bound) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %w0 = onnx.node "Where"(%m, %v, %one) {version = 16 : i64} : (tensor<?x8xi1>, tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "ReduceSum"(%w0, %last) {version = 13 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%w0, %s) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x8xi64>) -> tensor<?x8xi32>
  // expected-remark @+1 {{the router is not raised: the gates are not values that the TopK selected}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The values come in any order.
func.func @unsorted(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64, attrs = {sorted = 0 : i64}} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x8xf32>, tensor<?x8xi64>)
  %axis = onnx.constant dense<-1> : tensor<i64> : tensor<i64>
  %bound = onnx.constant dense<0.6> : tensor<f32> : tensor<f32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %c = onnx.node "CumSum"(%v, %axis) {version = 14 : i64} : (tensor<?x8xf32>, tensor<i64>) -> tensor<?x8xf32>
  %b = onnx.node "Sub"(%c, %v) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %m = onnx.node "Less"(%b, %bound) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %w0 = onnx.node "Where"(%m, %v, %zero) {version = 16 : i64} : (tensor<?x8xi1>, tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "ReduceSum"(%w0, %last) {version = 13 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%w0, %s) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x8xi64>) -> tensor<?x8xi32>
  // expected-remark @+1 {{the router is not raised: 'Where' does not bound the values that the TopK selected}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// Nothing reaches a bound of 0.
func.func @no_bound(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x8xf32>, tensor<?x8xi64>)
  %axis = onnx.constant dense<-1> : tensor<i64> : tensor<i64>
  %bound = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %c = onnx.node "CumSum"(%v, %axis) {version = 14 : i64} : (tensor<?x8xf32>, tensor<i64>) -> tensor<?x8xf32>
  %b = onnx.node "Sub"(%c, %v) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %m = onnx.node "Less"(%b, %bound) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %w0 = onnx.node "Where"(%m, %v, %zero) {version = 16 : i64} : (tensor<?x8xi1>, tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "ReduceSum"(%w0, %last) {version = 13 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%w0, %s) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x8xi64>) -> tensor<?x8xi32>
  // expected-remark @+1 {{the router is not raised: 'Where' does not bound the values that the TopK selected}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// Without an expert the gates are 0 divided by 0.
func.func @empty_sum(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %bound = onnx.constant dense<0.9> : tensor<f32> : tensor<f32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %m = onnx.node "Greater"(%v, %bound) {version = 13 : i64} : (tensor<?x2xf32>, tensor<f32>) -> tensor<?x2xi1>
  %w0 = onnx.node "Where"(%m, %v, %zero) {version = 16 : i64} : (tensor<?x2xi1>, tensor<?x2xf32>, tensor<f32>) -> tensor<?x2xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "ReduceSum"(%w0, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%w0, %s) {version = 14 : i64} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: 'Where' may leave no expert, whose sum divides the gates}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The bound is one for each expert.
func.func @bounds(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x8xf32>, tensor<?x8xi64>)
  %t = onnx.constant dense<[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]> : tensor<8xf32> : tensor<8xf32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %m = onnx.node "Greater"(%v, %t) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xi1>
  %w0 = onnx.node "Where"(%m, %v, %zero) {version = 16 : i64} : (tensor<?x8xi1>, tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x8xi64>) -> tensor<?x8xi32>
  // expected-remark @+1 {{the router is not raised: 'Where' does not bound the values that the TopK selected}}
  %y = moe.experts %x routed(%e, %w0) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// A ReLU whose gates are divided by their sum.
func.func @relu_sum(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %r = onnx.node "Relu"(%l) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "ReduceSum"(%r, %last) {version = 13 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %gm = onnx.node "Div"(%r, %s) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %z = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %none = onnx.constant dense<-1> : tensor<i32> : tensor<i32>
  %all = onnx.constant dense<[[0, 1, 2, 3, 4, 5, 6, 7]]> : tensor<1x8xi32> : tensor<1x8xi32>
  %q = onnx.node "Equal"(%gm, %z) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %e = onnx.node "Where"(%q, %none, %all) {version = 16 : i64} : (tensor<?x8xi1>, tensor<i32>, tensor<1x8xi32>) -> tensor<?x8xi32>
  // expected-remark @+1 {{the router is not raised: the bound may leave no expert, whose sum divides the gates}}
  %y = moe.experts %x routed(%e, %gm) w1 %w w2 %w activation(<kind = silu>) {form = "dense"} : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The gates are what a leaky ReLU leaves.
func.func @leaky(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %gm = onnx.node "LeakyRelu"(%l) {version = 16 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %z = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %none = onnx.constant dense<-1> : tensor<i32> : tensor<i32>
  %all = onnx.constant dense<[[0, 1, 2, 3, 4, 5, 6, 7]]> : tensor<1x8xi32> : tensor<1x8xi32>
  %q = onnx.node "Equal"(%gm, %z) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %e = onnx.node "Where"(%q, %none, %all) {version = 16 : i64} : (tensor<?x8xi1>, tensor<i32>, tensor<1x8xi32>) -> tensor<?x8xi32>
  // expected-remark @+1 {{the router is not raised: the gates of all experts are neither bounded scores nor what a ReLU leaves}}
  %y = moe.experts %x routed(%e, %gm) w1 %w w2 %w activation(<kind = silu>) {form = "dense"} : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The scores above the bound are left out.
func.func @below(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %t = onnx.constant dense<0.125> : tensor<f32> : tensor<f32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %m = onnx.node "Less"(%p, %t) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %gm = onnx.node "Where"(%m, %p, %zero) {version = 16 : i64} : (tensor<?x8xi1>, tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %z = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %none = onnx.constant dense<-1> : tensor<i32> : tensor<i32>
  %all = onnx.constant dense<[[0, 1, 2, 3, 4, 5, 6, 7]]> : tensor<1x8xi32> : tensor<1x8xi32>
  %q = onnx.node "Equal"(%gm, %z) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %e = onnx.node "Where"(%q, %none, %all) {version = 16 : i64} : (tensor<?x8xi1>, tensor<i32>, tensor<1x8xi32>) -> tensor<?x8xi32>
  // expected-remark @+1 {{the router is not raised: 'Less' does not compare scores with a constant}}
  %y = moe.experts %x routed(%e, %gm) w1 %w w2 %w activation(<kind = silu>) {form = "dense"} : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The last of the largest.
func.func @last_index(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %i = onnx.node "ArgMax"(%p) {version = 13 : i64, attrs = {axis = -1 : i64, select_last_index = 1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %v = onnx.node "ReduceMax"(%p, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x1xi64>) -> tensor<?x1xi32>
  // expected-remark @+1 {{the router is not raised: 'ArgMax' does not select the largest along the last axis}}
  %y = moe.experts %x routed(%e, %v) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The largest of other scores.
func.func @other_largest(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %i = onnx.node "ArgMax"(%p) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %v = onnx.node "ReduceMax"(%l, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x1xi64>) -> tensor<?x1xi32>
  // expected-remark @+1 {{the router is not raised: the gates are not values that the TopK selected}}
  %y = moe.experts %x routed(%e, %v) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// Every expert sees every token: there is no router to raise, and no remark.
func.func @mixture(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %all = onnx.constant dense<[[0, 1, 2, 3, 4, 5, 6, 7]]> : tensor<1x8xi32> : tensor<1x8xi32>
  %sh = onnx.node "Shape"(%p) {version = 15 : i64} : (tensor<?x8xf32>) -> tensor<2xi64>
  %e = onnx.node "Expand"(%all, %sh) {version = 13 : i64} : (tensor<1x8xi32>, tensor<2xi64>) -> tensor<?x8xi32>
  %y = moe.experts %x routed(%e, %p) w1 %w w2 %w activation(<kind = silu>) {form = "dense"} : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
