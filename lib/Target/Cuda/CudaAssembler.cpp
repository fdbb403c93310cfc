//===- CudaAssembler.cpp - PTX to cubin by the CUDA toolkit's assembler -----===//

#include "moec/Target/Cuda/CudaTarget.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace moec;
using namespace llvm;

std::string moec::findPtxAssembler() {
  if (ErrorOr<std::string> found = sys::findProgramByName("ptxas"))
    return *found;
#ifdef MOEC_PTXAS
  if (sys::fs::can_execute(MOEC_PTXAS))
    return MOEC_PTXAS;
#endif
  return "";
}

std::optional<GpuCubin> moec::assemblePtx(StringRef assembler, StringRef ptx, uint32_t computeCapability,
                                          std::string &log) {
  SmallString<128> source, cubin, messages;
  if (sys::fs::createTemporaryFile("moec", "ptx", source) || sys::fs::createTemporaryFile("moec", "cubin", cubin) ||
      sys::fs::createTemporaryFile("moec", "log", messages)) {
    log = "cannot create a temporary file";
    return std::nullopt;
  }
  FileRemover removeSource(source), removeCubin(cubin), removeMessages(messages);
  std::error_code code;
  raw_fd_ostream stream(source, code);
  stream << ptx;
  stream.close();
  if (code || stream.has_error()) {
    log = "cannot write a temporary file";
    return std::nullopt;
  }

  std::string architecture = "-arch=sm_" + std::to_string(computeCapability);
  StringRef arguments[] = {assembler, "-v", architecture, source, "-o", cubin};
  std::optional<StringRef> redirects[] = {std::nullopt, messages.str(), messages.str()};
  int exitCode = sys::ExecuteAndWait(assembler, arguments, std::nullopt, redirects, 0, 0, &log);
  if (auto text = MemoryBuffer::getFile(messages))
    log += (*text)->getBuffer();
  auto bytes = MemoryBuffer::getFile(cubin, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (exitCode != 0 || !bytes)
    return std::nullopt;
  StringRef buffer = (*bytes)->getBuffer();
  return GpuCubin{computeCapability, SmallVector<char, 0>(buffer.begin(), buffer.end())};
}

// The lines of a kernel, after the name that the first of them quotes:
//   ptxas info    : Compiling entry function 'k' for 'sm_80'
//   ptxas info    : Function properties for k
//       8 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads
//   ptxas info    : Used 12 registers, used 0 barriers, 400 bytes cmem[0]
void moec::readAssemblerLog(StringRef log, StringMap<GpuEntry> &entries) {
  StringMap<GpuEntry>::iterator entry = entries.end();
  // The number in front of `what`.
  auto numberBefore = [](StringRef line, StringRef what) {
    uint32_t number = 0;
    line.take_front(line.find(what)).rtrim().rsplit(' ').second.getAsInteger(10, number);
    return number;
  };
  for (StringRef line : llvm::split(log, '\n')) {
    if (line.contains("Compiling entry function"))
      entry = entries.find(line.split('\'').second.split('\'').first);
    if (entry == entries.end())
      continue;
    if (line.contains("bytes spill stores"))
      entry->second.spillBytes = numberBefore(line, "bytes spill stores") + numberBefore(line, "bytes spill loads");
    if (line.contains("registers"))
      entry->second.registers = numberBefore(line, "registers");
  }
}
