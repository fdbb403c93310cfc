// Choice of a code variant and its mapping.
#include "devices/cpu/code_image.h"

#include "devices/cpu/cpu_features.h"

#include <cstring>

namespace moert {

Status CodeImage::load(const CodeVariant &variant, CodeImage &image) {
  MOERT_TRY(Mapping::allocate(variant.image.size(), /*hugePages=*/false, image.memory));
  if (!variant.image.empty())
    std::memcpy(image.memory.data(), variant.image.data(), variant.image.size());
  MOERT_TRY(image.memory.makeExecutable());
  // Some processors fetch instructions past what was just written.
  auto *begin = reinterpret_cast<char *>(image.memory.data());
  __builtin___clear_cache(begin, begin + variant.image.size());
  image.kernels.clear();
  for (uint64_t entry : variant.entries)
    image.kernels.push_back(reinterpret_cast<moert_kernel_fn_t>(image.memory.data() + entry));
  return Status::success();
}

// What keeps this processor from running a variant; empty if nothing does.
static std::string whyNotRunnable(const CodeVariant &variant) {
  if (variant.architecture != getCpuArchitecture())
    return "another processor architecture";
  const uint64_t missing = variant.requiredFeatures & ~detectCpuFeatures();
  return missing ? "lacks " + formatCpuFeatures(missing) : "";
}

Status chooseVariant(const Artifact &artifact, const char *wanted, const CodeVariant *&variant) {
  if (artifact.variants.empty() && !wanted)
    return failure(MOERT_UNSUPPORTED, "the file has code for GPUs only");
  std::string reasons;
  for (const CodeVariant &candidate : artifact.variants) {
    const bool isCandidate = !wanted || candidate.name == wanted;
    const std::string reason = whyNotRunnable(candidate);
    if (isCandidate && reason.empty()) {
      variant = &candidate;
      return Status::success();
    }
    if (isCandidate && wanted)
      return failure(MOERT_UNSUPPORTED, "this processor cannot run code variant '", wanted, "': ", reason);
    reasons += (reasons.empty() ? "" : "; ") + candidate.name + (wanted ? "" : ": " + reason);
  }
  if (wanted)
    return failure(MOERT_INVALID_ARGUMENT, "no code variant '", wanted, "' in the file, which has: ", reasons);
  return failure(MOERT_UNSUPPORTED, "this processor cannot run any code variant of the file: ", reasons);
}

} // namespace moert
