// RUN: moec %s --compile-to=raise -o /dev/null 2>&1 | FileCheck %s
// REQUIRES: moec
// The matrix counts with its 16 elements; the tables of angles and the single number do not.
// CHECK: 16 parameters

moe.weight @matrix : tensor<4x4xf32> source(#moe.random<1, 0.5>)
moe.weight @cos : tensor<8x2xf32> source(#moe.random<2, 0.5>)
moe.weight @sin : tensor<8x2xf32> source(#moe.random<3, 0.5>)
func.func @main(%x: tensor<1x1x?x4xf32> {onnx.name = "x", onnx.elem_type = 1 : i32, onnx.dims = ["", "", "n", ""]},
                %at: tensor<1x?xi64> {onnx.name = "at", onnx.elem_type = 7 : i32, onnx.dims = ["", "n"]})
    -> (tensor<1x1x?x4xf32> {onnx.name = "y", onnx.elem_type = 1 : i32, onnx.dims = ["", "", "n", ""]}) {
  %matrix = moe.load_weight @matrix : tensor<4x4xf32>
  %cosTable = moe.load_weight @cos : tensor<8x2xf32>
  %sinTable = moe.load_weight @sin : tensor<8x2xf32>
  %half = onnx.constant dense<0.5> : tensor<1xf32> : tensor<1xf32>
  %cos = onnx.node "Gather"(%cosTable, %at) {version = 13 : i64} : (tensor<8x2xf32>, tensor<1x?xi64>) -> tensor<1x?x2xf32>
  %sin = onnx.node "Gather"(%sinTable, %at) {version = 13 : i64} : (tensor<8x2xf32>, tensor<1x?xi64>) -> tensor<1x?x2xf32>
  %product = onnx.node "MatMul"(%x, %matrix) {version = 13 : i64} : (tensor<1x1x?x4xf32>, tensor<4x4xf32>) -> tensor<1x1x?x4xf32>
  %scaled = onnx.node "Mul"(%product, %half) {version = 14 : i64} : (tensor<1x1x?x4xf32>, tensor<1xf32>) -> tensor<1x1x?x4xf32>
  %y = nn.rotary %scaled, %cos, %sin interleaved false
      : (tensor<1x1x?x4xf32>, tensor<1x?x2xf32>, tensor<1x?x2xf32>) -> tensor<1x1x?x4xf32>
  return %y : tensor<1x1x?x4xf32>
}
