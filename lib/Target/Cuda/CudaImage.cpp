//===- CudaImage.cpp - a module of kernels becomes code of a GPU variant ----===//

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "moec/Dialect/Step/GpuKernelInterface.h"
#include "moec/Target/Cuda/CudaTarget.h"
#include "moert/moert_artifact.h"

using namespace mlir;
using namespace moec;

FailureOr<GpuImage> moec::compileGpuImage(gpu::GPUModuleOp module, StringRef assembler) {
  GpuImage image;
  image.variant = module.getName().str();
  image.computeCapability = step::findGpuMachine(image.variant)->computeCapability;
  for (auto kernel : module.getOps<LLVM::LLVMFuncOp>()) {
    auto launch = kernel->getAttrOfType<DictionaryAttr>("moe.launch");
    if (!launch)
      continue;
    step::GpuLaunchShape shape = step::getLaunchShape(launch);
    GpuEntry &entry = image.entries[kernel.getSymName()];
    entry.name = kernel.getSymName().str();
    entry.threads = shape.threads;
    entry.sharedBytes = shape.sharedBytes;
    entry.flags = shape.needsResidentBlocks ? MOERT_GPU_COOPERATIVE : 0;
  }
  FailureOr<std::string> ptx = compileToPtx(module);
  if (failed(ptx))
    return failure();
  image.ptx = std::move(*ptx);
  if (assembler.empty())
    return image;
  std::string log;
  std::optional<GpuCubin> cubin = assemblePtx(assembler, image.ptx, image.computeCapability, log);
  if (!cubin)
    return module.emitError("cannot assemble for ") << image.variant << ": " << StringRef(log).trim();
  image.cubins.push_back(std::move(*cubin));
  readAssemblerLog(log, image.entries);
  return image;
}
