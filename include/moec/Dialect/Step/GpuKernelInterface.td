//===- GpuKernelInterface.td - ops with a kernel of their own for GPUs -*- tablegen -*-===//
#ifndef MOEC_DIALECT_STEP_GPUKERNELINTERFACE
#define MOEC_DIALECT_STEP_GPUKERNELINTERFACE

include "mlir/IR/OpBase.td"

def GpuKernelOpInterface : OpInterface<"GpuKernelOpInterface"> {
  let cppNamespace = "::moec::step";
  let description = [{
    A kernel op (KernelOpInterface) whose dispatch on a GPU is one launch of a kernel written for blocks of threads.
    Ops without it, and instances without a launch shape, run the tasks of KernelOpInterface, one per thread at a time.

    The first three methods describe the launch. `buildBlockCount` and `buildWorkspaceBytes` are called on the host
    side, on the op with its tensor operands; they may create `tensor.dim` and `arith` ops on `index`, nothing that
    depends on tensor contents. `getLaunchShape` depends on types and attributes alone: host and kernel must get the
    same answer.

    `emitBlock` is called while the body of the kernel is built, inside a `gpu.func`. Operands and results are what
    KernelOpInterface says of `emitTasks`: dense row-major memrefs in the default address space, inputs and results
    never overlap, a destination is null or the scalar it is filled with. Every thread of every block runs the emitted
    code; it may use `gpu`, `nvgpu` and `nvvm` ops beside `scf`, `arith`, `memref`, `vector` and `math`. The result must
    not depend on the order in which blocks run. Whatever else a kernel needs in shared memory it takes from
    `context.shared`.
  }];
  let methods = [
    InterfaceMethod<"The shape of the launch, or none if this instance is left to the tasks of KernelOpInterface.",
      "::std::optional<::moec::step::GpuLaunchShape>", "getLaunchShape",
      (ins "const ::moec::step::GpuMachine &":$machine)>,
    InterfaceMethod<"The number of thread blocks, an `index`; zero is allowed and means nothing to do.",
      "::mlir::Value", "buildBlockCount", (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
        "const ::moec::step::GpuMachine &":$machine)>,
    InterfaceMethod<"Bytes of device memory that the launch may use, an `index`, or null for none.",
      "::mlir::Value", "buildWorkspaceBytes", (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
        "const ::moec::step::GpuMachine &":$machine),
      "", "return ::mlir::Value();">,
    InterfaceMethod<"Emits what one thread of one block computes. Fails with a diagnostic on the op.",
      "::llvm::LogicalResult", "emitBlock", (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
        "const ::moec::step::GpuKernelContext &":$context, "::mlir::ValueRange":$operands,
        "::mlir::ValueRange":$results)>
  ];
}

#endif
