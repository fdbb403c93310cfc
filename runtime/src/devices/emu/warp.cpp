// Execution of one warp. Branches whose lanes disagree put both ways on a stack; the lanes of one way run until the
// immediate post-dominator of the branch, then those of the other, then all together.
#include "devices/emu/warp.h"
#include "devices/emu/block.h"

#include <algorithm>
#include <cstring>

namespace moert::emu {
namespace {

std::string formatHex(uint64_t value) {
  std::string text;
  do
    text.insert(text.begin(), "0123456789abcdef"[value & 15]);
  while (value >>= 4);
  return "0x" + text;
}

std::string_view getName(Space space) {
  constexpr std::string_view names[] = {"generic", "global", "shared", "local"};
  return names[static_cast<uint8_t>(space)];
}

} // namespace

Warp::Warp(Block &block, uint32_t index, LaneMask lanes)
    : block(block), kernel(block.getKernel()), registers(kernel.registerCount), poisons(kernel.registerCount, allLanes),
      paths{{0, noInstruction, lanes}}, live(lanes), index(index) {
  fillConstants();
  if (kernel.localBytes)
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      locals.emplace_back(variablesBase, kernel.localBytes);
}

void Warp::fillConstants() {
  for (const ConstantRegister &constant : kernel.constants) {
    poisons[constant.slot] = 0;
    for (uint32_t lane = 0; lane < warpSize; ++lane) {
      const uint64_t value = constant.kind == ConstantRegister::Kind::Special
                                 ? block.getSpecial(constant.special, index * warpSize + lane)
                                 : constant.bits;
      switch (constant.bytes) {
      case 0:
        predicate(constant.slot) = value ? allLanes : 0;
        break;
      case 1:
      case 2:
        lanes<uint16_t>(constant.slot)[lane] = static_cast<uint16_t>(value);
        break;
      case 4:
        lanes<uint32_t>(constant.slot)[lane] = static_cast<uint32_t>(value);
        break;
      default:
        lanes<uint64_t>(constant.slot)[lane] = value;
      }
    }
  }
}

Warp::State Warp::run(uint64_t &budget) {
  while (state == State::Ready && budget) {
    const Instruction &instruction = kernel.code[pc++];
    LaneMask mask = paths.back().mask;
    --budget;
    ++instructions;
    if (instruction.guard != noSlot) {
      if (!checkDefined(instruction, mask, instruction.guard, "predicate"))
        break;
      mask &= instruction.isGuardNegated ? ~predicate(instruction.guard) : predicate(instruction.guard);
    }
    laneInstructions += static_cast<uint32_t>(__builtin_popcount(mask));
    if (mask)
      instruction.execute(*this, instruction, mask);
    if (state != State::Done && pc == paths.back().reconvergence)
      reconverge();
  }
  return state;
}

// The way on top has arrived where it meets the others: what lies below goes on, the other way or all lanes together.
void Warp::reconverge() {
  while (pc == paths.back().reconvergence) {
    paths.pop_back();
    pc = paths.back().pc;
  }
}

void Warp::branch(const Instruction &instruction, LaneMask taken, LaneMask notTaken) {
  if (!notTaken) {
    pc = instruction.target;
    return;
  }
  if (!taken)
    return;
  const uint32_t meeting = instruction.reconvergence, next = pc;
  // The way that runs becomes the one that continues where the lanes meet, unless it ends there itself.
  if (paths.back().reconvergence == meeting && paths.size() > 1)
    paths.pop_back();
  else
    paths.back().pc = meeting;
  if (next != meeting)
    paths.push_back({next, meeting, notTaken});
  if (instruction.target != meeting)
    paths.push_back({instruction.target, meeting, taken});
  pc = paths.back().pc;
}

void Warp::exit(LaneMask mask) {
  live &= ~mask;
  for (Path &path : paths)
    path.mask &= live;
  const bool endsPath = paths.back().mask == 0;
  while (!paths.empty() && paths.back().mask == 0)
    paths.pop_back();
  if (paths.empty())
    state = State::Done;
  else if (endsPath)
    pc = paths.back().pc;
}

void Warp::waitAtBarrier(uint32_t number, uint32_t line) {
  barrier = number;
  barrierLine = line;
  state = State::AtBarrier;
}

void Warp::setFault(const Instruction &instruction, uint32_t lane, std::string_view message) {
  if (state == State::Failed)
    return;
  state = State::Failed;
  std::string where = "kernel '" + kernel.name + "', block " + block.describe() + ", warp " + std::to_string(index);
  if (lane != noLane)
    where += ", lane " + std::to_string(lane);
  fault = failure(MOERT_RUN_FAILED, where, ", line ", instruction.line, ": ", message);
}

bool Warp::checkDefined(const Instruction &instruction, LaneMask mask, Slot slot, std::string_view what) {
  const LaneMask bad = poisons[slot] & mask;
  if (bad)
    fail(instruction, static_cast<uint32_t>(__builtin_ctz(bad)), what, " depends on a value that was never written");
  return !bad;
}

bool Warp::checkConverged(const Instruction &instruction, LaneMask mask) {
  if (mask == live)
    return true;
  fail(instruction, static_cast<uint32_t>(__builtin_ctz(live & ~mask)),
       "this lane does not take part in an instruction that all lanes of the warp must execute together");
  return false;
}

Region *Warp::access(Space space, uint32_t lane, uint64_t &address, uint64_t size, uint64_t alignment,
                     const Instruction &instruction) {
  if (space == Space::Generic) {
    space = address < sharedWindow ? Space::Global : address < localWindow ? Space::Shared : Space::Local;
    address -= space == Space::Global ? 0 : space == Space::Shared ? sharedWindow : localWindow;
  }
  Region *region = nullptr;
  if (space == Space::Global) {
    if (!lastGlobal || !lastGlobal->contains(address, size))
      lastGlobal = block.getGlobal().find(address);
    region = lastGlobal;
  } else if (space == Space::Shared) {
    region = &block.getShared();
  } else if (!locals.empty()) {
    region = &locals[lane];
  }
  const bool isAligned = (address & (alignment - 1)) == 0;
  if (isAligned && region && region->contains(address, size))
    return region;
  fail(instruction, lane, "access to ", size, " bytes at ", getName(space), " address ", formatHex(address),
       !isAligned ? " is not aligned"
       : region   ? " runs out of " + std::to_string(region->getSize()) + " bytes at " + formatHex(region->getBase())
                  : std::string(" is outside of every allocation"));
  return nullptr;
}

void Warp::commitCopies(LaneMask mask) {
  forEachLane(mask, [&](uint32_t lane) { copies[lane].groupEnds.push_back(copies[lane].pending.size()); });
}

void Warp::waitForCopies(LaneMask mask, uint64_t remaining, const Instruction &instruction) {
  forEachLane(mask, [&](uint32_t lane) {
    auto &[pending, groupEnds] = copies[lane];
    if (groupEnds.size() <= remaining)
      return;
    const size_t groups = groupEnds.size() - remaining, count = groupEnds[groups - 1];
    for (size_t i = 0; i < count; ++i)
      if (!land(lane, pending[i], instruction))
        return;
    pending.erase(pending.begin(), pending.begin() + static_cast<ptrdiff_t>(count));
    groupEnds.erase(groupEnds.begin(), groupEnds.begin() + static_cast<ptrdiff_t>(groups));
    for (size_t &end : groupEnds)
      end -= count;
  });
}

// Source and target were checked when the copy began; what the source holds is read only now.
bool Warp::land(uint32_t lane, const PendingCopy &copy, const Instruction &instruction) {
  Region &target = block.getShared();
  std::byte *bytes = target.data(copy.target);
  std::memset(bytes, 0, copy.bytes);
  if (copy.sourceBytes) {
    Region *source = block.getGlobal().find(copy.source);
    if (source->hasPoison(copy.source, copy.sourceBytes)) {
      fail(instruction, lane, "the copy begun in line ", copy.line, " reads bytes that were never written");
      return false;
    }
    std::memcpy(bytes, source->data(copy.source), copy.sourceBytes);
  }
  target.define(copy.target, copy.bytes);
  return true;
}

} // namespace moert::emu
