// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-convert-onnx-to-linalg

func.func @axis(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  // expected-error @+1 {{Softmax-13 at node "": axis 2 is out of range for rank 2}}
  %0 = onnx.node "Softmax"(%x) {version = 13 : i64, attrs = {axis = 2 : i64}} : (tensor<3x4xf32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// -----
func.func @axis_twice(%x: tensor<3x4xf32>) -> tensor<f32> {
  // expected-error @+1 {{an axis is given twice}}
  %0 = onnx.node "ReduceMean"(%x) {version = 13 : i64, attrs = {axes = array<i64: 1, -1>, keepdims = 0 : i64}} : (tensor<3x4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----
func.func @flatten(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  // expected-error @+1 {{axis 3 is out of range for rank 2}}
  %0 = onnx.node "Flatten"(%x) {version = 13 : i64, attrs = {axis = 3 : i64}} : (tensor<3x4xf32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// -----
func.func @batches(%x: tensor<2x3x3xf32>) -> tensor<2x3x3xf32> {
  // expected-error @+1 {{com.microsoft.FusedMatMul-1 at node "": attribute transBatchA: expected 0, found 1}}
  %0 = onnx.node "FusedMatMul"(%x, %x) {domain = "com.microsoft", version = 1 : i64, attrs = {transBatchA = 1 : i64}} : (tensor<2x3x3xf32>, tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  return %0 : tensor<2x3x3xf32>
}

// -----
func.func @gelu(%x: tensor<3xf32>) -> tensor<3xf32> {
  // expected-error @+1 {{attribute approximate: expected none or tanh, found fast}}
  %0 = onnx.node "Gelu"(%x) {version = 20 : i64, attrs = {approximate = "fast"}} : (tensor<3xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----
func.func @permutation(%x: tensor<3x4xf32>) -> tensor<4x3xf32> {
  // expected-error @+1 {{perm is not a permutation of 2 dimensions}}
  %0 = onnx.node "Transpose"(%x) {version = 13 : i64, attrs = {perm = array<i64: 1, 1>}} : (tensor<3x4xf32>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

// -----
func.func @pad_mode(%x: tensor<3xf32>, %p: tensor<2xi64>) -> tensor<?xf32> {
  // expected-error @+1 {{attribute mode: expected constant, edge, reflect or wrap, found mirror}}
  %0 = onnx.node "Pad"(%x, %p) {version = 13 : i64, attrs = {mode = "mirror"}} : (tensor<3xf32>, tensor<2xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----
func.func @reduction(%x: tensor<8xf32>, %i: tensor<3xi64>, %u: tensor<3xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{attribute reduction: expected none, add, mul, max or min, found div}}
  %0 = onnx.node "ScatterElements"(%x, %i, %u) {version = 18 : i64, attrs = {reduction = "div"}} : (tensor<8xf32>, tensor<3xi64>, tensor<3xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----
func.func @integer_norm(%x: tensor<8xi32>) -> tensor<1xi32> {
  // expected-error @+1 {{elements of type 'i32' are not supported}}
  %0 = onnx.node "ReduceL2"(%x) {version = 18 : i64} : (tensor<8xi32>) -> tensor<1xi32>
  return %0 : tensor<1xi32>
}

// -----
func.func @auto_pad(%x: tensor<1x1x8xf32>, %w: tensor<1x1x3xf32>) -> tensor<1x1x8xf32> {
  // expected-error @+1 {{attribute auto_pad: expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, found SAME}}
  %0 = onnx.node "Conv"(%x, %w) {version = 11 : i64, attrs = {auto_pad = "SAME"}} : (tensor<1x1x8xf32>, tensor<1x1x3xf32>) -> tensor<1x1x8xf32>
  return %0 : tensor<1x1x8xf32>
}

// -----
func.func @auto_pad_transposed(%x: tensor<1x1x8xf32>, %w: tensor<1x1x3xf32>) -> tensor<1x1x8xf32> {
  // expected-error @+1 {{attribute auto_pad: expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, found SAME}}
  %0 = onnx.node "ConvTranspose"(%x, %w) {version = 11 : i64, attrs = {auto_pad = "SAME"}} : (tensor<1x1x8xf32>, tensor<1x1x3xf32>) -> tensor<1x1x8xf32>
  return %0 : tensor<1x1x8xf32>
}

// -----
func.func @output_padding(%x: tensor<1x1x8xf32>, %w: tensor<1x1x3xf32>) -> tensor<1x1x10xf32> {
  // expected-error @+1 {{expected output_padding and output_shape of 1 dimensions}}
  %0 = onnx.node "ConvTranspose"(%x, %w) {version = 11 : i64, attrs = {output_padding = array<i64: 1, 1>}} : (tensor<1x1x8xf32>, tensor<1x1x3xf32>) -> tensor<1x1x10xf32>
  return %0 : tensor<1x1x10xf32>
}

// -----
func.func @transposed_groups(%x: tensor<1x4x8xf32>, %w: tensor<4x1x2xf32>) -> tensor<1x3x9xf32> {
  // expected-error @+1 {{group 3 does not divide the channels of 'tensor<4x1x2xf32>'}}
  %0 = onnx.node "ConvTranspose"(%x, %w) {version = 11 : i64, attrs = {group = 3 : i64}} : (tensor<1x4x8xf32>, tensor<4x1x2xf32>) -> tensor<1x3x9xf32>
  return %0 : tensor<1x3x9xf32>
}

// -----
func.func @no_window(%x: tensor<1x1x8xf32>) -> tensor<1x1x8xf32> {
  // expected-error @+1 {{expected attribute kernel_shape}}
  %0 = onnx.node "MaxPool"(%x) {version = 12 : i64} : (tensor<1x1x8xf32>) -> tensor<1x1x8xf32>
  return %0 : tensor<1x1x8xf32>
}

// -----
func.func @window_rank(%x: tensor<1x1x8xf32>) -> tensor<1x1x8xf32> {
  // expected-error @+1 {{expected an input of rank 3 or more and a window over its spatial dimensions, found 'tensor<1x1x8xf32>' and [2, 2]}}
  %0 = onnx.node "MaxPool"(%x) {version = 12 : i64, attrs = {kernel_shape = array<i64: 2, 2>}} : (tensor<1x1x8xf32>) -> tensor<1x1x8xf32>
  return %0 : tensor<1x1x8xf32>
}

// -----
func.func @global_rank(%x: tensor<1x8xf32>) -> tensor<1x8xf32> {
  // expected-error @+1 {{expected rank 3 or more, found 'tensor<1x8xf32>'}}
  %0 = onnx.node "GlobalMaxPool"(%x) {version = 1 : i64} : (tensor<1x8xf32>) -> tensor<1x8xf32>
  return %0 : tensor<1x8xf32>
}

// -----
func.func @power(%x: tensor<1x1x8xf32>) -> tensor<1x1x1xf32> {
  // expected-error @+1 {{attribute p: expected a positive number, found 0}}
  %0 = onnx.node "GlobalLpPool"(%x) {version = 2 : i64, attrs = {p = 0 : i64}} : (tensor<1x1x8xf32>) -> tensor<1x1x1xf32>
  return %0 : tensor<1x1x1xf32>
}

// -----
func.func @repeated_label(%x: tensor<3xf32>) -> tensor<3x3xf32> {
  // expected-error @+1 {{equation: label i is repeated in the result}}
  %0 = onnx.node "Einsum"(%x) {version = 12 : i64, attrs = {equation = "i->ii"}} : (tensor<3xf32>) -> tensor<3x3xf32>
  return %0 : tensor<3x3xf32>
}

// -----
func.func @term_rank(%x: tensor<3x3xf32>) -> tensor<3xf32> {
  // expected-error @+1 {{equation: term i does not fit rank 2}}
  %0 = onnx.node "Einsum"(%x) {version = 12 : i64, attrs = {equation = "i->i"}} : (tensor<3x3xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----
func.func @term_count(%x: tensor<3xf32>) -> tensor<3xf32> {
  // expected-error @+1 {{equation: expected 1 terms, found 2}}
  %0 = onnx.node "Einsum"(%x) {version = 12 : i64, attrs = {equation = "i,i->i"}} : (tensor<3xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----
func.func @term_character(%x: tensor<3xf32>) -> tensor<3xf32> {
  // expected-error @+1 {{equation: unexpected character in term 1}}
  %0 = onnx.node "Einsum"(%x) {version = 12 : i64, attrs = {equation = "1->i"}} : (tensor<3xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----
func.func @result_label(%x: tensor<3xf32>) -> tensor<3xf32> {
  // expected-error @+1 {{equation: a label of the result occurs in no input}}
  %0 = onnx.node "Einsum"(%x) {version = 12 : i64, attrs = {equation = "i->j"}} : (tensor<3xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----
func.func @resize_mode(%x: tensor<4xf32>, %s: tensor<1xf32>) -> tensor<?xf32> {
  %none = onnx.absent
  // expected-error @+1 {{attribute mode: expected nearest, linear, cubic, found area}}
  %0 = onnx.node "Resize"(%x, %none, %s) {version = 19 : i64, attrs = {mode = "area"}} : (tensor<4xf32>, none, tensor<1xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----
func.func @resize_nothing(%x: tensor<4xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{expected either scales or sizes}}
  %0 = onnx.node "Resize"(%x) {version = 19 : i64} : (tensor<4xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----
func.func @resize_scales(%x: tensor<4xf32>, %s: tensor<2xf32>) -> tensor<?xf32> {
  %none = onnx.absent
  // expected-error @+1 {{expected 1 scales, found 'tensor<2xf32>'}}
  %0 = onnx.node "Resize"(%x, %none, %s) {version = 19 : i64} : (tensor<4xf32>, none, tensor<2xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----
func.func @resize_sizes(%x: tensor<4xf32>, %s: tensor<2xi64>) -> tensor<?xf32> {
  %none = onnx.absent
  // expected-error @+1 {{expected 1 sizes, found 2}}
  %0 = onnx.node "Resize"(%x, %none, %none, %s) {version = 19 : i64} : (tensor<4xf32>, none, none, tensor<2xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----
func.func @resize_policy(%x: tensor<4xf32>, %s: tensor<1xi64>) -> tensor<?xf32> {
  %none = onnx.absent
  // expected-error @+1 {{attribute keep_aspect_ratio_policy: expected stretch, not_larger or not_smaller, found fit}}
  %0 = onnx.node "Resize"(%x, %none, %none, %s) {version = 19 : i64, attrs = {keep_aspect_ratio_policy = "fit"}} : (tensor<4xf32>, none, none, tensor<1xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----
func.func @resize_region(%x: tensor<4xf32>, %s: tensor<1xi64>) -> tensor<?xf32> {
  %none = onnx.absent
  // expected-error @+1 {{expected a region of 2 bounds for tf_crop_and_resize}}
  %0 = onnx.node "Resize"(%x, %none, %none, %s) {version = 19 : i64, attrs = {coordinate_transformation_mode = "tf_crop_and_resize"}} : (tensor<4xf32>, none, none, tensor<1xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----
func.func @norm_power(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{attribute p: expected 1 or 2, found 3}}
  %0 = onnx.node "LpNormalization"(%x) {version = 1 : i64, attrs = {p = 3 : i64}} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----
func.func @batch_norm_rank(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{expected rank 2 or more, found 'tensor<4xf32>'}}
  %0 = onnx.node "BatchNormalization"(%x, %x, %x, %x, %x) {version = 15 : i64} : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----
func.func @instance_norm_rank(%x: tensor<4x4xf32>, %s: tensor<4xf32>) -> tensor<4x4xf32> {
  // expected-error @+1 {{expected rank 3 or more, found 'tensor<4x4xf32>'}}
  %0 = onnx.node "InstanceNormalization"(%x, %s, %s) {version = 6 : i64} : (tensor<4x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// -----
func.func @cast_width(%x: tensor<4xf32>) -> tensor<4xi64> {
  // expected-error @+1 {{expected types of one width, found 'f32' and 'i64'}}
  %0 = onnx.node "BitCast"(%x) {version = 26 : i64} : (tensor<4xf32>) -> tensor<4xi64>
  return %0 : tensor<4xi64>
}

// -----
func.func @quantized_type(%x: tensor<4xi64>, %s: tensor<f32>) -> tensor<4xf32> {
  // expected-error @+1 {{quantised elements of type 'i64' are not supported}}
  %0 = onnx.node "DequantizeLinear"(%x, %s) {version = 21 : i64} : (tensor<4xi64>, tensor<f32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----
func.func @quantized_power(%x: tensor<4xf32>, %s: tensor<f32>) -> tensor<4xf8E8M0FNU> {
  // expected-error @+1 {{quantised elements of type 'f8E8M0FNU' are not supported}}
  %0 = onnx.node "QuantizeLinear"(%x, %s) {version = 25 : i64, attrs = {output_dtype = 24 : i64}} : (tensor<4xf32>, tensor<f32>) -> tensor<4xf8E8M0FNU>
  return %0 : tensor<4xf8E8M0FNU>
}

// -----
func.func @precision(%x: tensor<4xf32>, %s: tensor<f32>) -> tensor<4xui8> {
  // expected-error @+1 {{attribute precision: expected a type of floats, found 7}}
  %0 = onnx.node "QuantizeLinear"(%x, %s) {version = 23 : i64, attrs = {precision = 7 : i64}} : (tensor<4xf32>, tensor<f32>) -> tensor<4xui8>
  return %0 : tensor<4xui8>
}

// -----
func.func @quantized_scale(%x: tensor<4x4xi8>, %s: tensor<4x4x4xf32>) -> tensor<4x4xf32> {
  // expected-error @+1 {{input 1: expected one value, one per index of axis 1 or one per block, found 'tensor<4x4x4xf32>'}}
  %0 = onnx.node "DequantizeLinear"(%x, %s) {version = 21 : i64} : (tensor<4x4xi8>, tensor<4x4x4xf32>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}
