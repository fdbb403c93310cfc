// Version, names, and the last error of each thread.
#include "api/boundary.h"

#include "element_type.h"

#include <algorithm>

namespace moert {

static constexpr size_t errorCapacity = 1024;
static thread_local char lastError[errorCapacity];

static void setLastError(std::string_view message) noexcept {
  const size_t size = std::min(message.size(), errorCapacity - 1);
  std::memcpy(lastError, message.data(), size);
  lastError[size] = '\0';
}

moert_status_t report(const Status &status) noexcept {
  if (!status.ok())
    setLastError(status.getMessage());
  return status.getCode();
}

moert_status_t reportOutOfMemory() noexcept {
  setLastError("out of memory");
  return MOERT_OUT_OF_MEMORY;
}

} // namespace moert

uint32_t moert_version(void) { return MOERT_VERSION_MAJOR * 10000 + MOERT_VERSION_MINOR * 100 + MOERT_VERSION_PATCH; }

#define MOERT_TEXT(x) #x
#define MOERT_VERSION_TEXT(major, minor, patch) MOERT_TEXT(major) "." MOERT_TEXT(minor) "." MOERT_TEXT(patch)
const char *moert_version_string(void) {
  return MOERT_VERSION_TEXT(MOERT_VERSION_MAJOR, MOERT_VERSION_MINOR, MOERT_VERSION_PATCH);
}

const char *moert_status_name(moert_status_t status) {
  switch (status) {
  case MOERT_OK:
    return "ok";
  case MOERT_INVALID_ARGUMENT:
    return "invalid argument";
  case MOERT_OUT_OF_MEMORY:
    return "out of memory";
  case MOERT_IO_ERROR:
    return "input/output error";
  case MOERT_INVALID_FILE:
    return "invalid file";
  case MOERT_UNSUPPORTED:
    return "unsupported";
  case MOERT_BAD_INPUT:
    return "bad input";
  case MOERT_BUFFER_TOO_SMALL:
    return "buffer too small";
  case MOERT_RUN_FAILED:
    return "run failed";
  case MOERT_CANCELLED:
    return "cancelled";
  case MOERT_BUSY:
    return "busy";
  case MOERT_UNTRUSTED:
    return "untrusted";
  }
  return "unknown status";
}

const char *moert_element_type_name(uint32_t type) { return moert::elementName(type); }
uint64_t moert_element_type_size(uint32_t type) { return moert::elementSize(type); }
const char *moert_last_error(void) { return moert::lastError; }
