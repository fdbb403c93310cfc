// RUN: moe-opt %s --moe-form-kernels --moe-emit-kernels=vector-lanes=16 | FileCheck %s

// An index is wrapped, checked, and only then used.
// CHECK-LABEL: func.func @nn_gather(
// CHECK: scf.for
// CHECK: %[[AT:.*]] = arith.select
// CHECK: %[[VALID:.*]] = arith.cmpi ult, %[[AT]]
// CHECK: scf.if %[[VALID]]
// CHECK: scf.for
func.func @gather(%x: tensor<?x8xf16>, %i: tensor<?xi32>) -> tensor<?x8xf16> {
  %0 = nn.gather %x[%i] axis 0 : (tensor<?x8xf16>, tensor<?xi32>) -> tensor<?x8xf16>
  return %0 : tensor<?x8xf16>
}

// A row that is no multiple of the vector ends in a masked step.
// CHECK-LABEL: func.func @nn_softmax(
// CHECK: vector.load {{.*}} vector<16xf16>
// CHECK: arith.extf
// CHECK: vector.maskedload
// CHECK: math.exp {{.*}} : vector<16xf32>
// CHECK: vector.maskedstore
func.func @softmax(%x: tensor<?x40xf16>) -> tensor<?x40xf16> {
  %0 = nn.softmax %x : tensor<?x40xf16>
  return %0 : tensor<?x40xf16>
}

// CHECK-LABEL: func.func @nn_rms_norm(
// CHECK-NOT: mask
// CHECK: math.sqrt
// CHECK-NOT: mask
// CHECK: return
func.func @norm(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %0 = nn.rms_norm %x eps 1.0e-5 : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @nn_attention(
// CHECK: memref.view
// CHECK-NOT: memref.alloc(
// CHECK-COUNT-16: math.fma {{.*}} : vector<16xf32>
// CHECK: return
func.func @attention(%q: tensor<1x4x?x64xf32>, %k: tensor<1x2x?x64xf32>) -> tensor<1x4x?x64xf32> {
  %0 = nn.attention %q, %k, %k scale 0.125 {causal = true}
    : (tensor<1x4x?x64xf32>, tensor<1x2x?x64xf32>, tensor<1x2x?x64xf32>) -> tensor<1x4x?x64xf32>
  return %0 : tensor<1x4x?x64xf32>
}
