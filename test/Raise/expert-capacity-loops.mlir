// RUN: moe-opt %s --moe-raise-summed-experts --moe-raise-routers | FileCheck %s

moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)

// Switch Transformer: 24 tokens of each sequence.
// CHECK-LABEL: func.func @switch
// CHECK: %[[E:.*]], %[[G:.*]] = moe.route %{{.*}} router(<score = softmax, over = all, k = 1>)
// CHECK: %[[WHOLE:.*]] = onnx.node "Reshape"(%[[E]], %{{.*}}){{.*}} -> tensor<?x?x1xi32>
// CHECK: %[[KEPT:.*]] = moe.limit_capacity %[[WHOLE]] experts 2 capacity 24
// CHECK: %[[IDS:.*]] = onnx.node "Reshape"(%[[KEPT]]
// CHECK: moe.experts %{{.*}} routed(%[[IDS]], %[[G]])
// CHECK-NOT: CumSum
func.func @switch(%x: tensor<?x?x4xf32> {onnx.dims = ["b", "s", ""]}, %l: tensor<?x?x2xf32> {onnx.dims = ["b", "s", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %two = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %onoff = onnx.constant dense<[0, 1]> : tensor<2xi64> : tensor<2xi64>
  %axis = onnx.constant dense<1> : tensor<i32> : tensor<i32>
  %most = onnx.constant dense<24> : tensor<i64> : tensor<i64>
  %rows = onnx.constant dense<[-1, 4]> : tensor<2xi64> : tensor<2xi64>
  %flat = onnx.constant dense<[-1, 2]> : tensor<2xi64> : tensor<2xi64>
  %vector = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %column = onnx.constant dense<[-1, 1]> : tensor<2xi64> : tensor<2xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x?x2xf32>) -> tensor<?x?x2xf32>
  %i = onnx.node "ArgMax"(%p) {version = 13 : i64, attrs = {axis = -1 : i64, keepdims = 0 : i64}} : (tensor<?x?x2xf32>) -> tensor<?x?xi64>
  %o = onnx.node "OneHot"(%i, %two, %onoff) {version = 11 : i64} : (tensor<?x?xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x?x2xi64>
  %c = onnx.node "CumSum"(%o, %axis) {version = 14 : i64} : (tensor<?x?x2xi64>, tensor<i32>) -> tensor<?x?x2xi64>
  %fits = onnx.node "LessOrEqual"(%c, %most) {version = 16 : i64} : (tensor<?x?x2xi64>, tensor<i64>) -> tensor<?x?x2xi1>
  %f = onnx.node "Cast"(%fits) {version = 13 : i64, attrs = {to = 7 : i64}} : (tensor<?x?x2xi1>) -> tensor<?x?x2xi64>
  %kept = onnx.node "Mul"(%o, %f) {version = 14 : i64} : (tensor<?x?x2xi64>, tensor<?x?x2xi64>) -> tensor<?x?x2xi64>
  %g = onnx.node "ReduceMax"(%p, %last) {version = 18 : i64, attrs = {keepdims = 0 : i64}} : (tensor<?x?x2xf32>, tensor<1xi64>) -> tensor<?x?xf32>
  %gc = onnx.node "Reshape"(%g, %column) {version = 14 : i64} : (tensor<?x?xf32>, tensor<2xi64>) -> tensor<?x1xf32>
  %t = onnx.node "Reshape"(%x, %rows) {version = 14 : i64} : (tensor<?x?x4xf32>, tensor<2xi64>) -> tensor<?x4xf32>
  %k2 = onnx.node "Reshape"(%kept, %flat) {version = 14 : i64} : (tensor<?x?x2xi64>, tensor<2xi64>) -> tensor<?x2xi64>
  %sh = onnx.node "Shape"(%t) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %y0 = onnx.node "ConstantOfShape"(%sh) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x4xf32>
  %e0 = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %m0 = onnx.node "Gather"(%k2, %e0) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?xi64>
  %n0 = onnx.node "NonZero"(%m0) {version = 13 : i64} : (tensor<?xi64>) -> tensor<1x?xi64>
  %at0 = onnx.node "Transpose"(%n0) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<1x?xi64>) -> tensor<?x1xi64>
  %r0 = onnx.node "GatherND"(%t, %at0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %u0 = onnx.node "MatMul"(%r0, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %h0 = onnx.node "Relu"(%u0) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %d0 = onnx.node "MatMul"(%h0, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %flat0 = onnx.node "Reshape"(%at0, %vector) {version = 14 : i64} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %w0 = onnx.node "Gather"(%gc, %flat0) {version = 13 : i64} : (tensor<?x1xf32>, tensor<?xi64>) -> tensor<?x1xf32>
  %z0 = onnx.node "Mul"(%d0, %w0) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %y1 = onnx.node "ScatterND"(%y0, %at0, %z0) {version = 18 : i64, attrs = {reduction = "add"}} : (tensor<?x4xf32>, tensor<?x1xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %e1 = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %m1 = onnx.node "Gather"(%k2, %e1) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?xi64>
  %n1 = onnx.node "NonZero"(%m1) {version = 13 : i64} : (tensor<?xi64>) -> tensor<1x?xi64>
  %at1 = onnx.node "Transpose"(%n1) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<1x?xi64>) -> tensor<?x1xi64>
  %r1 = onnx.node "GatherND"(%t, %at1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %u1 = onnx.node "MatMul"(%r1, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %h1 = onnx.node "Relu"(%u1) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %d1 = onnx.node "MatMul"(%h1, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %flat1 = onnx.node "Reshape"(%at1, %vector) {version = 14 : i64} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %w1 = onnx.node "Gather"(%gc, %flat1) {version = 13 : i64} : (tensor<?x1xf32>, tensor<?xi64>) -> tensor<?x1xf32>
  %z1 = onnx.node "Mul"(%d1, %w1) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %y2 = onnx.node "ScatterND"(%y1, %at1, %z1) {version = 18 : i64, attrs = {reduction = "add"}} : (tensor<?x4xf32>, tensor<?x1xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y2 : tensor<?x4xf32>
}

// Counted across the batch at each place: tokens are dropped by plain operators.
// CHECK-LABEL: func.func @across_batches
// CHECK: onnx.node "CumSum"
// CHECK: onnx.node "ReduceSum"
// CHECK: moe.experts
// CHECK-NOT: moe.limit_capacity
func.func @across_batches(%x: tensor<?x?x4xf32> {onnx.dims = ["b", "s", ""]}, %l: tensor<?x?x2xf32> {onnx.dims = ["b", "s", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %two = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %onoff = onnx.constant dense<[0, 1]> : tensor<2xi64> : tensor<2xi64>
  %axis = onnx.constant dense<0> : tensor<i32> : tensor<i32>
  %most = onnx.constant dense<24> : tensor<i64> : tensor<i64>
  %rows = onnx.constant dense<[-1, 4]> : tensor<2xi64> : tensor<2xi64>
  %flat = onnx.constant dense<[-1, 2]> : tensor<2xi64> : tensor<2xi64>
  %vector = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %column = onnx.constant dense<[-1, 1]> : tensor<2xi64> : tensor<2xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x?x2xf32>) -> tensor<?x?x2xf32>
  %i = onnx.node "ArgMax"(%p) {version = 13 : i64, attrs = {axis = -1 : i64, keepdims = 0 : i64}} : (tensor<?x?x2xf32>) -> tensor<?x?xi64>
  %o = onnx.node "OneHot"(%i, %two, %onoff) {version = 11 : i64} : (tensor<?x?xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x?x2xi64>
  %c = onnx.node "CumSum"(%o, %axis) {version = 14 : i64} : (tensor<?x?x2xi64>, tensor<i32>) -> tensor<?x?x2xi64>
  %fits = onnx.node "LessOrEqual"(%c, %most) {version = 16 : i64} : (tensor<?x?x2xi64>, tensor<i64>) -> tensor<?x?x2xi1>
  %f = onnx.node "Cast"(%fits) {version = 13 : i64, attrs = {to = 7 : i64}} : (tensor<?x?x2xi1>) -> tensor<?x?x2xi64>
  %kept = onnx.node "Mul"(%o, %f) {version = 14 : i64} : (tensor<?x?x2xi64>, tensor<?x?x2xi64>) -> tensor<?x?x2xi64>
  %g = onnx.node "ReduceMax"(%p, %last) {version = 18 : i64, attrs = {keepdims = 0 : i64}} : (tensor<?x?x2xf32>, tensor<1xi64>) -> tensor<?x?xf32>
  %gc = onnx.node "Reshape"(%g, %column) {version = 14 : i64} : (tensor<?x?xf32>, tensor<2xi64>) -> tensor<?x1xf32>
  %t = onnx.node "Reshape"(%x, %rows) {version = 14 : i64} : (tensor<?x?x4xf32>, tensor<2xi64>) -> tensor<?x4xf32>
  %k2 = onnx.node "Reshape"(%kept, %flat) {version = 14 : i64} : (tensor<?x?x2xi64>, tensor<2xi64>) -> tensor<?x2xi64>
  %sh = onnx.node "Shape"(%t) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %y0 = onnx.node "ConstantOfShape"(%sh) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x4xf32>
  %e0 = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %m0 = onnx.node "Gather"(%k2, %e0) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?xi64>
  %n0 = onnx.node "NonZero"(%m0) {version = 13 : i64} : (tensor<?xi64>) -> tensor<1x?xi64>
  %at0 = onnx.node "Transpose"(%n0) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<1x?xi64>) -> tensor<?x1xi64>
  %r0 = onnx.node "GatherND"(%t, %at0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %u0 = onnx.node "MatMul"(%r0, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %h0 = onnx.node "Relu"(%u0) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %d0 = onnx.node "MatMul"(%h0, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %flat0 = onnx.node "Reshape"(%at0, %vector) {version = 14 : i64} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %w0 = onnx.node "Gather"(%gc, %flat0) {version = 13 : i64} : (tensor<?x1xf32>, tensor<?xi64>) -> tensor<?x1xf32>
  %z0 = onnx.node "Mul"(%d0, %w0) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %y1 = onnx.node "ScatterND"(%y0, %at0, %z0) {version = 18 : i64, attrs = {reduction = "add"}} : (tensor<?x4xf32>, tensor<?x1xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %e1 = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %m1 = onnx.node "Gather"(%k2, %e1) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?xi64>
  %n1 = onnx.node "NonZero"(%m1) {version = 13 : i64} : (tensor<?xi64>) -> tensor<1x?xi64>
  %at1 = onnx.node "Transpose"(%n1) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<1x?xi64>) -> tensor<?x1xi64>
  %r1 = onnx.node "GatherND"(%t, %at1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %u1 = onnx.node "MatMul"(%r1, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %h1 = onnx.node "Relu"(%u1) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %d1 = onnx.node "MatMul"(%h1, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %flat1 = onnx.node "Reshape"(%at1, %vector) {version = 14 : i64} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %w1 = onnx.node "Gather"(%gc, %flat1) {version = 13 : i64} : (tensor<?x1xf32>, tensor<?xi64>) -> tensor<?x1xf32>
  %z1 = onnx.node "Mul"(%d1, %w1) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %y2 = onnx.node "ScatterND"(%y1, %at1, %z1) {version = 18 : i64, attrs = {reduction = "add"}} : (tensor<?x4xf32>, tensor<?x1xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y2 : tensor<?x4xf32>
}
