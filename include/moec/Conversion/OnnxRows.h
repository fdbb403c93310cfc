//===- OnnxRows.h - which ONNX operators can be lowered -------------*- C++ -*-===//
#ifndef MOEC_CONVERSION_ONNXROWS_H
#define MOEC_CONVERSION_ONNXROWS_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

namespace moec {

/// Calls `visit(domain, operator, since, until)` for each row of the tables: the operator is lowered in the versions
/// [since, until] of its schema.
void forEachOnnxRow(
    llvm::function_ref<void(llvm::StringRef, llvm::StringRef, int64_t, int64_t)> visit);

} // namespace moec

#endif // MOEC_CONVERSION_ONNXROWS_H
