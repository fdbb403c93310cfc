//===- Passes.td - passes of lib/Target/Cuda -----------------------------*- tablegen -*-===//
#ifndef MOEC_TARGET_CUDA_PASSES
#define MOEC_TARGET_CUDA_PASSES

include "mlir/Pass/PassBase.td"

def ApproximateGpuMath : Pass<"moe-approximate-gpu-math"> {
  let summary = "compute exp, tanh and erf with the power of two of the processor";
  let description = [{
    Functions of f32 scalars whose flags allow approximation (`afn`) become few instructions around `ex2.approx`. What
    rounding adds to the error of a result: for exp |x| 2^-23 of it, so that e^x for x <= 0 is as exact as f32 states
    numbers next to 1; for tanh 2^-22, for erf 2^-21 in all. Other functions are left to moe-expand-math.

    ```mlir
    %0 = math.exp %x fastmath<afn> : f32
    ```
    becomes
    ```mlir
    %log2e = arith.constant 1.44269502 : f32
    %scaled = arith.mulf %x, %log2e : f32
    %0 = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz"(%scaled) : (f32) -> f32
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::LLVM::LLVMDialect"];
}

def LowerGpuVectors : Pass<"moe-lower-gpu-vectors"> {
  let summary = "reduce vectors to what the LLVM dialect states";
  let description = [{
    A thread has no vector registers: vectors are short and become scalars. Masks become comparisons of lane numbers,
    masked loads and stores become conditional ones of scalars, broadcasts, transpositions and shape casts become
    insertions of one-dimensional vectors.

    ```mlir
    %mask = vector.create_mask %n : vector<1xi1>
    vector.maskedstore %memref[%i], %mask, %v : memref<?xf32>, vector<1xi1>, vector<1xf32>
    ```
    becomes
    ```mlir
    %inside = vector.extract %mask[0] : i1 from vector<1xi1>
    scf.if %inside {
      %x = vector.extract %v[0] : f32 from vector<1xf32>
      memref.store %x, %memref[%i] : memref<?xf32>
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"];
}

#endif
