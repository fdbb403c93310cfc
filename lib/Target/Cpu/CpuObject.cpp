//===- CpuObject.cpp - LLVM IR, optimisation and object code ----------------===//

#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "moec/Target/Cpu/CpuTarget.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include <thread>

using namespace mlir;
using namespace moec;

namespace {

std::unique_ptr<llvm::TargetMachine> createTargetMachine(const CpuVariant &variant, CodeEffort effort,
                                                         std::string &error) {
  llvm::Triple triple(variant.triple);
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  llvm::TargetOptions options;
  // Sums keep their order; a product that feeds a sum may round once.
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  auto level = effort == CodeEffort::Full ? llvm::CodeGenOptLevel::Aggressive : llvm::CodeGenOptLevel::None;
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(triple, variant.cpu, "", options, llvm::Reloc::PIC_, llvm::CodeModel::Small, level));
}

/// Code of an image sees no library and no other image: no builtins, nothing interposable, no unwinding.
void setAttributes(llvm::Module &module, const CpuVariant &variant) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", variant.cpu);
    function.addFnAttr("prefer-vector-width", std::to_string(variant.vectorLanes * 32));
    function.addFnAttr("no-builtins");
    function.addFnAttr(llvm::Attribute::NoUnwind);
    function.addFnAttr("frame-pointer", "none");
    if (!function.hasLocalLinkage())
      function.setVisibility(llvm::GlobalValue::HiddenVisibility);
    function.setDSOLocal(true);
  }
  for (llvm::GlobalVariable &global : module.globals())
    global.setDSOLocal(true);
}

void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager sccs;
  llvm::ModuleAnalysisManager modules;
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = tuning.SLPVectorization = tuning.LoopUnrolling = tuning.LoopInterleaving = true;
  llvm::PassBuilder builder(&machine, tuning);
  llvm::TargetLibraryInfoImpl library(machine.getTargetTriple());
  library.disableAllFunctions();
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(library); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(sccs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, sccs, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, modules);
}

/// One module on its way to an image; the context is its own, so that variants compile in parallel.
struct Compilation {
  const CpuVariant *variant;
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module;
  std::unique_ptr<llvm::TargetMachine> machine;
  llvm::SmallString<0> object;
  std::string error;

  void run(CodeEffort effort) {
    if (effort == CodeEffort::Full)
      optimize(*module, *machine);
    llvm::raw_svector_ostream stream(object);
    llvm::legacy::PassManager codegen;
    if (machine->addPassesToEmitFile(codegen, stream, nullptr, llvm::CodeGenFileType::ObjectFile))
      error = "the target cannot emit object files";
    else
      codegen.run(*module);
  }
};

void initializeOnce(MLIRContext *context) {
  static bool initialized = [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
    return true;
  }();
  (void)initialized;
  registerBuiltinDialectTranslation(*context);
  registerLLVMDialectTranslation(*context);
}

} // namespace

FailureOr<SmallVector<CodeImage>> moec::compileImages(ArrayRef<ModuleOp> modules, ArrayRef<const CpuVariant *> variants,
                                                      CodeEffort effort) {
  std::vector<std::unique_ptr<Compilation>> compilations;
  for (auto [moduleRef, variant] : llvm::zip_equal(modules, variants)) {
    ModuleOp module = moduleRef;
    initializeOnce(module.getContext());
    auto &compilation = *compilations.emplace_back(std::make_unique<Compilation>());
    compilation.variant = variant;
    compilation.module = translateModuleToLLVMIR(module, compilation.context, variant->name);
    compilation.machine = createTargetMachine(*variant, effort, compilation.error);
    if (!compilation.module || !compilation.machine)
      return module.emitError("cannot compile for ") << variant->name << ": " << compilation.error;
    compilation.module->setTargetTriple(compilation.machine->getTargetTriple());
    compilation.module->setDataLayout(compilation.machine->createDataLayout());
    setAttributes(*compilation.module, *variant);
  }
  std::vector<std::thread> threads;
  for (auto &compilation : compilations)
    threads.emplace_back([&] { compilation->run(effort); });
  for (std::thread &thread : threads)
    thread.join();

  SmallVector<CodeImage> images;
  for (auto [moduleRef, compilation] : llvm::zip_equal(modules, compilations)) {
    ModuleOp module = moduleRef;
    FailureOr<CodeImage> image = failure();
    if (compilation->error.empty())
      image = linkImage(compilation->object, compilation->error);
    if (failed(image))
      return module.emitError("cannot compile for ") << compilation->variant->name << ": " << compilation->error;
    images.push_back(std::move(*image));
  }
  return images;
}
