//===- Compile.cpp - compile(): the one entry of the compiler ---------------===//
#include "moec/Driver/Compile.h"
#include "CheckRaising.h"
#include "Console.h"
#include "Emit.h"
#include "OutputFile.h"
#include "Summary.h"

#include "moec/Dialect/Step/GpuMachine.h"
#include "moec/Driver/Pipelines.h"
#include "moec/Import/Import.h"
#include "moec/InitAll.h"
#include "moec/Raise/RaisedStructures.h"
#include "moec/Target/Cpu/CpuTarget.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Support/Timing.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Regex.h"

using namespace mlir;
namespace sys = llvm::sys;
using namespace moec;

namespace {

class Compilation {
public:
  Compilation(const CompileOptions &options, MLIRContext &context, raw_ostream &messages)
      : options(options), context(context), console(&context, messages, options.remarks, options.progress) {
    timing.setEnabled(options.timing);
    timing.setOutput(createOutputStrategy(DefaultTimingManager::OutputFormat::Text, messages));
  }

  CompileStatus run();

private:
  CompileStatus checkOptions();
  CompileStatus resolveCpus();
  CompileStatus resolveGpu();
  CompileStatus load();
  CompileStatus runStage(Stage stage);
  CompileStatus runPasses(Stage stage, ArrayRef<std::string> disabledPasses);
  CompileStatus raise();
  CompileStatus raiseChecked();
  CompileStatus exposeValues(ModuleOp imported);
  CompileStatus checkContract(Stage stage);
  CompileStatus write();
  CompileStatus emitOrPrint(uint64_t &size);
  bool isMlir() const;

  const CompileOptions &options;
  MLIRContext &context;
  Console console;
  SmallVector<const CpuVariant *> cpus;
  const step::GpuMachine *gpu = nullptr;
  DefaultTimingManager timing;
  TimingScope timingScope;
  OwningOpRef<ModuleOp> module;
  Summary summary;
};

} // namespace

bool Compilation::isMlir() const {
  StringRef extension = sys::path::extension(options.input);
  return extension == ".mlir" || extension == ".mlirbc";
}

CompileStatus Compilation::checkOptions() {
  for (const std::string &name : options.disabledPasses) {
    if (llvm::is_contained(getOptionalPasses(), name))
      continue;
    if (PassInfo::lookup(name))
      console.error("pass '" + name + "' cannot be disabled; the optional passes are " +
                    llvm::join(getOptionalPasses(), ", "));
    else
      console.error("unknown pass '" + name + "'; the optional passes are " + llvm::join(getOptionalPasses(), ", "));
    return CompileStatus::Refused;
  }
  if (options.output == "-" && options.lastStage == Stage::Emit) {
    console.error("standard output takes text only; name a file, or an earlier stage");
    return CompileStatus::Refused;
  }
  std::string problem;
  if (!options.debugOutputs.empty() && !llvm::Regex(options.debugOutputs).isValid(problem)) {
    console.error("'" + options.debugOutputs + "' is not a regular expression: " + problem);
    return CompileStatus::Refused;
  }
  if (options.lastStage == Stage::Import && isMlir()) {
    console.error("'" + options.input + "' is past stage import");
    return CompileStatus::Refused;
  }
  return CompileStatus::Success;
}

/// The variants asked for, the most capable first: a program takes the first one its machine can run.
CompileStatus Compilation::resolveCpus() {
  for (const std::string &name : options.cpus) {
    const CpuVariant *cpu = name == "native" ? nativeCpuVariant() : findCpuVariant(name);
    if (!cpu) {
      auto names = llvm::map_range(cpuVariants(), [](const CpuVariant &variant) { return variant.name; });
      console.error((name == "native" ? "this machine has no supported" : "unknown") + llvm::Twine(" code variant '") +
                    name + "'; the code variants are " + llvm::join(names, ", "));
      return CompileStatus::Refused;
    }
    cpus.push_back(cpu);
  }
  // They are elements of one table.
  llvm::sort(cpus);
  cpus.erase(llvm::unique(cpus), cpus.end());
  return CompileStatus::Success;
}

