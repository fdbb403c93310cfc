// RUN: moe-opt %s --moe-raise-routers | FileCheck %s

moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)

// Phi-MoE.
// CHECK-LABEL: func.func @sparse_mixer
// CHECK: %[[E:.*]], %[[G:.*]] = moe.route %arg1 router(<score = softmax, over = all, k = 2, select = sparse_mixer, bound = 0.019999999552965164>)
// CHECK: moe.experts %arg0 routed(%[[E]], %[[G]])
func.func @sparse_mixer(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
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
  %i = onnx.node "Concat"(%i0, %i1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
