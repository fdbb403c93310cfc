// RUN: moe-opt %s --moe-convert-onnx-to-linalg --split-input-file --verify-diagnostics | FileCheck %s

// Elements are functions of their place and the stream.
// CHECK-LABEL: func.func @uniform
// CHECK: linalg.index 1
// CHECK: arith.xori
// CHECK: arith.uitofp {{.*}} : i64 to f32
// CHECK: -> tensor<?x3xf16>
func.func @uniform(%x: tensor<?x3xf16>) -> tensor<?x3xf16> {
  %0 = onnx.node "RandomUniformLike"(%x) {version = 22 : i64, attrs = {seed = 2.0 : f32, low = -1.0 : f32}} : (tensor<?x3xf16>) -> tensor<?x3xf16>
  return %0 : tensor<?x3xf16>
}

// -----

// CHECK-LABEL: func.func @normal
// CHECK: math.log
// CHECK: math.cos
// CHECK: -> tensor<2x0xf64>
func.func @normal() -> tensor<2x0xf64> {
  %0 = onnx.node "RandomNormal"() {version = 22 : i64, attrs = {shape = array<i64: 2, 0>, dtype = 11 : i64}} : () -> tensor<2x0xf64>
  return %0 : tensor<2x0xf64>
}

// -----

// In training elements are dropped; whether it is training may be known at run time only.
// CHECK-LABEL: func.func @dropout
// CHECK: linalg.yield %{{.*}} : i1
// CHECK: arith.divf
// CHECK: arith.select
func.func @dropout(%x: tensor<8xf32>, %r: tensor<f32>, %t: tensor<i1>) -> (tensor<8xf32>, tensor<8xi1>) {
  %0:2 = onnx.node "Dropout"(%x, %r, %t) {version = 13 : i64} : (tensor<8xf32>, tensor<f32>, tensor<i1>) -> (tensor<8xf32>, tensor<8xi1>)
  return %0#0, %0#1 : tensor<8xf32>, tensor<8xi1>
}

// -----

// CHECK-LABEL: func.func @inference
// CHECK-NEXT: return %arg0
func.func @inference(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = onnx.node "Dropout"(%x) {version = 13 : i64} : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

func.func @integers(%x: tensor<8xi32>) -> tensor<8xi32> {
  // expected-error @+1 {{random elements of type 'i32' are not supported}}
  %0 = onnx.node "RandomUniformLike"(%x) {version = 22 : i64} : (tensor<8xi32>) -> tensor<8xi32>
  return %0 : tensor<8xi32>
}

// -----

func.func @whole_numbers(%x: tensor<8xi32>) -> tensor<8xi32> {
  // expected-error @+1 {{random elements of type 'i32' are not supported}}
  %0 = onnx.node "RandomNormalLike"(%x) {version = 22 : i64} : (tensor<8xi32>) -> tensor<8xi32>
  return %0 : tensor<8xi32>
}
