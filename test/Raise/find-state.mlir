// RUN: moe-opt %s --moe-find-state --split-input-file | FileCheck %s

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

// -----

// Attention appends to its caches; what a convolution keeps is known by its name, if nothing else differs.

// CHECK: module attributes {moe.states = [{axis = 2 : i64, input = 1 : i64, output = 1 : i64}, {axis = 2 : i64, input = 2 : i64, output = 2 : i64}, {input = 3 : i64, output = 3 : i64}]}
func.func @main(%x: tensor<1x?x64xf32>, %k: tensor<1x2x?x16xf32>, %v: tensor<1x2x?x16xf32>,
                %conv: tensor<?x8xf32> {onnx.name = "past.0.conv", onnx.dims = ["b", ""]},
                %other: tensor<?x8xf32> {onnx.name = "past.1.conv", onnx.dims = ["b", ""]}, %lengths: tensor<1xi32>, %total: tensor<i32>)
    -> (tensor<1x?x32xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>,
        tensor<?x8xf32> {onnx.name = "present.0.conv", onnx.dims = ["b", ""]},
        tensor<?x8xf32> {onnx.name = "present.1.conv", onnx.dims = ["c", ""]}) {
  %none = onnx.absent
  %y:3 = onnx.node "GroupQueryAttention"(%x, %none, %none, %k, %v, %lengths, %total) {domain = "com.microsoft", version = 1 : i64}
      : (tensor<1x?x64xf32>, none, none, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1xi32>, tensor<i32>)
      -> (tensor<1x?x32xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>)
  %kept = onnx.node "Relu"(%conv) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y#0, %y#1, %y#2, %kept, %other : tensor<1x?x32xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>
}
