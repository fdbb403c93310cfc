// The whole section is checked for UTF-8 once; a reference then only has to start and end between characters.
#include "artifact/strings.h"

namespace moert {

static bool isContinuation(std::byte byte) { return (byte & std::byte(0xc0)) == std::byte(0x80); }

// Length of the well-formed character at the start of `bytes`; 0 if there is none.
static size_t characterLength(std::span<const std::byte> bytes) {
  const auto lead = std::to_integer<uint8_t>(bytes[0]);
  const size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length == 0 || length > bytes.size())
    return 0;
  for (size_t i = 1; i < length; ++i)
    if (!isContinuation(bytes[i]))
      return 0;
  if (length == 1)
    return 1;
  // Overlong forms, surrogates and values above U+10FFFF show in the second byte.
  const auto second = std::to_integer<uint8_t>(bytes[1]);
  const bool bad = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
                   (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f);
  return bad ? 0 : length;
}

Status checkUtf8(std::span<const std::byte> strings) {
  for (size_t at = 0; at < strings.size();) {
    const size_t length = characterLength(strings.subspan(at));
    if (length == 0)
      return failure(MOERT_INVALID_FILE, "strings section: not UTF-8 at offset ", at);
    at += length;
  }
  return Status::success();
}

Status lookUpString(const Artifact &artifact, moert_string_t reference, std::string_view owner,
                    std::string_view &text) {
  const std::span<const std::byte> strings = artifact.strings;
  if (reference.offset > strings.size() || reference.size > strings.size() - reference.offset)
    return failure(MOERT_INVALID_FILE, owner, ": string of ", reference.size, " bytes at offset ", reference.offset,
                   " exceeds the strings section of ", strings.size(), " bytes");
  const size_t end = size_t(reference.offset) + reference.size;
  for (size_t edge : {size_t(reference.offset), end})
    if (edge < strings.size() && isContinuation(strings[edge]))
      return failure(MOERT_INVALID_FILE, owner, ": string edge at offset ", edge, " splits a character");
  text = artifact.stepString(reference.offset, reference.size);
  return Status::success();
}

} // namespace moert
