// Grouping rows in one launch: one block for up to 4096 rows, else two for every 4096 and a count of each expert in the
// workspace. No block needs the others to be resident.
// RUN: moe-opt %s --moe-form-kernels="gpu=sm_80" | FileCheck %s --check-prefix=LAUNCH
// RUN: moe-opt %s --moe-form-kernels="gpu=sm_80" --moe-emit-gpu-kernels | FileCheck %s

// LAUNCH: %[[PER_SEGMENT:.*]] = arith.constant 4096 : index
// LAUNCH: %[[SEGMENTS:.*]] = arith.maxsi
// LAUNCH: %[[ONE:.*]] = arith.cmpi eq, %[[SEGMENTS]]
// LAUNCH: %[[BLOCKS:.*]] = arith.select %[[ONE]], %{{.*}}, %{{.*}} : index
// LAUNCH: %[[BYTES_PER_SEGMENT:.*]] = arith.constant 512 : index
// LAUNCH: %[[BYTES:.*]] = arith.select %{{.*}}, %{{.*}}, %{{.*}} : index
// LAUNCH: step.dispatch @moe_group({{.*}}) {{.*}} gpu(%[[BLOCKS]], %[[BYTES]])

// CHECK: gpu.func @moe_group(
// CHECK-SAME: known_block_size = array<i32: 512, 1, 1>
// CHECK-SAME: resident_blocks = false
// A counter gives out the turns.
// CHECK: llvm.atomicrmw add {{.*}} syncscope("device") monotonic
// Rows of the same expert are counted together, in the order of the lanes.
// CHECK: nvvm.match.sync any
// CHECK: math.ctpop
// Blocks that place wait for those that count.
// CHECK: scf.while
// CHECK: llvm.load {{.*}} atomic syncscope("device") acquire
func.func @main(%experts: tensor<?x8xi32>) -> (tensor<129xi32>, tensor<?xi32>, tensor<?xi32>) {
  %offsets, %order, %inverse = moe.group %experts experts 128
      : tensor<?x8xi32> -> tensor<129xi32>, tensor<?xi32>, tensor<?xi32>
  return %offsets, %order, %inverse : tensor<129xi32>, tensor<?xi32>, tensor<?xi32>
}
