//===- MoeKernels.cpp - registration of the moe kernels ---------------------===//

#include "MoeKernels.h"

#include "moec/Conversion/Kernels.h"
#include "moec/Dialect/Moe/Moe.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

void moec::registerMoeKernels(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                  vector::VectorDialect>();
  registry.addExtension(+[](MLIRContext *context, moe::MoeDialect *) {
    context->loadDialect<arith::ArithDialect, math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                         vector::VectorDialect>();
    attachRouteKernel(context);
    attachLimitCapacityKernel(context);
    attachGroupKernel(context);
    attachGroupedMatmulKernel(context);
    attachCombineKernel(context);
  });
}
