// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-gathered-experts

// The sum runs over the tokens, not the slots.
moe.weight @gu : tensor<8x64x64xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<8x32x64xf32> source(#moe.splat<1.0>)
func.func @sum_over_tokens(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<8x64x64xf32>
  %dn = moe.load_weight @dn : tensor<8x32x64xf32>
  %one = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %gate0 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %gate1 = onnx.constant dense<32> : tensor<1xi64> : tensor<1xi64>
  %up0 = onnx.constant dense<32> : tensor<1xi64> : tensor<1xi64>
  %up1 = onnx.constant dense<64> : tensor<1xi64> : tensor<1xi64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
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
  // expected-remark @+1 {{gathered weights are not raised: 'sum' does not sum over the slots alone}}
  %m2 = onnx.node "MatMul"(%ac, %w2) {version = 13 : i64, name = "down"} : (tensor<?x2x1x32xf32>, tensor<?x2x32x64xf32>) -> tensor<?x2x1x64xf32>
  %o = onnx.node "Squeeze"(%m2, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %gu2 = onnx.node "Unsqueeze"(%gates, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %wo = onnx.node "Mul"(%o, %gu2) {version = 14 : i64, name = "weighted"} : (tensor<?x2x64xf32>, tensor<?x2x1xf32>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%wo, %axis) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// The limits of gate and linear values differ.
moe.weight @gu : tensor<8x64x64xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<8x32x64xf32> source(#moe.splat<1.0>)
func.func @two_limits(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
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
  %lo = onnx.constant dense<-6.0> : tensor<f32> : tensor<f32>
  %hi = onnx.constant dense<6.0> : tensor<f32> : tensor<f32>
  %none = onnx.absent
  %gc = onnx.node "Clip"(%g, %none, %gl) {version = 13 : i64} : (tensor<?x2x32xf32>, none, tensor<f32>) -> tensor<?x2x32xf32>
  %uc = onnx.node "Clip"(%u, %lo, %hi) {version = 13 : i64} : (tensor<?x2x32xf32>, tensor<f32>, tensor<f32>) -> tensor<?x2x32xf32>
  %s = onnx.node "Sigmoid"(%gc) {version = 13 : i64} : (tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %silu = onnx.node "Mul"(%gc, %s) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %act = onnx.node "Mul"(%silu, %uc) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %ac = onnx.node "Unsqueeze"(%act, %two) {version = 13 : i64} : (tensor<?x2x32xf32>, tensor<1xi64>) -> tensor<?x2x1x32xf32>
  %w2 = onnx.node "Gather"(%dn, %ids) {version = 13 : i64} : (tensor<8x32x64xf32>, tensor<?x2xi64>) -> tensor<?x2x32x64xf32>
  // expected-remark @+1 {{the function between the two products is not a known activation}}
  %m2 = onnx.node "MatMul"(%ac, %w2) {version = 13 : i64, name = "down"} : (tensor<?x2x1x32xf32>, tensor<?x2x32x64xf32>) -> tensor<?x2x1x64xf32>
  %o = onnx.node "Squeeze"(%m2, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %gu2 = onnx.node "Unsqueeze"(%gates, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %wo = onnx.node "Mul"(%o, %gu2) {version = 14 : i64, name = "weighted"} : (tensor<?x2x64xf32>, tensor<?x2x1xf32>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%wo, %axis) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// x * tanh(x) * u is no known activation.
moe.weight @gu : tensor<8x64x64xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<8x32x64xf32> source(#moe.splat<1.0>)
func.func @unknown_activation(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
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
  %s = onnx.node "Tanh"(%g) {version = 13 : i64} : (tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %ac = onnx.node "Unsqueeze"(%act, %two) {version = 13 : i64} : (tensor<?x2x32xf32>, tensor<1xi64>) -> tensor<?x2x1x32xf32>
  %w2 = onnx.node "Gather"(%dn, %ids) {version = 13 : i64} : (tensor<8x32x64xf32>, tensor<?x2xi64>) -> tensor<?x2x32x64xf32>
  // expected-remark @+1 {{the function between the two products is not a known activation}}
  %m2 = onnx.node "MatMul"(%ac, %w2) {version = 13 : i64, name = "down"} : (tensor<?x2x1x32xf32>, tensor<?x2x32x64xf32>) -> tensor<?x2x1x64xf32>
  %o = onnx.node "Squeeze"(%m2, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %gu2 = onnx.node "Unsqueeze"(%gates, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %wo = onnx.node "Mul"(%o, %gu2) {version = 14 : i64, name = "weighted"} : (tensor<?x2x64xf32>, tensor<?x2x1xf32>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%wo, %axis) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// The experts' outputs are read a second time.
moe.weight @gu : tensor<8x64x64xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<8x32x64xf32> source(#moe.splat<1.0>)
func.func @used_elsewhere(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
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
  // expected-remark @+1 {{the outputs of the experts have other uses than their weighted sum}}
  %m2 = onnx.node "MatMul"(%ac, %w2) {version = 13 : i64, name = "down"} : (tensor<?x2x1x32xf32>, tensor<?x2x32x64xf32>) -> tensor<?x2x1x64xf32>
  %o = onnx.node "Squeeze"(%m2, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %gu2 = onnx.node "Unsqueeze"(%gates, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %wo = onnx.node "Mul"(%o, %gu2) {version = 14 : i64, name = "weighted"} : (tensor<?x2x64xf32>, tensor<?x2x1xf32>) -> tensor<?x2x64xf32>
  %other = onnx.node "ReduceMax"(%wo, %one) {version = 18 : i64, attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  %y = onnx.node "ReduceSum"(%wo, %axis) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %other : tensor<?x64xf32>
}

// -----
// Nothing says that x and the logits have the same number of rows: one could be 1.
moe.weight @gu : tensor<8x64x64xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<8x32x64xf32> source(#moe.splat<1.0>)
func.func @unrelated_tokens(%x: tensor<?x64xf32> {onnx.dims = ["s", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
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
  // expected-remark @+1 {{the rows of the input cannot be proven to be the tokens of the expert ids}}
  %m2 = onnx.node "MatMul"(%ac, %w2) {version = 13 : i64, name = "down"} : (tensor<?x2x1x32xf32>, tensor<?x2x32x64xf32>) -> tensor<?x2x1x64xf32>
  %o = onnx.node "Squeeze"(%m2, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %gu2 = onnx.node "Unsqueeze"(%gates, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %wo = onnx.node "Mul"(%o, %gu2) {version = 14 : i64, name = "weighted"} : (tensor<?x2x64xf32>, tensor<?x2x1xf32>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%wo, %axis) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// The two products use different experts.
moe.weight @gu : tensor<8x64x64xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<8x32x64xf32> source(#moe.splat<1.0>)
func.func @two_ids(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
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
  %v2, %ids2 = onnx.node "TopK"(%l, %two) {version = 11 : i64, attrs = {largest = 0 : i64}} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %x4 = onnx.node "Unsqueeze"(%x, %axes) {version = 13 : i64} : (tensor<?x64xf32>, tensor<2xi64>) -> tensor<?x1x1x64xf32>
  %w1 = onnx.node "Gather"(%gu, %ids) {version = 13 : i64} : (tensor<8x64x64xf32>, tensor<?x2xi64>) -> tensor<?x2x64x64xf32>
  // expected-remark @+1 {{no second product uses the same expert ids}}
  %m1 = onnx.node "MatMul"(%x4, %w1) {version = 13 : i64} : (tensor<?x1x1x64xf32>, tensor<?x2x64x64xf32>) -> tensor<?x2x1x64xf32>
  %h = onnx.node "Squeeze"(%m1, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %g = onnx.node "Slice"(%h, %gate0, %gate1, %last) {version = 13 : i64} : (tensor<?x2x64xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x32xf32>
  %u = onnx.node "Slice"(%h, %up0, %up1, %last) {version = 13 : i64} : (tensor<?x2x64xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x32xf32>
  %s = onnx.node "Sigmoid"(%g) {version = 13 : i64} : (tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x2x32xf32>, tensor<?x2x32xf32>) -> tensor<?x2x32xf32>
  %ac = onnx.node "Unsqueeze"(%act, %two) {version = 13 : i64} : (tensor<?x2x32xf32>, tensor<1xi64>) -> tensor<?x2x1x32xf32>
  %w2 = onnx.node "Gather"(%dn, %ids2) {version = 13 : i64} : (tensor<8x32x64xf32>, tensor<?x2xi64>) -> tensor<?x2x32x64xf32>
  // expected-remark @+1 {{no second product uses the same expert ids}}
  %m2 = onnx.node "MatMul"(%ac, %w2) {version = 13 : i64, name = "down"} : (tensor<?x2x1x32xf32>, tensor<?x2x32x64xf32>) -> tensor<?x2x1x64xf32>
  %o = onnx.node "Squeeze"(%m2, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %gu2 = onnx.node "Unsqueeze"(%gates, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %wo = onnx.node "Mul"(%o, %gu2) {version = 14 : i64, name = "weighted"} : (tensor<?x2x64xf32>, tensor<?x2x1xf32>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%wo, %axis) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// The second weights are an input.
moe.weight @gu : tensor<8x64x64xf32> source(#moe.splat<1.0>)
func.func @computed_weights(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]},
    %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}, %dn: tensor<8x32x64xf32>) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<8x64x64xf32>
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
  // expected-remark @+1 {{the stacked weights are not constant}}
  %m2 = onnx.node "MatMul"(%ac, %w2) {version = 13 : i64, name = "down"} : (tensor<?x2x1x32xf32>, tensor<?x2x32x64xf32>) -> tensor<?x2x1x64xf32>
  %o = onnx.node "Squeeze"(%m2, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %gu2 = onnx.node "Unsqueeze"(%gates, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %wo = onnx.node "Mul"(%o, %gu2) {version = 14 : i64, name = "weighted"} : (tensor<?x2x64xf32>, tensor<?x2x1xf32>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%wo, %axis) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// The gates multiply the activation and the output.
moe.weight @gu : tensor<8x64x64xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<8x32x64xf32> source(#moe.splat<1.0>)
func.func @gate_twice(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
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
  // expected-remark @+1 {{the function between the two products is not a known activation}}
  %m2 = onnx.node "MatMul"(%ac, %w2) {version = 13 : i64, name = "down"} : (tensor<?x2x1x32xf32>, tensor<?x2x32x64xf32>) -> tensor<?x2x1x64xf32>
  %o = onnx.node "Squeeze"(%m2, %two) {version = 13 : i64} : (tensor<?x2x1x64xf32>, tensor<1xi64>) -> tensor<?x2x64xf32>
  %gu2 = onnx.node "Unsqueeze"(%gates, %last) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %wo = onnx.node "Mul"(%o, %gu2) {version = 14 : i64, name = "weighted"} : (tensor<?x2x64xf32>, tensor<?x2x1xf32>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%wo, %axis) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// The condition is not one per slot.
moe.weight @a : tensor<3x4x8xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<3x8x4xf32> source(#moe.splat<1.0>)
func.func @condition_per_feature(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %g: tensor<?x2xf32> {onnx.dims = ["t", ""]}, %c: tensor<?x1x4xi1> {onnx.dims = ["t", "", ""]}) -> tensor<?x4xf32> {
  %none = onnx.absent
  %a = moe.load_weight @a : tensor<3x4x8xf32>
  %b = moe.load_weight @b : tensor<3x8x4xf32>
  %c0 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %c2 = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %c3 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c4 = onnx.constant dense<[1, 2, 1]> : tensor<3xi64> : tensor<3xi64>
  %c5 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %v2 = onnx.node "Clip"(%v1, %none, %c1) {version = 13 : i64} : (tensor<?x2xi64>, none, tensor<i64>) -> tensor<?x2xi64>
  %v3 = onnx.node "Unsqueeze"(%x, %c2) {version = 13 : i64} : (tensor<?x4xf32>, tensor<2xi64>) -> tensor<?x1x1x4xf32>
  %v4 = onnx.node "Gather"(%a, %v2) {version = 13 : i64} : (tensor<3x4x8xf32>, tensor<?x2xi64>) -> tensor<?x2x4x8xf32>
  %v5 = onnx.node "MatMul"(%v3, %v4) {version = 13 : i64} : (tensor<?x1x1x4xf32>, tensor<?x2x4x8xf32>) -> tensor<?x2x1x8xf32>
  %v6 = onnx.node "Relu"(%v5) {version = 14 : i64} : (tensor<?x2x1x8xf32>) -> tensor<?x2x1x8xf32>
  %v7 = onnx.node "Gather"(%b, %v2) {version = 13 : i64} : (tensor<3x8x4xf32>, tensor<?x2xi64>) -> tensor<?x2x8x4xf32>
  // expected-remark @+1 {{gathered weights are not raised: 'copy' (Where) is not part of the weighted sum over the slots}}
  %v8 = onnx.node "MatMul"(%v6, %v7) {version = 13 : i64, name = "down"} : (tensor<?x2x1x8xf32>, tensor<?x2x8x4xf32>) -> tensor<?x2x1x4xf32>
  %v9 = onnx.node "Squeeze"(%v8, %c0) {version = 13 : i64} : (tensor<?x2x1x4xf32>, tensor<1xi64>) -> tensor<?x2x4xf32>
  %v10 = onnx.node "Unsqueeze"(%x, %c3) {version = 13 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<?x1x4xf32>
  %v11 = onnx.node "Expand"(%v10, %c4) {version = 13 : i64} : (tensor<?x1x4xf32>, tensor<3xi64>) -> tensor<?x2x4xf32>
  %v12 = onnx.node "Where"(%c, %v11, %v9) {version = 16 : i64, name = "copy"} : (tensor<?x1x4xi1>, tensor<?x2x4xf32>, tensor<?x2x4xf32>) -> tensor<?x2x4xf32>
  %v13 = onnx.node "Unsqueeze"(%g, %c5) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %v14 = onnx.node "Mul"(%v12, %v13) {version = 14 : i64} : (tensor<?x2x4xf32>, tensor<?x2x1xf32>) -> tensor<?x2x4xf32>
  %v15 = onnx.node "ReduceSum"(%v14, %c3) {version = 13 : i64, attrs = {keepdims = 0 : i64}} : (tensor<?x2x4xf32>, tensor<1xi64>) -> tensor<?x4xf32>
  return %v15 : tensor<?x4xf32>
}

// -----
// The linear values are the first feature for all.
moe.weight @a : tensor<3x4x8xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<3x8x4xf32> source(#moe.splat<1.0>)
func.func @one_feature(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %ids: tensor<?x2xi64> {onnx.dims = ["t", ""]}, %g: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a = moe.load_weight @a : tensor<3x4x8xf32>
  %b = moe.load_weight @b : tensor<3x8x4xf32>
  %c0 = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %c1 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c2 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c3 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %c4 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %v0 = onnx.node "Unsqueeze"(%x, %c0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<2xi64>) -> tensor<?x1x1x4xf32>
  %v1 = onnx.node "Gather"(%a, %ids) {version = 13 : i64} : (tensor<3x4x8xf32>, tensor<?x2xi64>) -> tensor<?x2x4x8xf32>
  %v2 = onnx.node "MatMul"(%v0, %v1) {version = 13 : i64} : (tensor<?x1x1x4xf32>, tensor<?x2x4x8xf32>) -> tensor<?x2x1x8xf32>
  %v3 = onnx.node "Slice"(%v2, %c1, %c2, %c3) {version = 13 : i64} : (tensor<?x2x1x8xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x2x1x1xf32>
  %v4 = onnx.node "Relu"(%v2) {version = 14 : i64} : (tensor<?x2x1x8xf32>) -> tensor<?x2x1x8xf32>
  %v5 = onnx.node "Mul"(%v4, %v3) {version = 14 : i64, name = "gated"} : (tensor<?x2x1x8xf32>, tensor<?x2x1x1xf32>) -> tensor<?x2x1x8xf32>
  %v6 = onnx.node "Gather"(%b, %ids) {version = 13 : i64} : (tensor<3x8x4xf32>, tensor<?x2xi64>) -> tensor<?x2x8x4xf32>
  // expected-remark @+1 {{gathered weights are not raised: 'gated' pairs one feature with several}}
  %v7 = onnx.node "MatMul"(%v5, %v6) {version = 13 : i64, name = "down"} : (tensor<?x2x1x8xf32>, tensor<?x2x8x4xf32>) -> tensor<?x2x1x4xf32>
  %v8 = onnx.node "Squeeze"(%v7, %c4) {version = 13 : i64} : (tensor<?x2x1x4xf32>, tensor<1xi64>) -> tensor<?x2x4xf32>
  %v9 = onnx.node "Unsqueeze"(%g, %c3) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %v10 = onnx.node "Mul"(%v8, %v9) {version = 14 : i64} : (tensor<?x2x4xf32>, tensor<?x2x1xf32>) -> tensor<?x2x4xf32>
  %v11 = onnx.node "ReduceSum"(%v10, %c2) {version = 13 : i64, attrs = {keepdims = 0 : i64}} : (tensor<?x2x4xf32>, tensor<1xi64>) -> tensor<?x4xf32>
  return %v11 : tensor<?x4xf32>
}
