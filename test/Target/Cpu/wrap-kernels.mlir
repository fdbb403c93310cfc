// RUN: moe-opt %s --moe-wrap-kernels | FileCheck %s

// The entry point reads two buffers, one extent and one scalar, and calls the kernel with dense descriptors.

// CHECK: llvm.func internal @k.tasks(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr {llvm.noalias}
// CHECK: llvm.func @k(%[[BUFFERS:.*]]: !llvm.ptr, %[[SCALARS:.*]]: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64) -> i32
// CHECK: %[[FIRST:.*]] = llvm.getelementptr %[[BUFFERS]][0]
// CHECK: %[[DATA:.*]] = llvm.load %[[FIRST]]
// CHECK: %[[EXTENT:.*]] = llvm.load
// CHECK: llvm.trunc %{{.*}} : i64 to i32
// CHECK: llvm.bitcast %{{.*}} : i32 to f32
// CHECK: llvm.call @k.tasks(%[[DATA]], %[[DATA]], %{{.*}}, %[[EXTENT]],
llvm.func @k(%a0: !llvm.ptr, %a1: !llvm.ptr, %a2: i64, %a3: i64, %a4: i64, %s: f32,
             %s0: !llvm.ptr, %s1: !llvm.ptr, %s2: i64, %s3: i64, %s4: i64, %begin: i64, %end: i64) -> i32
    attributes {moe.argument_types = [memref<?xf32>, f32, memref<?xi8>, index, index]} {
  %zero = llvm.mlir.constant(0 : i32) : i32
  llvm.return %zero : i32
}
