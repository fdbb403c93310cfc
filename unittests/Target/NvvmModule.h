//===- NvvmModule.h - PTX of a gpu.module in the nvvm dialect ---*- C++ -*-===//
#ifndef MOEC_UNITTESTS_TARGET_NVVMMODULE_H
#define MOEC_UNITTESTS_TARGET_NVVMMODULE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace moec::test {

/// The text of the one gpu.module of an MLIR file, compiled to PTX for `chip` by upstream's passes.
llvm::Expected<std::string> compileToPtx(llvm::StringRef file, llvm::StringRef chip);

} // namespace moec::test

#endif // MOEC_UNITTESTS_TARGET_NVVMMODULE_H
