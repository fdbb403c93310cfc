// What the verifiers of activations and moe.experts say.
// RUN: moe-opt %s --verify-diagnostics --split-input-file

// expected-error @+1 {{activation: expected a layout for swiglu, found none}}
func.func private @f() attributes {a = #moe.activation<kind = swiglu>}
// -----
// expected-error @+1 {{activation: expected no layout for relu, found separate}}
func.func private @f() attributes {a = #moe.activation<kind = relu, layout = separate>}
// -----
// expected-error @+1 {{activation: expected alpha and beta to be finite}}
func.func private @f() attributes {a = #moe.activation<kind = swiglu, layout = separate, alpha = 0x7FF0000000000000>}
// -----
// expected-error @+1 {{activation: expected a positive limit}}
func.func private @f() attributes {a = #moe.activation<kind = swiglu, layout = separate, limit = 0.0>}
// -----
// expected-error @+1 {{activation: expected no alpha, beta or limit for silu}}
func.func private @f() attributes {a = #moe.activation<kind = silu, alpha = 2.0>}
// -----
func.func @tokens(%x: tensor<3x4xf32>, %e: tensor<2x1xi32>, %g: tensor<2x1xf32>, %w1: tensor<2x6x4xf32>, %w2: tensor<2x4x6xf32>) {
  // expected-error @+1 {{C1: expected experts of shape [3, 1], found [2, 1]}}
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<kind = silu>)
    : (tensor<3x4xf32>, tensor<2x1xi32>, tensor<2x1xf32>, tensor<2x6x4xf32>, tensor<2x4x6xf32>) -> tensor<3x4xf32>
  return
}
// -----
func.func @gates(%x: tensor<?x4xf32>, %e: tensor<?x1xi32>, %g: tensor<?x1xf16>, %w1: tensor<2x6x4xf32>, %w2: tensor<2x4x6xf32>) {
  // expected-error @+1 {{C1: expected gates of element type 'f32', found 'f16'}}
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<kind = silu>)
    : (tensor<?x4xf32>, tensor<?x1xi32>, tensor<?x1xf16>, tensor<2x6x4xf32>, tensor<2x4x6xf32>) -> tensor<?x4xf32>
  return
}
// -----
func.func @dynamic_weight(%x: tensor<?x4xf32>, %e: tensor<?x1xi32>, %g: tensor<?x1xf32>, %w1: tensor<?x6x4xf32>, %w2: tensor<2x4x6xf32>) {
  // expected-error @+1 {{C2: expected w1 of static shape, found 'tensor<?x6x4xf32>'}}
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<kind = silu>)
    : (tensor<?x4xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<?x6x4xf32>, tensor<2x4x6xf32>) -> tensor<?x4xf32>
  return
}
// -----
func.func @no_experts(%x: tensor<?x4xf32>, %e: tensor<?x1xi32>, %g: tensor<?x1xf32>, %w1: tensor<0x6x4xf32>, %w2: tensor<0x4x6xf32>) {
  // expected-error @+1 {{C2: expected at least one expert, found 0}}
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<kind = silu>)
    : (tensor<?x4xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<0x6x4xf32>, tensor<0x4x6xf32>) -> tensor<?x4xf32>
  return
}
// -----
func.func @hidden(%x: tensor<?x5xf32>, %e: tensor<?x1xi32>, %g: tensor<?x1xf32>, %w1: tensor<2x6x4xf32>, %w2: tensor<2x4x6xf32>) {
  // expected-error @+1 {{C2: expected w1 of shape [2, 6, 5], found [2, 6, 4]}}
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<kind = silu>)
    : (tensor<?x5xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<2x6x4xf32>, tensor<2x4x6xf32>) -> tensor<?x4xf32>
  return
}
// -----
func.func @panels(%x: tensor<?x4xf32>, %e: tensor<?x1xi32>, %g: tensor<?x1xf32>, %w1: tensor<2x6x4xf32>, %w2: tensor<2x4x3xf32>) {
  // expected-error @+1 {{C3: expected a layout other than panels}}
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<kind = swiglu, layout = panels>)
    : (tensor<?x4xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<2x6x4xf32>, tensor<2x4x3xf32>) -> tensor<?x4xf32>
  return
}
// -----
func.func @separate(%x: tensor<?x4xf32>, %e: tensor<?x1xi32>, %g: tensor<?x1xf32>, %w1: tensor<2x6x4xf32>, %w2: tensor<2x4x6xf32>) {
  // expected-error @+1 {{C3: expected w3 with layout separate}}
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<kind = swiglu, layout = separate>)
    : (tensor<?x4xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<2x6x4xf32>, tensor<2x4x6xf32>) -> tensor<?x4xf32>
  return
}
// -----
func.func @fused_rows(%x: tensor<?x4xf32>, %e: tensor<?x1xi32>, %g: tensor<?x1xf32>, %w1: tensor<2x6x4xf32>, %w2: tensor<2x4x6xf32>) {
  // expected-error @+1 {{C3: expected w1 with 12 rows, found 6}}
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<kind = swiglu, layout = interleaved>)
    : (tensor<?x4xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<2x6x4xf32>, tensor<2x4x6xf32>) -> tensor<?x4xf32>
  return
}
// -----
func.func @lone_b3(%x: tensor<?x4xf32>, %e: tensor<?x1xi32>, %g: tensor<?x1xf32>, %w1: tensor<2x6x4xf32>, %w2: tensor<2x4x6xf32>, %b: tensor<2x6xf32>) {
  // expected-error @+1 {{C4: expected b3 only with w3}}
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 b3 %b activation(<kind = silu>)
    : (tensor<?x4xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<2x6x4xf32>, tensor<2x4x6xf32>, tensor<2x6xf32>) -> tensor<?x4xf32>
  return
}
// -----
func.func @bias(%x: tensor<?x4xf32>, %e: tensor<?x1xi32>, %g: tensor<?x1xf32>, %w1: tensor<2x6x4xf32>, %w2: tensor<2x4x6xf32>, %b: tensor<2x6xf32>) {
  // expected-error @+1 {{C4: expected b2 of shape [2, 4], found [2, 6]}}
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 b2 %b activation(<kind = silu>)
    : (tensor<?x4xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<2x6x4xf32>, tensor<2x4x6xf32>, tensor<2x6xf32>) -> tensor<?x4xf32>
  return
}
// -----
func.func @result(%x: tensor<?x4xf32>, %e: tensor<?x1xi32>, %g: tensor<?x1xf32>, %w1: tensor<2x6x4xf32>, %w2: tensor<2x4x6xf32>) {
  // expected-error @+1 {{C5: expected the result of element type 'f32', found 'f16'}}
  %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<kind = silu>)
    : (tensor<?x4xf32>, tensor<?x1xi32>, tensor<?x1xf32>, tensor<2x6x4xf32>, tensor<2x4x6xf32>) -> tensor<?x4xf16>
  return
}
