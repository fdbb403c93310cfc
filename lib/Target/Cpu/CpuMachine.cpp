//===- CpuMachine.cpp - machine facts as data -------------------------------===//

#include "moec/Target/Cpu/CpuTarget.h"
#include "moert/moert_artifact.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"

using namespace moec;

namespace {

constexpr uint64_t kV3Features =
    MOERT_FEATURE_AVX2 | MOERT_FEATURE_FMA | MOERT_FEATURE_F16C | MOERT_FEATURE_BMI2;
constexpr uint64_t kV4Features = kV3Features | MOERT_FEATURE_AVX512F | MOERT_FEATURE_AVX512BW |
                                 MOERT_FEATURE_AVX512DQ | MOERT_FEATURE_AVX512VL | MOERT_FEATURE_AVX512CD;

constexpr CpuVariant kVariants[] = {
    {"x86-64-v4", "x86_64-unknown-linux-gnu", "x86-64-v4", 16, 32, MOERT_ARCH_X86_64, kV4Features},
    {"x86-64-v3", "x86_64-unknown-linux-gnu", "x86-64-v3", 8, 16, MOERT_ARCH_X86_64, kV3Features},
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
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  bool v3 = host.lookup("avx2") && host.lookup("fma") && host.lookup("f16c") && host.lookup("bmi2");
  bool v4 = v3 && host.lookup("avx512f") && host.lookup("avx512bw") && host.lookup("avx512dq") &&
            host.lookup("avx512vl") && host.lookup("avx512cd");
  return v4 ? findCpuVariant("x86-64-v4") : v3 ? findCpuVariant("x86-64-v3") : nullptr;
}
