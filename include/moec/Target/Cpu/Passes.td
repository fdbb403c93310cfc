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

def Bf16AsBits : Pass<"moe-bf16-as-bits"> {
  let summary = "replace bf16 by i16 in LLVM functions";
  let description = [{
    Precondition: conversions from and to bf16 are integer arithmetic, so that bf16 values are only loaded, stored, moved
    and cast. Code generators soften other uses of the type, moves among them, by calls into a run-time library that
    kernels do not have.

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
