// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-attention | FileCheck %s

// CHECK-NOT: nn.attention

// The mask may have one column for all keys.
func.func @mask_of_other_length(%q: tensor<?x4x?x16xf32> {onnx.dims = ["b", "", "s", ""]}, %k: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "l", ""]},
    %v: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "l", ""]}, %m: tensor<?x?xi1> {onnx.dims = ["s", "m"]}) -> tensor<?x4x?x16xf32> {
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
  // expected-remark @+1 {{the attention is not raised: the mask cannot be proven to have a column per key}}
  %p = onnx.node "Softmax"(%sm) {version = 13 : i64} : (tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %y = onnx.node "MatMul"(%p, %vr) {version = 13 : i64} : (tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32>) -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// -----
// The mask may have other rows than queries.
func.func @mask_of_other_rows(%q: tensor<?x4x?x16xf32> {onnx.dims = ["b", "", "s", ""]}, %k: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "l", ""]},
    %v: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "l", ""]}, %m: tensor<?x?xi1> {onnx.dims = ["t", "l"]}) -> tensor<?x4x?x16xf32> {
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
  // expected-remark @+1 {{the attention is not raised: the extents of the mask cannot be proven to be those of the scores or 1}}
  %p = onnx.node "Softmax"(%sm) {version = 13 : i64} : (tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %y = onnx.node "MatMul"(%p, %vr) {version = 13 : i64} : (tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32>) -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// -----
// The batch of queries may be another one.
func.func @other_batch(%q: tensor<?x4x?x16xf32> {onnx.dims = ["c", "", "s", ""]}, %k: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "l", ""]},
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
  // expected-remark @+1 {{the attention is not raised: the extents of queries, keys and values cannot be proven to match}}
  %p = onnx.node "Softmax"(%sm) {version = 13 : i64} : (tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  %y = onnx.node "MatMul"(%p, %vr) {version = 13 : i64} : (tensor<?x4x?x?xf32>, tensor<?x4x?x16xf32>) -> tensor<?x4x?x16xf32>
  return %y : tensor<?x4x?x16xf32>
}

// -----
// The weights of the keys are a result, too: not a candidate.
func.func @weights_are_read(%q: tensor<?x4x?x16xf32> {onnx.dims = ["b", "", "s", ""]}, %k: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "l", ""]},
    %v: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "l", ""]}, %m: tensor<?x?xi1> {onnx.dims = ["s", "l"]}) -> tensor<?x4x?x?xf32> {
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
  return %p : tensor<?x4x?x?xf32>
}
