//===- GpuKernels.cpp - registration of the kernels for GPUs ----------------===//

#include "moec/Conversion/GpuKernels.h"
#include "GpuKernels.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

void moec::registerGpuKernels(DialectRegistry &registry) { registry.insert<gpu::GPUDialect, NVVM::NVVMDialect>(); }
