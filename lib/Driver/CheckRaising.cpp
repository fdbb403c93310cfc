//===- CheckRaising.cpp - runs what was recognised beside plain operators ---===//
#include "CheckRaising.h"
#include "CompareForms.h"
#include "Emit.h"
#include "Summary.h"

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Driver/Compile.h"
#include "moec/Driver/Pipelines.h"
#include "moec/Raise/RaisedStructures.h"
#include "moec/Target/Cpu/CpuTarget.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"

using namespace mlir;
using namespace moec;

/// Weights that the check of any model may write; of larger models also a quarter of theirs.
static constexpr uint64_t freeWeightBytes = uint64_t(64) << 20;

/// Ops in a row behind which what a recogniser took away must be back.
static constexpr unsigned maxRounds = 32;

/// The least capable code variant that this machine can run: the smallest code, the soonest compiled.
static const CpuVariant *leastCpuVariant() {
  const CpuVariant *native = nativeCpuVariant();
  for (const CpuVariant &variant : llvm::reverse(cpuVariants()))
    if (native && variant.architecture == native->architecture)
      return &variant;
  return nullptr;
}

/// Compiles a graph of the stage `raise` for this machine into the file `path`.
static LogicalResult compileStructure(ModuleOp module, StringRef path) {
  const CpuVariant *cpu = leastCpuVariant();
  if (!cpu)
    return module.emitError("this machine has no supported code variant");
  PassManager pm(module.getContext());
  for (Stage stage : {Stage::LowerOnnx, Stage::Optimize, Stage::Schedule, Stage::Lower})
    buildPipeline(pm, stage, {{}, cpu});
  if (failed(pm.run(module)))
    return failure();
  CompileOptions options;
  options.cpus = {cpu->name.str()};
  Summary summary;
  std::error_code error;
  llvm::raw_fd_ostream file(path, error);
  if (error)
    return module.emitError("'") << path << "': " << error.message();
  return emitArtifact(module, options, summary, file, CodeEffort::Least);
}

static Comparison compareStructure(StructureGraph &graph) {
  SmallString<128> path;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("moec-check", "moe", path))
    return {Agreement::Unknown, error.message()};
  llvm::FileRemover remover(path);
  std::string problem;
  ScopedDiagnosticHandler quiet(graph.module->getContext(), [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error && problem.empty())
      problem = diagnostic.str();
    return success();
  });
  if (failed(compileStructure(*graph.module, path)))
    return {Agreement::Unknown, "it does not compile alone: " + problem};
  return compareForms(path, graph);
}

namespace {

class Checker {
public:
  Checker(ModuleOp raised, ModuleOp plain) : structures(raised, plain) {
    for (auto weight : plain.getOps<moe::WeightOp>())
      weightBytes += weight.getByteCount() / 4;
  }

  CheckCounts run(bool strict);

private:
  Comparison compare(const RaisedStructure &structure);
  void extendRewrites();

  RaisedStructures structures;
  llvm::StringMap<Comparison> compared;
  uint64_t weightBytes = freeWeightBytes;
};

} // namespace

Comparison Checker::compare(const RaisedStructure &structure) {
  std::string reason;
  std::optional<StructureGraph> graph = structures.extract(structure, reason);
  if (!graph)
    return {Agreement::Unknown, reason};
  if (auto known = compared.find(graph->key); known != compared.end())
    return known->second;
  if (graph->weightBytes > weightBytes)
    return {Agreement::Unknown, "its weights are " + std::to_string(graph->weightBytes >> 20) + " MiB"};
  weightBytes -= graph->weightBytes;
  return compared[graph->key] = compareStructure(*graph);
}

/// A recogniser may take something from one place and add it in another: what differs in between is no structure.
void Checker::extendRewrites() {
  for (unsigned round = 0; round < maxRounds; ++round) {
    SmallVector<size_t> differing;
    for (auto [index, structure] : llvm::enumerate(structures.get()))
      if (structure.isRewrite && compare(structure).agreement == Agreement::Different)
        differing.push_back(index);
    if (differing.empty() || !structures.extend(differing))
      return;
  }
}

CheckCounts Checker::run(bool strict) {
  CheckCounts counts;
  SmallVector<size_t> rejected;
  extendRewrites();
  for (auto [index, structure] : llvm::enumerate(structures.get())) {
    ++counts.structures;
    Comparison comparison = compare(structure);
    Location loc = structure.raised.getLoc();
    if (comparison.agreement == Agreement::Different) {
      rejected.push_back(index);
      if (strict)
        emitError(loc) << structure.description << ": " << comparison.detail;
      else
        emitWarning(loc) << structure.description << " is left as plain operators: " << comparison.detail;
    } else if (comparison.agreement == Agreement::Unknown) {
      ++counts.unchecked;
      emitRemark(loc) << structure.description << " is not checked: " << comparison.detail;
    }
  }
  counts.rejected = rejected.size();
  if (!strict && !rejected.empty())
    structures.restore(rejected);
  return counts;
}

CheckCounts moec::checkRaising(ModuleOp raised, ModuleOp plain, bool strict) {
  return Checker(raised, plain).run(strict);
}
