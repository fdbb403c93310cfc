// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-grouped-experts

// Two experts are swapped.
moe.weight @gu : tensor<2x64x96xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<2x48x64xf32> source(#moe.splat<1.0>)
func.func @swapped(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<2x64x96xf32>
  %dn = moe.load_weight @dn : tensor<2x48x64xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %k = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %slot = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %slots = onnx.constant dense<[-1, 2, 64]> : tensor<3xi64> : tensor<3xi64>
  %none = onnx.constant dense<0> : tensor<2xi64> : tensor<2xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat = onnx.node "Reshape"(%ids, %last) {version = 14 : i64} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %count = onnx.node "Shape"(%flat) {version = 15 : i64} : (tensor<?xi64>) -> tensor<1xi64>
  %sorted, %order = onnx.node "TopK"(%flat, %count) {version = 11 : i64, attrs = {largest = 0 : i64}} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %token = onnx.node "Div"(%order, %k) {version = 14 : i64} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %tokens = onnx.node "Unsqueeze"(%token, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %rows = onnx.node "GatherND"(%x, %tokens) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>) -> tensor<?x64xf32>
  %orders = onnx.node "Unsqueeze"(%order, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %gf = onnx.node "Reshape"(%gates, %last) {version = 14 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %gs = onnx.node "GatherND"(%gf, %orders) {version = 13 : i64} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %ones = onnx.node "Expand"(%slot, %count) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %histogram = onnx.node "ScatterElements"(%none, %sorted, %ones) {version = 18 : i64, attrs = {axis = 0 : i64, reduction = "add"}} : (tensor<2xi64>, tensor<?xi64>, tensor<?xi64>) -> tensor<2xi64>
  %ends = onnx.node "CumSum"(%histogram, %zero) {version = 14 : i64} : (tensor<2xi64>, tensor<i64>) -> tensor<2xi64>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %as:2 = onnx.node "Split"(%gu) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x64x96xf32>) -> (tensor<1x64x96xf32>, tensor<1x64x96xf32>)
  %ax0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw0 = onnx.node "Squeeze"(%as#0, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am0 = onnx.node "MatMul"(%ax0, %aw0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  %ax1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw1 = onnx.node "Squeeze"(%as#1, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am1 = onnx.node "MatMul"(%ax1, %aw1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  // expected-remark @+1 {{grouped products are not raised: no second product uses the same ranges of rows}}
  %a = onnx.node "Concat"(%am0, %am1) {version = 13 : i64, name = "up", attrs = {axis = 0 : i64}} : (tensor<?x96xf32>, tensor<?x96xf32>) -> tensor<?x96xf32>
  %g, %u = onnx.node "Split"(%a) {version = 18 : i64, attrs = {axis = 1 : i64, num_outputs = 2 : i64}} : (tensor<?x96xf32>) -> (tensor<?x48xf32>, tensor<?x48xf32>)
  %s = onnx.node "Sigmoid"(%g) {version = 13 : i64} : (tensor<?x48xf32>) -> tensor<?x48xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %bs:2 = onnx.node "Split"(%dn) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x48x64xf32>) -> (tensor<1x48x64xf32>, tensor<1x48x64xf32>)
  %bx0 = onnx.node "Gather"(%act, %r0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw0 = onnx.node "Squeeze"(%bs#1, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm0 = onnx.node "MatMul"(%bx0, %bw0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  %bx1 = onnx.node "Gather"(%act, %r1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw1 = onnx.node "Squeeze"(%bs#0, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm1 = onnx.node "MatMul"(%bx1, %bw1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  // expected-remark @+1 {{grouped products are not raised: expert 0 is multiplied by the matrix of expert 1}}
  %b = onnx.node "Concat"(%bm0, %bm1) {version = 13 : i64, name = "down", attrs = {axis = 0 : i64}} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %gc = onnx.node "Unsqueeze"(%gs, %last) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %wo = onnx.node "Mul"(%b, %gc) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x1xf32>) -> tensor<?x64xf32>
  %ws = onnx.node "Shape"(%wo) {version = 15 : i64} : (tensor<?x64xf32>) -> tensor<2xi64>
  %empty = onnx.node "ConstantOfShape"(%ws) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x64xf32>
  %back = onnx.node "ScatterND"(%empty, %orders, %wo) {version = 18 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %st = onnx.node "Reshape"(%back, %slots) {version = 14 : i64} : (tensor<?x64xf32>, tensor<3xi64>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%st, %slot) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// The rows are not those of the tokens.
moe.weight @gu : tensor<2x64x96xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<2x48x64xf32> source(#moe.splat<1.0>)
func.func @another_quotient(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<2x64x96xf32>
  %dn = moe.load_weight @dn : tensor<2x48x64xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %k = onnx.constant dense<3> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %slot = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %slots = onnx.constant dense<[-1, 2, 64]> : tensor<3xi64> : tensor<3xi64>
  %none = onnx.constant dense<0> : tensor<2xi64> : tensor<2xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat = onnx.node "Reshape"(%ids, %last) {version = 14 : i64} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %count = onnx.node "Shape"(%flat) {version = 15 : i64} : (tensor<?xi64>) -> tensor<1xi64>
  %sorted, %order = onnx.node "TopK"(%flat, %count) {version = 11 : i64, attrs = {largest = 0 : i64}} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %token = onnx.node "Div"(%order, %k) {version = 14 : i64} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %tokens = onnx.node "Unsqueeze"(%token, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %rows = onnx.node "GatherND"(%x, %tokens) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>) -> tensor<?x64xf32>
  %orders = onnx.node "Unsqueeze"(%order, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %gf = onnx.node "Reshape"(%gates, %last) {version = 14 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %gs = onnx.node "GatherND"(%gf, %orders) {version = 13 : i64} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %ones = onnx.node "Expand"(%slot, %count) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %histogram = onnx.node "ScatterElements"(%none, %sorted, %ones) {version = 18 : i64, attrs = {axis = 0 : i64, reduction = "add"}} : (tensor<2xi64>, tensor<?xi64>, tensor<?xi64>) -> tensor<2xi64>
  %ends = onnx.node "CumSum"(%histogram, %zero) {version = 14 : i64} : (tensor<2xi64>, tensor<i64>) -> tensor<2xi64>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %as:2 = onnx.node "Split"(%gu) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x64x96xf32>) -> (tensor<1x64x96xf32>, tensor<1x64x96xf32>)
  %ax0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw0 = onnx.node "Squeeze"(%as#0, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am0 = onnx.node "MatMul"(%ax0, %aw0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  %ax1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw1 = onnx.node "Squeeze"(%as#1, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am1 = onnx.node "MatMul"(%ax1, %aw1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  // expected-remark @+1 {{grouped products are not raised: the order is divided by 3, expected 2 experts per token}}
  %a = onnx.node "Concat"(%am0, %am1) {version = 13 : i64, name = "up", attrs = {axis = 0 : i64}} : (tensor<?x96xf32>, tensor<?x96xf32>) -> tensor<?x96xf32>
  %g, %u = onnx.node "Split"(%a) {version = 18 : i64, attrs = {axis = 1 : i64, num_outputs = 2 : i64}} : (tensor<?x96xf32>) -> (tensor<?x48xf32>, tensor<?x48xf32>)
  %s = onnx.node "Sigmoid"(%g) {version = 13 : i64} : (tensor<?x48xf32>) -> tensor<?x48xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %bs:2 = onnx.node "Split"(%dn) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x48x64xf32>) -> (tensor<1x48x64xf32>, tensor<1x48x64xf32>)
  %bx0 = onnx.node "Gather"(%act, %r0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw0 = onnx.node "Squeeze"(%bs#0, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm0 = onnx.node "MatMul"(%bx0, %bw0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  %bx1 = onnx.node "Gather"(%act, %r1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw1 = onnx.node "Squeeze"(%bs#1, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm1 = onnx.node "MatMul"(%bx1, %bw1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  %b = onnx.node "Concat"(%bm0, %bm1) {version = 13 : i64, name = "down", attrs = {axis = 0 : i64}} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %gc = onnx.node "Unsqueeze"(%gs, %last) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %wo = onnx.node "Mul"(%b, %gc) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x1xf32>) -> tensor<?x64xf32>
  %ws = onnx.node "Shape"(%wo) {version = 15 : i64} : (tensor<?x64xf32>) -> tensor<2xi64>
  %empty = onnx.node "ConstantOfShape"(%ws) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x64xf32>
  %back = onnx.node "ScatterND"(%empty, %orders, %wo) {version = 18 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %st = onnx.node "Reshape"(%back, %slots) {version = 14 : i64} : (tensor<?x64xf32>, tensor<3xi64>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%st, %slot) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// The ranges belong to other ids.
moe.weight @gu : tensor<2x64x96xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<2x48x64xf32> source(#moe.splat<1.0>)
func.func @another_histogram(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<2x64x96xf32>
  %dn = moe.load_weight @dn : tensor<2x48x64xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %k = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %slot = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %slots = onnx.constant dense<[-1, 2, 64]> : tensor<3xi64> : tensor<3xi64>
  %none = onnx.constant dense<0> : tensor<2xi64> : tensor<2xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat = onnx.node "Reshape"(%ids, %last) {version = 14 : i64} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %count = onnx.node "Shape"(%flat) {version = 15 : i64} : (tensor<?xi64>) -> tensor<1xi64>
  %sorted, %order = onnx.node "TopK"(%flat, %count) {version = 11 : i64, attrs = {largest = 0 : i64}} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %token = onnx.node "Div"(%order, %k) {version = 14 : i64} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %tokens = onnx.node "Unsqueeze"(%token, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %rows = onnx.node "GatherND"(%x, %tokens) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>) -> tensor<?x64xf32>
  %orders = onnx.node "Unsqueeze"(%order, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %gf = onnx.node "Reshape"(%gates, %last) {version = 14 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %gs = onnx.node "GatherND"(%gf, %orders) {version = 13 : i64} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %v2, %ids2 = onnx.node "TopK"(%gates, %two) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat2 = onnx.node "Reshape"(%ids2, %last) {version = 14 : i64} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %ones = onnx.node "Expand"(%slot, %count) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %histogram = onnx.node "ScatterElements"(%none, %flat2, %ones) {version = 18 : i64, attrs = {axis = 0 : i64, reduction = "add"}} : (tensor<2xi64>, tensor<?xi64>, tensor<?xi64>) -> tensor<2xi64>
  %ends = onnx.node "CumSum"(%histogram, %zero) {version = 14 : i64} : (tensor<2xi64>, tensor<i64>) -> tensor<2xi64>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %as:2 = onnx.node "Split"(%gu) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x64x96xf32>) -> (tensor<1x64x96xf32>, tensor<1x64x96xf32>)
  %ax0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw0 = onnx.node "Squeeze"(%as#0, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am0 = onnx.node "MatMul"(%ax0, %aw0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  %ax1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw1 = onnx.node "Squeeze"(%as#1, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am1 = onnx.node "MatMul"(%ax1, %aw1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  // expected-remark @+1 {{grouped products are not raised: the ranges of rows do not come from a histogram of the sorted expert ids}}
  %a = onnx.node "Concat"(%am0, %am1) {version = 13 : i64, name = "up", attrs = {axis = 0 : i64}} : (tensor<?x96xf32>, tensor<?x96xf32>) -> tensor<?x96xf32>
  %g, %u = onnx.node "Split"(%a) {version = 18 : i64, attrs = {axis = 1 : i64, num_outputs = 2 : i64}} : (tensor<?x96xf32>) -> (tensor<?x48xf32>, tensor<?x48xf32>)
  %s = onnx.node "Sigmoid"(%g) {version = 13 : i64} : (tensor<?x48xf32>) -> tensor<?x48xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %bs:2 = onnx.node "Split"(%dn) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x48x64xf32>) -> (tensor<1x48x64xf32>, tensor<1x48x64xf32>)
  %bx0 = onnx.node "Gather"(%act, %r0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw0 = onnx.node "Squeeze"(%bs#0, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm0 = onnx.node "MatMul"(%bx0, %bw0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  %bx1 = onnx.node "Gather"(%act, %r1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw1 = onnx.node "Squeeze"(%bs#1, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm1 = onnx.node "MatMul"(%bx1, %bw1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  %b = onnx.node "Concat"(%bm0, %bm1) {version = 13 : i64, name = "down", attrs = {axis = 0 : i64}} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %gc = onnx.node "Unsqueeze"(%gs, %last) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %wo = onnx.node "Mul"(%b, %gc) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x1xf32>) -> tensor<?x64xf32>
  %ws = onnx.node "Shape"(%wo) {version = 15 : i64} : (tensor<?x64xf32>) -> tensor<2xi64>
  %empty = onnx.node "ConstantOfShape"(%ws) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x64xf32>
  %back = onnx.node "ScatterND"(%empty, %orders, %wo) {version = 18 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %st = onnx.node "Reshape"(%back, %slots) {version = 14 : i64} : (tensor<?x64xf32>, tensor<3xi64>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%st, %slot) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// The outputs of the experts are used once more.
moe.weight @gu : tensor<2x64x96xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<2x48x64xf32> source(#moe.splat<1.0>)
func.func @two_uses(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %gu = moe.load_weight @gu : tensor<2x64x96xf32>
  %dn = moe.load_weight @dn : tensor<2x48x64xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %k = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %slot = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %slots = onnx.constant dense<[-1, 2, 64]> : tensor<3xi64> : tensor<3xi64>
  %none = onnx.constant dense<0> : tensor<2xi64> : tensor<2xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat = onnx.node "Reshape"(%ids, %last) {version = 14 : i64} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %count = onnx.node "Shape"(%flat) {version = 15 : i64} : (tensor<?xi64>) -> tensor<1xi64>
  %sorted, %order = onnx.node "TopK"(%flat, %count) {version = 11 : i64, attrs = {largest = 0 : i64}} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %token = onnx.node "Div"(%order, %k) {version = 14 : i64} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %tokens = onnx.node "Unsqueeze"(%token, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %rows = onnx.node "GatherND"(%x, %tokens) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>) -> tensor<?x64xf32>
  %orders = onnx.node "Unsqueeze"(%order, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %gf = onnx.node "Reshape"(%gates, %last) {version = 14 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %gs = onnx.node "GatherND"(%gf, %orders) {version = 13 : i64} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %ones = onnx.node "Expand"(%slot, %count) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %histogram = onnx.node "ScatterElements"(%none, %sorted, %ones) {version = 18 : i64, attrs = {axis = 0 : i64, reduction = "add"}} : (tensor<2xi64>, tensor<?xi64>, tensor<?xi64>) -> tensor<2xi64>
  %ends = onnx.node "CumSum"(%histogram, %zero) {version = 14 : i64} : (tensor<2xi64>, tensor<i64>) -> tensor<2xi64>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %as:2 = onnx.node "Split"(%gu) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x64x96xf32>) -> (tensor<1x64x96xf32>, tensor<1x64x96xf32>)
  %ax0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw0 = onnx.node "Squeeze"(%as#0, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am0 = onnx.node "MatMul"(%ax0, %aw0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  %ax1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw1 = onnx.node "Squeeze"(%as#1, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am1 = onnx.node "MatMul"(%ax1, %aw1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  %a = onnx.node "Concat"(%am0, %am1) {version = 13 : i64, name = "up", attrs = {axis = 0 : i64}} : (tensor<?x96xf32>, tensor<?x96xf32>) -> tensor<?x96xf32>
  %g, %u = onnx.node "Split"(%a) {version = 18 : i64, attrs = {axis = 1 : i64, num_outputs = 2 : i64}} : (tensor<?x96xf32>) -> (tensor<?x48xf32>, tensor<?x48xf32>)
  %s = onnx.node "Sigmoid"(%g) {version = 13 : i64} : (tensor<?x48xf32>) -> tensor<?x48xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %bs:2 = onnx.node "Split"(%dn) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x48x64xf32>) -> (tensor<1x48x64xf32>, tensor<1x48x64xf32>)
  %bx0 = onnx.node "Gather"(%act, %r0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw0 = onnx.node "Squeeze"(%bs#0, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm0 = onnx.node "MatMul"(%bx0, %bw0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  %bx1 = onnx.node "Gather"(%act, %r1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw1 = onnx.node "Squeeze"(%bs#1, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm1 = onnx.node "MatMul"(%bx1, %bw1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  // expected-remark @+1 {{grouped products are not raised: the outputs of the experts have other uses than their weighted sum}}
  %b = onnx.node "Concat"(%bm0, %bm1) {version = 13 : i64, name = "down", attrs = {axis = 0 : i64}} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %gc = onnx.node "Unsqueeze"(%gs, %last) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %wo = onnx.node "Mul"(%b, %gc) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x1xf32>) -> tensor<?x64xf32>
  %ws = onnx.node "Shape"(%wo) {version = 15 : i64} : (tensor<?x64xf32>) -> tensor<2xi64>
  %empty = onnx.node "ConstantOfShape"(%ws) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x64xf32>
  %back = onnx.node "ScatterND"(%empty, %orders, %wo) {version = 18 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %st = onnx.node "Reshape"(%back, %slots) {version = 14 : i64} : (tensor<?x64xf32>, tensor<3xi64>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%st, %slot) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y, %b : tensor<?x64xf32>, tensor<?x64xf32>
}

// -----
// The sum runs over the tokens.
moe.weight @gu : tensor<2x64x96xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<2x48x64xf32> source(#moe.splat<1.0>)
func.func @other_axis(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<2x64x96xf32>
  %dn = moe.load_weight @dn : tensor<2x48x64xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %k = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %slot = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %slots = onnx.constant dense<[-1, 2, 64]> : tensor<3xi64> : tensor<3xi64>
  %none = onnx.constant dense<0> : tensor<2xi64> : tensor<2xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat = onnx.node "Reshape"(%ids, %last) {version = 14 : i64} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %count = onnx.node "Shape"(%flat) {version = 15 : i64} : (tensor<?xi64>) -> tensor<1xi64>
  %sorted, %order = onnx.node "TopK"(%flat, %count) {version = 11 : i64, attrs = {largest = 0 : i64}} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %token = onnx.node "Div"(%order, %k) {version = 14 : i64} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %tokens = onnx.node "Unsqueeze"(%token, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %rows = onnx.node "GatherND"(%x, %tokens) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>) -> tensor<?x64xf32>
  %orders = onnx.node "Unsqueeze"(%order, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %gf = onnx.node "Reshape"(%gates, %last) {version = 14 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %gs = onnx.node "GatherND"(%gf, %orders) {version = 13 : i64} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %ones = onnx.node "Expand"(%slot, %count) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %histogram = onnx.node "ScatterElements"(%none, %sorted, %ones) {version = 18 : i64, attrs = {axis = 0 : i64, reduction = "add"}} : (tensor<2xi64>, tensor<?xi64>, tensor<?xi64>) -> tensor<2xi64>
  %ends = onnx.node "CumSum"(%histogram, %zero) {version = 14 : i64} : (tensor<2xi64>, tensor<i64>) -> tensor<2xi64>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %as:2 = onnx.node "Split"(%gu) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x64x96xf32>) -> (tensor<1x64x96xf32>, tensor<1x64x96xf32>)
  %ax0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw0 = onnx.node "Squeeze"(%as#0, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am0 = onnx.node "MatMul"(%ax0, %aw0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  %ax1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw1 = onnx.node "Squeeze"(%as#1, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am1 = onnx.node "MatMul"(%ax1, %aw1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  %a = onnx.node "Concat"(%am0, %am1) {version = 13 : i64, name = "up", attrs = {axis = 0 : i64}} : (tensor<?x96xf32>, tensor<?x96xf32>) -> tensor<?x96xf32>
  %g, %u = onnx.node "Split"(%a) {version = 18 : i64, attrs = {axis = 1 : i64, num_outputs = 2 : i64}} : (tensor<?x96xf32>) -> (tensor<?x48xf32>, tensor<?x48xf32>)
  %s = onnx.node "Sigmoid"(%g) {version = 13 : i64} : (tensor<?x48xf32>) -> tensor<?x48xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %bs:2 = onnx.node "Split"(%dn) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x48x64xf32>) -> (tensor<1x48x64xf32>, tensor<1x48x64xf32>)
  %bx0 = onnx.node "Gather"(%act, %r0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw0 = onnx.node "Squeeze"(%bs#0, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm0 = onnx.node "MatMul"(%bx0, %bw0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  %bx1 = onnx.node "Gather"(%act, %r1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw1 = onnx.node "Squeeze"(%bs#1, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm1 = onnx.node "MatMul"(%bx1, %bw1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  // expected-remark @+1 {{grouped products are not raised: 'sum' (ReduceSum) is not part of the weighted sum over the slots}}
  %b = onnx.node "Concat"(%bm0, %bm1) {version = 13 : i64, name = "down", attrs = {axis = 0 : i64}} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %gc = onnx.node "Unsqueeze"(%gs, %last) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %wo = onnx.node "Mul"(%b, %gc) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x1xf32>) -> tensor<?x64xf32>
  %ws = onnx.node "Shape"(%wo) {version = 15 : i64} : (tensor<?x64xf32>) -> tensor<2xi64>
  %empty = onnx.node "ConstantOfShape"(%ws) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x64xf32>
  %back = onnx.node "ScatterND"(%empty, %orders, %wo) {version = 18 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %st = onnx.node "Reshape"(%back, %slots) {version = 14 : i64} : (tensor<?x64xf32>, tensor<3xi64>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%st, %axis) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// There are no gates.
moe.weight @gu : tensor<2x64x96xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<2x48x64xf32> source(#moe.splat<1.0>)
func.func @no_gates(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<2x64x96xf32>
  %dn = moe.load_weight @dn : tensor<2x48x64xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %k = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %slot = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %slots = onnx.constant dense<[-1, 2, 64]> : tensor<3xi64> : tensor<3xi64>
  %none = onnx.constant dense<0> : tensor<2xi64> : tensor<2xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat = onnx.node "Reshape"(%ids, %last) {version = 14 : i64} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %count = onnx.node "Shape"(%flat) {version = 15 : i64} : (tensor<?xi64>) -> tensor<1xi64>
  %sorted, %order = onnx.node "TopK"(%flat, %count) {version = 11 : i64, attrs = {largest = 0 : i64}} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %token = onnx.node "Div"(%order, %k) {version = 14 : i64} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %tokens = onnx.node "Unsqueeze"(%token, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %rows = onnx.node "GatherND"(%x, %tokens) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>) -> tensor<?x64xf32>
  %orders = onnx.node "Unsqueeze"(%order, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %gf = onnx.node "Reshape"(%gates, %last) {version = 14 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %gs = onnx.node "GatherND"(%gf, %orders) {version = 13 : i64} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %ones = onnx.node "Expand"(%slot, %count) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %histogram = onnx.node "ScatterElements"(%none, %sorted, %ones) {version = 18 : i64, attrs = {axis = 0 : i64, reduction = "add"}} : (tensor<2xi64>, tensor<?xi64>, tensor<?xi64>) -> tensor<2xi64>
  %ends = onnx.node "CumSum"(%histogram, %zero) {version = 14 : i64} : (tensor<2xi64>, tensor<i64>) -> tensor<2xi64>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %as:2 = onnx.node "Split"(%gu) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x64x96xf32>) -> (tensor<1x64x96xf32>, tensor<1x64x96xf32>)
  %ax0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw0 = onnx.node "Squeeze"(%as#0, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am0 = onnx.node "MatMul"(%ax0, %aw0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  %ax1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw1 = onnx.node "Squeeze"(%as#1, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am1 = onnx.node "MatMul"(%ax1, %aw1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  %a = onnx.node "Concat"(%am0, %am1) {version = 13 : i64, name = "up", attrs = {axis = 0 : i64}} : (tensor<?x96xf32>, tensor<?x96xf32>) -> tensor<?x96xf32>
  %g, %u = onnx.node "Split"(%a) {version = 18 : i64, attrs = {axis = 1 : i64, num_outputs = 2 : i64}} : (tensor<?x96xf32>) -> (tensor<?x48xf32>, tensor<?x48xf32>)
  %s = onnx.node "Sigmoid"(%g) {version = 13 : i64} : (tensor<?x48xf32>) -> tensor<?x48xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %bs:2 = onnx.node "Split"(%dn) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x48x64xf32>) -> (tensor<1x48x64xf32>, tensor<1x48x64xf32>)
  %bx0 = onnx.node "Gather"(%act, %r0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw0 = onnx.node "Squeeze"(%bs#0, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm0 = onnx.node "MatMul"(%bx0, %bw0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  %bx1 = onnx.node "Gather"(%act, %r1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw1 = onnx.node "Squeeze"(%bs#1, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm1 = onnx.node "MatMul"(%bx1, %bw1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  // expected-remark @+1 {{grouped products are not raised: the outputs of the experts are not multiplied by gates}}
  %b = onnx.node "Concat"(%bm0, %bm1) {version = 13 : i64, name = "down", attrs = {axis = 0 : i64}} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %ws = onnx.node "Shape"(%b) {version = 15 : i64} : (tensor<?x64xf32>) -> tensor<2xi64>
  %empty = onnx.node "ConstantOfShape"(%ws) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x64xf32>
  %back = onnx.node "ScatterND"(%empty, %orders, %b) {version = 18 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %st = onnx.node "Reshape"(%back, %slots) {version = 14 : i64} : (tensor<?x64xf32>, tensor<3xi64>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%st, %slot) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// The activation has no name.
moe.weight @gu : tensor<2x64x96xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<2x48x64xf32> source(#moe.splat<1.0>)
func.func @cosine(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<2x64x96xf32>
  %dn = moe.load_weight @dn : tensor<2x48x64xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %k = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %slot = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %slots = onnx.constant dense<[-1, 2, 64]> : tensor<3xi64> : tensor<3xi64>
  %none = onnx.constant dense<0> : tensor<2xi64> : tensor<2xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat = onnx.node "Reshape"(%ids, %last) {version = 14 : i64} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %count = onnx.node "Shape"(%flat) {version = 15 : i64} : (tensor<?xi64>) -> tensor<1xi64>
  %sorted, %order = onnx.node "TopK"(%flat, %count) {version = 11 : i64, attrs = {largest = 0 : i64}} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %token = onnx.node "Div"(%order, %k) {version = 14 : i64} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %tokens = onnx.node "Unsqueeze"(%token, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %rows = onnx.node "GatherND"(%x, %tokens) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>) -> tensor<?x64xf32>
  %orders = onnx.node "Unsqueeze"(%order, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %gf = onnx.node "Reshape"(%gates, %last) {version = 14 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %gs = onnx.node "GatherND"(%gf, %orders) {version = 13 : i64} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %ones = onnx.node "Expand"(%slot, %count) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %histogram = onnx.node "ScatterElements"(%none, %sorted, %ones) {version = 18 : i64, attrs = {axis = 0 : i64, reduction = "add"}} : (tensor<2xi64>, tensor<?xi64>, tensor<?xi64>) -> tensor<2xi64>
  %ends = onnx.node "CumSum"(%histogram, %zero) {version = 14 : i64} : (tensor<2xi64>, tensor<i64>) -> tensor<2xi64>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %as:2 = onnx.node "Split"(%gu) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x64x96xf32>) -> (tensor<1x64x96xf32>, tensor<1x64x96xf32>)
  %ax0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw0 = onnx.node "Squeeze"(%as#0, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am0 = onnx.node "MatMul"(%ax0, %aw0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  %ax1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw1 = onnx.node "Squeeze"(%as#1, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am1 = onnx.node "MatMul"(%ax1, %aw1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  %a = onnx.node "Concat"(%am0, %am1) {version = 13 : i64, name = "up", attrs = {axis = 0 : i64}} : (tensor<?x96xf32>, tensor<?x96xf32>) -> tensor<?x96xf32>
  %g, %u = onnx.node "Split"(%a) {version = 18 : i64, attrs = {axis = 1 : i64, num_outputs = 2 : i64}} : (tensor<?x96xf32>) -> (tensor<?x48xf32>, tensor<?x48xf32>)
  %s = onnx.node "Tanh"(%g) {version = 13 : i64} : (tensor<?x48xf32>) -> tensor<?x48xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %bs:2 = onnx.node "Split"(%dn) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x48x64xf32>) -> (tensor<1x48x64xf32>, tensor<1x48x64xf32>)
  %bx0 = onnx.node "Gather"(%act, %r0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw0 = onnx.node "Squeeze"(%bs#0, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm0 = onnx.node "MatMul"(%bx0, %bw0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  %bx1 = onnx.node "Gather"(%act, %r1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw1 = onnx.node "Squeeze"(%bs#1, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm1 = onnx.node "MatMul"(%bx1, %bw1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  // expected-remark @+1 {{grouped products are not raised: the function between the two products is not a known activation}}
  %b = onnx.node "Concat"(%bm0, %bm1) {version = 13 : i64, name = "down", attrs = {axis = 0 : i64}} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %gc = onnx.node "Unsqueeze"(%gs, %last) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %wo = onnx.node "Mul"(%b, %gc) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x1xf32>) -> tensor<?x64xf32>
  %ws = onnx.node "Shape"(%wo) {version = 15 : i64} : (tensor<?x64xf32>) -> tensor<2xi64>
  %empty = onnx.node "ConstantOfShape"(%ws) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x64xf32>
  %back = onnx.node "ScatterND"(%empty, %orders, %wo) {version = 18 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %st = onnx.node "Reshape"(%back, %slots) {version = 14 : i64} : (tensor<?x64xf32>, tensor<3xi64>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%st, %slot) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----
// The second bias has one column, which is repeated.
moe.weight @gu : tensor<2x64x96xf32> source(#moe.splat<1.0>)
moe.weight @dn : tensor<2x48x64xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<2x96xf32> source(#moe.splat<1.0>)
moe.weight @b2 : tensor<2x1xf32> source(#moe.splat<1.0>)
func.func @repeated_bias(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}, %gates: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %gu = moe.load_weight @gu : tensor<2x64x96xf32>
  %dn = moe.load_weight @dn : tensor<2x48x64xf32>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %k = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %slot = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %slots = onnx.constant dense<[-1, 2, 64]> : tensor<3xi64> : tensor<3xi64>
  %b1 = moe.load_weight @b1 : tensor<2x96xf32>
  %b2 = moe.load_weight @b2 : tensor<2x1xf32>
  %none = onnx.constant dense<0> : tensor<2xi64> : tensor<2xi64>
  %v, %ids = onnx.node "TopK"(%l, %two) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %flat = onnx.node "Reshape"(%ids, %last) {version = 14 : i64} : (tensor<?x2xi64>, tensor<1xi64>) -> tensor<?xi64>
  %count = onnx.node "Shape"(%flat) {version = 15 : i64} : (tensor<?xi64>) -> tensor<1xi64>
  %sorted, %order = onnx.node "TopK"(%flat, %count) {version = 11 : i64, attrs = {largest = 0 : i64}} : (tensor<?xi64>, tensor<1xi64>) -> (tensor<?xi64>, tensor<?xi64>)
  %token = onnx.node "Div"(%order, %k) {version = 14 : i64} : (tensor<?xi64>, tensor<i64>) -> tensor<?xi64>
  %tokens = onnx.node "Unsqueeze"(%token, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %rows = onnx.node "GatherND"(%x, %tokens) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>) -> tensor<?x64xf32>
  %orders = onnx.node "Unsqueeze"(%order, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %gf = onnx.node "Reshape"(%gates, %last) {version = 14 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %gs = onnx.node "GatherND"(%gf, %orders) {version = 13 : i64} : (tensor<?xf32>, tensor<?x1xi64>) -> tensor<?xf32>
  %ones = onnx.node "Expand"(%slot, %count) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %histogram = onnx.node "ScatterElements"(%none, %sorted, %ones) {version = 18 : i64, attrs = {axis = 0 : i64, reduction = "add"}} : (tensor<2xi64>, tensor<?xi64>, tensor<?xi64>) -> tensor<2xi64>
  %ends = onnx.node "CumSum"(%histogram, %zero) {version = 14 : i64} : (tensor<2xi64>, tensor<i64>) -> tensor<2xi64>
  %e:2 = onnx.node "Split"(%ends) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2xi64>) -> (tensor<1xi64>, tensor<1xi64>)
  %e0 = onnx.node "Squeeze"(%e#0, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %e1 = onnx.node "Squeeze"(%e#1, %axis) {version = 13 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<i64>
  %r0 = onnx.node "Range"(%zero, %e0, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %r1 = onnx.node "Range"(%e0, %e1, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %as:2 = onnx.node "Split"(%gu) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x64x96xf32>) -> (tensor<1x64x96xf32>, tensor<1x64x96xf32>)
  %ax0 = onnx.node "Gather"(%rows, %r0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw0 = onnx.node "Squeeze"(%as#0, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am0 = onnx.node "MatMul"(%ax0, %aw0) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  %ax1 = onnx.node "Gather"(%rows, %r1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<?xi64>) -> tensor<?x64xf32>
  %aw1 = onnx.node "Squeeze"(%as#1, %axis) {version = 13 : i64} : (tensor<1x64x96xf32>, tensor<1xi64>) -> tensor<64x96xf32>
  %am1 = onnx.node "MatMul"(%ax1, %aw1) {version = 13 : i64} : (tensor<?x64xf32>, tensor<64x96xf32>) -> tensor<?x96xf32>
  %a = onnx.node "Concat"(%am0, %am1) {version = 13 : i64, name = "up", attrs = {axis = 0 : i64}} : (tensor<?x96xf32>, tensor<?x96xf32>) -> tensor<?x96xf32>
  %sc = onnx.node "Unsqueeze"(%sorted, %last) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %bb1 = onnx.node "GatherND"(%b1, %sc) {version = 13 : i64} : (tensor<2x96xf32>, tensor<?x1xi64>) -> tensor<?x96xf32>
  %ab = onnx.node "Add"(%a, %bb1) {version = 14 : i64} : (tensor<?x96xf32>, tensor<?x96xf32>) -> tensor<?x96xf32>
  %g, %u = onnx.node "Split"(%ab) {version = 18 : i64, attrs = {axis = 1 : i64, num_outputs = 2 : i64}} : (tensor<?x96xf32>) -> (tensor<?x48xf32>, tensor<?x48xf32>)
  %s = onnx.node "Sigmoid"(%g) {version = 13 : i64} : (tensor<?x48xf32>) -> tensor<?x48xf32>
  %silu = onnx.node "Mul"(%g, %s) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %act = onnx.node "Mul"(%silu, %u) {version = 14 : i64} : (tensor<?x48xf32>, tensor<?x48xf32>) -> tensor<?x48xf32>
  %bs:2 = onnx.node "Split"(%dn) {version = 18 : i64, attrs = {axis = 0 : i64, num_outputs = 2 : i64}} : (tensor<2x48x64xf32>) -> (tensor<1x48x64xf32>, tensor<1x48x64xf32>)
  %bx0 = onnx.node "Gather"(%act, %r0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw0 = onnx.node "Squeeze"(%bs#0, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm0 = onnx.node "MatMul"(%bx0, %bw0) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  %bx1 = onnx.node "Gather"(%act, %r1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<?xi64>) -> tensor<?x48xf32>
  %bw1 = onnx.node "Squeeze"(%bs#1, %axis) {version = 13 : i64} : (tensor<1x48x64xf32>, tensor<1xi64>) -> tensor<48x64xf32>
  %bm1 = onnx.node "MatMul"(%bx1, %bw1) {version = 13 : i64} : (tensor<?x48xf32>, tensor<48x64xf32>) -> tensor<?x64xf32>
  // expected-remark @+1 {{grouped products are not raised: a stacked bias is not a constant with a row per expert and an element per column}}
  %b = onnx.node "Concat"(%bm0, %bm1) {version = 13 : i64, name = "down", attrs = {axis = 0 : i64}} : (tensor<?x64xf32>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %bb2 = onnx.node "GatherND"(%b2, %sc) {version = 13 : i64} : (tensor<2x1xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>
  %bd = onnx.node "Add"(%b, %bb2) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x1xf32>) -> tensor<?x64xf32>
  %gc = onnx.node "Unsqueeze"(%gs, %last) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %wo = onnx.node "Mul"(%bd, %gc) {version = 14 : i64} : (tensor<?x64xf32>, tensor<?x1xf32>) -> tensor<?x64xf32>
  %ws = onnx.node "Shape"(%wo) {version = 15 : i64} : (tensor<?x64xf32>) -> tensor<2xi64>
  %empty = onnx.node "ConstantOfShape"(%ws) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x64xf32>
  %back = onnx.node "ScatterND"(%empty, %orders, %wo) {version = 18 : i64} : (tensor<?x64xf32>, tensor<?x1xi64>, tensor<?x64xf32>) -> tensor<?x64xf32>
  %st = onnx.node "Reshape"(%back, %slots) {version = 14 : i64} : (tensor<?x64xf32>, tensor<3xi64>) -> tensor<?x2x64xf32>
  %y = onnx.node "ReduceSum"(%st, %slot) {version = 13 : i64, name = "sum", attrs = {keepdims = 0 : i64}} : (tensor<?x2x64xf32>, tensor<1xi64>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
