// The moe ops round-trip, and defaults are not printed.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

// CHECK: moe.weight @file : tensor<8x64x32xf32> source(#moe.file<"model.onnx", 4096, 65536>)
moe.weight @file : tensor<8x64x32xf32> source(#moe.file<"model.onnx", 4096, 65536>)
// CHECK: moe.weight @splat : tensor<8x32x32xf32> source(#moe.splat<2.500000e-01>)
moe.weight @splat : tensor<8x32x32xf32> source(#moe.splat<0.25>)
// CHECK: moe.weight @random : tensor<2x4xbf16> source(#moe.random<7, 1.000000e+00>)
moe.weight @random : tensor<2x4xbf16> source(#moe.random<7, 1.0>)
// CHECK: moe.weight @elements : tensor<2xi32> source(dense<[1, 2]> : tensor<2xi32>)
moe.weight @elements : tensor<2xi32> source(dense<[1, 2]> : tensor<2xi32>)
// CHECK: moe.weight @packed : tensor<8x4x32x16xf32> {
// CHECK:   %[[W:.*]] = moe.load_weight @file : tensor<8x64x32xf32>
// CHECK:   %[[P:.*]] = moe.pack_panels %[[W]] : (tensor<8x64x32xf32>) -> tensor<8x4x32x16xf32>
// CHECK:   moe.yield %[[P]]
moe.weight @packed : tensor<8x4x32x16xf32> {
  %w = moe.load_weight @file : tensor<8x64x32xf32>
  %p = moe.pack_panels %w : (tensor<8x64x32xf32>) -> tensor<8x4x32x16xf32>
  moe.yield %p : tensor<8x4x32x16xf32>
}

// CHECK: moe.weight @padded : tensor<3xf32> {
// CHECK:   arith.constant dense<0.000000e+00> : tensor<1xf32>
moe.weight @padded : tensor<3xf32> {
  %z = arith.constant dense<0.0> : tensor<1xf32>
  %v = onnx.constant dense<1.0> : tensor<2xf32> : tensor<2xf32>
  %p = tensor.concat dim(0) %v, %z : (tensor<2xf32>, tensor<1xf32>) -> tensor<3xf32>
  moe.yield %p : tensor<3xf32>
}

// CHECK-LABEL: func @pieces
func.func @pieces(%l: tensor<?x8xf32>, %bias: tensor<8xf32>, %x: tensor<?x32xf32>) -> tensor<?x32xf32> {
  // CHECK: moe.route %{{.*}} router(<score = softmax, over = all, k = 2>) : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 2>) : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  // CHECK: moe.route %{{.*}} bias %{{.*}} : tensor<8xf32> mix %{{.*}} : tensor<?x8xf32> router(<score = sigmoid, over = all, k = 2, select = group_limited, groups = 4, kept_groups = 2, group_score = top2_sum, dropped = zero, renormalize = sum_plus_eps, eps = 9.9999999999999995E-21, scale = 2.500000e+00>)
  %e2, %g2 = moe.route %l bias %bias : tensor<8xf32> mix %l : tensor<?x8xf32> router(<score = sigmoid, over = all, k = 2,
    select = group_limited, groups = 4, kept_groups = 2, group_score = top2_sum, dropped = zero, renormalize = sum_plus_eps,
    eps = 1.0e-20, scale = 2.5>) : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  // CHECK: moe.group %{{.*}} experts 8 : tensor<?x2xi32> -> tensor<9xi32>, tensor<?xi32>, tensor<?xi32>
  %o, %r, %i = moe.group %e experts 8 : tensor<?x2xi32> -> tensor<9xi32>, tensor<?xi32>, tensor<?xi32>
  %w = moe.load_weight @packed : tensor<8x4x32x16xf32>
  // CHECK: moe.grouped_matmul %{{.*}} by %{{.*}} offsets %{{.*}} order %{{.*}} columns 64 activation(<kind = swiglu, layout = panels>) {rows_per_token = 2 : i64} :
  %u = moe.grouped_matmul %x by %w offsets %o order %r columns 64 activation(<kind = swiglu, layout = panels>)
    {rows_per_token = 2} : (tensor<?x32xf32>, tensor<8x4x32x16xf32>, tensor<9xi32>, tensor<?xi32>) -> tensor<?x32xf32>
  %w2 = moe.load_weight @splat : tensor<8x32x32xf32>
  // CHECK: moe.grouped_matmul %{{.*}} by %{{.*}} offsets %{{.*}} columns 32 activation(<kind = identity>) {label = "/mlp"} :
  %d = moe.grouped_matmul %u by %w2 offsets %o columns 32 activation(<kind = identity>) {label = "/mlp"}
    : (tensor<?x32xf32>, tensor<8x32x32xf32>, tensor<9xi32>) -> tensor<?x32xf32>
  // CHECK: moe.combine %{{.*}} inverse %{{.*}} gates %{{.*}} slots 2 :
  %y = moe.combine %d inverse %i gates %g slots 2
    : (tensor<?x32xf32>, tensor<?xi32>, tensor<?x2xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// CHECK-LABEL: func @bounded
func.func @bounded(%l: tensor<?x8xf32>) -> tensor<1x?x2xi32> {
  // CHECK: router(<score = softmax, over = all, k = 8, select = top_p, renormalize = sum_plus_eps, bound = 6.000000e-01>)
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 8, select = top_p, renormalize = sum_plus_eps, bound = 0.6>)
    : tensor<?x8xf32> -> tensor<?x8xi32>, tensor<?x8xf32>
  // CHECK: router(<score = relu, over = all, k = 8, select = threshold>)
  %e1, %g1 = moe.route %l router(<score = relu, over = all, k = 8, select = threshold>)
    : tensor<?x8xf32> -> tensor<?x8xi32>, tensor<?x8xf32>
  // CHECK: router(<score = softmax, over = all, k = 2, select = sparse_mixer, bound = 2.000000e-02>)
  %e2, %g2 = moe.route %l router(<score = softmax, over = all, k = 2, select = sparse_mixer, bound = 0.02>)
    : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %one = tensor.expand_shape %e2 [[0, 1], [2]] output_shape [1, 5, 2] : tensor<?x2xi32> into tensor<1x?x2xi32>
  // CHECK: moe.limit_capacity %{{.*}} experts 8 capacity 24 : tensor<1x?x2xi32>
  %kept = moe.limit_capacity %one experts 8 capacity 24 : tensor<1x?x2xi32>
  return %kept : tensor<1x?x2xi32>
}

// CHECK-LABEL: func @table
func.func @table(%t: tensor<256x32xf32>, %i: tensor<?xi32>, %g: tensor<?x4xf32>) -> tensor<?x32xf32> {
  // CHECK: moe.combine %{{.*}} inverse %{{.*}} gates %{{.*}} slots 4 : (tensor<256x32xf32>,
  %y = moe.combine %t inverse %i gates %g slots 4
    : (tensor<256x32xf32>, tensor<?xi32>, tensor<?x4xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// CHECK-LABEL: func @experts
func.func @experts(%x: tensor<?x32xf32>, %e: tensor<?x2xi32>, %g: tensor<?x2xf32>, %w1: tensor<8x64x32xf32>,
                   %w2: tensor<8x32x64xf32>, %b1: tensor<8x64xf32>) -> tensor<?x32xf32> {
  // CHECK: moe.experts %{{.*}} routed(%{{.*}}, %{{.*}}) w1 %{{.*}} w2 %{{.*}} b1 %{{.*}} activation(<kind = silu>) {weight_on = #moe.weight_on<input>} :
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 b1 %b1 activation(<kind = silu>) {weight_on = #moe.weight_on<input>}
    : (tensor<?x32xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x32xf32>, tensor<8x32x64xf32>, tensor<8x64xf32>)
    -> tensor<?x32xf32>
  // CHECK: moe.experts {{.*}} w3 %{{.*}} activation(<kind = swiglu, layout = separate, alpha = 1.702000e+00, beta = 1.000000e+00, limit = 7.000000e+00>) {form = "MoE"}
  %z = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 w3 %w1
    activation(<kind = swiglu, layout = separate, alpha = 1.702, beta = 1.0, limit = 7.0>) {form = "MoE"}
    : (tensor<?x32xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<8x64x32xf32>, tensor<8x32x64xf32>,
       tensor<8x64x32xf32>) -> tensor<?x32xf32>
  return %z : tensor<?x32xf32>
}

// CHECK-LABEL: func @dequantize
func.func @dequantize(%q: tensor<8x64x16xui8>, %s: tensor<8x64x2xf32>, %z: tensor<8x64x1xui8>) -> tensor<8x64x32xf32> {
  // CHECK: moe.dequantize %{{.*}} scales %{{.*}} zero_points %{{.*}} bits 4 block 16 :
  %0 = moe.dequantize %q scales %s zero_points %z bits 4 block 16
    : (tensor<8x64x16xui8>, tensor<8x64x2xf32>, tensor<8x64x1xui8>) -> tensor<8x64x32xf32>
  return %0 : tensor<8x64x32xf32>
}
