//===- GpuKernels.h - the external models of kernels for GPUs, by file --------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_GPUKERNELS_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_GPUKERNELS_H

namespace mlir {
class MLIRContext;
}

namespace moec {

// Each attaches the kernels of one file; registerGpuKernels calls them when the ops' dialect is loaded.
void attachCombineGpuKernel(mlir::MLIRContext *context);
void attachGroupGpuKernel(mlir::MLIRContext *context);
void attachGroupedMatmulGpuKernel(mlir::MLIRContext *context);
void attachLimitCapacityGpuKernel(mlir::MLIRContext *context);
void attachLinalgGpuKernels(mlir::MLIRContext *context);
void attachNnAttentionGpuKernel(mlir::MLIRContext *context);
void attachNnCopyGpuKernels(mlir::MLIRContext *context);
void attachNnCumSumGpuKernel(mlir::MLIRContext *context);
void attachNnNonzeroGpuKernel(mlir::MLIRContext *context);
void attachNnNormGpuKernels(mlir::MLIRContext *context);
void attachNnRotaryGpuKernel(mlir::MLIRContext *context);
void attachNnScatterGpuKernels(mlir::MLIRContext *context);
void attachNnSelectionGpuKernels(mlir::MLIRContext *context);
void attachRouteGpuKernel(mlir::MLIRContext *context);
void attachTensorCopyGpuKernels(mlir::MLIRContext *context);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_GPUKERNELS_H
