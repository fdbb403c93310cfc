//===- NvvmModule.cpp - PTX of a gpu.module in the nvvm dialect -----------===//

#include "NvvmModule.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "llvm/ADT/Twine.h"

using namespace mlir;

/// Without features the target picks the smallest PTX version that the chip has; the usual pipeline would take 6.0.
static std::string makePipeline(StringRef chip) {
  return ("nvvm-attach-target{chip=" + chip +
          "},gpu.module(convert-scf-to-cf,convert-to-llvm,reconcile-unrealized-casts),"
          "gpu-module-to-binary{format=isa}")
      .str();
}

static DialectRegistry &getRegistry() {
  static DialectRegistry registry = [] {
    DialectRegistry result;
    registerAllDialects(result);
    registerAllExtensions(result);
    registerAllGPUToLLVMIRTranslations(result);
    registerAllPasses();
    return result;
  }();
  return registry;
}

llvm::Expected<std::string> moec::test::compileToPtx(StringRef file, StringRef chip) {
  MLIRContext context(getRegistry());
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(file, &context);
  PassManager manager(&context);
  if (!module || failed(parsePassPipeline(makePipeline(chip), manager)) || failed(manager.run(*module)))
    return llvm::createStringError("cannot compile " + file);
  auto binaries = llvm::to_vector(module->getOps<gpu::BinaryOp>());
  if (binaries.size() != 1 || binaries[0].getObjects().size() != 1)
    return llvm::createStringError(file + ": expected one gpu.module");
  auto object = cast<gpu::ObjectAttr>(binaries[0].getObjects()[0]);
  return object.getObject().getValue().rtrim('\0').str();
}
