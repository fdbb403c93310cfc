// Which accesses of which warps come before others: vector clocks over the warps of a launch.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace moert::emu {

// The warps of one block among all of the launch, which are numbered block by block.
struct WarpRange {
  uint32_t first = 0, count = 0;
  bool contains(uint32_t warp) const { return warp - first < count; }
};

// Of a warp: counts up whenever it lets others know what it has done. 0: never.
using Clock = uint32_t;
// Of a write that has begun and nobody knows to be finished.
constexpr Clock unfinished = ~Clock(0);

// Of many warps, sorted by warp.
using ClockList = std::vector<std::pair<uint32_t, Clock>>;
void joinClocks(ClockList &clocks, const ClockList &more);

// What a warp, or something that warps of its block synchronise by, knows of the others: of each warp, up to which
// clock its accesses come before.
class Knowledge {
public:
  bool covers(uint32_t warp, Clock clock, const WarpRange &block) const {
    return block.contains(warp) ? clock <= own[warp - block.first] : others && clock <= findOther(warp);
  }
  Clock &of(uint32_t warpOfBlock) { return own[warpOfBlock]; }
  // Of the same block.
  void join(const Knowledge &other);
  void join(const ClockList &list, const WarpRange &block);
  void addTo(ClockList &list, const WarpRange &block) const;

private:
  Clock findOther(uint32_t warp) const;

  std::array<Clock, 32> own = {};          // of the warps of the block
  std::shared_ptr<const ClockList> others; // of other blocks, or null
};

} // namespace moert::emu
