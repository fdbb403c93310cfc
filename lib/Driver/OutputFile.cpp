//===- OutputFile.cpp - writes a file all at once or not at all -------------===//
#include "OutputFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

Expected<uint64_t> moec::writeFileAtomically(StringRef path, function_ref<Error(raw_pwrite_stream &)> write) {
  Expected<sys::fs::TempFile> temporary = sys::fs::TempFile::create(path + ".%%%%%%%%.tmp");
  if (!temporary)
    return temporary.takeError();
  raw_fd_ostream os(temporary->FD, /*shouldClose=*/false);
  Error problem = write(os);
  os.flush();
  uint64_t size = os.tell();
  if (os.has_error()) {
    problem = joinErrors(std::move(problem), errorCodeToError(os.error()));
    os.clear_error();
  }
  if (problem)
    return joinErrors(std::move(problem), temporary->discard());
  if (Error kept = temporary->keep(path))
    return std::move(kept);
  return size;
}
