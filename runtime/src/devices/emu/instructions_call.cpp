// What is left of a call when the function stands in its place.
#include "devices/emu/instructions_call.h"
#include "devices/emu/block.h"
#include "devices/emu/warp.h"

#include <cstring>

namespace moert::emu {
namespace {

// Slots: the first register and the one behind the last; the address is that of the local memory, `immediate` its size.
void executeEntry(Warp &warp, const Instruction &instruction, LaneMask mask) {
  for (Slot slot = instruction.slots[0]; slot < instruction.slots[1]; ++slot)
    warp.setPoison(slot, mask, allLanes);
  const auto bytes = static_cast<uint64_t>(instruction.immediate);
  if (bytes == 0)
    return;
  forEachLane(mask, [&](uint32_t lane) {
    auto address = static_cast<uint64_t>(instruction.addresses[0].offset);
    if (Region *region = warp.access(Space::Local, lane, address, bytes, 1, instruction))
      region->undefine(address, bytes);
  });
}

// Slot 0 is the offset of the parameter; address and size as above.
void executeParameterCopy(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const auto bytes = static_cast<uint64_t>(instruction.immediate);
  const std::byte *source = warp.getBlock().getParameters().data() + instruction.slots[0];
  forEachLane(mask, [&](uint32_t lane) {
    auto address = static_cast<uint64_t>(instruction.addresses[0].offset);
    if (Region *region = warp.access(Space::Local, lane, address, bytes, 1, instruction)) {
      std::memcpy(region->data(address), source, bytes);
      region->define(address, bytes);
    }
  });
}

} // namespace

Instruction makeEntry(const CalledFrame &frame) {
  Instruction instruction;
  instruction.execute = executeEntry;
  instruction.line = frame.line;
  instruction.slots[0] = frame.firstRegister;
  instruction.slots[1] = frame.endRegister;
  instruction.addresses[0].offset = static_cast<int64_t>(frame.localAddress);
  instruction.immediate = static_cast<int64_t>(frame.localBytes);
  return instruction;
}

Instruction makeParameterCopy(const ParameterCopy &copy) {
  Instruction instruction;
  instruction.execute = executeParameterCopy;
  instruction.line = copy.line;
  instruction.slots[0] = static_cast<Slot>(copy.offset);
  instruction.addresses[0].offset = static_cast<int64_t>(copy.localAddress);
  instruction.immediate = static_cast<int64_t>(copy.bytes);
  return instruction;
}

} // namespace moert::emu
