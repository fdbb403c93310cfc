// RUN: moe-opt %s --split-input-file --moe-raise-summed-experts 2>&1 | FileCheck %s

// A loop with index_add, as dynamo unrolls it.
// CHECK-LABEL: func.func @index_add
// CHECK: %[[V:.*]]:2 = onnx.node "TopK"
// CHECK-DAG: %[[IDS:.*]] = onnx.node "Cast"(%[[V]]#1) {{.*}} -> tensor<?x2xi32>
// CHECK: moe.experts %arg0 routed(%[[IDS]], %[[V]]#0) w1 %{{.*}} w2 %{{.*}} activation(<kind = relu>)
// CHECK-SAME: form = "summed", label = "sum"
// CHECK-NOT: NonZero
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @index_add(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
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
  %v25 = onnx.node "Relu"(%v24) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v26 = onnx.node "MatMul"(%v25, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v27 = onnx.node "Concat"(%v21, %v22) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<?x1xi64>, tensor<?x1xi64>) -> tensor<?x2xi64>
  %v28 = onnx.node "GatherND"(%v0, %v27) {version = 13 : i64} : (tensor<?x2xf32>, tensor<?x2xi64>) -> tensor<?xf32>
  %v29 = onnx.node "Unsqueeze"(%v28, %c4) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v30 = onnx.node "Mul"(%v26, %v29) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v31 = onnx.node "ScatterND"(%v17, %v21, %v30) {version = 18 : i64, name = "sum", attrs = {reduction = "add"}} : (tensor<?x4xf32>, tensor<?x1xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v31 : tensor<?x4xf32>
}

// -----
// A loop over the experts that were hit, as TorchScript unrolls it; slot after slot; flat gates; a scatter that overwrites.
// CHECK-LABEL: func.func @every_expert_hit
// CHECK: moe.experts %arg0 routed({{.*}}) w1 %{{.*}} w2 %{{.*}} activation(<kind = relu>)
// CHECK-NOT: ScatterElements
moe.weight @a : tensor<2x8x4xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<2x4x8xf32> source(#moe.splat<1.0>)
func.func @every_expert_hit(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a = moe.load_weight @a : tensor<2x8x4xf32>
  %b = moe.load_weight @b : tensor<2x4x8xf32>
  %c0 = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<2> : tensor<i64> : tensor<i64>
  %c2 = onnx.constant dense<[0, 1]> : tensor<2xi64> : tensor<2xi64>
  %c3 = onnx.constant dense<[-1, -2]> : tensor<2xi64> : tensor<2xi64>
  %c4 = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %c5 = onnx.constant dense<[1, 1]> : tensor<2xi64> : tensor<2xi64>
  %c6 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c7 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c8 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %v2 = onnx.node "OneHot"(%v1, %c1, %c2) {version = 11 : i64, attrs = {axis = -1 : i64}} : (tensor<?x2xi64>, tensor<i64>, tensor<2xi64>) -> tensor<?x2x2xi64>
  %v3 = onnx.node "Transpose"(%v2) {version = 13 : i64, attrs = {perm = array<i64: 2, 1, 0>}} : (tensor<?x2x2xi64>) -> tensor<2x2x?xi64>
  %v4 = onnx.node "ReduceSum"(%v3, %c3) {version = 13 : i64, attrs = {keepdims = 0 : i64}} : (tensor<2x2x?xi64>, tensor<2xi64>) -> tensor<2xi64>
  %v5 = onnx.node "Greater"(%v4, %c4) {version = 13 : i64} : (tensor<2xi64>, tensor<i64>) -> tensor<2xi1>
  %v6 = onnx.node "NonZero"(%v5) {version = 13 : i64} : (tensor<2xi1>) -> tensor<1x?xi64>
  %v7 = onnx.node "Transpose"(%v6) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<1x?xi64>) -> tensor<?x1xi64>
  %v8, %v9 = onnx.node "Split"(%v7, %c5) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<?x1xi64>, tensor<2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %v10 = onnx.node "Shape"(%x) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v11 = onnx.node "ConstantOfShape"(%v10) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x4xf32>
  %v12 = onnx.node "Squeeze"(%v8, %c6) {version = 13 : i64} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %v13 = onnx.node "Gather"(%v12, %c4) {version = 13 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %v14 = onnx.node "Gather"(%v3, %v13) {version = 13 : i64} : (tensor<2x2x?xi64>, tensor<i64>) -> tensor<2x?xi64>
  %v15 = onnx.node "Cast"(%v14) {version = 13 : i64, attrs = {to = 9 : i64}} : (tensor<2x?xi64>) -> tensor<2x?xi1>
  %v16 = onnx.node "NonZero"(%v15) {version = 13 : i64} : (tensor<2x?xi1>) -> tensor<2x?xi64>
  %v17 = onnx.node "Transpose"(%v16) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %v18, %v19 = onnx.node "Split"(%v17, %c5) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x2xi64>, tensor<2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %v20 = onnx.node "Squeeze"(%v18, %c7) {version = 13 : i64} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %v21 = onnx.node "Squeeze"(%v19, %c7) {version = 13 : i64} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %v22 = onnx.node "Gather"(%x, %v21) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %v23 = onnx.node "Gather"(%a, %v13) {version = 13 : i64} : (tensor<2x8x4xf32>, tensor<i64>) -> tensor<8x4xf32>
  %v24 = onnx.node "Transpose"(%v23) {version = 13 : i64} : (tensor<8x4xf32>) -> tensor<4x8xf32>
  %v25 = onnx.node "Gather"(%b, %v13) {version = 13 : i64} : (tensor<2x4x8xf32>, tensor<i64>) -> tensor<4x8xf32>
  %v26 = onnx.node "Transpose"(%v25) {version = 13 : i64} : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %v27 = onnx.node "MatMul"(%v22, %v24) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v28 = onnx.node "Relu"(%v27) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v29 = onnx.node "MatMul"(%v28, %v26) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v30 = onnx.node "Reshape"(%v0, %c8) {version = 14 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %v31 = onnx.node "Mul"(%v21, %c0) {version = 14 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?xi64>
  %v32 = onnx.node "Add"(%v20, %v31) {version = 14 : i64} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %v33 = onnx.node "Gather"(%v30, %v32) {version = 13 : i64} : (tensor<?xf32>, tensor<?xi64>) -> tensor<?xf32>
  %v34 = onnx.node "Unsqueeze"(%v33, %c8) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v35 = onnx.node "Mul"(%v29, %v34) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v36 = onnx.node "Shape"(%v35) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v37 = onnx.node "Unsqueeze"(%v21, %c7) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v38 = onnx.node "Expand"(%v37, %v36) {version = 13 : i64} : (tensor<?x1xi64>, tensor<2xi64>) -> tensor<?x4xi64>
  %v39 = onnx.node "Shape"(%x) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v40 = onnx.node "ConstantOfShape"(%v39) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x4xf32>
  %v41 = onnx.node "ScatterElements"(%v40, %v38, %v35) {version = 18 : i64, attrs = {axis = 0 : i64}} : (tensor<?x4xf32>, tensor<?x4xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v42 = onnx.node "Add"(%v11, %v41) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v43 = onnx.node "Squeeze"(%v9, %c6) {version = 13 : i64} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %v44 = onnx.node "Gather"(%v43, %c4) {version = 13 : i64} : (tensor<1xi64>, tensor<i64>) -> tensor<i64>
  %v45 = onnx.node "Gather"(%v3, %v44) {version = 13 : i64} : (tensor<2x2x?xi64>, tensor<i64>) -> tensor<2x?xi64>
  %v46 = onnx.node "Cast"(%v45) {version = 13 : i64, attrs = {to = 9 : i64}} : (tensor<2x?xi64>) -> tensor<2x?xi1>
  %v47 = onnx.node "NonZero"(%v46) {version = 13 : i64} : (tensor<2x?xi1>) -> tensor<2x?xi64>
  %v48 = onnx.node "Transpose"(%v47) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %v49, %v50 = onnx.node "Split"(%v48, %c5) {version = 13 : i64, attrs = {axis = 1 : i64}} : (tensor<?x2xi64>, tensor<2xi64>) -> (tensor<?x1xi64>, tensor<?x1xi64>)
  %v51 = onnx.node "Squeeze"(%v49, %c7) {version = 13 : i64} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %v52 = onnx.node "Squeeze"(%v50, %c7) {version = 13 : i64} : (tensor<?x1xi64>, tensor<1xi64>) -> tensor<?xi64>
  %v53 = onnx.node "Gather"(%x, %v52) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32>
  %v54 = onnx.node "Gather"(%a, %v44) {version = 13 : i64} : (tensor<2x8x4xf32>, tensor<i64>) -> tensor<8x4xf32>
  %v55 = onnx.node "Transpose"(%v54) {version = 13 : i64} : (tensor<8x4xf32>) -> tensor<4x8xf32>
  %v56 = onnx.node "Gather"(%b, %v44) {version = 13 : i64} : (tensor<2x4x8xf32>, tensor<i64>) -> tensor<4x8xf32>
  %v57 = onnx.node "Transpose"(%v56) {version = 13 : i64} : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %v58 = onnx.node "MatMul"(%v53, %v55) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v59 = onnx.node "Relu"(%v58) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v60 = onnx.node "MatMul"(%v59, %v57) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v61 = onnx.node "Reshape"(%v0, %c8) {version = 14 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?xf32>
  %v62 = onnx.node "Mul"(%v52, %c0) {version = 14 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?xi64>
  %v63 = onnx.node "Add"(%v51, %v62) {version = 14 : i64} : (tensor<?xi64>, tensor<?xi64>) -> tensor<?xi64>
  %v64 = onnx.node "Gather"(%v61, %v63) {version = 13 : i64} : (tensor<?xf32>, tensor<?xi64>) -> tensor<?xf32>
  %v65 = onnx.node "Unsqueeze"(%v64, %c8) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v66 = onnx.node "Mul"(%v60, %v65) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v67 = onnx.node "Shape"(%v66) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v68 = onnx.node "Unsqueeze"(%v52, %c7) {version = 13 : i64} : (tensor<?xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v69 = onnx.node "Expand"(%v68, %v67) {version = 13 : i64} : (tensor<?x1xi64>, tensor<2xi64>) -> tensor<?x4xi64>
  %v70 = onnx.node "Shape"(%x) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v71 = onnx.node "ConstantOfShape"(%v70) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x4xf32>
  %v72 = onnx.node "ScatterElements"(%v71, %v69, %v66) {version = 18 : i64, attrs = {axis = 0 : i64}} : (tensor<?x4xf32>, tensor<?x4xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v73 = onnx.node "Add"(%v42, %v72) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v73 : tensor<?x4xf32>
}

// -----
// Rows that are read, added to and put back.
// CHECK-LABEL: func.func @index_put
// CHECK: moe.experts %arg0 routed({{.*}}form = "summed"
// CHECK-NOT: GatherND
moe.weight @a0 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @a1 : tensor<4x8xf32> source(#moe.splat<1.0>)
moe.weight @b0 : tensor<8x4xf32> source(#moe.splat<1.0>)
moe.weight @b1 : tensor<8x4xf32> source(#moe.splat<1.0>)
func.func @index_put(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
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
  %v8 = onnx.node "GatherND"(%x, %v7) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %v9 = onnx.node "MatMul"(%v8, %a0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v10 = onnx.node "Relu"(%v9) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v11 = onnx.node "MatMul"(%v10, %b0) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v12 = onnx.node "GatherND"(%v0, %v6) {version = 13 : i64} : (tensor<?x2xf32>, tensor<?x2xi64>) -> tensor<?xf32>
  %v13 = onnx.node "Unsqueeze"(%v12, %c4) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v14 = onnx.node "Mul"(%v11, %v13) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v15 = onnx.node "GatherND"(%v3, %v7) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %v16 = onnx.node "Add"(%v15, %v14) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v17 = onnx.node "ScatterND"(%v3, %v7, %v16) {version = 18 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v18 = onnx.node "Equal"(%v1, %c5) {version = 19 : i64} : (tensor<?x2xi64>, tensor<i64>) -> tensor<?x2xi1>
  %v19 = onnx.node "NonZero"(%v18) {version = 13 : i64} : (tensor<?x2xi1>) -> tensor<2x?xi64>
  %v20 = onnx.node "Transpose"(%v19) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<2x?xi64>) -> tensor<?x2xi64>
  %v21 = onnx.node "Slice"(%v20, %c2, %c3, %c3) {version = 13 : i64} : (tensor<?x2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x1xi64>
  %v22 = onnx.node "GatherND"(%x, %v21) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %v23 = onnx.node "MatMul"(%v22, %a1) {version = 13 : i64} : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
  %v24 = onnx.node "Relu"(%v23) {version = 14 : i64} : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %v25 = onnx.node "MatMul"(%v24, %b1) {version = 13 : i64} : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %v26 = onnx.node "GatherND"(%v0, %v20) {version = 13 : i64} : (tensor<?x2xf32>, tensor<?x2xi64>) -> tensor<?xf32>
  %v27 = onnx.node "Unsqueeze"(%v26, %c4) {version = 13 : i64} : (tensor<?xf32>, tensor<1xi64>) -> tensor<?x1xf32>
  %v28 = onnx.node "Mul"(%v25, %v27) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  %v29 = onnx.node "GatherND"(%v17, %v21) {version = 13 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>) -> tensor<?x4xf32>
  %v30 = onnx.node "Add"(%v29, %v28) {version = 14 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %v31 = onnx.node "ScatterND"(%v17, %v21, %v30) {version = 18 : i64} : (tensor<?x4xf32>, tensor<?x1xi64>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %v31 : tensor<?x4xf32>
}
