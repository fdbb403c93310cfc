//===- Passes.td - passes of lib/Target/Cuda -----------------------------*- tablegen -*-===//
#ifndef MOEC_TARGET_CUDA_PASSES
#define MOEC_TARGET_CUDA_PASSES

include "mlir/Pass/PassBase.td"

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
