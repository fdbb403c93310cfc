// RUN: moe-opt %s --moe-form-step-program | FileCheck %s

// Extents are registers, views share slots, a returned result is written to its output, another copy is a copy.

// CHECK-LABEL: func.func private @main
// CHECK: step.program @main inputs 1 weights [@w] {
// CHECK: ^bb0(%[[X:.*]]: !step.slot, %[[W:.*]]: !step.slot):
// CHECK: %[[T:.*]] = step.input_dim 0 0
// CHECK: %[[ELEMENTS:.*]] = arith.muli %[[T]], %{{.*}} : i64
// CHECK: %[[BYTES:.*]] = arith.muli %[[ELEMENTS]], %{{.*}} : i64
// CHECK: %[[A:.*]] = step.alloc %[[BYTES]]
// CHECK: step.launch @k(%[[X]], %[[W]], %[[A]]) scalars(%[[T]], %[[T]]) {{.*}} gpu(%[[T]], %{{.*}})
// CHECK: %[[OUT:.*]] = step.output 0(%[[T]], %{{.*}})
// CHECK: step.launch @k(%[[A]], %[[W]], %[[OUT]])
// CHECK: %[[FLAT:.*]] = step.output 1(%{{.*}})
// CHECK: step.copy %[[OUT]] + %{{.*}} to %[[FLAT]] + %{{.*}} bytes
// CHECK: step.return
moe.weight @w : tensor<8xf32> source(#moe.splat<1.0>)
func.func @main(%x: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %t = tensor.dim %x, %c0 : tensor<?x8xf32>
  %w = moe.load_weight @w : tensor<8xf32>
  %a = step.dispatch @k(%x, %w) dims(%t) grid(%t) work(%t) scratch(%c0) gpu(%t, %c1)
      : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %b = step.dispatch @k(%a, %w) dims(%t) grid(%t) work(%t) scratch(%c0)
      : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %flat = tensor.collapse_shape %b [[0, 1]] : tensor<?x8xf32> into tensor<?xf32>
  return %b, %flat : tensor<?x8xf32>, tensor<?xf32>
}
step.kernel @k(%x: tensor<?x8xf32>, %w: tensor<8xf32>) {
  %y = nn.rms_norm %x weight %w eps 1.0e-6 : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  step.yield %y : tensor<?x8xf32>
}
