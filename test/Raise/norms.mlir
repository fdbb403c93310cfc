// RUN: moe-opt %s --moe-raise-norms | FileCheck %s

// dynamo: Pow, Reciprocal, the weight first.
// CHECK-LABEL: func.func @rms_norm
// CHECK: nn.rms_norm %arg0 weight %arg1 eps 9.99{{[0-9]*}}E-7 : (tensor<?x?x64xf32>, tensor<64xf32>) -> tensor<?x?x64xf32>
// CHECK-NOT: onnx.node
func.func @rms_norm(%x: tensor<?x?x64xf32>, %w: tensor<64xf32>) -> tensor<?x?x64xf32> {
  %two = onnx.constant dense<2.0> : tensor<f32> : tensor<f32>
  %eps = onnx.constant dense<1.0e-6> : tensor<f32> : tensor<f32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "Pow"(%x, %two) {version = 15 : i64} : (tensor<?x?x64xf32>, tensor<f32>) -> tensor<?x?x64xf32>
  %m = onnx.node "ReduceMean"(%s, %last) {version = 18 : i64} : (tensor<?x?x64xf32>, tensor<1xi64>) -> tensor<?x?x1xf32>
  %e = onnx.node "Add"(%m, %eps) {version = 14 : i64} : (tensor<?x?x1xf32>, tensor<f32>) -> tensor<?x?x1xf32>
  %r = onnx.node "Sqrt"(%e) {version = 13 : i64} : (tensor<?x?x1xf32>) -> tensor<?x?x1xf32>
  %i = onnx.node "Reciprocal"(%r) {version = 13 : i64} : (tensor<?x?x1xf32>) -> tensor<?x?x1xf32>
  %u = onnx.node "Mul"(%x, %i) {version = 14 : i64} : (tensor<?x?x64xf32>, tensor<?x?x1xf32>) -> tensor<?x?x64xf32>
  %y = onnx.node "Mul"(%w, %u) {version = 14 : i64} : (tensor<64xf32>, tensor<?x?x64xf32>) -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// The difference to the mean makes it a layer norm; axes as an attribute, Mul for the square, Div by the root.
// CHECK-LABEL: func.func @layer_norm
// CHECK: nn.layer_norm %arg0 weight %arg1 bias %arg2 eps 9.99{{[0-9]*}}E-6
// CHECK-NOT: onnx.node
func.func @layer_norm(%x: tensor<?x64xf32>, %w: tensor<64xf32>, %b: tensor<64xf32>) -> tensor<?x64xf32> {
  %eps = onnx.constant dense<1.0e-5> : tensor<f32> : tensor<f32>
  %m = onnx.node "ReduceMean"(%x) {version = 13 : i64, attrs = {axes = array<i64: -1>}} : (tensor<?x64xf32>) -> tensor<?x1xf32>
  %d = onnx.node "Sub"(%x, %m) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x1xf32>) -> tensor<?x64xf32>
  %s = onnx.node "Mul"(%d, %d) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %v = onnx.node "ReduceMean"(%s) {version = 13 : i64, attrs = {axes = array<i64: -1>}} : (tensor<?x64xf32>) -> tensor<?x1xf32>
  %e = onnx.node "Add"(%v, %eps) {version = 14 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %r = onnx.node "Sqrt"(%e) {version = 13 : i64} : (tensor<?x1xf32>) -> tensor<?x1xf32>
  %u = onnx.node "Div"(%d, %r) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x1xf32>) -> tensor<?x64xf32>
  %y = onnx.node "Mul"(%u, %w) {version = 14 : i64} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  %z = onnx.node "Add"(%y, %b) {version = 14 : i64} : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}
