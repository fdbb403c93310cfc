// What the verifiers of weights and their expressions say.
// RUN: moe-opt %s --verify-diagnostics --split-input-file

// expected-error @+1 {{C1: expected a static type, found 'tensor<?xf32>'}}
moe.weight @w : tensor<?xf32> source(#moe.splat<0.0>)
// -----
// expected-error @+1 {{C2: expected either a source or an expression, found neither}}
moe.weight @w : tensor<4xf32>
// -----
// expected-error @+1 {{C2: expected a source of #moe.file, #moe.splat, #moe.random or elements, found "zeros"}}
moe.weight @w : tensor<4xf32> source("zeros")
// -----
// expected-error @+1 {{C2: expected either a source or an expression, found both}}
moe.weight @w : tensor<4xf32> source(#moe.splat<0.0>) {
  %0 = moe.load_weight @w : tensor<4xf32>
  moe.yield %0 : tensor<4xf32>
}
// -----
// expected-error @+1 {{C3: expected 6 bytes for 'tensor<3xf16>', found 8}}
moe.weight @w : tensor<3xf16> source(#moe.file<"m.onnx", 0, 8>)
// -----
// expected-error @+1 {{C3: expected elements of type 'tensor<3xf16>', found 'tensor<1xf16>'}}
moe.weight @w : tensor<3xf16> source(dense<0.0> : tensor<1xf16>)
// -----
moe.weight @v : tensor<4xf32> source(#moe.splat<0.0>)
// expected-error @+1 {{C4: expected an op of weight expressions, found 'arith.negf'}}
moe.weight @w : tensor<4xf32> {
  %0 = moe.load_weight @v : tensor<4xf32>
  %1 = arith.negf %0 : tensor<4xf32>
  moe.yield %1 : tensor<4xf32>
}
// -----
moe.weight @v : tensor<4xf32> source(#moe.splat<0.0>)
// expected-error @+1 {{C4: expected the expression to yield 'tensor<2xf32>', found 'tensor<4xf32>'}}
moe.weight @w : tensor<2xf32> {
  %0 = moe.load_weight @v : tensor<4xf32>
  moe.yield %0 : tensor<4xf32>
}
// -----
moe.weight @v : tensor<4xf32> source(#moe.splat<0.0>)
// expected-error @+1 {{C4: expected the expression to end in moe.yield}}
moe.weight @w : tensor<4xf32> {
  %0 = moe.load_weight @v : tensor<4xf32>
}
// -----
moe.weight @v : tensor<4xf32> source(#moe.splat<0.0>)
// expected-error @+1 {{C4: expected an expression of one block}}
moe.weight @w : tensor<4xf32> {
  %0 = moe.load_weight @v : tensor<4xf32>
  moe.yield %0 : tensor<4xf32>
^bb1:
  %1 = moe.load_weight @v : tensor<4xf32>
  moe.yield %1 : tensor<4xf32>
}
// -----
func.func @missing() -> tensor<4xf32> {
  // expected-error @+1 {{C1: expected a moe.weight named @w}}
  %0 = moe.load_weight @w : tensor<4xf32>
  return %0 : tensor<4xf32>
}
// -----
moe.weight @w : tensor<4xf32> source(#moe.splat<0.0>)
func.func @other_type() -> tensor<5xf32> {
  // expected-error @+1 {{C2: expected the type 'tensor<4xf32>' of @w, found 'tensor<5xf32>'}}
  %0 = moe.load_weight @w : tensor<5xf32>
  return %0 : tensor<5xf32>
}
// -----
func.func @pack(%w: tensor<2x20x?xf32>) {
  // expected-error @+1 {{C1: expected w of static shape, found 'tensor<2x20x?xf32>'}}
  %0 = moe.pack_panels %w : (tensor<2x20x?xf32>) -> tensor<2x2x?x16xf32>
  return
}
// -----
func.func @pack_linear(%w: tensor<2x20x4xf32>, %l: tensor<2x10x4xf32>) {
  // expected-error @+1 {{C1: expected linear of type 'tensor<2x20x4xf32>', found 'tensor<2x10x4xf32>'}}
  %0 = moe.pack_panels %w linear %l : (tensor<2x20x4xf32>, tensor<2x10x4xf32>) -> tensor<2x4x4x16xf32>
  return
}
// -----
func.func @packed(%w: tensor<2x20x4xf32>) {
  // expected-error @+1 {{C2: expected the result of shape [2, 4, 4, 16], found [2, 2, 4, 16]}}
  %0 = moe.pack_panels %w linear %w : (tensor<2x20x4xf32>, tensor<2x20x4xf32>) -> tensor<2x2x4x16xf32>
  return
}
// -----
func.func @bits(%q: tensor<2x8xui8>, %s: tensor<2xf32>) {
  // expected-error @+1 {{C1: expected 2, 4 or 8 bits, found 3}}
  %0 = moe.dequantize %q scales %s bits 3 block 0 : (tensor<2x8xui8>, tensor<2xf32>) -> tensor<2x8xf32>
  return
}
// -----
func.func @block(%q: tensor<2x8xui8>, %s: tensor<2xf32>) {
  // expected-error @+1 {{C1: expected a block of 0 or more values, found -1}}
  %0 = moe.dequantize %q scales %s bits 8 block -1 : (tensor<2x8xui8>, tensor<2xf32>) -> tensor<2x8xf32>
  return
}
// -----
func.func @bytes(%q: tensor<2x8xi32>, %s: tensor<2xf32>) {
  // expected-error @+1 {{C1: expected q of element type ui8 or i8, found 'i32'}}
  %0 = moe.dequantize %q scales %s bits 8 block 0 : (tensor<2x8xi32>, tensor<2xf32>) -> tensor<2x8xf32>
  return
}
// -----
func.func @scales(%q: tensor<2x8xui8>, %s: tensor<2xf32>) {
  // expected-error @+1 {{C1: expected scales of shape [2, 4], found [2]}}
  %0 = moe.dequantize %q scales %s bits 4 block 4 : (tensor<2x8xui8>, tensor<2xf32>) -> tensor<2x16xf32>
  return
}
// -----
func.func @zero_points(%q: tensor<2x8xui8>, %s: tensor<2x3xf32>, %z: tensor<2x4xui8>) {
  // expected-error @+1 {{C1: expected zero points of shape [2, 2], found [2, 4]}}
  %0 = moe.dequantize %q scales %s zero_points %z bits 4 block 6
    : (tensor<2x8xui8>, tensor<2x3xf32>, tensor<2x4xui8>) -> tensor<2x16xf32>
  return
}
// -----
func.func @dequantized(%q: tensor<2x8xui8>, %s: tensor<2xf32>) {
  // expected-error @+1 {{C2: expected the result of shape [2, 32], found [2, 16]}}
  %0 = moe.dequantize %q scales %s bits 2 block 0 : (tensor<2x8xui8>, tensor<2xf32>) -> tensor<2x16xf32>
  return
}
// -----
func.func @unpacked(%q: tensor<2x8xui8>) {
  // expected-error @+1 {{C2: expected the result of shape [2, 16], found [2, 8]}}
  %0 = moe.unpack_values %q bits 4 : (tensor<2x8xui8>) -> tensor<2x8xui8>
  return
}
// -----
func.func @unpacked_bits(%q: tensor<2x8xui8>) {
  // expected-error @+1 {{C1: expected 2, 4 or 8 bits, found 3}}
  %0 = moe.unpack_values %q bits 3 : (tensor<2x8xui8>) -> tensor<2x8xui8>
  return
}
// -----
func.func @offset_bits(%v: tensor<2x8xi8>) {
  // expected-error @+1 {{C1: expected 2, 4 or 8 bits, found 16}}
  %0 = moe.offset_values %v bits 16 : tensor<2x8xi8>
  return
}
// -----
func.func @words(%v: tensor<2x9xui8>) {
  // expected-error @+1 {{C2: expected the result of shape [2, 2], found [2, 1]}}
  %0 = moe.pack_words %v bits 4 : (tensor<2x9xui8>) -> tensor<2x1xi32>
  return
}
// -----
func.func @word_bits(%v: tensor<2x9xui8>) {
  // expected-error @+1 {{C1: expected 2, 4 or 8 bits, found 3}}
  %0 = moe.pack_words %v bits 3 : (tensor<2x9xui8>) -> tensor<2x1xi32>
  return
}
