// Speed of the emulated GPU: instructions of warps and of lanes per second, for a loop of arithmetic
// and, given its PTX, for the kernel of unittests/Target/Inputs/matmul-bf16.mlir, with and without counters, race
// detection and a second host thread.
//
//   emulator_bench [matmul.ptx [EXTENT]]
#include "devices/emu/emulator.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

using namespace moert;
using namespace moert::emu;

namespace {

constexpr char loop[] = R"(.version 7.0
.target sm_80
.address_size 64
.visible .entry loop()
{
  .reg .pred %p<2>; .reg .b32 %r<8>; .reg .b32 %f<4>;
  mov.u32 %r1, %tid.x; mov.b32 %r2, 0; mov.b32 %f1, 0f3F800000; mov.b32 %f2, 0f3F000000;
again:
  add.s32 %r3, %r1, %r2;
  mul.lo.s32 %r4, %r3, %r1;
  xor.b32 %r1, %r4, %r3;
  fma.rn.f32 %f1, %f1, %f2, %f2;
  add.f32 %f2, %f1, %f2;
  mul.f32 %f2, %f2, 0f3F000000;
  add.s32 %r2, %r2, 1;
  setp.lt.u32 %p1, %r2, 100000;
  @%p1 bra again;
  ret;
}
)";

struct Mode {
  const char *name;
  bool checksRaces, counts;
  uint32_t threads;
};
constexpr Mode modes[] = {
    {"plain", false, false, 1}, {"counters", false, true, 1},          {"races", true, false, 1},
    {"both", true, true, 1},    {"plain, 2 threads", false, false, 2}, {"both, 2 threads", true, true, 2}};

using Run = std::function<Status(const LaunchOptions &, LaunchReport &)>;

// The shortest of several runs, by the clock on the wall: other programs on the machine only make them longer.
bool measure(const char *what, const Run &run) {
  constexpr int runs = 7;
  for (const Mode &mode : modes) {
    LaunchOptions options;
    options.checkRaces = mode.checksRaces;
    options.count = mode.counts;
    options.threads = mode.threads;
    double best = 1e30;
    LaunchReport report;
    for (int i = 0; i < runs; ++i) {
      report = {};
      const auto begin = std::chrono::steady_clock::now();
      const Status status = run(options, report);
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      if (!status.ok()) {
        std::fprintf(stderr, "%s: %s\n", what, status.getMessage().c_str());
        return false;
      }
      best = std::min(best, seconds.count());
    }
    std::printf("%-8s %-18s %8.1f ms %8.1f M warp instructions/s %6.2f G lane instructions/s\n", what, mode.name,
                1e3 * best, static_cast<double>(report.instructions) / best / 1e6,
                static_cast<double>(report.laneInstructions) / best / 1e9);
  }
  return true;
}

bool measureLoop() {
  Module module;
  Emulator emulator;
  if (!Module::load(loop, module).ok())
    return false;
  return measure("loop", [&](const LaunchOptions &options, LaunchReport &report) {
    return emulator.launch(*module.findKernel("loop"), {{4}, {128}, 0}, {}, options, report);
  });
}

bool measureProduct(const char *file, int32_t extent) {
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  Module module;
  const Status loaded = Module::load(text.str(), module);
  const Kernel *kernel = module.findKernel("matmul");
  if (!loaded.ok() || !kernel || extent <= 0 || extent % 32) {
    std::fprintf(stderr, "%s: no kernel 'matmul', or %d is no multiple of 32 %s\n", file, extent,
                 loaded.getMessage().c_str());
    return false;
  }
  Emulator emulator;
  GlobalMemory &memory = emulator.getMemory();
  const auto tiles = static_cast<uint32_t>(extent) / 32;
  const std::vector<uint16_t> ones(size_t(extent) * static_cast<size_t>(extent), 0x3f80);
  const uint64_t a = memory.allocate(ones.size() * 2), b = memory.allocate(ones.size() * 2);
  const uint64_t c = memory.allocate(ones.size() * 4);
  for (const uint64_t operand : {a, b})
    if (!memory.write(operand, std::as_bytes(std::span(ones))).ok())
      return false;
  const void *arguments[] = {&a, &b, &c, &extent, &extent, &extent, &extent};
  return measure("product", [&](const LaunchOptions &options, LaunchReport &report) {
    return emulator.launch(*kernel, {{tiles, tiles}, {128}, 0}, arguments, options, report);
  });
}

} // namespace

int main(int argc, char **argv) {
  const bool isFine = measureLoop() && (argc < 2 || measureProduct(argv[1], argc > 2 ? std::atoi(argv[2]) : 256));
  return isFine ? EXIT_SUCCESS : EXIT_FAILURE;
}
