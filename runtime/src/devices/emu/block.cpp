// Warps of a block take turns until all have ended, one has failed, or none can go on.
#include "devices/emu/block.h"
#include "devices/emu/observer.h"

#include <algorithm>

namespace moert::emu {

Block::Block(LaunchThread &thread)
    : thread(thread), shared(variablesBase, thread.launch.kernel.sharedBytes + thread.launch.shape.dynamicSharedBytes),
      barriers(*this), random(0) {
  const uint32_t threads = thread.launch.getThreadsPerBlock();
  for (uint32_t first = 0; first < threads; first += warpSize) {
    const uint32_t count = std::min(threads - first, warpSize);
    warps.push_back(std::make_unique<Warp>(*this, first / warpSize, allLanes >> (warpSize - count)));
  }
  if (thread.observer && thread.launch.options.checkRaces)
    order = std::make_unique<BlockOrder>(thread.observer->getDeviceOrder(), getWarpCount());
}

void Block::start(uint64_t newNumber) {
  number = newNumber;
  position = thread.launch.getPosition(number);
  random = Random(Random::mix(thread.launch.options.seed, number));
  budget = thread.launch.options.instructionLimit;
  firstChoice = 0;
  shared.undefine(variablesBase, shared.getSize());
  barriers.reset();
  memoryBarriers.reset();
  arrivals.clear();
  if (order)
    order->start(number);
  for (const auto &warp : warps)
    warp->start();
}

uint32_t Block::getSpecial(SpecialRegister which, uint32_t thread) const {
  const Dim3 &block = this->thread.launch.shape.block, &grid = this->thread.launch.shape.grid;
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
    return grid.x;
  case SpecialRegister::NctaidY:
    return grid.y;
  case SpecialRegister::NctaidZ:
    return grid.z;
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
    return this->thread.launch.shape.dynamicSharedBytes;
  case SpecialRegister::TotalSharedBytes:
    return static_cast<uint32_t>(shared.getSize());
  }
  return 0;
}

std::string Block::describe() const {
  return "(" + std::to_string(position.x) + ", " + std::to_string(position.y) + ", " + std::to_string(position.z) + ")";
}

uint32_t Block::getRunningWarps() const {
  uint32_t running = 0;
  for (const auto &warp : warps)
    running |= static_cast<uint32_t>(warp->getState() != Warp::State::Done) << warp->getIndex();
  return running;
}

bool Block::isPolling() const {
  return std::any_of(warps.begin(), warps.end(),
                     [](const auto &warp) { return warp->getState() == Warp::State::Polling; });
}

bool Block::isWaiting(uint32_t polls) const {
  return std::all_of(warps.begin(), warps.end(), [&](const auto &warp) {
    return warp->getState() == Warp::State::AtBarrier || warp->getState() == Warp::State::Done ||
           warp->isPollingInVain(polls);
  });
}

bool Block::takeTurn() {
  constexpr uint64_t longTurn = 1 << 16, shortTurn = 512;
  // Arrivals that wait for copies come at the latest when nobody can go on without them.
  if (!arrivals.empty() && isWaiting(2) && !landArrival())
    return false;
  if (thread.launch.options.copyOrder == CopyOrder::Random)
    landSomeCopies();
  Warp *warp = fault.ok() ? choose() : nullptr;
  if (!warp)
    return false;
  uint64_t turn = std::min(budget, random ? 1 + random.below(shortTurn) : longTurn);
  budget -= turn;
  const Warp::State state = warp->run(turn);
  budget += turn;
  if (state == Warp::State::Failed)
    fault = warp->getFault();
  else if (budget == 0 && state != Warp::State::Done)
    failEndless(*warp);
  return fault.ok();
}

// The next warp that can run, or null.
Warp *Block::choose() {
  std::array<Warp *, 32> ready;
  size_t count = 0;
  for (size_t i = 0; i < warps.size(); ++i) {
    Warp *warp = warps[(firstChoice + i) % warps.size()].get();
    if (warp->getState() == Warp::State::Ready || warp->getState() == Warp::State::Polling)
      ready[count++] = warp;
  }
  if (count == 0)
    return nullptr;
  Warp *chosen = ready[random.below(count)];
  // In order of number, who polls lets the others go first.
  if (!random)
    firstChoice = chosen->getIndex() + 1;
  return chosen;
}

void Block::failEndless(const Warp &warp) {
  fault = failure(MOERT_RUN_FAILED, "kernel '", getKernel().name, "', block ", describe(), ", ",
                  getKernel().describeLine(warp.getLine()), ": no end after ", thread.launch.options.instructionLimit,
                  " instructions");
}

bool Block::arriveAt(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address,
                     const Knowledge &known, MemoryBarriers::Arrival &arrival) {
  if (!memoryBarriers.arrive(warp, instruction, lane, address, arrival))
    return false;
  if (order) {
    order->arrive(BlockOrder::memoryBarriers + address, known);
    if (arrival.hasCompleted)
      order->complete(BlockOrder::memoryBarriers + address);
  }
  return true;
}

void Block::arriveAfterCopies(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address,
                              const Knowledge &known) {
  arrivals.push_back({&warp, &instruction, lane, address, known, warp.getCopies().getBegun()});
}

// False after a fault.
bool Block::landArrival() {
  const size_t which = random.below(arrivals.size());
  PendingArrival arrival = arrivals[which];
  arrivals.erase(arrivals.begin() + static_cast<ptrdiff_t>(which));
  Warp &warp = *arrival.warp;
  const uint32_t lane = arrival.lane;
  for (size_t i = 0; i < warp.getCopies().getCount(lane); ++i) {
    AsyncCopy &copy = warp.getCopies().get(lane, i);
    if (copy.serial > arrival.lastCopy)
      break;
    if (order)
      order->finishCopy(copy.target, copy.bytes, warp.getIndex(), arrival.known.of(warp.getIndex()));
    if (!copy.hasLanded && !warp.landCopy(lane, copy, nullptr))
      break;
  }
  MemoryBarriers::Arrival request;
  if (warp.getState() == Warp::State::Failed ||
      !arriveAt(warp, *arrival.instruction, lane, arrival.address, arrival.known, request)) {
    fault = warp.getFault();
    return false;
  }
  onProgress();
  return true;
}

// A few of the copies that are under way, for those who look for mistakes that need them early.
void Block::landSomeCopies() {
  for (uint64_t count = random.below(8); count; --count) {
    const auto &warp = warps[random.below(warps.size())];
    if (warp->getState() == Warp::State::Done)
      continue;
    uint32_t lane;
    AsyncCopy *copy = warp->getCopies().choose(random, lane);
    if (copy && !warp->landCopy(lane, *copy, nullptr))
      fault = warp->getFault();
  }
  if (!arrivals.empty() && random.below(4) == 0)
    landArrival();
}

void Block::addTo(LaunchReport &report) const {
  for (const auto &warp : warps) {
    report.instructions += warp->getInstructions();
    report.laneInstructions += warp->getLaneInstructions();
  }
}

std::string Block::describeWarps() const {
  std::string text;
  for (const auto &warp : warps)
    text += (text.empty() ? "" : ", ") + warp->describeState();
  return text;
}

} // namespace moert::emu
