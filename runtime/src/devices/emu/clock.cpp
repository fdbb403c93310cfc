// Joins of vector clocks.
#include "devices/emu/clock.h"

#include <algorithm>

namespace moert::emu {

void joinClocks(ClockList &clocks, const ClockList &more) {
  if (more.empty())
    return;
  ClockList joined;
  joined.reserve(clocks.size() + more.size());
  auto a = clocks.begin();
  for (const auto &[warp, clock] : more) {
    while (a != clocks.end() && a->first < warp)
      joined.push_back(*a++);
    const bool isInBoth = a != clocks.end() && a->first == warp;
    joined.push_back({warp, isInBoth ? std::max(a++->second, clock) : clock});
  }
  joined.insert(joined.end(), a, clocks.end());
  clocks = std::move(joined);
}

void Knowledge::join(const Knowledge &other) {
  for (size_t i = 0; i < own.size(); ++i)
    own[i] = std::max(own[i], other.own[i]);
  if (!other.others || others == other.others)
    return;
  if (!others) {
    others = other.others;
    return;
  }
  auto joined = std::make_shared<ClockList>(*others);
  joinClocks(*joined, *other.others);
  others = std::move(joined);
}

void Knowledge::join(const ClockList &list, const WarpRange &block) {
  ClockList foreign;
  for (const auto &[warp, clock] : list)
    if (block.contains(warp))
      own[warp - block.first] = std::max(own[warp - block.first], clock);
    else if (!others || findOther(warp) < clock)
      foreign.push_back({warp, clock});
  if (foreign.empty())
    return;
  auto joined = others ? std::make_shared<ClockList>(*others) : std::make_shared<ClockList>();
  joinClocks(*joined, foreign);
  others = std::move(joined);
}

void Knowledge::addTo(ClockList &list, const WarpRange &block) const {
  ClockList mine;
  for (uint32_t i = 0; i < block.count; ++i)
    if (own[i])
      mine.push_back({block.first + i, own[i]});
  joinClocks(list, mine);
  if (others)
    joinClocks(list, *others);
}

Clock Knowledge::findOther(uint32_t warp) const {
  const auto found = std::lower_bound(others->begin(), others->end(), std::pair<uint32_t, Clock>(warp, 0));
  return found != others->end() && found->first == warp ? found->second : 0;
}

} // namespace moert::emu
