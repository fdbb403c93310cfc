// RUN: moe-opt %s --moe-raise-attention | FileCheck %s

// Keys and values repeated per query head, a finite mask [S, L].
// CHECK-LABEL: func.func @grouped_heads
// CHECK: %[[M:.*]] = onnx.node "Unsqueeze"({{.*}} -> tensor<1x1x?x?xf32>
// CHECK: nn.attention %arg0, %arg1, %arg2 mask %[[M]] scale 2.500000e-01
// CHECK-NOT: Softmax
func.func @grouped_heads(%q: tensor<?x4x?x16xf32> {onnx.dims = ["b", "", "s", ""]}, %k: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "l", ""]},
    %v: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "l", ""]}, %m: tensor<?x?xi1> {onnx.dims = ["s", "l"]}) -> tensor<?x4x?x16xf32> {
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %low = onnx.constant dense<-3.0E+38> : tensor<f32> : tensor<f32>
  %c = onnx.constant dense<0.25> : tensor<f32> : tensor<f32>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %b = onnx.node "Shape"(%k) {version = 15 : i64, attrs = {start = 0 : i64, end = 1 : i64}} : (tensor<?x2x?x16xf32>) -> tensor<1xi64>
  %l = onnx.node "Shape"(%k) {version = 15 : i64, attrs = {start = 2 : i64, end = 3 : i64}} : (tensor<?x2x?x16xf32>) -> tensor<1xi64>
  %d = onnx.constant dense<16> : tensor<1xi64> : tensor<1xi64>
  %n = onnx.constant dense<4> : tensor<1xi64> : tensor<1xi64>
  %s5 = onnx.node "Concat"(%b, %two, %two, %l, %d) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<5xi64>
  %s4 = onnx.node "Concat"(%b, %n, %l, %d) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<4xi64>
  %k5 = onnx.node "Unsqueeze"(%k, %two) {version = 13 : i64} : (tensor<?x2x?x16xf32>, tensor<1xi64>) -> tensor<?x2x1x?x16xf32>
  %ke = onnx.node "Expand"(%k5, %s5) {version = 13 : i64} : (tensor<?x2x1x?x16xf32>, tensor<5xi64>) -> tensor<?x2x2x?x16xf32>
  %kr = onnx.node "Reshape"(%ke, %s4) {version = 14 : i64} : (tensor<?x2x2x?x16xf32>, tensor<4xi64>) -> tensor<?x4x?x16xf32>
  %v5 = onnx.node "Unsqueeze"(%v, %two) {version = 13 : i64} : (tensor<?x2x?x16xf32>, tensor<1xi64>) -> tensor<?x2x1x?x16xf32>
  %ve = onnx.node "Expand"(%v5, %s5) {version = 13 : i64} : (tensor<?x2x1x?x16xf32>, tensor<5xi64>) -> tensor<?x2x2x?x16xf32>
  %vr = onnx.node "Reshape"(%ve, %s4) {version = 14 : i64} : (tensor<?x2x2x?x16xf32>, tensor<4xi64>) -> tensor<?x4x?x16xf32>
  %kt = onnx.node "Transpose"(%kr) {version = 13 : i64, attrs = {perm = array<i64: 0, 1, 3, 2>}} : (tensor<?x4x?x16xf32>) -> tensor<?x4x16x?xf32>
  %s = onnx.node "MatMul"(%q, %kt) {version = 13 : i64} : (tensor<?x4x?x16xf32>, tensor<?x4x16x?xf32>) -> tensor<?x4x?x?xf32>
  %sc = onnx.node "Mul"(%s, %c) {version = 14 : i64} : (tensor<?x4x?x?xf32>, tensor<f32>) -> tensor<?x4x?x?xf32>
  %ma = onnx.node "Where"(%m, %zero, %low) {version = 16 : i64} : (tensor<?x?xi1>, tensor<f32>, tensor<f32>) -> tensor<?x?xf32>
  %sm = onnx.node "Add"(%sc, %ma) {version = 14 : i64} : (tensor<?x4x?x?xf32>, tensor<?x?xf32>) -> tensor<?x4x?x?xf32>
  %p = onnx.node "Softmax"(%sm) {version = 13 : i64} : (tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %y = onnx.node "MatMul"(%p, %vr) {version = 13 : i64} : (tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32>) -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// Infinities in the mask, NaN replaced by 0.
// CHECK-LABEL: func.func @guarded
// CHECK: nn.attention %arg0, %arg1, %arg2 mask {{.*}}nan_to_zero = true
// CHECK-NOT: IsNaN
func.func @guarded(%q: tensor<?x4x?x16xf32> {onnx.dims = ["b", "", "s", ""]}, %k: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "l", ""]},
    %v: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "l", ""]}, %m: tensor<?x?xi1> {onnx.dims = ["s", "l"]}) -> tensor<?x4x?x16xf32> {
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %low = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %c = onnx.constant dense<0.25> : tensor<f32> : tensor<f32>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %b = onnx.node "Shape"(%k) {version = 15 : i64, attrs = {start = 0 : i64, end = 1 : i64}} : (tensor<?x2x?x16xf32>) -> tensor<1xi64>
  %l = onnx.node "Shape"(%k) {version = 15 : i64, attrs = {start = 2 : i64, end = 3 : i64}} : (tensor<?x2x?x16xf32>) -> tensor<1xi64>
  %d = onnx.constant dense<16> : tensor<1xi64> : tensor<1xi64>
  %n = onnx.constant dense<4> : tensor<1xi64> : tensor<1xi64>
  %s5 = onnx.node "Concat"(%b, %two, %two, %l, %d) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<5xi64>
  %s4 = onnx.node "Concat"(%b, %n, %l, %d) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<4xi64>
  %k5 = onnx.node "Unsqueeze"(%k, %two) {version = 13 : i64} : (tensor<?x2x?x16xf32>, tensor<1xi64>) -> tensor<?x2x1x?x16xf32>
  %ke = onnx.node "Expand"(%k5, %s5) {version = 13 : i64} : (tensor<?x2x1x?x16xf32>, tensor<5xi64>) -> tensor<?x2x2x?x16xf32>
  %kr = onnx.node "Reshape"(%ke, %s4) {version = 14 : i64} : (tensor<?x2x2x?x16xf32>, tensor<4xi64>) -> tensor<?x4x?x16xf32>
  %v5 = onnx.node "Unsqueeze"(%v, %two) {version = 13 : i64} : (tensor<?x2x?x16xf32>, tensor<1xi64>) -> tensor<?x2x1x?x16xf32>
  %ve = onnx.node "Expand"(%v5, %s5) {version = 13 : i64} : (tensor<?x2x1x?x16xf32>, tensor<5xi64>) -> tensor<?x2x2x?x16xf32>
  %vr = onnx.node "Reshape"(%ve, %s4) {version = 14 : i64} : (tensor<?x2x2x?x16xf32>, tensor<4xi64>) -> tensor<?x4x?x16xf32>
  %kt = onnx.node "Transpose"(%kr) {version = 13 : i64, attrs = {perm = array<i64: 0, 1, 3, 2>}} : (tensor<?x4x?x16xf32>) -> tensor<?x4x16x?xf32>
  %s = onnx.node "MatMul"(%q, %kt) {version = 13 : i64} : (tensor<?x4x?x16xf32>, tensor<?x4x16x?xf32>) -> tensor<?x4x?x?xf32>
  %sc = onnx.node "Mul"(%s, %c) {version = 14 : i64} : (tensor<?x4x?x?xf32>, tensor<f32>) -> tensor<?x4x?x?xf32>
  %ma = onnx.node "Where"(%m, %zero, %low) {version = 16 : i64} : (tensor<?x?xi1>, tensor<f32>, tensor<f32>) -> tensor<?x?xf32>
  %sm = onnx.node "Add"(%sc, %ma) {version = 14 : i64} : (tensor<?x4x?x?xf32>, tensor<?x?xf32>) -> tensor<?x4x?x?xf32>
  %p = onnx.node "Softmax"(%sm) {version = 13 : i64} : (tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %nan = onnx.node "IsNaN"(%p) {version = 20 : i64} : (tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xi1>
  %w = onnx.node "Where"(%nan, %zero, %p) {version = 16 : i64} : (tensor<?x4x?x?xi1>, tensor<f32>, tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %y = onnx.node "MatMul"(%w, %vr) {version = 13 : i64} : (tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32>) -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// A row of infinities gives NaN.
// CHECK-LABEL: func.func @all_hidden
// CHECK: nn.attention %arg0, %arg1, %arg2 mask {{.*}}empty_is_nan = true
func.func @all_hidden(%q: tensor<?x4x?x16xf32> {onnx.dims = ["b", "", "s", ""]}, %k: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "l", ""]},
    %v: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "l", ""]}, %m: tensor<?x?xi1> {onnx.dims = ["s", "l"]}) -> tensor<?x4x?x16xf32> {
  %zero = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %low = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %c = onnx.constant dense<0.25> : tensor<f32> : tensor<f32>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %b = onnx.node "Shape"(%k) {version = 15 : i64, attrs = {start = 0 : i64, end = 1 : i64}} : (tensor<?x2x?x16xf32>) -> tensor<1xi64>
  %l = onnx.node "Shape"(%k) {version = 15 : i64, attrs = {start = 2 : i64, end = 3 : i64}} : (tensor<?x2x?x16xf32>) -> tensor<1xi64>
  %d = onnx.constant dense<16> : tensor<1xi64> : tensor<1xi64>
  %n = onnx.constant dense<4> : tensor<1xi64> : tensor<1xi64>
  %s5 = onnx.node "Concat"(%b, %two, %two, %l, %d) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<5xi64>
  %s4 = onnx.node "Concat"(%b, %n, %l, %d) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<4xi64>
  %k5 = onnx.node "Unsqueeze"(%k, %two) {version = 13 : i64} : (tensor<?x2x?x16xf32>, tensor<1xi64>) -> tensor<?x2x1x?x16xf32>
  %ke = onnx.node "Expand"(%k5, %s5) {version = 13 : i64} : (tensor<?x2x1x?x16xf32>, tensor<5xi64>) -> tensor<?x2x2x?x16xf32>
  %kr = onnx.node "Reshape"(%ke, %s4) {version = 14 : i64} : (tensor<?x2x2x?x16xf32>, tensor<4xi64>) -> tensor<?x4x?x16xf32>
  %v5 = onnx.node "Unsqueeze"(%v, %two) {version = 13 : i64} : (tensor<?x2x?x16xf32>, tensor<1xi64>) -> tensor<?x2x1x?x16xf32>
  %ve = onnx.node "Expand"(%v5, %s5) {version = 13 : i64} : (tensor<?x2x1x?x16xf32>, tensor<5xi64>) -> tensor<?x2x2x?x16xf32>
  %vr = onnx.node "Reshape"(%ve, %s4) {version = 14 : i64} : (tensor<?x2x2x?x16xf32>, tensor<4xi64>) -> tensor<?x4x?x16xf32>
  %kt = onnx.node "Transpose"(%kr) {version = 13 : i64, attrs = {perm = array<i64: 0, 1, 3, 2>}} : (tensor<?x4x?x16xf32>) -> tensor<?x4x16x?xf32>
  %s = onnx.node "MatMul"(%q, %kt) {version = 13 : i64} : (tensor<?x4x?x16xf32>, tensor<?x4x16x?xf32>) -> tensor<?x4x?x?xf32>
  %sc = onnx.node "Mul"(%s, %c) {version = 14 : i64} : (tensor<?x4x?x?xf32>, tensor<f32>) -> tensor<?x4x?x?xf32>
  %ma = onnx.node "Where"(%m, %zero, %low) {version = 16 : i64} : (tensor<?x?xi1>, tensor<f32>, tensor<f32>) -> tensor<?x?xf32>
  %sm = onnx.node "Add"(%sc, %ma) {version = 14 : i64} : (tensor<?x4x?x?xf32>, tensor<?x?xf32>) -> tensor<?x4x?x?xf32>
  %p = onnx.node "Softmax"(%sm) {version = 13 : i64} : (tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %y = onnx.node "MatMul"(%p, %vr) {version = 13 : i64} : (tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32>) -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}
