// The nn ops round-trip.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

// CHECK-LABEL: func @indexing
func.func @indexing(%d: tensor<4x?x8xf32>, %i: tensor<?x3xi64>, %e: tensor<4x2x8xi32>, %u: tensor<4x2x8xf32>,
                    %t: tensor<5x2xi64>, %v: tensor<5x8xf32>, %k: index) {
  // CHECK: nn.gather %{{.*}}[%{{.*}}] axis 1 : (tensor<4x?x8xf32>, tensor<?x3xi64>) -> tensor<4x?x3x8xf32>
  %0 = nn.gather %d[%i] axis 1 : (tensor<4x?x8xf32>, tensor<?x3xi64>) -> tensor<4x?x3x8xf32>
  // CHECK: nn.gather_elements %{{.*}}[%{{.*}}] axis 1 :
  %1 = nn.gather_elements %d[%e] axis 1 : (tensor<4x?x8xf32>, tensor<4x2x8xi32>) -> tensor<4x2x8xf32>
  // CHECK: nn.gather_nd %{{.*}}[%{{.*}}] batch 0 :
  %2 = nn.gather_nd %d[%t] batch 0 : (tensor<4x?x8xf32>, tensor<5x2xi64>) -> tensor<5x8xf32>
  // CHECK: nn.scatter_elements %{{.*}} into %{{.*}}[%{{.*}}] axis 1 add :
  %3 = nn.scatter_elements %u into %d[%e] axis 1 add
    : (tensor<4x?x8xf32>, tensor<4x2x8xi32>, tensor<4x2x8xf32>) -> tensor<4x?x8xf32>
  // CHECK: nn.scatter_nd %{{.*}} into %{{.*}}[%{{.*}}] none :
  %4 = nn.scatter_nd %v into %d[%t] none
    : (tensor<4x?x8xf32>, tensor<5x2xi64>, tensor<5x8xf32>) -> tensor<4x?x8xf32>
  // CHECK: nn.top_k %{{.*}}, %{{.*}} largest true : tensor<4x?x8xf32> -> tensor<4x?x?xf32>, tensor<4x?x?xi64>
  %5, %6 = nn.top_k %d, %k largest true : tensor<4x?x8xf32> -> tensor<4x?x?xf32>, tensor<4x?x?xi64>
  // CHECK: nn.cumsum %{{.*}} axis 1 exclusive true reverse false : tensor<?x3xi64>
  %7 = nn.cumsum %i axis 1 exclusive true reverse false : tensor<?x3xi64>
  // CHECK: nn.count_nonzero %{{.*}} : tensor<?x3xi64> -> tensor<1xi64>
  %8 = nn.count_nonzero %i : tensor<?x3xi64> -> tensor<1xi64>
  // CHECK: nn.nonzero %{{.*}}, %{{.*}} : tensor<?x3xi64> -> tensor<2x?xi64>
  %9 = nn.nonzero %i, %k : tensor<?x3xi64> -> tensor<2x?xi64>
  return
}

// CHECK-LABEL: func @norms
func.func @norms(%x: tensor<?x8xf16>, %w: tensor<8xf32>) {
  // CHECK: nn.softmax %{{.*}} : tensor<?x8xf16>
  %0 = nn.softmax %x : tensor<?x8xf16>
  // CHECK: nn.rms_norm %{{.*}} weight %{{.*}} eps 9.99{{.*}}E-7 : (tensor<?x8xf16>, tensor<8xf32>) -> tensor<?x8xf16>
  %1 = nn.rms_norm %x weight %w eps 1.0e-6 : (tensor<?x8xf16>, tensor<8xf32>) -> tensor<?x8xf16>
  // CHECK: nn.layer_norm %{{.*}} bias %{{.*}} eps 0.000000e+00 : (tensor<?x8xf16>, tensor<8xf32>) -> tensor<?x8xf16>
  %2 = nn.layer_norm %x bias %w eps 0.0 : (tensor<?x8xf16>, tensor<8xf32>) -> tensor<?x8xf16>
  return
}

// CHECK-LABEL: func @attention
func.func @attention(%q: tensor<1x4x?x16xf32>, %k: tensor<1x2x?x16xf32>, %c: tensor<1x?x4xf32>,
                     %m: tensor<1x1x?x?xi1>, %s: tensor<4xf32>, %n: index, %a: tensor<1x2x1x16xf32>) {
  // CHECK: nn.rotary %{{.*}}, %{{.*}}, %{{.*}} interleaved false :
  %0 = nn.rotary %q, %c, %c interleaved false
    : (tensor<1x4x?x16xf32>, tensor<1x?x4xf32>, tensor<1x?x4xf32>) -> tensor<1x4x?x16xf32>
  // CHECK: nn.attention %{{.*}}, %{{.*}}, %{{.*}} scale 2.500000e-01 {causal = true, window = 128 : i64} :
  %1 = nn.attention %q, %k, %k scale 0.25 {causal = true, window = 128}
    : (tensor<1x4x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>) -> tensor<1x4x?x16xf32>
  // CHECK: nn.attention %{{.*}}, %{{.*}}, %{{.*}} mask %{{.*}} sinks %{{.*}} scale 2.500000e-01 {softcap = 3.000000e+01 : f64} :
  %2 = nn.attention %q, %k, %k mask %m sinks %s scale 0.25 {softcap = 30.0}
    : (tensor<1x4x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x1x?x?xi1>, tensor<4xf32>)
    -> tensor<1x4x?x16xf32>
  // CHECK: nn.kv_append %{{.*}} to %{{.*}} at %{{.*}} : tensor<1x2x1x16xf32>, tensor<1x2x?x16xf32> -> tensor<1x2x?x16xf32>
  %3 = nn.kv_append %a to %k at %n : tensor<1x2x1x16xf32>, tensor<1x2x?x16xf32> -> tensor<1x2x?x16xf32>
  %starts = arith.constant dense<3> : tensor<1xi64>
  // CHECK: nn.kv_append %{{.*}} to %{{.*}} at %{{.*}} starts %{{.*}} : tensor<1xi64> : tensor<1x2x1x16xf32>, tensor<1x2x?x16xf32> -> tensor<1x2x?x16xf32>
  %ragged = nn.kv_append %a to %k at %n starts %starts : tensor<1xi64> : tensor<1x2x1x16xf32>, tensor<1x2x?x16xf32> -> tensor<1x2x?x16xf32>
  // CHECK: nn.attention %{{.*}}, %{{.*}}, %{{.*}} length %{{.*}} scale 1.000000e+00 :
  %4 = nn.attention %q, %3, %3 length %n scale 1.0
    : (tensor<1x4x?x16xf32>, tensor<1x2x?x16xf32>, tensor<1x2x?x16xf32>, index) -> tensor<1x4x?x16xf32>
  return
}
