// With a GPU, a dispatch has the blocks of a launch and their scratch memory together. Rows are the tasks of a softmax;
// an elementwise op has tasks of one element.
// RUN: moe-opt %s --moe-form-kernels="gpu=sm_80" | FileCheck %s
// RUN: not moe-opt %s --moe-form-kernels="gpu=sm_1" 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// UNKNOWN: error: unknown GPU 'sm_1'

// CHECK-LABEL: func.func @main(
// CHECK: %[[MOST:.*]] = arith.constant 3456 : index
// CHECK: %[[THREADS:.*]] = arith.constant 64 : index
// CHECK: %[[NEEDED:.*]] = arith.divui %{{.*}}, %[[THREADS]] : index
// CHECK: %[[BLOCKS:.*]] = arith.minsi %[[NEEDED]], %[[MOST]] : index
// CHECK: step.dispatch @nn_softmax(%{{.*}}) {{.*}} gpu(%[[BLOCKS]], %{{.*}})
// CHECK: %[[ELEMENTS:.*]] = arith.muli
// CHECK: arith.constant 4096 : index
// CHECK: step.dispatch @linalg_generic
func.func @main(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : tensor<?x8xf32>
  %a = nn.softmax %x : tensor<?x8xf32>
  %e = tensor.empty(%t) : tensor<?x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%a : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%v: f32, %o: f32):
    %s = arith.addf %v, %v : f32
    linalg.yield %s : f32
  } -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}
