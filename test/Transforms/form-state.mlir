// RUN: moe-opt %s --moe-form-kernels --canonicalize --moe-form-step-program | FileCheck %s

// The kernel writes into the state's buffer: it gets no memory of its own, and the state has no output step.

// CHECK: step.program @main inputs 2
// CHECK: %[[SLOT:.*]], %[[CAPACITY:.*]] = step.state 0 length %[[LENGTH:.*]]
// CHECK-NOT: step.alloc
// CHECK: step.launch @nn_kv_append(%{{.*}}, %[[SLOT]]) scalars({{.*}}%[[CAPACITY]]
// CHECK-NOT: step.output
// CHECK: step.return

// CHECK: step.kernel @nn_kv_append(%[[NEW:.*]]: tensor<1x2x?x8xf32>, %{{.*}}: index, %[[ROOM:.*]]: index)
// CHECK: %[[STATE:.*]] = tensor.empty(%[[ROOM]])
// CHECK: nn.kv_append %[[NEW]] to %[[STATE]]
module attributes {moe.states = [{axis = 2 : i64, in_place, input = 0 : i64, output = 0 : i64}]} {
  func.func @main(%past: tensor<1x2x?x8xf32>, %new: tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32> {
    %c2 = arith.constant 2 : index
    %held = tensor.dim %past, %c2 : tensor<1x2x?x8xf32>
    %added = tensor.dim %new, %c2 : tensor<1x2x?x8xf32>
    %length = arith.addi %held, %added : index
    %buffer, %capacity = step.state_buffer 0 axis 2 like %past length %length
        : tensor<1x2x?x8xf32> -> tensor<1x2x?x8xf32>
    %present = nn.kv_append %new to %buffer at %held
        : tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32> -> tensor<1x2x?x8xf32>
    return %present : tensor<1x2x?x8xf32>
  }
}
