// What the blocks of one launch have in common.
#pragma once
#include "devices/emu/access_log.h"
#include "devices/emu/emulator.h"
#include "devices/emu/random.h"

#include <mutex>

namespace moert::emu {

class Observer;

struct Launch {
  const Kernel &kernel;
  const LaunchShape &shape;
  const LaunchOptions &options;
  std::span<const std::byte> parameters; // their bytes
  GlobalMemory &global;

  uint64_t getBlockCount() const { return uint64_t(shape.grid.x) * shape.grid.y * shape.grid.z; }
  uint32_t getThreadsPerBlock() const { return shape.block.x * shape.block.y * shape.block.z; }
  uint32_t getWarpsPerBlock() const { return (getThreadsPerBlock() + warpSize - 1) / warpSize; }
  Dim3 getPosition(uint64_t block) const {
    return {static_cast<uint32_t>(block % shape.grid.x), static_cast<uint32_t>(block / shape.grid.x % shape.grid.y),
            static_cast<uint32_t>(block / shape.grid.x / shape.grid.y)};
  }
};

// What the blocks that run on one host thread share.
struct LaunchThread {
  const Launch &launch;
  Observer *observer = nullptr;  // null if nobody watches
  std::mutex *atomics = nullptr; // held during atomics if other threads run blocks too
  uint64_t progress = 0;         // counts what others may be waiting for
  AccessLog log = {};            // of atomics, and of all instructions if somebody watches
};

} // namespace moert::emu
