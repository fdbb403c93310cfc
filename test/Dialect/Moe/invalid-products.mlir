// What the verifiers of moe.grouped_matmul and moe.combine say.
// RUN: moe-opt %s --verify-diagnostics --split-input-file

func.func @rank(%x: tensor<?x4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{C1: expected w of rank 3, or 4 if packed, found rank 2}}
  %0 = moe.grouped_matmul %x by %w columns 6 activation(<kind = identity>)
    : (tensor<?x4xf32>, tensor<6x4xf32>) -> tensor<?x6xf32>
  return
}
// -----
func.func @panel_width(%x: tensor<?x4xf32>, %w: tensor<1x1x4x8xf32>) {
  // expected-error @+1 {{C1: expected w of shape [1, 1, 4, 16], found [1, 1, 4, 8]}}
  %0 = moe.grouped_matmul %x by %w columns 6 activation(<kind = identity>)
    : (tensor<?x4xf32>, tensor<1x1x4x8xf32>) -> tensor<?x6xf32>
  return
}
// -----
func.func @columns(%x: tensor<?x4xf32>, %w: tensor<1x6x4xf32>) {
  // expected-error @+1 {{C2: expected w with second extent 7 for 7 columns, found 6}}
  %0 = moe.grouped_matmul %x by %w columns 7 activation(<kind = identity>)
    : (tensor<?x4xf32>, tensor<1x6x4xf32>) -> tensor<?x7xf32>
  return
}
// -----
func.func @packed_columns(%x: tensor<?x4xf32>, %w: tensor<1x2x4x16xf32>) {
  // expected-error @+1 {{C2: expected w with second extent 3 for 33 columns, found 2}}
  %0 = moe.grouped_matmul %x by %w columns 33 activation(<kind = identity>)
    : (tensor<?x4xf32>, tensor<1x2x4x16xf32>) -> tensor<?x33xf32>
  return
}
// -----
func.func @gated_panels(%x: tensor<?x4xf32>, %w: tensor<1x3x4x16xf32>) {
  // expected-error @+1 {{C2: expected w with second extent 4 for 34 columns, found 3}}
  %0 = moe.grouped_matmul %x by %w columns 34 activation(<kind = swiglu, layout = panels>)
    : (tensor<?x4xf32>, tensor<1x3x4x16xf32>) -> tensor<?x17xf32>
  return
}
// -----
func.func @offsets(%x: tensor<?x4xf32>, %w: tensor<2x6x4xf32>, %o: tensor<2xi32>) {
  // expected-error @+1 {{C3: expected offsets of shape [3], found [2]}}
  %0 = moe.grouped_matmul %x by %w offsets %o columns 6 activation(<kind = identity>)
    : (tensor<?x4xf32>, tensor<2x6x4xf32>, tensor<2xi32>) -> tensor<?x6xf32>
  return
}
// -----
func.func @no_offsets(%x: tensor<?x4xf32>, %w: tensor<2x6x4xf32>) {
  // expected-error @+1 {{C3: expected one expert without offsets, found 2}}
  %0 = moe.grouped_matmul %x by %w columns 6 activation(<kind = identity>)
    : (tensor<?x4xf32>, tensor<2x6x4xf32>) -> tensor<?x6xf32>
  return
}
// -----
func.func @order_alone(%x: tensor<?x4xf32>, %w: tensor<1x6x4xf32>, %r: tensor<?xi32>) {
  // expected-error @+1 {{C3: expected offsets with order}}
  %0 = moe.grouped_matmul %x by %w order %r columns 6 activation(<kind = identity>)
    : (tensor<?x4xf32>, tensor<1x6x4xf32>, tensor<?xi32>) -> tensor<?x6xf32>
  return
}
// -----
func.func @rows_per_token(%x: tensor<?x4xf32>, %w: tensor<1x6x4xf32>) {
  // expected-error @+1 {{C3: expected rows_per_token to be positive, and 1 without order, found 2}}
  %0 = moe.grouped_matmul %x by %w columns 6 activation(<kind = identity>) {rows_per_token = 2}
    : (tensor<?x4xf32>, tensor<1x6x4xf32>) -> tensor<?x6xf32>
  return
}
// -----
func.func @scale_alone(%x: tensor<?x4xf32>, %w: tensor<1x6x4xf32>, %s: tensor<?x1xf32>) {
  // expected-error @+1 {{C3: expected order with scale}}
  %0 = moe.grouped_matmul %x by %w scale %s columns 6 activation(<kind = identity>)
    : (tensor<?x4xf32>, tensor<1x6x4xf32>, tensor<?x1xf32>) -> tensor<?x6xf32>
  return
}
// -----
func.func @scale(%x: tensor<3x4xf32>, %w: tensor<2x6x4xf32>, %o: tensor<3xi32>, %r: tensor<6xi32>, %s: tensor<3x1xf32>) {
  // expected-error @+1 {{C3: expected scale of shape [3, 2], found [3, 1]}}
  %0 = moe.grouped_matmul %x by %w offsets %o order %r scale %s columns 6 activation(<kind = identity>) {rows_per_token = 2}
    : (tensor<3x4xf32>, tensor<2x6x4xf32>, tensor<3xi32>, tensor<6xi32>, tensor<3x1xf32>) -> tensor<6x6xf32>
  return
}
// -----
func.func @bias(%x: tensor<?x4xf32>, %w: tensor<1x2x4x16xf32>, %b: tensor<1x20xf32>) {
  // expected-error @+1 {{C4: expected bias of shape [1, 32], found [1, 20]}}
  %0 = moe.grouped_matmul %x by %w bias %b columns 20 activation(<kind = swiglu, layout = panels>)
    : (tensor<?x4xf32>, tensor<1x2x4x16xf32>, tensor<1x20xf32>) -> tensor<?x10xf32>
  return
}
// -----
func.func @layout(%x: tensor<?x4xf32>, %w: tensor<1x6x4xf32>) {
  // expected-error @+1 {{C5: expected a layout other than panels with unpacked weights}}
  %0 = moe.grouped_matmul %x by %w columns 6 activation(<kind = swiglu, layout = panels>)
    : (tensor<?x4xf32>, tensor<1x6x4xf32>) -> tensor<?x3xf32>
  return
}
// -----
func.func @packed_layout(%x: tensor<?x4xf32>, %w: tensor<1x1x4x16xf32>) {
  // expected-error @+1 {{C5: expected a layout other than interleaved with packed weights}}
  %0 = moe.grouped_matmul %x by %w columns 6 activation(<kind = swiglu, layout = interleaved>)
    : (tensor<?x4xf32>, tensor<1x1x4x16xf32>) -> tensor<?x3xf32>
  return
}
// -----
func.func @odd(%x: tensor<?x4xf32>, %w: tensor<1x7x4xf32>) {
  // expected-error @+1 {{C5: expected an even number of columns for a gated activation, found 7}}
  %0 = moe.grouped_matmul %x by %w columns 7 activation(<kind = swiglu, layout = interleaved>)
    : (tensor<?x4xf32>, tensor<1x7x4xf32>) -> tensor<?x3xf32>
  return
}
// -----
func.func @result(%x: tensor<5x4xf32>, %w: tensor<1x6x4xf32>) {
  // expected-error @+1 {{C6: expected the result of shape [5, 3], found [5, 6]}}
  %0 = moe.grouped_matmul %x by %w columns 6 activation(<kind = swiglu, layout = concatenated>)
    : (tensor<5x4xf32>, tensor<1x6x4xf32>) -> tensor<5x6xf32>
  return
}
// -----
func.func @slots(%y: tensor<?x4xf32>, %i: tensor<?xi32>) {
  // expected-error @+1 {{C1: expected at least one slot, found 0}}
  %0 = moe.combine %y inverse %i slots 0 : (tensor<?x4xf32>, tensor<?xi32>) -> tensor<?x4xf32>
  return
}
// -----
func.func @inverse(%y: tensor<6x4xf32>, %i: tensor<4xi32>) {
  // expected-error @+1 {{C1: expected inverse of shape [6], found [4]}}
  %0 = moe.combine %y inverse %i slots 2 : (tensor<6x4xf32>, tensor<4xi32>) -> tensor<3x4xf32>
  return
}
// -----
func.func @gates(%y: tensor<6x4xf32>, %i: tensor<6xi32>, %g: tensor<3x1xf32>) {
  // expected-error @+1 {{C1: expected gates of shape [3, 2], found [3, 1]}}
  %0 = moe.combine %y inverse %i gates %g slots 2 : (tensor<6x4xf32>, tensor<6xi32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  return
}
// -----
func.func @combined(%y: tensor<6x4xf32>, %i: tensor<6xi32>) {
  // expected-error @+1 {{C2: expected the result of shape [3, 4], found [3, 5]}}
  %0 = moe.combine %y inverse %i slots 2 : (tensor<6x4xf32>, tensor<6xi32>) -> tensor<3x5xf32>
  return
}
// -----
func.func @unquantized(%x: tensor<?x8xf32>, %w: tensor<1x1x8x16xf32>, %s: tensor<1x1x1x16xf32>) {
  // expected-error @+1 {{C7: expected `quantized` with scales or zero points}}
  %0 = moe.grouped_matmul %x by %w w_scales %s columns 16 activation(<kind = identity>)
    : (tensor<?x8xf32>, tensor<1x1x8x16xf32>, tensor<1x1x1x16xf32>) -> tensor<?x16xf32>
  return
}
// -----
func.func @no_words(%x: tensor<?x8xf32>, %w: tensor<1x16x8xf32>) {
  // expected-error @+1 {{C1: expected w of shape [1, 16, 1], found [1, 16, 8]}}
  %0 = moe.grouped_matmul %x by %w quantized(<bits = 4>) columns 16 activation(<kind = identity>)
    : (tensor<?x8xf32>, tensor<1x16x8xf32>) -> tensor<?x16xf32>
  return
}
// -----
func.func @no_scales(%x: tensor<?x8xf32>, %w: tensor<1x1x1x16xi32>) {
  // expected-error @+1 {{C7: expected packed words, a static extent of x and scales, found w of type 'tensor<1x1x1x16xi32>'}}
  %0 = moe.grouped_matmul %x by %w quantized(<bits = 4>) columns 16 activation(<kind = identity>)
    : (tensor<?x8xf32>, tensor<1x1x1x16xi32>) -> tensor<?x16xf32>
  return
}
// -----
func.func @scales_per_block(%x: tensor<?x40xf32>, %w: tensor<1x1x5x16xi32>, %s: tensor<1x1x1x16xf32>) {
  // expected-error @+1 {{C7: expected w_scales of shape [1, 1, 2, 16], found [1, 1, 1, 16]}}
  %0 = moe.grouped_matmul %x by %w w_scales %s quantized(<bits = 4, block = 32>) columns 16
    activation(<kind = identity>) : (tensor<?x40xf32>, tensor<1x1x5x16xi32>, tensor<1x1x1x16xf32>) -> tensor<?x16xf32>
  return
}
// -----
func.func @zero_points(%x: tensor<?x8xf32>, %w: tensor<1x1x1x16xi32>, %s: tensor<1x1x1x16xf32>,
                       %z: tensor<1x1x2x16xi8>) {
  // expected-error @+1 {{C7: expected w_zero_points of shape [1, 1, 1, 16], found [1, 1, 2, 16]}}
  %0 = moe.grouped_matmul %x by %w w_scales %s w_zero_points %z quantized(<bits = 4>) columns 16
    activation(<kind = identity>)
    : (tensor<?x8xf32>, tensor<1x1x1x16xi32>, tensor<1x1x1x16xf32>, tensor<1x1x2x16xi8>) -> tensor<?x16xf32>
  return
}
// -----
// expected-error @+1 {{expected 2, 4 or 8 bits, found 3}}
func.func private @bits() attributes {q = #moe.quantization<bits = 3>}
// -----
// expected-error @+1 {{expected a block of 0, 16 or a multiple of 32 values, found 24}}
func.func private @block() attributes {q = #moe.quantization<bits = 4, block = 24>}
