// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-convert-onnx-to-linalg

func.func @shape_input(%x: tensor<8xf32>, %s: tensor<?xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{Reshape-14 at node "": input 1: expected at most 64 integers in a tensor of static shape and rank 0 or 1, found 'tensor<?xi64>'}}
  %0 = onnx.node "Reshape"(%x, %s) {version = 14 : i64} : (tensor<8xf32>, tensor<?xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @one_element(%x: tensor<8x8xf32>, %k: tensor<2xi64>) -> tensor<8x8xf32> {
  // expected-error @+1 {{input 1: expected one element, found 2}}
  %0 = onnx.node "Trilu"(%x, %k) {version = 14 : i64} : (tensor<8x8xf32>, tensor<2xi64>) -> tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}

// -----
func.func @negative_size() -> tensor<?xf32> {
  %s = onnx.constant dense<-2> : tensor<1xi64> : tensor<1xi64>
  // expected-error @+1 {{input 0: expected no negative value, found -2}}
  %0 = onnx.node "ConstantOfShape"(%s) {version = 9 : i64} : (tensor<1xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----
func.func @count(%x: tensor<8xf32>) -> tensor<3x3xf32> {
  %s = onnx.constant dense<3> : tensor<2xi64> : tensor<2xi64>
  // expected-error @+1 {{number of elements: extents 9 and 8 differ}}
  %0 = onnx.node "Reshape"(%x, %s) {version = 14 : i64} : (tensor<8xf32>, tensor<2xi64>) -> tensor<3x3xf32>
  return %0 : tensor<3x3xf32>
}

// -----
func.func @copied_extent(%x: tensor<8xf32>) -> tensor<*xf32> {
  %s = onnx.constant dense<[8, 0]> : tensor<2xi64> : tensor<2xi64>
  // expected-error @+1 {{extent 0 at dimension 1 copies from an input of rank 1}}
  %0 = onnx.node "Reshape"(%x, %s) {version = 14 : i64} : (tensor<8xf32>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @negative_extent(%x: tensor<8xf32>) -> tensor<*xf32> {
  %s = onnx.constant dense<[-2, -4]> : tensor<2xi64> : tensor<2xi64>
  // expected-error @+1 {{extent -2 is negative}}
  %0 = onnx.node "Reshape"(%x, %s) {version = 14 : i64} : (tensor<8xf32>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @concat(%x: tensor<8xf32>, %y: tensor<1x8xf32>) -> tensor<16xf32> {
  // expected-error @+1 {{concatenation of ranks 1 and 2}}
  %0 = onnx.node "Concat"(%x, %y) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<8xf32>, tensor<1x8xf32>) -> tensor<16xf32>
  return %0 : tensor<16xf32>
}

// -----
func.func @slice(%x: tensor<8xf32>) -> tensor<*xf32> {
  %a = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  // expected-error @+1 {{a step is 0}}
  %0 = onnx.node "Slice"(%x, %a, %a, %a, %a) {version = 13 : i64} : (tensor<8xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @slice_count(%x: tensor<8x8xf32>) -> tensor<*xf32> {
  %a = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %b = onnx.constant dense<[4, 4]> : tensor<2xi64> : tensor<2xi64>
  // expected-error @+1 {{starts, ends, axes and steps differ in number}}
  %0 = onnx.node "Slice"(%x, %a, %b) {version = 13 : i64} : (tensor<8x8xf32>, tensor<1xi64>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @split(%x: tensor<8xf32>) -> tensor<*xf32> {
  %s = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  // expected-error @+1 {{expected 2 sizes, found 1}}
  %0:2 = onnx.node "Split"(%x, %s) {version = 18 : i64} : (tensor<8xf32>, tensor<1xi64>) -> (tensor<*xf32>, tensor<*xf32>)
  return %0#0 : tensor<*xf32>
}

// -----
func.func @split_sum(%x: tensor<8xf32>) -> tensor<*xf32> {
  %s = onnx.constant dense<3> : tensor<2xi64> : tensor<2xi64>
  // expected-error @+1 {{sum of the parts: extents 6 and 8 differ}}
  %0:2 = onnx.node "Split"(%x, %s) {version = 18 : i64} : (tensor<8xf32>, tensor<2xi64>) -> (tensor<*xf32>, tensor<*xf32>)
  return %0#0 : tensor<*xf32>
}

// -----
func.func @repeats(%x: tensor<8xf32>) -> tensor<*xf32> {
  %r = onnx.constant dense<2> : tensor<2xi64> : tensor<2xi64>
  // expected-error @+1 {{expected 1 repeats, found 2}}
  %0 = onnx.node "Tile"(%x, %r) {version = 13 : i64} : (tensor<8xf32>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @pads(%x: tensor<8xf32>) -> tensor<*xf32> {
  %p = onnx.constant dense<1> : tensor<3xi64> : tensor<3xi64>
  // expected-error @+1 {{expected 2 pads, found 3}}
  %0 = onnx.node "Pad"(%x, %p) {version = 13 : i64} : (tensor<8xf32>, tensor<3xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @product(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{product: extents 3 and 2 differ}}
  %0 = onnx.node "MatMul"(%x, %x) {version = 13 : i64} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @scalar_product(%x: tensor<f32>, %y: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{expected tensors of rank 1 or more, found a scalar}}
  %0 = onnx.node "MatMul"(%x, %y) {version = 13 : i64} : (tensor<f32>, tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @gemm(%x: tensor<2x2x2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{expected matrices, found 'tensor<2x2x2xf32>' and 'tensor<2x2x2xf32>'}}
  %0 = onnx.node "Gemm"(%x, %x) {version = 13 : i64} : (tensor<2x2x2xf32>, tensor<2x2x2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @integer_gemm(%x: tensor<2x2xi32>) -> tensor<*xi32> {
  // expected-error @+1 {{expected alpha and beta to be 1 for integers}}
  %0 = onnx.node "Gemm"(%x, %x) {version = 13 : i64, attrs = {alpha = 2.0 : f32}} : (tensor<2x2xi32>, tensor<2x2xi32>) -> tensor<*xi32>
  return %0 : tensor<*xi32>
}

// -----
func.func @tuples(%x: tensor<8xf32>, %i: tensor<3x2xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{input 1: index tuples of length 2 address 1 dimensions}}
  %0 = onnx.node "GatherND"(%x, %i) {version = 13 : i64} : (tensor<8xf32>, tensor<3x2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @dynamic_tuples(%x: tensor<8xf32>, %i: tensor<3x?xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{input 1: expected a static last dimension, found 'tensor<3x?xi64>'}}
  %0 = onnx.node "GatherND"(%x, %i) {version = 13 : i64} : (tensor<8xf32>, tensor<3x?xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @updates(%x: tensor<8xf32>, %i: tensor<3xi64>, %u: tensor<4xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{indices and updates: extents 3 and 4 differ}}
  %0 = onnx.node "ScatterElements"(%x, %i, %u) {version = 18 : i64} : (tensor<8xf32>, tensor<3xi64>, tensor<4xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----
func.func @updates_rank(%x: tensor<8xf32>, %i: tensor<3x1xi64>, %u: tensor<3x1xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{expected updates of rank 1, found rank 2}}
  %0 = onnx.node "ScatterND"(%x, %i, %u) {version = 18 : i64} : (tensor<8xf32>, tensor<3x1xi64>, tensor<3x1xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----
func.func @delta(%a: tensor<i64>) -> tensor<*xi64> {
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  // expected-error @+1 {{delta is 0}}
  %0 = onnx.node "Range"(%zero, %a, %zero) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<*xi64>
  return %0 : tensor<*xi64>
}

// -----
func.func @trilu(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{expected rank 2 or more, found 'tensor<8xf32>'}}
  %0 = onnx.node "Trilu"(%x) {version = 14 : i64} : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----
func.func @eye(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{expected rank 2, found 'tensor<8xf32>'}}
  %0 = onnx.node "EyeLike"(%x) {version = 9 : i64} : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----
func.func @conv_rank(%x: tensor<8x8xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{expected an input of rank 3 or more and a window over its spatial dimensions, found 'tensor<8x8xf32>' and []}}
  %0 = onnx.node "Conv"(%x, %x) {version = 11 : i64} : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @conv_ranks(%x: tensor<1x1x8xf32>, %w: tensor<1x1x3x3xf32>) -> tensor<1x1x6xf32> {
  // expected-error @+1 {{expected input and weight of one rank, found 'tensor<1x1x8xf32>' and 'tensor<1x1x3x3xf32>'}}
  %0 = onnx.node "Conv"(%x, %w) {version = 11 : i64} : (tensor<1x1x8xf32>, tensor<1x1x3x3xf32>) -> tensor<1x1x6xf32>
  return %0 : tensor<1x1x6xf32>
}

// -----
func.func @conv_group(%x: tensor<1x4x8xf32>, %w: tensor<4x1x2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{group 3 does not divide the channels of 'tensor<4x1x2xf32>'}}
  %0 = onnx.node "Conv"(%x, %w) {version = 11 : i64, attrs = {group = 3 : i64}} : (tensor<1x4x8xf32>, tensor<4x1x2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @scale(%x: tensor<3x8xf32>, %w: tensor<3x8xf32>) -> tensor<3x8xf32> {
  // expected-error @+1 {{expected a scale of the normalised dimensions, found 'tensor<3x8xf32>'}}
  %0 = onnx.node "RMSNormalization"(%x, %w) {version = 23 : i64} : (tensor<3x8xf32>, tensor<3x8xf32>) -> tensor<3x8xf32>
  return %0 : tensor<3x8xf32>
}

// -----
func.func @mixed(%x: tensor<8xf32>, %y: tensor<8xi32>) -> tensor<8xf32> {
  // expected-error @+1 {{expected inputs of one element type, found 'f32' and 'i32'}}
  %0 = onnx.node "Add"(%x, %y) {version = 14 : i64} : (tensor<8xf32>, tensor<8xi32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----
func.func @condition(%c: tensor<8xi32>, %x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{expected a condition of booleans, found 'tensor<8xi32>'}}
  %0 = onnx.node "Where"(%c, %x, %x) {version = 16 : i64} : (tensor<8xi32>, tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----
func.func @product_types(%x: tensor<2x2xf32>, %y: tensor<2x2xf64>) -> tensor<2x2xf32> {
  // expected-error @+1 {{product of 'f32' and 'f64'}}
  %0 = onnx.node "MatMul"(%x, %y) {version = 13 : i64} : (tensor<2x2xf32>, tensor<2x2xf64>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}

// -----
func.func @batch(%x: tensor<8xf32>, %i: tensor<3x1xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{attribute batch_dims: 1 is out of range for ranks 1 and 2}}
  %0 = onnx.node "GatherND"(%x, %i) {version = 13 : i64, attrs = {batch_dims = 1 : i64}} : (tensor<8xf32>, tensor<3x1xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @index_rank(%x: tensor<8xf32>, %i: tensor<3x1xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{expected indices of rank 1, found 'tensor<3x1xi64>'}}
  %0 = onnx.node "GatherElements"(%x, %i) {version = 13 : i64} : (tensor<8xf32>, tensor<3x1xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @hot_values(%i: tensor<8xi64>, %v: tensor<1xf32>) -> tensor<*xf32> {
  %d = onnx.constant dense<4> : tensor<i64> : tensor<i64>
  // expected-error @+1 {{input 2: expected two values, found 'tensor<1xf32>'}}
  %0 = onnx.node "OneHot"(%i, %d, %v) {version = 11 : i64} : (tensor<8xi64>, tensor<i64>, tensor<1xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @conv_pads(%x: tensor<1x4x8xf32>, %w: tensor<4x4x2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{expected pads, strides and dilations of 1 dimensions, none negative}}
  %0 = onnx.node "Conv"(%x, %w) {version = 11 : i64, attrs = {pads = array<i64: 1>}} : (tensor<1x4x8xf32>, tensor<4x4x2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @conv_weight(%x: tensor<1x4x8xf32>, %w: tensor<?x4x2xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{expected a weight of static shape, found 'tensor<?x4x2xf32>'}}
  %0 = onnx.node "Conv"(%x, %w) {version = 11 : i64} : (tensor<1x4x8xf32>, tensor<?x4x2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @wide_norm(%x: tensor<8xf64>, %w: tensor<8xf64>) -> tensor<8xf64> {
  // expected-error @+1 {{elements of type 'f64' are not supported}}
  %0 = onnx.node "LayerNormalization"(%x, %w) {version = 17 : i64} : (tensor<8xf64>, tensor<8xf64>) -> tensor<8xf64>
  return %0 : tensor<8xf64>
}

// -----
func.func @index(%x: tensor<3x4xf32>) -> tensor<*xf32> {
  %i = onnx.constant dense<3> : tensor<i64> : tensor<i64>
  // expected-error @+1 {{an index is out of range}}
  %0 = onnx.node "Gather"(%x, %i) {version = 13 : i64} : (tensor<3x4xf32>, tensor<i64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @k(%x: tensor<3xf32>) -> tensor<*xf32> {
  %k = onnx.constant dense<4> : tensor<1xi64> : tensor<1xi64>
  // expected-error @+1 {{k exceeds the dimension}}
  %0:2 = onnx.node "TopK"(%x, %k) {version = 11 : i64} : (tensor<3xf32>, tensor<1xi64>) -> (tensor<*xf32>, tensor<*xi64>)
  return %0#0 : tensor<*xf32>
}

// -----
func.func @float_range(%x: tensor<2xf32>, %y: tensor<f32>) -> tensor<*xf32> {
  // expected-error @+1 {{input 0: number of elements: extents 2 and 1 differ}}
  %0 = onnx.node "Range"(%x, %y, %y) {version = 11 : i64} : (tensor<2xf32>, tensor<f32>, tensor<f32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @removed(%x: tensor<3xf32>) -> tensor<*xf32> {
  %p = onnx.constant dense<[-2, -2]> : tensor<2xi64> : tensor<2xi64>
  // expected-error @+1 {{more elements are removed than there are}}
  %0 = onnx.node "Pad"(%x, %p) {version = 13 : i64} : (tensor<3xf32>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @batches(%x: tensor<3x4xf32>, %i: tensor<2x1xi64>) -> tensor<*xf32> {
  // expected-error @+1 {{batch dimension 0: extents 3 and 2 differ}}
  %0 = onnx.node "GatherND"(%x, %i) {version = 13 : i64, attrs = {batch_dims = 1 : i64}} : (tensor<3x4xf32>, tensor<2x1xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @branch_types(%c: tensor<i1>, %x: tensor<8xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{result 0: the branches give 'tensor<8xf32>' and 'tensor<2x4xf32>'}}
  %0 = onnx.node "If"(%c) ({
    onnx.yield %x : tensor<8xf32>
  }, {
    %s = onnx.constant dense<[2, 4]> : tensor<2xi64> : tensor<2xi64>
    %1 = onnx.node "Reshape"(%x, %s) {version = 14 : i64} : (tensor<8xf32>, tensor<2xi64>) -> tensor<2x4xf32>
    onnx.yield %1 : tensor<2x4xf32>
  }) {region_names = ["then_branch", "else_branch"], version = 19 : i64} : (tensor<i1>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----
func.func @condition(%c: tensor<2xi1>, %x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{condition: expected one boolean or integer, found 'tensor<2xi1>'}}
  %0 = onnx.node "If"(%c) ({
    onnx.yield %x : tensor<8xf32>
  }, {
    onnx.yield %x : tensor<8xf32>
  }) {region_names = ["then_branch", "else_branch"], version = 19 : i64} : (tensor<2xi1>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
