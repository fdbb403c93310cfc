//===- ModelChecks.h - versions, known operators, ONNX's checker, functions -----===//
#ifndef MOEC_LIB_IMPORT_MODELCHECKS_H
#define MOEC_LIB_IMPORT_MODELCHECKS_H

#include "OnnxModel.h"

namespace moec::reader {

/// Refuses versions outside those that we know. To be called on the model as it was parsed.
mlir::LogicalResult checkVersions(const OnnxModel &model, const Reporter &reporter);

/// Refuses operators that have no schema, kinds of values that are not tensors, and what ONNX's checker refuses.
/// Large tensors are inputs by now.
mlir::LogicalResult checkModel(const OnnxModel &model, const Reporter &reporter);

/// Makes dimensions of the graph's inputs and outputs whose symbol is a number that number: exporters name extents that
/// a trace has fixed in this way.
void replaceNumericSymbols(OnnxModel &model);

/// Replaces calls of model-local functions by the bodies of the functions.
mlir::LogicalResult inlineLocalFunctions(OnnxModel &model, const Reporter &reporter);

/// The version of `domain` that the model imports; 0 if it does not.
int64_t getOpset(const ::onnx::ModelProto &model, llvm::StringRef domain);

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_MODELCHECKS_H
