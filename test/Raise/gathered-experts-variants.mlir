// RUN: moe-opt %s --split-input-file --moe-raise-gathered-experts | FileCheck %s

// Gate and linear rows are swapped: the rows are taken as they are used.
// CHECK-LABEL: func.func @swapped
// CHECK-DAG: %[[G:.*]] = tensor.extract_slice %{{.*}}[0, 32, 0] [8, 32, 64] [1, 1, 1]
// CHECK-DAG: %[[U:.*]] = tensor.extract_slice %{{.*}}[0, 0, 0] [8, 32, 64] [1, 1, 1]
// CHECK: moe.experts {{.*}} w1 %[[G]] w2 %{{.*}} w3 %[[U]] activation(<kind = swiglu, layout = separate>)
moe.weight @gu : tensor<8x64x64xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<8x32x64xf32> source(#moe.splat<1.0>)
func.func @swapped(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<8x64x64xf32>
  %dn = moe.load_weight @dn : tensor<8x32x64xf32>
  %one = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %gate0 = onnx.constant dense<32> : tensor<1xi64> : tensor<1xi64>
  %gate1 = onnx.constant dense<64> : tensor<1xi64> : tensor<1xi64>
  %up0 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %up1 = onnx.constant dense<32> : tensor<1xi64> : tensor<1xi64>
  %axis = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %axes = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %x4 = onnx.node "Unsqueeze"(%x, %axes) {version = 13 : i64} : (tensor<?x64xf32>, tensor<2xi64>) -> tensor<?x1x1x64xf32>
  %w1 = onnx.node "Gather"(%gu, %ids) {version = 13 : i64} : (tensor<8x64x64xf32>, tensor<?x2xi64>) -> tensor<?x2x64x64xf32>
  %m1 = onnx.node "MatMul"(%x4, %w1) {version = 13 : i64} : (tensor<?x1x1x64xf32>, tensor<?x2x64x64xf32>) -> tensor<?x2x1x64xf32>
  %h = onnx.node "Squeeze"(%m1, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %g = onnx.node "Slice"(%h, %gate0, %gate1, %last) {version = 13 : i64} : (tensor<?x2x64xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x32xf32>
  %u = onnx.node "Slice"(%h, %up0, %up1, %last) {version = 13 : i64} : (tensor<?x2x64xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x32xf32>
  %s = onnx.node "Sigmoid"(%g) {version = 13 : i64} : (tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %ac = onnx.node "Unsqueeze"(%act, %two) {version = 13 : i64} : (tensor<?x2x32xf32>, tensor<1xi64>) -> tensor<?x2x1x32xf32>
  %w2 = onnx.node "Gather"(%dn, %ids) {version = 13 : i64} : (tensor<8x32x64xf32>, tensor<?x2xi64>) -> tensor<?x2x32x64xf32>
  %m2 = onnx.node "MatMul"(%ac, %w2) {version = 13 : i64, name = "down"} : (tensor<?x2x1x32xf32>, tensor<?x2x32x64xf32>) -> tensor<?x2x1x64xf32>
  %o = onnx.node "Squeeze"(%m2, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %gu2 = onnx.node "Unsqueeze"(%gates, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %wo = onnx.node "Mul"(%o, %gu2) {version = 14 : i64, name = "weighted"} : (tensor<?x2x64xf32>, tensor<?x2x1xf32>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%wo, %axis) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// CHECK-LABEL: func.func @clamped
// CHECK: moe.experts {{.*}} activation(<kind = swiglu, layout = concatenated, limit = 7.000000e+00>)
moe.weight @gu : tensor<8x64x64xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<8x32x64xf32> source(#moe.splat<1.0>)
func.func @clamped(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<8x64x64xf32>
  %dn = moe.load_weight @dn : tensor<8x32x64xf32>
  %one = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %gate0 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %gate1 = onnx.constant dense<32> : tensor<1xi64> : tensor<1xi64>
  %up0 = onnx.constant dense<32> : tensor<1xi64> : tensor<1xi64>
  %up1 = onnx.constant dense<64> : tensor<1xi64> : tensor<1xi64>
  %axis = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %axes = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %x4 = onnx.node "Unsqueeze"(%x, %axes) {version = 13 : i64} : (tensor<?x64xf32>, tensor<2xi64>) -> tensor<?x1x1x64xf32>
  %w1 = onnx.node "Gather"(%gu, %ids) {version = 13 : i64} : (tensor<8x64x64xf32>, tensor<?x2xi64>) -> tensor<?x2x64x64xf32>
  %m1 = onnx.node "MatMul"(%x4, %w1) {version = 13 : i64} : (tensor<?x1x1x64xf32>, tensor<?x2x64x64xf32>) -> tensor<?x2x1x64xf32>
  %h = onnx.node "Squeeze"(%m1, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %g = onnx.node "Slice"(%h, %gate0, %gate1, %last) {version = 13 : i64} : (tensor<?x2x64xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x32xf32>
  %u = onnx.node "Slice"(%h, %up0, %up1, %last) {version = 13 : i64} : (tensor<?x2x64xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x32xf32>
  %gl = onnx.constant dense<7.0> : tensor<f32> : tensor<f32>
  %lo = onnx.constant dense<-7.0> : tensor<f32> : tensor<f32>
  %hi = onnx.constant dense<7.0> : tensor<f32> : tensor<f32>
  %none = onnx.absent
  %gc = onnx.node "Clip"(%g, %none, %gl) {version = 13 : i64} : (tensor<?x2x32xf32>, none, tensor<f32>) -> tensor<?x2x32xf32>
  %uc = onnx.node "Clip"(%u, %lo, %hi) {version = 13 : i64} : (tensor<?x2x32xf32>, tensor<f32>, tensor<f32>) -> tensor<?x2x32xf32>
  %s = onnx.node "Sigmoid"(%gc) {version = 13 : i64} : (tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %silu = onnx.node "Mul"(%gc, %s) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %act = onnx.node "Mul"(%silu, %uc) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %ac = onnx.node "Unsqueeze"(%act, %two) {version = 13 : i64} : (tensor<?x2x32xf32>, tensor<1xi64>) -> tensor<?x2x1x32xf32>
  %w2 = onnx.node "Gather"(%dn, %ids) {version = 13 : i64} : (tensor<8x32x64xf32>, tensor<?x2xi64>) -> tensor<?x2x32x64xf32>
  %m2 = onnx.node "MatMul"(%ac, %w2) {version = 13 : i64, name = "down"} : (tensor<?x2x1x32xf32>, tensor<?x2x32x64xf32>) -> tensor<?x2x1x64xf32>
  %o = onnx.node "Squeeze"(%m2, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %gu2 = onnx.node "Unsqueeze"(%gates, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %wo = onnx.node "Mul"(%o, %gu2) {version = 14 : i64, name = "weighted"} : (tensor<?x2x64xf32>, tensor<?x2x1xf32>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%wo, %axis) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// Without gates each selected expert counts once.
// CHECK-LABEL: func.func @without_gates
// CHECK: %[[ONES:.*]] = onnx.node "ConstantOfShape"({{.*}} {attrs = {value = dense<1.000000e+00> : tensor<1xf32>}
// CHECK: moe.experts %arg0 routed(%{{.*}}, %[[ONES]])
moe.weight @gu : tensor<8x64x64xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<8x32x64xf32> source(#moe.splat<1.0>)
func.func @without_gates(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<8x64x64xf32>
  %dn = moe.load_weight @dn : tensor<8x32x64xf32>
  %one = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %gate0 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %gate1 = onnx.constant dense<32> : tensor<1xi64> : tensor<1xi64>
  %up0 = onnx.constant dense<32> : tensor<1xi64> : tensor<1xi64>
  %up1 = onnx.constant dense<64> : tensor<1xi64> : tensor<1xi64>
  %axis = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %axes = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %x4 = onnx.node "Unsqueeze"(%x, %axes) {version = 13 : i64} : (tensor<?x64xf32>, tensor<2xi64>) -> tensor<?x1x1x64xf32>
  %w1 = onnx.node "Gather"(%gu, %ids) {version = 13 : i64} : (tensor<8x64x64xf32>, tensor<?x2xi64>) -> tensor<?x2x64x64xf32>
  %m1 = onnx.node "MatMul"(%x4, %w1) {version = 13 : i64} : (tensor<?x1x1x64xf32>, tensor<?x2x64x64xf32>) -> tensor<?x2x1x64xf32>
  %h = onnx.node "Squeeze"(%m1, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %g = onnx.node "Slice"(%h, %gate0, %gate1, %last) {version = 13 : i64} : (tensor<?x2x64xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x32xf32>
  %u = onnx.node "Slice"(%h, %up0, %up1, %last) {version = 13 : i64} : (tensor<?x2x64xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x32xf32>
  %s = onnx.node "Sigmoid"(%g) {version = 13 : i64} : (tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %ac = onnx.node "Unsqueeze"(%act, %two) {version = 13 : i64} : (tensor<?x2x32xf32>, tensor<1xi64>) -> tensor<?x2x1x32xf32>
  %w2 = onnx.node "Gather"(%dn, %ids) {version = 13 : i64} : (tensor<8x32x64xf32>, tensor<?x2xi64>) -> tensor<?x2x32x64xf32>
  %m2 = onnx.node "MatMul"(%ac, %w2) {version = 13 : i64, name = "down"} : (tensor<?x2x1x32xf32>, tensor<?x2x32x64xf32>) -> tensor<?x2x1x64xf32>
  %o = onnx.node "Squeeze"(%m2, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%o, %axis) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// The gates multiply the activation: they may as well multiply the output.
// CHECK-LABEL: func.func @gates_on_activation
// CHECK: moe.experts %arg0 routed(%{{.*}}, %arg2) {{.*}} activation(<kind = swiglu, layout = concatenated>)
moe.weight @gu : tensor<8x64x64xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<8x32x64xf32> source(#moe.splat<1.0>)
func.func @gates_on_activation(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<8x64x64xf32>
  %dn = moe.load_weight @dn : tensor<8x32x64xf32>
  %one = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %gate0 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %gate1 = onnx.constant dense<32> : tensor<1xi64> : tensor<1xi64>
  %up0 = onnx.constant dense<32> : tensor<1xi64> : tensor<1xi64>
  %up1 = onnx.constant dense<64> : tensor<1xi64> : tensor<1xi64>
  %axis = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %axes = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %x4 = onnx.node "Unsqueeze"(%x, %axes) {version = 13 : i64} : (tensor<?x64xf32>, tensor<2xi64>) -> tensor<?x1x1x64xf32>
  %w1 = onnx.node "Gather"(%gu, %ids) {version = 13 : i64} : (tensor<8x64x64xf32>, tensor<?x2xi64>) -> tensor<?x2x64x64xf32>
  %m1 = onnx.node "MatMul"(%x4, %w1) {version = 13 : i64} : (tensor<?x1x1x64xf32>, tensor<?x2x64x64xf32>) -> tensor<?x2x1x64xf32>
  %h = onnx.node "Squeeze"(%m1, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %g = onnx.node "Slice"(%h, %gate0, %gate1, %last) {version = 13 : i64} : (tensor<?x2x64xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x32xf32>
  %u = onnx.node "Slice"(%h, %up0, %up1, %last) {version = 13 : i64} : (tensor<?x2x64xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x32xf32>
  %s = onnx.node "Sigmoid"(%g) {version = 13 : i64} : (tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %gq = onnx.node "Unsqueeze"(%gates, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %ga = onnx.node "Mul"(%act, %gq) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x1xf32>) -> tensor<?x2x32xf32>
  %ac = onnx.node "Unsqueeze"(%ga, %two) {version = 13 : i64} : (tensor<?x2x32xf32>, tensor<1xi64>) -> tensor<?x2x1x32xf32>
  %w2 = onnx.node "Gather"(%dn, %ids) {version = 13 : i64} : (tensor<8x32x64xf32>, tensor<?x2xi64>) -> tensor<?x2x32x64xf32>
  %m2 = onnx.node "MatMul"(%ac, %w2) {version = 13 : i64, name = "down"} : (tensor<?x2x1x32xf32>, tensor<?x2x32x64xf32>) -> tensor<?x2x1x64xf32>
  %o = onnx.node "Squeeze"(%m2, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%o, %axis) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// Llama 4: the gates multiply the tokens.
// CHECK-LABEL: func.func @gates_on_input
// CHECK: moe.experts %arg0 routed(%{{.*}}, %arg2) {{.*}} activation(<kind = swiglu, layout = concatenated>) {{.*}}weight_on = #moe.weight_on<input>
moe.weight @gu : tensor<8x64x64xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<8x32x64xf32> source(#moe.splat<1.0>)
func.func @gates_on_input(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<8x64x64xf32>
  %dn = moe.load_weight @dn : tensor<8x32x64xf32>
  %one = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %gate0 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %gate1 = onnx.constant dense<32> : tensor<1xi64> : tensor<1xi64>
  %up0 = onnx.constant dense<32> : tensor<1xi64> : tensor<1xi64>
  %up1 = onnx.constant dense<64> : tensor<1xi64> : tensor<1xi64>
  %axis = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %gaxes = onnx.constant dense<[2, 3]> : tensor<2xi64> : tensor<2xi64>
  %axes = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %x4 = onnx.node "Unsqueeze"(%x, %axes) {version = 13 : i64} : (tensor<?x64xf32>, tensor<2xi64>) -> tensor<?x1x1x64xf32>
  %gt = onnx.node "Unsqueeze"(%gates, %gaxes) {version = 13 : i64} : (tensor<?x2xf32>, tensor<2xi64>) -> tensor<?x2x1x1xf32>
  %xg = onnx.node "Mul"(%x4, %gt) {version = 14 : i64} : (tensor<?x1x1x64xf32>, tensor<?x2x1x1xf32>) -> tensor<?x2x1x64xf32>
  %w1 = onnx.node "Gather"(%gu, %ids) {version = 13 : i64} : (tensor<8x64x64xf32>, tensor<?x2xi64>) -> tensor<?x2x64x64xf32>
  %m1 = onnx.node "MatMul"(%xg, %w1) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<?x2x64x64xf32>) -> tensor<?x2x1x64xf32>
  %h = onnx.node "Squeeze"(%m1, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %g = onnx.node "Slice"(%h, %gate0, %gate1, %last) {version = 13 : i64} : (tensor<?x2x64xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x32xf32>
  %u = onnx.node "Slice"(%h, %up0, %up1, %last) {version = 13 : i64} : (tensor<?x2x64xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x32xf32>
  %s = onnx.node "Sigmoid"(%g) {version = 13 : i64} : (tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %ac = onnx.node "Unsqueeze"(%act, %two) {version = 13 : i64} : (tensor<?x2x32xf32>, tensor<1xi64>) -> tensor<?x2x1x32xf32>
  %w2 = onnx.node "Gather"(%dn, %ids) {version = 13 : i64} : (tensor<8x32x64xf32>, tensor<?x2xi64>) -> tensor<?x2x32x64xf32>
  %m2 = onnx.node "MatMul"(%ac, %w2) {version = 13 : i64, name = "down"} : (tensor<?x2x1x32xf32>, tensor<?x2x32x64xf32>) -> tensor<?x2x1x64xf32>
  %o = onnx.node "Squeeze"(%m2, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%o, %axis) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
