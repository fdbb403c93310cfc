// Text that several messages share.
#include "status.h"

namespace moert {

std::string formatExtents(const int64_t *dims, size_t rank) {
  if (rank == 0)
    return "scalar";
  std::string text;
  for (size_t i = 0; i < rank; ++i)
    text += (i ? "x" : "") + std::to_string(dims[i]);
  return text;
}

} // namespace moert
