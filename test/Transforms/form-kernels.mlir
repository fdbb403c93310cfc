// RUN: moe-opt %s --moe-form-kernels | FileCheck %s

// Equal kernels are one; a tensor constant becomes a weight; the fill of a sum moves into its kernel.

// CHECK: moe.weight @[[$C:.*]] : tensor<4xf32> source(dense<[1.0{{.*}}, 2.0{{.*}}, 3.0{{.*}}, 4.0{{.*}}]>

// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[X:.*]]: tensor<?x8xf32>
// CHECK: %[[W:.*]] = moe.load_weight @[[$C]]
// CHECK: %[[T:.*]] = tensor.dim %[[X]]
// CHECK: %[[A:.*]] = step.dispatch @nn_softmax(%[[X]]) dims(%{{.*}}) {{.*}} label "first"
// CHECK: %[[B:.*]] = step.dispatch @nn_softmax(%[[A]])
// CHECK-NOT: linalg.fill
// CHECK: step.dispatch @linalg_generic(%[[B]], %{{.*}}) dims(%{{.*}})
// CHECK: step.dispatch @nn_gather(%[[W]], %{{.*}})
func.func @main(%x: tensor<?x8xf32>, %i: tensor<2xi64>) -> (tensor<?xf32>, tensor<2xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %table = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %t = tensor.dim %x, %c0 : tensor<?x8xf32>
  %a = nn.softmax %x : tensor<?x8xf32> loc("first")
  %b = nn.softmax %a : tensor<?x8xf32>
  %e = tensor.empty(%t) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
      iterator_types = ["parallel", "reduction"]} ins(%b : tensor<?x8xf32>) outs(%f : tensor<?xf32>) {
  ^bb0(%v: f32, %sum: f32):
    %r = arith.addf %v, %sum : f32
    linalg.yield %r : f32
  } -> tensor<?xf32>
  %g = nn.gather %table[%i] axis 0 : (tensor<4xf32>, tensor<2xi64>) -> tensor<2xf32>
  return %s, %g : tensor<?xf32>, tensor<2xf32>
}

// CHECK: step.kernel @nn_softmax(%[[K:.*]]: tensor<?x8xf32>)
// CHECK-NEXT: nn.softmax %[[K]]
// CHECK-NEXT: step.yield
// CHECK: step.kernel @linalg_generic(%{{.*}}: tensor<?x8xf32>, %{{.*}}: index)
// CHECK: linalg.fill
// CHECK-NOT: step.kernel @nn_softmax
