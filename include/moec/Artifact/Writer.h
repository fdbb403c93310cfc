//===- Writer.h - writes .moe files -----------------------------------------===//
#ifndef MOEC_ARTIFACT_WRITER_H
#define MOEC_ARTIFACT_WRITER_H

#include "mlir/IR/BuiltinOps.h"
#include "moec/Artifact/SigningKey.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Target/Cpu/CpuTarget.h"
#include "moec/Target/Cuda/GpuImage.h"

namespace moec {

/// What goes into a file besides program, weights and code.
struct ArtifactOptions {
  /// Key/value pairs for people and tools: "compiler", "options", "source", "opsets".
  llvm::SmallVector<std::pair<std::string, std::string>> info;
  bool byteTokenizer = false;
  std::optional<int64_t> bos;
  llvm::SmallVector<int64_t> stops;
  std::optional<SigningKey> signingKey;
};

/// Computes the bytes of a weight and writes them to the stream.
using WeightWriter = llvm::function_ref<llvm::LogicalResult(moe::WeightOp, llvm::raw_ostream &)>;

/// Writes the module after the stage `lower` to `file`: one step.program with the declaration of its function, the
/// step.kernels, the weights it names, one image per variant for CPUs and those for GPUs. `moe.layers` and `moe.states` of the module describe
/// MoE layers and state.
llvm::LogicalResult writeArtifact(mlir::ModuleOp module, llvm::ArrayRef<const CpuVariant *> variants,
                                  llvm::ArrayRef<CodeImage> images, llvm::ArrayRef<GpuImage> gpuImages,
                                  const ArtifactOptions &options, WeightWriter writeWeight,
                                  llvm::raw_pwrite_stream &file);

} // namespace moec

#endif // MOEC_ARTIFACT_WRITER_H
