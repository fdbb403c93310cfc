//===- KernelInterface.td - ops that become kernels --------------*- tablegen -*-===//
#ifndef MOEC_DIALECT_STEP_KERNELINTERFACE
#define MOEC_DIALECT_STEP_KERNELINTERFACE

include "mlir/IR/OpBase.td"

def KernelOpInterface : OpInterface<"KernelOpInterface"> {
  let cppNamespace = "::moec::step";
  let description = [{
    An op on tensors that runs as one kernel: a grid of independent tasks.

    The first three methods describe the dispatch and are called on the host side, on the op with its tensor operands;
    they may create `tensor.dim` and `arith` ops on `index`, nothing that depends on tensor contents. `emitTasks` is
    called while the body of the outlined kernel is built, once per code variant; `operands` then holds a dense
    row-major `memref` for each tensor operand and the scalar itself for each scalar operand, in operand order, and
    `results` one memref per result. An operand that only initialises a result (a destination) is null where its
    contents do not matter (a tensor.empty), and the scalar it is filled with where it is a linalg.fill. Inputs and results never overlap. The emitted code must compute the same task
    decomposition from the extents of these memrefs.

    Implementations are external models registered beside the code that emits (lib/Conversion), so that the dialects do
    not depend on code generation. The shapes of the results come from ReifyRankedShapedTypeOpInterface.
  }];
  let methods = [
    InterfaceMethod<"The number of tasks, an `index`; zero is allowed and means nothing to do.",
      "::mlir::Value", "buildTaskCount", (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc)>,
    InterfaceMethod<[{
        The number of tasks of TaskSize::Thread, an `index`, or null if the op has no tasks that small. They need no
        scratch memory. May be called on the host side and while the kernel is built.
      }],
      "::mlir::Value", "buildThreadTaskCount", (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc),
      "", "return ::mlir::Value();">,
    InterfaceMethod<"An estimate of the scalar operations of all tasks together, an `index`.",
      "::mlir::Value", "buildWork", (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc)>,
    InterfaceMethod<"Bytes of scratch memory a worker needs while it runs tasks, an `index`, or null for none.",
      "::mlir::Value", "buildScratchBytes", (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc),
      "", "return ::mlir::Value();">,
    InterfaceMethod<[{
        The operand whose buffer the only result takes over, if any: the kernel does not see the operand, and the
        result's memref holds what the operand held.
      }],
      "::mlir::OpOperand *", "getTiedOperand", (ins), "", "return nullptr;">,
    InterfaceMethod<"Which bytes of operands the tasks read, where that can be told for a trace.",
      "::llvm::SmallVector<::moec::step::TaskReads>", "getTaskReads", (ins), "", "return {};">,
    InterfaceMethod<[{
        Emits a loop over tasks [begin, end), both `index`, at the builder's insertion point. Fails with a diagnostic
        on the op.
      }],
      "::llvm::LogicalResult", "emitTasks", (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
        "const ::moec::step::KernelContext &":$context, "::mlir::ValueRange":$operands,
        "::mlir::ValueRange":$results, "::mlir::Value":$begin, "::mlir::Value":$end)>
  ];
}

#endif
