//===- Pipelines.h - the passes of each stage -------------------------------===//
#ifndef MOEC_DRIVER_PIPELINES_H
#define MOEC_DRIVER_PIPELINES_H

#include "moec/Driver/Stages.h"

#include "llvm/ADT/ArrayRef.h"

#include <string>

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace moec {

struct CpuVariant;
namespace step {
struct GpuMachine;
}

struct PipelineOptions {
  /// Optional passes to leave out, by name.
  llvm::ArrayRef<std::string> disabledPasses;
  /// Code variants to compile kernels for.
  llvm::ArrayRef<const CpuVariant *> cpus;
  /// GPU to compile kernels for, or null.
  const step::GpuMachine *gpu = nullptr;
  /// Whether it multiplies f32 by weights without parts in tf32.
  bool plainF32 = false;

  bool isDisabled(llvm::StringRef pass) const;
};

/// Passes without which the result is the same, only slower or larger.
llvm::ArrayRef<llvm::StringLiteral> getOptionalPasses();

/// Whether an optional pass of this name recognises structures of the graph.
bool isRecogniser(llvm::StringRef pass);

void buildRaisePipeline(mlir::OpPassManager &pm, const PipelineOptions &options);
void buildLowerOnnxPipeline(mlir::OpPassManager &pm, const PipelineOptions &options);
void buildOptimizePipeline(mlir::OpPassManager &pm, const PipelineOptions &options);
void buildSchedulePipeline(mlir::OpPassManager &pm, const PipelineOptions &options);
void buildLowerPipeline(mlir::OpPassManager &pm, const PipelineOptions &options);

/// The passes of `stage`; nothing for `import` and `emit`, which are not passes.
void buildPipeline(mlir::OpPassManager &pm, Stage stage, const PipelineOptions &options);

} // namespace moec

#endif // MOEC_DRIVER_PIPELINES_H
