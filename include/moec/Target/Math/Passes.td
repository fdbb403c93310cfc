//===- Passes.td - passes of lib/Target/Math -----------------------------*- tablegen -*-===//
#ifndef MOEC_TARGET_MATH_PASSES
#define MOEC_TARGET_MATH_PASSES

include "mlir/Pass/PassBase.td"

def ExpandMath : Pass<"moe-expand-math"> {
  let summary = "replace transcendental functions by arithmetic";
  let description = [{
    Kernels call no library: exp, log, tanh, erf, sin, cos and what derives from them become polynomials on f32 and f64
    (scalar and vector, a few units in the last place); f16 and bf16 go through f32. Sine, cosine and tangent of f64 are
    NaN beyond 2^50. A function without an expansion for its type is an error. Integers become f16 and bf16 by way of f32.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::vector::VectorDialect",
    "::mlir::x86vector::X86VectorDialect"];
}

def MathToIntrinsics : Pass<"moe-math-to-intrinsics"> {
  let summary = "replace functions that instructions compute by LLVM's intrinsics";
  let description = [{
    Precondition: after moe-expand-math. Conversions for GPUs would turn these functions, and the minimum and maximum of
    numbers, into calls of a device library; kernels call none. Tests of the kind of a float become comparisons.

    ```mlir
    %0 = math.floor %x : f32
    ```
    becomes
    ```mlir
    %0 = llvm.call_intrinsic "llvm.floor"(%x) : (f32) -> f32
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect"];
}

#endif
