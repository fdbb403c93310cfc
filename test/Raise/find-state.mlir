// RUN: moe-opt %s --moe-find-state | FileCheck %s

// An output that appends to an input is state; one that prepends, or appends along a static axis, is not.

// CHECK: module attributes {moe.states = [{axis = 1 : i64, input = 0 : i64, output = 0 : i64}]}
func.func @main(%past: tensor<2x?x4xf32>, %other: tensor<2x?x4xf32>, %fixed: tensor<2x3xf32>, %new: tensor<2x?x4xf32>,
                %more: tensor<2x1xf32>) -> (tensor<2x?x4xf32>, tensor<2x?x4xf32>, tensor<2x4xf32>) {
  %a = onnx.node "Concat"(%past, %new) {version = 13 : i64, attrs = {axis = -2 : i64}}
      : (tensor<2x?x4xf32>, tensor<2x?x4xf32>) -> tensor<2x?x4xf32>
  %h = onnx.node "Relu"(%new) {version = 14 : i64} : (tensor<2x?x4xf32>) -> tensor<2x?x4xf32>
  %b = onnx.node "Concat"(%h, %other) {version = 13 : i64, attrs = {axis = 1 : i64}}
      : (tensor<2x?x4xf32>, tensor<2x?x4xf32>) -> tensor<2x?x4xf32>
  %c = onnx.node "Concat"(%fixed, %more) {version = 13 : i64, attrs = {axis = 1 : i64}}
      : (tensor<2x3xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  return %a, %b, %c : tensor<2x?x4xf32>, tensor<2x?x4xf32>, tensor<2x4xf32>
}
