//===- Import.h - ONNX model file -> onnx.node graph ---------------------------===//
//
// The entry of the importer. Nothing in this header or behind it lets a type or an exception of the ONNX library out.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_IMPORT_IMPORT_H
#define MOEC_IMPORT_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringRef.h"
#include <functional>

namespace moec {

/// Whether the later stages understand operator `opType` of the default domain itself, so that a function body that
/// ONNX defines for it is not needed. The list is include/moec/Import/KnownFunctionOps.def.
bool isKnownFunctionOp(llvm::StringRef opType);

struct ImportOptions {
  /// Operators of the default domain that ONNX defines by a function body are replaced by that body unless this holds.
  std::function<bool(llvm::StringRef opType)> isKnown = isKnownFunctionOp;
  /// Nodes say what the model calls their results, in the attribute `onnx.values`.
  bool namesValues = false;
};

/// Reads the ONNX model at `path` (binary, or ONNX's textual syntax if the name ends in `.onnxtxt`) into a module with
/// one `func.func @main` of `onnx` ops and a `moe.weight` for each large initializer. The module's attributes
/// `onnx.opset`, `onnx.ir_version` and `onnx.producer` say what the file says. Weights refer to the file by a path that
/// starts with the folder part of `path`. Errors go to the context's diagnostic engine, located in `path`.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> importOnnx(mlir::MLIRContext &context, llvm::StringRef path,
                                                              const ImportOptions &options = {});

} // namespace moec

#endif // MOEC_IMPORT_IMPORT_H
