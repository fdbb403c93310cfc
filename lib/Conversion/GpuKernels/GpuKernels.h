//===- GpuKernels.h - the external models of kernels for GPUs, by file --------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_GPUKERNELS_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_GPUKERNELS_H

namespace mlir {
class MLIRContext;
}

namespace moec {

// Each attaches the kernels of one file; registerGpuKernels calls them when the ops' dialect is loaded.
void attachGroupedMatmulGpuKernel(mlir::MLIRContext *context);
void attachNnAttentionGpuKernel(mlir::MLIRContext *context);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_GPUKERNELS_H
