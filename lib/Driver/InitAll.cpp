//===- InitAll.cpp - all dialects and passes --------------------------------===//

#include "moec/InitAll.h"
#include "moec/Conversion/GpuKernels.h"
#include "moec/Conversion/Kernels.h"
#include "moec/Conversion/Passes.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Onnx/Onnx.h"
#include "moec/Dialect/Step/Step.h"
#include "moec/Raise/Passes.h"
#include "moec/Target/Cpu/Passes.h"
#include "moec/Target/Cuda/CudaTarget.h"
#include "moec/Target/Cuda/Passes.h"
#include "moec/Target/Math/Passes.h"
#include "moec/Transforms/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Transforms/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Index/IR/IndexDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/Tensor/IR/TensorInferTypeOpInterfaceImpl.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void moec::registerAllDialects(DialectRegistry &registry) {
  registry.insert<moe::MoeDialect, nn::NnDialect, onnx::OnnxDialect, step::StepDialect>();
  registry
      .insert<affine::AffineDialect, arith::ArithDialect, bufferization::BufferizationDialect, cf::ControlFlowDialect,
              func::FuncDialect, index::IndexDialect, linalg::LinalgDialect, LLVM::LLVMDialect, math::MathDialect,
              memref::MemRefDialect, scf::SCFDialect, tensor::TensorDialect, vector::VectorDialect>();
  tensor::registerInferTypeOpInterfaceExternalModels(registry);
  registerLinalgKernels(registry);
  registerMoeKernels(registry);
  registerNnKernels(registry);
  registerTensorKernels(registry);
  registerGpuKernels(registry);
  registerCudaLowering(registry);
}

void moec::registerAllPasses() {
  registerConversionPasses();
  registerRaisePasses();
  registerTransformsPasses();
  registerTargetCpuPasses();
  registerTargetCudaPasses();
  registerTargetMathPasses();

  affine::registerAffinePasses();
  arith::registerArithPasses();
  memref::registerMemRefPasses();
  mlir::registerLinalgPasses();
  mlir::registerConversionPasses();
  mlir::registerTransformsPasses();
}
