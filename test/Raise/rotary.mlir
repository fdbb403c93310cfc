// RUN: moe-opt %s --moe-raise-rotary | FileCheck %s

// Two Slices; the halves are equal because the angles are concatenated with themselves.
// CHECK-LABEL: func.func @slices
// CHECK: %[[COS:.*]] = onnx.node "Slice"({{.*}} -> tensor<1x?x8xf32>
// CHECK: %[[SIN:.*]] = onnx.node "Slice"({{.*}} -> tensor<1x?x8xf32>
// CHECK: nn.rotary %arg0, %[[COS]], %[[SIN]] interleaved false : (tensor<?x4x?x16xf32>
// CHECK-NOT: onnx.node "Neg"
func.func @slices(%x: tensor<?x4x?x16xf32> {onnx.dims = ["b", "", "s", ""]},
    %f: tensor<1x?x8xf32> {onnx.dims = ["", "s", ""]}) -> tensor<?x4x?x16xf32> {
  %zero = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %one = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %three = onnx.constant dense<3> : tensor<1xi64> : tensor<1xi64>
  %half = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %max = onnx.constant dense<9223372036854775807> : tensor<1xi64> : tensor<1xi64>
  %a = onnx.node "Concat"(%f, %f) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<1x?x8xf32>, tensor<1x?x8xf32>) -> tensor<1x?x16xf32>
  %c3 = onnx.node "Cos"(%a) {version = 7 : i64} : (tensor<1x?x16xf32>) -> tensor<1x?x16xf32>
  %s3 = onnx.node "Sin"(%a) {version = 7 : i64} : (tensor<1x?x16xf32>) -> tensor<1x?x16xf32>
  %c = onnx.node "Unsqueeze"(%c3, %one) {version = 13 : i64} : (tensor<1x?x16xf32>, tensor<1xi64>) -> tensor<1x1x?x16xf32>
  %s = onnx.node "Unsqueeze"(%s3, %one) {version = 13 : i64} : (tensor<1x?x16xf32>, tensor<1xi64>) -> tensor<1x1x?x16xf32>
  %x1 = onnx.node "Slice"(%x, %zero, %half, %three, %one) {version = 13 : i64} : (tensor<?x4x?x16xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x4x?x8xf32>
  %x2 = onnx.node "Slice"(%x, %half, %max, %three, %one) {version = 13 : i64} : (tensor<?x4x?x16xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x4x?x8xf32>
  %n = onnx.node "Neg"(%x2) {version = 13 : i64} : (tensor<?x4x?x8xf32>) -> tensor<?x4x?x8xf32>
  %r = onnx.node "Concat"(%n, %x1) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x4x?x8xf32>, tensor<?x4x?x8xf32>) -> tensor<?x4x?x16xf32>
  %p = onnx.node "Mul"(%x, %c) {version = 14 : i64} : (tensor<?x4x?x16xf32>, tensor<1x1x?x16xf32>) -> tensor<?x4x?x16xf32>
  %q = onnx.node "Mul"(%r, %s) {version = 14 : i64} : (tensor<?x4x?x16xf32>, tensor<1x1x?x16xf32>) -> tensor<?x4x?x16xf32>
  %y = onnx.node "Add"(%p, %q) {version = 14 : i64} : (tensor<?x4x?x16xf32>, tensor<?x4x?x16xf32>) -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// Split; the frequencies are a constant with equal halves.
// CHECK-LABEL: func.func @split
// CHECK: nn.rotary %arg0
func.func @split(%x: tensor<?x4x?x4xf32> {onnx.dims = ["b", "", "s", ""]},
    %pos: tensor<?x1x?x1xf32> {onnx.dims = ["b", "", "s", ""]}) -> tensor<?x4x?x4xf32> {
  %f = onnx.constant dense<[1.0, 0.5, 1.0, 0.5]> : tensor<4xf32> : tensor<4xf32>
  %a = onnx.node "Mul"(%pos, %f) {version = 14 : i64} : (tensor<?x1x?x1xf32>, tensor<4xf32>) -> tensor<?x1x?x4xf32>
  %c = onnx.node "Cos"(%a) {version = 7 : i64} : (tensor<?x1x?x4xf32>) -> tensor<?x1x?x4xf32>
  %s = onnx.node "Sin"(%a) {version = 7 : i64} : (tensor<?x1x?x4xf32>) -> tensor<?x1x?x4xf32>
  %x1, %x2 = onnx.node "Split"(%x) {version = 18 : i64, attrs = {axis = -1 : i64, num_outputs = 2 : i64}} : (tensor<?x4x?x4xf32>) -> (tensor<?x4x?x2xf32>, tensor<?x4x?x2xf32>)
  %n = onnx.node "Neg"(%x2) {version = 13 : i64} : (tensor<?x4x?x2xf32>) -> tensor<?x4x?x2xf32>
  %r = onnx.node "Concat"(%n, %x1) {version = 13 : i64, attrs = {axis = 3 : i64}} : (tensor<?x4x?x2xf32>, tensor<?x4x?x2xf32>) -> tensor<?x4x?x4xf32>
  %p = onnx.node "Mul"(%x, %c) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x1x?x4xf32>) -> tensor<?x4x?x4xf32>
  %q = onnx.node "Mul"(%r, %s) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x1x?x4xf32>) -> tensor<?x4x?x4xf32>
  %y = onnx.node "Add"(%p, %q) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x4x?x4xf32>) -> tensor<?x4x?x4xf32>
  return %y : tensor<?x4x?x4xf32>
}
