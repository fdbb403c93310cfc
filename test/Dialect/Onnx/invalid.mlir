// What the verifier of onnx.node says.
// RUN: moe-opt %s --verify-diagnostics --split-input-file

func.func @version(%x: tensor<4xf32>) {
  // expected-error @+1 {{version must be positive, found 0}}
  %0 = onnx.node "Relu"(%x) {version = 0 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  return
}
// -----
func.func @dims_count(%x: tensor<4xf32>) {
  // expected-error @+1 {{expected dims for 1 results, found 2}}
  %0 = onnx.node "Relu"(%x) {version = 14 : i64, dims = [[""], [""]]} : (tensor<4xf32>) -> tensor<4xf32>
  return
}
// -----
func.func @dims_kind(%x: tensor<4xf32>) {
  // expected-error @+1 {{dims must be an array of arrays of strings}}
  %0 = onnx.node "Relu"(%x) {version = 14 : i64, dims = ["batch"]} : (tensor<4xf32>) -> tensor<4xf32>
  return
}
// -----
func.func @dims_rank(%x: tensor<4xf32>) {
  // expected-error @+1 {{expected 1 dims for a result of type 'tensor<4xf32>', found 2}}
  %0 = onnx.node "Relu"(%x) {version = 14 : i64, dims = [["", ""]]} : (tensor<4xf32>) -> tensor<4xf32>
  return
}
// -----
func.func @regions(%x: tensor<i1>) {
  // expected-error @+1 {{expected a name for each of 1 regions, found 0}}
  %0 = onnx.node "If"(%x) ({
    onnx.yield %x : tensor<i1>
  }) {version = 16 : i64} : (tensor<i1>) -> tensor<i1>
  return
}
