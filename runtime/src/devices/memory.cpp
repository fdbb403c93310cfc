// Memory of the host.
#include "devices/memory.h"

#include <limits>

namespace moert {

AlignedBytes allocateAligned(uint64_t size) {
  if (size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    return nullptr;
  void *memory = ::operator new(size, std::align_val_t(MOERT_BUFFER_ALIGNMENT), std::nothrow);
  return AlignedBytes(static_cast<std::byte *>(memory));
}

} // namespace moert
