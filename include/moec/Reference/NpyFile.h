//===- NpyFile.h - tensors in NumPy's file format ---------------------------===//
#ifndef MOEC_REFERENCE_NPYFILE_H
#define MOEC_REFERENCE_NPYFILE_H

#include "moec/Reference/HostTensor.h"

#include "llvm/Support/Error.h"

namespace moec::reference {

/// Reads a row-major little-endian tensor. The file says how wide its elements are, `elementType` what they mean: types
/// NumPy lacks are stored as void of the same width, integers below 8 bits as a byte each.
llvm::Expected<HostTensor> readNpy(llvm::StringRef path, mlir::Type elementType);

llvm::Error writeNpy(llvm::StringRef path, const HostTensor &tensor);

} // namespace moec::reference

#endif // MOEC_REFERENCE_NPYFILE_H
