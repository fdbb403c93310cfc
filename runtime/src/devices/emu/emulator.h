// Runs kernels of PTX modules on the host. Meant to find errors, not to be fast: memory and registers start poisoned,
// asynchronous copies land as late as they may, and every access is checked. What instructions compute is stated from
// their documentation and not validated on hardware.
#pragma once
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

struct LaunchOptions {
  // Order in which the warps of a block take turns; 0: by number.
  uint64_t seed = 0;
  // Of a block and all its warps together; a kernel that needs more is reported as one that does not end.
  uint64_t instructionLimit = uint64_t(1) << 40;
};

struct LaunchReport {
  uint64_t instructions = 0;     // of warps
  uint64_t laneInstructions = 0; // of lanes
};

class Emulator {
public:
  GlobalMemory &getMemory() { return memory; }

  // Runs the blocks one after the other. `arguments` point to the values of the kernel's parameters. After a failure
  // global memory holds what was written until then.
  Status launch(const Kernel &kernel, const LaunchShape &shape, std::span<const void *const> arguments,
                const LaunchOptions &options, LaunchReport &report);

private:
  GlobalMemory memory;
};

} // namespace moert::emu
