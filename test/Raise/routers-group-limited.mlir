// RUN: moe-opt %s --moe-raise-routers | FileCheck %s

moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)

// DeepSeek-V3: groups by the sum of their two largest, the others at -inf.
// CHECK-LABEL: func.func @top2_sum
// CHECK: moe.route %arg1 router(<score = sigmoid, over = all, k = 2, select = group_limited, groups = 4, kept_groups = 2, group_score = top2_sum>)
func.func @top2_sum(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %p = onnx.node "Sigmoid"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %shape = onnx.constant dense<[-1, 4, 2]> : tensor<3xi64> : tensor<3xi64>
  %flat = onnx.constant dense<[-1, 8]> : tensor<2xi64> : tensor<2xi64>
  %rep = onnx.constant dense<[1, 1, 2]> : tensor<3xi64> : tensor<3xi64>
  %r = onnx.node "Reshape"(%p, %shape) {version = 14 : i64} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x4x2xf32>
  %tv, %ti = onnx.node "TopK"(%r, %k) {version = 11 : i64} : (tensor<?x4x2xf32>, tensor<1xi64>) -> (tensor<?x4x2xf32>, tensor<?x4x2xi64>)
  %gs = onnx.node "ReduceSum"(%tv, %last) {version = 13 : i64, attrs = {keepdims = 0 : i64}} : (tensor<?x4x2xf32>, tensor<1xi64>) -> tensor<?x4xf32>
  %gv, %gi = onnx.node "TopK"(%gs, %k) {version = 11 : i64, attrs = {sorted = 0 : i64}} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %one = onnx.constant dense<1.0> : tensor<f32> : tensor<f32>
  %fill = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %sh = onnx.node "Shape"(%gs) {version = 13 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %zeros = onnx.node "Expand"(%zero, %sh) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x4xf32>
  %sh2 = onnx.node "Shape"(%gi) {version = 13 : i64} : (tensor<?x2xi64>) -> tensor<2xi64>
  %ones = onnx.node "Expand"(%one, %sh2) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x2xf32>
  %m = onnx.node "ScatterElements"(%zeros, %gi, %ones) {version = 18 : i64, attrs = {axis = 1 : i64}} : (tensor<?x4xf32>, tensor<?x2xi64>, tensor<?x2xf32>) -> tensor<?x4xf32>
  %mu = onnx.node "Unsqueeze"(%m, %last) {version = 13 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<?x4x1xf32>
  %me = onnx.node "Expand"(%mu, %rep) {version = 13 : i64} : (tensor<?x4x1xf32>, tensor<3xi64>) -> tensor<?x4x2xf32>
  %mf = onnx.node "Reshape"(%me, %flat) {version = 14 : i64} : (tensor<?x4x2xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %drop = onnx.node "Equal"(%mf, %zero) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %c = onnx.node "Where"(%drop, %fill, %p) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%c, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %g = onnx.node "GatherElements"(%p, %i) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x8xf32>, tensor<?x2xi64>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Groups by their largest, the others at 0.
// CHECK-LABEL: func.func @max_zero
// CHECK: moe.route %arg1 router(<score = sigmoid, over = all, k = 2, select = group_limited, groups = 4, kept_groups = 2, dropped = zero>)
func.func @max_zero(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %p = onnx.node "Sigmoid"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %shape = onnx.constant dense<[-1, 4, 2]> : tensor<3xi64> : tensor<3xi64>
  %flat = onnx.constant dense<[-1, 8]> : tensor<2xi64> : tensor<2xi64>
  %rep = onnx.constant dense<[1, 1, 2]> : tensor<3xi64> : tensor<3xi64>
  %r = onnx.node "Reshape"(%p, %shape) {version = 14 : i64} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x4x2xf32>
  %gs = onnx.node "ReduceMax"(%r, %last) {version = 18 : i64, attrs = {keepdims = 0 : i64}} : (tensor<?x4x2xf32>, tensor<1xi64>) -> tensor<?x4xf32>
  %gv, %gi = onnx.node "TopK"(%gs, %k) {version = 11 : i64, attrs = {sorted = 0 : i64}} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %one = onnx.constant dense<1.0> : tensor<f32> : tensor<f32>
  %fill = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %sh = onnx.node "Shape"(%gs) {version = 13 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %zeros = onnx.node "Expand"(%zero, %sh) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x4xf32>
  %sh2 = onnx.node "Shape"(%gi) {version = 13 : i64} : (tensor<?x2xi64>) -> tensor<2xi64>
  %ones = onnx.node "Expand"(%one, %sh2) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x2xf32>
  %m = onnx.node "ScatterElements"(%zeros, %gi, %ones) {version = 18 : i64, attrs = {axis = 1 : i64}} : (tensor<?x4xf32>, tensor<?x2xi64>, tensor<?x2xf32>) -> tensor<?x4xf32>
  %mu = onnx.node "Unsqueeze"(%m, %last) {version = 13 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<?x4x1xf32>
  %me = onnx.node "Expand"(%mu, %rep) {version = 13 : i64} : (tensor<?x4x1xf32>, tensor<3xi64>) -> tensor<?x4x2xf32>
  %mf = onnx.node "Reshape"(%me, %flat) {version = 14 : i64} : (tensor<?x4x2xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %drop = onnx.node "Equal"(%mf, %zero) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %c = onnx.node "Where"(%drop, %fill, %p) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%c, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %g = onnx.node "GatherElements"(%p, %i) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x8xf32>, tensor<?x2xi64>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Any other value is not known to lose: the masked scores select, the others give the gates.
// CHECK-LABEL: func.func @other_fill
// CHECK: %[[C:.*]] = onnx.node "Where"
// CHECK: moe.route %[[C]] mix %{{.*}} : tensor<?x8xf32> router(<score = identity, over = all, k = 2>)
func.func @other_fill(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %p = onnx.node "Sigmoid"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %shape = onnx.constant dense<[-1, 4, 2]> : tensor<3xi64> : tensor<3xi64>
  %flat = onnx.constant dense<[-1, 8]> : tensor<2xi64> : tensor<2xi64>
  %rep = onnx.constant dense<[1, 1, 2]> : tensor<3xi64> : tensor<3xi64>
  %r = onnx.node "Reshape"(%p, %shape) {version = 14 : i64} : (tensor<?x8xf32>, tensor<3xi64>) -> tensor<?x4x2xf32>
  %gs = onnx.node "ReduceMax"(%r, %last) {version = 18 : i64, attrs = {keepdims = 0 : i64}} : (tensor<?x4x2xf32>, tensor<1xi64>) -> tensor<?x4xf32>
  %gv, %gi = onnx.node "TopK"(%gs, %k) {version = 11 : i64, attrs = {sorted = 0 : i64}} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %one = onnx.constant dense<1.0> : tensor<f32> : tensor<f32>
  %fill = onnx.constant dense<-1.0> : tensor<f32> : tensor<f32>
  %sh = onnx.node "Shape"(%gs) {version = 13 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %zeros = onnx.node "Expand"(%zero, %sh) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x4xf32>
  %sh2 = onnx.node "Shape"(%gi) {version = 13 : i64} : (tensor<?x2xi64>) -> tensor<2xi64>
  %ones = onnx.node "Expand"(%one, %sh2) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x2xf32>
  %m = onnx.node "ScatterElements"(%zeros, %gi, %ones) {version = 18 : i64, attrs = {axis = 1 : i64}} : (tensor<?x4xf32>, tensor<?x2xi64>, tensor<?x2xf32>) -> tensor<?x4xf32>
  %mu = onnx.node "Unsqueeze"(%m, %last) {version = 13 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<?x4x1xf32>
  %me = onnx.node "Expand"(%mu, %rep) {version = 13 : i64} : (tensor<?x4x1xf32>, tensor<3xi64>) -> tensor<?x4x2xf32>
  %mf = onnx.node "Reshape"(%me, %flat) {version = 14 : i64} : (tensor<?x4x2xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %drop = onnx.node "Equal"(%mf, %zero) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %c = onnx.node "Where"(%drop, %fill, %p) {version = 16 : i64} : (tensor<?x8xi1>, tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%c, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %g = onnx.node "GatherElements"(%p, %i) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x8xf32>, tensor<?x2xi64>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
