// RUN: moe-opt %s --split-input-file --moe-raise-gathered-experts 2>&1 | FileCheck %s

// dynamo: GatherND on flattened ids, repeated tokens, Split, gates on the output.
// CHECK-LABEL: func.func @dynamo
// CHECK: %[[IDS:.*]] = onnx.node "Cast"(%{{.*}}#1) {{.*}} -> tensor<?x2xi32>
// CHECK: moe.experts %arg0 routed(%[[IDS]], %arg2) w1 %{{.*}} w2 %{{.*}} activation(<kind = swiglu, layout = concatenated>)
// CHECK-SAME: form = "gathered", label = "down"
// CHECK-NOT: GatherND
moe.weight @gu : tensor<8x128x64xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<8x64x64xf32> source(#moe.splat<1.0>)
func.func @dynamo(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %logits: tensor<?x8xf32> {onnx.dims = ["t", ""]},
    %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<8x128x64xf32>
  %dn = moe.load_weight @dn : tensor<8x64x64xf32>
  %one = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %rep = onnx.constant dense<[1, 2, 1]> : tensor<3xi64> : tensor<3xi64>
  %rows = onnx.constant dense<[-1, 64]> : tensor<2xi64> : tensor<2xi64>
  %slots = onnx.constant dense<[-1, 2, 64]> : tensor<3xi64> : tensor<3xi64>
  %v, %ids = onnx.node "TopK"(%logits, %two) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %x3 = onnx.node "Unsqueeze"(%x, %one) {version = 13 : i64} : (tensor<?x64xf32>, tensor<1xi64>) -> tensor<?x1x64xf32>
  %xr = onnx.node "Expand"(%x3, %rep) {version = 13 : i64} : (tensor<?x1x64xf32>, tensor<3xi64>) -> tensor<?x2x64xf32>
  %xf = onnx.node "Reshape"(%xr, %rows) {version = 14 : i64} : (tensor<?x2x64xf32>, tensor<2xi64>) -> tensor<?x64xf32>
  %xc = onnx.node "Unsqueeze"(%xf, %last) {version = 13 : i64} : (tensor<?x64xf32>, tensor<1xi64>) -> tensor<?x64x1xf32>
  %flat = onnx.node "Reshape"(%ids, %last) {version = 14 : i64} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %tuple = onnx.node "Unsqueeze"(%flat, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %w1 = onnx.node "GatherND"(%gu, %tuple) {version = 13 : i64} : (tensor<8x128x64xf32>, tensor<?x1xi64>) -> tensor<?x128x64xf32>
  %m1 = onnx.node "MatMul"(%w1, %xc) {version = 13 : i64} : (tensor<?x128x64xf32>, tensor<?x64x1xf32>) -> tensor<?x128x1xf32>
  %h = onnx.node "Squeeze"(%m1, %last) {version = 13 : i64} : (tensor<?x128x1xf32>, tensor<1xi64>) -> tensor<?x128xf32>
  %g, %u = onnx.node "Split"(%h) {version = 18 : i64, attrs = {axis = 1 : i64, num_outputs = 2 : i64}} : (tensor<?x128xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>)
  %s = onnx.node "Sigmoid"(%g) {version = 13 : i64} : (tensor<?x64xf32>) -> tensor<?x64xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %ac = onnx.node "Unsqueeze"(%act, %last) {version = 13 : i64} : (tensor<?x64xf32>, tensor<1xi64>) -> tensor<?x64x1xf32>
  %w2 = onnx.node "GatherND"(%dn, %tuple) {version = 13 : i64} : (tensor<8x64x64xf32>, tensor<?x1xi64>) -> tensor<?x64x64xf32>
  %m2 = onnx.node "MatMul"(%w2, %ac) {version = 13 : i64, name = "down"} : (tensor<?x64x64xf32>, tensor<?x64x1xf32>) -> tensor<?x64x1xf32>
  %o = onnx.node "Squeeze"(%m2, %last) {version = 13 : i64} : (tensor<?x64x1xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  %gf = onnx.node "Reshape"(%gates, %last) {version = 14 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %gc = onnx.node "Unsqueeze"(%gf, %last) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %wo = onnx.node "Mul"(%o, %gc) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x1xf32>) -> tensor<?x64xf32>
  %ws = onnx.node "Reshape"(%wo, %slots) {version = 14 : i64} : (tensor<?x64xf32>, tensor<3xi64>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%ws, %one) {version = 13 : i64, attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// TorchScript: Gather on ids [T, K], weights [E, in, out], computed slice bounds, biases; ids may be negative.
// CHECK-LABEL: func.func @torchscript
// CHECK-DAG: %[[W1:.*]] = linalg.transpose {{.*}} permutation = [0, 2, 1]
// CHECK-DAG: %[[N:.*]] = onnx.node "Less"(%arg1
// CHECK-DAG: onnx.node "Where"(%[[N]]
// CHECK: moe.experts %arg0 {{.*}} b1 %{{.*}} b2 %{{.*}} activation(<kind = geglu, layout = concatenated>)
moe.weight @gu : tensor<8x64x128xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x128xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<8x64x64xf32> source(#moe.splat<1.0>)
moe.weight @b2 : tensor<8x64xf32> source(#moe.splat<1.0>)
func.func @torchscript(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %ids: tensor<?x2xi64> {onnx.dims = ["t", ""]},
    %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<8x64x128xf32>
  %b1 = moe.load_weight @b1 : tensor<8x128xf32>
  %dn = moe.load_weight @dn : tensor<8x64x64xf32>
  %b2 = moe.load_weight @b2 : tensor<8x64xf32>
  %zero = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %one = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %axes = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %x4 = onnx.node "Unsqueeze"(%x, %axes) {version = 13 : i64} : (tensor<?x64xf32>, tensor<2xi64>) -> tensor<?x1x1x64xf32>
  %w1 = onnx.node "Gather"(%gu, %ids) {version = 13 : i64} : (tensor<8x64x128xf32>, tensor<?x2xi64>) -> tensor<?x2x64x128xf32>
  %m1 = onnx.node "MatMul"(%x4, %w1) {version = 13 : i64} : (tensor<?x1x1x64xf32>, tensor<?x2x64x128xf32>) -> tensor<?x2x1x128xf32>
  %h0 = onnx.node "Squeeze"(%m1, %two) {version = 13 : i64} : (tensor<?x2x1x128xf32>, tensor<1xi64>) -> tensor<?x2x128xf32>
  %hb = onnx.node "Gather"(%b1, %ids) {version = 13 : i64} : (tensor<8x128xf32>, tensor<?x2xi64>) -> tensor<?x2x128xf32>
  %h = onnx.node "Add"(%h0, %hb) {version = 14 : i64} : (tensor<?x2x128xf32>, tensor<?x2x128xf32>) -> tensor<?x2x128xf32>
  %shape = onnx.node "Shape"(%h) {version = 13 : i64} : (tensor<?x2x128xf32>) -> tensor<3xi64>
  %n = onnx.node "Gather"(%shape, %last) {version = 13 : i64} : (tensor<3xi64>, tensor<1xi64>) -> tensor<1xi64>
  %half = onnx.node "Div"(%n, %two) {version = 14 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %full = onnx.node "Mul"(%half, %two) {version = 14 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %g = onnx.node "Slice"(%h, %zero, %half, %last) {version = 13 : i64} : (tensor<?x2x128xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x?xf32>
  %u = onnx.node "Slice"(%h, %half, %full, %last) {version = 13 : i64} : (tensor<?x2x128xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x?xf32>
  %root = onnx.constant dense<1.41421354> : tensor<f32> : tensor<f32>
  %unit = onnx.constant dense<1.0> : tensor<f32> : tensor<f32>
  %point5 = onnx.constant dense<0.5> : tensor<f32> : tensor<f32>
  %e0 = onnx.node "Div"(%g, %root) {version = 14 : i64} : (tensor<?x2x?xf32>, tensor<f32>) -> tensor<?x2x?xf32>
  %e1 = onnx.node "Erf"(%e0) {version = 13 : i64} : (tensor<?x2x?xf32>) -> tensor<?x2x?xf32>
  %e2 = onnx.node "Add"(%e1, %unit) {version = 14 : i64} : (tensor<?x2x?xf32>, tensor<f32>) -> tensor<?x2x?xf32>
  %e3 = onnx.node "Mul"(%g, %e2) {version = 14 : i64} : (tensor<?x2x?xf32>, tensor<?x2x?xf32>) -> tensor<?x2x?xf32>
  %e4 = onnx.node "Mul"(%e3, %point5) {version = 14 : i64} : (tensor<?x2x?xf32>, tensor<f32>) -> tensor<?x2x?xf32>
  %act = onnx.node "Mul"(%e4, %u) {version = 14 : i64} : (tensor<?x2x?xf32>, tensor<?x2x?xf32>) -> tensor<?x2x?xf32>
  %ac = onnx.node "Unsqueeze"(%act, %two) {version = 13 : i64} : (tensor<?x2x?xf32>, tensor<1xi64>) -> tensor<?x2x1x?xf32>
  %w2 = onnx.node "Gather"(%dn, %ids) {version = 13 : i64} : (tensor<8x64x64xf32>, tensor<?x2xi64>) -> tensor<?x2x64x64xf32>
  %m2 = onnx.node "MatMul"(%ac, %w2) {version = 13 : i64} : (tensor<?x2x1x?xf32>, tensor<?x2x64x64xf32>) -> tensor<?x2x1x64xf32>
  %o0 = onnx.node "Squeeze"(%m2, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %ob = onnx.node "Gather"(%b2, %ids) {version = 13 : i64} : (tensor<8x64xf32>, tensor<?x2xi64>) -> tensor<?x2x64xf32>
  %o = onnx.node "Add"(%o0, %ob) {version = 14 : i64} : (tensor<?x2x64xf32>, tensor<?x2x64xf32>) -> tensor<?x2x64xf32>
  %gc = onnx.node "Unsqueeze"(%gates, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %wo = onnx.node "Mul"(%gc, %o) {version = 14 : i64} : (tensor<?x2x1xf32>, tensor<?x2x64xf32>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%wo, %one) {version = 13 : i64, attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
