// RUN: moe-opt %s --moe-convert-onnx-to-linalg | FileCheck %s

// f16 is a storage type: arithmetic is f32.
// CHECK-LABEL: func.func @storage
// CHECK: linalg.generic
// CHECK: arith.extf {{.*}} : f16 to f32
// CHECK: arith.addf {{.*}} : f32
// CHECK: arith.truncf {{.*}} : f32 to f16
func.func @storage(%x: tensor<4xf16>, %y: tensor<4xf16>) -> tensor<4xf16> {
  %0 = onnx.node "Add"(%x, %y) {version = 14 : i64} : (tensor<4xf16>, tensor<4xf16>) -> tensor<4xf16>
  return %0 : tensor<4xf16>
}

// A constant with equal elements moves into the body; x^3 is multiplied out.
// CHECK-LABEL: func.func @power
// CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<4xf32>)
// CHECK-COUNT-2: arith.mulf
// CHECK-NOT: math.powf
func.func @power(%x: tensor<4xf32>) -> tensor<4xf32> {
  %three = onnx.constant dense<3.0> : tensor<f32> : tensor<f32>
  %0 = onnx.node "Pow"(%x, %three) {version = 15 : i64} : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// Unsigned types become signless, their division stays unsigned; nothing divides by zero.
// CHECK-LABEL: func.func @unsigned(%arg0: tensor<4xi8>
// CHECK-SAME: -> tensor<4xi8>
// CHECK: %[[ZERO:.*]] = arith.cmpi eq, %[[D:.*]], %{{.*}} : i8
// CHECK: %[[SAFE:.*]] = arith.select %[[ZERO]], %{{.*}}, %[[D]] : i8
// CHECK: arith.divui %{{.*}}, %[[SAFE]] : i8
func.func @unsigned(%x: tensor<4xui8>, %y: tensor<4xui8>) -> tensor<4xui8> {
  %0 = onnx.node "Div"(%x, %y) {version = 14 : i64} : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xui8>
  return %0 : tensor<4xui8>
}

// The least integer divided by -1 is negated.
// CHECK-LABEL: func.func @signed
// CHECK: arith.divsi
// CHECK: %[[NEG:.*]] = arith.subi
// CHECK: arith.select %{{.*}}, %[[NEG]]
func.func @signed(%x: tensor<4xi32>, %y: tensor<4xi32>) -> tensor<4xi32> {
  %0 = onnx.node "Div"(%x, %y) {version = 14 : i64} : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}

// What the conversion sees is always in range: instead of NaN and numbers outside it is the lowest one.
// CHECK-LABEL: func.func @to_signed
// CHECK: %[[LOWEST:.*]] = arith.constant -2.14748365E+9 : f32
// CHECK: %[[IN:.*]] = arith.andi
// CHECK: %[[SAFE:.*]] = arith.select %[[IN]], %{{.*}}, %[[LOWEST]] : f32
// CHECK: arith.fptosi %[[SAFE]] : f32 to i32
func.func @to_signed(%x: tensor<4xf32>) -> tensor<4xi32> {
  %0 = onnx.node "Cast"(%x) {version = 13 : i64, attrs = {to = 6 : i64}} : (tensor<4xf32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}

// Other integers saturate.
// CHECK-LABEL: func.func @to_unsigned
// CHECK: %[[CONVERTED:.*]] = arith.fptoui %{{.*}} : f32 to i32
// CHECK: arith.select %{{.*}}, %{{.*}}, %[[CONVERTED]] : i32
func.func @to_unsigned(%x: tensor<4xf32>) -> tensor<4xui32> {
  %0 = onnx.node "Cast"(%x) {version = 13 : i64, attrs = {to = 12 : i64}} : (tensor<4xf32>) -> tensor<4xui32>
  return %0 : tensor<4xui32>
}

// CHECK-LABEL: func.func @clip
// CHECK: arith.maximumf
// CHECK-NOT: arith.minimumf
func.func @clip(%x: tensor<4xf32>, %min: tensor<f32>) -> tensor<4xf32> {
  %none = onnx.absent
  %0 = onnx.node "Clip"(%x, %min, %none) {version = 13 : i64} : (tensor<4xf32>, tensor<f32>, none) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// An exponent that is no constant: a step of squaring for each of its bits.
// CHECK-LABEL: func.func @integer_power
// CHECK-COUNT-31: arith.shrui
// CHECK: arith.muli
func.func @integer_power(%x: tensor<8xi32>, %n: tensor<8xi32>) -> tensor<8xi32> {
  %0 = onnx.node "Pow"(%x, %n) {version = 15 : i64} : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi32>
  return %0 : tensor<8xi32>
}

// CHECK-LABEL: func.func @bits
// CHECK: arith.bitcast {{.*}} : f16 to i16
func.func @bits(%x: tensor<8xf16>) -> tensor<8xi16> {
  %0 = onnx.node "BitCast"(%x) {version = 26 : i64} : (tensor<8xf16>) -> tensor<8xi16>
  return %0 : tensor<8xi16>
}

// Remainders of f64 are exact for all quotients.
// CHECK-LABEL: func.func @mod_double
// CHECK-COUNT-81: math.trunc {{.*}} : f64
// CHECK-NOT: math.trunc
func.func @mod_double(%x: tensor<8xf64>, %y: tensor<8xf64>) -> tensor<8xf64> {
  %0 = onnx.node "Mod"(%x, %y) {version = 13 : i64, attrs = {fmod = 1 : i64}} : (tensor<8xf64>, tensor<8xf64>) -> tensor<8xf64>
  return %0 : tensor<8xf64>
}
