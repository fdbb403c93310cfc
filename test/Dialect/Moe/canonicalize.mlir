// Routing and grouping that two layers share are computed once; without users they go.
// RUN: moe-opt %s --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func @shared_routing
// CHECK-COUNT-1: moe.route
// CHECK-COUNT-1: moe.group
// CHECK-NOT: moe.
// CHECK: return
func.func @shared_routing(%l: tensor<?x8xf32>) -> (tensor<9xi32>, tensor<9xi32>) {
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 2>) : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %o, %r, %i = moe.group %e experts 8 : tensor<?x2xi32> -> tensor<9xi32>, tensor<?xi32>, tensor<?xi32>
  %e2, %g2 = moe.route %l router(<score = softmax, over = all, k = 2>) : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %o2, %r2, %i2 = moe.group %e2 experts 8 : tensor<?x2xi32> -> tensor<9xi32>, tensor<?xi32>, tensor<?xi32>
  %e3, %g3 = moe.route %l router(<score = sigmoid, over = all, k = 2>) : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return %o, %o2 : tensor<9xi32>, tensor<9xi32>
}
