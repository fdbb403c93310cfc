// Two norms that are spelt out.
func.func @main(%x: tensor<?x4xf32> {onnx.name = "x", onnx.elem_type = 1 : i32, onnx.dims = ["t", ""]})
    -> (tensor<?x4xf32> {onnx.name = "y", onnx.elem_type = 1 : i32, onnx.dims = ["t", ""]}) {
  %eps = onnx.constant dense<0.5> : tensor<f32> : tensor<f32>
  %s0 = onnx.node "Mul"(%x, %x) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %m0 = onnx.node "ReduceMean"(%s0) {version = 13 : i64, attrs = {axes = array<i64: -1>}} : (tensor<?x4xf32>) -> tensor<?x1xf32>
  %e0 = onnx.node "Add"(%m0, %eps) {version = 14 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %r0 = onnx.node "Sqrt"(%e0) {version = 13 : i64} : (tensor<?x1xf32>) -> tensor<?x1xf32>
  %n0 = onnx.node "Div"(%x, %r0) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %t = onnx.node "Tanh"(%n0) {version = 13 : i64, name = "between"} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %s1 = onnx.node "Mul"(%t, %t) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %m1 = onnx.node "ReduceMean"(%s1) {version = 13 : i64, attrs = {axes = array<i64: -1>}} : (tensor<?x4xf32>) -> tensor<?x1xf32>
  %e1 = onnx.node "Add"(%m1, %eps) {version = 14 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %r1 = onnx.node "Sqrt"(%e1) {version = 13 : i64} : (tensor<?x1xf32>) -> tensor<?x1xf32>
  %y = onnx.node "Div"(%t, %r1) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
