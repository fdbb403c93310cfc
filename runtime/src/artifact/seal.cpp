// The check precedes all use of other sections: their hashes are in the table that the seal signs.
#include "artifact/seal.h"

#include "artifact/hash.h"

#include <cstring>
#include <sodium.h>

namespace moert {

std::vector<std::byte> makeSealedMessage(const Container &container) {
  moert_file_header_t header = container.header;
  std::memset(header.table_hash, 0, sizeof(header.table_hash));
  std::vector<std::byte> message(sizeof(header) + container.sections.size() * sizeof(moert_section_t));
  std::memcpy(message.data(), &header, sizeof(header));
  std::byte *next = message.data() + sizeof(header);
  for (const Section &section : container.sections) {
    moert_section_t entry = section.entry;
    if (entry.type == MOERT_SECTION_SEAL)
      std::memset(entry.hash, 0, sizeof(entry.hash));
    std::memcpy(next, &entry, sizeof(entry));
    next += sizeof(entry);
  }
  return message;
}

const moert_seal_t *getSeal(const Container &container) {
  const Section *section = container.find(MOERT_SECTION_SEAL);
  return section ? reinterpret_cast<const moert_seal_t *>(section->bytes().data()) : nullptr;
}

Status checkSeal(const Container &container, const uint8_t *requiredKey) {
  const Section *section = container.find(MOERT_SECTION_SEAL);
  if (!section)
    return requiredKey ? failure(MOERT_UNTRUSTED, "the file is not signed") : Status::success();
  if (section->bytes().size() != sizeof(moert_seal_t))
    return failure(MOERT_INVALID_FILE, "seal section: ", section->bytes().size(), " bytes, expected ",
                   sizeof(moert_seal_t));
  const moert_seal_t &seal = *getSeal(container);
  const std::vector<std::byte> message = makeSealedMessage(container);
  if (crypto_sign_ed25519_verify_detached(seal.signature, reinterpret_cast<const unsigned char *>(message.data()),
                                          message.size(), seal.public_key) != 0)
    return failure(MOERT_INVALID_FILE, "seal section: the signature does not match, the file was changed");
  if (requiredKey && std::memcmp(requiredKey, seal.public_key, sizeof(seal.public_key)) != 0)
    return failure(MOERT_UNTRUSTED, "the file is signed by another key, ", formatHash(seal.public_key));
  return Status::success();
}

} // namespace moert
