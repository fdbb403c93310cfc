// The signature of a file.
#pragma once
#include "artifact/container.h"

namespace moert {

// What a seal signs: header and table without what depends on the seal itself.
std::vector<std::byte> makeSealedMessage(const Container &container);

// Checks the seal, if there is one, and that it is of the Ed25519 public key `requiredKey` unless that is null. The
// section of the seal must have been copied.
Status checkSeal(const Container &container, const uint8_t *requiredKey);

// The seal of a file that was read; null without one.
const moert_seal_t *getSeal(const Container &container);

} // namespace moert
