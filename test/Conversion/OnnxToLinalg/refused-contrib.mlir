// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-convert-onnx-to-linalg

func.func @packed(%x: tensor<?x64xf32>, %q: tensor<32x2x16xui8>, %s: tensor<32x2xf32>) -> tensor<?x32xf32> {
  // expected-error @+1 {{attribute weight_prepacked: expected 0, found 1}}
  %0 = onnx.node "MatMulNBits"(%x, %q, %s) {domain = "com.microsoft", version = 1 : i64, attrs = {K = 64 : i64, N = 32 : i64, block_size = 32 : i64, weight_prepacked = 1 : i64}}
    : (tensor<?x64xf32>, tensor<32x2x16xui8>, tensor<32x2xf32>) -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----
func.func @bits(%x: tensor<?x64xf32>, %q: tensor<32x2x16xui8>, %s: tensor<32x2xf32>) -> tensor<?x32xf32> {
  // expected-error @+1 {{attribute bits: expected 2, 4 or 8, found 3}}
  %0 = onnx.node "MatMulNBits"(%x, %q, %s) {domain = "com.microsoft", version = 1 : i64, attrs = {K = 64 : i64, N = 32 : i64, block_size = 32 : i64, bits = 3 : i64}}
    : (tensor<?x64xf32>, tensor<32x2x16xui8>, tensor<32x2xf32>) -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----
func.func @sizes(%x: tensor<?x64xf32>, %q: tensor<32x2x16xui8>, %s: tensor<32x2xf32>) -> tensor<?x32xf32> {
  // expected-error @+1 {{expected positive N, K and block_size}}
  %0 = onnx.node "MatMulNBits"(%x, %q, %s) {domain = "com.microsoft", version = 1 : i64, attrs = {K = 64 : i64, N = 32 : i64}}
    : (tensor<?x64xf32>, tensor<32x2x16xui8>, tensor<32x2xf32>) -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----
func.func @elements(%x: tensor<?x64xf32>, %q: tensor<32x2x8xui8>, %s: tensor<32x2xf32>) -> tensor<?x32xf32> {
  // expected-error @+1 {{input 1: expected 32 x 32 elements, found 'tensor<32x2x8xi8>'}}
  %0 = onnx.node "MatMulNBits"(%x, %q, %s) {domain = "com.microsoft", version = 1 : i64, attrs = {K = 64 : i64, N = 32 : i64, block_size = 32 : i64}}
    : (tensor<?x64xf32>, tensor<32x2x8xui8>, tensor<32x2xf32>) -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----
func.func @heads(%q: tensor<1x3x9xf32>) -> tensor<1x3x9xf32> {
  // expected-error @+1 {{expected [batch, sequence, a multiple of 2], found 'tensor<1x3x9xf32>'}}
  %0 = onnx.node "MultiHeadAttention"(%q, %q, %q) {domain = "com.microsoft", version = 1 : i64, attrs = {num_heads = 2 : i64}}
    : (tensor<1x3x9xf32>, tensor<1x3x9xf32>, tensor<1x3x9xf32>) -> tensor<1x3x9xf32>
  return %0 : tensor<1x3x9xf32>
}

// -----
func.func @bias(%q: tensor<1x3x8xf32>, %b: tensor<1x24xf32>) -> tensor<1x3x8xf32> {
  // expected-error @+1 {{input 3 (bias): expected a vector for inputs of rank 3, found 'tensor<1x24xf32>'}}
  %0 = onnx.node "MultiHeadAttention"(%q, %q, %q, %b) {domain = "com.microsoft", version = 1 : i64, attrs = {num_heads = 2 : i64}}
    : (tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x24xf32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// -----
func.func @mask_rank(%q: tensor<1x3x8xf32>, %m: tensor<1x2x3x3xi32>) -> tensor<1x3x8xf32> {
  %none = onnx.absent
  // expected-error @+1 {{input 4 (key_padding_mask): expected rank 1 to 3, found 'tensor<1x2x3x3xi32>'}}
  %0 = onnx.node "MultiHeadAttention"(%q, %q, %q, %none, %m) {domain = "com.microsoft", version = 1 : i64, attrs = {num_heads = 2 : i64}}
    : (tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, none, tensor<1x2x3x3xi32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// -----
func.func @indirection(%q: tensor<1x3x8xf32>, %c: tensor<1x1x3xi32>) -> tensor<1x3x8xf32> {
  %none = onnx.absent
  // expected-error @+1 {{input 9 (cache_indirection) is not supported}}
  %0 = onnx.node "MultiHeadAttention"(%q, %q, %q, %none, %none, %none, %none, %none, %none, %c) {domain = "com.microsoft", version = 1 : i64, attrs = {num_heads = 2 : i64}}
    : (tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, none, none, none, none, none, none, tensor<1x1x3xi32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// -----
func.func @lengths(%q: tensor<1x3x8xf32>, %p: tensor<1x2x5x4xf32>, %l: tensor<1x1x1xi32>, %t: tensor<i32>) -> tensor<1x3x8xf32> {
  // expected-error @+1 {{input 5 (seqlens_k): expected [batch], found 'tensor<1x1x1xi32>'}}
  %0 = onnx.node "GroupQueryAttention"(%q, %q, %q, %p, %p, %l, %t) {domain = "com.microsoft", version = 1 : i64, attrs = {num_heads = 2 : i64, kv_num_heads = 2 : i64}}
    : (tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1x1x1xi32>, tensor<i32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// -----
func.func @bidirectional(%q: tensor<1x3x8xf32>, %l: tensor<1xi32>) -> tensor<1x3x8xf32> {
  // expected-error @+1 {{attribute causal: expected 1, found 0}}
  %0 = onnx.node "GroupQueryAttention"(%q, %q, %q, %q, %q, %l, %l) {domain = "com.microsoft", version = 1 : i64, attrs = {num_heads = 2 : i64, kv_num_heads = 2 : i64, causal = 0 : i64}}
    : (tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1xi32>, tensor<1xi32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// -----
func.func @tables(%q: tensor<1x3x8xf32>, %p: tensor<1x2x5x4xf32>, %l: tensor<1xi32>) -> tensor<1x3x8xf32> {
  // expected-error @+1 {{do_rotary needs cos_cache and sin_cache}}
  %0 = onnx.node "GroupQueryAttention"(%q, %q, %q, %p, %p, %l, %l) {domain = "com.microsoft", version = 1 : i64, attrs = {num_heads = 2 : i64, kv_num_heads = 2 : i64, do_rotary = 1 : i64}}
    : (tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1xi32>, tensor<1xi32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// -----
func.func @key_alone(%q: tensor<1x3x8xf32>, %p: tensor<1x2x5x4xf32>, %l: tensor<1xi32>) -> tensor<1x3x8xf32> {
  %none = onnx.absent
  // expected-error @+1 {{expected key and value together}}
  %0 = onnx.node "GroupQueryAttention"(%q, %q, %none, %p, %p, %l, %l) {domain = "com.microsoft", version = 1 : i64, attrs = {num_heads = 2 : i64, kv_num_heads = 2 : i64}}
    : (tensor<1x3x8xf32>, tensor<1x3x8xf32>, none, tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1xi32>, tensor<1xi32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// -----
func.func @rotary_scale(%x: tensor<1x3x8xf32>, %p: tensor<1xi64>, %t: tensor<8x4xf32>) -> tensor<1x3x8xf32> {
  // expected-error @+1 {{attribute scale: expected 1, found 5.000000e-01}}
  %0 = onnx.node "RotaryEmbedding"(%x, %p, %t, %t) {domain = "com.microsoft", version = 1 : i64, attrs = {scale = 0.5 : f32}}
    : (tensor<1x3x8xf32>, tensor<1xi64>, tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// -----
func.func @rotary_table(%x: tensor<1x3x8xf32>, %p: tensor<1xi64>, %t: tensor<8x?xf32>) -> tensor<1x3x8xf32> {
  // expected-error @+1 {{expected a table of a static number of columns, found 'tensor<8x?xf32>'}}
  %0 = onnx.node "RotaryEmbedding"(%x, %p, %t, %t) {domain = "com.microsoft", version = 1 : i64}
    : (tensor<1x3x8xf32>, tensor<1xi64>, tensor<8x?xf32>, tensor<8x?xf32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// -----
func.func @rotary_positions(%x: tensor<1x3x8xf32>, %p: tensor<3xi64>, %t: tensor<8x4xf32>) -> tensor<1x3x8xf32> {
  // expected-error @+1 {{input 1: expected one position, found 'tensor<3xi64>'}}
  %0 = onnx.node "RotaryEmbedding"(%x, %p, %t, %t) {domain = "com.microsoft", version = 1 : i64}
    : (tensor<1x3x8xf32>, tensor<3xi64>, tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// -----
func.func @conv_activation(%x: tensor<1x4x8xf32>, %w: tensor<4x1x2xf32>) -> tensor<1x4x8xf32> {
  // expected-error @+1 {{attribute activation: expected none, silu or swish, found relu}}
  %0 = onnx.node "CausalConvWithState"(%x, %w) {domain = "com.microsoft", version = 1 : i64, attrs = {activation = "relu"}}
    : (tensor<1x4x8xf32>, tensor<4x1x2xf32>) -> tensor<1x4x8xf32>
  return %0 : tensor<1x4x8xf32>
}

// -----
func.func @conv_length(%x: tensor<1x4x8xf32>, %w: tensor<4x1x2xf32>) -> tensor<1x4x8xf32> {
  // expected-error @+1 {{attribute state_length is not supported}}
  %0 = onnx.node "CausalConvWithState"(%x, %w) {domain = "com.microsoft", version = 1 : i64, attrs = {state_length = 4 : i64}}
    : (tensor<1x4x8xf32>, tensor<4x1x2xf32>) -> tensor<1x4x8xf32>
  return %0 : tensor<1x4x8xf32>
}

// -----
func.func @conv_depthwise(%x: tensor<1x4x8xf32>, %w: tensor<4x4x2xf32>) -> tensor<1x4x8xf32> {
  // expected-error @+1 {{expected [batch, channels, length] and a depthwise weight, found 'tensor<1x4x8xf32>' and 'tensor<4x4x2xf32>'}}
  %0 = onnx.node "CausalConvWithState"(%x, %w) {domain = "com.microsoft", version = 1 : i64}
    : (tensor<1x4x8xf32>, tensor<4x4x2xf32>) -> tensor<1x4x8xf32>
  return %0 : tensor<1x4x8xf32>
}

// -----
func.func @rotary_beyond(%x: tensor<1x3x8xf32>, %t: tensor<8x4xf32>) -> tensor<1x3x8xf32> {
  %p = onnx.constant dense<6> : tensor<1xi64> : tensor<1xi64>
  // expected-error @+1 {{a position is beyond the cosine table}}
  %0 = onnx.node "RotaryEmbedding"(%x, %p, %t, %t) {domain = "com.microsoft", version = 1 : i64}
    : (tensor<1x3x8xf32>, tensor<1xi64>, tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// -----
func.func @projected_gate(%x: tensor<?x4xf32>, %g: tensor<?x8xf32>, %w: tensor<8x1xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{input 3 (gate_weight) is not supported}}
  %0 = onnx.node "GatedAdd"(%x, %x, %g, %w) {domain = "com.microsoft", version = 1 : i64}
    : (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x8xf32>, tensor<8x1xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----
func.func @gathered_axes(%d: tensor<16x4xui8>, %i: tensor<2xi64>, %s: tensor<1x4xf32>) -> tensor<2x8xf32> {
  // expected-error @+1 {{expected rows of bytes quantised along the last axis, found axes 0 and 0 of rank 2}}
  %0 = onnx.node "GatherBlockQuantized"(%d, %i, %s) {domain = "com.microsoft", version = 1 : i64, attrs = {quantize_axis = 0 : i64, block_size = 16 : i64}}
    : (tensor<16x4xui8>, tensor<2xi64>, tensor<1x4xf32>) -> tensor<2x8xf32>
  return %0 : tensor<2x8xf32>
}

// -----
func.func @gathered_type(%d: tensor<4x16xi16>, %i: tensor<2xi64>, %s: tensor<4x1xf32>) -> tensor<2x16xf32> {
  // expected-error @+1 {{quantised elements of type 'i16' are not supported}}
  %0 = onnx.node "GatherBlockQuantized"(%d, %i, %s) {domain = "com.microsoft", version = 1 : i64}
    : (tensor<4x16xi16>, tensor<2xi64>, tensor<4x1xf32>) -> tensor<2x16xf32>
  return %0 : tensor<2x16xf32>
}

// -----
func.func @gathered_bits(%d: tensor<4x16xui8>, %i: tensor<2xi64>, %s: tensor<4x1xf32>) -> tensor<2x16xf32> {
  // expected-error @+1 {{attribute bits: expected 2, 4 or 8, found 6}}
  %0 = onnx.node "GatherBlockQuantized"(%d, %i, %s) {domain = "com.microsoft", version = 1 : i64, attrs = {bits = 6 : i64}}
    : (tensor<4x16xui8>, tensor<2xi64>, tensor<4x1xf32>) -> tensor<2x16xf32>
  return %0 : tensor<2x16xf32>
}

// -----
func.func @gathered_block(%d: tensor<4x16xi4>, %i: tensor<2xi64>, %s: tensor<4x1xf32>) -> tensor<2x16xf32> {
  // expected-error @+1 {{attribute block_size: expected a positive number, found 0}}
  %0 = onnx.node "GatherBlockQuantized"(%d, %i, %s) {domain = "com.microsoft", version = 1 : i64, attrs = {block_size = 0 : i64}}
    : (tensor<4x16xi4>, tensor<2xi64>, tensor<4x1xf32>) -> tensor<2x16xf32>
  return %0 : tensor<2x16xf32>
}

// -----
func.func @gathered_zero_points(%d: tensor<4x16xf8E5M2>, %i: tensor<2xi64>, %s: tensor<4x1xf32>, %z: tensor<4x1xf8E5M2>) -> tensor<2x16xf32> {
  // expected-error @+1 {{zero points of 'f8E5M2' are not supported}}
  %0 = onnx.node "GatherBlockQuantized"(%d, %i, %s, %z) {domain = "com.microsoft", version = 1 : i64}
    : (tensor<4x16xf8E5M2>, tensor<2xi64>, tensor<4x1xf32>, tensor<4x1xf8E5M2>) -> tensor<2x16xf32>
  return %0 : tensor<2x16xf32>
}

// -----
func.func @gathered_scales(%d: tensor<4x16xui8>, %i: tensor<2xi64>, %s: tensor<4xf32>) -> tensor<2x32xf32> {
  // expected-error @+1 {{input 2: expected rank 2, found 'tensor<4xf32>'}}
  %0 = onnx.node "GatherBlockQuantized"(%d, %i, %s) {domain = "com.microsoft", version = 1 : i64}
    : (tensor<4x16xui8>, tensor<2xi64>, tensor<4xf32>) -> tensor<2x32xf32>
  return %0 : tensor<2x32xf32>
}
