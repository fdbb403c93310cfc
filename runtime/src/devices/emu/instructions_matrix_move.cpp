// ldmatrix and movmatrix: matrices of 8x8 elements of 16 bits, of which a lane holds two neighbours.
#include "devices/emu/lanewise.h"

namespace moert::emu {
namespace {

constexpr uint32_t extent = 8;

// Lane 8 * i + r has the address of row r of matrix i; each lane receives two neighbours of one row, or of one column
// if transposed, of every matrix.
template <bool IsTransposed> void executeLoadMatrices(Warp &warp, const Instruction &instruction, LaneMask mask) {
  constexpr uint32_t rowBytes = 16;
  if (mask != allLanes)
    return warp.fail(instruction, static_cast<uint32_t>(__builtin_ctz(~mask)),
                     "this lane does not take part in a load of matrices");
  const uint32_t count = instruction.width;
  const AddressOperand &operand = instruction.addresses[0];
  const LaneMask addressing = allLanes >> (warpSize - extent * count);
  if (!warp.checkDefined(instruction, addressing, operand.base, "address"))
    return;
  uint32_t result[4][warpSize];
  LaneMask poison[4] = {};
  for (uint32_t i = 0; i < count; ++i) {
    uint16_t elements[extent][extent];
    uint16_t poisonOfElements[extent][extent];
    for (uint32_t row = 0; row < extent; ++row) {
      const uint32_t lane = extent * i + row;
      uint64_t address = warp.getAddress(operand, lane);
      Region *region = warp.access(Space::Shared, lane, address, rowBytes, rowBytes, instruction);
      if (!region)
        return;
      std::memcpy(elements[row], region->data(address), rowBytes);
      std::memcpy(poisonOfElements[row], region->poisonOf(address), rowBytes);
    }
    if (!IsTransposed) // lanes hold the elements in the order of the memory
      std::memcpy(result[i], elements, sizeof(elements));
    constexpr uint16_t none[extent * extent] = {};
    const bool hasPoison = std::memcmp(poisonOfElements, none, sizeof(none)) != 0;
    for (uint32_t lane = 0; (IsTransposed || hasPoison) && lane < warpSize; ++lane) {
      const uint32_t line = lane / 4, first = lane % 4 * 2;
      const auto pick = [&](const uint16_t(&from)[extent][extent], uint32_t k) -> uint32_t {
        return IsTransposed ? from[first + k][line] : from[line][first + k];
      };
      result[i][lane] = pick(elements, 0) | pick(elements, 1) << 16;
      poison[i] |= LaneMask((pick(poisonOfElements, 0) | pick(poisonOfElements, 1)) != 0) << lane;
    }
  }
  for (uint32_t i = 0; i < count; ++i) {
    std::memcpy(warp.lanes<uint32_t>(instruction.slots[i]), result[i], sizeof(result[i]));
    warp.setPoison(instruction.slots[i], allLanes, poison[i]);
  }
}

Status decodeLoadMatrices(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"sync", "aligned", "m8n8"}));
  const uint8_t count = decoder.accept("x1") ? 1 : decoder.accept("x2") ? 2 : 4;
  if (count == 4)
    MOERT_TRY(decoder.takeModifiers({"x4"}));
  const bool isTransposed = decoder.accept("trans");
  if (!decoder.accept("shared::cta"))
    MOERT_TRY(decoder.takeModifiers({"shared"}));
  MOERT_TRY(decoder.takeModifiers({"b16"}));
  decoder.get().width = count;
  decoder.get().execute = isTransposed ? executeLoadMatrices<true> : executeLoadMatrices<false>;
  MOERT_TRY(decoder.takeVector(Type::B32, count, true));
  return decoder.takeAddress();
}

// The matrix that lies in the registers of the lanes, transposed.
void executeTranspose(Warp &warp, const Instruction &instruction, LaneMask mask) {
  if (mask != allLanes)
    return warp.fail(instruction, static_cast<uint32_t>(__builtin_ctz(~mask)),
                     "this lane does not take part in a move of a matrix");
  uint16_t elements[extent * extent];
  std::memcpy(elements, warp.lanes<uint32_t>(instruction.slots[1]), sizeof(elements));
  const LaneMask poison = warp.poison(instruction.slots[1]);
  LaneMask resultPoison = 0;
  uint32_t *destination = warp.lanes<uint32_t>(instruction.slots[0]);
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    const uint32_t line = lane / 4, first = lane % 4 * 2;
    const uint32_t low = first * extent + line, high = low + extent;
    destination[lane] = elements[low] | uint32_t(elements[high]) << 16;
    resultPoison |= ((poison >> low / 2 | poison >> high / 2) & 1) << lane;
  }
  warp.setPoison(instruction.slots[0], allLanes, resultPoison);
}

Status decodeTranspose(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"sync", "aligned", "m8n8", "trans", "b16"}));
  decoder.get().execute = executeTranspose;
  MOERT_TRY(decoder.takeDestination(Type::B32));
  return decoder.takeSource(Type::B32);
}

Status decodeStoreMatrices(Decoder &decoder) { return decoder.refuse("this instruction needs sm_90"); }

constexpr OpcodeRow opcodes[] = {
    {"ldmatrix", decodeLoadMatrices}, {"movmatrix", decodeTranspose}, {"stmatrix", decodeStoreMatrices}};

} // namespace

std::span<const OpcodeRow> getMatrixMoveOpcodes() { return opcodes; }

} // namespace moert::emu
