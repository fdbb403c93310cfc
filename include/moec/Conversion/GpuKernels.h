//===- GpuKernels.h - how ops run as kernels on GPUs ------------------------===//
//
// Registration of the external models of step::GpuKernelOpInterface.
//
#ifndef MOEC_CONVERSION_GPUKERNELS_H
#define MOEC_CONVERSION_GPUKERNELS_H

namespace mlir {
class DialectRegistry;
}

namespace moec {

/// Ops with kernels written for blocks of threads; the others run their tasks.
void registerGpuKernels(mlir::DialectRegistry &registry);

} // namespace moec

#endif // MOEC_CONVERSION_GPUKERNELS_H
