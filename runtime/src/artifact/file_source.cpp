// FileSource over pread and mmap.
#include "artifact/file_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace moert {

FileSource::~FileSource() {
  if (descriptor >= 0)
    ::close(descriptor);
}

Status FileSource::open(const char *path) {
  descriptor = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return failure(MOERT_IO_ERROR, "cannot be opened: ", std::strerror(errno));
  struct stat facts;
  if (fstat(descriptor, &facts) != 0)
    return failure(MOERT_IO_ERROR, "cannot be examined: ", std::strerror(errno));
  if (!S_ISREG(facts.st_mode))
    return failure(MOERT_IO_ERROR, "not a regular file");
  fileSize = static_cast<uint64_t>(facts.st_size);
  return Status::success();
}

Status FileSource::read(uint64_t offset, uint64_t byteCount, std::byte *destination) const {
  if (descriptor < 0) {
    if (byteCount)
      std::memcpy(destination, memory.data() + offset, byteCount);
    return Status::success();
  }
  while (byteCount) {
    const size_t piece = std::min<uint64_t>(byteCount, uint64_t(1) << 30);
    const ssize_t got = ::pread(descriptor, destination, piece, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return failure(MOERT_IO_ERROR, "cannot read at offset ", offset, ": ", std::strerror(errno));
    if (got == 0)
      return failure(MOERT_IO_ERROR, "the file shrank while it was read, at offset ", offset);
    offset += static_cast<uint64_t>(got);
    destination += got;
    byteCount -= static_cast<uint64_t>(got);
  }
  return Status::success();
}

Status FileSource::map(uint64_t offset, uint64_t byteCount, bool copy, Mapping &mapping) const {
  if (descriptor >= 0 && !copy)
    return Mapping::mapFile(descriptor, offset, byteCount, mapping);
  MOERT_TRY(Mapping::allocate(byteCount, /*hugePages=*/true, mapping));
  MOERT_TRY(read(offset, byteCount, mapping.data()));
  return mapping.makeReadOnly();
}

} // namespace moert
