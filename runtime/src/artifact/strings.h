// Strings of a .moe file.
#pragma once
#include "artifact/artifact.h"

namespace moert {

Status checkUtf8(std::span<const std::byte> strings);

// The text of a reference into the strings section, which has passed checkUtf8. `owner` names who refers to it.
Status lookUpString(const Artifact &artifact, moert_string_t reference, std::string_view owner, std::string_view &text);

} // namespace moert
