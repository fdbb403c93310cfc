// What the verifiers of gather, scatter, top-k and scan say.
// RUN: moe-opt %s --verify-diagnostics --split-input-file

func.func @gather_axis(%d: tensor<4x8xf32>, %i: tensor<3xi64>) {
  // expected-error @+1 {{C1: expected an axis in [0, 2), found -1}}
  %0 = nn.gather %d[%i] axis -1 : (tensor<4x8xf32>, tensor<3xi64>) -> tensor<4x3xf32>
  return
}
// -----
func.func @gather_indices(%d: tensor<4x8xf32>, %i: tensor<3xf32>) {
  // expected-error @+1 {{C1: expected indices of element type i32 or i64, found 'f32'}}
  %0 = nn.gather %d[%i] axis 0 : (tensor<4x8xf32>, tensor<3xf32>) -> tensor<3x8xf32>
  return
}
// -----
func.func @gather_shape(%d: tensor<4x8xf32>, %i: tensor<3x2xi64>) {
  // expected-error @+1 {{C2: expected the result of shape [4, 3, 2], found [3, 2, 8]}}
  %0 = nn.gather %d[%i] axis 1 : (tensor<4x8xf32>, tensor<3x2xi64>) -> tensor<3x2x8xf32>
  return
}
// -----
func.func @elements_rank(%d: tensor<4x8xf32>, %i: tensor<3xi64>) {
  // expected-error @+1 {{C1: expected indices of rank 2, found rank 1}}
  %0 = nn.gather_elements %d[%i] axis 0 : (tensor<4x8xf32>, tensor<3xi64>) -> tensor<3xf32>
  return
}
// -----
func.func @elements_extent(%d: tensor<4x8xf32>, %i: tensor<5x3xi64>) {
  // expected-error @+1 {{C1: expected dimension 0 of indices to be at most 4, found 5}}
  %0 = nn.gather_elements %d[%i] axis 1 : (tensor<4x8xf32>, tensor<5x3xi64>) -> tensor<5x3xf32>
  return
}
// -----
func.func @elements_type(%d: tensor<4x8xf32>, %i: tensor<4x3xi64>) {
  // expected-error @+1 {{C2: expected the result of element type 'f32', found 'f16'}}
  %0 = nn.gather_elements %d[%i] axis 1 : (tensor<4x8xf32>, tensor<4x3xi64>) -> tensor<4x3xf16>
  return
}
// -----
func.func @nd_scalar(%d: tensor<4x8xf32>, %i: tensor<i64>) {
  // expected-error @+1 {{C1: expected indices of rank at least 1, found rank 0}}
  %0 = nn.gather_nd %d[%i] batch 0 : (tensor<4x8xf32>, tensor<i64>) -> tensor<4x8xf32>
  return
}
// -----
func.func @nd_dynamic(%d: tensor<4x8xf32>, %i: tensor<3x?xi64>) {
  // expected-error @+1 {{C1: expected dimension 1 of indices to be static, found 'tensor<3x?xi64>'}}
  %0 = nn.gather_nd %d[%i] batch 0 : (tensor<4x8xf32>, tensor<3x?xi64>) -> tensor<3x8xf32>
  return
}
// -----
func.func @nd_batch(%d: tensor<4x8xf32>, %i: tensor<4x1xi64>) {
  // expected-error @+1 {{C1: expected batch dimensions in [0, 2), found 2}}
  %0 = nn.gather_nd %d[%i] batch 2 : (tensor<4x8xf32>, tensor<4x1xi64>) -> tensor<4xf32>
  return
}
// -----
func.func @nd_tuple(%d: tensor<4x8xf32>, %i: tensor<4x2xi64>) {
  // expected-error @+1 {{C1: expected at most 1 indices per slice, found 2}}
  %0 = nn.gather_nd %d[%i] batch 1 : (tensor<4x8xf32>, tensor<4x2xi64>) -> tensor<4xf32>
  return
}
// -----
func.func @nd_batch_extent(%d: tensor<4x8xf32>, %i: tensor<5x1xi64>) {
  // expected-error @+1 {{C1: expected indices of shape [4, 1], found [5, 1]}}
  %0 = nn.gather_nd %d[%i] batch 1 : (tensor<4x8xf32>, tensor<5x1xi64>) -> tensor<5xf32>
  return
}
// -----
func.func @nd_shape(%d: tensor<4x8xf32>, %i: tensor<5x1xi64>) {
  // expected-error @+1 {{C2: expected the result of shape [5, 8], found [5]}}
  %0 = nn.gather_nd %d[%i] batch 0 : (tensor<4x8xf32>, tensor<5x1xi64>) -> tensor<5xf32>
  return
}
// -----
func.func @scatter_updates(%d: tensor<4x8xf32>, %i: tensor<2x8xi64>, %u: tensor<3x8xf32>) {
  // expected-error @+1 {{C1: expected updates of shape [2, 8], found [3, 8]}}
  %0 = nn.scatter_elements %u into %d[%i] axis 0 add : (tensor<4x8xf32>, tensor<2x8xi64>, tensor<3x8xf32>) -> tensor<4x8xf32>
  return
}
// -----
func.func @scatter_boolean(%d: tensor<4xi1>, %i: tensor<2xi64>, %u: tensor<2xi1>) {
  // expected-error @+1 {{C1: expected reduction none for i1, found add}}
  %0 = nn.scatter_elements %u into %d[%i] axis 0 add : (tensor<4xi1>, tensor<2xi64>, tensor<2xi1>) -> tensor<4xi1>
  return
}
// -----
func.func @scatter_result(%d: tensor<4x8xf32>, %i: tensor<2x8xi64>, %u: tensor<2x8xf32>) {
  // expected-error @+1 {{C2: expected the result of shape [4, 8], found [2, 8]}}
  %0 = nn.scatter_elements %u into %d[%i] axis 0 add : (tensor<4x8xf32>, tensor<2x8xi64>, tensor<2x8xf32>) -> tensor<2x8xf32>
  return
}
// -----
func.func @scatter_nd_tuple(%d: tensor<4xf32>, %i: tensor<2x2xi64>, %u: tensor<2xf32>) {
  // expected-error @+1 {{C1: expected at most 1 indices per slice, found 2}}
  %0 = nn.scatter_nd %u into %d[%i] none : (tensor<4xf32>, tensor<2x2xi64>, tensor<2xf32>) -> tensor<4xf32>
  return
}
// -----
func.func @scatter_nd_updates(%d: tensor<4x8xf32>, %i: tensor<2x1xi64>, %u: tensor<2xf32>) {
  // expected-error @+1 {{C2: expected updates of shape [2, 8], found [2]}}
  %0 = nn.scatter_nd %u into %d[%i] none : (tensor<4x8xf32>, tensor<2x1xi64>, tensor<2xf32>) -> tensor<4x8xf32>
  return
}
// -----
func.func @scatter_nd_result(%d: tensor<4x8xf32>, %i: tensor<2x2xi64>, %u: tensor<2xf32>) {
  // expected-error @+1 {{C3: expected the result of element type 'f32', found 'f64'}}
  %0 = nn.scatter_nd %u into %d[%i] none : (tensor<4x8xf32>, tensor<2x2xi64>, tensor<2xf32>) -> tensor<4x8xf64>
  return
}
// -----
func.func @top_k_scalar(%x: tensor<f32>, %k: index) {
  // expected-error @+1 {{C1: expected x of rank at least 1, found rank 0}}
  %v, %i = nn.top_k %x, %k largest true : tensor<f32> -> tensor<?xf32>, tensor<?xi64>
  return
}
// -----
func.func @top_k_constant(%x: tensor<8xf32>) {
  %k = arith.constant 3 : index
  // expected-error @+1 {{C2: expected values of shape [3], found [2]}}
  %v, %i = nn.top_k %x, %k largest true : tensor<8xf32> -> tensor<2xf32>, tensor<2xi64>
  return
}
// -----
func.func @top_k_indices(%x: tensor<8xf32>, %k: index) {
  // expected-error @+1 {{C2: expected indices of element type 'i64', found 'i32'}}
  %v, %i = nn.top_k %x, %k largest true : tensor<8xf32> -> tensor<?xf32>, tensor<?xi32>
  return
}
// -----
func.func @cumsum(%x: tensor<8xf32>) {
  // expected-error @+1 {{C1: expected an axis in [0, 1), found 1}}
  %0 = nn.cumsum %x axis 1 exclusive false reverse false : tensor<8xf32>
  return
}
// -----
func.func @count(%x: tensor<8xf32>) {
  // expected-error @+1 {{C1: expected the result to be 'tensor<1xi64>', found 'tensor<i64>'}}
  %0 = nn.count_nonzero %x : tensor<8xf32> -> tensor<i64>
  return
}
// -----
func.func @nonzero(%x: tensor<8x2xf32>, %n: index) {
  // expected-error @+1 {{C1: expected the result of shape [2, ?], found [1, ?]}}
  %0 = nn.nonzero %x, %n : tensor<8x2xf32> -> tensor<1x?xi64>
  return
}
// -----
func.func @nonzero_dynamic(%x: tensor<8x2xf32>, %n: index) {
  // expected-error @+1 {{C1: expected dimension 0 of the result to be static, found 'tensor<?x?xi64>'}}
  %0 = nn.nonzero %x, %n : tensor<8x2xf32> -> tensor<?x?xi64>
  return
}
