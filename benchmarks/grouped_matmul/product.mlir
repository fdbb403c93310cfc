// The up-projection of one expert of shape S1 (shared/bench), for grouped_matmul_bench.
moe.weight @w : tensor<1x1408x2048xf32> source(#moe.random<1, 0.02>)
func.func @main(%x: tensor<?x2048xf32> {onnx.name = "x", onnx.elem_type = 1 : i32, onnx.dims = ["T", ""]}) -> (tensor<?x1408xf32> {onnx.name = "y", onnx.elem_type = 1 : i32, onnx.dims = ["T", ""]}) {
  %w = moe.load_weight @w : tensor<1x1408x2048xf32>
  %y = moe.grouped_matmul %x by %w columns 1408 activation(<kind = identity>)
    : (tensor<?x2048xf32>, tensor<1x1408x2048xf32>) -> tensor<?x1408xf32>
  return %y : tensor<?x1408xf32>
}
