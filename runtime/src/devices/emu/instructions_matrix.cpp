// mma.sync and ldmatrix. Which lane holds which element is as documented; the order in which a tensor core adds is not
// public, so sums agree with hardware within rounding only. Not validated on hardware.
#include "devices/emu/float_bits.h"
#include "devices/emu/lanewise.h"

namespace moert::emu {
namespace {

constexpr uint32_t rows = 16, columns = 8, depth = 16;

// The element of a 16x16 matrix of 16-bit elements, held two to a register, that half `half` of register `i` of a lane
// is.
struct PairPosition {
  uint32_t row, column;
};
constexpr PairPosition getPositionInA(uint32_t lane, uint32_t i, uint32_t half) {
  return {lane / 4 + 8 * (i & 1), lane % 4 * 2 + half + 8 * (i >> 1)};
}
constexpr PairPosition getPositionInB(uint32_t lane, uint32_t i, uint32_t half) {
  return {lane % 4 * 2 + half + 8 * i, lane / 4};
}
constexpr PairPosition getPositionInC(uint32_t lane, uint32_t i) {
  return {lane / 4 + 8 * (i >> 1), lane % 4 * 2 + (i & 1)};
}

// Slots: D of 4 registers, A of 4, B of 2, C of 4.
constexpr uint32_t firstA = 4, firstB = 8, firstC = 10;

// Poison of an element of A spoils its row of the result, one of B its column.
struct PoisonedLines {
  uint32_t rows = 0, columns = 0;
};

PoisonedLines findPoison(const Warp &warp, const Instruction &instruction) {
  PoisonedLines lines;
  for (uint32_t i = 0; i < 4; ++i)
    forEachLane(warp.poison(instruction.slots[firstA + i]),
                [&](uint32_t lane) { lines.rows |= 1u << getPositionInA(lane, i, 0).row; });
  for (uint32_t i = 0; i < 2; ++i)
    forEachLane(warp.poison(instruction.slots[firstB + i]),
                [&](uint32_t lane) { lines.columns |= 1u << getPositionInB(lane, i, 0).column; });
  return lines;
}

void executeMatrixProduct(Warp &warp, const Instruction &instruction, LaneMask mask) {
  if (mask != allLanes)
    return warp.fail(instruction, static_cast<uint32_t>(__builtin_ctz(~mask)),
                     "this lane does not take part in a matrix product");
  const auto &slots = instruction.slots;
  float a[rows][depth], b[depth][columns], sums[rows][columns];
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    for (uint32_t half = 0; half < 2; ++half) {
      for (uint32_t i = 0; i < 4; ++i) {
        const auto [row, column] = getPositionInA(lane, i, half);
        a[row][column] = fromBf16(warp.lanes<uint16_t>(slots[firstA + i])[2 * lane + half]);
      }
      for (uint32_t i = 0; i < 2; ++i) {
        const auto [row, column] = getPositionInB(lane, i, half);
        b[row][column] = fromBf16(warp.lanes<uint16_t>(slots[firstB + i])[2 * lane + half]);
      }
    }
    for (uint32_t i = 0; i < 4; ++i) {
      const auto [row, column] = getPositionInC(lane, i);
      sums[row][column] = warp.lanes<float>(slots[firstC + i])[lane];
    }
  }
  for (uint32_t row = 0; row < rows; ++row)
    for (uint32_t k = 0; k < depth; ++k)
      for (uint32_t column = 0; column < columns; ++column)
        sums[row][column] += a[row][k] * b[k][column];

  const PoisonedLines lines = findPoison(warp, instruction);
  for (uint32_t i = 0; i < 4; ++i) {
    LaneMask poison = warp.poison(slots[firstC + i]);
    float *destination = warp.lanes<float>(slots[i]);
    for (uint32_t lane = 0; lane < warpSize; ++lane) {
      const auto [row, column] = getPositionInC(lane, i);
      destination[lane] = sums[row][column];
      poison |= ((lines.rows >> row | lines.columns >> column) & 1) << lane;
    }
    warp.setPoison(slots[i], allLanes, poison);
  }
}

Status decodeMatrixProduct(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"sync", "aligned", "m16n8k16", "row", "col", "f32", "bf16", "bf16", "f32"}));
  decoder.get().execute = executeMatrixProduct;
  MOERT_TRY(decoder.takeVector(Type::F32, 4, true));
  MOERT_TRY(decoder.takeVector(Type::B32, 4, false));
  MOERT_TRY(decoder.takeVector(Type::B32, 2, false));
  return decoder.takeVector(Type::F32, 4, false);
}

// Lane 8 * i + r has the address of row r of matrix i; each lane receives two neighbours of one row, or of one column
// if transposed, of every matrix.
template <bool IsTransposed> void executeLoadMatrices(Warp &warp, const Instruction &instruction, LaneMask mask) {
  constexpr uint32_t extent = 8, rowBytes = 16;
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
    for (uint32_t lane = 0; lane < warpSize; ++lane) {
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
  MOERT_TRY(decoder.takeModifiers({"shared", "b16"}));
  decoder.get().width = count;
  decoder.get().execute = isTransposed ? executeLoadMatrices<true> : executeLoadMatrices<false>;
  MOERT_TRY(decoder.takeVector(Type::B32, count, true));
  return decoder.takeAddress();
}

constexpr OpcodeRow opcodes[] = {{"mma", decodeMatrixProduct}, {"ldmatrix", decodeLoadMatrices}};

} // namespace

std::span<const OpcodeRow> getMatrixOpcodes() { return opcodes; }

} // namespace moert::emu
