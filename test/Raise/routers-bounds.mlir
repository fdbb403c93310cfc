// RUN: moe-opt %s --moe-raise-routers | FileCheck %s

moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)

// As few experts as together reach a probability, renormalised.
// CHECK-LABEL: func.func @top_p
// CHECK: %[[E:.*]], %[[G:.*]] = moe.route %arg1 router(<score = softmax, over = all, k = 8, select = top_p, renormalize = sum_plus_eps, bound = 0.60000002384185791>)
// CHECK: moe.experts %arg0 routed(%[[E]], %[[G]])
func.func @top_p(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x8xf32>, tensor<?x8xi64>)
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
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// The sum in front of each by an exclusive CumSum; at most the bound is less than the next number.
// CHECK-LABEL: func.func @top_p_exclusive
// CHECK: moe.route %arg1 router(<score = softmax, over = all, k = 8, select = top_p, bound = 0.50000005960464478>)
func.func @top_p_exclusive(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x8xf32>, tensor<?x8xi64>)
  %axis = onnx.constant dense<-1> : tensor<i64> : tensor<i64>
  %bound = onnx.constant dense<0.5> : tensor<f32> : tensor<f32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %c = onnx.node "CumSum"(%v, %axis) {version = 14 : i64, attrs = {exclusive = 1 : i64}} : (tensor<?x8xf32>, tensor<i64>) -> tensor<?x8xf32>
  %m = onnx.node "LessOrEqual"(%c, %bound) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %w0 = onnx.node "Where"(%m, %v, %zero) {version = 16 : i64} : (tensor<?x8xi1>, tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x8xi64>) -> tensor<?x8xi32>
  %y = moe.experts %x routed(%e, %w0) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// The bound on the other side.
// CHECK-LABEL: func.func @top_p_greater
// CHECK: select = top_p
func.func @top_p_greater(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x8xf32>, tensor<?x8xi64>)
  %axis = onnx.constant dense<-1> : tensor<i64> : tensor<i64>
  %bound = onnx.constant dense<0.6> : tensor<f32> : tensor<f32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %c = onnx.node "CumSum"(%v, %axis) {version = 14 : i64} : (tensor<?x8xf32>, tensor<i64>) -> tensor<?x8xf32>
  %b = onnx.node "Sub"(%c, %v) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %m = onnx.node "Greater"(%bound, %b) {version = 13 : i64} : (tensor<f32>, tensor<?x8xf32>) -> tensor<?x8xi1>
  %w0 = onnx.node "Where"(%m, %v, %zero) {version = 16 : i64} : (tensor<?x8xi1>, tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "ReduceSum"(%w0, %last) {version = 13 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%w0, %s) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x1xf32>) -> tensor<?x8xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x8xi64>) -> tensor<?x8xi32>
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Gates of another tensor.
// CHECK-LABEL: func.func @top_p_mixed
// CHECK: moe.route %{{.*}} mix %{{.*}} : tensor<?x8xf32> router(<score = identity, over = all, k = 8, select = top_p, bound
func.func @top_p_mixed(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %h = onnx.node "Exp"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x8xf32>, tensor<?x8xi64>)
  %v2 = onnx.node "GatherElements"(%h, %i) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x8xf32>, tensor<?x8xi64>) -> tensor<?x8xf32>
  %axis = onnx.constant dense<-1> : tensor<i64> : tensor<i64>
  %bound = onnx.constant dense<0.6> : tensor<f32> : tensor<f32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %c = onnx.node "CumSum"(%v, %axis) {version = 14 : i64} : (tensor<?x8xf32>, tensor<i64>) -> tensor<?x8xf32>
  %b = onnx.node "Sub"(%c, %v) {version = 14 : i64} : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  %m = onnx.node "Less"(%b, %bound) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %w0 = onnx.node "Where"(%m, %v2, %zero) {version = 16 : i64} : (tensor<?x8xi1>, tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x8xi64>) -> tensor<?x8xi32>
  %y = moe.experts %x routed(%e, %w0) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// At most two experts above a score; the least sum may be 0.
