// RUN: moe-opt %s --moe-narrow-inputs --canonicalize --split-input-file | FileCheck %s

// A checked extent holds for all of its symbol, also in results whose extent is known.

// CHECK: func.func @main(%{{.*}}: tensor<?x2x?x16xf32> {onnx.dims = ["b", "", "past", ""]}
// CHECK-SAME: %{{.*}}: tensor<?x16xf32> {onnx.dims = ["b", ""]}
// CHECK-SAME: -> (tensor<?x16xf32> {onnx.dims = ["b", ""]}, tensor<?x?xf32> {onnx.dims = ["b", "d"]})
// CHECK-NOT: step.check
func.func @main(%past: tensor<?x2x?x?xf32> {onnx.dims = ["b", "", "past", "d"]}, %x: tensor<?x?xf32> {onnx.dims = ["b", "d"]},
                %y: tensor<?x?xf32>) -> (tensor<?x?xf32> {onnx.dims = ["b", "d"]}, tensor<?x?xf32> {onnx.dims = ["b", "d"]}) {
  %c3 = arith.constant 3 : index
  %c16 = arith.constant 16 : index
  %d = tensor.dim %past, %c3 : tensor<?x2x?x?xf32>
  %ok = arith.cmpi eq, %d, %c16 : index
  step.check %ok, "extents differ" : i1
  %known = tensor.cast %x : tensor<?x?xf32> to tensor<?x16xf32>
  %softmax = nn.softmax %known : tensor<?x16xf32>
  %result = tensor.cast %softmax : tensor<?x16xf32> to tensor<?x?xf32>
  return %result, %y : tensor<?x?xf32>, tensor<?x?xf32>
}

// -----

// A check in a region need not run, a difference from another extent says nothing about a constant.

// CHECK: func.func @main(%{{.*}}: tensor<?xf32> {onnx.dims = ["n"]}, %{{.*}}: tensor<?xf32> {onnx.dims = ["m"]}
// CHECK-COUNT-2: step.check
func.func @main(%x: tensor<?xf32> {onnx.dims = ["n"]}, %y: tensor<?xf32> {onnx.dims = ["m"]}, %c: i1) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c16 = arith.constant 16 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %m = tensor.dim %y, %c0 : tensor<?xf32>
  %same = arith.cmpi eq, %n, %m : index
  step.check %same, "extents differ" : i1
  scf.if %c {
    %ok = arith.cmpi eq, %n, %c16 : index
    step.check %ok, "extents differ" : i1
  }
  return %x : tensor<?xf32>
}
