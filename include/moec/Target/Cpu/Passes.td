//===- Passes.td - passes of lib/Target/Cpu ------------------------------*- tablegen -*-===//
#ifndef MOEC_TARGET_CPU_PASSES
#define MOEC_TARGET_CPU_PASSES

include "mlir/Pass/PassBase.td"

def WrapKernels : Pass<"moe-wrap-kernels", "::mlir::ModuleOp"> {
  let summary = "add the entry points that the runtime calls";
  let description = [{
    Precondition: kernels are `llvm.func`s with `moe.argument_types`. Each becomes internal `name.tasks`, and a function
    `name` of type moert_kernel_fn_t reads buffers and scalars, builds dense descriptors and calls it. Buffers are marked
    as not overlapping.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def ExpandMissingInstructions : Pass<"moe-expand-missing-instructions", "::mlir::ModuleOp"> {
  let summary = "replace operations that a code variant has no instruction for";
  let description = [{
    Precondition: the module is named after a code variant, and `arith`, `math` and `vector` ops are not lowered. Without
    instructions for them, a fused multiply-add becomes a product and a sum (f32), or these with the rests that rounding
    took (f64), and conversions between f16 and f32 become integer arithmetic. As calls they would need a library.

    ```mlir
    module @"x86-64-v2" {
      … %0 = math.fma %a, %b, %c : vector<4xf32>
    ```
    becomes
    ```mlir
      … %0 = arith.mulf %a, %b : vector<4xf32>
        %1 = arith.addf %0, %c : vector<4xf32>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def NarrowFloatsAsBits : Pass<"moe-narrow-floats-as-bits"> {
  let summary = "replace bf16 and f16 by i16 in LLVM functions";
  let description = [{
    Precondition: conversions from and to bf16 are integer arithmetic, so that bf16 values are only loaded, stored, moved
    and cast. Code generators soften other uses of the type, moves among them, by calls into a run-time library that
    kernels do not have. The same holds for f16 in a function without `llvm.fpext` from it and `llvm.fptrunc` to it.

    ```mlir
    %0 = llvm.load %p : !llvm.ptr -> bf16
    ```
    becomes
    ```mlir
    %0 = llvm.load %p : !llvm.ptr -> i16
    ```
  }];
}

#endif
