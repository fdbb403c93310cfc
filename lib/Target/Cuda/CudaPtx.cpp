//===- CudaPtx.cpp - LLVM IR, optimisation and PTX --------------------------===//

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "moec/Dialect/Step/GpuMachine.h"
#include "moec/Target/Cuda/CudaTarget.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;
using namespace moec;

namespace {

/// Enough for every instruction that reads shared memory.
constexpr uint64_t kSharedAlignment = 128;
constexpr unsigned kSharedAddressSpace = 3;

std::unique_ptr<llvm::TargetMachine> createTargetMachine(NVVM::NVVMTargetAttr target, std::string &error) {
  static bool initialized = [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
    return true;
  }();
  (void)initialized;
  llvm::Triple triple(target.getTriple());
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return nullptr;
  llvm::TargetOptions options;
  // Sums keep their order; a product that feeds a sum rounds once only where the kernel says so.
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  return std::unique_ptr<llvm::TargetMachine>(found->createTargetMachine(triple, target.getChip(), target.getFeatures(),
                                                                         options, llvm::Reloc::PIC_, std::nullopt,
                                                                         llvm::CodeGenOptLevel::Aggressive));
}

/// Without an explicit alignment arrays in shared memory are printed with that of their elements, although code may
/// already rely on more. An array without elements stands for what the launch adds: nobody in the module defines it.
void placeSharedMemory(llvm::Module &module) {
  for (llvm::GlobalVariable &global : module.globals()) {
    if (global.getAddressSpace() != kSharedAddressSpace)
      continue;
    global.setAlignment(std::max(llvm::Align(kSharedAlignment), global.getAlign().valueOrOne()));
    if (module.getDataLayout().getTypeAllocSize(global.getValueType()) == 0) {
      global.setInitializer(nullptr);
      global.setLinkage(llvm::GlobalValue::ExternalLinkage);
    }
  }
}

void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager sccs;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(sccs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, sccs, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, modules);
}

/// The functions that kernels call and nobody defines.
std::string listMissingFunctions(const llvm::Module &module) {
  SmallVector<StringRef> names;
  for (const llvm::Function &function : module)
    if (function.isDeclaration() && !function.isIntrinsic() && !function.use_empty())
      names.push_back(function.getName());
  return llvm::join(names, ", ");
}

/// Why the text is not what the target asks for, or an empty string.
std::string findProblem(StringRef ptx, NVVM::NVVMTargetAttr target) {
  const step::GpuMachine *machine = step::findGpuMachine(target.getChip());
  if (!machine)
    return ("unknown GPU '" + target.getChip() + "'").str();
  // An unknown PTX version falls back silently to an old one.
  std::string version = std::to_string(machine->ptxVersion / 10) + "." + std::to_string(machine->ptxVersion % 10);
  if (!ptx.contains(".version " + version + "\n"))
    return "expected PTX of version " + version;
  if (ptx.contains(".extern .func"))
    return "the code generator added a call of a library";
  return "";
}

} // namespace

FailureOr<std::string> moec::compileToPtx(gpu::GPUModuleOp module) {
  registerBuiltinDialectTranslation(*module.getContext());
  registerGPUDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  registerNVVMDialectTranslation(*module.getContext());

  auto target = cast<NVVM::NVVMTargetAttr>((*module.getTargets())[0]);
  llvm::LLVMContext context;
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine = createTargetMachine(target, error);
  if (!machine)
    return module.emitError("cannot compile for ") << target.getChip() << ": " << error;
  // Loads and stores get their alignment while they are translated.
  std::string layout = machine->createDataLayout().getStringRepresentation();
  module->setAttr(LLVM::LLVMDialect::getDataLayoutAttrName(), StringAttr::get(module.getContext(), layout));
  std::unique_ptr<llvm::Module> code = translateModuleToLLVMIR(module, context, module.getName());
  if (!code)
    return module.emitError("cannot be translated to LLVM IR");
  code->setTargetTriple(machine->getTargetTriple());
  placeSharedMemory(*code);
  optimize(*code, *machine);
  if (std::string missing = listMissingFunctions(*code); !missing.empty())
    return module.emitError("cannot compile for ") << target.getChip() << ": nobody defines " << missing;

  llvm::SmallString<0> ptx;
  llvm::raw_svector_ostream stream(ptx);
  llvm::legacy::PassManager codegen;
  if (machine->addPassesToEmitFile(codegen, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return module.emitError("cannot compile for ") << target.getChip() << ": the target cannot emit text";
  codegen.run(*code);
  if (std::string problem = findProblem(ptx, target); !problem.empty())
    return module.emitError("cannot compile for ") << target.getChip() << ": " << problem;
  return ptx.str().str();
}
