// RUN: moe-opt %s --moe-hoist-weight-expressions --split-input-file | FileCheck %s

// The slice is shared by two expressions and becomes a weight; the transposition belongs to one of them.

// CHECK-DAG: moe.weight @w.extract_slice : tensor<1x16x8xf32> {
// CHECK-DAG: moe.weight @w.extract_slice.pack_panels : tensor<1x1x8x16xf32> {
// CHECK-DAG: moe.weight @w.extract_slice.pack_panels_{{[0-9]+}} : tensor<1x1x16x16xf32> {
// CHECK: func.func @shared() -> (tensor<1x1x8x16xf32>, tensor<1x1x16x16xf32>) {
// CHECK-NEXT: %[[A:.*]] = moe.load_weight @w.extract_slice.pack_panels :
// CHECK-NEXT: %[[B:.*]] = moe.load_weight @w.extract_slice.pack_panels_
// CHECK-NEXT: return %[[A]], %[[B]]
moe.weight @w : tensor<1x32x8xf32> source(#moe.splat<1.0>)
func.func @shared() -> (tensor<1x1x8x16xf32>, tensor<1x1x16x16xf32>) {
  %w = moe.load_weight @w : tensor<1x32x8xf32>
  %s = tensor.extract_slice %w[0, 16, 0] [1, 16, 8] [1, 1, 1] : tensor<1x32x8xf32> to tensor<1x16x8xf32>
  %p = moe.pack_panels %s : (tensor<1x16x8xf32>) -> tensor<1x1x8x16xf32>
  %e = tensor.empty() : tensor<1x8x16xf32>
  %t = linalg.transpose ins(%s : tensor<1x16x8xf32>) outs(%e : tensor<1x8x16xf32>) permutation = [0, 2, 1]
  %q = moe.pack_panels %t : (tensor<1x8x16xf32>) -> tensor<1x1x16x16xf32>
  return %p, %q : tensor<1x1x8x16xf32>, tensor<1x1x16x16xf32>
}

// -----

// Constants move along; what depends on a run or computes integers stays.

// CHECK: moe.weight @b.concat : tensor<4xf32> {
// CHECK: onnx.constant dense<0.0{{.*}}> : tensor<2xf32>
// CHECK: tensor.concat
// CHECK: func.func @constants(
// CHECK: tensor.extract_slice %{{.*}} : tensor<2xi64> to tensor<1xi64>
// CHECK: moe.load_weight @b.concat
// CHECK: tensor.concat dim(0) %{{.*}} : (tensor<?xf32>, tensor<4xf32>)
moe.weight @b : tensor<2xf32> source(#moe.splat<1.0>)
func.func @constants(%x: tensor<?xf32>) -> (tensor<?xf32>, tensor<1xi64>) {
  %b = moe.load_weight @b : tensor<2xf32>
  %zeros = arith.constant dense<0.0> : tensor<2xf32>
  %shape = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %i = tensor.extract_slice %shape[0] [1] [1] : tensor<2xi64> to tensor<1xi64>
  %c = tensor.concat dim(0) %b, %zeros : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
  %y = tensor.concat dim(0) %x, %c : (tensor<?xf32>, tensor<4xf32>) -> tensor<?xf32>
  return %y, %i : tensor<?xf32>, tensor<1xi64>
}
