//===- GraphBuilder.h - inferred ONNX graph -> MLIR -----------------------------===//
#ifndef MOEC_LIB_IMPORT_GRAPHBUILDER_H
#define MOEC_LIB_IMPORT_GRAPHBUILDER_H

#include "OnnxModel.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "moec/Import/Import.h"

namespace moec::reader {

/// Builds the module. Moves the bytes out of `model.largeTensors`.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> buildModule(OnnxModel &model, const ImportOptions &options,
                                                               const Reporter &reporter);

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_GRAPHBUILDER_H
