//===- Pipelines.cpp - the passes of each stage -----------------------------===//
#include "moec/Driver/Pipelines.h"

#include "moec/Conversion/Passes.h"
#include "moec/Raise/Passes.h"
#include "moec/Target/Cpu/CpuTarget.h"
#include "moec/Target/Cuda/CudaTarget.h"
#include "moec/Transforms/Passes.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "moec/Dialect/Step/Step.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace moec;

static constexpr llvm::StringLiteral optionalPasses[] = {
    "moe-raise-gathered-experts",
    "moe-raise-grouped-experts",
    "moe-raise-summed-experts",
    "moe-raise-stacked-experts",
    "moe-raise-chosen-tokens",
    "moe-raise-lookups",
    "moe-raise-routers",
    "moe-raise-norms",
    "moe-raise-rotary",
    "moe-raise-attention",
    "moe-place-state",
    "moe-form-dense-matmul",
    "moe-encode-weights",
    "moe-fuse-elementwise",
    "moe-plan-buffers",
};

ArrayRef<llvm::StringLiteral> moec::getOptionalPasses() { return optionalPasses; }

bool moec::isRecogniser(StringRef pass) { return pass.starts_with("moe-raise-"); }

bool PipelineOptions::isDisabled(StringRef pass) const { return llvm::is_contained(disabledPasses, pass); }

/// Adds a pass of getOptionalPasses() unless it is disabled.
static void addOptional(OpPassManager &pm, const PipelineOptions &options, std::unique_ptr<Pass> pass) {
  assert(llvm::is_contained(optionalPasses, pass->getArgument()) && "not listed as optional");
  if (!options.isDisabled(pass->getArgument()))
    pm.addPass(std::move(pass));
}

void moec::buildRaisePipeline(OpPassManager &pm, const PipelineOptions &options) {
  // Before recognisers replace the concatenations that carry state.
  pm.addPass(createFindState());
  // The only pass here without which a graph cannot be lowered.
  pm.addPass(createRaiseMoeNodes());
  pm.addPass(createCanonicalizerPass());
  addOptional(pm, options, createRaiseGatheredExperts());
  addOptional(pm, options, createRaiseGroupedExperts());
  addOptional(pm, options, createRaiseSummedExperts());
  addOptional(pm, options, createRaiseStackedExperts());
  addOptional(pm, options, createRaiseChosenTokens());
  addOptional(pm, options, createRaiseLookups());
  // Needs the layers: a router is what their experts and gates come from.
  addOptional(pm, options, createRaiseRouters());
  addOptional(pm, options, createRaiseNorms());
  addOptional(pm, options, createRaiseRotary());
  addOptional(pm, options, createRaiseAttention());
  pm.addPass(createCanonicalizerPass());
}

void moec::buildLowerOnnxPipeline(OpPassManager &pm, const PipelineOptions &options) {
  pm.addPass(createConvertOnnxToLinalg());
}

void moec::buildOptimizePipeline(OpPassManager &pm, const PipelineOptions &options) {
  // While layers are still whole.
  pm.addPass(createRecordLayers());
  pm.addPass(createNarrowInputs());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  // While an append is still one op between a state and its attention.
  addOptional(pm, options, createPlaceState());
  // Before fusion, which would pull the operands of products in.
  addOptional(pm, options, createFormDenseMatmul());
  pm.addPass(createDecomposeExperts());
  addOptional(pm, options, createEncodeWeights());
  pm.addPass(createHoistWeightExpressions());
  // Only the host function from here on: folding inside a weight's expression would replace its ops by others.
  OpPassManager &host = pm.nest<func::FuncOp>();
  addOptional(host, options, createFuseElementwise());
  host.addPass(createCanonicalizerPass());
  host.addPass(createCSEPass());
  pm.addPass(createLocateExperts());
}

void moec::buildSchedulePipeline(OpPassManager &pm, const PipelineOptions &options) {
  FormKernelsOptions form;
  if (options.gpu)
    form.gpu = options.gpu->chip.str();
  form.plainF32 = options.plainF32;
  pm.addPass(createFormKernels(form));
  // Extents of dispatches are affine expressions; the step program knows only arithmetic.
  OpPassManager &host = pm.nest<func::FuncOp>();
  host.addPass(createLowerAffinePass());
  host.addPass(createCanonicalizerPass());
  host.addPass(createCSEPass());
  pm.addPass(createFormStepProgram());
  addOptional(pm.nest<step::ProgramOp>(), options, createPlanBuffers());
}

void moec::buildLowerPipeline(OpPassManager &pm, const PipelineOptions &options) {
  for (const CpuVariant *cpu : options.cpus) {
    EmitKernelsOptions emit;
    emit.variant = cpu->name.str();
    emit.vectorLanes = cpu->vectorLanes;
    emit.vectorRegisters = cpu->vectorRegisters;
    pm.addPass(createEmitKernels(emit));
  }
  // The nested modules are the variants.
  buildCpuLoweringPipeline(pm.nest<ModuleOp>());
  if (!options.gpu)
    return;
  EmitGpuKernelsOptions emit;
  emit.gpu = options.gpu->chip.str();
  emit.plainF32 = options.plainF32;
  pm.addPass(createEmitGpuKernels(emit));
  buildCudaLoweringPipeline(pm.nest<gpu::GPUModuleOp>());
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
