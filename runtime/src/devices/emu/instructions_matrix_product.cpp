// mma.sync of every shape and type of sm_80 except b1. Which lane holds which element is as documented; the order in
// which a tensor core adds is not public, so sums of floating-point numbers agree with hardware within rounding only.
#include "devices/emu/float_bits.h"
#include "devices/emu/lanewise.h"

namespace moert::emu {
namespace {

// How elements of A and B lie in registers, and as what they are multiplied.
struct F16 {
  static constexpr uint32_t bits = 16;
  using Register = uint32_t;
  using Number = float;
  static float read(uint32_t element, bool) { return fromF16(static_cast<uint16_t>(element)); }
};
struct Bf16 {
  static constexpr uint32_t bits = 16;
  using Register = uint32_t;
  using Number = float;
  static float read(uint32_t element, bool) { return fromBf16(static_cast<uint16_t>(element)); }
};
// The last 13 bits are ignored.
struct Tf32 {
  static constexpr uint32_t bits = 32;
  using Register = uint32_t;
  using Number = float;
  static float read(uint32_t element, bool) { return std::bit_cast<float>(element & ~uint32_t(0x1fff)); }
};
struct F64 {
  static constexpr uint32_t bits = 64;
  using Register = uint64_t;
  using Number = double;
  static double read(uint64_t element, bool) { return std::bit_cast<double>(element); }
};
template <uint32_t Bits> struct Integer {
  static constexpr uint32_t bits = Bits;
  using Register = uint32_t;
  using Number = int32_t;
  static int32_t read(uint32_t element, bool isSigned) {
    const uint32_t shifted = element << (32 - Bits);
    return isSigned ? static_cast<int32_t>(shifted) >> (32 - Bits) : static_cast<int32_t>(shifted >> (32 - Bits));
  }
};

// How sums lie in registers: one each, or two of f16.
enum class Sums { Single, PairsOfF16 };

struct Position {
  uint32_t row, column;
};

template <typename E> constexpr uint32_t elements = E::bits < 32 ? 32 / E::bits : 1; // in a register
// Four lanes hold consecutive elements of a row of A or of a column of B, so many in one register; eight such groups of
// lanes hold consecutive rows or columns.
template <typename E> constexpr uint32_t groupElements = 4 * elements<E>;
constexpr Position getPositionInC(uint32_t lane, uint32_t i) {
  return {lane / 4 + 8 * (i >> 1), lane % 4 * 2 + (i & 1)};
}

// Element `i` of those that the lanes hold in one register, in the order of the lanes.
template <typename E>
MOERT_EMU_INLINE typename E::Number readElement(const std::byte *lanes, uint32_t i, bool isSigned) {
  using Bits = Unsigned<(E::bits < 8 ? 8 : E::bits) / 8>;
  Bits bits;
  std::memcpy(&bits, lanes + i * E::bits / 8, sizeof(bits));
  return E::read(E::bits < 8 ? bits >> i * E::bits % 8 : bits, isSigned);
}

// `immediate` of integer products.
constexpr int64_t signedABit = 1, signedBBit = 2, saturatesBit = 4;

// Slots: D, A, B, C.
template <typename E, uint32_t M, uint32_t K, Sums Held> struct Product {
  using Number = typename E::Number;
  static constexpr uint32_t columns = 8;
  static constexpr uint32_t registersOfA = M * K / warpSize / elements<E>;
  static constexpr uint32_t registersOfB = columns * K / warpSize / elements<E>;
  static constexpr uint32_t sumsOfLane = M * columns / warpSize;
  static constexpr uint32_t registersOfC = Held == Sums::PairsOfF16 ? sumsOfLane / 2 : sumsOfLane;
  static constexpr uint32_t firstA = registersOfC, firstB = firstA + registersOfA, firstC = firstB + registersOfB;

  static void execute(Warp &warp, const Instruction &instruction, LaneMask mask) {
    if (mask != allLanes)
      return warp.fail(instruction, static_cast<uint32_t>(__builtin_ctz(~mask)),
                       "this lane does not take part in a matrix product");
    if (hasWideVectors)
      runWide(warp, instruction);
    else
      run(warp, instruction);
  }

private:
  MOERT_EMU_WIDE static void runWide(Warp &warp, const Instruction &instruction) { run(warp, instruction); }

  MOERT_EMU_INLINE static void run(Warp &warp, const Instruction &instruction) {
    Product product;
    product.readOperands(warp, instruction);
    product.readSums(warp, instruction);
    if (instruction.immediate & saturatesBit)
      product.multiplySaturating();
    else
      product.multiply();
    product.findPoison(warp, instruction);
    product.writeSums(warp, instruction);
  }

  MOERT_EMU_INLINE void readOperands(Warp &warp, const Instruction &instruction) {
    constexpr uint32_t group = groupElements<E>;
    const bool isSignedA = instruction.immediate & signedABit, isSignedB = instruction.immediate & signedBBit;
    for (uint32_t i = 0; i < registersOfA; ++i) {
      const std::byte *lanes = warp.lanes<std::byte>(instruction.slots[firstA + i]);
      for (uint32_t row = 0; row < 8; ++row)
        for (uint32_t j = 0; j < group; ++j)
          a[row + 8 * (i & 1)][j + group * (i >> 1)] = readElement<E>(lanes, row * group + j, isSignedA);
    }
    for (uint32_t i = 0; i < registersOfB; ++i) {
      const std::byte *lanes = warp.lanes<std::byte>(instruction.slots[firstB + i]);
      for (uint32_t column = 0; column < columns; ++column)
        for (uint32_t j = 0; j < group; ++j)
          b[j + group * i][column] = readElement<E>(lanes, column * group + j, isSignedB);
    }
  }

  MOERT_EMU_INLINE void readSums(Warp &warp, const Instruction &instruction) {
    for (uint32_t i = 0; i < sumsOfLane; ++i)
      for (uint32_t lane = 0; lane < warpSize; ++lane) {
        const auto [row, column] = getPositionInC(lane, i);
        if constexpr (Held == Sums::PairsOfF16)
          sums[row][column] = fromF16(warp.lanes<uint16_t>(instruction.slots[firstC + i / 2])[2 * lane + i % 2]);
        else
          sums[row][column] = warp.lanes<Number>(instruction.slots[firstC + i])[lane];
      }
  }

  // Integers wrap.
  MOERT_EMU_INLINE void multiply() {
    using Wrapping = std::conditional_t<std::is_integral_v<Number>, uint32_t, Number>;
    using Line [[gnu::vector_size(columns * sizeof(Number))]] = Wrapping;
    for (uint32_t row = 0; row < M; ++row) {
      Line sum, factor;
      std::memcpy(&sum, sums[row], sizeof(sum));
      for (uint32_t k = 0; k < K; ++k) {
        std::memcpy(&factor, b[k], sizeof(factor));
        sum += factor * static_cast<Wrapping>(a[row][k]);
      }
      std::memcpy(sums[row], &sum, sizeof(sum));
    }
  }

  // The whole sum is clamped, not each step.
  void multiplySaturating() {
    if constexpr (std::is_integral_v<Number>)
      for (uint32_t row = 0; row < M; ++row)
        for (uint32_t column = 0; column < columns; ++column) {
          int64_t sum = sums[row][column];
          for (uint32_t k = 0; k < K; ++k)
            sum += int64_t(a[row][k]) * b[k][column];
          sums[row][column] = static_cast<int32_t>(sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum);
        }
  }

  // Poison of an element of A spoils its row of the result, one of B its column.
  void findPoison(const Warp &warp, const Instruction &instruction) {
    for (uint32_t i = 0; i < registersOfA; ++i)
      forEachLane(warp.poison(instruction.slots[firstA + i]),
                  [&](uint32_t lane) { poisonedRows |= 1u << (lane / 4 + 8 * (i & 1)); });
    for (uint32_t i = 0; i < registersOfB; ++i)
      forEachLane(warp.poison(instruction.slots[firstB + i]),
                  [&](uint32_t lane) { poisonedColumns |= 1u << lane / 4; });
  }

  MOERT_EMU_INLINE void writeSums(Warp &warp, const Instruction &instruction) const {
    for (uint32_t i = 0; i < sumsOfLane; ++i)
      for (uint32_t lane = 0; lane < warpSize; ++lane) {
        const auto [row, column] = getPositionInC(lane, i);
        if constexpr (Held == Sums::PairsOfF16)
          warp.lanes<uint16_t>(instruction.slots[i / 2])[2 * lane + i % 2] = toF16(sums[row][column]);
        else
          warp.lanes<Number>(instruction.slots[i])[lane] = sums[row][column];
      }
    for (uint32_t i = 0; i < registersOfC; ++i)
      warp.setPoison(instruction.slots[i], allLanes, warp.poison(instruction.slots[firstC + i]) | findPoisoned(i));
  }

  // Lanes whose sums in one register depend on poison of A or B.
  LaneMask findPoisoned(uint32_t i) const {
    constexpr uint32_t sumsOfRegister = sumsOfLane / registersOfC;
    LaneMask lanes = 0;
    for (uint32_t lane = 0; (poisonedRows | poisonedColumns) && lane < warpSize; ++lane)
      for (uint32_t j = 0; j < sumsOfRegister; ++j) {
        const auto [row, column] = getPositionInC(lane, i * sumsOfRegister + j);
        lanes |= ((poisonedRows >> row | poisonedColumns >> column) & 1) << lane;
      }
    return lanes;
  }

  Number a[M][K], b[K][columns], sums[M][columns];
  uint32_t poisonedRows = 0, poisonedColumns = 0;
};

struct ProductRow {
  std::string_view shape, sums, elements; // `elements`: the type of A and B, for integers without its sign
  Type ofOperands, ofSums;                // of registers
  uint32_t registersOfA, registersOfB, registersOfC;
  Handler execute;
};

template <typename E, uint32_t M, uint32_t K, Sums Held = Sums::Single>
constexpr ProductRow makeRow(std::string_view shape, std::string_view sums, std::string_view elements) {
  using P = Product<E, M, K, Held>;
  const Type ofOperands = E::bits == 64 ? Type::F64 : Type::B32;
  const Type ofSums = E::bits == 64 ? Type::F64 : sums == "f32" ? Type::F32 : Type::B32;
  return {shape, sums, elements, ofOperands, ofSums, P::registersOfA, P::registersOfB, P::registersOfC, P::execute};
}

constexpr ProductRow products[] = {
    makeRow<F16, 16, 8>("m16n8k8", "f32", "f16"),
    makeRow<F16, 16, 16>("m16n8k16", "f32", "f16"),
    makeRow<F16, 16, 8, Sums::PairsOfF16>("m16n8k8", "f16", "f16"),
    makeRow<F16, 16, 16, Sums::PairsOfF16>("m16n8k16", "f16", "f16"),
    makeRow<Bf16, 16, 8>("m16n8k8", "f32", "bf16"),
    makeRow<Bf16, 16, 16>("m16n8k16", "f32", "bf16"),
    makeRow<Tf32, 16, 4>("m16n8k4", "f32", "tf32"),
    makeRow<Tf32, 16, 8>("m16n8k8", "f32", "tf32"),
    makeRow<F64, 8, 4>("m8n8k4", "f64", "f64"),
    makeRow<Integer<8>, 8, 16>("m8n8k16", "s32", "8"),
    makeRow<Integer<8>, 16, 16>("m16n8k16", "s32", "8"),
    makeRow<Integer<8>, 16, 32>("m16n8k32", "s32", "8"),
    makeRow<Integer<4>, 8, 32>("m8n8k32", "s32", "4"),
    makeRow<Integer<4>, 16, 32>("m16n8k32", "s32", "4"),
    makeRow<Integer<4>, 16, 64>("m16n8k64", "s32", "4"),
};

// `mma.sync.aligned.shape.row.col{.satfinite}.d.a.b.c`.
Status decodeMatrixProduct(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"sync", "aligned"}));
  const auto &modifiers = decoder.getSyntax().modifiers;
  const std::string_view shape = modifiers.size() > 2 ? modifiers[2] : std::string_view();
  decoder.accept(shape);
  MOERT_TRY(decoder.takeModifiers({"row", "col"}));
  Instruction &instruction = decoder.get();
  const bool saturates = decoder.accept("satfinite");
  const size_t first = 5 + saturates;
  if (modifiers.size() != first + 4)
    return decoder.refuse("expected the types of D, A, B and C");
  std::string_view a = modifiers[first + 1], b = modifiers[first + 2];
  MOERT_TRY(decoder.takeModifiers({modifiers[first], a, b, modifiers[first + 3]}));
  const auto isInteger = [](std::string_view type) { return type.starts_with('s') || type.starts_with('u'); };
  if (isInteger(a) && isInteger(b)) {
    instruction.immediate =
        (a[0] == 's' ? signedABit : 0) | (b[0] == 's' ? signedBBit : 0) | (saturates ? saturatesBit : 0);
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  for (const ProductRow &row : products) {
    if (row.shape != shape || row.sums != modifiers[first] || row.sums != modifiers[first + 3] || row.elements != a ||
        row.elements != b || (saturates && row.sums != "s32"))
      continue;
    instruction.execute = row.execute;
    MOERT_TRY(decoder.takeVector(row.ofSums, row.registersOfC, true));
    MOERT_TRY(decoder.takeVector(row.ofOperands, row.registersOfA, false));
    MOERT_TRY(decoder.takeVector(row.ofOperands, row.registersOfB, false));
    return decoder.takeVector(row.ofSums, row.registersOfC, false);
  }
  return decoder.refuse("no product of this shape has these types");
}

constexpr OpcodeRow opcodes[] = {{"mma", decodeMatrixProduct}};

} // namespace

std::span<const OpcodeRow> getMatrixProductOpcodes() { return opcodes; }

} // namespace moert::emu
