// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-rotary | FileCheck %s

// CHECK-NOT: nn.rotary

// The second half of the angles is another one.
func.func @unequal_halves(%x: tensor<?x4x?x4xf32> {onnx.dims = ["b", "", "s", ""]}, %pos: tensor<?x1x?x1xf32> {onnx.dims = ["b", "", "s", ""]}) -> tensor<?x4x?x4xf32> {
  %f = onnx.constant dense<[1.0, 0.5, 1.0, 0.25]> : tensor<4xf32> : tensor<4xf32>
  %a = onnx.node "Mul"(%pos, %f) {version = 14 : i64} : (tensor<?x1x?x1xf32>, tensor<4xf32>) -> tensor<?x1x?x4xf32>
  %c = onnx.node "Cos"(%a) {version = 7 : i64} : (tensor<?x1x?x4xf32>) -> tensor<?x1x?x4xf32>
  %s = onnx.node "Sin"(%a) {version = 7 : i64} : (tensor<?x1x?x4xf32>) -> tensor<?x1x?x4xf32>
  %x1, %x2 = onnx.node "Split"(%x) {version = 18 : i64, attrs = {axis = -1 : i64, num_outputs = 2 : i64}} : (tensor<?x4x?x4xf32>) -> (tensor<?x4x?x2xf32>, tensor<?x4x?x2xf32>)
  %n = onnx.node "Neg"(%x2) {version = 13 : i64} : (tensor<?x4x?x2xf32>) -> tensor<?x4x?x2xf32>
  %r = onnx.node "Concat"(%n, %x1) {version = 13 : i64, attrs = {axis = 3 : i64}} : (tensor<?x4x?x2xf32>, tensor<?x4x?x2xf32>) -> tensor<?x4x?x4xf32>
  %p = onnx.node "Mul"(%x, %c) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x1x?x4xf32>) -> tensor<?x4x?x4xf32>
  %q = onnx.node "Mul"(%r, %s) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x1x?x4xf32>) -> tensor<?x4x?x4xf32>
  // expected-remark @+1 {{the rotary embedding is not raised: the halves of cosine and sine cannot be proven equal}}
  %y = onnx.node "Add"(%p, %q) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x4x?x4xf32>) -> tensor<?x4x?x4xf32>
  return %y : tensor<?x4x?x4xf32>
}

// -----
// The table has rows for other positions.
func.func @other_positions(%x: tensor<?x4x?x4xf32> {onnx.dims = ["b", "", "s", ""]}, %pos: tensor<?x1x?x1xf32> {onnx.dims = ["b", "", "t", ""]}) -> tensor<?x4x?x4xf32> {
  %f = onnx.constant dense<[1.0, 0.5, 1.0, 0.5]> : tensor<4xf32> : tensor<4xf32>
  %a = onnx.node "Mul"(%pos, %f) {version = 14 : i64} : (tensor<?x1x?x1xf32>, tensor<4xf32>) -> tensor<?x1x?x4xf32>
  %c = onnx.node "Cos"(%a) {version = 7 : i64} : (tensor<?x1x?x4xf32>) -> tensor<?x1x?x4xf32>
  %s = onnx.node "Sin"(%a) {version = 7 : i64} : (tensor<?x1x?x4xf32>) -> tensor<?x1x?x4xf32>
  %x1, %x2 = onnx.node "Split"(%x) {version = 18 : i64, attrs = {axis = -1 : i64, num_outputs = 2 : i64}} : (tensor<?x4x?x4xf32>) -> (tensor<?x4x?x2xf32>, tensor<?x4x?x2xf32>)
  %n = onnx.node "Neg"(%x2) {version = 13 : i64} : (tensor<?x4x?x2xf32>) -> tensor<?x4x?x2xf32>
  %r = onnx.node "Concat"(%n, %x1) {version = 13 : i64, attrs = {axis = 3 : i64}} : (tensor<?x4x?x2xf32>, tensor<?x4x?x2xf32>) -> tensor<?x4x?x4xf32>
  %p = onnx.node "Mul"(%x, %c) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x1x?x4xf32>) -> tensor<?x4x?x4xf32>
  %q = onnx.node "Mul"(%r, %s) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x1x?x4xf32>) -> tensor<?x4x?x4xf32>
  // expected-remark @+1 {{the rotary embedding is not raised: cosine and sine do not have a row for each position}}
  %y = onnx.node "Add"(%p, %q) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x4x?x4xf32>) -> tensor<?x4x?x4xf32>
  return %y : tensor<?x4x?x4xf32>
}

