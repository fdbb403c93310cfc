// Routers in words.
// RUN: moe-opt %s --moe-record-layers | FileCheck %s

// CHECK: router = "softmax over all, at most 4 with a sum of 0.6, renormalised"
// CHECK-SAME: router = "relu over all, at most 4 above 0, times 2.5"
// CHECK-SAME: router = "sparse mixer within 0.02, top 2"
// CHECK-SAME: router = "sigmoid over selected, top 1, capacity 24"
// CHECK-SAME: router = "plain operators"
func.func @main(%x: tensor<?x8xf32>, %l: tensor<?x4xf32>, %i: tensor<?x1xi32>, %w1: tensor<4x6x8xf32>, %w2: tensor<4x8x6xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e0, %g0 = moe.route %l router(<score = softmax, over = all, k = 4, select = top_p, renormalize = sum_plus_eps, bound = 0.6>)
      : tensor<?x4xf32> -> tensor<?x4xi32>, tensor<?x4xf32>
  %y0 = moe.experts %x routed(%e0, %g0) w1 %w1 w2 %w2 activation(<kind = silu>)
      : (tensor<?x8xf32>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %e1, %g1 = moe.route %l router(<score = relu, over = all, k = 4, select = threshold, scale = 2.5>)
      : tensor<?x4xf32> -> tensor<?x4xi32>, tensor<?x4xf32>
  %y1 = moe.experts %y0 routed(%e1, %g1) w1 %w1 w2 %w2 activation(<kind = silu>)
      : (tensor<?x8xf32>, tensor<?x4xi32>, tensor<?x4xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %e2, %g2 = moe.route %l router(<score = softmax, over = all, k = 2, select = sparse_mixer, bound = 0.02>)
      : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %y2 = moe.experts %y1 routed(%e2, %g2) w1 %w1 w2 %w2 activation(<kind = silu>)
      : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %e3, %g3 = moe.route %l router(<score = sigmoid, over = selected, k = 1>) : tensor<?x4xf32> -> tensor<?x1xi32>, tensor<?x1xf32>
  %batch = tensor.expand_shape %e3 [[0, 1], [2]] output_shape [1, %t, 1] : tensor<?x1xi32> into tensor<1x?x1xi32>
  %kept = moe.limit_capacity %batch experts 4 capacity 24 : tensor<1x?x1xi32>
  %ids = tensor.collapse_shape %kept [[0, 1], [2]] : tensor<1x?x1xi32> into tensor<?x1xi32>
  %y3 = moe.experts %y2 routed(%ids, %g3) w1 %w1 w2 %w2 activation(<kind = silu>)
      : (tensor<?x8xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  %y4 = moe.experts %y3 routed(%i, %g3) w1 %w1 w2 %w2 activation(<kind = silu>)
      : (tensor<?x8xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  return %y4 : tensor<?x8xf32>
}
