// Keys of signatures in files.
#pragma once
#include <array>
#include <cstdint>
#include <string>

namespace moert::tools {

// The Ed25519 public key in a file: 32 bytes, or 64 hexadecimal digits. Throws ToolError.
std::array<uint8_t, 32> readPublicKey(const std::string &path);

} // namespace moert::tools
