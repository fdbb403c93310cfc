// Arrivals at barriers are counted in warps; what the documentation leaves undefined is an error.
#include "devices/emu/barrier.h"
#include "devices/emu/block.h"

namespace moert::emu {
namespace {

std::string describeThreads(uint32_t threads) {
  return threads ? std::to_string(threads) + " threads" : std::string("all threads");
}

std::string_view getName(BarrierKind kind) {
  constexpr std::string_view names[] = {"arrive", "sync", "red.popc", "red.and", "red.or"};
  return names[static_cast<uint8_t>(kind)];
}

} // namespace

void NamedBarriers::reset() {
  for (Barrier &barrier : barriers)
    if (barrier.isActive)
      barrier = {};
}

bool NamedBarriers::check(Warp &warp, const Instruction &instruction, const BarrierRequest &request, LaneMask mask) {
  const uint32_t number = request.number;
  if (number >= count) {
    warp.fail(instruction, Warp::noLane, "barrier ", number, ", expected less than ", count);
    return false;
  }
  const Barrier &barrier = barriers[number];
  const LaneMask again = barrier.lanes[warp.getIndex()] & mask;
  if (request.threads % warpSize)
    warp.fail(instruction, Warp::noLane, "barrier of ", request.threads, " threads, expected a multiple of ", warpSize);
  else if (request.kind == BarrierKind::Arrive && request.threads == 0)
    warp.fail(instruction, Warp::noLane, "arrival at a barrier of 0 threads");
  else if (barrier.isActive && barrier.threads != request.threads)
    warp.fail(instruction, Warp::noLane, "barrier ", number, " of ", describeThreads(request.threads),
              ", others wait for ", describeThreads(barrier.threads));
  else if (request.kind != BarrierKind::Arrive && barrier.kind != BarrierKind::Arrive && barrier.kind != request.kind)
    warp.fail(instruction, Warp::noLane, "barrier ", number, " used by ", getName(request.kind), ", others use ",
              getName(barrier.kind));
  else if (again)
    warp.fail(instruction, static_cast<uint32_t>(__builtin_ctz(again)), "arrives a second time at barrier ", number,
              " (", describe(number), ")");
  return warp.getState() != Warp::State::Failed;
}

void NamedBarriers::arrive(Warp &warp, const Instruction &instruction, const BarrierRequest &request, LaneMask mask) {
  if (!check(warp, instruction, request, mask))
    return;
  const uint32_t number = request.number;
  Barrier &barrier = barriers[number];
  barrier.isActive = true;
  barrier.threads = request.threads;
  barrier.trueCount += static_cast<uint32_t>(__builtin_popcount(request.predicate & mask));
  barrier.allTrue &= (request.predicate & mask) == mask;
  barrier.anyTrue |= (request.predicate & mask) != 0;
  barrier.lanes[warp.getIndex()] |= mask;
  if (request.kind != BarrierKind::Arrive) {
    barrier.kind = request.kind;
    barrier.waiters.push_back({&warp, mask, request.kind, request.destination});
    warp.waitAtBarrier(number);
  }
  if ((barrier.lanes[warp.getIndex()] & warp.getLive()) == warp.getLive())
    countWarp(number, warp);
  completeIfAllArrived(number);
}

void NamedBarriers::countWarp(uint32_t number, const Warp &warp) {
  const uint32_t bit = 1u << warp.getIndex();
  if (barriers[number].arrivedWarps & bit)
    return;
  barriers[number].arrivedWarps |= bit;
  if (block.getOrder())
    block.getOrder()->arrive(number, warp.getIndex());
}

void NamedBarriers::onLanesEnded(const Warp &warp) {
  for (uint32_t number = 0; number < count; ++number) {
    const Barrier &barrier = barriers[number];
    if (!barrier.isActive)
      continue;
    const LaneMask lanes = barrier.lanes[warp.getIndex()];
    if (lanes && (lanes & warp.getLive()) == warp.getLive())
      countWarp(number, warp);
    completeIfAllArrived(number);
  }
}

void NamedBarriers::completeIfAllArrived(uint32_t number) {
  Barrier &barrier = barriers[number];
  const uint32_t running = block.getRunningWarps();
  const auto arrived = static_cast<uint32_t>(__builtin_popcount(barrier.arrivedWarps));
  if (barrier.threads ? arrived < barrier.threads / warpSize : (running & ~barrier.arrivedWarps) != 0)
    return;
  const std::vector<Waiter> waiters = std::move(barrier.waiters);
  const uint32_t results[] = {0, 0, barrier.trueCount, barrier.allTrue, barrier.anyTrue};
  barrier = {};
  block.onProgress();
  if (block.getOrder())
    block.getOrder()->complete(number);
  for (const Waiter &waiter : waiters) {
    const uint32_t result = results[static_cast<uint8_t>(waiter.kind)];
    if (waiter.kind == BarrierKind::Count)
      forEachLane(waiter.lanes,
                  [&](uint32_t lane) { waiter.warp->lanes<uint32_t>(waiter.destination)[lane] = result; });
    else if (waiter.kind != BarrierKind::Sync)
      waiter.warp->predicate(waiter.destination) =
          (waiter.warp->predicate(waiter.destination) & ~waiter.lanes) | (result ? waiter.lanes : 0);
    if (waiter.kind != BarrierKind::Sync)
      waiter.warp->setPoison(waiter.destination, waiter.lanes, 0);
  }
  for (const Waiter &waiter : waiters) {
    if (block.getOrder())
      block.getOrder()->pass(number, waiter.warp->getIndex());
    waiter.warp->releaseBarrier(number);
  }
}

std::string NamedBarriers::describe(uint32_t number) const {
  const Barrier &barrier = barriers[number];
  const auto arrived = static_cast<uint32_t>(__builtin_popcount(barrier.arrivedWarps)) * warpSize;
  const uint32_t expected = barrier.threads ? barrier.threads : block.getWarpCount() * warpSize;
  return std::to_string(arrived) + " of " + std::to_string(expected) + " threads have arrived";
}

} // namespace moert::emu
