// The blocks of a launch: one after the other, all together, or on several host threads.
#pragma once
#include "devices/emu/block.h"
#include "devices/emu/observer.h"

namespace moert::emu {

// Whether blocks of a kernel cannot see what others do, except through races: no ordered access to memory they share
// has a result.
bool hasIndependentBlocks(const Kernel &kernel);

class Grid {
public:
  explicit Grid(const Launch &launch);

  Status run(LaunchReport &report);

private:
  // Blocks [begin, end) of the order, run by one host thread.
  struct Part {
    explicit Part(const Launch &launch) : thread{launch}, observer(launch, thread) {}

    uint64_t begin = 0, end = 0;
    LaunchThread thread;
    Observer observer;
    LaunchReport report;
    Status result = Status::success();
  };

  void runPart(Part &part);
  void runBlocks(Part &part);
  Status runOne(Block &block);
  Status runTogether(Part &part);
  void runParts();
  Status merge(LaunchReport &report);
  Status describeDeadlock(const std::vector<const Block *> &blocks, uint64_t notStarted) const;

  uint64_t getBlock(uint64_t i) const { return order.empty() ? i : order[i]; }

  const Launch &launch;
  uint64_t blockCount;
  std::vector<uint64_t> order; // of blocks; empty: by number
  std::vector<std::unique_ptr<Part>> parts;
  std::mutex atomics;
};

} // namespace moert::emu
