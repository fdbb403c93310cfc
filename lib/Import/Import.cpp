//===- Import.cpp - the importer's steps ----------------------------------------===//

#include "moec/Import/Import.h"
#include "GraphBuilder.h"
#include "LargeTensors.h"
#include "ModelChecks.h"
#include "ModelFile.h"
#include "ShapeInference.h"
#include "SubgraphNames.h"

using namespace mlir;
using namespace moec::reader;

FailureOr<OwningOpRef<ModuleOp>> moec::importOnnx(MLIRContext &context, llvm::StringRef path,
                                                  const ImportOptions &options) {
  Reporter reporter(context, path);
  OnnxModel model;
  if (failed(readModelFile(model, reporter)) || failed(checkVersions(model, reporter)) ||
      failed(separateLargeTensors(model, reporter)) || failed(checkModel(model, reporter)) ||
      failed(inlineFunctions(model, options, reporter)) || failed(separateLargeTensors(model, reporter)))
    return failure();
  makeSubgraphNamesUnique(*model.proto.mutable_graph());
  if (failed(inferShapes(model, reporter)))
    return failure();
  return buildModule(model, reporter);
}
