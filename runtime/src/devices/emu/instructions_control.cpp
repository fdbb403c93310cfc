// bra, ret, exit and bar.sync. Semantics as documented; not validated on hardware.
#include "devices/emu/block.h"
#include "devices/emu/lanewise.h"

namespace moert::emu {
namespace {

void executeBranch(Warp &warp, const Instruction &instruction, LaneMask mask) {
  warp.branch(instruction, mask, warp.getActive() & ~mask);
}

void executeExit(Warp &warp, const Instruction &, LaneMask mask) { warp.exit(mask); }

// Slots: the barrier, and how many threads it waits for. All lanes must agree on them.
void executeBarrier(Warp &warp, const Instruction &instruction, LaneMask mask) {
  if (!warp.checkConverged(instruction, mask))
    return;
  uint32_t values[2];
  for (uint32_t i = 0; i < 2; ++i) {
    if (!warp.checkDefined(instruction, mask, instruction.slots[i], "barrier"))
      return;
    const uint32_t *lanes = warp.lanes<uint32_t>(instruction.slots[i]);
    values[i] = lanes[__builtin_ctz(mask)];
    for (LaneMask rest = mask; rest; rest &= rest - 1)
      if (const auto lane = static_cast<uint32_t>(__builtin_ctz(rest)); lanes[lane] != values[i])
        return warp.fail(instruction, lane, "barrier operand ", lanes[lane], ", other lanes have ", values[i]);
  }
  warp.getBlock().arrive(warp, instruction, values[0], values[1]);
}

void executeTrap(Warp &warp, const Instruction &instruction, LaneMask mask) {
  warp.fail(instruction, static_cast<uint32_t>(__builtin_ctz(mask)), "trap");
}

void executeNothing(Warp &, const Instruction &, LaneMask) {}

Status decodeTrap(Decoder &decoder) {
  decoder.get().execute = executeTrap;
  decoder.get().isExit = true;
  return Status::success();
}

Status decodeSleep(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"u32"}));
  decoder.get().execute = executeNothing;
  return decoder.takeSource(Type::U32);
}

Status decodeBranch(Decoder &decoder) {
  decoder.accept("uni");
  decoder.get().execute = executeBranch;
  return decoder.takeLabel(decoder.get().target);
}

Status decodeExit(Decoder &decoder) {
  decoder.accept("uni");
  decoder.get().execute = executeExit;
  decoder.get().isExit = true;
  return Status::success();
}

Status decodeBarrier(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"sync"}));
  if (decoder.getSyntax().opcode == "barrier")
    MOERT_TRY(decoder.takeModifiers({"aligned"}));
  decoder.get().execute = executeBarrier;
  MOERT_TRY(decoder.takeSource(Type::B32));
  if (!decoder.atEnd())
    return decoder.takeSource(Type::B32);
  decoder.addSlot(decoder.getNames().getConstant(0, 4));
  return Status::success();
}

constexpr OpcodeRow rows[] = {{"bra", decodeBranch},  {"ret", decodeExit},       {"exit", decodeExit},
                              {"trap", decodeTrap},   {"brkpt", decodeTrap},     {"nanosleep", decodeSleep},
                              {"bar", decodeBarrier}, {"barrier", decodeBarrier}};

} // namespace

std::span<const OpcodeRow> getControlOpcodes() { return rows; }

} // namespace moert::emu
