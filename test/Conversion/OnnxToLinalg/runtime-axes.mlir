// RUN: moe-opt %s --moe-convert-onnx-to-linalg --split-input-file | FileCheck %s

// Each dimension becomes a kept and a reduced one, of which one has extent 1.
// CHECK-LABEL: func.func @reduced
// CHECK: %[[AXIS:.*]] = tensor.extract %arg1
// CHECK: step.check {{.*}}"{{.*}}an axis is out of range for rank 2"
// CHECK: tensor.expand_shape {{.*}} into tensor<?x?x?x?xf32>
// CHECK: iterator_types = ["parallel", "parallel", "reduction", "reduction"]
func.func @reduced(%x: tensor<4x8xf32>, %axes: tensor<1xi64>) -> tensor<?x?xf32> {
  %0 = onnx.node "ReduceSum"(%x, %axes) {version = 13 : i64} : (tensor<4x8xf32>, tensor<1xi64>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// -----

// CHECK-LABEL: func.func @inserted
// CHECK: step.check {{.*}}"{{.*}}an axis is given twice"
// CHECK: tensor.expand_shape {{.*}} into tensor<?x?x?xf32>
func.func @inserted(%x: tensor<8xf32>, %axes: tensor<2xi64>) -> tensor<?x?x?xf32> {
  %0 = onnx.node "Unsqueeze"(%x, %axes) {version = 13 : i64} : (tensor<8xf32>, tensor<2xi64>) -> tensor<?x?x?xf32>
  return %0 : tensor<?x?x?xf32>
}

// -----

// CHECK-LABEL: func.func @squeezed
// CHECK: step.check {{.*}}"{{.*}}squeezed dimension 0 is not 1"
func.func @squeezed(%x: tensor<?x8xf32>, %axes: tensor<1xi64>) -> tensor<?xf32> {
  %0 = onnx.node "Squeeze"(%x, %axes) {version = 13 : i64} : (tensor<?x8xf32>, tensor<1xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// A step of either sign: positions are counted up from the start and gathered.
// CHECK-LABEL: func.func @sliced
// CHECK: step.check {{.*}}"{{.*}}a step is 0"
// CHECK: nn.gather
func.func @sliced(%x: tensor<8xf32>, %start: tensor<1xi64>, %end: tensor<1xi64>, %axis: tensor<1xi64>, %step: tensor<1xi64>) -> tensor<?xf32> {
  %0 = onnx.node "Slice"(%x, %start, %end, %axis, %step) {version = 13 : i64} : (tensor<8xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// -----

// The axis is the middle one of three.
// CHECK-LABEL: func.func @cumulated
// CHECK: nn.cumsum {{.*}} : tensor<?x?x?xf32>
func.func @cumulated(%x: tensor<2x3x4xf32>, %axis: tensor<i64>) -> tensor<2x3x4xf32> {
  %0 = onnx.node "CumSum"(%x, %axis) {version = 14 : i64} : (tensor<2x3x4xf32>, tensor<i64>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// -----

// A depth given as a float is converted by a kernel and read by the host.
// CHECK-LABEL: func.func @hot
// CHECK: arith.fptosi
// CHECK: tensor.extract
// CHECK: step.check {{.*}}"{{.*}}input 1 is negative"
func.func @hot(%i: tensor<3xi64>, %depth: tensor<f32>, %values: tensor<2xf32>) -> tensor<3x?xf32> {
  %0 = onnx.node "OneHot"(%i, %depth, %values) {version = 11 : i64} : (tensor<3xi64>, tensor<f32>, tensor<2xf32>) -> tensor<3x?xf32>
  return %0 : tensor<3x?xf32>
}
