// RUN: moe-opt %s --moe-convert-onnx-to-linalg | FileCheck %s

// CHECK-LABEL: func.func @sum
// CHECK: linalg.fill ins(%{{.*}} : f32)
// CHECK: iterator_types = ["parallel", "reduction"]} ins(%arg0 : tensor<?x8xf16>) outs(%{{.*}} : tensor<?xf32>)
// CHECK: tensor.expand_shape {{.*}} into tensor<?x1xf32>
// CHECK: arith.truncf {{.*}} : f32 to f16
func.func @sum(%x: tensor<?x8xf16>) -> tensor<?x1xf16> {
  %axes = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %0 = onnx.node "ReduceSum"(%x, %axes) {version = 13 : i64} : (tensor<?x8xf16>, tensor<1xi64>) -> tensor<?x1xf16>
  return %0 : tensor<?x1xf16>
}

// The axes were an attribute before version 18. The count of a dynamic dimension is an extent.
// CHECK-LABEL: func.func @mean
// CHECK: %[[N:.*]] = tensor.dim %arg0, %c0
// CHECK: iterator_types = ["parallel", "reduction"]
// CHECK: arith.index_cast %[[N]] : index to i64
// CHECK: arith.divf
func.func @mean(%x: tensor<?x8xf32>) -> tensor<8xf32> {
  %0 = onnx.node "ReduceMean"(%x) {version = 13 : i64, attrs = {axes = array<i64: 0>, keepdims = 0 : i64}} : (tensor<?x8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// No axes and noop_with_empty_axes: nothing is reduced.
// CHECK-LABEL: func.func @noop
// CHECK: iterator_types = ["parallel"]
func.func @noop(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = onnx.node "ReduceSum"(%x) {version = 13 : i64, attrs = {noop_with_empty_axes = 1 : i64}} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @argmax
// CHECK: nn.top_k %{{.*}}, %c1 largest true : tensor<8x?xf32> -> tensor<8x1xf32>, tensor<8x1xi64>
func.func @argmax(%x: tensor<?x8xf32>) -> tensor<8xi64> {
  %0 = onnx.node "ArgMax"(%x) {version = 13 : i64, attrs = {axis = 0 : i64, keepdims = 0 : i64}} : (tensor<?x8xf32>) -> tensor<8xi64>
  return %0 : tensor<8xi64>
}

// CHECK-LABEL: func.func @softmax
// CHECK: linalg.transpose
// CHECK: nn.softmax %{{.*}} : tensor<8x4xf32>
// CHECK: linalg.transpose
func.func @softmax(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = onnx.node "Softmax"(%x) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @skip_norm
// CHECK: %[[SUM:.*]] = linalg.generic
// CHECK: nn.rms_norm %[[SUM]] weight %arg2 eps
// CHECK: return %{{.*}}, %[[SUM]]
func.func @skip_norm(%x: tensor<?x8xf32> {onnx.dims = ["s", ""]}, %skip: tensor<?x8xf32> {onnx.dims = ["s", ""]}, %w: tensor<8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %0:4 = onnx.node "SkipSimplifiedLayerNormalization"(%x, %skip, %w) {domain = "com.microsoft", version = 1 : i64, attrs = {epsilon = 1.0e-6 : f32}}
    : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>)
  return %0#0, %0#3 : tensor<?x8xf32>, tensor<?x8xf32>
}

// Over two dimensions the norm sees one.
// CHECK-LABEL: func.func @layer_norm
// CHECK: nn.layer_norm %{{.*}} weight %{{.*}} eps {{.*}} : (tensor<3x32xf32>, tensor<32xf32>) -> tensor<3x32xf32>
func.func @layer_norm(%x: tensor<3x4x8xf32>, %w: tensor<4x8xf32>) -> tensor<3x4x8xf32> {
  %0 = onnx.node "LayerNormalization"(%x, %w) {version = 17 : i64, attrs = {axis = 1 : i64}} : (tensor<3x4x8xf32>, tensor<4x8xf32>) -> tensor<3x4x8xf32>
  return %0 : tensor<3x4x8xf32>
}

// -----

// In training the moments are those of the input, and running moments are results.
// CHECK-LABEL: func.func @batch_moments
// CHECK: iterator_types = ["parallel", "reduction", "reduction"]
// CHECK: arith.constant 0.899999976158{{[0-9]+}} : f64
// CHECK: math.sqrt
func.func @batch_moments(%x: tensor<?x2x?xf32>, %s: tensor<2xf32>, %b: tensor<2xf32>, %m: tensor<2xf64>, %v: tensor<2xf64>) -> (tensor<?x2x?xf32>, tensor<2xf64>, tensor<2xf64>) {
  %0:3 = onnx.node "BatchNormalization"(%x, %s, %b, %m, %v) {version = 15 : i64, attrs = {training_mode = 1 : i64}} : (tensor<?x2x?xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf64>, tensor<2xf64>) -> (tensor<?x2x?xf32>, tensor<2xf64>, tensor<2xf64>)
  return %0#0, %0#1, %0#2 : tensor<?x2x?xf32>, tensor<2xf64>, tensor<2xf64>
}
