// The launch of a grouped product, on the host: tiles of 32 rows, or higher ones where there are many rows. Every
// expert with rows starts a tile; each goes with the two blocks of columns. The sums are so short that blocks stay for
// several tiles: there are no more blocks than the processors hold.
// RUN: moe-opt %s --moe-form-kernels="gpu=sm_80" | FileCheck %s --check-prefix=LAUNCH
// RUN: moe-opt %s --moe-form-kernels="gpu=sm_80" --moe-emit-gpu-kernels | FileCheck %s

// LAUNCH: %[[ROWS:.*]] = tensor.dim %arg3
// LAUNCH: %[[LOWEST:.*]] = arith.constant 32 : index
// LAUNCH: %[[HEIGHT:.*]] = arith.select %{{.*}}, %[[LOWEST]], %{{.*}} : index
// LAUNCH: %[[EXPERTS:.*]] = arith.constant 8 : index
// LAUNCH: %[[STARTED:.*]] = arith.minsi %{{.*}}, %[[EXPERTS]] : index
// LAUNCH: %[[FULL:.*]] = arith.divui %{{.*}}, %[[HEIGHT]] : index
// LAUNCH: %[[TILES:.*]] = arith.addi %[[STARTED]], %[[FULL]] : index
// LAUNCH: %[[ALL:.*]] = arith.muli %[[TILES]], %{{.*}} : index
// LAUNCH: %[[HELD:.*]] = arith.constant 216 : index
// LAUNCH: %[[BLOCKS:.*]] = arith.minsi %[[ALL]], %[[HELD]] : index
// LAUNCH: step.dispatch @moe_grouped_matmul({{.*}}) {{.*}} gpu(%[[BLOCKS]], %{{.*}})

// CHECK: gpu.func @moe_grouped_matmul(
// CHECK-SAME: known_block_size = array<i32: 128, 1, 1>
// CHECK-SAME: nvvm.minctasm = 2 : i32
// From one tile to the next. A prefix sum over the experts' tiles finds it.
// CHECK: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %{{.*}} : i32 {
// CHECK-COUNT-5: nvvm.shfl.sync up
// CHECK: nvvm.vote.sync ballot
// The code for up to 8 rows: eight stages, weights by cp.async as they are stored, transposed on the way to registers.
// CHECK: arith.cmpi sle, %{{.*}}, %{{.*}} : i32
// CHECK-COUNT-7: nvvm.cp.async.commit.group
// CHECK: scf.for {{.*}} -> (i32, i32, f32, f32, f32, f32, f32, f32, f32, f32)
// CHECK-NEXT: nvvm.cp.async.wait.group 6
// CHECK-NEXT: nvvm.barrier
// CHECK: nvvm.ldmatrix {{.*}} layout = #nvvm.mma_layout<col>, num = 4
// CHECK: nvvm.ldmatrix {{.*}} layout = #nvvm.mma_layout<row>, num = 4
// CHECK-COUNT-4: nvvm.mma.sync {{.*}} multiplicandAPtxType = #nvvm.mma_type<bf16>
// Behind the loop nothing is under way. Gate and linear sums meet in registers.
// CHECK: scf.yield
// CHECK-NOT: nvvm.cp.async.wait.group
// CHECK: nvvm.barrier
// CHECK: math.exp
func.func @main(%x: tensor<?x256xbf16>, %w: tensor<8x16x256x16xbf16>, %offsets: tensor<9xi32>, %order: tensor<?xi32>)
    -> tensor<?x128xbf16> {
  %r = moe.grouped_matmul %x by %w offsets %offsets order %order columns 256
      activation(<kind = swiglu, layout = panels>) {rows_per_token = 2 : i64}
      : (tensor<?x256xbf16>, tensor<8x16x256x16xbf16>, tensor<9xi32>, tensor<?xi32>) -> tensor<?x128xbf16>
  return %r : tensor<?x128xbf16>
}
