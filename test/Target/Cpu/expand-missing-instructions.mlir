// RUN: moe-opt %s --split-input-file --pass-pipeline="builtin.module(builtin.module(moe-expand-missing-instructions))" --verify-diagnostics | FileCheck %s

// CHECK-LABEL: module @"x86-64-v2"
module @"x86-64-v2" {
  // CHECK-LABEL: func @single
  func.func @single(%a: vector<4xf32>, %b: vector<4xf32>, %c: vector<4xf32>) -> vector<4xf32> {
    // CHECK: %[[P:.*]] = arith.mulf %arg0, %arg1 : vector<4xf32>
    // CHECK: arith.addf %[[P]], %arg2
    // CHECK-NOT: vector.fma
    %0 = vector.fma %a, %b, %c : vector<4xf32>
    return %0 : vector<4xf32>
  }
  // The rest of the product is added, unless there is none.
  // CHECK-LABEL: func @double
  func.func @double(%a: f64, %b: f64, %c: f64) -> f64 {
    // CHECK: %[[P:.*]] = arith.mulf %arg0, %arg1 : f64
    // CHECK: %[[S:.*]] = arith.addf %[[P]], %arg2
    // CHECK: %[[FINITE:.*]] = arith.cmpf olt
    // CHECK: %[[SUM:.*]] = arith.addf %[[S]]
    // CHECK: arith.select %[[FINITE]], %[[SUM]], %[[S]]
    %0 = math.fma %a, %b, %c : f64
    return %0 : f64
  }
  // CHECK-LABEL: func @widen
  func.func @widen(%a: vector<8xf16>) -> vector<8xf32> {
    // CHECK-NOT: arith.extf
    // CHECK: arith.bitcast %{{.*}} : vector<8xi32> to vector<8xf32>
    %0 = arith.extf %a : vector<8xf16> to vector<8xf32>
    return %0 : vector<8xf32>
  }
  // CHECK-LABEL: func @narrow
  func.func @narrow(%a: f32) -> f16 {
    // CHECK-NOT: arith.truncf
    // CHECK: arith.bitcast %{{.*}} : i16 to f16
    %0 = arith.truncf %a : f32 to f16
    return %0 : f16
  }
}

// CHECK-LABEL: module @aarch64
module @aarch64 {
  // CHECK: math.fma
  func.func @kept(%a: f32) -> f32 {
    %0 = math.fma %a, %a, %a : f32
    return %0 : f32
  }
}

// -----

// expected-error @+1 {{is not named after a code variant}}
module @vax {
}
module @aarch64 {
}
