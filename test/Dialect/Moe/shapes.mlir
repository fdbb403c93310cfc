// Dynamic extents of moe results resolve to extents of operands.
// RUN: moe-opt %s --resolve-ranked-shaped-type-result-dims --canonicalize --cse --split-input-file | FileCheck %s

// CHECK-LABEL: func @route
// CHECK-SAME: (%[[L:.*]]: tensor<?x8xf32>)
// CHECK: %[[T:.*]] = tensor.dim %[[L]], %c0
// CHECK-NOT: moe.route
// CHECK: return %[[T]], %[[T]]
func.func @route(%l: tensor<?x8xf32>) -> (index, index) {
  %c0 = arith.constant 0 : index
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 2>) : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %0 = tensor.dim %e, %c0 : tensor<?x2xi32>
  %1 = tensor.dim %g, %c0 : tensor<?x2xf32>
  return %0, %1 : index, index
}
// -----
// CHECK-LABEL: func @limited
// CHECK-SAME: (%[[E:.*]]: tensor<?x?x2xi32>)
// CHECK: %[[T:.*]] = tensor.dim %[[E]], %c1
// CHECK: return %[[T]]
func.func @limited(%e: tensor<?x?x2xi32>) -> index {
  %c1 = arith.constant 1 : index
  %k = moe.limit_capacity %e experts 8 capacity 3 : tensor<?x?x2xi32>
  %0 = tensor.dim %k, %c1 : tensor<?x?x2xi32>
  return %0 : index
}
// -----
// CHECK-LABEL: func @pieces
// CHECK-SAME: (%[[E:.*]]: tensor<?x2xi32>,
// CHECK: %[[T:.*]] = tensor.dim %[[E]], %c0
// CHECK: %[[R:.*]] = arith.muli %[[T]], %c2
// CHECK: return %[[R]], %[[R]], %[[T]]
func.func @pieces(%e: tensor<?x2xi32>, %x: tensor<?x4xf32>, %w: tensor<8x6x4xf32>) -> (index, index, index) {
  %c0 = arith.constant 0 : index
  %o, %r, %i = moe.group %e experts 8 : tensor<?x2xi32> -> tensor<9xi32>, tensor<?xi32>, tensor<?xi32>
  %0 = tensor.dim %r, %c0 : tensor<?xi32>
  %u = moe.grouped_matmul %x by %w offsets %o order %r columns 6 activation(<kind = identity>) {rows_per_token = 2}
    : (tensor<?x4xf32>, tensor<8x6x4xf32>, tensor<9xi32>, tensor<?xi32>) -> tensor<?x6xf32>
  %1 = tensor.dim %u, %c0 : tensor<?x6xf32>
  %y = moe.combine %u inverse %i slots 2 : (tensor<?x6xf32>, tensor<?xi32>) -> tensor<?x6xf32>
  %2 = tensor.dim %y, %c0 : tensor<?x6xf32>
  return %0, %1, %2 : index, index, index
}
// -----
// CHECK-LABEL: func @experts
// CHECK-SAME: (%[[X:[^:]*]]: tensor<?x4xf32>
// CHECK: %[[T:.*]] = tensor.dim %[[X]], %c0
// CHECK: return %[[T]]
func.func @experts(%x: tensor<?x4xf32>, %e: tensor<?x1xi32>, %g: tensor<?x1xf32>, %w1: tensor<2x6x4xf32>,
                   %w2: tensor<2x5x6xf32>) -> index {
  %c0 = arith.constant 0 : index
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<kind = silu>)
    : (tensor<?x4xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<2x6x4xf32>, tensor<2x5x6xf32>) -> tensor<?x5xf32>
  %0 = tensor.dim %y, %c0 : tensor<?x5xf32>
  return %0 : index
}
