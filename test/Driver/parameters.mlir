// RUN: moec %s --compile-to=raise -o /dev/null 2>&1 | FileCheck %s
// REQUIRES: moec
// The matrix counts with its 16 elements; the tables of angles and the single number do not. Of the quantised one the 512
// integers count, two in a byte, not their scales.
// CHECK: 528 parameters

moe.weight @matrix : tensor<4x4xf32> source(#moe.random<1, 0.5>)
moe.weight @integers : tensor<16x1x16xui8> source(#moe.random<4, 0.5>)
moe.weight @scales : tensor<16x1xf32> source(#moe.random<5, 0.5>)
moe.weight @cos : tensor<8x2xf32> source(#moe.random<2, 0.5>)
moe.weight @sin : tensor<8x2xf32> source(#moe.random<3, 0.5>)
func.func @main(%x: tensor<1x1x?x4xf32> {onnx.name = "x", onnx.elem_type = 1 : i32, onnx.dims = ["", "", "n", ""]},
                %at: tensor<1x?xi64> {onnx.name = "at", onnx.elem_type = 7 : i32, onnx.dims = ["", "n"]},
                %wide: tensor<?x32xf32> {onnx.name = "w", onnx.elem_type = 1 : i32, onnx.dims = ["n", ""]})
    -> (tensor<1x1x?x4xf32> {onnx.name = "y", onnx.elem_type = 1 : i32, onnx.dims = ["", "", "n", ""]},
        tensor<?x16xf32> {onnx.name = "z", onnx.elem_type = 1 : i32, onnx.dims = ["n", ""]}) {
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
  %integers = moe.load_weight @integers : tensor<16x1x16xui8>
  %scales = moe.load_weight @scales : tensor<16x1xf32>
  %z = onnx.node "MatMulNBits"(%wide, %integers, %scales) {domain = "com.microsoft", version = 1 : i64,
      attrs = {K = 32 : i64, N = 16 : i64, bits = 4 : i64, block_size = 32 : i64}}
      : (tensor<?x32xf32>, tensor<16x1x16xui8>, tensor<16x1xf32>) -> tensor<?x16xf32>
  return %y, %z : tensor<1x1x?x4xf32>, tensor<?x16xf32>
}
