// RUN: moe-opt %s --moe-emit-kernels="variant=v3" | FileCheck %s

// An elementwise kernel is one loop over blocks of all elements; a sum along the last axis stays in registers, its lanes
// folded at the end.

// CHECK: module @v3
// CHECK: func.func @add(%[[X:.*]]: memref<?x4xf32>, %[[Y:.*]]: memref<?x4xf32>, %[[R:.*]]: memref<?x4xf32>,
// CHECK-SAME: %{{.*}}: memref<?xi8>, %[[BEGIN:.*]]: index, %[[END:.*]]: index) -> i32
// CHECK: memref.collapse_shape %[[X]]
// CHECK: scf.for %{{.*}} = %[[BEGIN]] to %[[END]]
// CHECK: scf.for
// CHECK: arith.addf
// CHECK: memref.store
step.kernel @add(%x: tensor<?x4xf32>, %y: tensor<?x4xf32>) {
  %c0 = arith.constant 0 : index
  %e = tensor.empty(%c0) : tensor<?x4xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>,
      affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x, %y : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<?x4xf32>
  step.yield %r : tensor<?x4xf32>
}

// CHECK: func.func @sum(
// CHECK: scf.for
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<8xf32>
// CHECK: vector.load {{.*}} vector<8xf32>
// CHECK: arith.addf {{.*}} : vector<8xf32>
// CHECK: vector.maskedload
// CHECK: vector.shuffle
// CHECK: memref.store
step.kernel @sum(%x: tensor<2x?xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2xf32>) -> tensor<2xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x?xf32>) outs(%f : tensor<2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  step.yield %r : tensor<2xf32>
}
