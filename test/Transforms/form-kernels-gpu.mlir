// With a GPU, a dispatch has the blocks of a launch and their scratch memory together. Elements are the tasks of a
// gather, one per thread; a softmax has a kernel of its own, whose blocks take several short rows each.
// RUN: moe-opt %s --moe-form-kernels="gpu=sm_80" | FileCheck %s
// RUN: not moe-opt %s --moe-form-kernels="gpu=sm_1" 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// UNKNOWN: error: unknown GPU 'sm_1'

// CHECK-LABEL: func.func @main(
// CHECK: %[[MOST:.*]] = arith.constant 3456 : index
// CHECK: %[[THREADS:.*]] = arith.constant 64 : index
// CHECK: %[[NEEDED:.*]] = arith.divui %{{.*}}, %[[THREADS]] : index
// CHECK: %[[BLOCKS:.*]] = arith.minsi %[[NEEDED]], %[[MOST]] : index
// CHECK: step.dispatch @nn_gather_elements(%{{.*}}) {{.*}} gpu(%[[BLOCKS]], %{{.*}})
// CHECK: arith.constant 7 : index
// CHECK: %[[ROWS:.*]] = arith.constant 8 : index
// CHECK-NEXT: %[[BLOCKS:.*]] = arith.divui %{{.*}}, %[[ROWS]] : index
// CHECK: step.dispatch @nn_softmax(%{{.*}}) {{.*}} gpu(%[[BLOCKS]], %{{.*}})
func.func @main(%x: tensor<?x8xf32>, %i: tensor<?x8xi64>) -> tensor<?x8xf32> {
  %a = nn.gather_elements %x[%i] axis 1 : (tensor<?x8xf32>, tensor<?x8xi64>) -> tensor<?x8xf32>
  %r = nn.softmax %a : tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}
