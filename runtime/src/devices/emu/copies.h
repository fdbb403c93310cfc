// Copies of cp.async that a warp has begun, and their groups.
#pragma once
#include "devices/emu/instruction.h"
#include "devices/emu/random.h"

#include <vector>

namespace moert::emu {

struct AsyncCopy {
  uint64_t source, target;
  uint32_t bytes, sourceBytes; // the rest becomes zero
  uint32_t line;
  bool hasLanded = false;
  uint64_t serial = 0; // counts the copies of the warp
};

class AsyncCopies {
public:
  void reset() { lanes = {}; }
  void begin(uint32_t lane, const AsyncCopy &copy) {
    lanes[lane].pending.push_back(copy);
    lanes[lane].pending.back().serial = ++begun;
  }
  // The serial number of the last copy.
  uint64_t getBegun() const { return begun; }
  void commit(LaneMask mask);

  // Calls land(lane, copy) for what the lanes have committed except their `remaining` latest groups, and forgets it.
  // Stops and returns false when `land` does.
  template <typename Land> bool wait(LaneMask mask, uint64_t remaining, Land land) {
    for (; mask; mask &= mask - 1) {
      const auto lane = static_cast<uint32_t>(__builtin_ctz(mask));
      for (size_t i = 0, count = countCommitted(lane, remaining); i < count; ++i)
        if (!land(lane, lanes[lane].pending[i]))
          return false;
      forget(lane, remaining);
    }
    return true;
  }
  // How many copies of a lane are under way, and the first of them.
  size_t getCount(uint32_t lane) const { return lanes[lane].pending.size(); }
  AsyncCopy &get(uint32_t lane, size_t index) { return lanes[lane].pending[index]; }
  // One that has not landed, and its lane; null if there is none.
  AsyncCopy *choose(Random &random, uint32_t &lane);

private:
  // In the order in which they began, and where the groups that are committed end among them.
  struct Lane {
    std::vector<AsyncCopy> pending;
    std::vector<size_t> groupEnds;
  };

  size_t countCommitted(uint32_t lane, uint64_t remaining) const;
  void forget(uint32_t lane, uint64_t remaining);

  std::array<Lane, warpSize> lanes;
  uint64_t begun = 0;
};

} // namespace moert::emu
