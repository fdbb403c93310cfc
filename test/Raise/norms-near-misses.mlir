// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-norms | FileCheck %s

// CHECK-NOT: nn.rms_norm

// Another tensor is divided.
func.func @other_input(%x: tensor<?x64xf32>, %z: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %eps = onnx.constant dense<1.0e-6> : tensor<f32> : tensor<f32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "Mul"(%x, %x) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  // expected-remark @+1 {{the normalisation is not raised: the input is not divided by the root of its mean square}}
  %m = onnx.node "ReduceMean"(%s, %last) {version = 18 : i64} : (tensor<?x64xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %e = onnx.node "Add"(%m, %eps) {version = 14 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %r = onnx.node "Sqrt"(%e) {version = 13 : i64} : (tensor<?x1xf32>) -> tensor<?x1xf32>
  %y = onnx.node "Div"(%z, %r) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x1xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// The epsilon is added to the root.
func.func @epsilon_outside(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %eps = onnx.constant dense<1.0e-6> : tensor<f32> : tensor<f32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "Mul"(%x, %x) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  // expected-remark @+1 {{no constant epsilon is added to the mean of squares}}
  %m = onnx.node "ReduceMean"(%s, %last) {version = 18 : i64} : (tensor<?x64xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %r = onnx.node "Sqrt"(%m) {version = 13 : i64} : (tensor<?x1xf32>) -> tensor<?x1xf32>
  %e = onnx.node "Add"(%r, %eps) {version = 14 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %y = onnx.node "Div"(%x, %e) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x1xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// The logarithm of the mean square is not its root.
func.func @no_root(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %eps = onnx.constant dense<1.0e-6> : tensor<f32> : tensor<f32>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "Mul"(%x, %x) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  // expected-remark @+1 {{the mean of squares is not followed by a square root}}
  %m = onnx.node "ReduceMean"(%s, %last) {version = 18 : i64} : (tensor<?x64xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %e = onnx.node "Add"(%m, %eps) {version = 14 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %r = onnx.node "Log"(%e) {version = 13 : i64} : (tensor<?x1xf32>) -> tensor<?x1xf32>
  %y = onnx.node "Div"(%x, %r) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x1xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
