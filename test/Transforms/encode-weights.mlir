// RUN: moe-opt %s --moe-encode-weights --split-input-file | FileCheck %s

moe.weight @w : tensor<8x83x32xf32> source(#moe.splat<1.0>)

// CHECK-LABEL: func.func @plain(
// CHECK: %[[W:.*]] = moe.load_weight @w
// CHECK: %[[P:.*]] = moe.pack_panels %[[W]] : (tensor<8x83x32xf32>) -> tensor<8x6x32x16xf32>
// CHECK: moe.grouped_matmul %{{.*}} by %[[P]] offsets %{{.*}} columns 83
// CHECK-SAME: kind = relu
func.func @plain(%x: tensor<?x32xf32>, %o: tensor<9xi32>) -> tensor<?x83xf32> {
  %w = moe.load_weight @w : tensor<8x83x32xf32>
  %y = moe.grouped_matmul %x by %w offsets %o columns 83 activation(<kind = relu>)
    : (tensor<?x32xf32>, tensor<8x83x32xf32>, tensor<9xi32>) -> tensor<?x83xf32>
  return %y : tensor<?x83xf32>
}

// -----

moe.weight @w : tensor<1x48x32xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<1x48xf32> source(#moe.splat<1.0>)

// Interleaved rows are strided slices; the bias gets the order of the panels, padded as they are.

// CHECK-LABEL: func.func @interleaved(
// CHECK: %[[G:.*]] = tensor.extract_slice %{{.*}}[0, 0, 0] [1, 24, 32] [1, 2, 1]
// CHECK: %[[L:.*]] = tensor.extract_slice %{{.*}}[0, 1, 0] [1, 24, 32] [1, 2, 1]
// CHECK: %[[P:.*]] = moe.pack_panels %[[G]] linear %[[L]] {{.*}} -> tensor<1x4x32x16xf32>
// CHECK: tensor.concat dim(1) %{{.*}} : (tensor<1x24xf32>, tensor<1x8xf32>) -> tensor<1x32xf32>
// CHECK: tensor.concat dim(2) %{{.*}} : (tensor<1x2x1x16xf32>, tensor<1x2x1x16xf32>)
// CHECK: %[[B:.*]] = tensor.collapse_shape %{{.*}} into tensor<1x64xf32>
// CHECK: moe.grouped_matmul %{{.*}} by %[[P]] bias %[[B]] columns 48
// CHECK-SAME: layout = panels, alpha = 1.7{{.*}}, beta = 1.0{{.*}}, limit = 7.0
func.func @interleaved(%x: tensor<?x32xf32>) -> tensor<?x24xf32> {
  %w = moe.load_weight @w : tensor<1x48x32xf32>
  %b = moe.load_weight @b : tensor<1x48xf32>
  %y = moe.grouped_matmul %x by %w bias %b columns 48
      activation(<kind = swiglu, layout = interleaved, alpha = 1.7, beta = 1.0, limit = 7.0>)
    : (tensor<?x32xf32>, tensor<1x48x32xf32>, tensor<1x48xf32>) -> tensor<?x24xf32>
  return %y : tensor<?x24xf32>
}

// -----

moe.weight @gate : tensor<1x16x32xf16> source(#moe.splat<1.0>)
moe.weight @linear : tensor<1x16x32xf16> source(#moe.splat<1.0>)

// A concatenation of the halves is seen through.

// CHECK-LABEL: func.func @concatenated(
// CHECK: %[[G:.*]] = moe.load_weight @gate
// CHECK: %[[L:.*]] = moe.load_weight @linear
// CHECK: moe.pack_panels %[[G]] linear %[[L]]
func.func @concatenated(%x: tensor<?x32xf32>) -> tensor<?x16xf32> {
  %g = moe.load_weight @gate : tensor<1x16x32xf16>
  %l = moe.load_weight @linear : tensor<1x16x32xf16>
  %w = tensor.concat dim(1) %g, %l : (tensor<1x16x32xf16>, tensor<1x16x32xf16>) -> tensor<1x32x32xf16>
  %y = moe.grouped_matmul %x by %w columns 32 activation(<kind = reglu, layout = concatenated>)
    : (tensor<?x32xf32>, tensor<1x32x32xf16>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

// A weight that a run computes keeps its form.

// CHECK-LABEL: func.func @computed(
// CHECK-NOT: moe.pack_panels
func.func @computed(%x: tensor<?x32xf32>, %w: tensor<1x32x32xf32>) -> tensor<?x32xf32> {
  %y = moe.grouped_matmul %x by %w columns 32 activation(<kind = identity>)
    : (tensor<?x32xf32>, tensor<1x32x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}
