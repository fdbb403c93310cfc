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
// Optimize: products and weights
//===----------------------------------------------------------------------===//

def DecomposeExperts : Pass<"moe-decompose-experts"> {
  let summary = "split routed layers into grouping, two grouped products and combination";
  let description = [{
    Precondition: `moe.experts` with an activation in any of its layouts. Each becomes `moe.group`, a `moe.grouped_matmul`
    that gathers rows and ends in the activation, one for the second product, and `moe.combine`. A third weight is
    concatenated to the first. With `weight_on = input` the gates scale the gathered rows, otherwise the combination.
    `moe.layer` moves to both products.

    ```mlir
    %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<kind = silu>) : …
    ```
    becomes
    ```mlir
    %offsets, %order, %inverse = moe.group %e experts 8 : …
    %h = moe.grouped_matmul %x by %w1 offsets %offsets order %order columns 64 activation(<kind = silu>) {rows_per_token = 2 : i64} : …
    %r = moe.grouped_matmul %h by %w2 offsets %offsets columns 32 activation(<kind = identity>) : …
    %y = moe.combine %r inverse %inverse gates %g slots 2 : …
    ```
  }];
  let dependentDialects = ["::moec::moe::MoeDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def FormDenseMatmul : Pass<"moe-form-dense-matmul"> {
  let summary = "compute products with a weight as grouped matmuls of one group";
  let description = [{
    A linalg contraction that starts from zeros, of an activation whose last dimension is summed, with a weight of rank 2,
    where the weight's other dimension is the last of the result, becomes a `moe.grouped_matmul` without offsets on the
    rows collapsed into one dimension. A weight `[K, N]` is transposed; f16 and bf16 activations are extended first where
    the result is f32.

    ```mlir
    %y = linalg.generic {…contraction (b, m, n, k)…} ins(%x, %w : tensor<?x?x64xf32>, tensor<64x32xf32>) outs(%zeros : tensor<?x?x32xf32>)
    ```
    becomes
    ```mlir
    %rows = tensor.collapse_shape %x [[0, 1], [2]] : tensor<?x?x64xf32> into tensor<?x64xf32>
    %t = linalg.transpose ins(%w) outs(%empty) permutation = [1, 0]
    %w3 = tensor.expand_shape %t [[0, 1], [2]] output_shape [1, 32, 64] : tensor<32x64xf32> into tensor<1x32x64xf32>
    %r = moe.grouped_matmul %rows by %w3 columns 32 activation(<kind = identity>) : …
    %y = tensor.expand_shape %r [[0, 1], [2]] output_shape [%b, %m, 32] : tensor<?x32xf32> into tensor<?x?x32xf32>
    ```
  }];
  let dependentDialects = ["::moec::moe::MoeDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect"];
}

def EncodeWeights : Pass<"moe-encode-weights"> {
  let summary = "give the weights of products their stored form";
  let description = [{
    Every `moe.grouped_matmul` whose w is computed from weights alone gets it as panels (`moe.pack_panels`). With a gated
    activation the gate and the linear rows become alternating panels, the bias follows, and the layout becomes `panels`.
    Without this pass products run on the plain form, slowly. moe-hoist-weight-expressions then moves the packing into a
    `moe.weight`. A weight that is dequantised from 2, 4 or 8 bits keeps its integers, if blocks have
    16 values or a multiple of 32: the panels are of words (`moe.pack_words`), and scales and zero points follow as
    operands.

    ```mlir
    %w = moe.load_weight @w : tensor<8x64x32xf32>
    %h = moe.grouped_matmul %x by %w … columns 64 activation(<kind = swiglu, layout = concatenated>)
    ```
    becomes
    ```mlir
    %gate = tensor.extract_slice %w[0, 0, 0] [8, 32, 32] [1, 1, 1] : …
    %linear = tensor.extract_slice %w[0, 32, 0] [8, 32, 32] [1, 1, 1] : …
    %p = moe.pack_panels %gate linear %linear : (tensor<8x32x32xf32>, tensor<8x32x32xf32>) -> tensor<8x4x32x16xf32>
    %h = moe.grouped_matmul %x by %p … columns 64 activation(<kind = swiglu, layout = panels>)
    ```
  }];
  let dependentDialects = ["::moec::moe::MoeDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def FuseElementwise : Pass<"moe-fuse-elementwise"> {
  let summary = "compute chains of elementwise linalg ops in one";
  let description = [{
    A `linalg` op with parallel loops alone and one reader moves into it, unless the reader would compute its values more
    than once: a product reads each row for every column. What only moves or converts values moves in anyway.

    ```mlir
    %0 = linalg.generic {…} ins(%x) … { math.exp }     // parallel (i)
    %1 = linalg.generic {…} ins(%0) … { arith.negf }   // parallel (i)
    ```
    becomes
    ```mlir
    %1 = linalg.generic {…} ins(%x) … { math.exp, arith.negf }
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def HoistWeightExpressions : Pass<"moe-hoist-weight-expressions", "::mlir::ModuleOp"> {
  let summary = "let the writer compute what depends on weights alone";
  let description = [{
    Each tensor of floats or bytes, and each result of moe.pack_panels, that is computed from weights and constants by the ops that
    the region of a `moe.weight` may hold (its C4) becomes a `moe.weight`. An op used by several of these expressions becomes a weight of its own, which they
    load, so that the work is linear in the size of the module.

    ```mlir
    %w = moe.load_weight @w : tensor<1x16x8xf32>
    %p = moe.pack_panels %w : (tensor<1x16x8xf32>) -> tensor<1x1x8x16xf32>
    ```
    becomes
    ```mlir
    %p = moe.load_weight @w.pack_panels : tensor<1x1x8x16xf32>
    moe.weight @w.pack_panels : tensor<1x1x8x16xf32> {
      %0 = moe.load_weight @w : tensor<1x16x8xf32>
      %1 = moe.pack_panels %0 : (tensor<1x16x8xf32>) -> tensor<1x1x8x16xf32>
      moe.yield %1 : tensor<1x1x8x16xf32>
    }
    ```
  }];
  let dependentDialects = ["::moec::moe::MoeDialect", "::moec::onnx::OnnxDialect"];
}

def NarrowInputs : Pass<"moe-narrow-inputs", "::mlir::ModuleOp"> {
  let summary = "make extents of inputs static that every run must have";
  let description = [{
    Precondition: `onnx.dims` of `main`. A `step.check` outside of regions that a dimension of an input is a constant goes,
    and that dimension becomes static in the function's type, with all of its symbol in other inputs and in results of
    known extents. What a run is given is then checked as all inputs are, and what a state looks like before the first
    step is known.

    ```mlir
    %d = tensor.dim %past, %c3 : tensor<?x2x?x?xf32>
    %ok = arith.cmpi eq, %d, %c16 : index
    step.check %ok, "extents differ" : i1
    ```
    becomes nothing, and `%past` a `tensor<?x2x?x16xf32>`.
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
}

def PlaceState : Pass<"moe-place-state", "::mlir::ModuleOp"> {
  let summary = "keep key and value caches in place";
  let description = [{
    Precondition: `moe.states` of the module; caches are `tensor.concat dim(2)` of an input and new positions, perhaps
    with an `nn.kv_append` behind it that moves these to the ends of sequences of different lengths. Where the input has
    no other use and the output is read only by `nn.attention`, whose keys and values are both of this kind, the
    concatenation becomes `step.state_buffer` and `nn.kv_append`, attention gets the number of keys, and the state is
    marked `in_place`. Without this pass each step copies its caches; the results have the same bits.

    ```mlir
    %present = tensor.concat dim(2) %past, %new : (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
    ```
    becomes
    ```mlir
    %buffer, %capacity = step.state_buffer 0 axis 2 like %past length %length : tensor<1x2x?x8xf32> -> tensor<1x2x?x8xf32>
    %present = nn.kv_append %new to %buffer at %held : tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32> -> tensor<1x2x?x8xf32>
    ```
  }];
  let dependentDialects = ["::moec::step::StepDialect", "::moec::nn::NnDialect", "::mlir::tensor::TensorDialect",
    "::mlir::arith::ArithDialect"];
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
    become `moe.weight`s. The host function keeps a `step.dispatch` with extents, grid, work and scratch size; with the
    option `gpu` also with the thread blocks and workspace of a launch there.

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
  let options = [Option<"gpu", "gpu", "std::string", "\"\"", "GPU that the file holds code for, none if empty">,
    Option<"plainF32", "plain-f32", "bool", "false", "there, multiply f32 by weights without parts in tf32">];
  let statistics = [Statistic<"kernelCount", "num-kernels", "distinct kernels">];
}

def FormStepProgram : Pass<"moe-form-step-program", "::mlir::ModuleOp"> {
  let summary = "turn the host function into a step program";
  let description = [{
    Precondition: after moe-form-kernels, with host arithmetic lowered to `arith` on integers. The host function becomes
    a `step.program` of the same name: extents are registers, tensors are slots, views share their source's slot, a
    dispatch result that is returned is written to its output directly. The function stays as a declaration that carries
    the signature. The scalars of a `step.launch` are, per kernel argument, its dynamic extents or the scalar itself,
    then the dynamic extents of the results. `scf.if` and `scf.while` become blocks: what crosses a join is an argument of
    its block, a tensor in memory of its own.
  }];
  let dependentDialects = ["::moec::step::StepDialect", "::mlir::cf::ControlFlowDialect"];
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

def EmitGpuKernels : Pass<"moe-emit-gpu-kernels", "::mlir::ModuleOp"> {
  let summary = "emit the kernels of one GPU variant";
  let description = [{
    For each `step.kernel`, a kernel function of the same name in a new `gpu.module` named after the chip, with the
    parameters of moert_kernel_abi.h: a pointer per tensor argument and per result, the scalars, then workspace, flags,
    status and task count. `moe.launch` keeps the launch shape. An op that implements GpuKernelOpInterface and has a
    launch shape emits its block; any other runs its tasks, each thread one at a time, scratch memory taken from the
    workspace, and raises the status at the end.

    ```mlir
    step.kernel @nn_softmax(%arg0: tensor<?x8xf32>) {…}
    ```
    becomes
    ```mlir
    gpu.module @sm_80 [#nvvm.target<O = 3, chip = "sm_80", features = "+ptx70">] {
      gpu.func @nn_softmax(%x: !llvm.ptr<1>, %y: !llvm.ptr<1>, %n: i64, %m: i64, %workspace: !llvm.ptr<1>,
          %flags: !llvm.ptr<1>, %status: !llvm.ptr<1>, %tasks: i64) kernel attributes {moe.launch = {threads = 64, …}} {
        …
        scf.for %task = %thread to %tasks step %threads {…}
        gpu.return
      }
    }
    ```
  }];
  let options = [Option<"gpu", "gpu", "std::string", "\"sm_80\"", "the GPU to emit code for">,
    Option<"plainF32", "plain-f32", "bool", "false", "multiply f32 by weights without parts in tf32">];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::NVVM::NVVMDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect",
    "::mlir::math::MathDialect", "::mlir::affine::AffineDialect"];
}

#endif
