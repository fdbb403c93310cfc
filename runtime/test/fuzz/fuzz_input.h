// The form of fuzzer inputs. Real files have megabytes of padding and hashes that no mutation hits, so the fuzzer works
// on the sections alone: records of {type u32, size u32, bytes}, from which a whole file with right hashes is made.
#pragma once
#include "artifact_builder.h"

namespace moert::test {

inline Bytes encodeFuzzInput(const std::map<uint32_t, Bytes> &sections) {
  Bytes input;
  for (const auto &[type, bytes] : sections) {
    const uint32_t record[] = {type, static_cast<uint32_t>(bytes.size())};
    const auto *begin = reinterpret_cast<const std::byte *>(record);
    input.insert(input.end(), begin, begin + sizeof(record));
    input.insert(input.end(), bytes.begin(), bytes.end());
  }
  return input;
}

inline Bytes makeFileFromFuzzInput(const std::byte *data, size_t size) {
  std::vector<std::pair<uint32_t, Bytes>> sections;
  uint32_t record[2];
  while (size >= sizeof(record) && sections.size() <= MOERT_MAX_SECTIONS) {
    std::memcpy(record, data, sizeof(record));
    data += sizeof(record);
    size -= sizeof(record);
    const size_t taken = std::min<size_t>(record[1], size);
    sections.emplace_back(record[0], Bytes(data, data + taken));
    data += taken;
    size -= taken;
  }
  return ArtifactBuilder::build({}, sections);
}

} // namespace moert::test
