//===- Passes.td - passes of lib/Conversion ------------------------------*- tablegen -*-===//
#ifndef MOEC_CONVERSION_PASSES
#define MOEC_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def ConvertOnnxToLinalg : Pass<"moe-convert-onnx-to-linalg", "::mlir::ModuleOp"> {
  let summary = "lowers every onnx.node to linalg, tensor, arith, math and nn ops";
  let description = [{
    Before: functions of one block, in which every `onnx.node` without a row in the tables of operators is unused.
    After: no op of the `onnx` dialect; integer types are signless, also those of arguments and of `moe.weight`. Tensors
    of up to 64 integers that compute shapes are `arith` on `index`; extents that the model only promises to be equal
    are confirmed by `step.check`. Other ops keep their types.

    ```mlir
    %y = onnx.node "Relu"(%x) {version = 14 : i64} : (tensor<4xf32>) -> tensor<4xf32>
    ```
    becomes
    ```mlir
    %zero = arith.constant 0.0 : f32
    %init = tensor.empty() : tensor<4xf32>
    %y = linalg.generic {…} ins(%x : tensor<4xf32>) outs(%init : tensor<4xf32>) {
    ^bb0(%a: f32, %b: f32):
      %m = arith.maximumf %a, %zero : f32
      linalg.yield %m : f32
    } -> tensor<4xf32>
    ```
    An operator without a row is an error: `no lowering for Foo-13 at node "/x"`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::tensor::TensorDialect", "::mlir::scf::SCFDialect", "::moec::nn::NnDialect",
    "::moec::step::StepDialect"];
}

#endif
