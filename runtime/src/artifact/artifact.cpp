// Reads a whole .moe file.
#include "artifact/artifact.h"

#include "artifact/hash.h"
#include "artifact/tables.h"
#include "step/step_check.h"

#include <cstring>

namespace moert {

Status readArtifact(const FileSource &source, const uint8_t *requiredKey, Artifact &artifact) {
  MOERT_TRY(readContainer(source, requiredKey, artifact.container));
  MOERT_TRY(readTables(artifact));
  return checkStepProgram(artifact);
}

Status verifyWeights(const Artifact &artifact, std::span<const std::byte> weightData) {
  const Hash hash = blake2b(weightData);
  if (std::memcmp(hash.data(), artifact.weightData().hash, hash.size()) != 0)
    return failure(MOERT_INVALID_FILE, sectionName(MOERT_SECTION_WEIGHT_DATA),
                   ": hash does not match, the file is damaged");
  return Status::success();
}

} // namespace moert
