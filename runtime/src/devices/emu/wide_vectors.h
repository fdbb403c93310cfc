// Loops over lanes, compiled a second time for processors with wider vectors and fused multiply-add. Results are the
// same: what is rounded once is rounded once in both.
#pragma once

namespace moert::emu {

#if defined(__x86_64__)
#define MOERT_EMU_WIDE [[gnu::target("avx2,fma,bmi,bmi2,f16c")]]
inline const bool hasWideVectors = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                                   __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                                   __builtin_cpu_supports("f16c");
#else
#define MOERT_EMU_WIDE
constexpr bool hasWideVectors = false;
#endif
// For what both versions have in common.
#define MOERT_EMU_INLINE [[gnu::always_inline]] inline

} // namespace moert::emu
