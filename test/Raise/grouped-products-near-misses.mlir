// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-grouped-experts

// One matrix is not a part of the stack.
moe.weight @w : tensor<2x4x6xf32> source(#moe.splat<1.0>)
func.func @no_slice(%rows: tensor<?x4xf32>, %ends: tensor<2xi64>, %o: tensor<4x6xf32>) -> tensor<?x6xf32> {
  %w = moe.load_weight @w : tensor<2x4x6xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %x0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %x1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %s:2 = onnx.node "Split"(%w) {version = 18 : i64} : (tensor<2x4x6xf32>) -> (tensor<1x4x6xf32>, tensor<1x4x6xf32>)
  %w0 = onnx.node "Squeeze"(%s#0, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %w1 = onnx.node "Squeeze"(%s#1, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %m0 = onnx.node "MatMul"(%x0, %w0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  %m1 = onnx.node "MatMul"(%x1, %o) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  // expected-remark @+1 {{grouped products are not raised: expert 1 is not a product of a range of rows and a slice of a stacked weight}}
  %y = onnx.node "Concat"(%m0, %m1) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----
// The end of a range comes from elsewhere.
moe.weight @w : tensor<2x4x6xf32> source(#moe.splat<1.0>)
func.func @no_sum(%rows: tensor<?x4xf32>, %ends: tensor<2xi64>, %o: tensor<i64>) -> tensor<?x6xf32> {
  %w = moe.load_weight @w : tensor<2x4x6xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %o, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %x0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %x1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %s:2 = onnx.node "Split"(%w) {version = 18 : i64} : (tensor<2x4x6xf32>) -> (tensor<1x4x6xf32>, tensor<1x4x6xf32>)
  %w0 = onnx.node "Squeeze"(%s#0, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %w1 = onnx.node "Squeeze"(%s#1, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %m0 = onnx.node "MatMul"(%x0, %w0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  %m1 = onnx.node "MatMul"(%x1, %w1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  // expected-remark @+1 {{grouped products are not raised: expert 1 has a range of rows that is not between two running sums}}
  %y = onnx.node "Concat"(%m0, %m1) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----
// An expert is left out.
moe.weight @w : tensor<2x4x6xf32> source(#moe.splat<1.0>)
func.func @no_rows(%rows: tensor<?x4xf32>, %ends: tensor<2xi64>) -> tensor<?x6xf32> {
  %w = moe.load_weight @w : tensor<2x4x6xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %x0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %x1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %s:2 = onnx.node "Split"(%w) {version = 18 : i64} : (tensor<2x4x6xf32>) -> (tensor<1x4x6xf32>, tensor<1x4x6xf32>)
  %w0 = onnx.node "Squeeze"(%s#0, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %w1 = onnx.node "Squeeze"(%s#1, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %m0 = onnx.node "MatMul"(%x0, %w0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  %m1 = onnx.node "MatMul"(%x1, %w1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  // expected-remark @+1 {{grouped products are not raised: expert 1 is not applied to the rows of expert 1}}
  %y = onnx.node "Concat"(%m0, %m1) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----
// The experts read different tensors.
moe.weight @w : tensor<2x4x6xf32> source(#moe.splat<1.0>)
func.func @other_rows(%rows: tensor<?x4xf32>, %ends: tensor<2xi64>, %o: tensor<?x4xf32>) -> tensor<?x6xf32> {
  %w = moe.load_weight @w : tensor<2x4x6xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %x0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %x1 = onnx.node "Gather"(%o, %r1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %s:2 = onnx.node "Split"(%w) {version = 18 : i64} : (tensor<2x4x6xf32>) -> (tensor<1x4x6xf32>, tensor<1x4x6xf32>)
  %w0 = onnx.node "Squeeze"(%s#0, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %w1 = onnx.node "Squeeze"(%s#1, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %m0 = onnx.node "MatMul"(%x0, %w0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  %m1 = onnx.node "MatMul"(%x1, %w1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  // expected-remark @+1 {{grouped products are not raised: expert 1 has other rows or another stacked weight than the experts before it}}
  %y = onnx.node "Concat"(%m0, %m1) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----
// The slices are reshaped into other matrices.
moe.weight @w : tensor<2x6x4xf32> source(#moe.splat<1.0>)
func.func @reshaped(%rows: tensor<?x4xf32>, %ends: tensor<2xi64>) -> tensor<?x6xf32> {
  %w = moe.load_weight @w : tensor<2x6x4xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %matrix = onnx.constant dense<[4, 6]> : tensor<2xi64> : tensor<2xi64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %x0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %x1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %s:2 = onnx.node "Split"(%w) {version = 18 : i64} : (tensor<2x6x4xf32>) -> (tensor<1x6x4xf32>, tensor<1x6x4xf32>)
  %w0 = onnx.node "Reshape"(%s#0, %matrix) {version = 13 : i64} : (tensor<1x6x4xf32>, tensor<2xi64>) -> tensor<4x6xf32>
  %w1 = onnx.node "Reshape"(%s#1, %matrix) {version = 13 : i64} : (tensor<1x6x4xf32>, tensor<2xi64>) -> tensor<4x6xf32>
  %m0 = onnx.node "MatMul"(%x0, %w0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  %m1 = onnx.node "MatMul"(%x1, %w1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  // expected-remark @+1 {{grouped products are not raised: expert 0 has a weight that is not a stack of matrices}}
  %y = onnx.node "Concat"(%m0, %m1) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----
// The last expert is not used.
moe.weight @w : tensor<3x4x6xf32> source(#moe.splat<1.0>)
func.func @missing(%rows: tensor<?x4xf32>, %ends: tensor<3xi64>) -> tensor<?x6xf32> {
  %w = moe.load_weight @w : tensor<3x4x6xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %e:3 = onnx.node "Split"(%ends) {version = 18 : i64} : (tensor<3xi64>) -> (tensor<1xi64>, tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %x0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %x1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %s:3 = onnx.node "Split"(%w) {version = 18 : i64} : (tensor<3x4x6xf32>) -> (tensor<1x4x6xf32>, tensor<1x4x6xf32>, tensor<1x4x6xf32>)
  %w0 = onnx.node "Squeeze"(%s#0, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %w1 = onnx.node "Squeeze"(%s#1, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %m0 = onnx.node "MatMul"(%x0, %w0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  %m1 = onnx.node "MatMul"(%x1, %w1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  // expected-remark @+1 {{grouped products are not raised: expert 2 is missing: weights and row counts are given for another number of experts}}
  %y = onnx.node "Concat"(%m0, %m1) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----
// The rows come from outside.
moe.weight @w : tensor<2x4x6xf32> source(#moe.splat<1.0>)
func.func @not_sorted(%rows: tensor<?x4xf32>, %ends: tensor<2xi64>) -> tensor<?x6xf32> {
  %w = moe.load_weight @w : tensor<2x4x6xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %x0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %x1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %s:2 = onnx.node "Split"(%w) {version = 18 : i64} : (tensor<2x4x6xf32>) -> (tensor<1x4x6xf32>, tensor<1x4x6xf32>)
  %w0 = onnx.node "Squeeze"(%s#0, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %w1 = onnx.node "Squeeze"(%s#1, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %m0 = onnx.node "MatMul"(%x0, %w0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  %m1 = onnx.node "MatMul"(%x1, %w1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  // expected-remark @+1 {{grouped products are not raised: the rows are not tokens gathered in the order of a sort}}
  %y = onnx.node "Concat"(%m0, %m1) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----
// Nothing says that the ids are below the number of experts.
moe.weight @w : tensor<2x4x6xf32> source(#moe.splat<1.0>)
func.func @other_ids(%ends: tensor<2xi64>, %x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %ids: tensor<?x2xi64> {onnx.dims = ["t", ""]}) -> tensor<?x6xf32> {
  %w = moe.load_weight @w : tensor<2x4x6xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %k = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %flat = onnx.node "Reshape"(%ids, %last) {version = 14 : i64} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %count = onnx.node "Shape"(%flat) {version = 15 : i64} : (tensor<?xi64>) -> tensor<1xi64>
  %sorted, %order = onnx.node "TopK"(%flat, %count) {version = 11 : i64, attrs = {largest = 0 : i64}} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %token = onnx.node "Div"(%order, %k) {version = 14 : i64} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %rows = onnx.node "Gather"(%x, %token) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %x0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %x1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %s:2 = onnx.node "Split"(%w) {version = 18 : i64} : (tensor<2x4x6xf32>) -> (tensor<1x4x6xf32>, tensor<1x4x6xf32>)
  %w0 = onnx.node "Squeeze"(%s#0, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %w1 = onnx.node "Squeeze"(%s#1, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %m0 = onnx.node "MatMul"(%x0, %w0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  %m1 = onnx.node "MatMul"(%x1, %w1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  // expected-remark @+1 {{grouped products are not raised: the sorted ids are not what a TopK selects among a known number of experts}}
  %y = onnx.node "Concat"(%m0, %m1) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----
// Ids that f32 could not count.
moe.weight @w : tensor<2x4x6xf32> source(#moe.splat<1.0>)
func.func @many_experts(%ends: tensor<2xi64>, %x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x70000xf32> {onnx.dims = ["t", ""]}) -> tensor<?x6xf32> {
  %w = moe.load_weight @w : tensor<2x4x6xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %k = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x70000xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat = onnx.node "Reshape"(%ids, %last) {version = 14 : i64} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %count = onnx.node "Shape"(%flat) {version = 15 : i64} : (tensor<?xi64>) -> tensor<1xi64>
  %sorted, %order = onnx.node "TopK"(%flat, %count) {version = 11 : i64, attrs = {largest = 0 : i64}} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %token = onnx.node "Div"(%order, %k) {version = 14 : i64} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %rows = onnx.node "Gather"(%x, %token) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %x0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %x1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %s:2 = onnx.node "Split"(%w) {version = 18 : i64} : (tensor<2x4x6xf32>) -> (tensor<1x4x6xf32>, tensor<1x4x6xf32>)
  %w0 = onnx.node "Squeeze"(%s#0, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %w1 = onnx.node "Squeeze"(%s#1, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %m0 = onnx.node "MatMul"(%x0, %w0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  %m1 = onnx.node "MatMul"(%x1, %w1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  // expected-remark @+1 {{grouped products are not raised: there are more experts than ids are compared exactly for}}
  %y = onnx.node "Concat"(%m0, %m1) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// -----
// Tokens and ids have different extents.
moe.weight @w : tensor<2x4x6xf32> source(#moe.splat<1.0>)
func.func @other_tokens(%ends: tensor<2xi64>, %x: tensor<?x4xf32> {onnx.dims = ["u", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x6xf32> {
  %w = moe.load_weight @w : tensor<2x4x6xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %k = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat = onnx.node "Reshape"(%ids, %last) {version = 14 : i64} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %count = onnx.node "Shape"(%flat) {version = 15 : i64} : (tensor<?xi64>) -> tensor<1xi64>
  %sorted, %order = onnx.node "TopK"(%flat, %count) {version = 11 : i64, attrs = {largest = 0 : i64}} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %token = onnx.node "Div"(%order, %k) {version = 14 : i64} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %rows = onnx.node "Gather"(%x, %token) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %x0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %x1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %s:2 = onnx.node "Split"(%w) {version = 18 : i64} : (tensor<2x4x6xf32>) -> (tensor<1x4x6xf32>, tensor<1x4x6xf32>)
  %w0 = onnx.node "Squeeze"(%s#0, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %w1 = onnx.node "Squeeze"(%s#1, %axis) {version = 13 : i64} : (tensor<1x4x6xf32>, tensor<1xi64>) -> tensor<4x6xf32>
  %m0 = onnx.node "MatMul"(%x0, %w0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  %m1 = onnx.node "MatMul"(%x1, %w1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x6xf32>) -> tensor<?x6xf32>
  // expected-remark @+1 {{grouped products are not raised: the number of tokens cannot be proven to be that of the expert ids}}
  %y = onnx.node "Concat"(%m0, %m1) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<?x6xf32>, tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}
