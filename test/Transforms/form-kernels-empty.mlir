// RUN: moe-opt %s --moe-form-kernels | FileCheck %s

// A tensor.empty that an op reads is a buffer like any other; one that an op only writes to is part of its kernel.

// CHECK-LABEL: func.func @main
// CHECK: %[[ROOM:.*]] = tensor.empty
// CHECK: step.dispatch @tensor_concat(%{{.*}}, %[[ROOM]])
func.func @main(%x: tensor<2x8xf32>) -> (tensor<5x8xf32>, tensor<2x8xf32>) {
  %room = tensor.empty() : tensor<3x8xf32>
  %joined = tensor.concat dim(0) %x, %room : (tensor<2x8xf32>, tensor<3x8xf32>) -> tensor<5x8xf32>
  %e = tensor.empty() : tensor<2x8xf32>
  %copy = linalg.copy ins(%x : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  return %joined, %copy : tensor<5x8xf32>, tensor<2x8xf32>
}

// CHECK: step.kernel @linalg_copy(%{{.*}}: tensor<2x8xf32>)
// CHECK-NEXT: tensor.empty
