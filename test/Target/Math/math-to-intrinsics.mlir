// RUN: moe-opt %s --moe-math-to-intrinsics | FileCheck %s

// CHECK-LABEL: func @functions
// CHECK-NEXT: llvm.call_intrinsic "llvm.floor"(%{{.*}}) : (f32) -> f32
// CHECK-NEXT: llvm.call_intrinsic "llvm.fma"(%{{.*}}) : (vector<4xf32>, vector<4xf32>, vector<4xf32>) -> vector<4xf32>
// CHECK-NEXT: llvm.call_intrinsic "llvm.maxnum"(%{{.*}}) : (f32, f32) -> f32
func.func @functions(%x: f32, %v: vector<4xf32>) -> (f32, vector<4xf32>) {
  %a = math.floor %x : f32
  %b = math.fma %v, %v, %v : vector<4xf32>
  %c = arith.maxnumf %a, %x : f32
  return %c, %b : f32, vector<4xf32>
}

// CHECK-LABEL: func @kinds
// CHECK-SAME: (%[[X:.*]]: f32)
// CHECK-DAG: %[[INFINITY:.*]] = arith.constant 0x7F800000 : f32
// CHECK-DAG: arith.cmpf uno, %[[X]], %[[X]] : f32
// CHECK-DAG: %[[MAGNITUDE:.*]] = llvm.call_intrinsic "llvm.fabs"(%[[X]])
// CHECK-DAG: arith.cmpf oeq, %[[MAGNITUDE]], %[[INFINITY]] : f32
func.func @kinds(%x: f32) -> (i1, i1) {
  %a = math.isnan %x : f32
  %b = math.isinf %x : f32
  return %a, %b : i1, i1
}

// CHECK-LABEL: func @magnitude
// CHECK: arith.subi
// CHECK: arith.maxsi
func.func @magnitude(%x: index) -> index {
  %a = math.absi %x : index
  return %a : index
}
