// Dynamic extents of nn results resolve to extents of operands.
// RUN: moe-opt %s --resolve-ranked-shaped-type-result-dims --canonicalize --split-input-file | FileCheck %s

// CHECK-LABEL: func @gather
// CHECK-SAME: (%[[D:.*]]: tensor<4x?x?xf32>, %[[I:.*]]: tensor<?x3xi64>)
// CHECK-DAG: %[[J:.*]] = tensor.dim %[[I]], %c0
// CHECK-DAG: %[[L:.*]] = tensor.dim %[[D]], %c2
// CHECK: return %[[J]], %[[L]]
func.func @gather(%d: tensor<4x?x?xf32>, %i: tensor<?x3xi64>) -> (index, index) {
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %0 = nn.gather %d[%i] axis 1 : (tensor<4x?x?xf32>, tensor<?x3xi64>) -> tensor<4x?x3x?xf32>
  %1 = tensor.dim %0, %c1 : tensor<4x?x3x?xf32>
  %2 = tensor.dim %0, %c3 : tensor<4x?x3x?xf32>
  return %1, %2 : index, index
}
// -----
// CHECK-LABEL: func @gather_nd
// CHECK-SAME: (%[[D:.*]]: tensor<?x?x?xf32>, %[[I:.*]]: tensor<?x2xi64>)
// CHECK-DAG: %[[J:.*]] = tensor.dim %[[I]], %c0
// CHECK-DAG: %[[L:.*]] = tensor.dim %[[D]], %c2
// CHECK: return %[[J]], %[[L]]
func.func @gather_nd(%d: tensor<?x?x?xf32>, %i: tensor<?x2xi64>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = nn.gather_nd %d[%i] batch 0 : (tensor<?x?x?xf32>, tensor<?x2xi64>) -> tensor<?x?xf32>
  %1 = tensor.dim %0, %c0 : tensor<?x?xf32>
  %2 = tensor.dim %0, %c1 : tensor<?x?xf32>
  return %1, %2 : index, index
}
// -----
// CHECK-LABEL: func @counted
// CHECK-SAME: (%{{.*}}: tensor<?xf32>, %[[K:.*]]: index)
// CHECK: return %[[K]], %[[K]]
func.func @counted(%x: tensor<?xf32>, %k: index) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %v, %i = nn.top_k %x, %k largest true : tensor<?xf32> -> tensor<?xf32>, tensor<?xi64>
  %n = nn.nonzero %x, %k : tensor<?xf32> -> tensor<1x?xi64>
  %0 = tensor.dim %i, %c0 : tensor<?xi64>
  %1 = tensor.dim %n, %c1 : tensor<1x?xi64>
  return %0, %1 : index, index
}
// -----
// CHECK-LABEL: func @attention
// CHECK-SAME: (%[[Q:[^:]*]]: tensor<?x4x?x8xf32>
// CHECK-DAG: %[[B:.*]] = tensor.dim %[[Q]], %c0
// CHECK-DAG: %[[S:.*]] = tensor.dim %[[Q]], %c2
// CHECK: return %[[B]], %[[S]]
func.func @attention(%q: tensor<?x4x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x6xf32>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %0 = nn.attention %q, %k, %v scale 1.0
    : (tensor<?x4x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x6xf32>) -> tensor<?x4x?x6xf32>
  %1 = tensor.dim %0, %c0 : tensor<?x4x?x6xf32>
  %2 = tensor.dim %0, %c2 : tensor<?x4x?x6xf32>
  return %1, %2 : index, index
}
// -----
// CHECK-LABEL: func @like_data
// CHECK-SAME: (%[[X:[^:]*]]: tensor<?x?xf32>
// CHECK-DAG: %[[A:.*]] = tensor.dim %[[X]], %c0
// CHECK-DAG: %[[B:.*]] = tensor.dim %[[X]], %c1
// CHECK: return %[[A]], %[[B]]
func.func @like_data(%x: tensor<?x?xf32>, %i: tensor<?x?xi64>, %u: tensor<?x?xf32>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = nn.scatter_elements %u into %x[%i] axis 0 none : (tensor<?x?xf32>, tensor<?x?xi64>, tensor<?x?xf32>) -> tensor<?x?xf32>
  %1 = nn.softmax %0 : tensor<?x?xf32>
  %2 = nn.cumsum %1 axis 0 exclusive false reverse false : tensor<?x?xf32>
  %3 = nn.rms_norm %2 eps 0.0 : (tensor<?x?xf32>) -> tensor<?x?xf32>
  %4 = tensor.dim %3, %c0 : tensor<?x?xf32>
  %5 = tensor.dim %3, %c1 : tensor<?x?xf32>
  return %4, %5 : index, index
}
