// RUN: moe-opt %s --moe-approximate-gpu-math | FileCheck %s

// CHECK-LABEL: func @exponential
// CHECK: %[[SCALED:.*]] = arith.mulf %arg0, %{{.*}} : f32
// CHECK-NEXT: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz"(%[[SCALED]])
func.func @exponential(%x: f32) -> f32 {
  %0 = math.exp %x fastmath<afn> : f32
  return %0 : f32
}

// CHECK-LABEL: func @tangent
// CHECK: %[[POWER:.*]] = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz"
// CHECK: %[[SUM:.*]] = arith.addf %[[POWER]]
// CHECK: arith.divf %{{.*}}, %[[SUM]] fastmath<afn>
// CHECK: math.fma
func.func @tangent(%x: f32) -> f32 {
  %0 = math.tanh %x fastmath<afn> : f32
  return %0 : f32
}

// CHECK-LABEL: func @error
// CHECK: math.absf
// CHECK-COUNT-5: math.fma
// CHECK: "llvm.nvvm.ex2.approx.ftz"
// CHECK: math.copysign %{{.*}}, %arg0
func.func @error(%x: f32) -> f32 {
  %0 = math.erf %x fastmath<afn> : f32
  return %0 : f32
}

// Without the flag, in another type, or as a vector, functions stay.
// CHECK-LABEL: func @others
// CHECK: math.exp %arg0 : f32
// CHECK: math.exp %arg1 fastmath<afn> : f64
// CHECK: math.exp %arg2 fastmath<afn> : vector<1xf32>
func.func @others(%x: f32, %y: f64, %z: vector<1xf32>) -> (f32, f64, vector<1xf32>) {
  %0 = math.exp %x : f32
  %1 = math.exp %y fastmath<afn> : f64
  %2 = math.exp %z fastmath<afn> : vector<1xf32>
  return %0, %1, %2 : f32, f64, vector<1xf32>
}