// CHECK-LABEL: func.func @threshold
// CHECK: moe.route %arg1 router(<score = sigmoid, over = all, k = 2, select = threshold, renormalize = sum_plus_eps, eps = {{.*}}, bound = 5.000000e-01>)
func.func @threshold(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Sigmoid"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %bound = onnx.constant dense<0.5> : tensor<f32> : tensor<f32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %m = onnx.node "Greater"(%v, %bound) {version = 13 : i64} : (tensor<?x2xf32>, tensor<f32>) -> tensor<?x2xi1>
  %w0 = onnx.node "Where"(%m, %v, %zero) {version = 16 : i64} : (tensor<?x2xi1>, tensor<?x2xf32>, tensor<f32>) -> tensor<?x2xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "ReduceSum"(%w0, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %eps = onnx.constant dense<1.0e-6> : tensor<f32> : tensor<f32>
  %se = onnx.node "Add"(%s, %eps) {version = 14 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%w0, %se) {version = 14 : i64} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Not less than is the negation of less.
// CHECK-LABEL: func.func @threshold_included
// CHECK: select = threshold, bound = 0.49999997019767761>
func.func @threshold_included(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %bound = onnx.constant dense<0.5> : tensor<f32> : tensor<f32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %m = onnx.node "Less"(%v, %bound) {version = 13 : i64} : (tensor<?x2xf32>, tensor<f32>) -> tensor<?x2xi1>
  %n = onnx.node "Not"(%m) {version = 1 : i64} : (tensor<?x2xi1>) -> tensor<?x2xi1>
  %w0 = onnx.node "Where"(%n, %v, %zero) {version = 16 : i64} : (tensor<?x2xi1>, tensor<?x2xf32>, tensor<f32>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  %y = moe.experts %x routed(%e, %w0) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// ReMoE: what a ReLU leaves.
// CHECK-LABEL: func.func @relu
// CHECK: %[[E:.*]], %[[G:.*]] = moe.route %arg1 router(<score = relu, over = all, k = 8, select = threshold>)
// CHECK: moe.experts %arg0 routed(%[[E]], %[[G]])
func.func @relu(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %gm = onnx.node "Relu"(%l) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %z = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %none = onnx.constant dense<-1> : tensor<i32> : tensor<i32>
  %all = onnx.constant dense<[[0, 1, 2, 3, 4, 5, 6, 7]]> : tensor<1x8xi32> : tensor<1x8xi32>
  %q = onnx.node "Equal"(%gm, %z) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %e = onnx.node "Where"(%q, %none, %all) {version = 16 : i64} : (tensor<?x8xi1>, tensor<i32>, tensor<1x8xi32>) -> tensor<?x8xi32>
  %y = moe.experts %x routed(%e, %gm) w1 %w w2 %w activation(<kind = silu>) {form = "dense"} : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// All experts above a score.
// CHECK-LABEL: func.func @matrix_threshold
// CHECK: moe.route %arg1 router(<score = softmax, over = all, k = 8, select = threshold, scale = 2.000000e+00, bound = 1.250000e-01>)
func.func @matrix_threshold(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %t = onnx.constant dense<0.125> : tensor<f32> : tensor<f32>
  %two = onnx.constant dense<2.0> : tensor<f32> : tensor<f32>
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %m = onnx.node "Greater"(%p, %t) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %w0 = onnx.node "Where"(%m, %p, %zero) {version = 16 : i64} : (tensor<?x8xi1>, tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %gm = onnx.node "Mul"(%w0, %two) {version = 14 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  %z = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %none = onnx.constant dense<-1> : tensor<i32> : tensor<i32>
  %all = onnx.constant dense<[[0, 1, 2, 3, 4, 5, 6, 7]]> : tensor<1x8xi32> : tensor<1x8xi32>
  %q = onnx.node "Equal"(%gm, %z) {version = 13 : i64} : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xi1>
  %e = onnx.node "Where"(%q, %none, %all) {version = 16 : i64} : (tensor<?x8xi1>, tensor<i32>, tensor<1x8xi32>) -> tensor<?x8xi32>
  %y = moe.experts %x routed(%e, %gm) w1 %w w2 %w activation(<kind = silu>) {form = "dense"} : (tensor<?x64xf32>, tensor<?x8xi32>, tensor<?x8xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Switch Transformer: the first of the largest.
// CHECK-LABEL: func.func @arg_max
// CHECK: moe.route %arg1 router(<score = softmax, over = all, k = 1>)
func.func @arg_max(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %i = onnx.node "ArgMax"(%p) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xf32>) -> tensor<?x1xi64>
  %v = onnx.node "ReduceMax"(%p, %last) {version = 18 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x1xi64>) -> tensor<?x1xi32>
  %y = moe.experts %x routed(%e, %v) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
