// Groups of asynchronous copies.
#include "devices/emu/copies.h"

namespace moert::emu {

void AsyncCopies::commit(LaneMask mask) {
  for (; mask; mask &= mask - 1) {
    Lane &lane = lanes[static_cast<uint32_t>(__builtin_ctz(mask))];
    lane.groupEnds.push_back(lane.pending.size());
  }
}

size_t AsyncCopies::countCommitted(uint32_t lane, uint64_t remaining) const {
  const std::vector<size_t> &ends = lanes[lane].groupEnds;
  return ends.size() <= remaining ? 0 : ends[ends.size() - remaining - 1];
}

void AsyncCopies::forget(uint32_t lane, uint64_t remaining) {
  auto &[pending, ends] = lanes[lane];
  if (ends.size() <= remaining)
    return;
  const size_t count = countCommitted(lane, remaining);
  pending.erase(pending.begin(), pending.begin() + static_cast<ptrdiff_t>(count));
  ends.erase(ends.begin(), ends.end() - static_cast<ptrdiff_t>(remaining));
  for (size_t &end : ends)
    end -= count;
}

AsyncCopy *AsyncCopies::choose(Random &random, uint32_t &lane) {
  for (uint32_t i = 0, first = static_cast<uint32_t>(random.below(warpSize)); i < warpSize; ++i) {
    lane = (first + i) % warpSize;
    std::vector<AsyncCopy> &pending = lanes[lane].pending;
    for (size_t j = 0, begin = pending.empty() ? 0 : random.below(pending.size()); j < pending.size(); ++j)
      if (AsyncCopy &copy = pending[(begin + j) % pending.size()]; !copy.hasLanded)
        return &copy;
  }
  return nullptr;
}

} // namespace moert::emu