CompileStatus Compilation::resolveGpu() {
  if (options.gpu.empty())
    return CompileStatus::Success;
  gpu = step::findGpuMachine(options.gpu);
  if (gpu)
    return CompileStatus::Success;
  auto chips = llvm::map_range(step::gpuMachines(), [](const step::GpuMachine &machine) { return machine.chip; });
  console.error("unknown GPU '" + options.gpu + "'; the GPUs are " + llvm::join(chips, ", "));
  return CompileStatus::Refused;
}

/// Reads the input: an ONNX model through stage `import`, MLIR as it is.
CompileStatus Compilation::load() {
  if (!sys::fs::exists(options.input)) {
    console.error("'" + options.input + "' does not exist");
    return CompileStatus::Refused;
  }
  if (isMlir()) {
    module = parseSourceFile<ModuleOp>(options.input, ParserConfig(&context));
    if (module && module->lookupSymbol("main"))
      return CompileStatus::Success;
    if (module)
      console.error("'" + options.input + "' has no entry 'main'");
    return CompileStatus::Refused;
  }
  console.beginStage(Stage::Import);
  TimingScope scope = timingScope.nest(getStageName(Stage::Import));
  ImportOptions importOptions;
  importOptions.namesValues = !options.debugOutputs.empty();
  FailureOr<OwningOpRef<ModuleOp>> imported = importOnnx(context, options.input, importOptions);
  if (failed(imported)) {
    if (console.getErrorCount() != 0)
      return CompileStatus::Refused;
    console.internalError("stage import failed without a message");
    return CompileStatus::InternalError;
  }
  module = std::move(*imported);
  console.endStage(Stage::Import);
  return checkContract(Stage::Import);
}

CompileStatus Compilation::checkContract(Stage stage) {
  if (succeeded(verify(*module)) && succeeded(verifyStage(*module, stage)))
    return CompileStatus::Success;
  console.internalError("the module breaks the contract of stage " + getStageName(stage));
  return CompileStatus::InternalError;
}

/// A pass that fails with a message on a module that is still valid refuses the input; any other failure is ours.
CompileStatus Compilation::runPasses(Stage stage, ArrayRef<std::string> disabledPasses) {
  PassManager pm(&context);
  TimingScope scope = timingScope.nest(getStageName(stage));
  pm.enableTiming(scope);
  buildPipeline(pm, stage, {disabledPasses, cpus, gpu, options.plainF32});
  unsigned errorsBefore = console.getErrorCount();
  if (succeeded(pm.run(*module)))
    return CompileStatus::Success;
  bool explained = console.getErrorCount() != errorsBefore;
  console.setMuted(true);
  bool valid = succeeded(verify(*module));
  console.setMuted(false);
  if (explained && valid)
    return CompileStatus::Refused;
  console.internalError("stage " + getStageName(stage) +
                        (valid ? " failed without a message" : " produced an invalid module"));
  return CompileStatus::InternalError;
}

/// Raises, and compares the result with the graph as it is without recognisers.
CompileStatus Compilation::raiseChecked() {
  SmallVector<std::string> recognisers(options.disabledPasses);
  for (StringRef pass : llvm::make_filter_range(getOptionalPasses(), isRecogniser))
    recognisers.push_back(pass.str());
  if (CompileStatus status = runPasses(Stage::Raise, recognisers); status != CompileStatus::Success)
    return status;
  numberOps(*module);
  OwningOpRef<ModuleOp> plain = module->clone();
  if (CompileStatus status = runPasses(Stage::Raise, options.disabledPasses); status != CompileStatus::Success)
    return status;
  TimingScope scope = timingScope.nest("check");
  bool isStrict = options.check == RaisingCheck::Strict;
  CheckCounts counts = checkRaising(*module, *plain, isStrict);
  summary.setChecked(counts);
  return isStrict && counts.rejected != 0 ? CompileStatus::Refused : CompileStatus::Success;
}

