// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-convert-onnx-to-linalg

func.func @no_row(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{no lowering for Foo-13 at node "/x"}}
  %0 = onnx.node "Foo"(%x) {version = 13 : i64, name = "/x"} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----
func.func @old_version(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{no lowering for Add-1 at node ""}}
  %0 = onnx.node "Add"(%x, %x) {version = 1 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----
// What nothing uses needs no lowering.
func.func @unused(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = onnx.node "Foo"(%x) {version = 13 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  return %x : tensor<4xf32>
}

// -----
func.func @no_rank(%x: tensor<*xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{Relu-14 at node "r": input 0: expected a tensor of known rank, found 'tensor<*xf32>'}}
  %0 = onnx.node "Relu"(%x) {version = 14 : i64, name = "r"} : (tensor<*xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @missing(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{Add-14 at node "": input 1 is missing}}
  %0 = onnx.node "Add"(%x) {version = 14 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----
func.func @result(%x: tensor<4x8xf32>, %w: tensor<8xf32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{SkipLayerNormalization-1 at node "": result 1 is not supported}}
  %0:2 = onnx.node "SkipLayerNormalization"(%x, %x, %w) {domain = "com.microsoft", version = 1 : i64}
    : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>)
  return %0#1 : tensor<4x8xf32>
}

// -----
func.func @broadcast(%x: tensor<3xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{broadcast at dimension 0: extents 4 and 3 differ}}
  %0 = onnx.node "Add"(%x, %y) {version = 14 : i64} : (tensor<3xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----
func.func @inferred_extent(%x: tensor<3xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{result 0 at dimension 0: extents 3 and 4 differ}}
  %0 = onnx.node "Relu"(%x) {version = 14 : i64} : (tensor<3xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----
func.func @inferred_rank(%x: tensor<3xf32>) -> tensor<1x3xf32> {
  // expected-error @+1 {{result 0: inferred rank 2, lowered to rank 1}}
  %0 = onnx.node "Relu"(%x) {version = 14 : i64} : (tensor<3xf32>) -> tensor<1x3xf32>
  return %0 : tensor<1x3xf32>
}

// -----
func.func @inferred_element(%x: tensor<3xf32>) -> tensor<3xf16> {
  // expected-error @+1 {{result 0: inferred elements of type 'f16', lowered to 'f32'}}
  %0 = onnx.node "Relu"(%x) {version = 14 : i64} : (tensor<3xf32>) -> tensor<3xf16>
  return %0 : tensor<3xf16>
}

// -----
func.func @inferred_scalars(%x: tensor<?x3xf32>) -> tensor<3xi64> {
  // expected-error @+1 {{result 0: inferred 'tensor<3xi64>', lowered to 'tensor<2xi64>'}}
  %0 = onnx.node "Shape"(%x) {version = 15 : i64} : (tensor<?x3xf32>) -> tensor<3xi64>
  return %0 : tensor<3xi64>
}

// -----
// expected-error @+1 {{expected a function of one block}}
func.func @blocks(%x: tensor<4xf32>) -> tensor<4xf32> {
  cf.br ^bb1
^bb1:
  return %x : tensor<4xf32>
}
