// Mapping over mmap.
#include "artifact/mapping.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <utility>

namespace moert {

Mapping::Mapping(Mapping &&other) noexcept
    : address(std::exchange(other.address, nullptr)), length(std::exchange(other.length, 0)) {}

Mapping &Mapping::operator=(Mapping &&other) noexcept {
  if (this != &other) {
    reset();
    address = std::exchange(other.address, nullptr);
    length = std::exchange(other.length, 0);
  }
  return *this;
}

void Mapping::reset() {
  if (address)
    munmap(address, length);
  address = nullptr;
  length = 0;
}

Status Mapping::mapFile(int descriptor, uint64_t offset, uint64_t size, Mapping &mapping) {
  mapping.reset();
  if (size == 0)
    return Status::success();
  void *memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, static_cast<off_t>(offset));
  if (memory == MAP_FAILED)
    return failure(MOERT_IO_ERROR, "cannot map ", size, " bytes of the file: ", std::strerror(errno));
  mapping.address = static_cast<std::byte *>(memory);
  mapping.length = size;
  return Status::success();
}

Status Mapping::allocate(uint64_t size, bool hugePages, Mapping &mapping) {
  mapping.reset();
  if (size == 0)
    return Status::success();
  void *memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return failure(MOERT_OUT_OF_MEMORY, "cannot allocate ", size, " bytes: ", std::strerror(errno));
  if (hugePages)
    madvise(memory, size, MADV_HUGEPAGE);
  mapping.address = static_cast<std::byte *>(memory);
  mapping.length = size;
  return Status::success();
}

Status Mapping::makeReadOnly() {
  if (address && mprotect(address, length, PROT_READ) != 0)
    return failure(MOERT_IO_ERROR, "cannot make memory read-only: ", std::strerror(errno));
  return Status::success();
}

Status Mapping::makeExecutable() {
  if (address && mprotect(address, length, PROT_READ | PROT_EXEC) != 0)
    return failure(MOERT_UNSUPPORTED, "the system does not let code run from memory: ", std::strerror(errno));
  if (address)
    __builtin___clear_cache(reinterpret_cast<char *>(address), reinterpret_cast<char *>(address + length));
  return Status::success();
}

} // namespace moert
