// Memory obtained by pages: mapped from a file, or anonymous.
#pragma once
#include "status.h"

#include <cstddef>
#include <cstdint>

namespace moert {

class Mapping {
public:
  Mapping() = default;
  Mapping(Mapping &&other) noexcept;
  Mapping &operator=(Mapping &&other) noexcept;
  ~Mapping() { reset(); }

  // Read-only bytes of an open file. `offset` is a multiple of the page size.
  static Status mapFile(int descriptor, uint64_t offset, uint64_t size, Mapping &mapping);
  // Zeroed read-write memory, in huge pages where the system grants them.
  static Status allocate(uint64_t size, bool hugePages, Mapping &mapping);

  Status makeReadOnly();
  // From now on the memory can be executed and no longer written.
  Status makeExecutable();

  std::byte *data() const { return address; }
  uint64_t size() const { return length; }

private:
  void reset();

  std::byte *address = nullptr;
  uint64_t length = 0;
};

} // namespace moert
