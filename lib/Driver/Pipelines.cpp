//===- Pipelines.cpp - the passes of each stage -----------------------------===//
#include "moec/Driver/Pipelines.h"

#include "moec/Conversion/Passes.h"
#include "moec/Raise/Passes.h"
#include "moec/Target/Cpu/CpuTarget.h"
#include "moec/Target/Cpu/Passes.h"
#include "moec/Transforms/Passes.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace moec;

static constexpr llvm::StringLiteral optionalPasses[] = {
    "linalg-fuse-elementwise-ops",
};

ArrayRef<llvm::StringLiteral> moec::getOptionalPasses() { return optionalPasses; }

bool PipelineOptions::isDisabled(StringRef pass) const { return llvm::is_contained(disabledPasses, pass); }

/// Adds a pass of getOptionalPasses() unless it is disabled.
static void addOptional(OpPassManager &pm, const PipelineOptions &options, std::unique_ptr<Pass> pass) {
  assert(llvm::is_contained(optionalPasses, pass->getArgument()) && "not listed as optional");
  if (!options.isDisabled(pass->getArgument()))
    pm.addPass(std::move(pass));
}

void moec::buildRaisePipeline(OpPassManager &pm, const PipelineOptions &options) {
  pm.addPass(createCanonicalizerPass());
}

void moec::buildLowerOnnxPipeline(OpPassManager &pm, const PipelineOptions &options) {}

void moec::buildOptimizePipeline(OpPassManager &pm, const PipelineOptions &options) {
  addOptional(pm, options, createLinalgElementwiseOpFusionPass());
}

void moec::buildSchedulePipeline(OpPassManager &pm, const PipelineOptions &options) {
  pm.addPass(createFormKernels());
  // The host side keeps integer arithmetic only.
  pm.addNestedPass<func::FuncOp>(createLowerAffinePass());
  pm.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  pm.addNestedPass<func::FuncOp>(createCSEPass());
  pm.addPass(createFormStepProgram());
  pm.addNestedPass<step::ProgramOp>(createPlanBuffers());
}

void moec::buildLowerPipeline(OpPassManager &pm, const PipelineOptions &options) {
  for (const std::string &cpu : options.cpus) {
    const CpuVariant *variant = findCpuVariant(cpu);
    pm.addPass(createEmitKernels({variant->name.str(), variant->vectorLanes, variant->vectorRegisters}));
  }
  buildCpuLoweringPipeline(pm.nest<ModuleOp>());
}

void moec::buildPipeline(OpPassManager &pm, Stage stage, const PipelineOptions &options) {
  switch (stage) {
  case Stage::Raise:
    return buildRaisePipeline(pm, options);
  case Stage::LowerOnnx:
    return buildLowerOnnxPipeline(pm, options);
  case Stage::Optimize:
    return buildOptimizePipeline(pm, options);
  case Stage::Schedule:
    return buildSchedulePipeline(pm, options);
  case Stage::Lower:
    return buildLowerPipeline(pm, options);
  case Stage::Import:
  case Stage::Emit:
    return;
  }
}
