// The step ops round-trip.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

// CHECK: step.kernel @k3(%[[X:.*]]: tensor<?x64xf32>, %{{.*}}: index) {
// CHECK:   step.yield %[[X]] : tensor<?x64xf32>
step.kernel @k3(%x: tensor<?x64xf32>, %n: index) {
  step.yield %x : tensor<?x64xf32>
}

// CHECK-LABEL: func @host
func.func @host(%x: tensor<?x64xf32>, %n: index, %e: tensor<?x2xi32>, %g: tensor<?x2xf32>) -> tensor<?x64xf32> {
  // CHECK: step.dispatch @k3(%{{.*}}, %[[N:.*]]) dims(%[[N]]) grid(%[[N]]) work(%[[N]]) scratch(%[[N]]) label "/mlp/up" :
  // CHECK-SAME: (tensor<?x64xf32>, index) -> tensor<?x64xf32>
  %0 = step.dispatch @k3(%x, %n) dims(%n) grid(%n) work(%n) scratch(%n) label "/mlp/up"
    : (tensor<?x64xf32>, index) -> tensor<?x64xf32>
  // CHECK: step.dispatch @k3({{.*}}) dims{{.*}} scratch(%[[N]]) gpu(%[[N]], %[[N]]) label "/mlp/up" :
  %1 = step.dispatch @k3(%0, %n) dims(%n) grid(%n) work(%n) scratch(%n) gpu(%n, %n) label "/mlp/up"
    : (tensor<?x64xf32>, index) -> tensor<?x64xf32>
  // CHECK: step.routing 0 experts %{{.*}} gates %{{.*}} tokens %{{.*}} : tensor<?x2xi32>, tensor<?x2xf32>, index
  step.routing 0 experts %e gates %g tokens %n : tensor<?x2xi32>, tensor<?x2xf32>, index
  return %1 : tensor<?x64xf32>
}

moe.weight @w : tensor<4xf32> source(#moe.splat<0.0>)

// CHECK: step.program @main inputs 1 weights [@w] {
step.program @main inputs 1 weights [@w] {
^bb0(%in: !step.slot, %w: !step.slot):
  // CHECK: %[[D:.*]] = step.input_dim 0 1
  %d = step.input_dim 0 1
  // CHECK: %[[A:.*]] = step.alloc %[[D]]
  %a = step.alloc %d
  // CHECK: %[[O:.*]] = step.output 0(%[[D]], %[[D]])
  %o = step.output 0(%d, %d)
  // CHECK: %[[V:.*]] = step.alias %[[A]] + %[[D]]
  %v = step.alias %a + %d
  // CHECK: %[[L:.*]] = step.load %[[V]][%[[D]]] : i32
  %l = step.load %v[%d] : i32
  // CHECK: step.store %[[L]], %[[V]][%[[D]]] : i64
  step.store %l, %v[%d] : i64
  // CHECK: step.copy %[[A]] + %[[D]] to %[[O]] + %[[D]] bytes %[[L]]
  step.copy %a + %d to %o + %d bytes %l
  // CHECK: step.launch @k3(%{{.*}}, %[[O]]) scalars(%[[D]]) grid %[[D]] work %[[D]] scratch %[[D]] label "/mlp"
  step.launch @k3(%in, %o) scalars(%d) grid %d work %d scratch %d label "/mlp"
  // CHECK: step.launch @k3({{.*}}) scalars({{.*}}) grid %[[D]] work %[[D]] scratch %[[D]] gpu(%[[D]], %[[D]]) label "/mlp"
  step.launch @k3(%in, %o) scalars(%d) grid %d work %d scratch %d gpu(%d, %d) label "/mlp"
  // CHECK: step.check %[[L]], "sizes differ" : i64
  step.check %l, "sizes differ" : i64
  // CHECK: step.state 0 length %[[D]]
  %state, %capacity = step.state 0 length %d
  // CHECK: step.free %[[A]]
  step.free %a
  // CHECK: step.return
  step.return
}

// CHECK-LABEL: func.func @state(
// CHECK-SAME: %[[PAST:.*]]: tensor<2x?xf32>, %[[N:.*]]: index
func.func @state(%past: tensor<2x?xf32>, %n: index) {
  // CHECK: %[[BUFFER:.*]], %{{.*}} = step.state_buffer 1 axis 1 like %[[PAST]] length %[[N]] : tensor<2x?xf32> -> tensor<2x?xf32>
  %buffer, %capacity = step.state_buffer 1 axis 1 like %past length %n : tensor<2x?xf32> -> tensor<2x?xf32>
  // CHECK: step.dispatch @write(%[[N]]) tied %[[BUFFER]] : tensor<2x?xf32> dims
  %0 = step.dispatch @write(%n) tied %buffer : tensor<2x?xf32> dims(%capacity) grid(%n) work(%n) scratch(%n)
      : (index) -> tensor<2x?xf32>
  return
}
step.kernel @write(%n: index) {
  %0 = tensor.empty(%n) : tensor<2x?xf32>
  step.yield %0 : tensor<2x?xf32>
}
