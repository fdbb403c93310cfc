// Warps of a block take turns until all have ended, one has failed, or none can go on.
#include "devices/emu/block.h"

#include <algorithm>

namespace moert::emu {

// How many threads a barrier waits for.
static std::string describeCount(uint32_t threads) {
  return threads ? std::to_string(threads) + " threads" : std::string("all threads");
}

Block::Block(GlobalMemory &global, const Kernel &kernel, const LaunchShape &shape,
             std::span<const std::byte> parameters, Dim3 position)
    : global(global), kernel(kernel), shape(shape), parameters(parameters), position(position),
      shared(variablesBase, kernel.sharedBytes + shape.dynamicSharedBytes) {
  const uint32_t threads = shape.block.x * shape.block.y * shape.block.z;
  for (uint32_t first = 0; first < threads; first += warpSize) {
    const uint32_t count = std::min(threads - first, warpSize);
    warps.push_back(std::make_unique<Warp>(*this, first / warpSize, allLanes >> (warpSize - count)));
  }
}

uint32_t Block::getSpecial(SpecialRegister which, uint32_t thread) const {
  const Dim3 &block = shape.block;
  switch (which) {
  case SpecialRegister::TidX:
    return thread % block.x;
  case SpecialRegister::TidY:
    return thread / block.x % block.y;
  case SpecialRegister::TidZ:
    return thread / block.x / block.y;
  case SpecialRegister::NtidX:
    return block.x;
  case SpecialRegister::NtidY:
    return block.y;
  case SpecialRegister::NtidZ:
    return block.z;
  case SpecialRegister::CtaidX:
    return position.x;
  case SpecialRegister::CtaidY:
    return position.y;
  case SpecialRegister::CtaidZ:
    return position.z;
  case SpecialRegister::NctaidX:
    return shape.grid.x;
  case SpecialRegister::NctaidY:
    return shape.grid.y;
  case SpecialRegister::NctaidZ:
    return shape.grid.z;
  case SpecialRegister::Laneid:
    return thread % warpSize;
  case SpecialRegister::Warpid:
    return thread / warpSize;
  case SpecialRegister::Nwarpid:
    return (block.x * block.y * block.z + warpSize - 1) / warpSize;
  case SpecialRegister::LanemaskEq:
    return LaneMask(1) << thread % warpSize;
  case SpecialRegister::LanemaskLe:
    return allLanes >> (warpSize - 1 - thread % warpSize);
  case SpecialRegister::LanemaskLt:
    return ~(allLanes << thread % warpSize);
  case SpecialRegister::LanemaskGe:
    return allLanes << thread % warpSize;
  case SpecialRegister::LanemaskGt:
    return ~(allLanes >> (warpSize - 1 - thread % warpSize));
  case SpecialRegister::Smid:
  case SpecialRegister::Gridid:
    return 0;
  case SpecialRegister::Nsmid:
    return 1;
  case SpecialRegister::DynamicSharedBytes:
    return shape.dynamicSharedBytes;
  case SpecialRegister::TotalSharedBytes:
    return static_cast<uint32_t>(kernel.sharedBytes) + shape.dynamicSharedBytes;
  }
  return 0;
}

std::string Block::describe() const {
  return "(" + std::to_string(position.x) + ", " + std::to_string(position.y) + ", " + std::to_string(position.z) + ")";
}

Status Block::run(uint64_t seed, uint64_t instructionLimit, LaunchReport &report) {
  constexpr uint64_t longTurn = 1 << 16, shortTurn = 512;
  uint64_t random = seed, budget = instructionLimit;
  Status result = Status::success();
  while (Warp *warp = choose(random)) {
    uint64_t turn = std::min(budget, seed ? 1 + (random >> 32) % shortTurn : longTurn);
    budget -= turn;
    const Warp::State state = warp->run(turn);
    budget += turn;
    if (state == Warp::State::Failed) {
      result = warp->getFault();
      break;
    }
    if (budget == 0) {
      result = failure(MOERT_RUN_FAILED, "kernel '", kernel.name, "', block ", describe(), ", line ", warp->getLine(),
                       ": no end after ", instructionLimit, " instructions");
      break;
    }
    releaseBarriers();
  }
  for (const auto &warp : warps) {
    report.instructions += warp->getInstructions();
    report.laneInstructions += warp->getLaneInstructions();
  }
  const bool isStuck = std::any_of(warps.begin(), warps.end(),
                                   [](const auto &warp) { return warp->getState() == Warp::State::AtBarrier; });
  return result.ok() && isStuck ? describeDeadlock() : result;
}

// The next warp that can run, or null. Splitmix64 gives the order if there is a seed.
Warp *Block::choose(uint64_t &random) {
  std::vector<Warp *> ready;
  for (const auto &warp : warps)
    if (warp->getState() == Warp::State::Ready)
      ready.push_back(warp.get());
  if (ready.empty())
    return nullptr;
  if (random == 0)
    return ready.front();
  random += 0x9e3779b97f4a7c15;
  uint64_t mixed = (random ^ (random >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return ready[(mixed ^ (mixed >> 31)) % ready.size()];
}

void Block::arrive(Warp &warp, const Instruction &instruction, uint32_t number, uint32_t threads) {
  if (number >= barrierCount)
    return warp.fail(instruction, Warp::noLane, "barrier ", number, ", expected less than ", barrierCount);
  if (threads % warpSize)
    return warp.fail(instruction, Warp::noLane, "barrier of ", threads, " threads, expected a multiple of ", warpSize);
  Barrier &barrier = barriers[number];
  if (barrier.arrivedWarps && barrier.threads != threads)
    return warp.fail(instruction, Warp::noLane, "barrier ", number, " of ", describeCount(threads),
                     ", others wait for ", describeCount(barrier.threads));
  barrier.threads = threads;
  ++barrier.arrivedWarps;
  warp.waitAtBarrier(number, instruction.line);
}

void Block::releaseBarriers() {
  const auto running = static_cast<uint32_t>(std::count_if(
      warps.begin(), warps.end(), [](const auto &warp) { return warp->getState() != Warp::State::Done; }));
  for (uint32_t number = 0; number < barrierCount; ++number) {
    Barrier &barrier = barriers[number];
    const uint32_t expected = barrier.threads ? barrier.threads / warpSize : running;
    if (barrier.arrivedWarps == 0 || barrier.arrivedWarps < expected)
      continue;
    barrier = {};
    for (const auto &warp : warps)
      if (warp->getState() == Warp::State::AtBarrier && warp->getBarrier() == number)
        warp->release();
  }
}

Status Block::describeDeadlock() const {
  std::string text;
  for (size_t i = 0; i < warps.size(); ++i) {
    text += (i ? ", warp " : "warp ") + std::to_string(i);
    text += warps[i]->getState() == Warp::State::AtBarrier
                ? " waits at barrier " + std::to_string(warps[i]->getBarrier()) + " in line " +
                      std::to_string(warps[i]->getLine())
                : std::string(" has ended");
  }
  return failure(MOERT_RUN_FAILED, "kernel '", kernel.name, "', block ", describe(), ": deadlock: ", text);
}

} // namespace moert::emu
