// RUN: moe-opt %s --moe-decompose-experts --split-input-file | FileCheck %s

// Gates weight the combination; the activation is the epilogue of the first product; labels and layer number go on.

// CHECK-LABEL: func.func @output(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x32xf32>, %[[E:[a-z0-9]+]]: tensor<?x2xi32>, %[[G:[a-z0-9]+]]: tensor<?x2xf32>
// CHECK: %[[OFF:.*]], %[[ORD:.*]], %[[INV:.*]] = moe.group %[[E]] experts 8
// CHECK: %[[H:.*]] = moe.grouped_matmul %[[X]] by %{{.*}} offsets %[[OFF]] order %[[ORD]] columns 128
// CHECK-SAME: kind = swiglu, layout = interleaved
// CHECK-SAME: label = "l/up", moe.layer = 3 : i64, rows_per_token = 2 : i64
// CHECK: %[[Y:.*]] = moe.grouped_matmul %[[H]] by %{{.*}} offsets %[[OFF]] bias %{{.*}} columns 16
// CHECK-SAME: kind = identity
// CHECK-SAME: label = "l/down", moe.layer = 3 : i64
// CHECK: %[[R:.*]] = moe.combine %[[Y]] inverse %[[INV]] gates %[[G]] slots 2 {label = "l/combine"}
// CHECK: return %[[R]]
func.func @output(%x: tensor<?x32xf32>, %e: tensor<?x2xi32>, %g: tensor<?x2xf32>, %w1: tensor<8x128x32xf32>,
                  %w2: tensor<8x16x64xf32>, %b2: tensor<8x16xf32>) -> tensor<?x16xf32> {
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 b2 %b2 activation(<kind = swiglu, layout = interleaved>)
      {label = "l", moe.layer = 3 : i64}
    : (tensor<?x32xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x128x32xf32>, tensor<8x16x64xf32>,
       tensor<8x16xf32>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

// Gates on the input scale the gathered rows; static extents stay static.

// CHECK-LABEL: func.func @input(
// CHECK: %{{.*}}, %[[ORD:.*]], %[[INV:.*]] = moe.group %{{.*}} experts 4
// CHECK-SAME: -> tensor<5xi32>, tensor<6xi32>, tensor<6xi32>
// CHECK: moe.grouped_matmul %{{.*}} order %[[ORD]] scale %arg2 columns 8
// CHECK: moe.combine %{{.*}} inverse %[[INV]] slots 2 : (tensor<6x4xf32>, tensor<6xi32>) -> tensor<3x4xf32>
func.func @input(%x: tensor<3x4xf32>, %e: tensor<3x2xi32>, %arg2: tensor<3x2xf32>, %w1: tensor<4x8x4xf32>,
                 %w2: tensor<4x4x8xf32>) -> tensor<3x4xf32> {
  %y = moe.experts %x routed(%e, %arg2) w1 %w1 w2 %w2 activation(<kind = relu>) {weight_on = #moe<weight_on<input>>}
    : (tensor<3x4xf32>, tensor<3x2xi32>, tensor<3x2xf32>, tensor<4x8x4xf32>, tensor<4x4x8xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// -----

// A separate linear weight is concatenated; a missing bias of one half is zeros.

// CHECK-LABEL: func.func @separate(
// CHECK: %[[W:.*]] = tensor.concat dim(1) %[[W1:.*]], %[[W3:.*]] : (tensor<4x8x4xf32>, tensor<4x8x4xf32>)
// CHECK: %[[Z:.*]] = arith.constant dense<0.0{{.*}}> : tensor<4x8xf32>
// CHECK: %[[B:.*]] = tensor.concat dim(1) %[[Z]], %{{.*}} : (tensor<4x8xf32>, tensor<4x8xf32>)
// CHECK: moe.grouped_matmul %{{.*}} by %[[W]] {{.*}} bias %[[B]] columns 16
// CHECK-SAME: kind = geglu, layout = concatenated, limit = 7.0
func.func @separate(%x: tensor<3x4xf32>, %e: tensor<3x2xi32>, %g: tensor<3x2xf32>, %w1: tensor<4x8x4xf32>,
                    %w2: tensor<4x4x8xf32>, %w3: tensor<4x8x4xf32>, %b3: tensor<4x8xf32>) -> tensor<3x4xf32> {
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 w3 %w3 b3 %b3
      activation(<kind = geglu, layout = separate, limit = 7.0>)
    : (tensor<3x4xf32>, tensor<3x2xi32>, tensor<3x2xf32>, tensor<4x8x4xf32>, tensor<4x4x8xf32>, tensor<4x8x4xf32>,
       tensor<4x8xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
