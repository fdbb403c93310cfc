// BLAKE2b-256 by libsodium.
#include "artifact/hash.h"

#include <sodium.h>

namespace moert {

Hash blake2b(std::span<const std::byte> bytes) {
  // Lets libsodium choose its fastest implementation; without it the portable one computes the same.
  [[maybe_unused]] static const int chosen = sodium_init();
  Hash hash;
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size(),
                     nullptr, 0);
  return hash;
}

std::string formatHash(const uint8_t (&hash)[32]) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : hash) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

} // namespace moert
