// bar and barrier, mbarrier, membar and fence, nanosleep. Semantics as documented; not validated on hardware.
#include "devices/emu/block.h"
#include "devices/emu/lanewise.h"

namespace moert::emu {
namespace {

// The value of a slot on which all lanes must agree.
bool takeUniform(Warp &warp, const Instruction &instruction, LaneMask mask, Slot slot, uint32_t &value) {
  if (!warp.checkDefined(instruction, mask, slot, "barrier"))
    return false;
  const uint32_t *lanes = warp.lanes<uint32_t>(slot);
  value = lanes[__builtin_ctz(mask)];
  for (LaneMask rest = mask; rest; rest &= rest - 1)
    if (const auto lane = static_cast<uint32_t>(__builtin_ctz(rest)); lanes[lane] != value) {
      warp.fail(instruction, lane, "barrier operand ", lanes[lane], ", other lanes have ", value);
      return false;
    }
  return true;
}

// What bar and barrier do, in `immediate`.
constexpr int64_t isAligned = 8, isNegated = 16;

// Slots: of reductions the destination, the barrier, how many threads it waits for, of reductions the predicate.
void executeBarrier(Warp &warp, const Instruction &instruction, LaneMask mask) {
  BarrierRequest request = {static_cast<BarrierKind>(instruction.immediate & 7), 0, 0, 0, instruction.slots[0]};
  if ((instruction.immediate & isAligned && !warp.checkConverged(instruction, mask)) ||
      !takeUniform(warp, instruction, mask, instruction.slots[1], request.number) ||
      !takeUniform(warp, instruction, mask, instruction.slots[2], request.threads))
    return;
  if (request.kind >= BarrierKind::Count) {
    if (!warp.checkDefined(instruction, mask, instruction.slots[3], "predicate"))
      return;
    request.predicate = warp.predicate(instruction.slots[3]);
    if (instruction.immediate & isNegated)
      request.predicate = ~request.predicate;
  }
  warp.getBlock().getBarriers().arrive(warp, instruction, request, mask);
}

template <typename Function>
void forEachBarrier(Warp &warp, const Instruction &instruction, LaneMask mask, Function function) {
  if (!warp.checkDefined(instruction, mask, instruction.addresses[0].base, "address"))
    return;
  for (LaneMask rest = mask; rest && warp.getState() != Warp::State::Failed; rest &= rest - 1) {
    const auto lane = static_cast<uint32_t>(__builtin_ctz(rest));
    uint64_t address = warp.getAddress(instruction.addresses[0], lane);
    if (warp.access(Space::Shared, lane, address, 8, 8, instruction))
      function(lane, address);
  }
}

// Slot 0: the count.
void executeInit(Warp &warp, const Instruction &instruction, LaneMask mask) {
  if (!warp.checkDefined(instruction, mask, instruction.slots[0], "count"))
    return;
  Block &block = warp.getBlock();
  forEachBarrier(warp, instruction, mask, [&](uint32_t lane, uint64_t address) {
    block.getMemoryBarriers().init(warp, instruction, lane, address, warp.lanes<uint32_t>(instruction.slots[0])[lane]);
    block.getShared().undefine(address, 8);
  });
}

void executeInvalidate(Warp &warp, const Instruction &instruction, LaneMask mask) {
  Block &block = warp.getBlock();
  forEachBarrier(warp, instruction, mask, [&](uint32_t lane, uint64_t address) {
    block.getMemoryBarriers().invalidate(warp, instruction, lane, address);
    if (block.getOrder())
      block.getOrder()->forget(BlockOrder::memoryBarriers + address);
  });
}

constexpr int64_t drops = 1, completes = 2;

// Slots: the state, and how many arrive.
void executeArrive(Warp &warp, const Instruction &instruction, LaneMask mask) {
  if (!warp.checkDefined(instruction, mask, instruction.slots[1], "count"))
    return;
  Block &block = warp.getBlock();
  const Knowledge known = block.getOrder() ? block.getOrder()->release(warp.getIndex()) : Knowledge();
  forEachBarrier(warp, instruction, mask, [&](uint32_t lane, uint64_t address) {
    MemoryBarriers::Arrival arrival;
    arrival.count = warp.lanes<uint32_t>(instruction.slots[1])[lane];
    arrival.drops = instruction.immediate & drops;
    arrival.mayComplete = instruction.immediate & completes;
    if (!block.arriveAt(warp, instruction, lane, address, known, arrival))
      return;
    warp.lanes<uint64_t>(instruction.slots[0])[lane] = arrival.token;
    warp.setPoison(instruction.slots[0], LaneMask(1) << lane, 0);
  });
}

// Slots: the result, and the state or the parity of the phase.
template <bool IsParity> void executeTest(Warp &warp, const Instruction &instruction, LaneMask mask) {
  if (!warp.checkDefined(instruction, mask, instruction.slots[1], IsParity ? "parity" : "state"))
    return;
  Block &block = warp.getBlock();
  MemoryBarriers &barriers = block.getMemoryBarriers();
  forEachBarrier(warp, instruction, mask, [&](uint32_t lane, uint64_t address) {
    bool isDone = false;
    if constexpr (IsParity)
      barriers.testParity(warp, instruction, lane, address, warp.lanes<uint32_t>(instruction.slots[1])[lane], isDone);
    else
      barriers.test(warp, instruction, lane, address, warp.lanes<uint64_t>(instruction.slots[1])[lane], isDone);
    const LaneMask bit = LaneMask(1) << lane;
    warp.predicate(instruction.slots[0]) = (warp.predicate(instruction.slots[0]) & ~bit) | (isDone ? bit : 0);
    warp.setPoison(instruction.slots[0], bit, 0);
    if (isDone && block.getOrder())
      block.getOrder()->pass(BlockOrder::memoryBarriers + address, warp.getIndex());
    warp.setPolledBarrier(address);
  });
}

void executePendingCount(Warp &warp, const Instruction &instruction, LaneMask mask) {
  forEachLane(mask, [&](uint32_t lane) {
    warp.lanes<uint32_t>(instruction.slots[0])[lane] =
        MemoryBarriers::getPendingCount(warp.lanes<uint64_t>(instruction.slots[1])[lane]);
  });
  warp.setPoison(instruction.slots[0], mask, warp.poison(instruction.slots[1]));
}

// `immediate`: whether the barrier has counted the arrival already.
void executeArriveAfterCopies(Warp &warp, const Instruction &instruction, LaneMask mask) {
  Block &block = warp.getBlock();
  const Knowledge known = block.getOrder() ? block.getOrder()->release(warp.getIndex()) : Knowledge();
  forEachBarrier(warp, instruction, mask, [&](uint32_t lane, uint64_t address) {
    if (instruction.immediate || block.getMemoryBarriers().expectMore(warp, instruction, lane, address))
      block.arriveAfterCopies(warp, instruction, lane, address, known);
  });
}

void executeFence(Warp &warp, const Instruction &instruction, LaneMask) {
  if (BlockOrder *order = warp.getBlock().getOrder())
    order->fence(warp.getIndex(), instruction.traits.scope);
}

void executeSleep(Warp &, const Instruction &, LaneMask) {}

Status decodeBarrier(Decoder &decoder) {
  Instruction &instruction = decoder.get();
  decoder.accept("cta");
  BarrierKind kind;
  if (decoder.accept("sync")) {
    kind = BarrierKind::Sync;
  } else if (decoder.accept("arrive")) {
    kind = BarrierKind::Arrive;
  } else {
    MOERT_TRY(decoder.takeModifiers({"red"}));
    kind = decoder.accept("popc") ? BarrierKind::Count : decoder.accept("and") ? BarrierKind::And : BarrierKind::Or;
    if (kind == BarrierKind::Or)
      MOERT_TRY(decoder.takeModifiers({"or"}));
  }
  instruction.execute = executeBarrier;
  instruction.immediate = static_cast<int64_t>(kind);
  // bar is barrier.aligned.
  if (decoder.accept("aligned") || decoder.getSyntax().opcode == "bar")
    instruction.immediate |= isAligned;
  const bool isReduction = kind >= BarrierKind::Count;
  if (isReduction) {
    const bool counts = kind == BarrierKind::Count;
    MOERT_TRY(decoder.takeModifiers({counts ? "u32" : "pred"}));
    MOERT_TRY(decoder.takeDestination(counts ? Type::U32 : Type::Pred));
  } else {
    decoder.addSlot(noSlot);
  }
  MOERT_TRY(decoder.takeSource(Type::B32));
  if (kind == BarrierKind::Arrive || decoder.getSyntax().operands.size() == (isReduction ? 4 : 2))
    MOERT_TRY(decoder.takeSource(Type::B32));
  else
    decoder.addSlot(decoder.getNames().getConstant(0, 4));
  if (!isReduction)
    return Status::success();
  bool negated;
  MOERT_TRY(decoder.takePredicate(negated));
  instruction.immediate |= negated ? isNegated : 0;
  return Status::success();
}

Status takeSharedB64(Decoder &decoder) {
  if (!decoder.accept("shared") && !decoder.accept("shared::cta"))
    return decoder.refuse("expected '.shared'");
  return decoder.takeModifiers({"b64"});
}

Status decodeArrive(Decoder &decoder, bool isDrop) {
  Instruction &instruction = decoder.get();
  const bool mayComplete = !decoder.accept("noComplete");
  instruction.execute = executeArrive;
  instruction.immediate = (isDrop ? drops : 0) | (mayComplete ? completes : 0);
  MOERT_TRY(takeSharedB64(decoder));
  MOERT_TRY(decoder.takeDestination(Type::B64));
  MOERT_TRY(decoder.takeAddress());
  if (!mayComplete)
    return decoder.takeSource(Type::B32);
  decoder.addSlot(decoder.getNames().getConstant(1, 4));
  return decoder.atEnd() ? Status::success() : decoder.refuse("a count needs sm_90");
}

Status decodeMemoryBarrier(Decoder &decoder) {
  Instruction &instruction = decoder.get();
  if (decoder.accept("init")) {
    instruction.execute = executeInit;
    MOERT_TRY(takeSharedB64(decoder));
    MOERT_TRY(decoder.takeAddress());
    return decoder.takeSource(Type::B32);
  }
  if (decoder.accept("inval")) {
    instruction.execute = executeInvalidate;
    MOERT_TRY(takeSharedB64(decoder));
    return decoder.takeAddress();
  }
  if (decoder.accept("arrive"))
    return decodeArrive(decoder, false);
  if (decoder.accept("arrive_drop"))
    return decodeArrive(decoder, true);
  if (decoder.accept("pending_count")) {
    instruction.execute = executePendingCount;
    MOERT_TRY(decoder.takeModifiers({"b64"}));
    MOERT_TRY(decoder.takeDestination(Type::U32));
    return decoder.takeSource(Type::B64);
  }
  if (decoder.accept("test_wait")) {
    const bool isParity = decoder.accept("parity");
    instruction.execute = isParity ? executeTest<true> : executeTest<false>;
    MOERT_TRY(takeSharedB64(decoder));
    MOERT_TRY(decoder.takeDestination(Type::Pred));
    MOERT_TRY(decoder.takeAddress());
    return decoder.takeSource(isParity ? Type::B32 : Type::B64);
  }
  return decoder.refuse("this operation is not known on sm_80");
}

Status decodeFence(Decoder &decoder) {
  decoder.get().execute = executeFence;
  if (decoder.accept("proxy"))
    return decoder.refuse("sm_80 has no proxy fences");
  if (decoder.getSyntax().opcode == "fence" && !decoder.accept("acq_rel") && !decoder.accept("sc"))
    return decoder.refuse("expected '.acq_rel' or '.sc'");
  if (decoder.accept("cta") || decoder.accept("sys"))
    return Status::success();
  return decoder.takeModifiers({decoder.getSyntax().opcode == "fence" ? "gpu" : "gl"});
}

Status decodeSleep(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"u32"}));
  decoder.get().execute = executeSleep;
  return decoder.takeSource(Type::U32);
}

constexpr OpcodeRow rows[] = {{"bar", decodeBarrier}, {"barrier", decodeBarrier}, {"mbarrier", decodeMemoryBarrier},
                              {"fence", decodeFence}, {"membar", decodeFence},    {"nanosleep", decodeSleep}};

} // namespace

std::span<const OpcodeRow> getBarrierOpcodes() { return rows; }

Status decodeArriveAfterCopies(Decoder &decoder) {
  Instruction &instruction = decoder.get();
  MOERT_TRY(decoder.takeModifiers({"arrive"}));
  instruction.immediate = decoder.accept("noinc");
  instruction.execute = executeArriveAfterCopies;
  MOERT_TRY(takeSharedB64(decoder));
  return decoder.takeAddress();
}

} // namespace moert::emu
