// Runs kernels of PTX modules on the host. Meant to find errors, not to be fast: memory and registers start poisoned,
// asynchronous copies land as late as they may, and every access is checked. What instructions compute is stated from
// their documentation and not validated on hardware.
#pragma once
#include "devices/emu/counters.h"
#include "devices/emu/memory.h"
#include "devices/emu/ptx_module.h"

namespace moert::emu {

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
};

struct LaunchShape {
  Dim3 grid, block;
  uint32_t dynamicSharedBytes = 0;
};

// When what cp.async copies arrives in shared memory.
enum class CopyOrder : uint8_t {
  Latest, // when a wait demands it, or when nothing else can go on
  Random, // at some moment before that, which `seed` decides
};

struct LaunchOptions {
  // Order in which blocks, and the warps of a block, take turns; 0: by number.
  uint64_t seed = 0;
  // Of a block and all its warps together; a kernel that needs more is reported as one that does not end.
  uint64_t instructionLimit = uint64_t(1) << 34;
  // All blocks run at the same time, taking turns. Else each one ends before the next begins, and a kernel whose blocks
  // wait for later ones is reported as a deadlock.
  bool residentTogether = false;
  CopyOrder copyOrder = CopyOrder::Latest;
  // Whether accesses that nothing orders are reported.
  bool checkRaces = true;
  // Whether the report gets counters.
  bool count = false;
  // How often a warp may poll while nothing else happens in the launch before that counts as waiting for ever.
  uint32_t pollLimit = 4096;
  // Host threads that run blocks, for kernels whose blocks cannot see each other; others run on the caller's. Results,
  // counters and the verdict do not depend on it. Without `parallelFor` the launch starts threads of its own.
  uint32_t threads = 1;
  moert_parallel_for_fn parallelFor = nullptr;
  void *parallelForContext = nullptr;
};

// Launches add to it.
struct LaunchReport {
  uint64_t instructions = 0;     // of warps
  uint64_t laneInstructions = 0; // of lanes
  LaunchCounters counters;       // only if asked for
};

class Emulator {
public:
  GlobalMemory &getMemory() { return memory; }

  // `arguments` point to the values of the kernel's parameters. After a failure global memory holds what was written
  // until then.
  Status launch(const Kernel &kernel, const LaunchShape &shape, std::span<const void *const> arguments,
                const LaunchOptions &options, LaunchReport &report);

private:
  GlobalMemory memory;
};

} // namespace moert::emu