// -----
// The first half is negated: no rotation.
func.func @first_half_negated(%x: tensor<?x4x?x4xf32> {onnx.dims = ["b", "", "s", ""]}, %pos: tensor<?x1x?x1xf32> {onnx.dims = ["b", "", "s", ""]}) -> tensor<?x4x?x4xf32> {
  %f = onnx.constant dense<[1.0, 0.5, 1.0, 0.5]> : tensor<4xf32> : tensor<4xf32>
  %a = onnx.node "Mul"(%pos, %f) {version = 14 : i64} : (tensor<?x1x?x1xf32>, tensor<4xf32>) -> tensor<?x1x?x4xf32>
  %c = onnx.node "Cos"(%a) {version = 7 : i64} : (tensor<?x1x?x4xf32>) -> tensor<?x1x?x4xf32>
  %s = onnx.node "Sin"(%a) {version = 7 : i64} : (tensor<?x1x?x4xf32>) -> tensor<?x1x?x4xf32>
  %x1, %x2 = onnx.node "Split"(%x) {version = 18 : i64, attrs = {axis = -1 : i64, num_outputs = 2 : i64}} : (tensor<?x4x?x4xf32>) -> (tensor<?x4x?x2xf32>, tensor<?x4x?x2xf32>)
  %n = onnx.node "Neg"(%x1) {version = 13 : i64} : (tensor<?x4x?x2xf32>) -> tensor<?x4x?x2xf32>
  %r = onnx.node "Concat"(%n, %x2) {version = 13 : i64, attrs = {axis = 3 : i64}} : (tensor<?x4x?x2xf32>, tensor<?x4x?x2xf32>) -> tensor<?x4x?x4xf32>
  %p = onnx.node "Mul"(%x, %c) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x1x?x4xf32>) -> tensor<?x4x?x4xf32>
  %q = onnx.node "Mul"(%r, %s) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x1x?x4xf32>) -> tensor<?x4x?x4xf32>
  %y = onnx.node "Add"(%p, %q) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x4x?x4xf32>) -> tensor<?x4x?x4xf32>
  return %y : tensor<?x4x?x4xf32>
}

// -----
// The halves stay in place.
func.func @halves_in_place(%x: tensor<?x4x?x4xf32> {onnx.dims = ["b", "", "s", ""]}, %pos: tensor<?x1x?x1xf32> {onnx.dims = ["b", "", "s", ""]}) -> tensor<?x4x?x4xf32> {
  %f = onnx.constant dense<[1.0, 0.5, 1.0, 0.5]> : tensor<4xf32> : tensor<4xf32>
  %a = onnx.node "Mul"(%pos, %f) {version = 14 : i64} : (tensor<?x1x?x1xf32>, tensor<4xf32>) -> tensor<?x1x?x4xf32>
  %c = onnx.node "Cos"(%a) {version = 7 : i64} : (tensor<?x1x?x4xf32>) -> tensor<?x1x?x4xf32>
  %s = onnx.node "Sin"(%a) {version = 7 : i64} : (tensor<?x1x?x4xf32>) -> tensor<?x1x?x4xf32>
  %x1, %x2 = onnx.node "Split"(%x) {version = 18 : i64, attrs = {axis = -1 : i64, num_outputs = 2 : i64}} : (tensor<?x4x?x4xf32>) -> (tensor<?x4x?x2xf32>, tensor<?x4x?x2xf32>)
  %n = onnx.node "Neg"(%x2) {version = 13 : i64} : (tensor<?x4x?x2xf32>) -> tensor<?x4x?x2xf32>
  %r = onnx.node "Concat"(%x1, %n) {version = 13 : i64, attrs = {axis = 3 : i64}} : (tensor<?x4x?x2xf32>, tensor<?x4x?x2xf32>) -> tensor<?x4x?x4xf32>
  %p = onnx.node "Mul"(%x, %c) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x1x?x4xf32>) -> tensor<?x4x?x4xf32>
  %q = onnx.node "Mul"(%r, %s) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x1x?x4xf32>) -> tensor<?x4x?x4xf32>
  %y = onnx.node "Add"(%p, %q) {version = 14 : i64} : (tensor<?x4x?x4xf32>, tensor<?x4x?x4xf32>) -> tensor<?x4x?x4xf32>
  return %y : tensor<?x4x?x4xf32>
}
