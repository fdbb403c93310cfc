// How knowledge travels, after the memory consistency model of PTX.
#include "devices/emu/order.h"

namespace moert::emu {

BlockOrder::BlockOrder(DeviceOrder &device, uint32_t warpCount)
    : device(device), block{0, warpCount}, shared(warpCount), warps(warpCount) {}

void BlockOrder::start(uint64_t number) {
  blockNumber = number;
  block.first = static_cast<uint32_t>(number * block.count);
  shared.reset();
  barriers.clear();
  sharedHandovers.clear();
  for (uint32_t warp = 0; warp < block.count; ++warp) {
    warps[warp] = {};
    warps[warp].knowledge.of(warp) = 1;
  }
}

Knowledge BlockOrder::release(uint32_t warp) {
  const Knowledge released = warps[warp].knowledge;
  ++warps[warp].knowledge.of(warp);
  return released;
}

void BlockOrder::arrive(uint64_t barrier, uint32_t warp) { arrive(barrier, release(warp)); }

void BlockOrder::arrive(uint64_t barrier, const Knowledge &knowledge) { barriers[barrier].arrived.join(knowledge); }

void BlockOrder::complete(uint64_t barrier) {
  Barrier &state = barriers[barrier];
  state.completed = std::move(state.arrived);
  state.arrived = {};
}

void BlockOrder::pass(uint64_t barrier, uint32_t warp) { warps[warp].knowledge.join(barriers[barrier].completed); }

void BlockOrder::fence(uint32_t warp, Scope scope) {
  WarpOrder &order = warps[warp];
  order.knowledge.join(order.seen, block);
  order.seen.clear();
  order.atBlockFence = release(warp);
  if (scope == Scope::Device)
    order.atDeviceFence = order.atBlockFence;
}

void BlockOrder::read(uint64_t address, bool isShared, uint32_t warp, MemoryOrder memoryOrder, Scope scope) {
  const Handover &handover = getHandover(address, isShared);
  WarpOrder &order = warps[warp];
  const bool acquires = memoryOrder == MemoryOrder::Acquire || memoryOrder == MemoryOrder::AcquireRelease;
  const auto take = [&](const ClockList &clocks) {
    if (acquires)
      order.knowledge.join(clocks, block);
    else
      joinClocks(order.seen, clocks);
  };
  if (scope == Scope::Device)
    take(handover.device);
  if (handover.writer == blockNumber)
    take(handover.block);
}

void BlockOrder::write(uint64_t address, bool isShared, uint32_t warp, MemoryOrder memoryOrder, Scope scope,
                       bool isAtomic) {
  Handover &handover = getHandover(address, isShared);
  const bool releases = memoryOrder == MemoryOrder::Release || memoryOrder == MemoryOrder::AcquireRelease;
  // Behind an atomic, what was handed on before is still handed on.
  if (!isAtomic)
    handover.device.clear();
  if (!isAtomic || handover.writer != blockNumber)
    handover.block.clear();
  handover.writer = blockNumber;
  const Knowledge released = releases ? release(warp) : warps[warp].atBlockFence;
  released.addTo(handover.block, block);
  if (scope == Scope::Device)
    (releases ? released : warps[warp].atDeviceFence).addTo(handover.device, block);
}

bool BlockOrder::checkShared(const AccessSpan &span, bool isWrite, uint32_t warp, uint32_t where, bool isFinished,
                             Conflict &conflict) {
  PastAccess access = makeAccess(warp, where);
  if (!isFinished)
    access.clock = unfinished;
  return shared.access(span, isWrite, access, warps[warp].knowledge, block, conflict);
}

bool BlockOrder::checkGlobal(const AccessSpan &span, bool isWrite, uint32_t warp, uint32_t where, Conflict &conflict) {
  return device.global.access(span, isWrite, makeAccess(warp, where), warps[warp].knowledge, block, conflict);
}

void BlockOrder::finishCopy(uint64_t address, uint64_t size, uint32_t warp, Clock clock) {
  shared.finish(address, size, {block.first + warp, clock, 0});
}

} // namespace moert::emu
