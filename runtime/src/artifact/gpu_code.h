// Reads a GPU code section.
#pragma once
#include "artifact/artifact.h"

#include <functional>

namespace moert {

// Looks a string up for the owner that messages name.
using StringLookUp = std::function<Status(moert_string_t reference, std::string_view owner, std::string &text)>;

// Expects one entry for each of `kernelCount` kernels. The variant refers to `section`, which must outlive it.
Status readGpuVariant(std::span<const std::byte> section, size_t kernelCount, const StringLookUp &lookUp,
                      GpuVariant &variant);

} // namespace moert
