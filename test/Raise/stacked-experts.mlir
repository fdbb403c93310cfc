// RUN: moe-opt %s --split-input-file --moe-raise-stacked-experts 2>&1 | FileCheck %s

// Every expert on every token; any gates.
// CHECK-LABEL: func.func @einsum
// CHECK: %[[IDS:.*]] = onnx.node "Where"({{.*}}) {{.*}} -> tensor<?x2xi32>
// CHECK: moe.experts %arg0 routed(%[[IDS]], %arg1) {{.*}} b1 %{{.*}} b2 %{{.*}} activation(<kind = relu>) {form = "dense", label = "down"}
// CHECK-NOT: Einsum
moe.weight @a : tensor<2x4x8xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<2x8x4xf32> source(#moe.splat<1.0>)
moe.weight @c : tensor<2x8xf32> source(#moe.splat<1.0>)
moe.weight @d : tensor<2x4xf32> source(#moe.splat<1.0>)
func.func @einsum(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %g: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a = moe.load_weight @a : tensor<2x4x8xf32>
  %b = moe.load_weight @b : tensor<2x8x4xf32>
  %c = moe.load_weight @c : tensor<2x8xf32>
  %d = moe.load_weight @d : tensor<2x4xf32>
  %c0 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %v0 = onnx.node "Einsum"(%x, %a) {version = 12 : i64, attrs = {equation = "th,ehi->eti"}} : (tensor<?x4xf32>, tensor<2x4x8xf32>) -> tensor<2x?x8xf32>
  %v1 = onnx.node "Unsqueeze"(%c, %c0) {version = 13 : i64} : (tensor<2x8xf32>, tensor<1xi64>) -> tensor<2x1x8xf32>
  %v2 = onnx.node "Add"(%v0, %v1) {version = 14 : i64} : (tensor<2x?x8xf32>, tensor<2x1x8xf32>) -> tensor<2x?x8xf32>
  %v3 = onnx.node "Relu"(%v2) {version = 14 : i64} : (tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
  %v4 = onnx.node "Einsum"(%v3, %b) {version = 12 : i64, name = "down", attrs = {equation = "eti,eih->eth"}} : (tensor<2x?x8xf32>, tensor<2x8x4xf32>) -> tensor<2x?x4xf32>
  %v5 = onnx.node "Unsqueeze"(%d, %c0) {version = 13 : i64} : (tensor<2x4xf32>, tensor<1xi64>) -> tensor<2x1x4xf32>
  %v6 = onnx.node "Add"(%v4, %v5) {version = 14 : i64} : (tensor<2x?x4xf32>, tensor<2x1x4xf32>) -> tensor<2x?x4xf32>
  %v7 = onnx.node "Einsum"(%v6, %g) {version = 12 : i64, attrs = {equation = "eth,te->th"}} : (tensor<2x?x4xf32>, tensor<?x2xf32>) -> tensor<?x4xf32>
  return %v7 : tensor<?x4xf32>
}

// -----
// The tokens repeated for the experts, times scattered gates; no biases.
// CHECK-LABEL: func.func @tiled
// CHECK: %[[V:.*]]:2 = onnx.node "TopK"
// CHECK: %[[G:.*]] = onnx.node "Sigmoid"(%[[V]]#0)
// CHECK: moe.experts %arg0 routed(%{{.*}}, %[[G]]) {{.*}} {form = "stacked", label = "down", weight_on = #moe.weight_on<input>}
moe.weight @a : tensor<2x4x8xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<2x8x4xf32> source(#moe.splat<1.0>)
func.func @tiled(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a = moe.load_weight @a : tensor<2x4x8xf32>
  %b = moe.load_weight @b : tensor<2x8x4xf32>
  %c0 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %c2 = onnx.constant dense<[2, 1]> : tensor<2xi64> : tensor<2xi64>
  %c3 = onnx.constant dense<[2, -1, 4]> : tensor<3xi64> : tensor<3xi64>
  %c4 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %c5 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %v0, %v1 = onnx.node "TopK"(%l, %c0) {version = 11 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> (tensor<?x1xf32>, tensor<?x1xi64>)
  %v2 = onnx.node "Shape"(%l) {version = 15 : i64} : (tensor<?x2xf32>) -> tensor<2xi64>
  %v3 = onnx.node "Expand"(%c1, %v2) {version = 13 : i64} : (tensor<f32>, tensor<2xi64>) -> tensor<?x2xf32>
  %v4 = onnx.node "ScatterElements"(%v3, %v1, %v0) {version = 18 : i64, attrs = {axis = 1 : i64}} : (tensor<?x2xf32>, tensor<?x1xi64>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %v5 = onnx.node "Sigmoid"(%v4) {version = 13 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %v6 = onnx.node "Tile"(%x, %c2) {version = 13 : i64} : (tensor<?x4xf32>, tensor<2xi64>) -> tensor<?x4xf32>
  %v7 = onnx.node "Reshape"(%v6, %c3) {version = 14 : i64} : (tensor<?x4xf32>, tensor<3xi64>) -> tensor<2x?x4xf32>
  %v8 = onnx.node "Transpose"(%v5) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<?x2xf32>) -> tensor<2x?xf32>
  %v9 = onnx.node "Unsqueeze"(%v8, %c4) {version = 13 : i64} : (tensor<2x?xf32>, tensor<1xi64>) -> tensor<2x?x1xf32>
  %v10 = onnx.node "Mul"(%v7, %v9) {version = 14 : i64} : (tensor<2x?x4xf32>, tensor<2x?x1xf32>) -> tensor<2x?x4xf32>
  %v11 = onnx.node "MatMul"(%v10, %a) {version = 13 : i64} : (tensor<2x?x4xf32>, tensor<2x4x8xf32>) -> tensor<2x?x8xf32>
  %v12 = onnx.node "Relu"(%v11) {version = 14 : i64} : (tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
  %v13 = onnx.node "MatMul"(%v12, %b) {version = 13 : i64, name = "down"} : (tensor<2x?x8xf32>, tensor<2x8x4xf32>) -> tensor<2x?x4xf32>
  %v14 = onnx.node "ReduceSum"(%v13, %c5) {version = 13 : i64, attrs = {keepdims = 0 : i64}} : (tensor<2x?x4xf32>, tensor<1xi64>) -> tensor<?x4xf32>
  return %v14 : tensor<?x4xf32>
}

// -----
// Weights as [out, in]; the results as [T, E, H].
// CHECK-LABEL: func.func @transposed
// CHECK: moe.experts %arg0 routed(%{{.*}}, %arg1) w1 %{{[0-9]+}} w2 %{{[0-9]+}} activation(<kind = silu>) {form = "dense"
moe.weight @a : tensor<2x8x4xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<2x4x8xf32> source(#moe.splat<1.0>)
func.func @transposed(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %g: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a = moe.load_weight @a : tensor<2x8x4xf32>
  %b = moe.load_weight @b : tensor<2x4x8xf32>
  %c0 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %c2 = onnx.constant dense<1> : tensor<1xi64> : tensor<1xi64>
  %v0 = onnx.node "Transpose"(%a) {version = 13 : i64, attrs = {perm = array<i64: 0, 2, 1>}} : (tensor<2x8x4xf32>) -> tensor<2x4x8xf32>
  %v1 = onnx.node "Transpose"(%b) {version = 13 : i64, attrs = {perm = array<i64: 0, 2, 1>}} : (tensor<2x4x8xf32>) -> tensor<2x8x4xf32>
  %v2 = onnx.node "Unsqueeze"(%x, %c0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<1x?x4xf32>
  %v3 = onnx.node "MatMul"(%v2, %v0) {version = 13 : i64} : (tensor<1x?x4xf32>, tensor<2x4x8xf32>) -> tensor<2x?x8xf32>
  %v4 = onnx.node "Sigmoid"(%v3) {version = 13 : i64} : (tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
  %v5 = onnx.node "Mul"(%v3, %v4) {version = 14 : i64} : (tensor<2x?x8xf32>, tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
  %v6 = onnx.node "MatMul"(%v5, %v1) {version = 13 : i64} : (tensor<2x?x8xf32>, tensor<2x8x4xf32>) -> tensor<2x?x4xf32>
  %v7 = onnx.node "Transpose"(%v6) {version = 13 : i64, attrs = {perm = array<i64: 1, 0, 2>}} : (tensor<2x?x4xf32>) -> tensor<?x2x4xf32>
  %v8 = onnx.node "Unsqueeze"(%g, %c1) {version = 13 : i64} : (tensor<?x2xf32>, tensor<1xi64>) -> tensor<?x2x1xf32>
  %v9 = onnx.node "Mul"(%v7, %v8) {version = 14 : i64} : (tensor<?x2x4xf32>, tensor<?x2x1xf32>) -> tensor<?x2x4xf32>
  %v10 = onnx.node "ReduceSum"(%v9, %c2) {version = 13 : i64, attrs = {keepdims = 0 : i64}} : (tensor<?x2x4xf32>, tensor<1xi64>) -> tensor<?x4xf32>
  return %v10 : tensor<?x4xf32>
}

// -----
// Each expert has the tokens that it chose: one slot per row.
// CHECK-LABEL: func.func @expert_choice
// CHECK: %[[V:.*]]:2 = onnx.node "TopK"
// CHECK: %[[ROWS:.*]] = onnx.node "Gather"
// CHECK: %[[IDS:.*]] = onnx.node "Reshape"({{.*}}) {{.*}} -> tensor<6x1xi32>
// CHECK: moe.experts %{{.*}} routed(%[[IDS]], %{{.*}}) {{.*}}{form = "dispatched"
// CHECK: onnx.node "ScatterND"
moe.weight @a : tensor<2x4x8xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<2x8x4xf32> source(#moe.splat<1.0>)
func.func @expert_choice(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %l: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a = moe.load_weight @a : tensor<2x4x8xf32>
  %b = moe.load_weight @b : tensor<2x8x4xf32>
  %c0 = onnx.constant dense<3> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %c2 = onnx.constant dense<[-1, 1]> : tensor<2xi64> : tensor<2xi64>
  %c3 = onnx.constant dense<[-1, 4]> : tensor<2xi64> : tensor<2xi64>
  %v0 = onnx.node "Transpose"(%l) {version = 13 : i64} : (tensor<?x2xf32>) -> tensor<2x?xf32>
  %v1, %v2 = onnx.node "TopK"(%v0, %c0) {version = 11 : i64} : (tensor<2x?xf32>, tensor<1xi64>) -> (tensor<2x3xf32>, tensor<2x3xi64>)
  %v3 = onnx.node "Gather"(%x, %v2) {version = 13 : i64} : (tensor<?x4xf32>, tensor<2x3xi64>) -> tensor<2x3x4xf32>
  %v4 = onnx.node "MatMul"(%v3, %a) {version = 13 : i64} : (tensor<2x3x4xf32>, tensor<2x4x8xf32>) -> tensor<2x3x8xf32>
  %v5 = onnx.node "Relu"(%v4) {version = 14 : i64} : (tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  %v6 = onnx.node "MatMul"(%v5, %b) {version = 13 : i64} : (tensor<2x3x8xf32>, tensor<2x8x4xf32>) -> tensor<2x3x4xf32>
  %v7 = onnx.node "Unsqueeze"(%v1, %c1) {version = 13 : i64} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<2x3x1xf32>
  %v8 = onnx.node "Mul"(%v6, %v7) {version = 14 : i64} : (tensor<2x3x4xf32>, tensor<2x3x1xf32>) -> tensor<2x3x4xf32>
  %v9 = onnx.node "Reshape"(%v2, %c2) {version = 14 : i64} : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<6x1xi64>
  %v10 = onnx.node "Reshape"(%v8, %c3) {version = 14 : i64} : (tensor<2x3x4xf32>, tensor<2xi64>) -> tensor<6x4xf32>
  %v11 = onnx.node "Shape"(%x) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %v12 = onnx.node "ConstantOfShape"(%v11) {version = 9 : i64} : (tensor<2xi64>) -> tensor<?x4xf32>
  %v13 = onnx.node "ScatterND"(%v12, %v9, %v10) {version = 18 : i64, attrs = {reduction = "add"}} : (tensor<?x4xf32>, tensor<6x1xi64>, tensor<6x4xf32>) -> tensor<?x4xf32>
  return %v13 : tensor<?x4xf32>
}

// -----
// Two slots per expert and sequence, mixed from all tokens.
// CHECK-LABEL: func.func @soft_slots
// CHECK: %[[P:.*]] = onnx.constant dense<{{\[\[\[0\], \[1\]\]\]}}> : tensor<1x2x1xi32>
// CHECK: %[[E:.*]] = onnx.node "Expand"(%[[P]], {{.*}} -> tensor<?x2x2xi32>
// CHECK: %[[IDS:.*]] = onnx.node "Reshape"(%[[E]],
// CHECK: moe.experts %{{.*}} routed(%[[IDS]],
moe.weight @a : tensor<2x4x8xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<2x8x4xf32> source(#moe.splat<1.0>)
func.func @soft_slots(%x: tensor<?x4x4xf32> {onnx.dims = ["b", "", ""]}) -> tensor<?x4x4xf32> {
  %a = moe.load_weight @a : tensor<2x4x8xf32>
  %b = moe.load_weight @b : tensor<2x8x4xf32>
  %c0 = onnx.constant dense<[-1, 2, 2, 4]> : tensor<4xi64> : tensor<4xi64>
  %c1 = onnx.constant dense<[-1, 4, 4]> : tensor<3xi64> : tensor<3xi64>
  %v0 = onnx.node "Reshape"(%x, %c0) {version = 14 : i64} : (tensor<?x4x4xf32>, tensor<4xi64>) -> tensor<?x2x2x4xf32>
  %v1 = onnx.node "Einsum"(%v0, %a) {version = 12 : i64, attrs = {equation = "besh,ehi->besi"}} : (tensor<?x2x2x4xf32>, tensor<2x4x8xf32>) -> tensor<?x2x2x8xf32>
  %v2 = onnx.node "Relu"(%v1) {version = 14 : i64} : (tensor<?x2x2x8xf32>) -> tensor<?x2x2x8xf32>
  %v3 = onnx.node "Einsum"(%v2, %b) {version = 12 : i64, attrs = {equation = "besi,eih->besh"}} : (tensor<?x2x2x8xf32>, tensor<2x8x4xf32>) -> tensor<?x2x2x4xf32>
  %v4 = onnx.node "Reshape"(%v3, %c1) {version = 14 : i64} : (tensor<?x2x2x4xf32>, tensor<3xi64>) -> tensor<?x4x4xf32>
  return %v4 : tensor<?x4x4xf32>
}

// -----
// An expert with a bias adds something also for tokens times 0: each has all tokens as rows of its own.
// CHECK-LABEL: func.func @bias_and_gated_input
// CHECK: %[[M:.*]] = onnx.node "Mul"
// CHECK: %[[X:.*]] = onnx.node "Reshape"(%[[M]],
// CHECK: moe.experts %[[X]] routed({{.*}}{form = "dispatched"
// CHECK: onnx.node "ReduceSum"
moe.weight @a : tensor<2x4x8xf32> source(#moe.splat<1.0>)
moe.weight @b : tensor<2x8x4xf32> source(#moe.splat<1.0>)
moe.weight @c : tensor<2x1x8xf32> source(#moe.splat<1.0>)
func.func @bias_and_gated_input(%x: tensor<?x4xf32> {onnx.dims = ["t", ""]}, %g: tensor<?x2xf32> {onnx.dims = ["t", ""]}) -> tensor<?x4xf32> {
  %a = moe.load_weight @a : tensor<2x4x8xf32>
  %b = moe.load_weight @b : tensor<2x8x4xf32>
  %c = moe.load_weight @c : tensor<2x1x8xf32>
  %c0 = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %c1 = onnx.constant dense<-1> : tensor<1xi64> : tensor<1xi64>
  %v0 = onnx.node "Unsqueeze"(%x, %c0) {version = 13 : i64} : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<1x?x4xf32>
  %v1 = onnx.node "Transpose"(%g) {version = 13 : i64, attrs = {perm = array<i64: 1, 0>}} : (tensor<?x2xf32>) -> tensor<2x?xf32>
  %v2 = onnx.node "Unsqueeze"(%v1, %c1) {version = 13 : i64} : (tensor<2x?xf32>, tensor<1xi64>) -> tensor<2x?x1xf32>
  %v3 = onnx.node "Mul"(%v0, %v2) {version = 14 : i64} : (tensor<1x?x4xf32>, tensor<2x?x1xf32>) -> tensor<2x?x4xf32>
  %v4 = onnx.node "MatMul"(%v3, %a) {version = 13 : i64} : (tensor<2x?x4xf32>, tensor<2x4x8xf32>) -> tensor<2x?x8xf32>
  %v5 = onnx.node "Add"(%v4, %c) {version = 14 : i64} : (tensor<2x?x8xf32>, tensor<2x1x8xf32>) -> tensor<2x?x8xf32>
  %v6 = onnx.node "Relu"(%v5) {version = 14 : i64} : (tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
  %v7 = onnx.node "MatMul"(%v6, %b) {version = 13 : i64, name = "down"} : (tensor<2x?x8xf32>, tensor<2x8x4xf32>) -> tensor<2x?x4xf32>
  %v8 = onnx.node "ReduceSum"(%v7, %c0) {version = 13 : i64, attrs = {keepdims = 0 : i64}} : (tensor<2x?x4xf32>, tensor<1xi64>) -> tensor<?x4xf32>
  return %v8 : tensor<?x4xf32>
}
