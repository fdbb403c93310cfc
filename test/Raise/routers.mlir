// RUN: moe-opt %s --moe-raise-routers | FileCheck %s

moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)

// Mixtral, Qwen: softmax over all, values divided by their sum.
// CHECK-LABEL: func.func @softmax_renormalised
// CHECK: %[[E:.*]], %[[G:.*]] = moe.route %arg1 router(<score = softmax, over = all, k = 2, renormalize = sum_plus_eps>)
// CHECK: moe.experts %arg0 routed(%[[E]], %[[G]])
// CHECK-NOT: TopK
func.func @softmax_renormalised(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %s = onnx.node "ReduceSum"(%v, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%v, %s) {version = 14 : i64} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// DeepSeek-V2, OLMoE: nothing is renormalised.
// CHECK-LABEL: func.func @softmax_plain
// CHECK: moe.route %arg1 router(<score = softmax, over = all, k = 2>)
func.func @softmax_plain(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  %y = moe.experts %x routed(%e, %v) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// gpt-oss.
// CHECK-LABEL: func.func @softmax_over_selected
// CHECK: moe.route %arg1 router(<score = softmax, over = selected, k = 2>)
func.func @softmax_over_selected(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %v, %i = onnx.node "TopK"(%l, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %g = onnx.node "Softmax"(%v) {version = 13 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// GLM, DeepSeek: the bias only selects; sum + eps; scale.
// CHECK-LABEL: func.func @sigmoid_with_bias
// CHECK: moe.route %arg1 bias %{{.*}} : tensor<8xf32> router(<score = sigmoid, over = all, k = 2, renormalize = sum_plus_eps, eps = {{.*}}E-21, scale = 2.500000e+00>)
func.func @sigmoid_with_bias(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %b = onnx.constant dense<[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]> : tensor<8xf32> : tensor<8xf32>
  %eps = onnx.constant dense<9.99999968E-21> : tensor<f32> : tensor<f32>
  %scale = onnx.constant dense<2.5> : tensor<f32> : tensor<f32>
  %p = onnx.node "Sigmoid"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %c = onnx.node "Add"(%p, %b) {version = 14 : i64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%c, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %v2 = onnx.node "GatherElements"(%p, %i) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x8xf32>, tensor<?x2xi64>) -> tensor<?x2xf32>
  %s = onnx.node "ReduceSum"(%v2, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %se = onnx.node "Add"(%s, %eps) {version = 14 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %d = onnx.node "Div"(%v2, %se) {version = 14 : i64} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %g = onnx.node "Mul"(%d, %scale) {version = 14 : i64} : (tensor<?x2xf32>, tensor<f32>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @clipped_sum
// CHECK: moe.route %arg1 router(<score = softmax, over = all, k = 2, renormalize = max_eps, eps = {{.*}}E-7>)
func.func @clipped_sum(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %eps = onnx.constant dense<1.0E-7> : tensor<f32> : tensor<f32>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %s = onnx.node "ReduceSum"(%v, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %se = onnx.node "Clip"(%s, %eps) {version = 13 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%v, %se) {version = 14 : i64} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Selected by logits, weighted by softmax over all: the gates are another tensor.
// CHECK-LABEL: func.func @selection_by_logits
// CHECK: moe.route %arg1 mix %{{.*}} : tensor<?x8xf32> router(<score = identity, over = all, k = 2>)
func.func @selection_by_logits(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%l, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %g = onnx.node "GatherElements"(%p, %i) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x8xf32>, tensor<?x2xi64>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// The values carry the bias: only the sum is a score.
// CHECK-LABEL: func.func @values_with_bias
// CHECK: %[[C:.*]] = onnx.node "Add"
// CHECK: moe.route %[[C]] router(<score = identity, over = all, k = 2>)
func.func @values_with_bias(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %b = onnx.constant dense<[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]> : tensor<8xf32> : tensor<8xf32>
  %p = onnx.node "Sigmoid"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %c = onnx.node "Add"(%p, %b) {version = 14 : i64} : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%c, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  %y = moe.experts %x routed(%e, %v) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// The gates are a result, too: their nodes stay beside the router.
// CHECK-LABEL: func.func @gates_used_elsewhere
// CHECK: %[[G:.*]] = onnx.node "Div"
// CHECK: %[[E:.*]], %[[R:.*]] = moe.route %arg1 router(<score = softmax, over = all, k = 2, renormalize = sum_plus_eps>)
// CHECK: moe.experts %arg0 routed(%[[E]], %[[R]])
// CHECK: return %{{.*}}, %[[G]]
func.func @gates_used_elsewhere(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> (tensor<?x64xf32>, tensor<?x2xf32>) {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %s = onnx.node "ReduceSum"(%v, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %g = onnx.node "Div"(%v, %s) {version = 14 : i64} : (tensor<?x2xf32>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %e = onnx.node "Cast"(%i) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<?x2xi64>) -> tensor<?x2xi32>
  %y = moe.experts %x routed(%e, %g) w1 %w w2 %w activation(<kind = silu>) : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x64xf32>, tensor<8x64x64xf32>) -> tensor<?x64xf32>
  return %y, %g : tensor<?x64xf32>, tensor<?x2xf32>
}
