//===- Emit.cpp - the stage emit --------------------------------------------===//

#include "Emit.h"
#include "moec/Artifact/WeightEvaluation.h"
#include "moec/Artifact/Writer.h"
#include "moec/Target/Cpu/CpuTarget.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace moec;

namespace {

ArtifactOptions describe(ModuleOp module, const CompileOptions &options) {
  ArtifactOptions artifact;
  artifact.byteTokenizer = options.tokenizer.bytes;
  artifact.bos = options.tokenizer.bos;
  artifact.stops = options.tokenizer.stop;
  artifact.info.emplace_back("compiler", "moec " MOEC_VERSION);
  artifact.info.emplace_back("source", llvm::sys::path::filename(options.input).str());
  std::string words = "--cpu=" + llvm::join(options.cpus, ",");
  if (!options.disabledPasses.empty())
    words += " --disable=" + llvm::join(options.disabledPasses, ",");
  artifact.info.emplace_back("options", words);
  return artifact;
}

} // namespace

LogicalResult moec::emitArtifact(ModuleOp module, const CompileOptions &options, llvm::raw_pwrite_stream &file) {
  SmallVector<ModuleOp> modules;
  SmallVector<const CpuVariant *> variants;
  for (auto nested : module.getOps<ModuleOp>()) {
    modules.push_back(nested);
    variants.push_back(findCpuVariant(*nested.getSymName()));
  }
  FailureOr<SmallVector<CodeImage>> images = compileImages(modules, variants);
  if (failed(images))
    return failure();
  SymbolTable symbols(module);
  WeightEvaluator weights(symbols);
  auto writeWeight = [&](moe::WeightOp weight, llvm::raw_ostream &stream) { return weights.write(weight, stream); };
  return writeArtifact(module, variants, *images, /*gpuImages=*/{}, describe(module, options), writeWeight, file);
}
