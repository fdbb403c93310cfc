// Execution of one warp.
#include "devices/emu/warp.h"
#include "devices/emu/block.h"
#include "devices/emu/observer.h"

#include <algorithm>
#include <cstring>

namespace moert::emu {

Warp::Warp(Block &block, uint32_t index, LaneMask lanes)
    : block(block), kernel(block.getKernel()), observer(block.getThread().observer), registers(kernel.registerCount),
      poisons(kernel.registerCount), initialLanes(lanes), index(index) {
  if (kernel.localBytes)
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      locals.emplace_back(variablesBase, kernel.localBytes);
}

void Warp::start() {
  std::fill(poisons.begin(), poisons.end(), allLanes);
  fillConstants();
  for (Region &local : locals)
    local.undefine(variablesBase, local.getSize());
  paths.reset(initialLanes);
  copies.reset();
  state = State::Ready;
  polls = 0;
  polledBarrier = 0;
  instructions = laneInstructions = 0;
  goOn(0);
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
  if (state == State::Polling)
    state = State::Ready;
  if (observer)
    runInstructions<true>(budget);
  else
    runInstructions<false>(budget);
  return state;
}

template <bool IsObserved> void Warp::runInstructions(uint64_t &budget) {
  while (state == State::Ready && budget) {
    const Instruction &instruction = kernel.code[pc++];
    LaneMask mask = active;
    --budget;
    ++instructions;
    if (instruction.guard != noSlot) {
      if (!checkDefined(instruction, mask, instruction.guard, "predicate"))
        break;
      mask &= instruction.isGuardNegated ? ~predicate(instruction.guard) : predicate(instruction.guard);
    }
    laneInstructions += static_cast<uint32_t>(__builtin_popcount(mask));
    if (mask) {
      if constexpr (IsObserved)
        observer->begin();
      if (instruction.traits.access == AccessKind::Atomic)
        executeAtomic(instruction, mask);
      else
        instruction.execute(*this, instruction, mask);
      if constexpr (IsObserved)
        observer->finish(*this, instruction);
      if (instruction.traits.isEffect | instruction.traits.isPoll)
        noteConsequences(instruction, mask);
    }
    if (pc == meeting)
      goOn(pc);
  }
}

void Warp::executeAtomic(const Instruction &instruction, LaneMask mask) {
  std::unique_lock<std::mutex> lock;
  if (block.getThread().atomics)
    lock = std::unique_lock(*block.getThread().atomics);
  instruction.execute(*this, instruction, mask);
}

// The way on top has arrived where it meets the others, or another way runs: `next` is where.
void Warp::goOn(uint32_t next) {
  pc = next;
  while (paths.isRunning() && pc == paths.getMeeting())
    pc = paths.meet();
  const bool isRunning = paths.isRunning();
  active = isRunning ? paths.getMask() : 0;
  meeting = isRunning ? paths.getMeeting() : noInstruction;
  if (isRunning)
    return;
  pc = 0;
  if (state != State::Failed)
    state = paths.getLive() ? State::AtBarrier : State::Done;
}

void Warp::branch(const Instruction &instruction, LaneMask taken, LaneMask notTaken) {
  if (!notTaken)
    pc = instruction.target;
  else if (taken)
    goOn(paths.branch(pc, instruction.target, instruction.reconvergence, taken));
}

void Warp::exit(LaneMask mask) {
  goOn(paths.end(mask, pc));
  block.onLanesEnded(*this);
}

void Warp::waitAtBarrier(uint32_t number) { goOn(paths.wait(number, pc)); }

void Warp::releaseBarrier(uint32_t number) {
  if (state == State::AtBarrier)
    state = State::Ready;
  goOn(paths.release(number, pc));
}

// An atomic that leaves memory as it was helps nobody: it is how a lock or a flag is polled.
bool Warp::hasChangedMemory(const Instruction &instruction, LaneMask mask) {
  if (instruction.traits.access != AccessKind::Atomic || !instruction.traits.isPoll)
    return true;
  bool hasChanged = false;
  block.getThread().log.forEach([&](const LoggedAccess &access) {
    if (mask >> access.lane & 1)
      hasChanged |=
          std::memcmp(access.region->data(access.address),
                      registers[instruction.slots[0]].bytes + size_t(access.lane) * access.size, access.size) != 0;
  });
  return hasChanged;
}

void Warp::noteConsequences(const Instruction &instruction, LaneMask mask) {
  LaunchThread &thread = block.getThread();
  if (instruction.traits.isEffect && hasChangedMemory(instruction, mask))
    ++thread.progress;
  thread.log.clear();
  if (!instruction.traits.isPoll)
    return;
  if (seenProgress != thread.progress)
    polls = 0;
  seenProgress = thread.progress;
  pollLine = instruction.line;
  // Other lanes of the warp may have to do what these wait for.
  if (++polls > 1 && state == State::Ready)
    goOn(paths.rotate(pc));
  if (state == State::Ready)
    state = State::Polling;
}

bool Warp::isPollingInVain(uint32_t times) const {
  return state == State::Polling && polls >= times && seenProgress == block.getThread().progress;
}

std::string Warp::describeState() const {
  const std::string name = "warp " + std::to_string(index);
  if (state == State::Done)
    return name + " has ended";
  if (state == State::Polling) {
    const std::string what = polledBarrier ? " for the mbarrier at shared address " + formatHex(polledBarrier) + " (" +
                                                 block.getMemoryBarriers().describe(polledBarrier) + ")"
                                           : std::string();
    return name + " spins in " + kernel.describeLine(pollLine) + what;
  }
  std::string text = name + (state == State::AtBarrier ? "" : " can go on");
  paths.forEachWaiting([&](uint32_t barrier, uint32_t next, LaneMask mask) {
    text += " waits at barrier " + std::to_string(barrier) + " in " + kernel.describeLine(kernel.code[next - 1].line);
    if (mask != paths.getLive())
      text += " with " + std::to_string(__builtin_popcount(mask)) + " lanes";
    text += " (" + block.getBarriers().describe(barrier) + ")";
  });
  return text;
}

void Warp::setFault(uint32_t line, uint32_t lane, std::string_view message) {
  if (state == State::Failed)
    return;
  state = State::Failed;
  std::string where = "kernel '" + kernel.name + "', block " + block.describe() + ", warp " + std::to_string(index);
  if (lane != noLane)
    where += ", lane " + std::to_string(lane);
  fault = failure(MOERT_RUN_FAILED, where, ", ", kernel.describeLine(line), ": ", message);
}

bool Warp::checkDefined(const Instruction &instruction, LaneMask mask, Slot slot, std::string_view what) {
  const LaneMask bad = poisons[slot] & mask;
  if (bad)
    fail(instruction, static_cast<uint32_t>(__builtin_ctz(bad)), what, " depends on a value that was never written");
  return !bad;
}

bool Warp::checkConverged(const Instruction &instruction, LaneMask mask) {
  if (mask == getLive())
    return true;
  fail(instruction, static_cast<uint32_t>(__builtin_ctz(getLive() & ~mask)),
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
  if (isAligned && region && region->contains(address, size)) {
    const AccessKind kind = instruction.traits.access;
    if (region->isReadOnly() && (kind == AccessKind::Write || kind == AccessKind::Atomic)) {
      fail(instruction, lane, "store of ", size, " bytes to memory that can only be read");
      return nullptr;
    }
    if (observer != nullptr || kind == AccessKind::Atomic)
      block.getThread().log.add({address, static_cast<uint32_t>(size), static_cast<uint8_t>(lane), space, region});
    return region;
  }
  fail(instruction, lane, "access to ", size, " bytes at ", getName(space), " address ", formatHex(address),
       !isAligned ? " is not aligned"
       : region   ? " runs out of " + std::to_string(region->getSize()) + " bytes at " + formatHex(region->getBase())
                  : std::string(" is outside of every allocation"));
  return nullptr;
}

void Warp::waitForCopies(LaneMask mask, uint64_t remaining, const Instruction &instruction) {
  copies.wait(mask, remaining, [&](uint32_t lane, AsyncCopy &copy) {
    if (observer)
      observer->onCopyAwaited(*this, copy);
    return copy.hasLanded || landCopy(lane, copy, &instruction);
  });
}

// Source and target were checked when the copy began.
bool Warp::landCopy(uint32_t lane, AsyncCopy &copy, const Instruction *instruction) {
  copy.hasLanded = true;
  Region &target = block.getShared();
  std::byte *bytes = target.data(copy.target);
  std::memset(bytes, 0, copy.bytes);
  if (copy.sourceBytes) {
    Region *source = block.getGlobal().find(copy.source);
    if (source->hasPoison(copy.source, copy.sourceBytes)) {
      setFault(instruction ? instruction->line : copy.line, lane,
               "the copy begun in " + kernel.describeLine(copy.line) + " reads bytes that were never written");
      return false;
    }
    std::memcpy(bytes, source->data(copy.source), copy.sourceBytes);
  }
  target.define(copy.target, copy.bytes);
  return true;
}

} // namespace moert::emu
