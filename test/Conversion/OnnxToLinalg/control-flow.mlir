// RUN: moe-opt %s --moe-convert-onnx-to-linalg --split-input-file | FileCheck %s

// Extents in which the branches differ are dynamic.
// CHECK-LABEL: func.func @branches
// CHECK: %[[C:.*]] = tensor.extract %arg0[] : tensor<i1>
// CHECK: scf.if %[[C]] -> (tensor<?xf32>) {
// CHECK: tensor.concat
// CHECK: tensor.cast {{.*}} : tensor<16xf32> to tensor<?xf32>
// CHECK: } else {
// CHECK: tensor.cast %arg1 : tensor<8xf32> to tensor<?xf32>
func.func @branches(%c: tensor<i1>, %x: tensor<8xf32>) -> tensor<?xf32> {
  %0 = onnx.node "If"(%c) ({
    %1 = onnx.node "Concat"(%x, %x) {version = 13 : i64, attrs = {axis = 0 : i64}} : (tensor<8xf32>, tensor<8xf32>) -> tensor<16xf32>
    onnx.yield %1 : tensor<16xf32>
  }, {
    onnx.yield %x : tensor<8xf32>
  }) {region_names = ["then_branch", "else_branch"], version = 19 : i64} : (tensor<i1>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// A loop carries its iteration, whether it goes on, its values, and what it has collected.
// CHECK-LABEL: func.func @loop
// CHECK: scf.while (%{{.*}} = %c0, %{{.*}} = %true, %{{.*}} = %arg1, %{{.*}} = %{{.*}}) : (index, i1, tensor<4xf32>, tensor<?x4xf32>)
// CHECK: arith.cmpi slt
// CHECK: scf.condition
// CHECK: %[[GO:.*]] = arith.cmpi slt
// CHECK: tensor.concat dim(0)
// CHECK: scf.yield %{{.*}}, %[[GO]], %{{.*}}, %{{.*}} : index, i1, tensor<4xf32>, tensor<?x4xf32>
func.func @loop(%trips: tensor<i64>, %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<?x?xf32>) {
  %none = onnx.absent
  %three = onnx.constant dense<3> : tensor<i64> : tensor<i64>
  %0:2 = onnx.node "Loop"(%trips, %none, %x) ({
  ^bb0(%i: tensor<i64>, %go: tensor<i1>, %v: tensor<4xf32>):
    %more = onnx.node "Less"(%i, %three) {version = 13 : i64} : (tensor<i64>, tensor<i64>) -> tensor<i1>
    %n = onnx.node "Neg"(%v) {version = 13 : i64} : (tensor<4xf32>) -> tensor<4xf32>
    %s = onnx.node "Relu"(%n) {version = 14 : i64} : (tensor<4xf32>) -> tensor<?xf32>
    onnx.yield %more, %n, %s : tensor<i1>, tensor<4xf32>, tensor<?xf32>
  }) {region_names = ["body"], version = 19 : i64} : (tensor<i64>, none, tensor<4xf32>) -> (tensor<4xf32>, tensor<?x?xf32>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<?x?xf32>
}

// -----

// Backwards over dimension 0; outputs are put in front.
// CHECK-LABEL: func.func @scan
// CHECK: scf.while
// CHECK: tensor.extract_slice %arg1
// CHECK: %[[NEW:.*]] = tensor.expand_shape
// CHECK: tensor.concat dim(0) %[[NEW]]
func.func @scan(%state: tensor<4xf32>, %x: tensor<?x4xf32>) -> (tensor<4xf32>, tensor<?x4xf32>) {
  %0:2 = onnx.node "Scan"(%state, %x) ({
  ^bb0(%s: tensor<4xf32>, %e: tensor<4xf32>):
    %n = onnx.node "Add"(%s, %e) {version = 14 : i64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    onnx.yield %n, %n : tensor<4xf32>, tensor<4xf32>
  }) {region_names = ["body"], version = 19 : i64, attrs = {num_scan_inputs = 1 : i64, scan_input_directions = array<i64: 1>, scan_output_directions = array<i64: 1>}} : (tensor<4xf32>, tensor<?x4xf32>) -> (tensor<4xf32>, tensor<?x4xf32>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<?x4xf32>
}

// -----

// Only the branch that is taken is lowered, in the place of the node.
// CHECK-LABEL: func.func @known
// CHECK-NOT: scf.if
// CHECK: arith.negf
func.func @known(%x: tensor<8xf32>) -> tensor<8xf32> {
  %c = onnx.constant dense<true> : tensor<i1> : tensor<i1>
  %0 = onnx.node "If"(%c) ({
    %1 = onnx.node "Neg"(%x) {version = 13 : i64} : (tensor<8xf32>) -> tensor<8xf32>
    onnx.yield %1 : tensor<8xf32>
  }, {
    %2 = onnx.node "Unknown"(%x) {version = 1 : i64} : (tensor<8xf32>) -> tensor<8xf32>
    onnx.yield %2 : tensor<8xf32>
  }) {region_names = ["then_branch", "else_branch"], version = 19 : i64} : (tensor<i1>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
