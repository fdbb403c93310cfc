// RUN: moe-opt %s --pass-pipeline='builtin.module(step.program(moe-plan-buffers))' | FileCheck %s

// Memory goes back behind its last use, uses through an alias included; memory nobody uses is not taken.

// CHECK: %[[A:.*]] = step.alloc
// CHECK-NOT: step.alloc
// CHECK: step.launch @k(%[[A]])
// CHECK: %[[B:.*]] = step.alias %[[A]]
// CHECK: step.launch @k(%[[B]])
// CHECK-NEXT: step.free %[[A]]
// CHECK-NEXT: step.return
step.program @main inputs 0 weights [] {
  %n = arith.constant 64 : i64
  %zero = arith.constant 0 : i64
  %a = step.alloc %n
  %unused = step.alloc %n
  step.launch @k(%a) scalars() grid %n work %n scratch %zero
  %b = step.alias %a + %zero
  step.launch @k(%b) scalars() grid %n work %n scratch %zero
  step.return
}
