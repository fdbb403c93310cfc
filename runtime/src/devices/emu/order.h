// What comes before what: barriers, fences and ordered accesses let warps know of each other's accesses, and an access
// that another does not know of is a race. Lanes of one warp meet at bar.warp.sync, and where the warp lets others know
// what it has done.
#pragma once
#include "devices/emu/instruction_traits.h"
#include "devices/emu/shadow.h"

#include <map>
#include <vector>

namespace moert::emu {

// What a location of ordered accesses hands on from those who write it to those who read it.
struct Handover {
  ClockList device; // written for the whole device
  ClockList block;  // written for, or by, the threads of one block
  uint64_t writer = 0;
};

// Global memory, as the blocks that run on one host thread have used it.
struct DeviceOrder {
  Shadow global{4};
  std::map<uint64_t, Handover> handovers; // by address
};

class BlockOrder {
public:
  BlockOrder(DeviceOrder &device, uint32_t warpCount);
  void start(uint64_t block);

  // Barriers: `number` of the block's, or the address of an mbarrier plus `memoryBarriers`.
  static constexpr uint64_t memoryBarriers = 16;
  void arrive(uint64_t barrier, uint32_t warp);
  void arrive(uint64_t barrier, const Knowledge &knowledge);
  // All have arrived.
  void complete(uint64_t barrier);
  void pass(uint64_t barrier, uint32_t warp);
  void forget(uint64_t barrier) { barriers.erase(barrier); }

  void fence(uint32_t warp, Scope scope);
  // An ordered access to a location of shared or global memory.
  void read(uint64_t address, bool isShared, uint32_t warp, MemoryOrder order, Scope scope);
  void write(uint64_t address, bool isShared, uint32_t warp, MemoryOrder order, Scope scope, bool isAtomic);
  // What the warp has done until now becomes known to those who get to know its clock.
  Knowledge release(uint32_t warp);

  bool checkShared(const AccessSpan &span, bool isWrite, uint32_t warp, uint32_t where, bool isFinished,
                   Conflict &conflict);
  bool checkGlobal(const AccessSpan &span, bool isWrite, uint32_t warp, uint32_t where, Conflict &conflict);
  // A copy that `warp` began is done, as far as those know that know its clock.
  void finishCopy(uint64_t address, uint64_t size, uint32_t warp, Clock clock);
  Clock getClock(uint32_t warp) { return warps[warp].knowledge.of(warp); }

private:
  struct Barrier {
    Knowledge arrived, completed;
  };
  // Knowledge at a fence, which ordered writes behind it hand on, and what ordered reads before it have got.
  struct WarpOrder {
    Knowledge knowledge, atBlockFence, atDeviceFence;
    ClockList seen;
  };

  PastAccess makeAccess(uint32_t warp, uint32_t where) {
    return {block.first + warp, warps[warp].knowledge.of(warp), where};
  }
  Handover &getHandover(uint64_t address, bool isShared) {
    return isShared ? sharedHandovers[address] : device.handovers[address];
  }

  DeviceOrder &device;
  WarpRange block;
  uint64_t blockNumber = 0;
  Shadow shared;
  std::vector<WarpOrder> warps;
  std::map<uint64_t, Barrier> barriers;
  std::map<uint64_t, Handover> sharedHandovers;
};

} // namespace moert::emu
