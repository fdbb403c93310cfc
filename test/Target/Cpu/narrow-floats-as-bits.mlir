// RUN: moe-opt %s --moe-narrow-floats-as-bits | FileCheck %s

// CHECK-LABEL: llvm.func @store
llvm.func @store(%p: !llvm.ptr, %q: !llvm.ptr) {
  // CHECK: llvm.mlir.constant(16256 : i16) : i16
  %one = llvm.mlir.constant(1.0 : bf16) : bf16
  // CHECK: llvm.mlir.constant(dense<-16384> : vector<2xi16>) : vector<2xi16>
  %two = llvm.mlir.constant(dense<-2.0> : vector<2xbf16>) : vector<2xbf16>
  // CHECK: llvm.getelementptr %{{.*}}[1] : (!llvm.ptr) -> !llvm.ptr, i16
  %r = llvm.getelementptr %p[1] : (!llvm.ptr) -> !llvm.ptr, bf16
  // CHECK: llvm.load %{{.*}} : !llvm.ptr -> i16
  %v = llvm.load %r : !llvm.ptr -> bf16
  %c = llvm.mlir.constant(true) : i1
  // CHECK: llvm.cond_br %{{.*}}, ^bb1(%{{.*}} : i16), ^bb1(%{{.*}} : i16)
  llvm.cond_br %c, ^bb1(%v : bf16), ^bb1(%one : bf16)
// CHECK: ^bb1(%[[V:.*]]: i16):
^bb1(%w: bf16):
  // CHECK: llvm.store %[[V]], %{{.*}} : i16, !llvm.ptr
  llvm.store %w, %q : bf16, !llvm.ptr
  llvm.store %two, %q : vector<2xbf16>, !llvm.ptr
  llvm.return
}

// Without conversions f16 is only moved.
// CHECK-LABEL: llvm.func @move_half
llvm.func @move_half(%p: !llvm.ptr, %q: !llvm.ptr) {
  // CHECK: llvm.load %{{.*}} : !llvm.ptr -> i16
  %v = llvm.load %p : !llvm.ptr -> f16
  llvm.store %v, %q : f16, !llvm.ptr
  llvm.return
}

// CHECK-LABEL: llvm.func @convert_half
llvm.func @convert_half(%p: !llvm.ptr) -> f32 {
  // CHECK: llvm.load %{{.*}} : !llvm.ptr -> f16
  %v = llvm.load %p : !llvm.ptr -> f16
  %w = llvm.fpext %v : f16 to f32
  llvm.return %w : f32
}
