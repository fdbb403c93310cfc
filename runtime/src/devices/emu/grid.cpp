// Blocks take turns until all have ended, one has failed, or none can go on.
#include "devices/emu/grid.h"

#include <algorithm>
#include <new>
#include <numeric>
#include <system_error>
#include <thread>

namespace moert::emu {

// Whether an instruction uses a register for more than the result of an atomic.
static bool uses(const Instruction &instruction, Slot slot) {
  const auto operands = instruction.slots.begin() + (instruction.traits.access == AccessKind::Atomic);
  return instruction.guard == slot || instruction.addresses[0].base == slot || instruction.addresses[1].base == slot ||
         std::find(operands, instruction.slots.end(), slot) != instruction.slots.end();
}

// Whether the order of this atomic among those of other blocks does not matter: they are all additions, or all maxima
// and so on, and nobody sees what was there between.
static bool isUnseenReduction(const Kernel &kernel, const Instruction &atomic) {
  const Reduction reduction = atomic.traits.reduction;
  return reduction != Reduction::None &&
         std::none_of(kernel.code.begin(), kernel.code.end(), [&](const Instruction &other) {
           const bool isOther = other.traits.access == AccessKind::Atomic && !other.traits.isPrivate &&
                                other.traits.reduction != reduction;
           return isOther || uses(other, atomic.slots[0]);
         });
}

bool hasIndependentBlocks(const Kernel &kernel) {
  return std::all_of(kernel.code.begin(), kernel.code.end(), [&](const Instruction &instruction) {
    const InstructionTraits &traits = instruction.traits;
    return traits.kind != InstructionClass::Memory || traits.order == MemoryOrder::Weak || traits.isPrivate ||
           isUnseenReduction(kernel, instruction);
  });
}

Grid::Grid(const Launch &launch) : launch(launch), blockCount(launch.getBlockCount()) {
  constexpr uint64_t maxShuffled = 1 << 20;
  if (Random random(launch.options.seed); random && blockCount <= maxShuffled) {
    order.resize(blockCount);
    std::iota(order.begin(), order.end(), uint64_t(0));
    for (uint64_t i = order.size(); i > 1; --i)
      std::swap(order[i - 1], order[random.below(i)]);
  }
  const LaunchOptions &options = launch.options;
  const bool isParallel = options.threads > 1 && !options.residentTogether && hasIndependentBlocks(launch.kernel);
  const uint64_t count = std::clamp<uint64_t>(isParallel ? options.threads : 1, 1, std::max<uint64_t>(blockCount, 1));
  for (uint64_t i = 0; i < count; ++i) {
    Part &part = *parts.emplace_back(std::make_unique<Part>(launch));
    part.begin = blockCount * i / count;
    part.end = blockCount * (i + 1) / count;
    if (launch.options.count || launch.options.checkRaces)
      part.thread.observer = &part.observer;
    part.thread.atomics = count > 1 ? &atomics : nullptr;
  }
}

Status Grid::run(LaunchReport &report) {
  runParts();
  return merge(report);
}

void Grid::runParts() {
  if (parts.size() == 1)
    return runPart(*parts.front());
  if (launch.options.parallelFor) {
    const auto body = [](void *grid, int64_t index) {
      static_cast<Grid *>(grid)->runPart(*static_cast<Grid *>(grid)->parts[static_cast<size_t>(index)]);
    };
    return launch.options.parallelFor(launch.options.parallelForContext, static_cast<int64_t>(parts.size()), body,
                                      this);
  }
  std::vector<std::thread> threads;
  size_t next = 1;
  try {
    for (; next < parts.size(); ++next)
      threads.emplace_back([part = parts[next].get(), this] { runPart(*part); });
  } catch (const std::system_error &) {
    // What no thread could be started for runs here.
  }
  runPart(*parts.front());
  for (; next < parts.size(); ++next)
    runPart(*parts[next]);
  for (std::thread &thread : threads)
    thread.join();
}

void Grid::runPart(Part &part) {
  try {
    runBlocks(part);
  } catch (const std::bad_alloc &) {
    part.result = failure(MOERT_OUT_OF_MEMORY, "kernel '", launch.kernel.name, "': out of memory of the host");
  }
}

void Grid::runBlocks(Part &part) {
  if (part.begin == part.end)
    return;
  if (launch.options.residentTogether) {
    part.result = runTogether(part);
    return;
  }
  Block block(part.thread);
  for (uint64_t i = part.begin; i < part.end && part.result.ok(); ++i) {
    block.start(getBlock(i));
    part.result = runOne(block);
    block.addTo(part.report);
    if (part.result.ok() && !block.isDone())
      part.result = describeDeadlock({&block}, blockCount - 1 - i);
  }
}

// Until the block has ended, failed, or cannot go on.
Status Grid::runOne(Block &block) {
  while (block.takeTurn())
    if (block.isPolling() && block.isWaiting(launch.options.pollLimit))
      break;
  return block.getFault();
}

Status Grid::runTogether(Part &part) {
  std::vector<std::unique_ptr<Block>> blocks;
  std::vector<Block *> running;
  for (uint64_t i = 0; i < blockCount; ++i) {
    running.push_back(blocks.emplace_back(std::make_unique<Block>(part.thread)).get());
    running.back()->start(getBlock(i));
  }
  Random random(launch.options.seed);
  Status result = Status::success();
  bool isStuck = false;
  // `idle` counts turns since one of the blocks went on.
  for (size_t next = 0, idle = 0; !running.empty() && !isStuck && result.ok();) {
    const size_t which = random ? random.below(running.size()) : next++ % running.size();
    Block &block = *running[which];
    const bool hasRun = block.takeTurn();
    result = block.getFault();
    idle = hasRun && !block.isWaiting(launch.options.pollLimit) ? 0 : idle + 1;
    if (block.isDone())
      running.erase(running.begin() + static_cast<ptrdiff_t>(which));
    if (idle <= running.size())
      continue;
    isStuck = std::all_of(running.begin(), running.end(),
                          [&](const Block *one) { return one->isWaiting(launch.options.pollLimit); });
    idle = 0;
  }
  for (const auto &block : blocks)
    block->addTo(part.report);
  if (!result.ok() || running.empty())
    return result;
  return describeDeadlock({running.begin(), running.end()}, 0);
}

Status Grid::describeDeadlock(const std::vector<const Block *> &blocks, uint64_t notStarted) const {
  constexpr size_t maxBlocks = 4;
  std::string text = "kernel '" + launch.kernel.name + "'";
  for (size_t i = 0; i < std::min(blocks.size(), maxBlocks); ++i)
    text += (i ? "; block " : ", block ") + blocks[i]->describe() + (i ? ": " : ": deadlock: ") +
            blocks[i]->describeWarps();
  if (blocks.size() > maxBlocks)
    text += "; and " + std::to_string(blocks.size() - maxBlocks) + " more blocks";
  const bool polls = std::any_of(blocks.begin(), blocks.end(), [](const Block *block) { return block->isPolling(); });
  if (notStarted && polls)
    text += "; " + std::to_string(notStarted) + " blocks have not begun, since blocks do not run together";
  return Status(MOERT_RUN_FAILED, std::move(text));
}

Status Grid::merge(LaunchReport &report) {
  Status result = Status::success();
  SectorSet sectors;
  LaunchCounters counters;
  for (const auto &part : parts) {
    report.instructions += part->report.instructions;
    report.laneInstructions += part->report.laneInstructions;
    if (result.ok())
      result = part->result;
    part->observer.addTo(counters);
    sectors.merge(part->observer.getSectors());
  }
  for (size_t i = 0; i < parts.size() && launch.options.checkRaces; ++i)
    for (size_t j = i + 1; j < parts.size() && result.ok(); ++j)
      result = parts[i]->observer.compare(parts[j]->observer);
  if (!launch.options.count)
    return result;
  sectors.addTo(counters, launch.global);
  counters.launches = 1;
  counters.blocks = launch.getBlockCount();
  counters.threadsPerBlock = launch.getThreadsPerBlock();
  counters.threads = counters.blocks * counters.threadsPerBlock;
  counters.staticSharedBytes = launch.kernel.sharedBytes;
  counters.dynamicSharedBytes = launch.shape.dynamicSharedBytes;
  report.counters += counters;
  return result;
}

} // namespace moert::emu
