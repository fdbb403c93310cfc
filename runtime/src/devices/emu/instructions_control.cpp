// bra, ret, exit and trap.
#include "devices/emu/lanewise.h"

namespace moert::emu {
namespace {

void executeBranch(Warp &warp, const Instruction &instruction, LaneMask mask) {
  warp.branch(instruction, mask, warp.getActive() & ~mask);
}

void executeExit(Warp &warp, const Instruction &, LaneMask mask) { warp.exit(mask); }

void executeTrap(Warp &warp, const Instruction &instruction, LaneMask mask) {
  warp.fail(instruction, static_cast<uint32_t>(__builtin_ctz(mask)), "trap");
}

Status decodeTrap(Decoder &decoder) {
  decoder.get().execute = executeTrap;
  decoder.get().isExit = true;
  return Status::success();
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

constexpr OpcodeRow rows[] = {
    {"bra", decodeBranch}, {"ret", decodeExit}, {"exit", decodeExit}, {"trap", decodeTrap}, {"brkpt", decodeTrap}};

} // namespace

std::span<const OpcodeRow> getControlOpcodes() { return rows; }

} // namespace moert::emu
