// RUN: moe-opt %s --split-input-file --moe-raise-summed-experts 2>&1 | FileCheck %s

// Every expert on every token, times a column of scattered gates; the residual is added afterwards.
// CHECK-LABEL: func.func @scattered_gates
// CHECK: %[[V:.*]]:2 = onnx.node "TopK"
// CHECK: %[[Y:.*]] = moe.experts %arg0 routed(%{{.*}}, %[[V]]#0) {{.*}}form = "summed"
// CHECK-SAME: -> tensor<?x4xf32>
// CHECK: onnx.node "Add"(%arg0, %[[Y]])
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @scattered_gates(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %c0 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %c2 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c3 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %v2 = onnx.node "Shape"(%l) {version = 15 : i64} : (tensor<?x2xf32>) -> tensor<2xi64>
  %v3 = onnx.node "Expand"(%c1, %v2) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x2xf32>
  %v4 = onnx.node "ScatterElements"(%v3, %v1, %v0) {version = 18 : i64, attrs = {axis = 1 : i64}} : (tensor<?x2xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %v5 = onnx.node "MatMul"(%x, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v6 = onnx.node "Relu"(%v5) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v7 = onnx.node "MatMul"(%v6, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v8 = onnx.node "Slice"(%v4, %c2, %c0, %c0) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v9 = onnx.node "Mul"(%v7, %v8) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v10 = onnx.node "Add"(%x, %v9) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v11 = onnx.node "MatMul"(%x, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v12 = onnx.node "Relu"(%v11) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v13 = onnx.node "MatMul"(%v12, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v14 = onnx.node "Slice"(%v4, %c0, %c3, %c0) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v15 = onnx.node "Mul"(%v13, %v14) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v16 = onnx.node "Add"(%v10, %v15) {version = 14 : i64, name = "sum"} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v16 : tensor<?x4xf32>
}

// -----
// Gates of unknown sign; experts are added where their gate is positive.
// CHECK-LABEL: func.func @masked_gates
// CHECK: %[[V:.*]]:2 = onnx.node "TopK"
// CHECK: %[[G:.*]] = onnx.node "Relu"(%[[V]]#0)
// CHECK: moe.experts %arg0 routed(%{{.*}}, %[[G]])
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @masked_gates(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %c0 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<0.0> : tensor<f32> : tensor<f32>
  %c2 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c3 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %v2 = onnx.node "Shape"(%l) {version = 15 : i64} : (tensor<?x2xf32>) -> tensor<2xi64>
  %v3 = onnx.node "Expand"(%c1, %v2) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x2xf32>
  %v4 = onnx.node "ScatterElements"(%v3, %v1, %v0) {version = 18 : i64, attrs = {axis = 1 : i64}} : (tensor<?x2xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %v5 = onnx.node "MatMul"(%x, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v6 = onnx.node "Relu"(%v5) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v7 = onnx.node "MatMul"(%v6, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v8 = onnx.node "Slice"(%v4, %c2, %c0, %c0) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v9 = onnx.node "Mul"(%v7, %v8) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v10 = onnx.node "Shape"(%x) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v11 = onnx.node "ConstantOfShape"(%v10) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x4xf32>
  %v12 = onnx.node "Greater"(%v8, %c1) {version = 13 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xi1>
  %v13 = onnx.node "Add"(%v11, %v9) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v14 = onnx.node "Where"(%v12, %v13, %v11) {version = 16 : i64} : (tensor<?x1xi1>, tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v15 = onnx.node "MatMul"(%x, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v16 = onnx.node "Relu"(%v15) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v17 = onnx.node "MatMul"(%v16, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v18 = onnx.node "Slice"(%v4, %c0, %c3, %c0) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v19 = onnx.node "Mul"(%v17, %v18) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v20 = onnx.node "Greater"(%v18, %c1) {version = 13 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xi1>
  %v21 = onnx.node "Add"(%v14, %v19) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v22 = onnx.node "Where"(%v20, %v21, %v14) {version = 16 : i64, name = "sum"} : (tensor<?x1xi1>, tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v22 : tensor<?x4xf32>
}

// -----
// The sigmoid of a scatter into -inf is the scatter of the sigmoid into 0.
// CHECK-LABEL: func.func @sigmoid_of_scatter
// CHECK: %[[V:.*]]:2 = onnx.node "TopK"
// CHECK: %[[G:.*]] = onnx.node "Sigmoid"(%[[V]]#0)
// CHECK: moe.experts %arg0 routed(%{{.*}}, %[[G]])
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @sigmoid_of_scatter(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %c0 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %c2 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c3 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %v2 = onnx.node "Shape"(%l) {version = 15 : i64} : (tensor<?x2xf32>) -> tensor<2xi64>
  %v3 = onnx.node "Expand"(%c1, %v2) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x2xf32>
  %v4 = onnx.node "ScatterElements"(%v3, %v1, %v0) {version = 18 : i64, attrs = {axis = 1 : i64}} : (tensor<?x2xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %v5 = onnx.node "Sigmoid"(%v4) {version = 13 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %v6 = onnx.node "MatMul"(%x, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v7 = onnx.node "Relu"(%v6) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v8 = onnx.node "MatMul"(%v7, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v9 = onnx.node "Slice"(%v5, %c2, %c0, %c0) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v10 = onnx.node "Mul"(%v8, %v9) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v11 = onnx.node "MatMul"(%x, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v12 = onnx.node "Relu"(%v11) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v13 = onnx.node "MatMul"(%v12, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v14 = onnx.node "Slice"(%v5, %c0, %c3, %c0) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v15 = onnx.node "Mul"(%v13, %v14) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v16 = onnx.node "Add"(%v10, %v15) {version = 14 : i64, name = "sum"} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v16 : tensor<?x4xf32>
}

// -----
// The experts that are not selected have gate 1: every expert is a slot.
// CHECK-LABEL: func.func @scatter_into_ones
// CHECK: %[[D:.*]] = onnx.node "ScatterElements"
// CHECK: moe.experts %arg0 routed(%{{.*}}, %[[D]]) {{.*}}form = "dense"
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @scatter_into_ones(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %c0 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<1.0> : tensor<f32> : tensor<f32>
  %c2 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c3 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %v2 = onnx.node "Shape"(%l) {version = 15 : i64} : (tensor<?x2xf32>) -> tensor<2xi64>
  %v3 = onnx.node "Expand"(%c1, %v2) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x2xf32>
  %v4 = onnx.node "ScatterElements"(%v3, %v1, %v0) {version = 18 : i64, attrs = {axis = 1 : i64}} : (tensor<?x2xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %v5 = onnx.node "MatMul"(%x, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v6 = onnx.node "Relu"(%v5) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v7 = onnx.node "MatMul"(%v6, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v8 = onnx.node "Slice"(%v4, %c2, %c0, %c0) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v9 = onnx.node "Mul"(%v7, %v8) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v10 = onnx.node "MatMul"(%x, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v11 = onnx.node "Relu"(%v10) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v12 = onnx.node "MatMul"(%v11, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v13 = onnx.node "Slice"(%v4, %c0, %c3, %c0) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v14 = onnx.node "Mul"(%v12, %v13) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v15 = onnx.node "Add"(%v9, %v14) {version = 14 : i64, name = "sum"} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v15 : tensor<?x4xf32>
}

// -----
// The outputs of all experts as one tensor, times gates per expert.
// CHECK-LABEL: func.func @stacked
// CHECK: %[[S:.*]] = onnx.node "Softmax"
// CHECK: %[[IDS:.*]] = onnx.node "Expand"({{.*}}) {{.*}} -> tensor<?x2xi32>
// CHECK: moe.experts %arg0 routed(%[[IDS]], %[[S]]) {{.*}}form = "dense"
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @stacked(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %c0 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %v0 = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %v1 = onnx.node "MatMul"(%x, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v2 = onnx.node "Relu"(%v1) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v3 = onnx.node "MatMul"(%v2, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v4 = onnx.node "Unsqueeze"(%v3, %c0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<?x1x4xf32>
  %v5 = onnx.node "MatMul"(%x, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v6 = onnx.node "Relu"(%v5) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v7 = onnx.node "MatMul"(%v6, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v8 = onnx.node "Unsqueeze"(%v7, %c0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<?x1x4xf32>
  %v9 = onnx.node "Concat"(%v4, %v8) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x1x4xf32>, tensor<?x1x4xf32>) -> tensor<?x2x4xf32>
  %v10 = onnx.node "Unsqueeze"(%v0, %c1) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %v11 = onnx.node "Mul"(%v9, %v10) {version = 14 : i64} : (tensor<?x2x4xf32>, tensor<?x2x1xf32>) -> tensor<?x2x4xf32>
  %v12 = onnx.node "ReduceSum"(%v11, %c0) {version = 13 : i64, attrs = {keepdims = 0 : i64}} : (tensor<?x2x4xf32>, tensor<1xi64>) -> tensor<?x4xf32>
  return %v12 : tensor<?x4xf32>
}

// -----
// The gate of an expert as a sum over the slots, by a mask of the type of the tokens.
// CHECK-LABEL: func.func @masked_sums
// CHECK: %[[V:.*]]:2 = onnx.node "TopK"
// CHECK: moe.experts %arg0 routed({{.*}}, %[[V]]#0) {{.*}}form = "summed"
// CHECK-NOT: ReduceSum
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @masked_sums(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %c0 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %c2 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %c3 = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %v2 = onnx.node "Equal"(%v1, %c1) {version = 19 : i64} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %v3 = onnx.node "CastLike"(%v2, %x) {version = 19 : i64} : (tensor<?x2xi1>, tensor<?x4xf32>) -> tensor<?x2xf32>
  %v4 = onnx.node "Mul"(%v3, %v0) {version = 14 : i64} : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %v5 = onnx.node "ReduceSum"(%v4, %c2) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v6 = onnx.node "MatMul"(%x, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v7 = onnx.node "Relu"(%v6) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v8 = onnx.node "MatMul"(%v7, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v9 = onnx.node "Mul"(%v8, %v5) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v10 = onnx.node "Equal"(%v1, %c3) {version = 19 : i64} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %v11 = onnx.node "CastLike"(%v10, %x) {version = 19 : i64} : (tensor<?x2xi1>, tensor<?x4xf32>) -> tensor<?x2xf32>
  %v12 = onnx.node "Mul"(%v11, %v0) {version = 14 : i64} : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  %v13 = onnx.node "ReduceSum"(%v12, %c2) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v14 = onnx.node "MatMul"(%x, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v15 = onnx.node "Relu"(%v14) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v16 = onnx.node "MatMul"(%v15, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v17 = onnx.node "Mul"(%v16, %v13) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v18 = onnx.node "Add"(%v9, %v17) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v18 : tensor<?x4xf32>
}
