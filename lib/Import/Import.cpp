//===- Import.cpp - the importer's steps ----------------------------------------===//

#include "moec/Import/Import.h"
#include "FunctionOps.h"
#include "GraphBuilder.h"
#include "LargeTensors.h"
#include "ModelChecks.h"
#include "ModelFile.h"

using namespace mlir;
using namespace moec::reader;

FailureOr<OwningOpRef<ModuleOp>> moec::importOnnx(MLIRContext &context, llvm::StringRef path,
                                                  const ImportOptions &options) {
  Reporter reporter(context, path);
  OnnxModel model;
  if (failed(readModelFile(model, reporter)) || failed(checkVersions(model, reporter)) ||
      failed(separateLargeTensors(model, reporter)) || failed(checkModel(model, reporter)))
    return failure();
  replaceNumericSymbols(model);
  if (failed(inlineLocalFunctions(model, reporter)) || failed(separateLargeTensors(model, reporter)) ||
      failed(inferAndExpand(model, options, reporter)))
    return failure();
  return buildModule(model, options, reporter);
}
