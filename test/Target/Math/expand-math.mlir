// RUN: moe-opt %s --moe-expand-math --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func @exp
// CHECK-NOT: math.exp
// CHECK: math.fma
func.func @exp(%x: f32) -> f32 {
  %y = math.exp %x : f32
  return %y : f32
}

// CHECK-LABEL: func @root
// CHECK: math.sqrt
func.func @root(%x: f32) -> f32 {
  %y = math.sqrt %x : f32
  return %y : f32
}

// CHECK-LABEL: func @double
// CHECK-NOT: math.{{exp|powf|sin}}
// CHECK: math.fma {{.*}} : vector<8xf64>
// CHECK: return
func.func @double(%x: vector<8xf64>) -> vector<8xf64> {
  %e = math.exp %x : vector<8xf64>
  %p = math.powf %e, %x : vector<8xf64>
  %y = math.sinh %p : vector<8xf64>
  return %y : vector<8xf64>
}

// -----

// CHECK-LABEL: func @to_half
// CHECK: arith.sitofp %{{.*}} : vector<4xi8> to vector<4xf32>
// CHECK: arith.truncf %{{.*}} : vector<4xf32> to vector<4xf16>
func.func @to_half(%x: vector<4xi8>) -> vector<4xf16> {
  %y = arith.sitofp %x : vector<4xi8> to vector<4xf16>
  return %y : vector<4xf16>
}

// -----

func.func @missing(%x: f64) -> f64 {
  // expected-error @+1 {{has no expansion for 'f64'}}
  %y = math.cbrt %x : f64
  return %y : f64
}
