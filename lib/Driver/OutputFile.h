//===- OutputFile.h - writes a file all at once or not at all ---------------===//
#ifndef MOEC_DRIVER_OUTPUTFILE_H
#define MOEC_DRIVER_OUTPUTFILE_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace llvm {
class raw_pwrite_stream;
} // namespace llvm

namespace moec {

/// Calls `write` on a temporary file beside `path` and renames it to `path` if that succeeds. The temporary is removed
/// otherwise, also when the process is interrupted. What exists and is not a regular file is written in place. Returns
/// the size of the file.
llvm::Expected<uint64_t> writeFileAtomically(llvm::StringRef path,
                                             llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> write);

} // namespace moec

#endif // MOEC_DRIVER_OUTPUTFILE_H
