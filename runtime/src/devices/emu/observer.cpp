// What an instruction has accessed becomes counters, and knowledge about what came before what.
#include "devices/emu/observer.h"
#include "devices/emu/block.h"

namespace moert::emu {
namespace {

bool reads(AccessKind kind, bool isShared) {
  return kind == AccessKind::Read || kind == AccessKind::Atomic || (kind == AccessKind::Copy && !isShared);
}
bool writes(AccessKind kind, bool isShared) {
  return kind == AccessKind::Write || kind == AccessKind::Atomic || (kind == AccessKind::Copy && isShared);
}

} // namespace

void Observer::finish(Warp &warp, const Instruction &instruction) {
  const InstructionTraits &traits = instruction.traits;
  if (launch.options.count) {
    ++counted.instructions[static_cast<size_t>(traits.kind)];
    counted.tensorOperations[static_cast<size_t>(traits.tensorType)] += traits.tensorOperations;
    counted.barrierWaits += traits.isBarrierWait;
  }
  if (thread.log.isEmpty() || traits.access == AccessKind::None || warp.getState() == Warp::State::Failed)
    return;
  if (launch.options.count && traits.kind == InstructionClass::Memory)
    countAccesses(instruction);
  if (launch.options.checkRaces)
    checkOrder(warp, instruction);
}

void Observer::count(SpaceCounters &space, const Instruction &instruction, Space which) {
  uint64_t bytes = 0;
  thread.log.forEach([&](const LoggedAccess &access) { bytes += access.space == which ? access.size : 0; });
  if (bytes == 0)
    return;
  const bool isShared = which == Space::Shared;
  if (reads(instruction.traits.access, isShared)) {
    ++space.readRequests;
    space.readBytes += bytes;
  }
  if (writes(instruction.traits.access, isShared)) {
    ++space.writeRequests;
    space.writtenBytes += bytes;
  }
}

void Observer::countAccesses(const Instruction &instruction) {
  counted.atomicRequests += instruction.traits.access == AccessKind::Atomic;
  count(counted.global, instruction, Space::Global);
  count(counted.shared, instruction, Space::Shared);
  count(counted.local, instruction, Space::Local);
  countGlobal(instruction);
  const BankUse banks = countBankUse(thread.log);
  counted.sharedAccesses += banks.accesses;
  counted.sharedConflicts += banks.conflicts;
}

void Observer::countGlobal(const Instruction &instruction) {
  const AccessRuns runs(thread.log, Space::Global);
  if (runs.isEmpty())
    return;
  const bool isRead = reads(instruction.traits.access, false), isWritten = writes(instruction.traits.access, false);
  const uint32_t touched = countSectors(runs);
  if (isRead) {
    counted.globalReadSectors += touched;
    sectors.add(runs, false);
  }
  if (isWritten) {
    counted.globalWrittenSectors += touched;
    sectors.add(runs, true);
  }
  thread.log.forEach([&](const LoggedAccess &access) {
    if (access.space != Space::Global)
      return;
    TagCounters &tag = counted.of(access.region->getTag());
    tag.readBytes += isRead ? access.size : 0;
    tag.writtenBytes += isWritten ? access.size : 0;
  });
}

void Observer::checkOrder(Warp &warp, const Instruction &instruction) {
  const AccessKind kind = instruction.traits.access;
  for (const bool isShared : {false, true}) {
    const AccessRuns runs(thread.log, isShared ? Space::Shared : Space::Global);
    if (runs.isEmpty())
      continue;
    // An atomic is one access: its write finds what its read would.
    if (!checkRuns(warp, instruction, runs, isShared, writes(kind, isShared)))
      return;
    if (instruction.traits.order != MemoryOrder::Weak && instruction.traits.kind == InstructionClass::Memory)
      handOver(warp, instruction, isShared);
  }
}

bool Observer::checkRuns(Warp &warp, const Instruction &instruction, const AccessRuns &runs, bool isShared,
                         bool isWrite) {
  for (const AccessRun &run : runs) {
    if (isShared ? overwritesBarrier(warp, instruction, run, isWrite) : launch.global.find(run.address)->isReadOnly())
      continue; // nobody writes to read-only memory
    if (run.laneShift != AccessRun::mixedLanes) {
      if (!checkSpan(warp, instruction, {run.address, run.size}, run.lane, run.laneShift, isShared, isWrite))
        return false;
      continue;
    }
    bool isOrdered = true;
    thread.log.forEach([&](const LoggedAccess &access) {
      if ((access.space == Space::Shared) == isShared && run.contains(access.address))
        isOrdered = isOrdered && checkSpan(warp, instruction, {access.address, access.size}, access.lane,
                                           PastAccess::oneLane, isShared, isWrite);
    });
    if (!isOrdered)
      return false;
  }
  return warp.getState() != Warp::State::Failed;
}

bool Observer::checkSpan(Warp &warp, const Instruction &instruction, const AccessSpan &span, uint32_t lane,
                         uint32_t laneShift, bool isShared, bool isWrite) {
  const InstructionTraits &traits = instruction.traits;
  const uint32_t strength = traits.isNonCoherent                ? PastAccess::nonCoherent
                            : traits.order == MemoryOrder::Weak ? PastAccess::weak
                            : traits.scope == Scope::Block      ? PastAccess::strongInBlock
                                                                : PastAccess::strong;
  const uint32_t where = PastAccess::pack(instruction.line, strength, lane, laneShift);
  BlockOrder &order = *warp.getBlock().getOrder();
  Conflict conflict;
  const bool isOrdered =
      isShared ? order.checkShared(span, isWrite, warp.getIndex(), where, traits.access != AccessKind::Copy, conflict)
               : order.checkGlobal(span, isWrite, warp.getIndex(), where, conflict);
  if (!isOrdered)
    report(warp, instruction, isShared, isWrite, conflict);
  return isOrdered;
}

// Fails if so.
bool Observer::overwritesBarrier(Warp &warp, const Instruction &instruction, const AccessRun &run, bool isWrite) {
  if (!isWrite || instruction.traits.kind != InstructionClass::Memory ||
      !warp.getBlock().getMemoryBarriers().overlaps(run.address, run.size))
    return false;
  warp.fail(instruction, run.lane, "write over the mbarrier at shared address ", formatHex(run.address));
  return true;
}

void Observer::handOver(Warp &warp, const Instruction &instruction, bool isShared) {
  const InstructionTraits &traits = instruction.traits;
  BlockOrder &order = *warp.getBlock().getOrder();
  thread.log.forEach([&](const LoggedAccess &access) {
    if (access.space != (isShared ? Space::Shared : Space::Global))
      return;
    if (reads(traits.access, isShared))
      order.read(access.address, isShared, warp.getIndex(), traits.order, traits.scope);
    if (writes(traits.access, isShared))
      order.write(access.address, isShared, warp.getIndex(), traits.order, traits.scope,
                  traits.access == AccessKind::Atomic);
  });
}

void Observer::onCopyAwaited(Warp &warp, const AsyncCopy &copy) {
  if (BlockOrder *order = warp.getBlock().getOrder())
    order->finishCopy(copy.target, copy.bytes, warp.getIndex(), order->getClock(warp.getIndex()));
}

std::string Observer::describe(const PastAccess &access) const {
  const uint32_t perBlock = launch.getWarpsPerBlock();
  const Dim3 block = launch.getPosition(access.warp / perBlock);
  return "block (" + std::to_string(block.x) + ", " + std::to_string(block.y) + ", " + std::to_string(block.z) +
         "), warp " + std::to_string(access.warp % perBlock) + ", lane " + std::to_string(access.getLane()) + " in " +
         launch.kernel.describeLine(access.getLine());
}

void Observer::report(Warp &warp, const Instruction &instruction, bool isShared, bool isWrite,
                      const Conflict &conflict) {
  const char *what = isWrite ? "write" : "read";
  const std::string where = std::string(isShared ? "shared" : "global") + " address " + formatHex(conflict.address);
  uint32_t lane = Warp::noLane;
  thread.log.forEach([&](const LoggedAccess &access) {
    const bool isHere = (access.space == Space::Shared) == isShared &&
                        conflict.address < access.address + access.size && access.address <= conflict.address;
    if (isHere && lane == Warp::noLane)
      lane = access.lane;
  });
  if (conflict.earlier.clock == unfinished)
    return warp.fail(instruction, lane, "race: ", what, " of ", where, " while the copy that ",
                     describe(conflict.earlier), " began is under way");
  if (instruction.traits.isNonCoherent || conflict.earlier.getStrength() == PastAccess::nonCoherent)
    return warp.fail(instruction, lane, what, " of ", where, ", which in the same launch has a ",
                     conflict.wasWrite ? "write" : "non-coherent read", " by ", describe(conflict.earlier));
  warp.fail(instruction, lane, "race: ", what, " of ", where, " and the ", conflict.wasWrite ? "write" : "read", " by ",
            describe(conflict.earlier), " may come in any order");
}

Status Observer::compare(const Observer &other) const {
  Conflict mine, others;
  if (!device.global.conflictsWith(other.device.global, mine, others))
    return Status::success();
  return failure(MOERT_RUN_FAILED, "kernel '", launch.kernel.name, "': race: ", mine.wasWrite ? "write" : "read",
                 " of global address ", formatHex(mine.address), " by ", describe(mine.earlier), " and the ",
                 others.wasWrite ? "write" : "read", " by ", describe(others.earlier), " may come in any order");
}

} // namespace moert::emu
