// A block of threads: its warps, shared memory and barriers.
#pragma once
#include "devices/emu/emulator.h"
#include "devices/emu/warp.h"

#include <memory>

namespace moert::emu {

class Block {
public:
  // `parameters` are the bytes of the kernel's parameters.
  Block(GlobalMemory &global, const Kernel &kernel, const LaunchShape &shape, std::span<const std::byte> parameters,
        Dim3 position);

  // Runs all warps to their end, in an order that `seed` decides. Counts into `report`.
  Status run(uint64_t seed, uint64_t instructionLimit, LaunchReport &report);

  // For warps.
  const Kernel &getKernel() const { return kernel; }
  GlobalMemory &getGlobal() { return global; }
  Region &getShared() { return shared; }
  std::span<const std::byte> getParameters() const { return parameters; }
  uint32_t getSpecial(SpecialRegister which, uint32_t thread) const;
  std::string describe() const;
  // `threads` is how many the barrier waits for, 0 for all of the block that have not ended.
  void arrive(Warp &warp, const Instruction &instruction, uint32_t barrier, uint32_t threads);

private:
  static constexpr uint32_t barrierCount = 16;
  struct Barrier {
    uint32_t threads = 0, arrivedWarps = 0;
  };

  Warp *choose(uint64_t &random);
  void releaseBarriers();
  Status describeDeadlock() const;

  GlobalMemory &global;
  const Kernel &kernel;
  const LaunchShape &shape;
  std::span<const std::byte> parameters;
  Dim3 position;
  Region shared;
  std::vector<std::unique_ptr<Warp>> warps;
  std::array<Barrier, barrierCount> barriers;
};

} // namespace moert::emu
