//===- CudaTarget.h - code for NVIDIA GPUs ----------------------------------===//
#ifndef MOEC_TARGET_CUDA_CUDATARGET_H
#define MOEC_TARGET_CUDA_CUDATARGET_H

#include "moec/Target/Cuda/GpuImage.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir {
class OpPassManager;
}

namespace moec {

/// How ops become LLVM's; the pipeline below needs it.
void registerCudaLowering(mlir::DialectRegistry &registry);

/// Lowers a gpu.module of moe-emit-gpu-kernels to the LLVM dialect with NVVM's ops. Anchored on gpu.module.
void buildCudaLoweringPipeline(mlir::OpPassManager &pm);

/// Where the CUDA toolkit's assembler is: on the path, else where it was when moec was built; empty if nowhere.
std::string findPtxAssembler();

/// Compiles a lowered gpu.module to PTX, and to a cubin if `assembler` names a ptxas. Diagnostics go to the module's
/// context.
llvm::FailureOr<GpuImage> compileGpuImage(mlir::gpu::GPUModuleOp module, llvm::StringRef assembler);

/// Translates a lowered gpu.module to PTX for its target and checks that the text stands alone.
llvm::FailureOr<std::string> compileToPtx(mlir::gpu::GPUModuleOp module);

/// Assembles PTX for a chip. What ptxas reports goes to `log`; without a cubin it says why.
std::optional<GpuCubin> assemblePtx(llvm::StringRef assembler, llvm::StringRef ptx, uint32_t computeCapability,
                                    std::string &log);

/// Notes registers and spills of the entries from what `ptxas -v` reports.
void readAssemblerLog(llvm::StringRef log, llvm::StringMap<GpuEntry> &entries);

} // namespace moec

#endif // MOEC_TARGET_CUDA_CUDATARGET_H
