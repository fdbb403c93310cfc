// How near a compiled product comes to this processor's multiply-add peak.
//
//   grouped_matmul_bench PRODUCT.moe VARIANT ROWS…
//
// PRODUCT.moe has one input [T, K] and one output [T, N] that is the input times a weight. For each row count the
// program times runs on one thread in turn with a multiply-add probe of the variant's vector width and with a plain
// read of as many bytes as the weight has, so that all see the same clock and the same neighbours, and prints the
// medians and their ratios.
#include "moert/moert.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <immintrin.h>
#include <vector>

static volatile float sink;

/// Seconds this thread has run: others on the same processor do not count.
static double now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

constexpr int64_t probeRounds = 100000;
constexpr int accumulators = 12;
// A sum that started at the fixed point 1 would be folded away and the others counted for it.
constexpr float firstSum = 2.0f;

// Independent multiply-adds in registers; returns the floating-point operations done.
#define DEFINE_PROBE(name, features, vector, set, multiplyAdd)                                                         \
  __attribute__((target(features), noinline)) static double name() {                                                   \
    vector sums[accumulators], factor = set(0.999f), addend = set(0.001f);                                             \
    _Pragma("GCC unroll 12") for (int i = 0; i < accumulators; ++i) sums[i] = set(firstSum + float(i));                \
    for (int64_t round = 0; round < probeRounds; ++round)                                                              \
      _Pragma("GCC unroll 12") for (int i = 0; i < accumulators; ++i) sums[i] = multiplyAdd(sums[i], factor, addend);  \
    _Pragma("GCC unroll 12") for (int i = 0; i < accumulators; ++i) sink = sums[i][0];                                 \
    return double(probeRounds) * accumulators * double(sizeof(vector) / sizeof(float)) * 2.0;                          \
  }
DEFINE_PROBE(probe256, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps)
DEFINE_PROBE(probe512, "avx512f,fma", __m512, _mm512_set1_ps, _mm512_fmadd_ps)
#undef DEFINE_PROBE

/// Reads all of `memory`; at this rate a product that does nothing else reads its weight.
__attribute__((target("avx2"), noinline)) static void readAll(const std::vector<float> &memory) {
  __m256 sums[8] = {};
  for (size_t i = 0; i + 64 <= memory.size(); i += 64)
    _Pragma("GCC unroll 8") for (size_t j = 0; j < 8; ++j) sums[j] =
        _mm256_xor_ps(sums[j], _mm256_loadu_ps(memory.data() + i + 8 * j));
  for (int j = 0; j < 8; ++j)
    sink = sums[j][0];
}

static void check(moert_status_t status) {
  if (status == MOERT_OK)
    return;
  std::fprintf(stderr, "grouped_matmul_bench: %s\n", moert_last_error());
  std::exit(1);
}

static double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

/// Times runs and the probe in turn and prints a row of the table: the median of each, as operations per second.
static void measure(moert_session_t *session, int64_t rows, int64_t inner, int64_t columns, bool wide) {
  std::vector<float> values(rows * inner);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(i % 17) * 0.1f - 0.8f;
  int64_t shape[2] = {rows, inner};
  moert_tensor_view_t input{};
  input.data = values.data();
  input.element_type = MOERT_F32;
  input.rank = 2;
  input.dims = shape;
  input.byte_size = values.size() * sizeof(float);

  std::vector<float> memory(inner * columns, 1.0f);
  std::vector<double> runs, probes, reads;
  check(moert_session_run(session, &input, 1, nullptr, 0));
  for (double begin = now(); now() - begin < 1.0;) {
    double start = now();
    check(moert_session_run(session, &input, 1, nullptr, 0));
    runs.push_back(now() - start);
    start = now();
    double operations = wide ? probe512() : probe256();
    probes.push_back(operations / (now() - start));
    start = now();
    readAll(memory);
    reads.push_back(now() - start);
  }
  double bytes = 4.0 * double(inner) * double(columns);
  double run = median(runs), peak = median(probes), rate = 2.0 * double(rows) * double(inner) * double(columns) / run;
  std::printf("| %5ld | %8.1f | %8.1f | %5.1f %% | %6.1f | %6.1f | %5.1f %% |\n", long(rows), rate * 1e-9, peak * 1e-9,
              100.0 * rate / peak, bytes / run * 1e-9, bytes / median(reads) * 1e-9, 100.0 * median(reads) / run);
}

int main(int argc, char **argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: grouped_matmul_bench PRODUCT.moe VARIANT ROWS...\n");
    return 1;
  }
  moert_program_options_t options = MOERT_PROGRAM_OPTIONS_INIT;
  options.variant = argv[2];
  moert_program_t *program;
  check(moert_program_open(argv[1], &options, &program));
  moert_session_options_t sessionOptions = MOERT_SESSION_OPTIONS_INIT;
  sessionOptions.thread_count = 1;
  moert_session_t *session;
  check(moert_session_create(program, &sessionOptions, &session));
  moert_tensor_info_t in{}, out{};
  in.size = out.size = sizeof in;
  check(moert_program_input(program, 0, &in));
  check(moert_program_output(program, 0, &out));
  std::printf("%s, K = %ld, N = %ld\n\n| rows | GFLOP/s | peak | of peak | weights GB/s | read | of read |\n"
              "|---|---|---|---|---|---|---|\n",
              argv[2], long(in.dims[1]), long(out.dims[1]));
  bool wide = std::strcmp(argv[2], "x86-64-v4") == 0;
  for (int i = 3; i < argc; ++i)
    measure(session, std::atol(argv[i]), in.dims[1], out.dims[1], wide);
  moert_session_destroy(session);
  moert_program_close(program);
  return 0;
}
