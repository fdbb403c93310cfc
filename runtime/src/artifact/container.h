// The outer layer of a .moe file: header, section table, and copies of the sections whose hashes have been checked.
#pragma once
#include "artifact/file_source.h"
#include "moert/moert_artifact.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace moert {

struct Section {
  moert_section_t entry;
  std::unique_ptr<std::byte[]> copy; // null for the weight data and for unknown types

  std::span<const std::byte> bytes() const { return {copy.get(), copy ? entry.size : 0}; }
};

struct Container {
  moert_file_header_t header;
  std::vector<Section> sections;

  // The first section of a type; null if there is none.
  const Section *find(uint32_t type) const;
  // The section of a type that must exist.
  const Section &get(uint32_t type) const { return *find(type); }
};

// Validates header and table, checks the seal, copies every known section but the weight data and checks its hash. With
// `requiredKey` it refuses what that Ed25519 key has not signed.
Status readContainer(const FileSource &source, const uint8_t *requiredKey, Container &container);

// "strings section", for messages.
std::string sectionName(uint32_t type);

} // namespace moert
