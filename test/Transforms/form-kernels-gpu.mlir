// With a GPU, a dispatch has the blocks of a launch, one warp each, and their scratch memory together.
// RUN: moe-opt %s --moe-form-kernels="gpu=sm_80" | FileCheck %s
// RUN: not moe-opt %s --moe-form-kernels="gpu=sm_1" 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// UNKNOWN: error: unknown GPU 'sm_1'

// CHECK-LABEL: func.func @main(
// CHECK: %[[MOST:.*]] = arith.constant 3456 : index
// CHECK: %[[WARP:.*]] = arith.constant 32 : index
// CHECK: %[[WARPS:.*]] = arith.divui %{{.*}}, %[[WARP]] : index
// CHECK: %[[BLOCKS:.*]] = arith.minsi %[[WARPS]], %[[MOST]] : index
// CHECK: step.dispatch @nn_softmax(%{{.*}}) {{.*}} gpu(%[[BLOCKS]], %{{.*}})
func.func @main(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %a = nn.softmax %x : tensor<?x8xf32>
  return %a : tensor<?x8xf32>
}
