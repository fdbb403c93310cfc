//===- NnKernels.h - kernels of the nn dialect, by file ----------------------===//
#ifndef MOEC_LIB_CONVERSION_KERNELS_NNKERNELS_H
#define MOEC_LIB_CONVERSION_KERNELS_NNKERNELS_H

namespace mlir {
class MLIRContext;
}

namespace moec {

// Each attaches the kernels of one file; registerNnKernels calls them when the dialect is loaded.
void attachNnAttentionKernel(mlir::MLIRContext *context);
void attachNnGatherKernels(mlir::MLIRContext *context);
void attachNnNormKernels(mlir::MLIRContext *context);
void attachNnRotaryKernel(mlir::MLIRContext *context);
void attachNnStateKernel(mlir::MLIRContext *context);
void attachNnScatterKernels(mlir::MLIRContext *context);
void attachNnSelectionKernels(mlir::MLIRContext *context);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_KERNELS_NNKERNELS_H
