//===- SigningKey.h - the key that signs .moe files -------------------------===//
#ifndef MOEC_ARTIFACT_SIGNINGKEY_H
#define MOEC_ARTIFACT_SIGNINGKEY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <array>

namespace moec {

/// An Ed25519 key pair.
class SigningKey {
public:
  /// Reads a secret key: its seed of 32 bytes, or seed and public key of 64 together, raw or as hexadecimal digits.
  static llvm::Expected<SigningKey> read(llvm::StringRef path);
  SigningKey(const SigningKey &) = default;
  SigningKey &operator=(const SigningKey &) = default;
  ~SigningKey();

  llvm::ArrayRef<uint8_t> getPublicKey() const { return publicKey; }
  std::array<uint8_t, 64> sign(llvm::ArrayRef<uint8_t> message) const;

private:
  SigningKey() = default;

  std::array<uint8_t, 32> publicKey;
  std::array<uint8_t, 64> secretKey;
};

} // namespace moec

#endif // MOEC_ARTIFACT_SIGNINGKEY_H
