//===- GpuKernels.cpp - registration of the kernels for GPUs ----------------===//

#include "moec/Conversion/GpuKernels.h"
#include "GpuKernels.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Nn/Nn.h"

using namespace mlir;

void moec::registerGpuKernels(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, gpu::GPUDialect, LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect,
                  NVVM::NVVMDialect, scf::SCFDialect, vector::VectorDialect>();
  registry.addExtension(+[](MLIRContext *context, moe::MoeDialect *) {
    context->loadDialect<arith::ArithDialect, LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect,
                         NVVM::NVVMDialect, scf::SCFDialect, vector::VectorDialect>();
    attachCombineGpuKernel(context);
    attachGroupGpuKernel(context);
    attachGroupedMatmulGpuKernel(context);
    attachLimitCapacityGpuKernel(context);
    attachRouteGpuKernel(context);
  });
  registry.addExtension(+[](MLIRContext *context, nn::NnDialect *) {
    context->loadDialect<arith::ArithDialect, LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect,
                         NVVM::NVVMDialect, scf::SCFDialect, vector::VectorDialect>();
    attachNnAttentionGpuKernel(context);
    attachNnCopyGpuKernels(context);
    attachNnCumSumGpuKernel(context);
    attachNnNonzeroGpuKernel(context);
    attachNnNormGpuKernels(context);
    attachNnRotaryGpuKernel(context);
    attachNnScatterGpuKernels(context);
    attachNnSelectionGpuKernels(context);
  });
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    context->loadDialect<arith::ArithDialect, LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect,
                         NVVM::NVVMDialect, scf::SCFDialect, vector::VectorDialect>();
    attachLinalgGpuKernels(context);
  });
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    context->loadDialect<arith::ArithDialect, LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect,
                         NVVM::NVVMDialect, scf::SCFDialect, vector::VectorDialect>();
    attachTensorCopyGpuKernels(context);
  });
}
