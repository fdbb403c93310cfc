//===- FloatRows.h - conversion between float formats ---------------------===//
#ifndef MOEC_LIB_ARTIFACT_FLOATROWS_H
#define MOEC_LIB_ARTIFACT_FLOATROWS_H

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/ArrayRef.h"

namespace moec {

/// Converts `count` consecutive elements between float formats, rounding to nearest even.
void convertFloats(const char *source, mlir::FloatType sourceType, char *destination, mlir::FloatType destinationType,
                   int64_t count);

} // namespace moec

#endif // MOEC_LIB_ARTIFACT_FLOATROWS_H
