//===- FunctionOps.h - operators that ONNX defines by other operators -----------===//
#ifndef MOEC_LIB_IMPORT_FUNCTIONOPS_H
#define MOEC_LIB_IMPORT_FUNCTIONOPS_H

#include "OnnxModel.h"
#include "moec/Import/Import.h"

namespace moec::reader {

/// Infers the types of all values. Operators of the default domain that have a function body and that `options` does
/// not know are replaced by that body, until there are none. Makes all names unique.
mlir::LogicalResult inferAndExpand(OnnxModel &model, const ImportOptions &options, const Reporter &reporter);

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_FUNCTIONOPS_H
