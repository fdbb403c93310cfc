// RUN: moe-opt %s --canonicalize --cse --split-input-file | FileCheck %s

// A constant k becomes the extent of the results.
// CHECK-LABEL: func @constant_count
// CHECK: %[[V:.*]], %[[I:.*]] = nn.top_k %{{.*}}, %{{.*}} largest true : tensor<?x8xf32> -> tensor<?x2xf32>, tensor<?x2xi64>
// CHECK: %[[D:.*]] = tensor.cast %[[I]] : tensor<?x2xi64> to tensor<?x?xi64>
// CHECK: return %[[D]]
func.func @constant_count(%x: tensor<?x8xf32>) -> tensor<?x?xi64> {
  %k = arith.constant 2 : index
  %v, %i = nn.top_k %x, %k largest true : tensor<?x8xf32> -> tensor<?x?xf32>, tensor<?x?xi64>
  return %i : tensor<?x?xi64>
}
// -----
// A negative k is left to fail when it runs.
// CHECK-LABEL: func @negative_count
// CHECK: nn.top_k %{{.*}}, %{{.*}} largest true : tensor<8xf32> -> tensor<?xf32>, tensor<?xi64>
func.func @negative_count(%x: tensor<8xf32>) -> tensor<?xf32> {
  %k = arith.constant -1 : index
  %v, %i = nn.top_k %x, %k largest true : tensor<8xf32> -> tensor<?xf32>, tensor<?xi64>
  return %v : tensor<?xf32>
}
// -----
// Ops without users go, equal ops are one.
// CHECK-LABEL: func @pure
// CHECK-COUNT-1: nn.softmax
// CHECK-NOT: nn.
// CHECK: return
func.func @pure(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = nn.softmax %x : tensor<4xf32>
  %1 = nn.softmax %x : tensor<4xf32>
  %2 = nn.rms_norm %x eps 0.0 : (tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}
