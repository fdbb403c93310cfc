//===- CpuMachine.cpp - machine facts as data -------------------------------===//

#include "moec/Target/Cpu/CpuTarget.h"
#include "moert/moert_artifact.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using namespace moec;

namespace {

constexpr uint64_t kV2Features = MOERT_FEATURE_SSE4_2 | MOERT_FEATURE_POPCNT;
constexpr uint64_t kV3Features =
    kV2Features | MOERT_FEATURE_AVX2 | MOERT_FEATURE_FMA | MOERT_FEATURE_F16C | MOERT_FEATURE_BMI2;
constexpr uint64_t kV4Features = kV3Features | MOERT_FEATURE_AVX512F | MOERT_FEATURE_AVX512BW | MOERT_FEATURE_AVX512DQ |
                                 MOERT_FEATURE_AVX512VL | MOERT_FEATURE_AVX512CD;

constexpr char kX86[] = "x86_64-unknown-linux-gnu", kArm[] = "aarch64-unknown-linux-gnu";

constexpr CpuVariant kVariants[] = {
    {"x86-64-v4", kX86, "x86-64-v4", 16, 32, true, true, MOERT_ARCH_X86_64, kV4Features},
    {"x86-64-v3", kX86, "x86-64-v3", 8, 16, true, true, MOERT_ARCH_X86_64, kV3Features},
    {"x86-64-v2", kX86, "x86-64-v2", 4, 16, false, false, MOERT_ARCH_X86_64, kV2Features},
    {"aarch64", kArm, "generic", 4, 32, true, true, MOERT_ARCH_AARCH64, 0},
};

/// LLVM's names of the features.
constexpr std::pair<uint64_t, llvm::StringLiteral> kFeatureNames[] = {
    {MOERT_FEATURE_SSE4_2, "sse4.2"},     {MOERT_FEATURE_POPCNT, "popcnt"},     {MOERT_FEATURE_AVX2, "avx2"},
    {MOERT_FEATURE_FMA, "fma"},           {MOERT_FEATURE_F16C, "f16c"},         {MOERT_FEATURE_BMI2, "bmi2"},
    {MOERT_FEATURE_AVX512F, "avx512f"},   {MOERT_FEATURE_AVX512BW, "avx512bw"}, {MOERT_FEATURE_AVX512DQ, "avx512dq"},
    {MOERT_FEATURE_AVX512VL, "avx512vl"}, {MOERT_FEATURE_AVX512CD, "avx512cd"},
};

} // namespace

llvm::ArrayRef<CpuVariant> moec::cpuVariants() { return kVariants; }

const CpuVariant *moec::findCpuVariant(llvm::StringRef name) {
  for (const CpuVariant &variant : kVariants)
    if (variant.name == name)
      return &variant;
  return nullptr;
}

const CpuVariant *moec::nativeCpuVariant() {
  llvm::Triple::ArchType host = llvm::Triple(llvm::sys::getProcessTriple()).getArch();
  llvm::StringMap<bool> names = llvm::sys::getHostCPUFeatures();
  uint64_t features = 0;
  for (auto [feature, name] : kFeatureNames)
    features |= names.lookup(name) ? feature : 0;
  for (const CpuVariant &variant : kVariants)
    if (llvm::Triple(variant.triple).getArch() == host && (variant.features & ~features) == 0)
      return &variant;
  return nullptr;
}
