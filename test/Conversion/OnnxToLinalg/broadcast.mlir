// RUN: moe-opt %s --moe-convert-onnx-to-linalg --verify-diagnostics | FileCheck %s

// CHECK-DAG: #[[$ROW:.*]] = affine_map<(d0, d1) -> (0, d1)>
// CHECK-DAG: #[[$LAST:.*]] = affine_map<(d0, d1) -> (d1)>

// CHECK-LABEL: func.func @static
// CHECK: linalg.generic {indexing_maps = [#[[$ROW]], #{{.*}}, #{{.*}}]{{.*}} outs(%{{.*}} : tensor<3x4xf32>)
func.func @static(%x: tensor<1x4xf32>, %y: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %0 = onnx.node "Mul"(%x, %y) {version = 14 : i64} : (tensor<1x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// CHECK-LABEL: func.func @rank
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[$LAST]], #{{.*}}]
func.func @rank(%x: tensor<?x4xf32>, %y: tensor<4xf32>) -> tensor<?x4xf32> {
  %0 = onnx.node "Mul"(%x, %y) {version = 14 : i64} : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// Dimensions of one symbol are one extent, checked before anything runs.
// CHECK-LABEL: func.func @symbol
// CHECK: %[[EQ:.*]] = arith.cmpi eq
// CHECK: step.check %[[EQ]], "inputs: dimension \22s\22: extents differ"
// CHECK: linalg.generic {{.*}} ins(%arg0, %arg1
// CHECK-NOT: step.check
func.func @symbol(%x: tensor<?xf32> {onnx.dims = ["s"]}, %y: tensor<?xf32> {onnx.dims = ["s"]}) -> tensor<?xf32> {
  %0 = onnx.node "Mul"(%x, %y) {version = 14 : i64} : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// Unrelated dimensions may each be 1: both operands are expanded, and the extents are checked.
// CHECK-LABEL: func.func @unrelated
// CHECK: %[[N:.*]] = arith.select
// CHECK-COUNT-2: step.check {{.*}}"Mul-14 at node \22/m\22: broadcast at dimension 0: extents differ"
// CHECK: linalg.generic
// CHECK: linalg.index 0
// CHECK: tensor.extract %arg0
// CHECK: linalg.generic
// CHECK: tensor.extract %arg1
func.func @unrelated(%x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  // expected-remark @+1 {{a dimension of an operand may be 1 or more}}
  %0 = onnx.node "Mul"(%x, %y) {version = 14 : i64, name = "/m"} : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// CHECK-LABEL: func.func @expand
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<1x4xf32>) outs({{.*}} : tensor<?x4xf32>)
func.func @expand(%x: tensor<1x4xf32>, %y: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %s = onnx.node "Shape"(%y) {version = 15 : i64} : (tensor<?x4xf32>) -> tensor<2xi64>
  %0 = onnx.node "Expand"(%x, %s) {version = 13 : i64} : (tensor<1x4xf32>, tensor<2xi64>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
