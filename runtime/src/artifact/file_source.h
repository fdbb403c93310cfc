// Where the bytes of a .moe file come from: a file on disk or memory of the caller.
#pragma once
#include "artifact/mapping.h"

#include <span>

namespace moert {

class FileSource {
public:
  FileSource() = default;
  FileSource(const FileSource &) = delete;
  FileSource &operator=(const FileSource &) = delete;
  ~FileSource();

  Status open(const char *path);
  // `bytes` must live as long as the source.
  void open(std::span<const std::byte> bytes) { memory = bytes; }

  uint64_t size() const { return descriptor < 0 ? memory.size() : fileSize; }
  // Both expect [offset, offset + size) to lie within the source. `offset` of a mapping is a multiple of 64 KiB.
  Status read(uint64_t offset, uint64_t byteCount, std::byte *destination) const;
  // Read-only pages of the file; a copy if the source is memory or `copy` is asked for.
  Status map(uint64_t offset, uint64_t byteCount, bool copy, Mapping &mapping) const;

private:
  int descriptor = -1;
  uint64_t fileSize = 0;
  std::span<const std::byte> memory;
};

} // namespace moert
