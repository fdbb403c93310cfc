// RUN: moe-opt %s --moe-convert-onnx-to-linalg | FileCheck %s

// CHECK-DAG: #[[$X:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
// CHECK-DAG: #[[$KN:.*]] = affine_map<(d0, d1, d2, d3) -> (d3, d2)>
// CHECK-DAG: #[[$NK:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>

// Loops are batch, rows, columns, reduction; a weight stays an operand of its own.
moe.weight @w : tensor<64x32xf32> source(#moe.splat<1.0>)
// CHECK-LABEL: func.func @batched
// CHECK: %[[W:.*]] = moe.load_weight @w
// CHECK: linalg.fill ins(%{{.*}} : f32)
// CHECK: linalg.generic {indexing_maps = [#[[$X]], #[[$KN]], #{{.*}}], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%arg0, %[[W]]
func.func @batched(%x: tensor<?x?x64xf32>) -> tensor<?x?x32xf32> {
  %w = moe.load_weight @w : tensor<64x32xf32>
  %0 = onnx.node "MatMul"(%x, %w) {version = 13 : i64} : (tensor<?x?x64xf32>, tensor<64x32xf32>) -> tensor<?x?x32xf32>
  return %0 : tensor<?x?x32xf32>
}

// The transposed weight is read as it lies; sums are f32.
// CHECK-LABEL: func.func @gemm
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[$NK]], #{{.*}}], iterator_types = ["parallel", "parallel", "reduction"]}
// CHECK-SAME: outs(%{{.*}} : tensor<?x4xf32>)
// CHECK: linalg.generic
// CHECK: arith.truncf {{.*}} : f32 to bf16
func.func @gemm(%x: tensor<?x8xbf16>, %w: tensor<4x8xbf16>, %c: tensor<4xbf16>) -> tensor<?x4xbf16> {
  %0 = onnx.node "Gemm"(%x, %w, %c) {version = 13 : i64, attrs = {transB = 1 : i64}} : (tensor<?x8xbf16>, tensor<4x8xbf16>, tensor<4xbf16>) -> tensor<?x4xbf16>
  return %0 : tensor<?x4xbf16>
}

// A batch dimension of 1 is dropped.
// CHECK-LABEL: func.func @one
// CHECK: tensor.collapse_shape %arg0 {{.*}} : tensor<1x2x3xf32> into tensor<2x3xf32>
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<5x2x4xf32>)
func.func @one(%x: tensor<1x2x3xf32>, %y: tensor<5x3x4xf32>) -> tensor<5x2x4xf32> {
  %0 = onnx.node "MatMul"(%x, %y) {version = 13 : i64} : (tensor<1x2x3xf32>, tensor<5x3x4xf32>) -> tensor<5x2x4xf32>
  return %0 : tensor<5x2x4xf32>
}

// CHECK-LABEL: func.func @vectors
// CHECK: iterator_types = ["reduction"]
func.func @vectors(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<f32> {
  %0 = onnx.node "MatMul"(%x, %y) {version = 13 : i64} : (tensor<8xf32>, tensor<8xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// CHECK-LABEL: func.func @einsum
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%arg0, %arg1
// CHECK-SAME: outs(%{{.*}} : tensor<4x?x6xf32>)
func.func @einsum(%x: tensor<?x8xf32>, %y: tensor<4x8x6xf32>) -> tensor<4x?x6xf32> {
  %0 = onnx.node "Einsum"(%x, %y) {version = 12 : i64, attrs = {equation = "th, ehi -> eti"}} : (tensor<?x8xf32>, tensor<4x8x6xf32>) -> tensor<4x?x6xf32>
  return %0 : tensor<4x?x6xf32>
}

// -----

// A label that is summed over may have extent 1 on one side.
// CHECK-LABEL: func.func @repeated_term
// CHECK: iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%{{.*}}, %arg1 : tensor<?x2xf32>, tensor<8x2x6xf32>)
func.func @repeated_term(%x: tensor<?x1x2xf32>, %y: tensor<8x2x6xf32>) -> tensor<?x6xf32> {
  %0 = onnx.node "Einsum"(%x, %y) {version = 12 : i64, attrs = {equation = "tec,ech->th"}} : (tensor<?x1x2xf32>, tensor<8x2x6xf32>) -> tensor<?x6xf32>
  return %0 : tensor<?x6xf32>
}

// -----

// A label that is repeated in a term stands for the diagonal.
// CHECK-LABEL: func.func @diagonal
// CHECK: step.check {{.*}}"{{.*}}a repeated label: extents differ"
// CHECK: tensor.extract %arg0[%{{.*}}, %[[I:.*]], %[[I]]]
func.func @diagonal(%x: tensor<2x3x?xf32>) -> tensor<2x3xf32> {
  %0 = onnx.node "Einsum"(%x) {version = 12 : i64, attrs = {equation = "bii->bi"}} : (tensor<2x3x?xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}
