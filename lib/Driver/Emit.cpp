//===- Emit.cpp - the stage emit --------------------------------------------===//

#include "Emit.h"
#include "Summary.h"
#include "moec/Artifact/WeightEvaluation.h"
#include "moec/Artifact/Writer.h"
#include "moec/Target/Cuda/CudaTarget.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace moec;

namespace {

/// Compiles the modules for GPUs of `module`.
FailureOr<SmallVector<GpuImage>> compileGpuImages(ModuleOp module) {
  SmallVector<GpuImage> images;
  for (auto gpuModule : module.getOps<gpu::GPUModuleOp>()) {
    FailureOr<GpuImage> image = compileGpuImage(gpuModule, findPtxAssembler());
    if (failed(image))
      return failure();
    images.push_back(std::move(*image));
  }
  return images;
}

ArtifactOptions describe(ModuleOp module, const CompileOptions &options) {
  ArtifactOptions artifact;
  artifact.byteTokenizer = options.tokenizer.bytes;
  artifact.bos = options.tokenizer.bos;
  artifact.stops = options.tokenizer.stop;
  artifact.signingKey = options.signingKey;
  artifact.info.emplace_back("compiler", "moec " MOEC_VERSION);
  artifact.info.emplace_back("source", llvm::sys::path::filename(options.input).str());
  std::string words;
  if (!options.cpus.empty())
    words = "--cpu=" + llvm::join(options.cpus, ",");
  if (!options.gpu.empty())
    words += (words.empty() ? "--target=cuda" : " --target=cpu,cuda") + (" --gpu=" + options.gpu);
  if (options.plainF32)
    words += " --gpu-f32=fma";
  if (!options.disabledPasses.empty())
    words += " --disable=" + llvm::join(options.disabledPasses, ",");
  artifact.info.emplace_back("options", words);
  return artifact;
}

} // namespace

LogicalResult moec::emitArtifact(ModuleOp module, const CompileOptions &options, Summary &summary,
                                 llvm::raw_pwrite_stream &file, CodeEffort effort) {
  SmallVector<ModuleOp> modules;
  SmallVector<const CpuVariant *> variants;
  for (auto nested : module.getOps<ModuleOp>()) {
    modules.push_back(nested);
    variants.push_back(findCpuVariant(*nested.getSymName()));
  }
  FailureOr<SmallVector<CodeImage>> images = compileImages(modules, variants, effort);
  FailureOr<SmallVector<GpuImage>> gpuImages = compileGpuImages(module);
  if (failed(images) || failed(gpuImages))
    return failure();
  summary.gather(*gpuImages);
  SymbolTable symbols(module);
  WeightEvaluator weights(symbols);
  auto writeWeight = [&](moe::WeightOp weight, llvm::raw_ostream &stream) { return weights.write(weight, stream); };
  return writeArtifact(module, variants, *images, *gpuImages, describe(module, options), writeWeight, file);
}
