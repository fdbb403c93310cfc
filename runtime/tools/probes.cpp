// Each probe runs one plain loop on every thread and takes the best of a few rounds.
#include "probes.h"

#include "timing.h"

#include <thread>
#include <vector>

namespace moert::tools {

// Seconds until all threads have run `body(thread)`.
template <typename Body> static double timeOnThreads(uint32_t threads, Body body) {
  Stopwatch stopwatch;
  std::vector<std::thread> others;
  for (uint32_t thread = 1; thread < threads; ++thread)
    others.emplace_back(body, thread);
  body(0);
  for (std::thread &other : others)
    other.join();
  return stopwatch.seconds();
}

// Results go here so that no loop is optimised away.
static volatile uint64_t integerSink;
static volatile float floatSink;

static double probeRead(uint32_t threads) {
  constexpr size_t words = size_t(32) << 20; // 256 MiB in all
  std::vector<uint64_t> memory(words, 1);
  const size_t share = words / threads;
  double best = 1e9;
  for (int round = 0; round < 5; ++round)
    best = std::min(best, timeOnThreads(threads, [&](uint32_t thread) {
                      const uint64_t *begin = memory.data() + share * thread;
                      uint64_t sums[8] = {};
                      for (size_t i = 0; i + 8 <= share; i += 8)
                        for (size_t j = 0; j < 8; ++j)
                          sums[j] += begin[i + j];
                      for (uint64_t sum : sums)
                        integerSink = sum;
                    }));
  return static_cast<double>(share * threads * sizeof(uint64_t)) / best / 1e9;
}

constexpr int64_t fmaRounds = 1 << 21;
constexpr int accumulators = 12; // hides the latency of the multiply-add units
// A sum that started at the fixed point 1 would be folded away and the others counted for it.
constexpr float firstSum = 2.0f;

typedef float Vector4 __attribute__((vector_size(16)));

// A function that returns how many floating-point operations it has done.
#define MOERT_FMA_PROBE(name, vector)                                                                                  \
  static int64_t name() {                                                                                              \
    vector sums[accumulators], factor = vector{} + 0.999f, addend = vector{} + 0.001f;                                 \
    for (int i = 0; i < accumulators; ++i)                                                                             \
      sums[i] = vector{} + (firstSum + static_cast<float>(i));                                                         \
    for (int64_t round = 0; round < fmaRounds; ++round)                                                                \
      for (int i = 0; i < accumulators; ++i)                                                                           \
        sums[i] = sums[i] * factor + addend;                                                                           \
    vector total{};                                                                                                    \
    for (int i = 0; i < accumulators; ++i)                                                                             \
      total += sums[i];                                                                                                \
    floatSink = total[0];                                                                                              \
    return fmaRounds * accumulators * int64_t(sizeof(vector) / sizeof(float)) * 2;                                     \
  }
MOERT_FMA_PROBE(multiplyAddBase, Vector4)

#if defined(__x86_64__)
typedef float Vector8 __attribute__((vector_size(32)));
typedef float Vector16 __attribute__((vector_size(64)));
__attribute__((target("avx2,fma"))) MOERT_FMA_PROBE(multiplyAddAvx2, Vector8)
__attribute__((target("avx512f,fma"))) MOERT_FMA_PROBE(multiplyAddAvx512, Vector16)

static int64_t multiplyAddBest() {
  static const bool hasAvx512 = __builtin_cpu_supports("avx512f");
  static const bool hasAvx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return hasAvx512 ? multiplyAddAvx512() : hasAvx2 ? multiplyAddAvx2() : multiplyAddBase();
}
#else
static int64_t multiplyAddBest() { return multiplyAddBase(); }
#endif
#undef MOERT_FMA_PROBE

static double probePeak(uint32_t threads) {
  double best = 1e9;
  int64_t operations = 0;
  for (int round = 0; round < 5; ++round)
    best = std::min(best, timeOnThreads(threads, [&](uint32_t thread) {
                      const int64_t done = multiplyAddBest();
                      if (thread == 0)
                        operations = done;
                    }));
  return static_cast<double>(operations) * threads / best / 1e9;
}

MachineProbes probeMachine(uint32_t threads) { return {probeRead(threads), probePeak(threads)}; }

} // namespace moert::tools
