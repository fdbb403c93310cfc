// RUN: moe-opt %s --split-input-file --verify-diagnostics --moe-raise-summed-experts

// Of two equal ids in a row the overwriting scatter keeps one.
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @equal_ids(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %ids: tensor<?x2xi64> {onnx.dims = ["t", ""]}, %g: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %c0 = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %c1 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c2 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c3 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %c4 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %c5 = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %v0 = onnx.node "Shape"(%x) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v1 = onnx.node "ConstantOfShape"(%v0) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x4xf32>
  %v2 = onnx.node "Equal"(%ids, %c0) {version = 19 : i64} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %v3 = onnx.node "NonZero"(%v2) {version = 13 : i64} : (tensor<?x2xi1>) -> tensor<2x?xi64>
  %v4 = onnx.node "Transpose"(%v3) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %v5 = onnx.node "Slice"(%v4, %c1, %c2, %c2) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v6 = onnx.node "Slice"(%v4, %c2, %c3, %c2) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v7 = onnx.node "GatherND"(%x, %v5) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %v8 = onnx.node "MatMul"(%v7, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v9 = onnx.node "Relu"(%v8) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v10 = onnx.node "MatMul"(%v9, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v11 = onnx.node "Concat"(%v5, %v6) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %v12 = onnx.node "GatherND"(%g, %v11) {version = 13 : i64} : (tensor<?x2xf32>, tensor<?x2xi64>) -> tensor<?xf32>
  %v13 = onnx.node "Unsqueeze"(%v12, %c4) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v14 = onnx.node "Mul"(%v10, %v13) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v15 = onnx.node "Shape"(%v14) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v16 = onnx.node "Squeeze"(%v5, %c2) {version = 13 : i64} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %v17 = onnx.node "Unsqueeze"(%v16, %c2) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v18 = onnx.node "Expand"(%v17, %v15) {version = 13 : i64} : (tensor<?x1xi64>, tensor<2xi64>) -> tensor<?x4xi64>
  %v19 = onnx.node "Shape"(%x) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v20 = onnx.node "ConstantOfShape"(%v19) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x4xf32>
  %v21 = onnx.node "ScatterElements"(%v20, %v18, %v14) {version = 18 : i64, attrs = {axis = 0 : i64}} : (tensor<?x4xf32>, tensor<?x4xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v22 = onnx.node "Add"(%v1, %v21) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v23 = onnx.node "Equal"(%ids, %c5) {version = 19 : i64} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %v24 = onnx.node "NonZero"(%v23) {version = 13 : i64} : (tensor<?x2xi1>) -> tensor<2x?xi64>
  %v25 = onnx.node "Transpose"(%v24) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %v26 = onnx.node "Slice"(%v25, %c1, %c2, %c2) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v27 = onnx.node "Slice"(%v25, %c2, %c3, %c2) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v28 = onnx.node "GatherND"(%x, %v26) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %v29 = onnx.node "MatMul"(%v28, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v30 = onnx.node "Relu"(%v29) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v31 = onnx.node "MatMul"(%v30, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v32 = onnx.node "Concat"(%v26, %v27) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %v33 = onnx.node "GatherND"(%g, %v32) {version = 13 : i64} : (tensor<?x2xf32>, tensor<?x2xi64>) -> tensor<?xf32>
  %v34 = onnx.node "Unsqueeze"(%v33, %c4) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v35 = onnx.node "Mul"(%v31, %v34) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v36 = onnx.node "Shape"(%v35) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v37 = onnx.node "Squeeze"(%v26, %c2) {version = 13 : i64} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %v38 = onnx.node "Unsqueeze"(%v37, %c2) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v39 = onnx.node "Expand"(%v38, %v36) {version = 13 : i64} : (tensor<?x1xi64>, tensor<2xi64>) -> tensor<?x4xi64>
  %v40 = onnx.node "Shape"(%x) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v41 = onnx.node "ConstantOfShape"(%v40) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x4xf32>
  %v42 = onnx.node "ScatterElements"(%v41, %v39, %v35) {version = 18 : i64, attrs = {axis = 0 : i64}} : (tensor<?x4xf32>, tensor<?x4xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  // expected-remark @+1 {{a sum of experts is not raised: the rows of an expert are not proven to be those of its own tokens, each once}}
  %v43 = onnx.node "Add"(%v22, %v42) {version = 14 : i64, name = "sum"} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v43 : tensor<?x4xf32>
}

// -----
// The gates are gathered by slot and token.
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @swapped(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %c0 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %c2 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c3 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c4 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %c5 = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %v2 = onnx.node "Shape"(%x) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v3 = onnx.node "ConstantOfShape"(%v2) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x4xf32>
  %v4 = onnx.node "Equal"(%v1, %c1) {version = 19 : i64} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %v5 = onnx.node "NonZero"(%v4) {version = 13 : i64} : (tensor<?x2xi1>) -> tensor<2x?xi64>
  %v6 = onnx.node "Transpose"(%v5) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %v7 = onnx.node "Slice"(%v6, %c2, %c3, %c3) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v8 = onnx.node "Slice"(%v6, %c3, %c0, %c3) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v9 = onnx.node "GatherND"(%x, %v7) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %v10 = onnx.node "MatMul"(%v9, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v11 = onnx.node "Relu"(%v10) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v12 = onnx.node "MatMul"(%v11, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v13 = onnx.node "Concat"(%v8, %v7) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %v14 = onnx.node "GatherND"(%v0, %v13) {version = 13 : i64} : (tensor<?x2xf32>, tensor<?x2xi64>) -> tensor<?xf32>
  %v15 = onnx.node "Unsqueeze"(%v14, %c4) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v16 = onnx.node "Mul"(%v12, %v15) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v17 = onnx.node "ScatterND"(%v3, %v7, %v16) {version = 18 : i64, attrs = {reduction = "add"}} : (tensor<?x4xf32>, tensor<?x1xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v18 = onnx.node "Equal"(%v1, %c5) {version = 19 : i64} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %v19 = onnx.node "NonZero"(%v18) {version = 13 : i64} : (tensor<?x2xi1>) -> tensor<2x?xi64>
  %v20 = onnx.node "Transpose"(%v19) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %v21 = onnx.node "Slice"(%v20, %c2, %c3, %c3) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v22 = onnx.node "Slice"(%v20, %c3, %c0, %c3) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v23 = onnx.node "GatherND"(%x, %v21) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %v24 = onnx.node "MatMul"(%v23, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v25 = onnx.node "Relu"(%v24) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v26 = onnx.node "MatMul"(%v25, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v27 = onnx.node "Concat"(%v22, %v21) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %v28 = onnx.node "GatherND"(%v0, %v27) {version = 13 : i64} : (tensor<?x2xf32>, tensor<?x2xi64>) -> tensor<?xf32>
  %v29 = onnx.node "Unsqueeze"(%v28, %c4) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v30 = onnx.node "Mul"(%v26, %v29) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  // expected-remark @+1 {{a sum of experts is not raised: the gates of an expert are not gathered by its tokens and slots}}
  %v31 = onnx.node "ScatterND"(%v17, %v21, %v30) {version = 18 : i64, name = "sum", attrs = {reduction = "add"}} : (tensor<?x4xf32>, tensor<?x1xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v31 : tensor<?x4xf32>
}

// -----
// Both terms belong to expert 0.
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @same_expert(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %c0 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %c2 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c3 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c4 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %v2 = onnx.node "Shape"(%x) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v3 = onnx.node "ConstantOfShape"(%v2) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x4xf32>
  %v4 = onnx.node "Equal"(%v1, %c1) {version = 19 : i64} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %v5 = onnx.node "NonZero"(%v4) {version = 13 : i64} : (tensor<?x2xi1>) -> tensor<2x?xi64>
  %v6 = onnx.node "Transpose"(%v5) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %v7 = onnx.node "Slice"(%v6, %c2, %c3, %c3) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v8 = onnx.node "Slice"(%v6, %c3, %c0, %c3) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v9 = onnx.node "GatherND"(%x, %v7) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %v10 = onnx.node "MatMul"(%v9, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v11 = onnx.node "Relu"(%v10) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v12 = onnx.node "MatMul"(%v11, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v13 = onnx.node "Concat"(%v7, %v8) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %v14 = onnx.node "GatherND"(%v0, %v13) {version = 13 : i64} : (tensor<?x2xf32>, tensor<?x2xi64>) -> tensor<?xf32>
  %v15 = onnx.node "Unsqueeze"(%v14, %c4) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v16 = onnx.node "Mul"(%v12, %v15) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v17 = onnx.node "ScatterND"(%v3, %v7, %v16) {version = 18 : i64, attrs = {reduction = "add"}} : (tensor<?x4xf32>, tensor<?x1xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v18 = onnx.node "Equal"(%v1, %c1) {version = 19 : i64} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %v19 = onnx.node "NonZero"(%v18) {version = 13 : i64} : (tensor<?x2xi1>) -> tensor<2x?xi64>
  %v20 = onnx.node "Transpose"(%v19) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %v21 = onnx.node "Slice"(%v20, %c2, %c3, %c3) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v22 = onnx.node "Slice"(%v20, %c3, %c0, %c3) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v23 = onnx.node "GatherND"(%x, %v21) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %v24 = onnx.node "MatMul"(%v23, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v25 = onnx.node "Relu"(%v24) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v26 = onnx.node "MatMul"(%v25, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v27 = onnx.node "Concat"(%v21, %v22) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %v28 = onnx.node "GatherND"(%v0, %v27) {version = 13 : i64} : (tensor<?x2xf32>, tensor<?x2xi64>) -> tensor<?xf32>
  %v29 = onnx.node "Unsqueeze"(%v28, %c4) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v30 = onnx.node "Mul"(%v26, %v29) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  // expected-remark @+1 {{a sum of experts is not raised: the experts that are summed are not 0 to 1, each once}}
  %v31 = onnx.node "ScatterND"(%v17, %v21, %v30) {version = 18 : i64, name = "sum", attrs = {reduction = "add"}} : (tensor<?x4xf32>, tensor<?x1xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v31 : tensor<?x4xf32>
}

// -----
// The experts differ in their activation.
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @other_activation(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %c0 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %c2 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c3 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c4 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %c5 = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %v2 = onnx.node "Shape"(%x) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v3 = onnx.node "ConstantOfShape"(%v2) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x4xf32>
  %v4 = onnx.node "Equal"(%v1, %c1) {version = 19 : i64} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %v5 = onnx.node "NonZero"(%v4) {version = 13 : i64} : (tensor<?x2xi1>) -> tensor<2x?xi64>
  %v6 = onnx.node "Transpose"(%v5) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %v7 = onnx.node "Slice"(%v6, %c2, %c3, %c3) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v8 = onnx.node "Slice"(%v6, %c3, %c0, %c3) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v9 = onnx.node "GatherND"(%x, %v7) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %v10 = onnx.node "MatMul"(%v9, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v11 = onnx.node "Relu"(%v10) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v12 = onnx.node "MatMul"(%v11, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v13 = onnx.node "Concat"(%v7, %v8) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %v14 = onnx.node "GatherND"(%v0, %v13) {version = 13 : i64} : (tensor<?x2xf32>, tensor<?x2xi64>) -> tensor<?xf32>
  %v15 = onnx.node "Unsqueeze"(%v14, %c4) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v16 = onnx.node "Mul"(%v12, %v15) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v17 = onnx.node "ScatterND"(%v3, %v7, %v16) {version = 18 : i64, attrs = {reduction = "add"}} : (tensor<?x4xf32>, tensor<?x1xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v18 = onnx.node "Equal"(%v1, %c5) {version = 19 : i64} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %v19 = onnx.node "NonZero"(%v18) {version = 13 : i64} : (tensor<?x2xi1>) -> tensor<2x?xi64>
  %v20 = onnx.node "Transpose"(%v19) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %v21 = onnx.node "Slice"(%v20, %c2, %c3, %c3) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v22 = onnx.node "Slice"(%v20, %c3, %c0, %c3) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v23 = onnx.node "GatherND"(%x, %v21) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %v24 = onnx.node "MatMul"(%v23, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v25 = onnx.node "Gelu"(%v24) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v26 = onnx.node "MatMul"(%v25, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v27 = onnx.node "Concat"(%v21, %v22) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %v28 = onnx.node "GatherND"(%v0, %v27) {version = 13 : i64} : (tensor<?x2xf32>, tensor<?x2xi64>) -> tensor<?xf32>
  %v29 = onnx.node "Unsqueeze"(%v28, %c4) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v30 = onnx.node "Mul"(%v26, %v29) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  // expected-remark @+1 {{a sum of experts is not raised: expert 1 computes another function than expert 0}}
  %v31 = onnx.node "ScatterND"(%v17, %v21, %v30) {version = 18 : i64, name = "sum", attrs = {reduction = "add"}} : (tensor<?x4xf32>, tensor<?x1xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v31 : tensor<?x4xf32>
}

// -----
// Column 1 is missing.
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @missing_expert(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x3xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %c0 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c2 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %c3 = onnx.constant dense<3> : tensor<1xi64> : tensor<1xi64>
  %v0 = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %v1 = onnx.node "MatMul"(%x, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v2 = onnx.node "Relu"(%v1) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v3 = onnx.node "MatMul"(%v2, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v4 = onnx.node "Slice"(%v0, %c0, %c1, %c1) {version = 13 : i64} : (tensor<?x3xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v5 = onnx.node "Mul"(%v3, %v4) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v6 = onnx.node "MatMul"(%x, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v7 = onnx.node "Relu"(%v6) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v8 = onnx.node "MatMul"(%v7, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v9 = onnx.node "Slice"(%v0, %c2, %c3, %c1) {version = 13 : i64} : (tensor<?x3xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v10 = onnx.node "Mul"(%v8, %v9) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  // expected-remark @+1 {{a sum of experts is not raised: the experts that are summed are not 0 to 1, each once}}
  %v11 = onnx.node "Add"(%v5, %v10) {version = 14 : i64, name = "sum"} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v11 : tensor<?x4xf32>
}

// -----
// The second expert sees other tokens.
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @other_tokens(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}, %z: tensor<?x4xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %c0 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c2 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %v0 = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %v1 = onnx.node "MatMul"(%x, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v2 = onnx.node "Relu"(%v1) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v3 = onnx.node "MatMul"(%v2, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v4 = onnx.node "Slice"(%v0, %c0, %c1, %c1) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v5 = onnx.node "Mul"(%v3, %v4) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v6 = onnx.node "MatMul"(%z, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v7 = onnx.node "Relu"(%v6) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v8 = onnx.node "MatMul"(%v7, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v9 = onnx.node "Slice"(%v0, %c1, %c2, %c1) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v10 = onnx.node "Mul"(%v8, %v9) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  // expected-remark @+1 {{a sum of experts is not raised: the experts have different tokens}}
  %v11 = onnx.node "Add"(%v5, %v10) {version = 14 : i64, name = "sum"} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v11 : tensor<?x4xf32>
}

// -----
// There are gates for three experts.
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @more_columns(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x3xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %c0 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c2 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %v0 = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x3xf32>) -> tensor<?x3xf32>
  %v1 = onnx.node "MatMul"(%x, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v2 = onnx.node "Relu"(%v1) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v3 = onnx.node "MatMul"(%v2, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v4 = onnx.node "Slice"(%v0, %c0, %c1, %c1) {version = 13 : i64} : (tensor<?x3xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v5 = onnx.node "Mul"(%v3, %v4) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v6 = onnx.node "MatMul"(%x, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v7 = onnx.node "Relu"(%v6) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v8 = onnx.node "MatMul"(%v7, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v9 = onnx.node "Slice"(%v0, %c1, %c2, %c1) {version = 13 : i64} : (tensor<?x3xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v10 = onnx.node "Mul"(%v8, %v9) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  // expected-remark @+1 {{a sum of experts is not raised: the gates are not one per expert}}
  %v11 = onnx.node "Add"(%v5, %v10) {version = 14 : i64, name = "sum"} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v11 : tensor<?x4xf32>
}

// -----
// The function of the experts is no activation of a routed layer.
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @cube(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a0 = moe.load_weight @a0 : tensor<4x8xf32>
  %a1 = moe.load_weight @a1 : tensor<4x8xf32>
  %b0 = moe.load_weight @b0 : tensor<8x4xf32>
  %b1 = moe.load_weight @b1 : tensor<8x4xf32>
  %c0 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c2 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %v0 = onnx.node "Softmax"(%l) {version = 13 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %v1 = onnx.node "MatMul"(%x, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v2 = onnx.node "Exp"(%v1) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v3 = onnx.node "MatMul"(%v2, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v4 = onnx.node "Slice"(%v0, %c0, %c1, %c1) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v5 = onnx.node "Mul"(%v3, %v4) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v6 = onnx.node "MatMul"(%x, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v7 = onnx.node "Exp"(%v6) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v8 = onnx.node "MatMul"(%v7, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v9 = onnx.node "Slice"(%v0, %c1, %c2, %c1) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xf32>
  %v10 = onnx.node "Mul"(%v8, %v9) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  // expected-remark @+1 {{a sum of experts is not raised: the function between the two products is not a known activation}}
  %v11 = onnx.node "Add"(%v5, %v10) {version = 14 : i64, name = "sum"} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v11 : tensor<?x4xf32>
}
