// RUN: moe-opt %s --moe-place-state --split-input-file | FileCheck %s

// A cache that only attention reads stays in place; attention learns how many keys there are.

// CHECK: module attributes {moe.states = [{axis = 2 : i64, in_place, input = 1 : i64, output = 1 : i64}]}
// CHECK: %[[HELD:.*]] = tensor.dim %[[PAST:.*]], %
// CHECK: %[[LENGTH:.*]] = arith.addi %[[HELD]], %
// CHECK: %[[BUFFER:.*]], %{{.*}} = step.state_buffer 0 axis 2 like %[[PAST]] length %[[LENGTH]]
// CHECK: %[[PRESENT:.*]] = nn.kv_append %{{.*}} to %[[BUFFER]] at %[[HELD]]
// CHECK: %[[OUT:.*]] = nn.attention %{{.*}}, %[[PRESENT]], %[[PRESENT]] length %[[LENGTH]]
// CHECK: return %[[OUT]], %[[PRESENT]]
module attributes {moe.states = [{axis = 2 : i64, input = 1 : i64, output = 1 : i64}]} {
  func.func @main(%q: tensor<1x2x?x8xf32>, %past: tensor<1x2x?x8xf32>, %new: tensor<1x2x?x8xf32>)
      -> (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>) {
    %present = tensor.concat dim(2) %past, %new
        : (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
    %out = nn.attention %q, %present, %present scale 0.35
        : (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
    return %out, %present : tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>
  }
}

// -----

// Something else reads the old cache.

// CHECK: module attributes {moe.states = [{axis = 2 : i64, input = 0 : i64, output = 1 : i64}]}
// CHECK-NOT: step.state_buffer
module attributes {moe.states = [{axis = 2 : i64, input = 0 : i64, output = 1 : i64}]} {
  func.func @main(%past: tensor<1x2x?x8xf32>, %new: tensor<1x2x?x8xf32>)
      -> (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>) {
    %present = tensor.concat dim(2) %past, %new
        : (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
    %softmax = nn.softmax %past : tensor<1x2x?x8xf32>
    return %softmax, %present : tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>
  }
}

// -----

// New positions that move to the ends of sequences, behind which they are too: nothing is left unwritten. Attention in a
// region reads them. A state that is replaced stays.

// CHECK: module attributes {moe.states = [{axis = 2 : i64, in_place, input = 1 : i64, output = 1 : i64}, {input = 3 : i64, output = 2 : i64}]}
// CHECK: %[[BUFFER:.*]], %{{.*}} = step.state_buffer 0 axis 2 like %[[PAST:.*]] length %[[LENGTH:.*]] :
// CHECK: %[[WHOLE:.*]] = nn.kv_append %{{.*}} to %[[BUFFER]] at %{{[^ ]*}} : tensor
// CHECK: %[[PRESENT:.*]] = nn.kv_append %{{.*}} to %[[WHOLE]] at %{{.*}} starts %[[STARTS:.*]] : tensor<?xi64>
// CHECK: scf.if
// CHECK: nn.attention %{{.*}}, %[[PRESENT]], %[[PRESENT]] length %[[LENGTH]]
// CHECK: nn.attention %{{.*}}, %[[PRESENT]], %[[PRESENT]] length %[[LENGTH]]
module attributes {moe.states = [{axis = 2 : i64, input = 1 : i64, output = 1 : i64}, {input = 3 : i64, output = 2 : i64}]} {
  func.func @main(%q: tensor<?x2x?x8xf32>, %past: tensor<?x2x?x8xf32>, %new: tensor<?x2x?x8xf32>, %conv: tensor<?x4xf32>,
                  %starts: tensor<?xi64>, %c: i1) -> (tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x4xf32>) {
    %c2 = arith.constant 2 : index
    %held = tensor.dim %past, %c2 : tensor<?x2x?x8xf32>
    %whole = tensor.concat dim(2) %past, %new : (tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32>
    %present = nn.kv_append %new to %whole at %held starts %starts : tensor<?xi64>
        : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32> -> tensor<?x2x?x8xf32>
    %out = scf.if %c -> tensor<?x2x?x8xf32> {
      %a = nn.attention %q, %present, %present scale 0.35 {causal = true}
          : (tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32>
      scf.yield %a : tensor<?x2x?x8xf32>
    } else {
      %a = nn.attention %q, %present, %present scale 0.35
          : (tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>) -> tensor<?x2x?x8xf32>
      scf.yield %a : tensor<?x2x?x8xf32>
    }
    return %out, %present, %conv : tensor<?x2x?x8xf32>, tensor<?x2x?x8xf32>, tensor<?x4xf32>
  }
}

// -----

// Values that are no state: the keys stay as well.

// CHECK: module attributes {moe.states = [{axis = 2 : i64, input = 0 : i64, output = 1 : i64}]}
// CHECK-NOT: step.state_buffer
module attributes {moe.states = [{axis = 2 : i64, input = 0 : i64, output = 1 : i64}]} {
  func.func @main(%past: tensor<1x2x?x8xf32>, %new: tensor<1x2x?x8xf32>, %v: tensor<1x2x?x8xf32>)
      -> (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>) {
    %present = tensor.concat dim(2) %past, %new
        : (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
    %out = nn.attention %new, %present, %v scale 0.35
        : (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
    return %out, %present : tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>
  }
}
