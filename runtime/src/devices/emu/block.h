// A block of threads: its warps, shared memory and barriers.
#pragma once
#include "devices/emu/barrier.h"
#include "devices/emu/launch.h"
#include "devices/emu/memory_barrier.h"
#include "devices/emu/order.h"
#include "devices/emu/warp.h"

#include <memory>

namespace moert::emu {

class Block {
public:
  explicit Block(LaunchThread &thread);

  // Begins block `number` of the grid.
  void start(uint64_t number);
  // One warp runs for a while. False if none can.
  bool takeTurn();
  bool isDone() const { return getRunningWarps() == 0; }
  // Whether a warp polls.
  bool isPolling() const;
  // Whether all warps wait, those that poll at least `polls` times in vain.
  bool isWaiting(uint32_t polls) const;
  // Of the first warp that failed, or of the block.
  const Status &getFault() const { return fault; }
  // Adds what its warps have executed.
  void addTo(LaunchReport &report) const;
  // What each warp waits for.
  std::string describeWarps() const;

  // For warps.
  LaunchThread &getThread() { return thread; }
  const Kernel &getKernel() const { return thread.launch.kernel; }
  GlobalMemory &getGlobal() { return thread.launch.global; }
  Region &getShared() { return shared; }
  std::span<const std::byte> getParameters() const { return thread.launch.parameters; }
  uint32_t getSpecial(SpecialRegister which, uint32_t thread) const;
  std::string describe() const;
  NamedBarriers &getBarriers() { return barriers; }
  const NamedBarriers &getBarriers() const { return barriers; }
  MemoryBarriers &getMemoryBarriers() { return memoryBarriers; }
  const MemoryBarriers &getMemoryBarriers() const { return memoryBarriers; }
  BlockOrder *getOrder() { return order.get(); }
  uint32_t getWarpCount() const { return static_cast<uint32_t>(warps.size()); }
  // One bit for each warp that has not ended.
  uint32_t getRunningWarps() const;
  void onLanesEnded(const Warp &warp) { barriers.onLanesEnded(warp); }
  void onProgress() { ++thread.progress; }
  // An arrival at an mbarrier of one that knows `known`; false after a fault.
  bool arriveAt(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address, const Knowledge &known,
                MemoryBarriers::Arrival &arrival);
  // The same once all copies that the lane has begun have landed.
  void arriveAfterCopies(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address,
                         const Knowledge &known);

private:
  struct PendingArrival {
    Warp *warp;
    const Instruction *instruction;
    uint32_t lane;
    uint64_t address;
    Knowledge known;
    uint64_t lastCopy; // those of the lane up to this one must land before
  };

  Warp *choose();
  void landSomeCopies();
  bool landArrival();
  void failEndless(const Warp &warp);

  LaunchThread &thread;
  uint64_t number = 0;
  Dim3 position;
  Region shared;
  std::vector<std::unique_ptr<Warp>> warps;
  NamedBarriers barriers;
  MemoryBarriers memoryBarriers;
  std::unique_ptr<BlockOrder> order; // null if races are not looked for
  std::vector<PendingArrival> arrivals;
  Random random;
  size_t firstChoice = 0;
  uint64_t budget = 0;
  Status fault = Status::success();
};

} // namespace moert::emu
