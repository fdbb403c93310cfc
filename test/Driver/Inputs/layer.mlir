// A routed layer behind an activation: the smallest module with an ONNX node and a moe op in it.
moe.weight @up : tensor<4x16x8xf32> source(#moe.random<1, 0.5>)
moe.weight @down : tensor<4x8x16xf32> source(#moe.random<2, 0.5>)
func.func @main(%x: tensor<?x8xf32> {onnx.name = "x", onnx.elem_type = 1 : i32, onnx.dims = ["tokens", ""]},
                %l: tensor<?x4xf32> {onnx.name = "logits", onnx.elem_type = 1 : i32, onnx.dims = ["tokens", ""]})
    -> (tensor<?x8xf32> {onnx.name = "y", onnx.elem_type = 1 : i32, onnx.dims = ["tokens", ""]}) {
  %up = moe.load_weight @up : tensor<4x16x8xf32>
  %down = moe.load_weight @down : tensor<4x8x16xf32>
  %h = onnx.node "Relu"(%x) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 2>)
      : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %y = moe.experts %h routed(%e, %g) w1 %up w2 %down activation(<kind = silu>)
      : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x16x8xf32>, tensor<4x8x16xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
