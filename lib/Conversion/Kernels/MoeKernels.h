//===- MoeKernels.h - the external models of the moe ops --------------------===//
#ifndef MOEC_LIB_CONVERSION_KERNELS_MOEKERNELS_H
#define MOEC_LIB_CONVERSION_KERNELS_MOEKERNELS_H

namespace mlir {
class MLIRContext;
}

namespace moec {

void attachRouteKernel(mlir::MLIRContext *context);
void attachLimitCapacityKernel(mlir::MLIRContext *context);
void attachGroupKernel(mlir::MLIRContext *context);
void attachGroupedMatmulKernel(mlir::MLIRContext *context);
void attachCombineKernel(mlir::MLIRContext *context);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_KERNELS_MOEKERNELS_H
