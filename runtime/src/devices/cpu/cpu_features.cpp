// Features by cpuid; the vector registers count only if xgetbv says that the system preserves them.
#include "devices/cpu/cpu_features.h"

#include "moert/moert_artifact.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace moert {

struct FeatureBit {
  uint64_t feature;
  const char *name;
  unsigned leaf;
  unsigned reg; // 0 eax, 1 ebx, 2 ecx, 3 edx
  unsigned bit;
  uint64_t savedState; // bits of XCR0: registers that the system must save
};

static constexpr uint64_t noState = 0, ymmState = 0x6, zmmState = 0xe6;

// Leaf 7 is sub-leaf 0. Bit positions are those of the processor manuals.
static constexpr FeatureBit featureBits[] = {
    {MOERT_FEATURE_SSE4_2, "SSE4.2", 1, 2, 20, noState},      {MOERT_FEATURE_POPCNT, "POPCNT", 1, 2, 23, noState},
    {MOERT_FEATURE_AVX2, "AVX2", 7, 1, 5, ymmState},          {MOERT_FEATURE_FMA, "FMA", 1, 2, 12, ymmState},
    {MOERT_FEATURE_F16C, "F16C", 1, 2, 29, ymmState},         {MOERT_FEATURE_BMI2, "BMI2", 7, 1, 8, noState},
    {MOERT_FEATURE_AVX512F, "AVX512F", 7, 1, 16, zmmState},   {MOERT_FEATURE_AVX512BW, "AVX512BW", 7, 1, 30, zmmState},
    {MOERT_FEATURE_AVX512DQ, "AVX512DQ", 7, 1, 17, zmmState}, {MOERT_FEATURE_AVX512VL, "AVX512VL", 7, 1, 31, zmmState},
    {MOERT_FEATURE_AVX512CD, "AVX512CD", 7, 1, 28, zmmState},
};

#if defined(__x86_64__)
static uint64_t readSavedRegisters() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

uint64_t detectCpuFeatures() {
  constexpr unsigned osxsave = 1u << 27;
  unsigned leaf1[4] = {}, leaf7[4] = {};
  if (!__get_cpuid(1, &leaf1[0], &leaf1[1], &leaf1[2], &leaf1[3]))
    return 0;
  __get_cpuid_count(7, 0, &leaf7[0], &leaf7[1], &leaf7[2], &leaf7[3]);
  const uint64_t saved = leaf1[2] & osxsave ? readSavedRegisters() : 0;
  uint64_t features = 0;
  for (const FeatureBit &bit : featureBits) {
    const unsigned *leaf = bit.leaf == 1 ? leaf1 : leaf7;
    const bool present = leaf[bit.reg] >> bit.bit & 1;
    if (present && (saved & bit.savedState) == bit.savedState)
      features |= bit.feature;
  }
  return features;
}

uint32_t getCpuArchitecture() { return MOERT_ARCH_X86_64; }
#else
uint64_t detectCpuFeatures() { return 0; }
uint32_t getCpuArchitecture() {
#if defined(__aarch64__)
  return MOERT_ARCH_AARCH64;
#else
  return 0;
#endif
}
#endif

std::string formatCpuFeatures(uint64_t features) {
  std::string text;
  auto append = [&](const std::string &name) { text += (text.empty() ? "" : ", ") + name; };
  for (const FeatureBit &bit : featureBits)
    if (features & bit.feature) {
      append(bit.name);
      features &= ~bit.feature;
    }
  for (unsigned bit = 0; bit < 64; ++bit)
    if (features >> bit & 1)
      append("bit " + std::to_string(bit));
  return text;
}

} // namespace moert
