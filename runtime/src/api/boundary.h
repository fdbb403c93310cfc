// Between the C API and the C++ behind it: handles, options, the last error, and no exception passes.
#pragma once
#include "session/session.h"
#include "status.h"

#include <cstring>

struct moert_program {
  std::shared_ptr<const moert::Program> program;
};

struct moert_session {
  std::unique_ptr<moert::Session> session;
};

namespace moert {

// Keeps the message for moert_last_error and returns the code.
moert_status_t report(const Status &status) noexcept;
moert_status_t reportOutOfMemory() noexcept;

// Runs `body`, which returns a Status. The standard library throws only when memory or a size limit is exhausted.
template <typename Body> moert_status_t guarded(Body &&body) noexcept {
  try {
    return report(body());
  } catch (...) {
    return reportOutOfMemory();
  }
}

inline Status requireArgument(const void *argument, std::string_view name) {
  return argument ? Status::success() : failure(MOERT_INVALID_ARGUMENT, name, " is null");
}

inline Status requireIndex(std::string_view what, size_t index, size_t count) {
  return index < count ? Status::success()
                       : failure(MOERT_INVALID_ARGUMENT, what, " ", index, ", expected less than ", count);
}

// Copies a structure that starts with its size and was perhaps compiled against an older, shorter version.
template <typename Options> Status readOptions(const Options *given, Options &options) {
  options = {};
  if (!given)
    return Status::success();
  if (given->size < sizeof(size_t) || given->size > sizeof(Options))
    return failure(MOERT_INVALID_ARGUMENT, "options of ", given->size, " bytes, expected at most ", sizeof(Options));
  std::memcpy(&options, given, given->size);
  return Status::success();
}

// Fills the part of an info structure that the caller knows.
template <typename Info> Status writeInfo(Info *target, Info info) {
  MOERT_TRY(requireArgument(target, "out_info"));
  if (target->size < sizeof(size_t) || target->size > sizeof(Info))
    return failure(MOERT_INVALID_ARGUMENT, "info of ", target->size, " bytes, expected at most ", sizeof(Info));
  info.size = target->size;
  std::memcpy(target, &info, target->size);
  return Status::success();
}

} // namespace moert
