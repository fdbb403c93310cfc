// What the verifiers of kernels and dispatches say.
// RUN: moe-opt %s --verify-diagnostics --split-input-file

// expected-error @+1 {{expected the body to end in step.yield}}
step.kernel @k(%x: tensor<4xf32>) {
  %0 = tensor.cast %x : tensor<4xf32> to tensor<?xf32>
}
// -----
func.func @missing(%x: tensor<4xf32>, %n: index) {
  // expected-error @+1 {{expected a step.kernel named @k}}
  %0 = step.dispatch @k(%x) dims() grid(%n) work(%n) scratch(%n) : (tensor<4xf32>) -> tensor<4xf32>
  return
}
// -----
step.kernel @k(%x: tensor<4xf32>) {
  step.yield %x : tensor<4xf32>
}
func.func @inputs(%x: tensor<5xf32>, %n: index) {
  // expected-error @+1 {{C1: inputs do not have the types of the arguments of @k}}
  %0 = step.dispatch @k(%x) dims() grid(%n) work(%n) scratch(%n) : (tensor<5xf32>) -> tensor<4xf32>
  return
}
// -----
step.kernel @k(%x: tensor<4xf32>) {
  step.yield %x : tensor<4xf32>
}
func.func @results(%x: tensor<4xf32>, %n: index) {
  // expected-error @+1 {{C1: results do not have the types that @k yields}}
  %0 = step.dispatch @k(%x) dims() grid(%n) work(%n) scratch(%n) : (tensor<4xf32>) -> tensor<5xf32>
  return
}
// -----
step.kernel @k(%x: tensor<?xf32>) {
  step.yield %x : tensor<?xf32>
}
func.func @dims(%x: tensor<?xf32>, %n: index) {
  // expected-error @+1 {{C2: expected 1 dims, found 0}}
  %0 = step.dispatch @k(%x) dims() grid(%n) work(%n) scratch(%n) : (tensor<?xf32>) -> tensor<?xf32>
  return
}
// -----
step.kernel @k(%x: tensor<?xf32>) {
  step.yield %x : tensor<?xf32>
}
func.func @outside() {
  // expected-error @+1 {{expects parent op 'step.program'}}
  step.return
}
// -----
step.kernel @k(%x: tensor<4xf32>) {
  step.yield %x : tensor<4xf32>
}
func.func @tied(%x: tensor<4xf32>, %state: tensor<5xf32>, %n: index) {
  // expected-error @+1 {{C3: expected one result of type 'tensor<5xf32>'}}
  %0 = step.dispatch @k(%x) tied %state : tensor<5xf32> dims() grid(%n) work(%n) scratch(%n)
      : (tensor<4xf32>) -> tensor<4xf32>
  return
}
// -----
func.func @state_type(%past: tensor<2x?xf32>, %n: index) {
  // expected-error @+1 {{C1: expected a buffer of type 'tensor<2x?xf32>', found 'tensor<?x?xf32>'}}
  %0, %1 = step.state_buffer 0 axis 1 like %past length %n : tensor<2x?xf32> -> tensor<?x?xf32>
  return
}
// -----
func.func @state_axis(%past: tensor<2x?xf32>, %n: index) {
  // expected-error @+1 {{C1: expected a dynamic dimension as axis, found 0}}
  %0, %1 = step.state_buffer 0 axis 0 like %past length %n : tensor<2x?xf32> -> tensor<2x?xf32>
  return
}
// -----
step.kernel @k(%x: tensor<4xf32>) {
  step.yield %x : tensor<4xf32>
}
func.func @gpu(%x: tensor<4xf32>, %n: index) {
  // expected-error @+1 {{C4: expected blocks and workspace, found blocks}}
  %0 = step.dispatch @k(%x) dims() grid(%n) work(%n) scratch(%n) gpu(%n) : (tensor<4xf32>) -> tensor<4xf32>
  return
}
// -----
func.func @launch(%slot: !step.slot, %n: i64) {
  // expected-error @+1 {{C1: expected blocks and workspace, found blocks}}
  step.launch @k(%slot) scalars() grid %n work %n scratch %n gpu(%n)
  return
}
