// The onnx ops round-trip; constants fold to themselves.
// RUN: moe-opt %s | moe-opt | FileCheck %s
// RUN: moe-opt %s --mlir-print-op-generic | moe-opt | FileCheck %s

// CHECK-LABEL: func @node
// CHECK-SAME: onnx.dims = ["batch", ""], onnx.elem_type = 1 : i32, onnx.name = "x"
func.func @node(%x: tensor<?x8xf32> {onnx.name = "x", onnx.elem_type = 1 : i32, onnx.dims = ["batch", ""]},
                %b: tensor<i1>, %u: tensor<4xui8>) -> tensor<?x2xf32> {
  // CHECK: onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  %k = onnx.constant dense<2> : tensor<1xi64> : tensor<1xi64>
  // CHECK: onnx.absent
  %none = onnx.absent
  // CHECK: %{{.*}}:2 = onnx.node "TopK"(%{{.*}}, %{{.*}}) {attrs = {axis = -1 : i64}, dims = {{\[\[}}"batch", ""], ["batch", ""]], name = "/topk", version = 11 : i64} :
  // CHECK-SAME: (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  %v, %i = onnx.node "TopK"(%x, %k) {version = 11 : i64, attrs = {axis = -1 : i64}, name = "/topk",
    dims = [["batch", ""], ["batch", ""]]} : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
  // CHECK: onnx.node "Clip"(%{{.*}}, %{{.*}}) {version = 13 : i64} : (tensor<?x2xf32>, none) -> tensor<?x2xf32>
  %c = onnx.node "Clip"(%v, %none) {version = 13 : i64} : (tensor<?x2xf32>, none) -> tensor<?x2xf32>
  // CHECK: onnx.node "MoE"(%{{.*}}) {domain = "com.microsoft", version = 1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %m = onnx.node "MoE"(%c) {domain = "com.microsoft", version = 1 : i64} : (tensor<?x2xf32>) -> tensor<?x2xf32>
  // CHECK: onnx.node "If"(%{{.*}}) ({
  // CHECK:   onnx.yield %{{.*}} : tensor<?x2xf32>
  // CHECK: }, {
  // CHECK: }) {region_names = ["then_branch", "else_branch"], version = 16 : i64} : (tensor<i1>) -> tensor<?x2xf32>
  %r = onnx.node "If"(%b) ({
    onnx.yield %m : tensor<?x2xf32>
  }, {
    onnx.yield %c : tensor<?x2xf32>
  }) {region_names = ["then_branch", "else_branch"], version = 16 : i64} : (tensor<i1>) -> tensor<?x2xf32>
  return %r : tensor<?x2xf32>
}
