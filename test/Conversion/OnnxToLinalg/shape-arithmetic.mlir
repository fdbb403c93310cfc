// RUN: moe-opt %s --moe-convert-onnx-to-linalg | FileCheck %s

// Shape, Gather, Mul, Concat: no tensors of integers are left, and the count is known to agree.
// CHECK-LABEL: func.func @flatten
// CHECK: %[[B:.*]] = tensor.dim %arg0, %c0
// CHECK: %[[S:.*]] = tensor.dim %arg0, %c1
// CHECK: %[[T:.*]] = arith.muli %{{.*}}, %{{.*}} : index
// CHECK-NOT: tensor.from_elements
// CHECK-NOT: step.check
// CHECK: tensor.expand_shape {{.*}} output_shape [%[[T]], 8]
func.func @flatten(%x: tensor<?x?x8xf32>) -> tensor<?x8xf32> {
  %zero = onnx.constant dense<0> : tensor<i64> : tensor<i64>
  %one = onnx.constant dense<1> : tensor<i64> : tensor<i64>
  %axis = onnx.constant dense<0> : tensor<1xi64> : tensor<1xi64>
  %eight = onnx.constant dense<8> : tensor<1xi64> : tensor<1xi64>
  %s = onnx.node "Shape"(%x) {version = 15 : i64} : (tensor<?x?x8xf32>) -> tensor<3xi64>
  %b = onnx.node "Gather"(%s, %zero) {version = 13 : i64} : (tensor<3xi64>, tensor<i64>) -> tensor<i64>
  %n = onnx.node "Gather"(%s, %one) {version = 13 : i64} : (tensor<3xi64>, tensor<i64>) -> tensor<i64>
  %t = onnx.node "Mul"(%b, %n) {version = 14 : i64} : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %u = onnx.node "Unsqueeze"(%t, %axis) {version = 13 : i64} : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %r = onnx.node "Concat"(%u, %eight) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
  %0 = onnx.node "Reshape"(%x, %r) {version = 14 : i64} : (tensor<?x?x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// An extent is never -1, so the comparison folds and the shape stays what it was.
// CHECK-LABEL: func.func @expand_shape
// CHECK-NOT: arith.select
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?x8xf32>)
func.func @expand_shape(%x: tensor<8xf32>, %y: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %minus = onnx.constant dense<-1> : tensor<2xi64> : tensor<2xi64>
  %ones = onnx.constant dense<1> : tensor<2xi64> : tensor<2xi64>
  %s = onnx.node "Shape"(%y) {version = 15 : i64} : (tensor<?x8xf32>) -> tensor<2xi64>
  %e = onnx.node "Equal"(%s, %minus) {version = 13 : i64} : (tensor<2xi64>, tensor<2xi64>) -> tensor<2xi1>
  %w = onnx.node "Where"(%e, %ones, %s) {version = 16 : i64} : (tensor<2xi1>, tensor<2xi64>, tensor<2xi64>) -> tensor<2xi64>
  %0 = onnx.node "Expand"(%x, %w) {version = 13 : i64} : (tensor<8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// Where a tensor is wanted, the scalars become one.
// CHECK-LABEL: func.func @result
// CHECK: %[[CAST:.*]] = arith.index_cast %{{.*}} : index to i64
// CHECK: tensor.from_elements %[[CAST]], %{{.*}} : tensor<2xi64>
func.func @result(%x: tensor<?x8xf32>) -> tensor<2xi64> {
  %s = onnx.node "Shape"(%x) {version = 15 : i64} : (tensor<?x8xf32>) -> tensor<2xi64>
  return %s : tensor<2xi64>
}

// An extent that comes in as data is read by the host and checked.
// CHECK-LABEL: func.func @read
// CHECK: %[[K:.*]] = tensor.extract %arg0
// CHECK: step.check {{.*}}"ConstantOfShape-9 at node \22\22: input 0 is negative"
// CHECK: linalg.fill
func.func @read(%k: tensor<1xi64>) -> tensor<?xf32> {
  %0 = onnx.node "ConstantOfShape"(%k) {version = 9 : i64} : (tensor<1xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}
