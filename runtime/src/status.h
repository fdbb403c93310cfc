// How private code reports failure: a code and a message, made into a moert_status_t at the API boundary.
#pragma once
#include "moert/moert.h"

#include <concepts>
#include <string>
#include <string_view>

namespace moert {

class [[nodiscard]] Status {
public:
  static Status success() { return Status(); }
  Status(moert_status_t code, std::string message) : code(code), message(std::move(message)) {}

  bool ok() const { return code == MOERT_OK; }
  moert_status_t getCode() const { return code; }
  const std::string &getMessage() const { return message; }

private:
  Status() = default;
  moert_status_t code = MOERT_OK;
  std::string message;
};

inline void appendText(std::string &text, std::string_view piece) { text += piece; }
inline void appendText(std::string &text, std::integral auto piece) { text += std::to_string(piece); }

// A failure whose message is the concatenation of strings and integers.
template <typename... Pieces> Status failure(moert_status_t code, const Pieces &...pieces) {
  std::string message;
  (appendText(message, pieces), ...);
  return Status(code, std::move(message));
}

// Extents as people write them: "2x3", and "scalar" for rank 0.
std::string formatExtents(const int64_t *dims, size_t rank);

} // namespace moert

// Returns the failure of a call to the caller.
#define MOERT_TRY(call)                                                                                                \
  do {                                                                                                                 \
    if (::moert::Status tried = (call); !tried.ok())                                                                   \
      return tried;                                                                                                    \
  } while (false)