/// Makes named values outputs, so that a user can compare them.
CompileStatus Compilation::exposeValues(ModuleOp imported) {
  llvm::Regex wanted(options.debugOutputs);
  if (RaisedStructures(*module, imported).expose(wanted) != 0)
    return CompileStatus::Success;
  console.error("no value after stage raise has a name that '" + options.debugOutputs + "' matches");
  return CompileStatus::Refused;
}

CompileStatus Compilation::raise() {
  auto entry = module->lookupSymbol<func::FuncOp>("main");
  bool exposes = !options.debugOutputs.empty(), checks = options.check != RaisingCheck::Off;
  if ((!checks && !exposes) || !entry || entry.isExternal())
    return runPasses(Stage::Raise, options.disabledPasses);
  numberOps(*module);
  OwningOpRef<ModuleOp> imported = exposes ? module->clone() : OwningOpRef<ModuleOp>();
  CompileStatus status = checks ? raiseChecked() : runPasses(Stage::Raise, options.disabledPasses);
  if (status == CompileStatus::Success && exposes)
    status = exposeValues(*imported);
  removeNumbers(*module);
  return status;
}

CompileStatus Compilation::runStage(Stage stage) {
  console.beginStage(stage);
  CompileStatus status = stage == Stage::Raise ? raise() : runPasses(stage, options.disabledPasses);
  if (status != CompileStatus::Success)
    return status;
  console.endStage(stage);
  if (stage == Stage::Raise)
    summary.gather(*module);
  return checkContract(stage);
}

/// Writes the output file: the artifact after the last stage, the module's text after an earlier one.
CompileStatus Compilation::emitOrPrint(uint64_t &size) {
  bool emitted = true;
  auto emit = [&](llvm::raw_pwrite_stream &os) -> llvm::Error {
    if (options.lastStage != Stage::Emit)
      return (module->print(os), llvm::Error::success());
    emitted = succeeded(emitArtifact(*module, options, summary, os));
    return emitted ? llvm::Error::success() : llvm::createStringError("unfinished");
  };
  llvm::Expected<uint64_t> written = writeFileAtomically(options.output, emit);
  if (written) {
    size = *written;
    return CompileStatus::Success;
  }
  std::string problem = llvm::toString(written.takeError());
  if (emitted) {
    console.error("cannot write '" + options.output + "': " + problem);
    return CompileStatus::Refused;
  }
  console.internalError("stage emit failed");
  return CompileStatus::InternalError;
}

CompileStatus Compilation::write() {
  if (options.output == "-") {
    module->print(llvm::outs());
    llvm::outs().flush();
    return CompileStatus::Success;
  }
  uint64_t size = 0;
  if (options.lastStage == Stage::Emit)
    console.beginStage(Stage::Emit);
  TimingScope scope = timingScope.nest("write");
  CompileStatus status = emitOrPrint(size);
  if (status != CompileStatus::Success)
    return status;
  if (options.lastStage == Stage::Emit)
    console.endStage(Stage::Emit);
  summary.print(console.stream(), options.output, size, console.getWarningCount(), console.getRemarkCount(),
                console.getSeconds());
  return CompileStatus::Success;
}

CompileStatus Compilation::run() {
  timingScope = timing.getRootScope();
  CompileStatus status = checkOptions();
  if (status == CompileStatus::Success)
    status = resolveCpus();
  if (status == CompileStatus::Success)
    status = resolveGpu();
  if (status == CompileStatus::Success)
    status = load();
  for (Stage stage : ArrayRef(allStages).drop_front().drop_back()) {
    if (status != CompileStatus::Success || stage > options.lastStage)
      break;
    status = runStage(stage);
  }
  return status == CompileStatus::Success ? write() : status;
}

CompileStatus moec::compile(const CompileOptions &options, raw_ostream &messages) {
  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry);
  // Users read messages, not IR.
  context.printOpOnDiagnostic(false);
  return Compilation(options, context, messages).run();
}
