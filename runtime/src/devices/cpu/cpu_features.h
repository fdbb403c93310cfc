// What the processor and the operating system support.
#pragma once
#include <cstdint>
#include <string>

namespace moert {

// MOERT_FEATURE_* bits whose registers the system also saves.
uint64_t detectCpuFeatures();
// MOERT_ARCH_* of this build.
uint32_t getCpuArchitecture();

// Names of feature bits, separated by commas: "AVX2, FMA"; bits without a name as "bit 20".
std::string formatCpuFeatures(uint64_t features);

} // namespace moert
