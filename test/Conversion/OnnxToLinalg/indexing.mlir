// RUN: moe-opt %s --moe-convert-onnx-to-linalg | FileCheck %s

// A known index is a slice: the weight of one expert stays a weight.
moe.weight @w : tensor<8x4x4xf32> source(#moe.splat<1.0>)
// CHECK-LABEL: func.func @gather_one
// CHECK: tensor.extract_slice %{{.*}}[7, 0, 0] [1, 4, 4] [1, 1, 1]
// CHECK-NOT: nn.gather
func.func @gather_one() -> tensor<4x4xf32> {
  %w = moe.load_weight @w : tensor<8x4x4xf32>
  %last = onnx.constant dense<-1> : tensor<i64> : tensor<i64>
  %0 = onnx.node "Gather"(%w, %last) {version = 13 : i64} : (tensor<8x4x4xf32>, tensor<i64>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// CHECK-LABEL: func.func @gather
// CHECK: nn.gather %arg0[%arg1] axis 1 : (tensor<2x8xf32>, tensor<?x3xi32>) -> tensor<2x?x3xf32>
func.func @gather(%x: tensor<2x8xf32>, %i: tensor<?x3xi32>) -> tensor<2x?x3xf32> {
  %0 = onnx.node "Gather"(%x, %i) {version = 13 : i64, attrs = {axis = -1 : i64}} : (tensor<2x8xf32>, tensor<?x3xi32>) -> tensor<2x?x3xf32>
  return %0 : tensor<2x?x3xf32>
}

// CHECK-LABEL: func.func @scatter
// CHECK: nn.scatter_elements %arg2 into %arg0[%arg1] axis 0 add
func.func @scatter(%x: tensor<8xf32>, %i: tensor<3xi64>, %u: tensor<3xf32>) -> tensor<8xf32> {
  %0 = onnx.node "ScatterElements"(%x, %i, %u) {version = 18 : i64, attrs = {reduction = "add"}} : (tensor<8xf32>, tensor<3xi64>, tensor<3xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// k is read by the host and may not exceed the dimension.
// CHECK-LABEL: func.func @topk
// CHECK: %[[READ:.*]] = tensor.extract %arg1
// CHECK: %[[K:.*]] = arith.index_cast %[[READ]]
// CHECK: step.check {{.*}}"TopK-11 at node \22/t\22: k exceeds the dimension"
// CHECK: nn.top_k %arg0, %[[K]] largest false
func.func @topk(%x: tensor<?x8xf32>, %k: tensor<1xi64>) -> (tensor<?x?xf32>, tensor<?x?xi64>) {
  %0:2 = onnx.node "TopK"(%x, %k) {version = 11 : i64, name = "/t", attrs = {largest = 0 : i64}} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x?xf32>, tensor<?x?xi64>)
  return %0#0, %0#1 : tensor<?x?xf32>, tensor<?x?xi64>
}

// CHECK-LABEL: func.func @nonzero
// CHECK: %[[COUNT:.*]] = nn.count_nonzero %arg0
// CHECK: tensor.extract %[[COUNT]]
// CHECK: nn.nonzero %arg0, %{{.*}} : tensor<?x4xi1> -> tensor<2x?xi64>
func.func @nonzero(%x: tensor<?x4xi1>) -> tensor<2x?xi64> {
  %0 = onnx.node "NonZero"(%x) {version = 13 : i64} : (tensor<?x4xi1>) -> tensor<2x?xi64>
  return %0 : tensor<2x?xi64>
}

// Values that are constant move into the body.
// CHECK-LABEL: func.func @onehot
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<?x1xi64>) outs(%{{.*}} : tensor<?x8xf32>)
// CHECK: linalg.index 1
func.func @onehot(%i: tensor<?xi64>) -> tensor<?x8xf32> {
  %depth = onnx.constant dense<8> : tensor<i64> : tensor<i64>
  %values = onnx.constant dense<[0.0, 1.0]> : tensor<2xf32> : tensor<2xf32>
  %0 = onnx.node "OneHot"(%i, %depth, %values) {version = 11 : i64} : (tensor<?xi64>, tensor<i64>, tensor<2xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @range
// CHECK: linalg.generic
// CHECK: linalg.index 0
// CHECK: arith.index_cast {{.*}} : index to i64
func.func @range(%x: tensor<?xf32>) -> tensor<?xi64> {
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %n = onnx.node "Size"(%x) {version = 13 : i64} : (tensor<?xf32>) -> tensor<i64>
  %0 = onnx.node "Range"(%zero, %n, %one) {version = 11 : i64} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  return %0 : tensor<?xi64>
}
