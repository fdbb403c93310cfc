// RUN: moe-opt %s --moe-encode-weights --split-input-file | FileCheck %s

// What is done to columns is done to values, scales and zero points; zero points become bytes.

moe.weight @q : tensor<2x64x16xi8> source(#moe.splat<0.0>)
moe.weight @s : tensor<2x64x1xf16> source(#moe.splat<0.0>)
moe.weight @z : tensor<2x64x1xi8> source(#moe.splat<0.0>)

// CHECK-LABEL: func.func @interleaved(
// CHECK-DAG: %[[Q:.*]] = moe.unpack_values %{{.*}} bits 4 : (tensor<2x64x16xi8>) -> tensor<2x64x32xi8>
// CHECK-DAG: %[[G:.*]] = tensor.extract_slice %[[Q]][0, 0, 0] [2, 32, 32] [1, 2, 1]
// CHECK-DAG: %[[W:.*]] = moe.pack_words %[[G]] bits 4 : (tensor<2x32x32xi8>) -> tensor<2x32x4xi32>
// CHECK-DAG: %[[P:.*]] = moe.pack_panels %[[W]] linear %{{.*}} -> tensor<2x4x4x16xi32>
// CHECK-DAG: %[[S:.*]] = moe.pack_panels %{{.*}} -> tensor<2x4x1x16xf16>
// CHECK-DAG: moe.unpack_values %{{.*}} bits 4 : (tensor<2x64x1xi8>) -> tensor<2x64x2xi8>
// CHECK-DAG: %[[Z:.*]] = moe.pack_panels %{{.*}} -> tensor<2x4x1x16xi8>
// CHECK: moe.grouped_matmul %{{.*}} by %[[P]] offsets %{{.*}} w_scales %[[S]] w_zero_points %[[Z]]
// CHECK-SAME: quantized(<bits = 4, block = 32>) columns 64 activation(<kind = swiglu, layout = panels>)
func.func @interleaved(%x: tensor<?x32xf16>, %o: tensor<3xi32>) -> tensor<?x32xf16> {
  %q = moe.load_weight @q : tensor<2x64x16xi8>
  %s = moe.load_weight @s : tensor<2x64x1xf16>
  %z = moe.load_weight @z : tensor<2x64x1xi8>
  %w = moe.dequantize %q scales %s zero_points %z bits 4 block 32
    : (tensor<2x64x16xi8>, tensor<2x64x1xf16>, tensor<2x64x1xi8>) -> tensor<2x64x32xf32>
  %y = moe.grouped_matmul %x by %w offsets %o columns 64 activation(<kind = swiglu, layout = interleaved>)
    : (tensor<?x32xf16>, tensor<2x64x32xf32>, tensor<3xi32>) -> tensor<?x32xf16>
  return %y : tensor<?x32xf16>
}

// -----

moe.weight @q : tensor<20x48xi8> source(#moe.splat<0.0>)
moe.weight @s : tensor<20xf32> source(#moe.splat<0.0>)

// A scale for each column, of a weight whose last terms are cut off.

// CHECK-LABEL: func.func @dense(
// CHECK-DAG: tensor.extract_slice %{{.*}}[0, 0] [20, 45] [1, 1] : tensor<20x48xi8>
// CHECK-DAG: moe.pack_words %{{.*}} bits 8 : (tensor<1x20x45xi8>) -> tensor<1x20x12xi32>
// CHECK-DAG: tensor.expand_shape %{{.*}} : tensor<20xf32> into tensor<20x1xf32>
// CHECK: moe.grouped_matmul %{{.*}} w_scales %{{.*}} quantized(<bits = 8>) columns 20
func.func @dense(%x: tensor<?x45xf32>) -> tensor<?x20xf32> {
  %q = moe.load_weight @q : tensor<20x48xi8>
  %s = moe.load_weight @s : tensor<20xf32>
  %w = moe.dequantize %q scales %s bits 8 block 0 : (tensor<20x48xi8>, tensor<20xf32>) -> tensor<20x48xf32>
  %cut = tensor.extract_slice %w[0, 0] [20, 45] [1, 1] : tensor<20x48xf32> to tensor<20x45xf32>
  %one = tensor.expand_shape %cut [[0, 1], [2]] output_shape [1, 20, 45] : tensor<20x45xf32> into tensor<1x20x45xf32>
  %y = moe.grouped_matmul %x by %one columns 20 activation(<kind = identity>)
    : (tensor<?x45xf32>, tensor<1x20x45xf32>) -> tensor<?x20xf32>
  return %y : tensor<?x20xf32>
}

// -----

moe.weight @q : tensor<1x20x64xi8> source(#moe.splat<0.0>)
moe.weight @s : tensor<1x20x2xf32> source(#moe.splat<0.0>)

// Values of 4 bits that lie in a byte each are only put into words.

// CHECK-LABEL: func.func @bytes(
// CHECK-NOT: moe.unpack_values
// CHECK: moe.pack_words %{{.*}} bits 4 : (tensor<1x20x64xi8>) -> tensor<1x20x8xi32>
func.func @bytes(%x: tensor<?x64xf32>) -> tensor<?x20xf32> {
  %q = moe.load_weight @q : tensor<1x20x64xi8>
  %s = moe.load_weight @s : tensor<1x20x2xf32>
  %w = moe.dequantize %q scales %s bits 4 block 32 : (tensor<1x20x64xi8>, tensor<1x20x2xf32>) -> tensor<1x20x64xf32>
  %y = moe.grouped_matmul %x by %w columns 20 activation(<kind = identity>)
    : (tensor<?x64xf32>, tensor<1x20x64xf32>) -> tensor<?x20xf32>
  return %y : tensor<?x20xf32>
}

// -----

moe.weight @q : tensor<1x16x6xi8> source(#moe.splat<0.0>)
moe.weight @s : tensor<1x16x2xf32> source(#moe.splat<0.0>)

// Blocks of 12 values have no stored form.

// CHECK-LABEL: func.func @block(
// CHECK: moe.dequantize
// CHECK: moe.pack_panels %{{.*}} -> tensor<1x1x24x16xf32>
func.func @block(%x: tensor<?x24xf32>) -> tensor<?x16xf32> {
  %q = moe.load_weight @q : tensor<1x16x6xi8>
  %s = moe.load_weight @s : tensor<1x16x2xf32>
  %w = moe.dequantize %q scales %s bits 2 block 12 : (tensor<1x16x6xi8>, tensor<1x16x2xf32>) -> tensor<1x16x24xf32>
  %y = moe.grouped_matmul %x by %w columns 16 activation(<kind = identity>)
    : (tensor<?x24xf32>, tensor<1x16x24xf32>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

moe.weight @q : tensor<1x16x16xi8> source(#moe.splat<0.0>)
moe.weight @s : tensor<1x16x2xf32> source(#moe.splat<0.0>)

// Sixteen values of 2 bits are a word.

// CHECK-LABEL: func.func @two_bits(
// CHECK: moe.unpack_values %{{.*}} bits 2 : (tensor<1x16x16xi8>) -> tensor<1x16x64xi8>
// CHECK: moe.pack_words %{{.*}} bits 2 : (tensor<1x16x64xi8>) -> tensor<1x16x4xi32>
// CHECK: moe.grouped_matmul %{{.*}} quantized(<bits = 2, block = 32>)
func.func @two_bits(%x: tensor<?x64xf32>) -> tensor<?x16xf32> {
  %q = moe.load_weight @q : tensor<1x16x16xi8>
  %s = moe.load_weight @s : tensor<1x16x2xf32>
  %w = moe.dequantize %q scales %s bits 2 block 32 : (tensor<1x16x16xi8>, tensor<1x16x2xf32>) -> tensor<1x16x64xf32>
  %y = moe.grouped_matmul %x by %w columns 16 activation(<kind = identity>)
    : (tensor<?x64xf32>, tensor<1x16x64xf32>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
