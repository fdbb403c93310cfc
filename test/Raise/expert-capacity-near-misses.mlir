// Where tokens are dropped in another way, rows of places stay what the experts get.
// RUN: moe-opt %s --moe-raise-stacked-experts | FileCheck %s
// CHECK-NOT: moe.limit_capacity

moe.weight @w : tensor<8x64x64xf32> source(#moe.splat<1.0>)

// The last tokens are served first.
// CHECK-LABEL: func.func @from_behind
// CHECK: moe.experts {{.*}}form = "dispatched"
func.func @from_behind(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %a = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<i32> : tensor<i32>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %cap = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %clip = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %onoff = onnx.constant dense<[0, 1]> : tensor<2xi64> : tensor<2xi64>
  %eight = onnx.constant dense<8> : tensor<i64> : tensor<i64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %middle = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %none = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %absent = onnx.absent
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %ids = onnx.node "Gather"(%i, %zero) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1xi64>, tensor<i64>) -> tensor<?xi64>
  %o = onnx.node "OneHot"(%ids, %eight, %onoff) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x8xi64>
  %c = onnx.node "CumSum"(%o, %axis) {version = 14 : i64, attrs = {reverse = 1 : i64}} : (tensor<?x8xi64>, tensor<i32>) -> tensor<?x8xi64>
  %r0 = onnx.node "Sub"(%c, %one) {version = 14 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi64>
  %r = onnx.node "Mul"(%r0, %o) {version = 14 : i64} : (tensor<?x8xi64>, tensor<?x8xi64>) -> tensor<?x8xi64>
  %fits = onnx.node "Less"(%r, %cap) {version = 13 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi1>
  %is = onnx.node "Greater"(%o, %zero) {version = 13 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi1>
  %keep = onnx.node "And"(%fits, %is) {version = 7 : i64} : (tensor<?x8xi1>, tensor<?x8xi1>) -> tensor<?x8xi1>
  %rc = onnx.node "Clip"(%r, %absent, %clip) {version = 13 : i64} : (tensor<?x8xi64>, none, tensor<i64>) -> tensor<?x8xi64>
  %place = onnx.node "OneHot"(%rc, %two, %onoff) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x8x2xi64>
  %pf = onnx.node "Cast"(%place) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x2xi64>) -> tensor<?x8x2xf32>
  %ku = onnx.node "Unsqueeze"(%keep, %last) {version = 13 : i64} : (tensor<?x8xi1>, tensor<1xi64>) -> tensor<?x8x1xi1>
  %kf = onnx.node "Cast"(%ku) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x1xi1>) -> tensor<?x8x1xf32>
  %mask = onnx.node "Mul"(%pf, %kf) {version = 14 : i64} : (tensor<?x8x2xf32>, tensor<?x8x1xf32>) -> tensor<?x8x2xf32>
  %gs = onnx.node "Gather"(%v, %zero) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1xf32>, tensor<i64>) -> tensor<?xf32>
  %gu = onnx.node "Unsqueeze"(%gs, %middle) {version = 13 : i64} : (tensor<?xf32>, tensor<2xi64>) -> tensor<?x1x1xf32>
  %cmb = onnx.node "Mul"(%gu, %mask) {version = 14 : i64} : (tensor<?x1x1xf32>, tensor<?x8x2xf32>) -> tensor<?x8x2xf32>
  %pos = onnx.node "Greater"(%cmb, %none) {version = 13 : i64} : (tensor<?x8x2xf32>, tensor<f32>) -> tensor<?x8x2xi1>
  %d = onnx.node "Cast"(%pos) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x2xi1>) -> tensor<?x8x2xf32>
  %rows = onnx.node "Einsum"(%d, %x) {version = 12 : i64, attrs = {equation = "tec,th->ech"}} : (tensor<?x8x2xf32>, tensor<?x64xf32>) -> tensor<8x2x64xf32>
  %u = onnx.node "MatMul"(%rows, %w) {version = 13 : i64} : (tensor<8x2x64xf32>, tensor<8x64x64xf32>) -> tensor<8x2x64xf32>
  %act = onnx.node "Relu"(%u) {version = 14 : i64} : (tensor<8x2x64xf32>) -> tensor<8x2x64xf32>
  %n = onnx.node "MatMul"(%act, %a) {version = 13 : i64} : (tensor<8x2x64xf32>, tensor<8x64x64xf32>) -> tensor<8x2x64xf32>
  %y = onnx.node "Einsum"(%cmb, %n) {version = 12 : i64, attrs = {equation = "tec,ech->th"}} : (tensor<?x8x2xf32>, tensor<8x2x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Half precision does not count beyond 2048.
// CHECK-LABEL: func.func @half_counts
// CHECK: moe.experts {{.*}}form = "dispatched"
func.func @half_counts(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %a = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<i32> : tensor<i32>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %cap = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %clip = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %onoff = onnx.constant dense<[0, 1]> : tensor<2xi64> : tensor<2xi64>
  %eight = onnx.constant dense<8> : tensor<i64> : tensor<i64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %middle = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %none = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %absent = onnx.absent
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %ids = onnx.node "Gather"(%i, %zero) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1xi64>, tensor<i64>) -> tensor<?xi64>
  %o = onnx.node "OneHot"(%ids, %eight, %onoff) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x8xi64>
  %oh = onnx.node "Cast"(%o) {version = 13 : i64, attrs = {to = 10 : i64}} : (tensor<?x8xi64>) -> tensor<?x8xf16>
  %ch = onnx.node "CumSum"(%oh, %axis) {version = 14 : i64} : (tensor<?x8xf16>, tensor<i32>) -> tensor<?x8xf16>
  %c = onnx.node "Cast"(%ch) {version = 13 : i64, attrs = {to = 7 : i64}} : (tensor<?x8xf16>) -> tensor<?x8xi64>
  %r0 = onnx.node "Sub"(%c, %one) {version = 14 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi64>
  %r = onnx.node "Mul"(%r0, %o) {version = 14 : i64} : (tensor<?x8xi64>, tensor<?x8xi64>) -> tensor<?x8xi64>
  %fits = onnx.node "Less"(%r, %cap) {version = 13 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi1>
  %is = onnx.node "Greater"(%o, %zero) {version = 13 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi1>
  %keep = onnx.node "And"(%fits, %is) {version = 7 : i64} : (tensor<?x8xi1>, tensor<?x8xi1>) -> tensor<?x8xi1>
  %rc = onnx.node "Clip"(%r, %absent, %clip) {version = 13 : i64} : (tensor<?x8xi64>, none, tensor<i64>) -> tensor<?x8xi64>
  %place = onnx.node "OneHot"(%rc, %two, %onoff) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x8x2xi64>
  %pf = onnx.node "Cast"(%place) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x2xi64>) -> tensor<?x8x2xf32>
  %ku = onnx.node "Unsqueeze"(%keep, %last) {version = 13 : i64} : (tensor<?x8xi1>, tensor<1xi64>) -> tensor<?x8x1xi1>
  %kf = onnx.node "Cast"(%ku) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x1xi1>) -> tensor<?x8x1xf32>
  %mask = onnx.node "Mul"(%pf, %kf) {version = 14 : i64} : (tensor<?x8x2xf32>, tensor<?x8x1xf32>) -> tensor<?x8x2xf32>
  %gs = onnx.node "Gather"(%v, %zero) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1xf32>, tensor<i64>) -> tensor<?xf32>
  %gu = onnx.node "Unsqueeze"(%gs, %middle) {version = 13 : i64} : (tensor<?xf32>, tensor<2xi64>) -> tensor<?x1x1xf32>
  %cmb = onnx.node "Mul"(%gu, %mask) {version = 14 : i64} : (tensor<?x1x1xf32>, tensor<?x8x2xf32>) -> tensor<?x8x2xf32>
  %pos = onnx.node "Greater"(%cmb, %none) {version = 13 : i64} : (tensor<?x8x2xf32>, tensor<f32>) -> tensor<?x8x2xi1>
  %d = onnx.node "Cast"(%pos) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x2xi1>) -> tensor<?x8x2xf32>
  %rows = onnx.node "Einsum"(%d, %x) {version = 12 : i64, attrs = {equation = "tec,th->ech"}} : (tensor<?x8x2xf32>, tensor<?x64xf32>) -> tensor<8x2x64xf32>
  %u = onnx.node "MatMul"(%rows, %w) {version = 13 : i64} : (tensor<8x2x64xf32>, tensor<8x64x64xf32>) -> tensor<8x2x64xf32>
  %act = onnx.node "Relu"(%u) {version = 14 : i64} : (tensor<8x2x64xf32>) -> tensor<8x2x64xf32>
  %n = onnx.node "MatMul"(%act, %a) {version = 13 : i64} : (tensor<8x2x64xf32>, tensor<8x64x64xf32>) -> tensor<8x2x64xf32>
  %y = onnx.node "Einsum"(%cmb, %n) {version = 12 : i64, attrs = {equation = "tec,ech->th"}} : (tensor<?x8x2xf32>, tensor<8x2x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Experts are counted for each token.
// CHECK-LABEL: func.func @along_experts
// CHECK: moe.experts {{.*}}form = "dispatched"
func.func @along_experts(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %a = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<1> : tensor<i32> : tensor<i32>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %cap = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %clip = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %onoff = onnx.constant dense<[0, 1]> : tensor<2xi64> : tensor<2xi64>
  %eight = onnx.constant dense<8> : tensor<i64> : tensor<i64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %middle = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %none = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %absent = onnx.absent
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %ids = onnx.node "Gather"(%i, %zero) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1xi64>, tensor<i64>) -> tensor<?xi64>
  %o = onnx.node "OneHot"(%ids, %eight, %onoff) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x8xi64>
  %c = onnx.node "CumSum"(%o, %axis) {version = 14 : i64} : (tensor<?x8xi64>, tensor<i32>) -> tensor<?x8xi64>
  %r0 = onnx.node "Sub"(%c, %one) {version = 14 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi64>
  %r = onnx.node "Mul"(%r0, %o) {version = 14 : i64} : (tensor<?x8xi64>, tensor<?x8xi64>) -> tensor<?x8xi64>
  %fits = onnx.node "Less"(%r, %cap) {version = 13 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi1>
  %is = onnx.node "Greater"(%o, %zero) {version = 13 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi1>
  %keep = onnx.node "And"(%fits, %is) {version = 7 : i64} : (tensor<?x8xi1>, tensor<?x8xi1>) -> tensor<?x8xi1>
  %rc = onnx.node "Clip"(%r, %absent, %clip) {version = 13 : i64} : (tensor<?x8xi64>, none, tensor<i64>) -> tensor<?x8xi64>
  %place = onnx.node "OneHot"(%rc, %two, %onoff) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x8x2xi64>
  %pf = onnx.node "Cast"(%place) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x2xi64>) -> tensor<?x8x2xf32>
  %ku = onnx.node "Unsqueeze"(%keep, %last) {version = 13 : i64} : (tensor<?x8xi1>, tensor<1xi64>) -> tensor<?x8x1xi1>
  %kf = onnx.node "Cast"(%ku) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x1xi1>) -> tensor<?x8x1xf32>
  %mask = onnx.node "Mul"(%pf, %kf) {version = 14 : i64} : (tensor<?x8x2xf32>, tensor<?x8x1xf32>) -> tensor<?x8x2xf32>
  %gs = onnx.node "Gather"(%v, %zero) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1xf32>, tensor<i64>) -> tensor<?xf32>
  %gu = onnx.node "Unsqueeze"(%gs, %middle) {version = 13 : i64} : (tensor<?xf32>, tensor<2xi64>) -> tensor<?x1x1xf32>
  %cmb = onnx.node "Mul"(%gu, %mask) {version = 14 : i64} : (tensor<?x1x1xf32>, tensor<?x8x2xf32>) -> tensor<?x8x2xf32>
  %pos = onnx.node "Greater"(%cmb, %none) {version = 13 : i64} : (tensor<?x8x2xf32>, tensor<f32>) -> tensor<?x8x2xi1>
  %d = onnx.node "Cast"(%pos) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x2xi1>) -> tensor<?x8x2xf32>
  %rows = onnx.node "Einsum"(%d, %x) {version = 12 : i64, attrs = {equation = "tec,th->ech"}} : (tensor<?x8x2xf32>, tensor<?x64xf32>) -> tensor<8x2x64xf32>
  %u = onnx.node "MatMul"(%rows, %w) {version = 13 : i64} : (tensor<8x2x64xf32>, tensor<8x64x64xf32>) -> tensor<8x2x64xf32>
  %act = onnx.node "Relu"(%u) {version = 14 : i64} : (tensor<8x2x64xf32>) -> tensor<8x2x64xf32>
  %n = onnx.node "MatMul"(%act, %a) {version = 13 : i64} : (tensor<8x2x64xf32>, tensor<8x64x64xf32>) -> tensor<8x2x64xf32>
  %y = onnx.node "Einsum"(%cmb, %n) {version = 12 : i64, attrs = {equation = "tec,ech->th"}} : (tensor<?x8x2xf32>, tensor<8x2x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Tokens beyond the places share the last one.
// CHECK-LABEL: func.func @too_few_places
// CHECK: moe.experts {{.*}}form = "dispatched"
func.func @too_few_places(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %a = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<i32> : tensor<i32>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %cap = onnx.constant dense<3> : tensor<i64> : tensor<i64>
  %clip = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %onoff = onnx.constant dense<[0, 1]> : tensor<2xi64> : tensor<2xi64>
  %eight = onnx.constant dense<8> : tensor<i64> : tensor<i64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %middle = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %none = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %absent = onnx.absent
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %ids = onnx.node "Gather"(%i, %zero) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1xi64>, tensor<i64>) -> tensor<?xi64>
  %o = onnx.node "OneHot"(%ids, %eight, %onoff) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x8xi64>
  %c = onnx.node "CumSum"(%o, %axis) {version = 14 : i64} : (tensor<?x8xi64>, tensor<i32>) -> tensor<?x8xi64>
  %r0 = onnx.node "Sub"(%c, %one) {version = 14 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi64>
  %r = onnx.node "Mul"(%r0, %o) {version = 14 : i64} : (tensor<?x8xi64>, tensor<?x8xi64>) -> tensor<?x8xi64>
  %fits = onnx.node "Less"(%r, %cap) {version = 13 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi1>
  %is = onnx.node "Greater"(%o, %zero) {version = 13 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi1>
  %keep = onnx.node "And"(%fits, %is) {version = 7 : i64} : (tensor<?x8xi1>, tensor<?x8xi1>) -> tensor<?x8xi1>
  %rc = onnx.node "Clip"(%r, %absent, %clip) {version = 13 : i64} : (tensor<?x8xi64>, none, tensor<i64>) -> tensor<?x8xi64>
  %place = onnx.node "OneHot"(%rc, %two, %onoff) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x8x2xi64>
  %pf = onnx.node "Cast"(%place) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x2xi64>) -> tensor<?x8x2xf32>
  %ku = onnx.node "Unsqueeze"(%keep, %last) {version = 13 : i64} : (tensor<?x8xi1>, tensor<1xi64>) -> tensor<?x8x1xi1>
  %kf = onnx.node "Cast"(%ku) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x1xi1>) -> tensor<?x8x1xf32>
  %mask = onnx.node "Mul"(%pf, %kf) {version = 14 : i64} : (tensor<?x8x2xf32>, tensor<?x8x1xf32>) -> tensor<?x8x2xf32>
  %gs = onnx.node "Gather"(%v, %zero) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1xf32>, tensor<i64>) -> tensor<?xf32>
  %gu = onnx.node "Unsqueeze"(%gs, %middle) {version = 13 : i64} : (tensor<?xf32>, tensor<2xi64>) -> tensor<?x1x1xf32>
  %cmb = onnx.node "Mul"(%gu, %mask) {version = 14 : i64} : (tensor<?x1x1xf32>, tensor<?x8x2xf32>) -> tensor<?x8x2xf32>
  %pos = onnx.node "Greater"(%cmb, %none) {version = 13 : i64} : (tensor<?x8x2xf32>, tensor<f32>) -> tensor<?x8x2xi1>
  %d = onnx.node "Cast"(%pos) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x2xi1>) -> tensor<?x8x2xf32>
  %rows = onnx.node "Einsum"(%d, %x) {version = 12 : i64, attrs = {equation = "tec,th->ech"}} : (tensor<?x8x2xf32>, tensor<?x64xf32>) -> tensor<8x2x64xf32>
  %u = onnx.node "MatMul"(%rows, %w) {version = 13 : i64} : (tensor<8x2x64xf32>, tensor<8x64x64xf32>) -> tensor<8x2x64xf32>
  %act = onnx.node "Relu"(%u) {version = 14 : i64} : (tensor<8x2x64xf32>) -> tensor<8x2x64xf32>
  %n = onnx.node "MatMul"(%act, %a) {version = 13 : i64} : (tensor<8x2x64xf32>, tensor<8x64x64xf32>) -> tensor<8x2x64xf32>
  %y = onnx.node "Einsum"(%cmb, %n) {version = 12 : i64, attrs = {equation = "tec,ech->th"}} : (tensor<?x8x2xf32>, tensor<8x2x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// The first token of an expert is dropped, too.
// CHECK-LABEL: func.func @from_one
// CHECK: moe.experts {{.*}}form = "dispatched"
func.func @from_one(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %a = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<i32> : tensor<i32>
  %one = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %cap = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %clip = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %onoff = onnx.constant dense<[0, 1]> : tensor<2xi64> : tensor<2xi64>
  %eight = onnx.constant dense<8> : tensor<i64> : tensor<i64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %middle = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %none = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %absent = onnx.absent
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %ids = onnx.node "Gather"(%i, %zero) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1xi64>, tensor<i64>) -> tensor<?xi64>
  %o = onnx.node "OneHot"(%ids, %eight, %onoff) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x8xi64>
  %c = onnx.node "CumSum"(%o, %axis) {version = 14 : i64} : (tensor<?x8xi64>, tensor<i32>) -> tensor<?x8xi64>
  %r0 = onnx.node "Sub"(%c, %one) {version = 14 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi64>
  %r = onnx.node "Mul"(%r0, %o) {version = 14 : i64} : (tensor<?x8xi64>, tensor<?x8xi64>) -> tensor<?x8xi64>
  %fits = onnx.node "Less"(%r, %cap) {version = 13 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi1>
  %is = onnx.node "Greater"(%o, %zero) {version = 13 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi1>
  %keep = onnx.node "And"(%fits, %is) {version = 7 : i64} : (tensor<?x8xi1>, tensor<?x8xi1>) -> tensor<?x8xi1>
  %rc = onnx.node "Clip"(%r, %absent, %clip) {version = 13 : i64} : (tensor<?x8xi64>, none, tensor<i64>) -> tensor<?x8xi64>
  %place = onnx.node "OneHot"(%rc, %two, %onoff) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x8x2xi64>
  %pf = onnx.node "Cast"(%place) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x2xi64>) -> tensor<?x8x2xf32>
  %ku = onnx.node "Unsqueeze"(%keep, %last) {version = 13 : i64} : (tensor<?x8xi1>, tensor<1xi64>) -> tensor<?x8x1xi1>
  %kf = onnx.node "Cast"(%ku) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x1xi1>) -> tensor<?x8x1xf32>
  %mask = onnx.node "Mul"(%pf, %kf) {version = 14 : i64} : (tensor<?x8x2xf32>, tensor<?x8x1xf32>) -> tensor<?x8x2xf32>
  %gs = onnx.node "Gather"(%v, %zero) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1xf32>, tensor<i64>) -> tensor<?xf32>
  %gu = onnx.node "Unsqueeze"(%gs, %middle) {version = 13 : i64} : (tensor<?xf32>, tensor<2xi64>) -> tensor<?x1x1xf32>
  %cmb = onnx.node "Mul"(%gu, %mask) {version = 14 : i64} : (tensor<?x1x1xf32>, tensor<?x8x2xf32>) -> tensor<?x8x2xf32>
  %pos = onnx.node "Greater"(%cmb, %none) {version = 13 : i64} : (tensor<?x8x2xf32>, tensor<f32>) -> tensor<?x8x2xi1>
  %d = onnx.node "Cast"(%pos) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x2xi1>) -> tensor<?x8x2xf32>
  %rows = onnx.node "Einsum"(%d, %x) {version = 12 : i64, attrs = {equation = "tec,th->ech"}} : (tensor<?x8x2xf32>, tensor<?x64xf32>) -> tensor<8x2x64xf32>
  %u = onnx.node "MatMul"(%rows, %w) {version = 13 : i64} : (tensor<8x2x64xf32>, tensor<8x64x64xf32>) -> tensor<8x2x64xf32>
  %act = onnx.node "Relu"(%u) {version = 14 : i64} : (tensor<8x2x64xf32>) -> tensor<8x2x64xf32>
  %n = onnx.node "MatMul"(%act, %a) {version = 13 : i64} : (tensor<8x2x64xf32>, tensor<8x64x64xf32>) -> tensor<8x2x64xf32>
  %y = onnx.node "Einsum"(%cmb, %n) {version = 12 : i64, attrs = {equation = "tec,ech->th"}} : (tensor<?x8x2xf32>, tensor<8x2x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// A negative gate drops a token from its place, but not from the sum.
// CHECK-LABEL: func.func @negative_gates
// CHECK: moe.experts {{.*}}form = "dispatched"
func.func @negative_gates(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %a = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<i32> : tensor<i32>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %cap = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %clip = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %onoff = onnx.constant dense<[0, 1]> : tensor<2xi64> : tensor<2xi64>
  %eight = onnx.constant dense<8> : tensor<i64> : tensor<i64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %middle = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %none = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %absent = onnx.absent
  %p = onnx.node "Identity"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %ids = onnx.node "Gather"(%i, %zero) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1xi64>, tensor<i64>) -> tensor<?xi64>
  %o = onnx.node "OneHot"(%ids, %eight, %onoff) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x8xi64>
  %c = onnx.node "CumSum"(%o, %axis) {version = 14 : i64} : (tensor<?x8xi64>, tensor<i32>) -> tensor<?x8xi64>
  %r0 = onnx.node "Sub"(%c, %one) {version = 14 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi64>
  %r = onnx.node "Mul"(%r0, %o) {version = 14 : i64} : (tensor<?x8xi64>, tensor<?x8xi64>) -> tensor<?x8xi64>
  %fits = onnx.node "Less"(%r, %cap) {version = 13 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi1>
  %is = onnx.node "Greater"(%o, %zero) {version = 13 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi1>
  %keep = onnx.node "And"(%fits, %is) {version = 7 : i64} : (tensor<?x8xi1>, tensor<?x8xi1>) -> tensor<?x8xi1>
  %rc = onnx.node "Clip"(%r, %absent, %clip) {version = 13 : i64} : (tensor<?x8xi64>, none, tensor<i64>) -> tensor<?x8xi64>
  %place = onnx.node "OneHot"(%rc, %two, %onoff) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x8x2xi64>
  %pf = onnx.node "Cast"(%place) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x2xi64>) -> tensor<?x8x2xf32>
  %ku = onnx.node "Unsqueeze"(%keep, %last) {version = 13 : i64} : (tensor<?x8xi1>, tensor<1xi64>) -> tensor<?x8x1xi1>
  %kf = onnx.node "Cast"(%ku) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x1xi1>) -> tensor<?x8x1xf32>
  %mask = onnx.node "Mul"(%pf, %kf) {version = 14 : i64} : (tensor<?x8x2xf32>, tensor<?x8x1xf32>) -> tensor<?x8x2xf32>
  %gs = onnx.node "Gather"(%v, %zero) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1xf32>, tensor<i64>) -> tensor<?xf32>
  %gu = onnx.node "Unsqueeze"(%gs, %middle) {version = 13 : i64} : (tensor<?xf32>, tensor<2xi64>) -> tensor<?x1x1xf32>
  %cmb = onnx.node "Mul"(%gu, %mask) {version = 14 : i64} : (tensor<?x1x1xf32>, tensor<?x8x2xf32>) -> tensor<?x8x2xf32>
  %pos = onnx.node "Greater"(%cmb, %none) {version = 13 : i64} : (tensor<?x8x2xf32>, tensor<f32>) -> tensor<?x8x2xi1>
  %d = onnx.node "Cast"(%pos) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x2xi1>) -> tensor<?x8x2xf32>
  %rows = onnx.node "Einsum"(%d, %x) {version = 12 : i64, attrs = {equation = "tec,th->ech"}} : (tensor<?x8x2xf32>, tensor<?x64xf32>) -> tensor<8x2x64xf32>
  %u = onnx.node "MatMul"(%rows, %w) {version = 13 : i64} : (tensor<8x2x64xf32>, tensor<8x64x64xf32>) -> tensor<8x2x64xf32>
  %act = onnx.node "Relu"(%u) {version = 14 : i64} : (tensor<8x2x64xf32>) -> tensor<8x2x64xf32>
  %n = onnx.node "MatMul"(%act, %a) {version = 13 : i64} : (tensor<8x2x64xf32>, tensor<8x64x64xf32>) -> tensor<8x2x64xf32>
  %y = onnx.node "Einsum"(%cmb, %n) {version = 12 : i64, attrs = {equation = "tec,ech->th"}} : (tensor<?x8x2xf32>, tensor<8x2x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// The results are not weighted.
// CHECK-LABEL: func.func @ungated
// CHECK: moe.experts {{.*}}form = "dispatched"
func.func @ungated(%x: tensor<?x64xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x8xf32> {onnx.dims = ["t", ""]}) -> tensor<?x64xf32> {
  %w = moe.load_weight @w : tensor<8x64x64xf32>
  %a = moe.load_weight @w : tensor<8x64x64xf32>
  %k = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<i32> : tensor<i32>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %cap = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %clip = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %two = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %onoff = onnx.constant dense<[0, 1]> : tensor<2xi64> : tensor<2xi64>
  %eight = onnx.constant dense<8> : tensor<i64> : tensor<i64>
  %last = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %middle = onnx.constant dense<[1, 2]> : tensor<2xi64> : tensor<2xi64>
  %none = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %absent = onnx.absent
  %p = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v, %i = onnx.node "TopK"(%p, %k) {version = 11 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %ids = onnx.node "Gather"(%i, %zero) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1xi64>, tensor<i64>) -> tensor<?xi64>
  %o = onnx.node "OneHot"(%ids, %eight, %onoff) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x8xi64>
  %c = onnx.node "CumSum"(%o, %axis) {version = 14 : i64} : (tensor<?x8xi64>, tensor<i32>) -> tensor<?x8xi64>
  %r0 = onnx.node "Sub"(%c, %one) {version = 14 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi64>
  %r = onnx.node "Mul"(%r0, %o) {version = 14 : i64} : (tensor<?x8xi64>, tensor<?x8xi64>) -> tensor<?x8xi64>
  %fits = onnx.node "Less"(%r, %cap) {version = 13 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi1>
  %is = onnx.node "Greater"(%o, %zero) {version = 13 : i64} : (tensor<?x8xi64>, tensor<i64>) -> tensor<?x8xi1>
  %keep = onnx.node "And"(%fits, %is) {version = 7 : i64} : (tensor<?x8xi1>, tensor<?x8xi1>) -> tensor<?x8xi1>
  %rc = onnx.node "Clip"(%r, %absent, %clip) {version = 13 : i64} : (tensor<?x8xi64>, none, tensor<i64>) -> tensor<?x8xi64>
  %place = onnx.node "OneHot"(%rc, %two, %onoff) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?x8xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x8x2xi64>
  %pf = onnx.node "Cast"(%place) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x2xi64>) -> tensor<?x8x2xf32>
  %ku = onnx.node "Unsqueeze"(%keep, %last) {version = 13 : i64} : (tensor<?x8xi1>, tensor<1xi64>) -> tensor<?x8x1xi1>
  %kf = onnx.node "Cast"(%ku) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x1xi1>) -> tensor<?x8x1xf32>
  %mask = onnx.node "Mul"(%pf, %kf) {version = 14 : i64} : (tensor<?x8x2xf32>, tensor<?x8x1xf32>) -> tensor<?x8x2xf32>
  %gs = onnx.node "Gather"(%v, %zero) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1xf32>, tensor<i64>) -> tensor<?xf32>
  %gu = onnx.node "Unsqueeze"(%gs, %middle) {version = 13 : i64} : (tensor<?xf32>, tensor<2xi64>) -> tensor<?x1x1xf32>
  %cmb = onnx.node "Mul"(%gu, %mask) {version = 14 : i64} : (tensor<?x1x1xf32>, tensor<?x8x2xf32>) -> tensor<?x8x2xf32>
  %pos = onnx.node "Greater"(%cmb, %none) {version = 13 : i64} : (tensor<?x8x2xf32>, tensor<f32>) -> tensor<?x8x2xi1>
  %d = onnx.node "Cast"(%pos) {version = 13 : i64, attrs = {to = 1 : i64}} : (tensor<?x8x2xi1>) -> tensor<?x8x2xf32>
  %rows = onnx.node "Einsum"(%d, %x) {version = 12 : i64, attrs = {equation = "tec,th->ech"}} : (tensor<?x8x2xf32>, tensor<?x64xf32>) -> tensor<8x2x64xf32>
  %u = onnx.node "MatMul"(%rows, %w) {version = 13 : i64} : (tensor<8x2x64xf32>, tensor<8x64x64xf32>) -> tensor<8x2x64xf32>
  %act = onnx.node "Relu"(%u) {version = 14 : i64} : (tensor<8x2x64xf32>) -> tensor<8x2x64xf32>
  %n = onnx.node "MatMul"(%act, %a) {version = 13 : i64} : (tensor<8x2x64xf32>, tensor<8x64x64xf32>) -> tensor<8x2x64xf32>
  %y = onnx.node "Einsum"(%mask, %n) {version = 12 : i64, attrs = {equation = "tec,ech->th"}} : (tensor<?x8x2xf32>, tensor<8x2x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
