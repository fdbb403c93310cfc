// RUN: moe-opt %s --moe-record-layers | FileCheck %s

// CHECK: module attributes {moe.layers = [{experts = 4 : i64, form = "MoE", name = "/mlp/moe",
// CHECK-SAME: router = "softmax over all, top 2, renormalised", selected = 2 : i64, weights = []}]}
// CHECK: %[[E:.*]], %[[G:.*]] = moe.route
// CHECK: step.routing 0 experts %[[E]] gates %[[G]] tokens
// CHECK: moe.experts {{.*}} moe.layer = 0
func.func @main(%x: tensor<?x8xf32>, %l: tensor<?x4xf32>, %w1: tensor<4x6x8xf32>, %w2: tensor<4x8x6xf32>) -> tensor<?x8xf32> {
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 2, renormalize = sum_plus_eps>)
      : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<kind = silu>) {form = "MoE", label = "/mlp/moe"}
      : (tensor<?x8xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<4x6x8xf32>, tensor<4x8x6xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
