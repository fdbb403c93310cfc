// Phases of mbarrier objects. Not validated on hardware.
#include "devices/emu/memory_barrier.h"
#include "devices/emu/warp.h"

namespace moert::emu {

bool MemoryBarriers::init(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address, uint32_t count) {
  if (count == 0 || count > maxCount) {
    warp.fail(instruction, lane, "mbarrier of ", count, " arrivals, expected 1 to ", maxCount);
    return false;
  }
  if (overlaps(address, 8)) {
    warp.fail(instruction, lane, "second initialisation of the mbarrier at shared address ", formatHex(address));
    return false;
  }
  barriers[address] = {count, count, 0};
  return true;
}

MemoryBarriers::Barrier *MemoryBarriers::find(Warp &warp, const Instruction &instruction, uint32_t lane,
                                              uint64_t address) {
  const auto found = barriers.find(address);
  if (found != barriers.end())
    return &found->second;
  warp.fail(instruction, lane, "no mbarrier was initialised at shared address ", formatHex(address));
  return nullptr;
}

bool MemoryBarriers::invalidate(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address) {
  if (!find(warp, instruction, lane, address))
    return false;
  barriers.erase(address);
  return true;
}

bool MemoryBarriers::arrive(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address,
                            Arrival &arrival) {
  Barrier *barrier = find(warp, instruction, lane, address);
  if (!barrier)
    return false;
  if (arrival.count == 0 || arrival.count > barrier->pending ||
      (arrival.count == barrier->pending && !arrival.mayComplete)) {
    warp.fail(instruction, lane, arrival.count, " arrivals at the mbarrier at shared address ", formatHex(address),
              " in phase ", barrier->phase, ", expected ", arrival.mayComplete ? "1 to " : "less than ",
              barrier->pending);
    return false;
  }
  arrival.token = (barrier->phase & 0xffffff) | uint64_t(barrier->pending) << countShift | address / 8 << addressShift;
  barrier->pending -= arrival.count;
  if (arrival.drops)
    barrier->expected -= arrival.count;
  arrival.hasCompleted = barrier->pending == 0;
  if (arrival.hasCompleted) {
    barrier->pending = barrier->expected;
    ++barrier->phase;
  }
  return true;
}

bool MemoryBarriers::expectMore(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address) {
  Barrier *barrier = find(warp, instruction, lane, address);
  if (barrier)
    ++barrier->pending;
  return barrier;
}

bool MemoryBarriers::test(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address, uint64_t token,
                          bool &isDone) {
  const Barrier *barrier = find(warp, instruction, lane, address);
  if (!barrier)
    return false;
  const uint64_t age = (barrier->phase - token) & 0xffffff;
  if (token >> addressShift != address / 8 || age > 1) {
    warp.fail(instruction, lane, "the state is not of the present or previous phase of the mbarrier at shared address ",
              formatHex(address), ", which is in phase ", barrier->phase);
    return false;
  }
  isDone = age == 1;
  return true;
}

bool MemoryBarriers::testParity(Warp &warp, const Instruction &instruction, uint32_t lane, uint64_t address,
                                uint32_t parity, bool &isDone) {
  const Barrier *barrier = find(warp, instruction, lane, address);
  if (!barrier)
    return false;
  if (parity > 1) {
    warp.fail(instruction, lane, "phase parity ", parity, ", expected 0 or 1");
    return false;
  }
  isDone = (barrier->phase & 1) != parity;
  return true;
}

bool MemoryBarriers::overlaps(uint64_t address, uint64_t size) const {
  const auto behind = barriers.lower_bound(address + size);
  return behind != barriers.begin() && std::prev(behind)->first + 8 > address;
}

std::string MemoryBarriers::describe(uint64_t address) const {
  const auto found = barriers.find(address);
  if (found == barriers.end())
    return "gone";
  const Barrier &barrier = found->second;
  return "phase " + std::to_string(barrier.phase) + ", " + std::to_string(barrier.pending) + " of " +
         std::to_string(barrier.expected) + " arrivals are missing";
}

} // namespace moert::emu
