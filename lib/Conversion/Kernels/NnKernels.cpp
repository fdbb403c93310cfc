//===- NnKernels.cpp - registration of the kernels of the nn dialect ---------===//

#include "NnKernels.h"
#include "moec/Conversion/Kernels.h"
#include "moec/Dialect/Nn/Nn.h"

using namespace mlir;

void moec::registerNnKernels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, nn::NnDialect *) {
    attachNnAttentionKernel(context);
    attachNnGatherKernels(context);
    attachNnNormKernels(context);
    attachNnRotaryKernel(context);
    attachNnStateKernel(context);
    attachNnScatterKernels(context);
    attachNnSelectionKernels(context);
  });
}
