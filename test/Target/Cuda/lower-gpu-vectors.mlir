// RUN: moe-opt %s --moe-lower-gpu-vectors | FileCheck %s

// CHECK-LABEL: func @masked
// CHECK-NOT: mask
// CHECK: arith.cmpi sgt
// CHECK: %[[INSIDE:.*]] = vector.extract %{{.*}}[0] : i1 from vector<1xi1>
// CHECK: scf.if %[[INSIDE]]
// CHECK: memref.store
func.func @masked(%m: memref<?xf32>, %v: vector<1xf32>, %i: index, %n: index) {
  %mask = vector.create_mask %n : vector<1xi1>
  vector.maskedstore %m[%i], %mask, %v : memref<?xf32>, vector<1xi1>, vector<1xf32>
  return
}

// CHECK-LABEL: func @transposed
// CHECK-NOT: vector.transpose
// CHECK-COUNT-4: vector.insert
func.func @transposed(%v: vector<2x2xf32>) -> vector<2x2xf32> {
  %t = vector.transpose %v, [1, 0] : vector<2x2xf32> to vector<2x2xf32>
  return %t : vector<2x2xf32>
}
