// RUN: moe-opt %s --moe-convert-onnx-to-linalg --split-input-file --verify-diagnostics | FileCheck %s

// Floats of 8 bits are kept as the bytes that hold them, also in the signature.
// CHECK-LABEL: func.func @to_float(%arg0: tensor<?xf64>) -> tensor<?xi8>
// CHECK: arith.bitcast %{{.*}} : f64 to i64
// CHECK: arith.trunci {{.*}} : i64 to i8
func.func @to_float(%x: tensor<?xf64>) -> tensor<?xf8E4M3FN> {
  %0 = onnx.node "Cast"(%x) {version = 19 : i64, attrs = {to = 17 : i64}} : (tensor<?xf64>) -> tensor<?xf8E4M3FN>
  return %0 : tensor<?xf8E4M3FN>
}

// -----

// CHECK-LABEL: func.func @from_float(%arg0: tensor<0x3xi8>) -> tensor<0x3xf16>
// CHECK: arith.bitcast %{{.*}} : i32 to f32
// CHECK: arith.truncf {{.*}} : f32 to f16
func.func @from_float(%x: tensor<0x3xf8E5M2FNUZ>) -> tensor<0x3xf16> {
  %0 = onnx.node "Cast"(%x) {version = 19 : i64, attrs = {to = 10 : i64}} : (tensor<0x3xf8E5M2FNUZ>) -> tensor<0x3xf16>
  return %0 : tensor<0x3xf16>
}

// -----

// The low bits of the whole part stay; the sign is extended to the byte.
// CHECK-LABEL: func.func @to_integer
// CHECK: arith.trunci {{.*}} : i32 to i8
// CHECK: arith.shli
// CHECK: arith.shrsi
func.func @to_integer(%x: tensor<5xf32>, %like: tensor<1xi4>) -> tensor<5xi4> {
  %0 = onnx.node "CastLike"(%x, %like) {version = 19 : i64} : (tensor<5xf32>, tensor<1xi4>) -> tensor<5xi4>
  return %0 : tensor<5xi4>
}

// -----

// Rows that move elements know nothing of their type. Constants are one byte per element.
// CHECK-LABEL: func.func @moved(%arg0: tensor<2x3xi8>) -> (tensor<3x2xi8>, tensor<2xi8>)
// CHECK-DAG: arith.constant dense<[-3, 7]> : tensor<2xi8>
// CHECK-DAG: linalg.transpose ins(%arg0 : tensor<2x3xi8>)
func.func @moved(%x: tensor<2x3xui4>) -> (tensor<3x2xui4>, tensor<2xi4>) {
  %c = onnx.constant dense<[-3, 7]> : tensor<2xi4> : tensor<2xi4>
  %0 = onnx.node "Transpose"(%x) {version = 21 : i64} : (tensor<2x3xui4>) -> tensor<3x2xui4>
  %1 = onnx.node "Identity"(%c) {version = 21 : i64} : (tensor<2xi4>) -> tensor<2xi4>
  return %0, %1 : tensor<3x2xui4>, tensor<2xi4>
}

// -----

// A weight keeps two elements in a byte.
// CHECK: moe.weight @w : tensor<3xi8> source(dense<[-31, 79, 5]> : tensor<3xi8>)
// CHECK-LABEL: func.func @weight
// CHECK: %[[BYTES:.*]] = moe.load_weight @w : tensor<3xi8>
// CHECK: %[[VALUES:.*]] = moe.unpack_values %[[BYTES]] bits 4 signed : (tensor<3xi8>) -> tensor<6xi8>
// CHECK: tensor.extract_slice %[[VALUES]][0] [5] [1]
moe.weight @w : tensor<5xi4> source(dense<[1, -2, -1, 4, 5]> : tensor<5xi4>)
func.func @weight() -> tensor<5xf32> {
  %w = moe.load_weight @w : tensor<5xi4>
  %0 = onnx.node "Cast"(%w) {version = 21 : i64, attrs = {to = 1 : i64}} : (tensor<5xi4>) -> tensor<5xf32>
  return %0 : tensor<5xf32>
}

// -----

func.func @arithmetic(%x: tensor<4xf8E4M3FN>) -> tensor<4xf8E4M3FN> {
  // expected-error @+1 {{input 0: elements of type 'f8E4M3FN' are not supported}}
  %0 = onnx.node "Neg"(%x) {version = 13 : i64} : (tensor<4xf8E4M3FN>) -> tensor<4xf8E4M3FN>
  return %0 : tensor<4xf8E4M3FN>
}

// -----

func.func @result_type(%x: tensor<4xi64>) -> tensor<4xi4> {
  // expected-error @+1 {{result 0: type 'tensor<4xi4>' is not supported}}
  %0 = onnx.node "EyeLike"(%x) {version = 9 : i64} : (tensor<4xi64>) -> tensor<4xi4>
  return %0 : tensor<4xi4>
}

// -----

func.func @rounding(%x: tensor<4xf32>) -> tensor<4xf8E8M0FNU> {
  // expected-error @+1 {{attribute round_mode: expected up, down or nearest, found even}}
  %0 = onnx.node "Cast"(%x) {version = 24 : i64, attrs = {to = 24 : i64, round_mode = "even"}} : (tensor<4xf32>) -> tensor<4xf8E8M0FNU>
  return %0 : tensor<4xf8E8M0FNU>
}

// -----

func.func @power_of_double(%x: tensor<4xf64>) -> tensor<4xf8E8M0FNU> {
  // expected-error @+1 {{a conversion from 'f64' to 'f8E8M0FNU' is not supported}}
  %0 = onnx.node "Cast"(%x) {version = 24 : i64, attrs = {to = 24 : i64}} : (tensor<4xf64>) -> tensor<4xf8E8M0FNU>
  return %0 : tensor<4xf8E8M0FNU>
}
