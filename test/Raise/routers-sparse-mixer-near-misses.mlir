// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-routers

moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// Both slots take the same expert.
func.func @same_expert(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %inf = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %b = onnx.constant dense<0.02> : tensor<f32> : tensor<f32>
  %a = onnx.node "Abs"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %m0 = onnx.node "ReduceMax"(%l, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i0 = onnx.node "ArgMax"(%l) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag0 = onnx.node "Max"(%a, %m0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d0 = onnx.node "Sub"(%m0, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q0 = onnx.node "Div"(%d0, %mag0) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far0 = onnx.node "Greater"(%q0, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left0 = onnx.node "Where"(%far0, %inf, %l) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p0 = onnx.node "Softmax"(%left0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g0 = onnx.node "GatherElements"(%p0, %i0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %m1 = onnx.node "ReduceMax"(%l, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i1 = onnx.node "ArgMax"(%l) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag1 = onnx.node "Max"(%a, %m1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d1 = onnx.node "Sub"(%m1, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q1 = onnx.node "Div"(%d1, %mag1) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far1 = onnx.node "Greater"(%q1, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left1 = onnx.node "Where"(%far1, %inf, %l) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p1 = onnx.node "Softmax"(%left1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g1 = onnx.node "GatherElements"(%p1, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Concat"(%g0, %g1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %i = onnx.node "Concat"(%i0, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: the logit of an expert is not taken away for the next slot}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The distances are from what is left.
func.func @distance_of_left(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %inf = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %b = onnx.constant dense<0.02> : tensor<f32> : tensor<f32>
  %a = onnx.node "Abs"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %m0 = onnx.node "ReduceMax"(%l, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i0 = onnx.node "ArgMax"(%l) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag0 = onnx.node "Max"(%a, %m0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d0 = onnx.node "Sub"(%m0, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q0 = onnx.node "Div"(%d0, %mag0) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far0 = onnx.node "Greater"(%q0, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left0 = onnx.node "Where"(%far0, %inf, %l) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p0 = onnx.node "Softmax"(%left0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g0 = onnx.node "GatherElements"(%p0, %i0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %sh = onnx.node "Shape"(%i0) {version = 15 : i64} : (tensor<?x1xi64>) -> tensor<2xi64>
  %fill = onnx.node "Expand"(%inf, %sh) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x1xf32>
  %l1 = onnx.node "ScatterElements"(%l, %i0, %fill) {version = 18 : i64, attrs = {axis = -1 : i64, reduction = "none"}} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %m1 = onnx.node "ReduceMax"(%l1, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i1 = onnx.node "ArgMax"(%l1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag1 = onnx.node "Max"(%a, %m1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d1 = onnx.node "Sub"(%m1, %l1) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q1 = onnx.node "Div"(%d1, %mag1) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far1 = onnx.node "Greater"(%q1, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left1 = onnx.node "Where"(%far1, %inf, %l1) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p1 = onnx.node "Softmax"(%left1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g1 = onnx.node "GatherElements"(%p1, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Concat"(%g0, %g1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %i = onnx.node "Concat"(%i0, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: the distance from the largest logit is not (m - l) / max(|l|, m)}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The distances are not scaled by magnitudes.
func.func @no_magnitude(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %inf = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %b = onnx.constant dense<0.02> : tensor<f32> : tensor<f32>
  %a = onnx.node "Abs"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %m0 = onnx.node "ReduceMax"(%l, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i0 = onnx.node "ArgMax"(%l) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag0 = onnx.node "Max"(%l, %m0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d0 = onnx.node "Sub"(%m0, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q0 = onnx.node "Div"(%d0, %mag0) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far0 = onnx.node "Greater"(%q0, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left0 = onnx.node "Where"(%far0, %inf, %l) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p0 = onnx.node "Softmax"(%left0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g0 = onnx.node "GatherElements"(%p0, %i0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %sh = onnx.node "Shape"(%i0) {version = 15 : i64} : (tensor<?x1xi64>) -> tensor<2xi64>
  %fill = onnx.node "Expand"(%inf, %sh) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x1xf32>
  %l1 = onnx.node "ScatterElements"(%l, %i0, %fill) {version = 18 : i64, attrs = {axis = -1 : i64, reduction = "none"}} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %m1 = onnx.node "ReduceMax"(%l1, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i1 = onnx.node "ArgMax"(%l1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag1 = onnx.node "Max"(%a, %m1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d1 = onnx.node "Sub"(%m1, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q1 = onnx.node "Div"(%d1, %mag1) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far1 = onnx.node "Greater"(%q1, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left1 = onnx.node "Where"(%far1, %inf, %l1) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p1 = onnx.node "Softmax"(%left1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g1 = onnx.node "GatherElements"(%p1, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Concat"(%g0, %g1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %i = onnx.node "Concat"(%i0, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: the distance from the largest logit is not (m - l) / max(|l|, m)}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// What is near is left out.
func.func @near(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %inf = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %b = onnx.constant dense<0.02> : tensor<f32> : tensor<f32>
  %a = onnx.node "Abs"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %m0 = onnx.node "ReduceMax"(%l, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i0 = onnx.node "ArgMax"(%l) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag0 = onnx.node "Max"(%a, %m0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d0 = onnx.node "Sub"(%m0, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q0 = onnx.node "Div"(%d0, %mag0) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far0 = onnx.node "Less"(%q0, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left0 = onnx.node "Where"(%far0, %inf, %l) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p0 = onnx.node "Softmax"(%left0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g0 = onnx.node "GatherElements"(%p0, %i0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %sh = onnx.node "Shape"(%i0) {version = 15 : i64} : (tensor<?x1xi64>) -> tensor<2xi64>
  %fill = onnx.node "Expand"(%inf, %sh) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x1xf32>
  %l1 = onnx.node "ScatterElements"(%l, %i0, %fill) {version = 18 : i64, attrs = {axis = -1 : i64, reduction = "none"}} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %m1 = onnx.node "ReduceMax"(%l1, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i1 = onnx.node "ArgMax"(%l1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag1 = onnx.node "Max"(%a, %m1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d1 = onnx.node "Sub"(%m1, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q1 = onnx.node "Div"(%d1, %mag1) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far1 = onnx.node "Greater"(%q1, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left1 = onnx.node "Where"(%far1, %inf, %l1) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p1 = onnx.node "Softmax"(%left1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g1 = onnx.node "GatherElements"(%p1, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Concat"(%g0, %g1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %i = onnx.node "Concat"(%i0, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: the softmax does not leave out what is farther from the largest than a constant}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The slots have different bounds.
func.func @other_bound(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %inf = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %b = onnx.constant dense<0.02> : tensor<f32> : tensor<f32>
  %a = onnx.node "Abs"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %b2 = onnx.constant dense<0.04> : tensor<f32> : tensor<f32>
  %m0 = onnx.node "ReduceMax"(%l, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i0 = onnx.node "ArgMax"(%l) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag0 = onnx.node "Max"(%a, %m0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d0 = onnx.node "Sub"(%m0, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q0 = onnx.node "Div"(%d0, %mag0) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far0 = onnx.node "Greater"(%q0, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left0 = onnx.node "Where"(%far0, %inf, %l) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p0 = onnx.node "Softmax"(%left0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g0 = onnx.node "GatherElements"(%p0, %i0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %sh = onnx.node "Shape"(%i0) {version = 15 : i64} : (tensor<?x1xi64>) -> tensor<2xi64>
  %fill = onnx.node "Expand"(%inf, %sh) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x1xf32>
  %l1 = onnx.node "ScatterElements"(%l, %i0, %fill) {version = 18 : i64, attrs = {axis = -1 : i64, reduction = "none"}} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %m1 = onnx.node "ReduceMax"(%l1, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i1 = onnx.node "ArgMax"(%l1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag1 = onnx.node "Max"(%a, %m1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d1 = onnx.node "Sub"(%m1, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q1 = onnx.node "Div"(%d1, %mag1) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far1 = onnx.node "Greater"(%q1, %b2) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left1 = onnx.node "Where"(%far1, %inf, %l1) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p1 = onnx.node "Softmax"(%left1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g1 = onnx.node "GatherElements"(%p1, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Concat"(%g0, %g1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %i = onnx.node "Concat"(%i0, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: the slots have bounds of their own}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The second softmax sees the first expert again.
func.func @whole_softmax(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %inf = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %b = onnx.constant dense<0.02> : tensor<f32> : tensor<f32>
  %a = onnx.node "Abs"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %m0 = onnx.node "ReduceMax"(%l, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i0 = onnx.node "ArgMax"(%l) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag0 = onnx.node "Max"(%a, %m0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d0 = onnx.node "Sub"(%m0, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q0 = onnx.node "Div"(%d0, %mag0) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far0 = onnx.node "Greater"(%q0, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left0 = onnx.node "Where"(%far0, %inf, %l) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p0 = onnx.node "Softmax"(%left0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g0 = onnx.node "GatherElements"(%p0, %i0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %sh = onnx.node "Shape"(%i0) {version = 15 : i64} : (tensor<?x1xi64>) -> tensor<2xi64>
  %fill = onnx.node "Expand"(%inf, %sh) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x1xf32>
  %l1 = onnx.node "ScatterElements"(%l, %i0, %fill) {version = 18 : i64, attrs = {axis = -1 : i64, reduction = "none"}} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %m1 = onnx.node "ReduceMax"(%l1, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i1 = onnx.node "ArgMax"(%l1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag1 = onnx.node "Max"(%a, %m1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d1 = onnx.node "Sub"(%m1, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q1 = onnx.node "Div"(%d1, %mag1) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far1 = onnx.node "Greater"(%q1, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left1 = onnx.node "Where"(%far1, %inf, %l) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p1 = onnx.node "Softmax"(%left1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g1 = onnx.node "GatherElements"(%p1, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Concat"(%g0, %g1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %i = onnx.node "Concat"(%i0, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: the softmax of 'Softmax' is not over the logits that are left}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The first expert loses only something.
func.func @reduced(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %inf = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %b = onnx.constant dense<0.02> : tensor<f32> : tensor<f32>
  %a = onnx.node "Abs"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %less = onnx.constant dense<-1.0> : tensor<f32> : tensor<f32>
  %m0 = onnx.node "ReduceMax"(%l, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i0 = onnx.node "ArgMax"(%l) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag0 = onnx.node "Max"(%a, %m0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d0 = onnx.node "Sub"(%m0, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q0 = onnx.node "Div"(%d0, %mag0) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far0 = onnx.node "Greater"(%q0, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left0 = onnx.node "Where"(%far0, %inf, %l) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p0 = onnx.node "Softmax"(%left0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g0 = onnx.node "GatherElements"(%p0, %i0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %sh = onnx.node "Shape"(%i0) {version = 15 : i64} : (tensor<?x1xi64>) -> tensor<2xi64>
  %fill = onnx.node "Expand"(%less, %sh) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x1xf32>
  %l1 = onnx.node "ScatterElements"(%l, %i0, %fill) {version = 18 : i64, attrs = {axis = -1 : i64, reduction = "add"}} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %m1 = onnx.node "ReduceMax"(%l1, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i1 = onnx.node "ArgMax"(%l1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag1 = onnx.node "Max"(%a, %m1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d1 = onnx.node "Sub"(%m1, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q1 = onnx.node "Div"(%d1, %mag1) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far1 = onnx.node "Greater"(%q1, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left1 = onnx.node "Where"(%far1, %inf, %l1) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p1 = onnx.node "Softmax"(%left1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g1 = onnx.node "GatherElements"(%p1, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Concat"(%g0, %g1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %i = onnx.node "Concat"(%i0, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: the logit of an expert is not taken away for the next slot}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The experts are in another order than their gates.
func.func @swapped(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %inf = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %b = onnx.constant dense<0.02> : tensor<f32> : tensor<f32>
  %a = onnx.node "Abs"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %m0 = onnx.node "ReduceMax"(%l, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i0 = onnx.node "ArgMax"(%l) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag0 = onnx.node "Max"(%a, %m0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d0 = onnx.node "Sub"(%m0, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q0 = onnx.node "Div"(%d0, %mag0) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far0 = onnx.node "Greater"(%q0, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left0 = onnx.node "Where"(%far0, %inf, %l) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p0 = onnx.node "Softmax"(%left0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g0 = onnx.node "GatherElements"(%p0, %i0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %sh = onnx.node "Shape"(%i0) {version = 15 : i64} : (tensor<?x1xi64>) -> tensor<2xi64>
  %fill = onnx.node "Expand"(%inf, %sh) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x1xf32>
  %l1 = onnx.node "ScatterElements"(%l, %i0, %fill) {version = 18 : i64, attrs = {axis = -1 : i64, reduction = "none"}} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %m1 = onnx.node "ReduceMax"(%l1, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i1 = onnx.node "ArgMax"(%l1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag1 = onnx.node "Max"(%a, %m1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d1 = onnx.node "Sub"(%m1, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q1 = onnx.node "Div"(%d1, %mag1) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far1 = onnx.node "Greater"(%q1, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left1 = onnx.node "Where"(%far1, %inf, %l1) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p1 = onnx.node "Softmax"(%left1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g1 = onnx.node "GatherElements"(%p1, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Concat"(%g0, %g1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %i = onnx.node "Concat"(%i1, %i0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: the gate of an expert is not its part in a softmax}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// The last of the largest.
func.func @last_index(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %inf = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %b = onnx.constant dense<0.02> : tensor<f32> : tensor<f32>
  %a = onnx.node "Abs"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %m0 = onnx.node "ReduceMax"(%l, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i0 = onnx.node "ArgMax"(%l) {version = 13 : i64, attrs = {axis = -1 : i64, select_last_index = 1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag0 = onnx.node "Max"(%a, %m0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d0 = onnx.node "Sub"(%m0, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q0 = onnx.node "Div"(%d0, %mag0) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far0 = onnx.node "Greater"(%q0, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left0 = onnx.node "Where"(%far0, %inf, %l) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p0 = onnx.node "Softmax"(%left0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g0 = onnx.node "GatherElements"(%p0, %i0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %sh = onnx.node "Shape"(%i0) {version = 15 : i64} : (tensor<?x1xi64>) -> tensor<2xi64>
  %fill = onnx.node "Expand"(%inf, %sh) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x1xf32>
  %l1 = onnx.node "ScatterElements"(%l, %i0, %fill) {version = 18 : i64, attrs = {axis = -1 : i64, reduction = "none"}} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %m1 = onnx.node "ReduceMax"(%l1, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i1 = onnx.node "ArgMax"(%l1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag1 = onnx.node "Max"(%a, %m1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d1 = onnx.node "Sub"(%m1, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q1 = onnx.node "Div"(%d1, %mag1) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far1 = onnx.node "Greater"(%q1, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left1 = onnx.node "Where"(%far1, %inf, %l1) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p1 = onnx.node "Softmax"(%left1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g1 = onnx.node "GatherElements"(%p1, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Concat"(%g0, %g1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %i = onnx.node "Concat"(%i0, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: an expert is not the first of the largest logits}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)
// A negative bound leaves out the largest itself.
func.func @negative_bound(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %inf = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %b = onnx.constant dense<-0.02> : tensor<f32> : tensor<f32>
  %a = onnx.node "Abs"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %m0 = onnx.node "ReduceMax"(%l, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i0 = onnx.node "ArgMax"(%l) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag0 = onnx.node "Max"(%a, %m0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d0 = onnx.node "Sub"(%m0, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q0 = onnx.node "Div"(%d0, %mag0) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far0 = onnx.node "Greater"(%q0, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left0 = onnx.node "Where"(%far0, %inf, %l) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p0 = onnx.node "Softmax"(%left0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g0 = onnx.node "GatherElements"(%p0, %i0) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %sh = onnx.node "Shape"(%i0) {version = 15 : i64} : (tensor<?x1xi64>) -> tensor<2xi64>
  %fill = onnx.node "Expand"(%inf, %sh) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x1xf32>
  %l1 = onnx.node "ScatterElements"(%l, %i0, %fill) {version = 18 : i64, attrs = {axis = -1 : i64, reduction = "none"}} : (tensor<?x8xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %m1 = onnx.node "ReduceMax"(%l1, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %i1 = onnx.node "ArgMax"(%l1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %mag1 = onnx.node "Max"(%a, %m1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %d1 = onnx.node "Sub"(%m1, %l) {version = 14 : i64} : (tensor<?x1xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %q1 = onnx.node "Div"(%d1, %mag1) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %far1 = onnx.node "Greater"(%q1, %b) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %left1 = onnx.node "Where"(%far1, %inf, %l1) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %p1 = onnx.node "Softmax"(%left1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %g1 = onnx.node "GatherElements"(%p1, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Concat"(%g0, %g1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %i = onnx.node "Concat"(%i0, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  // expected-remark @+1 {{the router is not raised: the bound of the distances or the number of slots is none that a sparse mixer can have}}
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
