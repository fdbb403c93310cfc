// What the verifiers of norms, rotary embedding and attention say.
// RUN: moe-opt %s --verify-diagnostics --split-input-file

func.func @softmax_scalar(%x: tensor<f32>) {
  // expected-error @+1 {{C1: expected x of rank at least 1, found rank 0}}
  %0 = nn.softmax %x : tensor<f32>
  return
}
// -----
func.func @softmax_integer(%x: tensor<4xi32>) {
  // expected-error @+1 {{C1: expected x of a float element type, found 'i32'}}
  %0 = nn.softmax %x : tensor<4xi32>
  return
}
// -----
func.func @rms_weight(%x: tensor<?x8xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{C1: expected weight of shape [8], found [4]}}
  %0 = nn.rms_norm %x weight %w eps 0.0 : (tensor<?x8xf32>, tensor<4xf32>) -> tensor<?x8xf32>
  return
}
// -----
func.func @rms_eps(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{C1: expected eps to be finite and not negative}}
  %0 = nn.rms_norm %x eps -1.0 : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return
}
// -----
func.func @rms_result(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{C1: expected the result of element type 'f32', found 'f16'}}
  %0 = nn.rms_norm %x eps 0.0 : (tensor<?x8xf32>) -> tensor<?x8xf16>
  return
}
// -----
func.func @layer_norm_bias(%x: tensor<?x8xf32>, %b: tensor<8xi32>) {
  // expected-error @+1 {{C1: expected bias of a float element type, found 'i32'}}
  %0 = nn.layer_norm %x bias %b eps 0.0 : (tensor<?x8xf32>, tensor<8xi32>) -> tensor<?x8xf32>
  return
}
// -----
func.func @rotary_rank(%x: tensor<2x3x8xf32>, %c: tensor<1x3x4xf32>) {
  // expected-error @+1 {{C1: expected x of rank 4, found rank 3}}
  %0 = nn.rotary %x, %c, %c interleaved false : (tensor<2x3x8xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>) -> tensor<2x3x8xf32>
  return
}
// -----
func.func @rotary_dynamic(%x: tensor<2x4x3x8xf32>, %c: tensor<1x3x?xf32>) {
  // expected-error @+1 {{C1: expected dimension 2 of cos to be static, found 'tensor<1x3x?xf32>'}}
  %0 = nn.rotary %x, %c, %c interleaved false : (tensor<2x4x3x8xf32>, tensor<1x3x?xf32>, tensor<1x3x?xf32>) -> tensor<2x4x3x8xf32>
  return
}
// -----
func.func @rotary_tables(%x: tensor<2x4x3x8xf32>, %c: tensor<1x3x4xf32>, %s: tensor<1x3x2xf32>) {
  // expected-error @+1 {{C1: expected sin of shape [1, 3, 4], found [1, 3, 2]}}
  %0 = nn.rotary %x, %c, %s interleaved false : (tensor<2x4x3x8xf32>, tensor<1x3x4xf32>, tensor<1x3x2xf32>) -> tensor<2x4x3x8xf32>
  return
}
// -----
func.func @rotary_batch(%x: tensor<2x4x3x8xf32>, %c: tensor<3x3x4xf32>) {
  // expected-error @+1 {{C1: expected cos with first extent 1 or 2, found 3}}
  %0 = nn.rotary %x, %c, %c interleaved false : (tensor<2x4x3x8xf32>, tensor<3x3x4xf32>, tensor<3x3x4xf32>) -> tensor<2x4x3x8xf32>
  return
}
// -----
func.func @rotary_pairs(%x: tensor<2x4x3x8xf32>, %c: tensor<1x3x5xf32>) {
  // expected-error @+1 {{C1: expected at most 4 rotated pairs, found 5}}
  %0 = nn.rotary %x, %c, %c interleaved false : (tensor<2x4x3x8xf32>, tensor<1x3x5xf32>, tensor<1x3x5xf32>) -> tensor<2x4x3x8xf32>
  return
}
// -----
func.func @rotary_result(%x: tensor<2x4x3x8xf32>, %c: tensor<1x3x4xf32>) {
  // expected-error @+1 {{C2: expected the result of shape [2, 4, 3, 8], found [2, 3, 4, 8]}}
  %0 = nn.rotary %x, %c, %c interleaved false : (tensor<2x4x3x8xf32>, tensor<1x3x4xf32>, tensor<1x3x4xf32>) -> tensor<2x3x4x8xf32>
  return
}
// -----
func.func @attention_heads(%q: tensor<1x4x?x8xf32>, %k: tensor<1x3x?x8xf32>) {
  // expected-error @+1 {{C1: expected the heads of q to be a multiple of 3 heads of k, found 4}}
  %0 = nn.attention %q, %k, %k scale 1.0 : (tensor<1x4x?x8xf32>, tensor<1x3x?x8xf32>, tensor<1x3x?x8xf32>) -> tensor<1x4x?x8xf32>
  return
}
// -----
func.func @attention_width(%q: tensor<1x4x?x8xf32>, %k: tensor<1x2x?x6xf32>) {
  // expected-error @+1 {{C1: expected k of shape [1, 2, ?, 8], found [1, 2, ?, 6]}}
  %0 = nn.attention %q, %k, %k scale 1.0 : (tensor<1x4x?x8xf32>, tensor<1x2x?x6xf32>, tensor<1x2x?x6xf32>) -> tensor<1x4x?x6xf32>
  return
}
// -----
func.func @attention_result(%q: tensor<1x4x?x8xf32>, %v: tensor<1x2x?x6xf32>, %k: tensor<1x2x?x8xf32>) {
  // expected-error @+1 {{C2: expected the result of shape [1, 4, ?, 6], found [1, 4, ?, 8]}}
  %0 = nn.attention %q, %k, %v scale 1.0 : (tensor<1x4x?x8xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x6xf32>) -> tensor<1x4x?x8xf32>
  return
}
// -----
func.func @attention_mask(%q: tensor<1x4x5x8xf32>, %k: tensor<1x2x6x8xf32>, %m: tensor<1x2x5x6xi1>) {
  // expected-error @+1 {{C3: expected dimension 1 of mask to be 1 or 4, found 2}}
  %0 = nn.attention %q, %k, %k mask %m scale 1.0
    : (tensor<1x4x5x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x5x6xi1>) -> tensor<1x4x5x8xf32>
  return
}
// -----
func.func @attention_mask_keys(%q: tensor<1x4x5x8xf32>, %k: tensor<1x2x6x8xf32>, %m: tensor<1x1x5x1xf32>) {
  // expected-error @+1 {{C3: expected mask of shape [1, 1, 5, 6], found [1, 1, 5, 1]}}
  %0 = nn.attention %q, %k, %k mask %m scale 1.0
    : (tensor<1x4x5x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>, tensor<1x1x5x1xf32>) -> tensor<1x4x5x8xf32>
  return
}
// -----
func.func @attention_sinks(%q: tensor<1x4x5x8xf32>, %k: tensor<1x2x6x8xf32>, %s: tensor<2xf32>) {
  // expected-error @+1 {{C3: expected sinks of shape [4], found [2]}}
  %0 = nn.attention %q, %k, %k sinks %s scale 1.0
    : (tensor<1x4x5x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>, tensor<2xf32>) -> tensor<1x4x5x8xf32>
  return
}
// -----
func.func @attention_window(%q: tensor<1x4x5x8xf32>, %k: tensor<1x2x6x8xf32>) {
  // expected-error @+1 {{C3: expected a window of 0 or more keys, found -1}}
  %0 = nn.attention %q, %k, %k scale 1.0 {window = -1}
    : (tensor<1x4x5x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>) -> tensor<1x4x5x8xf32>
  return
}
// -----
func.func @attention_without_weights(%q: tensor<1x4x5x8xf32>, %k: tensor<1x2x6x8xf32>) {
  // expected-error @+1 {{C4: expected nan_to_zero or empty_is_nan, found both}}
  %0 = nn.attention %q, %k, %k scale 1.0 {nan_to_zero = true, empty_is_nan = true}
    : (tensor<1x4x5x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>) -> tensor<1x4x5x8xf32>
  return
}
// -----
func.func @attention_softcap(%q: tensor<1x4x5x8xf32>, %k: tensor<1x2x6x8xf32>) {
  // expected-error @+1 {{C3: expected a finite scale, and a softcap that is finite and not negative}}
  %0 = nn.attention %q, %k, %k scale 1.0 {softcap = -1.0}
    : (tensor<1x4x5x8xf32>, tensor<1x2x6x8xf32>, tensor<1x2x6x8xf32>) -> tensor<1x4x5x8xf32>
  return
}
// -----
func.func @append_rank(%s: tensor<2x3x4xf32>, %a: tensor<2x3x4xf32>, %n: index) {
  // expected-error @+1 {{C1: expected state of rank 4, found rank 3}}
  %0 = nn.kv_append %a to %s at %n : tensor<2x3x4xf32>, tensor<2x3x4xf32> -> tensor<2x3x4xf32>
  return
}
// -----
func.func @append_heads(%s: tensor<1x2x8x4xf32>, %a: tensor<1x3x1x4xf32>, %n: index) {
  // expected-error @+1 {{C1: expected the new positions of shape [1, 2, ?, 4], found [1, 3, 1, 4]}}
  %0 = nn.kv_append %a to %s at %n : tensor<1x3x1x4xf32>, tensor<1x2x8x4xf32> -> tensor<1x2x8x4xf32>
  return
}
// -----
func.func @append_element(%s: tensor<1x2x8x4xf32>, %a: tensor<1x2x1x4xf16>, %n: index) {
  // expected-error @+1 {{C1: expected the new positions of element type 'f32', found 'f16'}}
  %0 = nn.kv_append %a to %s at %n : tensor<1x2x1x4xf16>, tensor<1x2x8x4xf32> -> tensor<1x2x8x4xf32>
  return
}
// -----
func.func @append_starts(%s: tensor<2x2x8x4xf32>, %a: tensor<2x2x1x4xf32>, %n: index, %f: tensor<3xi64>) {
  // expected-error @+1 {{C3: expected starts of shape [2], found [3]}}
  %0 = nn.kv_append %a to %s at %n starts %f : tensor<3xi64> : tensor<2x2x1x4xf32>, tensor<2x2x8x4xf32> -> tensor<2x2x8x4xf32>
  return
}
// -----
func.func @append_start_type(%s: tensor<2x2x8x4xf32>, %a: tensor<2x2x1x4xf32>, %n: index, %f: tensor<2xi32>) {
  // expected-error @+1 {{C3: expected starts of element type 'i64', found 'i32'}}
  %0 = nn.kv_append %a to %s at %n starts %f : tensor<2xi32> : tensor<2x2x1x4xf32>, tensor<2x2x8x4xf32> -> tensor<2x2x8x4xf32>
  return
}
// -----
func.func @append_result(%s: tensor<1x2x8x4xf32>, %a: tensor<1x2x1x4xf32>, %n: index) {
  // expected-error @+1 {{C2: expected the result of shape [1, 2, 8, 4], found [1, 2, 9, 4]}}
  %0 = nn.kv_append %a to %s at %n : tensor<1x2x1x4xf32>, tensor<1x2x8x4xf32> -> tensor<1x2x9x4xf32>
  return
}
