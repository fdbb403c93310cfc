//===- OutputFile.cpp - writes a file all at once or not at all -------------===//
#include "OutputFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

/// Writes to a stream over `descriptor`, which stays open, and returns the number of bytes.
static Expected<uint64_t> writeTo(int descriptor, function_ref<Error(raw_pwrite_stream &)> write) {
  raw_fd_ostream os(descriptor, /*shouldClose=*/false);
  Error problem = write(os);
  os.flush();
  uint64_t size = os.tell();
  if (os.has_error()) {
    problem = joinErrors(std::move(problem), errorCodeToError(os.error()));
    os.clear_error();
  }
  if (problem)
    return std::move(problem);
  return size;
}

/// Devices and pipes are not replaced by a file.
static Expected<uint64_t> writeInPlace(StringRef path, function_ref<Error(raw_pwrite_stream &)> write) {
  int descriptor = 0;
  if (std::error_code error = sys::fs::openFileForWrite(path, descriptor, sys::fs::CD_OpenExisting))
    return errorCodeToError(error);
  Expected<uint64_t> size = writeTo(descriptor, write);
  sys::fs::file_t handle = sys::fs::convertFDToNativeFile(descriptor);
  sys::fs::closeFile(handle);
  return size;
}

Expected<uint64_t> moec::writeFileAtomically(StringRef path, function_ref<Error(raw_pwrite_stream &)> write) {
  sys::fs::file_status status;
  if (!sys::fs::status(path, status) && sys::fs::exists(status) && !sys::fs::is_regular_file(status))
    return writeInPlace(path, write);
  Expected<sys::fs::TempFile> temporary = sys::fs::TempFile::create(path + ".%%%%%%%%.tmp");
  if (!temporary)
    return temporary.takeError();
  Expected<uint64_t> size = writeTo(temporary->FD, write);
  if (!size)
    return joinErrors(size.takeError(), temporary->discard());
  if (Error kept = temporary->keep(path))
    return std::move(kept);
  return size;
}
