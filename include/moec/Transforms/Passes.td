//===- Passes.td - passes of lib/Transforms ------------------------------*- tablegen -*-===//
#ifndef MOEC_TRANSFORMS_PASSES
#define MOEC_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// Optimize: the table of MoE layers
//===----------------------------------------------------------------------===//

def RecordLayers : Pass<"moe-record-layers", "::mlir::ModuleOp"> {
  let summary = "number the MoE layers and describe them for the file";
  let description = [{
    Precondition: routed layers are `moe.experts`. Each gets `moe.layer`, an entry in `moe.layers` of the module (name,
    form, router in words, experts, selected) and a `step.routing` in front that reports its experts and gates at run
    time to who asks for them.
  }];
  let dependentDialects = ["::moec::step::StepDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def LocateExperts : Pass<"moe-locate-experts", "::mlir::ModuleOp"> {
  let summary = "note which weights hold the experts of a layer";
  let description = [{
    Precondition: after moe-decompose-experts and moe-encode-weights. The weights of the `moe.grouped_matmul`s that
    carry `moe.layer` become `weights` of the layer's entry in `moe.layers`; the writer derives each expert's bytes.
  }];
}

//===----------------------------------------------------------------------===//
// Schedule: kernels and the step program
//===----------------------------------------------------------------------===//

def FormKernels : Pass<"moe-form-kernels", "::mlir::ModuleOp"> {
  let summary = "outline kernel ops and share equal ones";
  let description = [{
    Precondition: the host function holds ops that implement KernelOpInterface, index arithmetic, views and scalar reads.
    Each kernel op moves into a `step.kernel` together with the destinations (`tensor.empty`, `linalg.fill`) and scalar
    constants it uses; everything else it uses becomes an argument. Kernels with equal text are one. Tensor constants
    become `moe.weight`s. The host function keeps a `step.dispatch` with extents, grid, work and scratch size.

    ```mlir
    %0 = nn.softmax %x : tensor<?x8xf32>
    ```
    becomes
    ```mlir
    %0 = step.dispatch @nn_softmax(%x) dims(%t) grid(%g) work(%n) scratch(%c0) : (tensor<?x8xf32>) -> tensor<?x8xf32>
    step.kernel @nn_softmax(%arg0: tensor<?x8xf32>) {
      %0 = nn.softmax %arg0 : tensor<?x8xf32>
      step.yield %0 : tensor<?x8xf32>
    }
    ```
  }];
  let dependentDialects = ["::moec::step::StepDialect", "::moec::moe::MoeDialect", "::mlir::affine::AffineDialect"];
  let statistics = [Statistic<"kernelCount", "num-kernels", "distinct kernels">];
}

def FormStepProgram : Pass<"moe-form-step-program", "::mlir::ModuleOp"> {
  let summary = "turn the host function into a step program";
  let description = [{
    Precondition: after moe-form-kernels, with host arithmetic lowered to `arith` on integers. The host function becomes
    a `step.program` of the same name: extents are registers, tensors are slots, views share their source's slot, a
    dispatch result that is returned is written to its output directly. The function stays as a declaration that carries
    the signature. The scalars of a `step.launch` are, per kernel argument, its dynamic extents or the scalar itself,
    then the dynamic extents of the results.
  }];
  let dependentDialects = ["::moec::step::StepDialect"];
}

def PlanBuffers : Pass<"moe-plan-buffers", "::moec::step::ProgramOp"> {
  let summary = "give memory back after its last use";
  let description = [{
    Adds a `step.free` behind the last use of every `step.alloc`, uses through aliases included, and removes allocations
    without uses. Without this pass results stay right; memory is given back when the run ends.
  }];
}

//===----------------------------------------------------------------------===//
// Lower: kernel bodies
//===----------------------------------------------------------------------===//

def EmitKernels : Pass<"moe-emit-kernels", "::mlir::ModuleOp"> {
  let summary = "emit the kernels of one code variant on memrefs";
  let description = [{
    For each `step.kernel`, a function of the same name in a new nested module named after the variant: one memref per
    tensor argument and per result, scalars as they are, scratch memory, and the range of tasks; returns the kernel's
    status. `moe.argument_types` keeps these types for the call from the runtime.
  }];
  let options = [
    Option<"variant", "variant", "std::string", "\"x86-64-v3\"", "name of the code variant">,
    Option<"vectorLanes", "vector-lanes", "int64_t", "8", "f32 lanes of a vector register">,
    Option<"vectorRegisters", "vector-registers", "int64_t", "16", "vector registers">];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect", "::mlir::math::MathDialect", "::mlir::affine::AffineDialect"];
}

#endif
