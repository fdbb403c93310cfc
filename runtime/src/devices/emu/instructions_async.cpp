// cp.async and its groups. A copy lands as late as it may, when a wait demands it; until then its target is poison.
#include "devices/emu/lanewise.h"

namespace moert::emu {
namespace {

// `immediate` is the size. Slots: how much of it is read, and a predicate by which nothing is; the rest becomes zero.
void executeCopy(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const auto bytes = static_cast<uint32_t>(instruction.immediate);
  const Slot sourceBytes = instruction.slots[0], ignoresSource = instruction.slots[1];
  if (!warp.checkDefined(instruction, mask, instruction.addresses[0].base, "address") ||
      !warp.checkDefined(instruction, mask, instruction.addresses[1].base, "address") ||
      !warp.checkDefined(instruction, mask, sourceBytes, "size") ||
      !warp.checkDefined(instruction, mask, ignoresSource, "predicate"))
    return;
  for (LaneMask rest = mask; rest; rest &= rest - 1) {
    const auto lane = static_cast<uint32_t>(__builtin_ctz(rest));
    AsyncCopy copy = {warp.getAddress(instruction.addresses[1], lane),
                      warp.getAddress(instruction.addresses[0], lane),
                      bytes,
                      warp.predicate(ignoresSource) >> lane & 1 ? 0 : warp.lanes<uint32_t>(sourceBytes)[lane],
                      instruction.line,
                      false};
    if (copy.sourceBytes > bytes)
      return warp.fail(instruction, lane, "copy of ", bytes, " bytes reads ", copy.sourceBytes);
    Region *target = warp.access(Space::Shared, lane, copy.target, bytes, bytes, instruction);
    if (!target ||
        (copy.sourceBytes && !warp.access(Space::Global, lane, copy.source, copy.sourceBytes, bytes, instruction)))
      return;
    target->undefine(copy.target, bytes);
    warp.beginCopy(lane, copy);
  }
}

void executeCommit(Warp &warp, const Instruction &, LaneMask mask) { warp.commitCopies(mask); }

// `immediate` is how many groups may remain.
void executeWait(Warp &warp, const Instruction &instruction, LaneMask mask) {
  warp.waitForCopies(mask, static_cast<uint64_t>(instruction.immediate), instruction);
}

void executeWaitAll(Warp &warp, const Instruction &instruction, LaneMask mask) {
  warp.commitCopies(mask);
  warp.waitForCopies(mask, 0, instruction);
}

Status decodeCopy(Decoder &decoder) {
  const bool isWhole = decoder.accept("cg");
  if (!isWhole)
    MOERT_TRY(decoder.takeModifiers({"ca"}));
  if (!decoder.accept("shared::cta"))
    MOERT_TRY(decoder.takeModifiers({"shared"}));
  MOERT_TRY(decoder.takeModifiers({"global"}));
  constexpr std::string_view prefetches[] = {"L2::64B", "L2::128B", "L2::256B"}; // hints, which change no result
  decoder.acceptAny(prefetches);
  MOERT_TRY(decoder.takeAddress(0));
  MOERT_TRY(decoder.takeAddress(1));
  int64_t bytes;
  MOERT_TRY(decoder.takeConstant(bytes));
  if (bytes != 16 && (isWhole || (bytes != 4 && bytes != 8)))
    return decoder.refuse("copy of ", bytes, " bytes");
  decoder.get().immediate = bytes;
  decoder.get().execute = executeCopy;
  // `src-size` or `ignore-src`.
  Names &names = decoder.getNames();
  const Slot all = names.getConstant(static_cast<uint64_t>(bytes), 4), never = names.getConstant(0, 0);
  const OperandSyntax *last = decoder.peek();
  const Names::RegisterName *known = last ? names.findRegister(last->name) : nullptr;
  if (known && known->type == Type::Pred) {
    decoder.addSlot(all);
    return decoder.takeSource(Type::Pred);
  }
  if (last)
    MOERT_TRY(decoder.takeSource(Type::B32));
  else
    decoder.addSlot(all);
  decoder.addSlot(never);
  return Status::success();
}

Status decodeAsync(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"async"}));
  Instruction &instruction = decoder.get();
  if (decoder.accept("commit_group")) {
    instruction.execute = executeCommit;
  } else if (decoder.accept("wait_all")) {
    instruction.execute = executeWaitAll;
  } else if (decoder.accept("wait_group")) {
    instruction.execute = executeWait;
    MOERT_TRY(decoder.takeConstant(instruction.immediate));
    if (instruction.immediate < 0)
      return decoder.refuse("a negative number of groups");
  } else if (decoder.accept("mbarrier")) {
    return decodeArriveAfterCopies(decoder);
  } else {
    return decodeCopy(decoder);
  }
  return Status::success();
}

constexpr OpcodeRow rows[] = {{"cp", decodeAsync}};

} // namespace

std::span<const OpcodeRow> getAsyncOpcodes() { return rows; }

} // namespace moert::emu
