// RUN: moe-opt %s --moe-form-dense-matmul --split-input-file | FileCheck %s

#x = affine_map<(b, m, n, k) -> (b, m, k)>
#w = affine_map<(b, m, n, k) -> (k, n)>
#y = affine_map<(b, m, n, k) -> (b, m, n)>
moe.weight @w : tensor<64x32xf16> source(#moe.splat<1.0>)

// Leading dimensions become rows; a weight with inputs first is transposed; f16 activations are extended.

// CHECK-LABEL: func.func @batch(
// CHECK-SAME: %[[X:.*]]: tensor<?x?x64xf16>
// CHECK-DAG: %[[W:.*]] = moe.load_weight @w
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[W]] : tensor<64x32xf16>) {{.*}} permutation = [1, 0]
// CHECK: %[[W3:.*]] = tensor.expand_shape %[[T]] {{.*}} into tensor<1x32x64xf16>
// CHECK: %[[XF:.*]] = linalg.generic {{.*}} ins(%[[X]]
// CHECK: %[[ROWS:.*]] = tensor.collapse_shape %[[XF]] {{.*}} into tensor<?x64xf32>
// CHECK: %[[R:.*]] = moe.grouped_matmul %[[ROWS]] by %[[W3]] columns 32
// CHECK: tensor.expand_shape %[[R]] {{.*}} output_shape [%{{.*}}, %{{.*}}, 32]
func.func @batch(%x: tensor<?x?x64xf16>, %init: tensor<?x?x32xf32>) -> tensor<?x?x32xf32> {
  %w = moe.load_weight @w : tensor<64x32xf16>
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%init : tensor<?x?x32xf32>) -> tensor<?x?x32xf32>
  %y = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x?x64xf16>, tensor<64x32xf16>) outs(%zeros : tensor<?x?x32xf32>) {
  ^bb0(%a: f16, %b: f16, %sum: f32):
    %0 = arith.extf %a : f16 to f32
    %1 = arith.extf %b : f16 to f32
    %2 = arith.mulf %0, %1 : f32
    %3 = arith.addf %sum, %2 : f32
    linalg.yield %3 : f32
  } -> tensor<?x?x32xf32>
  return %y : tensor<?x?x32xf32>
}

// -----

#x = affine_map<(n, k) -> (k)>
#w = affine_map<(n, k) -> (n, k)>
#y = affine_map<(n, k) -> (n)>
moe.weight @w : tensor<32x64xf32> source(#moe.splat<1.0>)

// A vector is one row; the weight may come first.

// CHECK-LABEL: func.func @vector(
// CHECK-NOT: linalg.transpose
// CHECK: %[[ROW:.*]] = tensor.expand_shape %{{.*}} into tensor<1x64xf32>
// CHECK: %[[R:.*]] = moe.grouped_matmul %[[ROW]]
// CHECK: tensor.collapse_shape %[[R]] {{.*}} into tensor<32xf32>
func.func @vector(%x: tensor<64xf32>) -> tensor<32xf32> {
  %w = moe.load_weight @w : tensor<32x64xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<32xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<32xf32>) -> tensor<32xf32>
  %y = linalg.generic {indexing_maps = [#w, #x, #y], iterator_types = ["parallel", "reduction"]}
      ins(%w, %x : tensor<32x64xf32>, tensor<64xf32>) outs(%zeros : tensor<32xf32>) {
  ^bb0(%b: f32, %a: f32, %sum: f32):
    %2 = arith.mulf %a, %b : f32
    %3 = arith.addf %sum, %2 : f32
    linalg.yield %3 : f32
  } -> tensor<32xf32>
  return %y : tensor<32xf32>
}

// -----

// What is no product of an activation with a weight stays: other operands, sums that start elsewhere, transposed rows.

// CHECK-LABEL: func.func @others(
// CHECK-NOT: moe.grouped_matmul
moe.weight @w : tensor<8x8xf32> source(#moe.splat<1.0>)
func.func @others(%x: tensor<8x8xf32>, %init: tensor<8x8xf32>) -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>) {
  %w = moe.load_weight @w : tensor<8x8xf32>
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%init : tensor<8x8xf32>) -> tensor<8x8xf32>
  %0 = linalg.matmul ins(%x, %x : tensor<8x8xf32>, tensor<8x8xf32>) outs(%zeros : tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = linalg.matmul ins(%x, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%init : tensor<8x8xf32>) -> tensor<8x8xf32>
  %2 = linalg.matmul ins(%w, %x : tensor<8x8xf32>, tensor<8x8xf32>) outs(%zeros : tensor<8x8xf32>) -> tensor<8x8xf32>
  return %0, %1, %2 : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>
}
