// What the verifiers of routers, moe.route, moe.limit_capacity and moe.group say.
// RUN: moe-opt %s --verify-diagnostics --split-input-file

// expected-error @+1 {{router: expected k >= 1, found 0}}
func.func private @f() attributes {r = #moe.router<score = softmax, over = all, k = 0>}
// -----
// expected-error @+1 {{router: expected 1 <= kept_groups <= groups, found kept_groups 3 and groups 2}}
func.func private @f() attributes {r = #moe.router<score = softmax, over = all, k = 1, select = group_limited, groups = 2, kept_groups = 3>}
// -----
// expected-error @+1 {{router: expected groups = 1 unless select is group_limited, found 2}}
func.func private @f() attributes {r = #moe.router<score = softmax, over = all, k = 1, groups = 2>}
// -----
// expected-error @+1 {{router: expected eps to be finite and not negative}}
func.func private @f() attributes {r = #moe.router<score = softmax, over = all, k = 1, eps = -1.0>}
// -----
// expected-error @+1 {{router: expected scale to be finite}}
func.func private @f() attributes {r = #moe.router<score = softmax, over = all, k = 1, scale = 0x7FF0000000000000>}
// -----
// expected-error @+1 {{router: expected no bound for top_k}}
func.func private @f() attributes {r = #moe.router<score = softmax, over = all, k = 1, bound = 0.5>}
// -----
// expected-error @+1 {{router: expected scores over all for top_p}}
func.func private @f() attributes {r = #moe.router<score = softmax, over = selected, k = 1, select = top_p, bound = 0.5>}
// -----
// expected-error @+1 {{router: expected a bound that is positive for top_p}}
func.func private @f() attributes {r = #moe.router<score = softmax, over = all, k = 1, select = top_p>}
// -----
// expected-error @+1 {{router: expected a bound that is finite for threshold}}
func.func private @f() attributes {r = #moe.router<score = relu, over = all, k = 1, select = threshold, bound = 0x7FF0000000000000>}
// -----
// expected-error @+1 {{router: expected a bound that is not negative for sparse_mixer}}
func.func private @f() attributes {r = #moe.router<score = softmax, over = all, k = 1, select = sparse_mixer, bound = -0.02>}
// -----
// expected-error @+1 {{router: expected softmax for sparse_mixer, found sigmoid}}
func.func private @f() attributes {r = #moe.router<score = sigmoid, over = all, k = 1, select = sparse_mixer, bound = 0.02>}
// -----
// expected-error @+1 {{router: expected groups = 1 unless select is group_limited, found 2}}
func.func private @f() attributes {r = #moe.router<score = softmax, over = all, k = 1, select = top_p, groups = 2, bound = 0.5>}
// -----
func.func @rank(%l: tensor<8xf32>) {
  // expected-error @+1 {{C1: expected logits of rank 2, found rank 1}}
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 2>) : tensor<8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}
// -----
func.func @element(%l: tensor<?x8xi32>) {
  // expected-error @+1 {{C1: expected logits of a float element type, found 'i32'}}
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 2>) : tensor<?x8xi32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}
// -----
func.func @dynamic_experts(%l: tensor<?x?xf32>) {
  // expected-error @+1 {{C1: expected dimension 1 of logits to be static, found 'tensor<?x?xf32>'}}
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 2>) : tensor<?x?xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}
// -----
func.func @too_many(%l: tensor<?x8xf32>) {
  // expected-error @+1 {{C2: expected k <= 8 experts, found 9}}
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 9>) : tensor<?x8xf32> -> tensor<?x9xi32>, tensor<?x9xf32>
  return
}
// -----
func.func @bias(%l: tensor<?x8xf32>, %b: tensor<4xf32>) {
  // expected-error @+1 {{C3: expected bias of shape [8], found [4]}}
  %e, %g = moe.route %l bias %b : tensor<4xf32> router(<score = softmax, over = all, k = 2>)
    : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}
// -----
func.func @mix(%l: tensor<?x8xf32>, %m: tensor<?x4xf32>) {
  // expected-error @+1 {{C3: expected mix of shape [?, 8], found [?, 4]}}
  %e, %g = moe.route %l mix %m : tensor<?x4xf32> router(<score = softmax, over = all, k = 2>)
    : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}
// -----
func.func @mix_over_selected(%l: tensor<?x8xf32>) {
  // expected-error @+1 {{C3: expected no mix where scores are over the selected experts}}
  %e, %g = moe.route %l mix %l : tensor<?x8xf32> router(<score = softmax, over = selected, k = 2>)
    : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}
// -----
func.func @uneven_groups(%l: tensor<?x8xf32>) {
  // expected-error @+1 {{C4: expected groups to divide 8 experts, found 3}}
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 2, select = group_limited, groups = 3>)
    : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}
// -----
func.func @kept_groups_too_small(%l: tensor<?x8xf32>) {
  // expected-error @+1 {{C4: expected k = 3 experts to fit into the kept groups, found 1 of 2 experts}}
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 3, select = group_limited, groups = 4>)
    : tensor<?x8xf32> -> tensor<?x3xi32>, tensor<?x3xf32>
  return
}
// -----
func.func @groups_of_one(%l: tensor<?x8xf32>) {
  // expected-error @+1 {{C4: expected groups of at least 2 experts for top2_sum, found 1}}
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 1, select = group_limited, groups = 8,
    group_score = top2_sum>) : tensor<?x8xf32> -> tensor<?x1xi32>, tensor<?x1xf32>
  return
}
// -----
func.func @result_shape(%l: tensor<4x8xf32>) {
  // expected-error @+1 {{C5: expected experts of shape [4, 2], found [5, 2]}}
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 2>) : tensor<4x8xf32> -> tensor<5x2xi32>, tensor<4x2xf32>
  return
}
// -----
func.func @result_element(%l: tensor<4x8xf32>) {
  // expected-error @+1 {{C5: expected gates of element type 'f32', found 'f16'}}
  %e, %g = moe.route %l router(<score = softmax, over = all, k = 2>) : tensor<4x8xf32> -> tensor<4x2xi32>, tensor<4x2xf16>
  return
}
// -----
func.func @biased_sums(%l: tensor<?x8xf32>, %b: tensor<8xf32>) {
  // expected-error @+1 {{C6: expected no bias for top_p}}
  %e, %g = moe.route %l bias %b : tensor<8xf32> router(<score = softmax, over = all, k = 8, select = top_p, bound = 0.6>)
    : tensor<?x8xf32> -> tensor<?x8xi32>, tensor<?x8xf32>
  return
}
// -----
func.func @mixed_mixer(%l: tensor<?x8xf32>, %m: tensor<?x8xf32>) {
  // expected-error @+1 {{C6: expected no mix for sparse_mixer}}
  %e, %g = moe.route %l mix %m : tensor<?x8xf32>
    router(<score = softmax, over = all, k = 2, select = sparse_mixer, bound = 0.02>)
    : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}
// -----
func.func @limited_rank(%e: tensor<?x2xi32>) {
  // expected-error @+1 {{C1: expected experts of rank 3, found rank 2}}
  %k = moe.limit_capacity %e experts 8 capacity 2 : tensor<?x2xi32>
  return
}
// -----
func.func @limited_element(%e: tensor<1x?x2xi64>) {
  // expected-error @+1 {{C1: expected experts of element type 'i32', found 'i64'}}
  %k = moe.limit_capacity %e experts 8 capacity 2 : tensor<1x?x2xi64>
  return
}
// -----
func.func @limited_nothing(%e: tensor<1x?x2xi32>) {
  // expected-error @+1 {{C2: expected at least one expert, found 0}}
  %k = moe.limit_capacity %e experts 0 capacity 2 : tensor<1x?x2xi32>
  return
}
// -----
func.func @no_capacity(%e: tensor<1x?x2xi32>) {
  // expected-error @+1 {{C2: expected a capacity of at least 1, found 0}}
  %k = moe.limit_capacity %e experts 8 capacity 0 : tensor<1x?x2xi32>
  return
}
// -----
func.func @group_element(%e: tensor<4x2xi64>) {
  // expected-error @+1 {{C1: expected experts of element type 'i32', found 'i64'}}
  %o, %r, %i = moe.group %e experts 8 : tensor<4x2xi64> -> tensor<9xi32>, tensor<8xi32>, tensor<8xi32>
  return
}
// -----
func.func @no_experts(%e: tensor<4x2xi32>) {
  // expected-error @+1 {{C1: expected at least one expert, found 0}}
  %o, %r, %i = moe.group %e experts 0 : tensor<4x2xi32> -> tensor<1xi32>, tensor<8xi32>, tensor<8xi32>
  return
}
// -----
func.func @offsets(%e: tensor<4x2xi32>) {
  // expected-error @+1 {{C2: expected offsets of shape [9], found [8]}}
  %o, %r, %i = moe.group %e experts 8 : tensor<4x2xi32> -> tensor<8xi32>, tensor<8xi32>, tensor<8xi32>
  return
}
// -----
func.func @rows(%e: tensor<4x2xi32>) {
  // expected-error @+1 {{C2: expected inverse of shape [8], found [4]}}
  %o, %r, %i = moe.group %e experts 8 : tensor<4x2xi32> -> tensor<9xi32>, tensor<8xi32>, tensor<4xi32>
  return
}
