// RUN: moe-opt %s --moe-form-kernels | FileCheck %s

// A constant that is a result, which no kernel reads, is data of the file too.
// CHECK: moe.weight @[[$C:.*]] : tensor<2xi64> source(dense<[3, 4]>
// CHECK-LABEL: func.func @main
// CHECK: %[[W:.*]] = moe.load_weight @[[$C]]
// CHECK: return %[[W]]
func.func @main(%x: tensor<?x8xf32>) -> tensor<2xi64> {
  %shape = arith.constant dense<[3, 4]> : tensor<2xi64>
  return %shape : tensor<2xi64>
}
