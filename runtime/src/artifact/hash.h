// The hash of the file format, BLAKE2b-256.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace moert {

using Hash = std::array<uint8_t, 32>;

Hash blake2b(std::span<const std::byte> bytes);
std::string formatHash(const uint8_t (&hash)[32]);

} // namespace moert
