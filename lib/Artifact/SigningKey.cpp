//===- SigningKey.cpp - the key that signs .moe files -----------------------===//

#include "moec/Artifact/SigningKey.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include <sodium.h>

using namespace llvm;
using namespace moec;

static Error refuse(StringRef path, const Twine &reason) {
  return createStringError(inconvertibleErrorCode(), "key '" + path + "': " + reason);
}

Expected<SigningKey> SigningKey::read(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(path);
  if (!buffer)
    return refuse(path, buffer.getError().message());
  std::string bytes = (*buffer)->getBuffer().str();
  StringRef digits = StringRef(bytes).rtrim();
  // 64 bytes that are all digits are a seed in hexadecimal.
  if ((digits.size() == 64 || digits.size() == 128) && all_of(digits, isHexDigit))
    bytes = fromHex(digits);
  if (bytes.size() != 32 && bytes.size() != 64)
    return refuse(path, "expected 32 or 64 bytes or twice as many hexadecimal digits, found " + Twine(bytes.size()) +
                            " bytes");
  SigningKey key;
  crypto_sign_ed25519_seed_keypair(key.publicKey.data(), key.secretKey.data(),
                                   reinterpret_cast<const uint8_t *>(bytes.data()));
  bool fits = bytes.size() == 32 || memcmp(bytes.data(), key.secretKey.data(), 64) == 0;
  sodium_memzero(bytes.data(), bytes.size());
  if (!fits)
    return refuse(path, "the public half does not belong to the secret one");
  return key;
}

SigningKey::~SigningKey() { sodium_memzero(secretKey.data(), secretKey.size()); }

std::array<uint8_t, 64> SigningKey::sign(ArrayRef<uint8_t> message) const {
  std::array<uint8_t, 64> signature;
  crypto_sign_ed25519_detached(signature.data(), nullptr, message.data(), message.size(), secretKey.data());
  return signature;
}
