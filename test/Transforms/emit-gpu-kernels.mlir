// A kernel without GPU code of its own runs its tasks one per thread, with a piece of the workspace as scratch memory.
// RUN: moe-opt %s --moe-emit-gpu-kernels | FileCheck %s
// RUN: not moe-opt %s --moe-emit-gpu-kernels="gpu=sm_1" 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// UNKNOWN: error: unknown GPU 'sm_1'

// CHECK: gpu.module @sm_80 [#nvvm.target<O = 3, chip = "sm_80", features = "+ptx70">]
// CHECK: gpu.func @summed(%[[X:[a-z0-9]*]]: !llvm.ptr<1> {llvm.align = 256 : i64, llvm.noalias, llvm.readonly},
// CHECK-SAME: !llvm.ptr<1> {llvm.align = 256 : i64, llvm.noalias}, %[[N:[a-z0-9]*]]: i64, {{.*}} %[[TASKS:[a-z0-9]*]]: i64) kernel attributes
// CHECK-SAME: known_block_size = array<i32: 64, 1, 1>
// CHECK-SAME: moe.launch = {resident_blocks = false, shared_bytes = 0 : i64, threads = 64 : i64}
// CHECK: %[[GENERIC:.*]] = llvm.addrspacecast %[[X]]
// CHECK: llvm.insertvalue %[[N]], %{{.*}}[3, 0]
// CHECK: builtin.unrealized_conversion_cast %{{.*}} to memref<?x8xf64>
// CHECK: %[[END:.*]] = arith.index_cast %[[TASKS]]
// CHECK: scf.for %{{.*}} = %{{.*}} to %[[END]] step
// CHECK: memref.atomic_rmw maxs
// CHECK: gpu.return
step.kernel @summed(%x: tensor<?x8xf64>) {
  %0 = nn.cumsum %x axis 0 exclusive false reverse false : tensor<?x8xf64>
  step.yield %0 : tensor<?x8xf64>
}

// CHECK: gpu.func @scaled(
// CHECK-SAME: llvm.readonly}, %{{[a-z0-9]*}}: !llvm.ptr<1> {llvm.align = 256 : i64, llvm.noalias},
// CHECK-SAME: %{{[a-z0-9]*}}: i64, %[[BITS:[a-z0-9]*]]: i64
// CHECK: %[[LOW:.*]] = arith.trunci %[[BITS]] : i64 to i32
// CHECK: arith.bitcast %[[LOW]] : i32 to f32
// A task is one element.
// CHECK: scf.for
// CHECK: scf.for
// CHECK-NOT: scf.for
// CHECK: arith.mulf
step.kernel @scaled(%x: tensor<?xf32>, %s: f32, %n: index, %m: index) {
  %e = tensor.empty(%n, %m) : tensor<?x?xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
      iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?xf32>) outs(%e : tensor<?x?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = arith.mulf %a, %s : f32
    linalg.yield %p : f32
  } -> tensor<?x?xf32>
  step.yield %r : tensor<?x?xf32>
}

// CHECK: gpu.func @wide(
// CHECK: %[[K:.*]] = builtin.unrealized_conversion_cast %{{.*}} to memref<1x1x?x65536xf16>
// CHECK: %[[WORKSPACE:.*]] = builtin.unrealized_conversion_cast %{{.*}} to memref<?xi8>
// CHECK: memref.view %[[WORKSPACE]][%{{.*}}][%{{.*}}] : memref<?xi8> to memref<?xi8>
step.kernel @wide(%q: tensor<1x1x?x65536xf16>) {
  %0 = nn.attention %q, %q, %q scale 1.0
      : (tensor<1x1x?x65536xf16>, tensor<1x1x?x65536xf16>, tensor<1x1x?x65536xf16>) -> tensor<1x1x?x65536xf16>
  step.yield %0 : tensor<1x1x?x65536xf16>
}
