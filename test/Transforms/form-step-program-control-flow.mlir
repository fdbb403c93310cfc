// RUN: moe-opt %s --moe-form-step-program --moe-plan-buffers --split-input-file | FileCheck %s

// A branch gives a tensor in memory of its own, which the join takes over.
// CHECK-LABEL: step.program @choice
// CHECK: cf.cond_br %{{.*}}, ^bb1, ^bb2
// CHECK: ^bb1:
// CHECK: %[[COPY:.*]] = step.alloc
// CHECK: step.copy %arg1
// CHECK-NOT: step.free %[[COPY]]
// CHECK: cf.br ^bb3(%[[COPY]], %{{.*}} : !step.slot, i64)
// CHECK: ^bb3(%[[SLOT:.*]]: !step.slot, %[[EXTENT:.*]]: i64):
// CHECK: step.output 0(%[[EXTENT]])
func.func @choice(%c: tensor<i1>, %x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %b = tensor.extract %c[] : tensor<i1>
  %0 = scf.if %b -> tensor<?xf32> {
    scf.yield %x : tensor<?xf32>
  } else {
    scf.yield %y : tensor<?xf32>
  }
  return %0 : tensor<?xf32>
}

// -----

// CHECK-LABEL: step.program @loop
// CHECK: cf.br ^bb1(%{{.*}} : i64)
// CHECK: ^bb1(%[[I:.*]]: i64):
// CHECK: cf.cond_br %{{.*}}, ^bb2, ^bb3
// CHECK: ^bb2:
// CHECK: %[[NEXT:.*]] = arith.addi %[[I]], %{{.*}} : i64
// CHECK: cf.br ^bb1(%[[NEXT]] : i64)
// CHECK: ^bb3:
// CHECK: step.store %[[I]]
func.func @loop(%n: tensor<i64>) -> tensor<1xi64> {
  %c0 = arith.constant 0 : i64
  %c1 = arith.constant 1 : i64
  %trips = tensor.extract %n[] : tensor<i64>
  %0 = scf.while (%i = %c0) : (i64) -> i64 {
    %more = arith.cmpi slt, %i, %trips : i64
    scf.condition(%more) %i : i64
  } do {
  ^bb0(%i: i64):
    %next = arith.addi %i, %c1 : i64
    scf.yield %next : i64
  }
  %1 = tensor.from_elements %0 : tensor<1xi64>
  return %1 : tensor<1xi64>
}
