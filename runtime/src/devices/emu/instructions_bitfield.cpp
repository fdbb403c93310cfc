// bfe, bfi, bfind, brev, clz, popc, prmt.
#include "devices/emu/lanewise.h"

#include <bit>

namespace moert::emu {
namespace {

// `length` bits from `position` on; a signed field beyond the number's end repeats its top bit.
template <typename T> struct ExtractField {
  static T apply(T a, uint32_t positionOperand, uint32_t lengthOperand) {
    constexpr uint32_t width = 8 * sizeof(T);
    const uint32_t position = positionOperand & 255, length = lengthOperand & 255;
    if (length == 0)
      return 0;
    using U = std::make_unsigned_t<T>;
    const T far = std::is_signed_v<T> ? static_cast<T>(a >> (width - 1)) : T(0);
    const U shifted = static_cast<U>(position >= width ? far : static_cast<T>(a >> position));
    if (length >= width)
      return static_cast<T>(shifted);
    const U field = shifted & ((U(1) << length) - 1);
    if constexpr (std::is_signed_v<T>)
      return static_cast<T>(static_cast<T>(field << (width - length)) >> (width - length));
    else
      return field;
  }
};

// The low `length` bits of a in place of those of b from `position` on.
template <typename T> struct InsertField {
  static T apply(T a, T b, uint32_t positionOperand, uint32_t lengthOperand) {
    constexpr uint32_t width = 8 * sizeof(T);
    const uint32_t position = positionOperand & 255, length = lengthOperand & 255;
    if (position >= width)
      return b;
    const T field = (length >= width ? ~T(0) : (T(1) << length) - 1) << position;
    return (b & ~field) | (a << position & field);
  }
};

// The position of the most significant bit that differs from the sign, or how far it would be shifted to the top; all
// ones if there is none.
template <typename T, bool GivesShift> struct FindField {
  static uint32_t apply(T a) {
    using U = std::make_unsigned_t<T>;
    const U bits = static_cast<U>(std::is_signed_v<T> && a < 0 ? ~a : a);
    if (bits == 0)
      return ~0u;
    const auto zeros = static_cast<uint32_t>(std::countl_zero(bits));
    return GivesShift ? zeros : static_cast<uint32_t>(8 * sizeof(T) - 1) - zeros;
  }
};

template <typename T> struct ReverseBits {
  static T apply(T a) {
    uint64_t bits = a;
    const auto swap = [&](uint32_t by, uint64_t low) { bits = (bits >> by & low) | (bits & low) << by; };
    swap(1, 0x5555555555555555);
    swap(2, 0x3333333333333333);
    swap(4, 0x0f0f0f0f0f0f0f0f);
    return static_cast<T>(__builtin_bswap64(bits) >> (64 - 8 * sizeof(T)));
  }
};
template <typename T> struct CountLeadingZeros {
  static uint32_t apply(T a) { return static_cast<uint32_t>(std::countl_zero(a)); }
};
template <typename T> struct CountOnes {
  static uint32_t apply(T a) { return static_cast<uint32_t>(std::popcount(a)); }
};

// Modes of prmt: which of the eight bytes of b:a each byte of the result is, by the selector.
enum class PermuteMode { Plain, Forward, Backward, Replicate, ClampLeft, ClampRight, Halves };
constexpr std::string_view permuteNames[] = {"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"};

template <PermuteMode Mode> struct Permute {
  static uint32_t choose(uint32_t selector, uint32_t i) {
    const uint32_t n = selector & 3;
    switch (Mode) {
    case PermuteMode::Plain:
      return selector >> 4 * i & 15;
    case PermuteMode::Forward:
      return n + i;
    case PermuteMode::Backward:
      return (n - i) & 7;
    case PermuteMode::Replicate:
      return n;
    case PermuteMode::ClampLeft:
      return std::max(n, i);
    case PermuteMode::ClampRight:
      return std::min(n, i);
    case PermuteMode::Halves:
      return (n & 1) * 2 + (i & 1);
    }
    return 0;
  }
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t selector) {
    const uint64_t both = uint64_t(b) << 32 | a;
    uint32_t result = 0;
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t which = choose(selector, i);
      uint32_t byte = static_cast<uint32_t>(both >> 8 * (which & 7)) & 255;
      if (which & 8) // the sign of that byte, eight times
        byte = byte & 128 ? 255 : 0;
      result |= byte << 8 * i;
    }
    return result;
  }
};

constexpr bool isWord(Type type) { return isInteger(type) && getBytes(type) >= 4; }
constexpr bool isWordBits(Type type) { return isBits(type) && getBytes(type) >= 4; }

Status decodeExtractField(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, isWord));
  decoder.get().execute = visitWideInteger(
      type, []<typename T>(Tag<T>) -> Handler { return Lanewise<ExtractField<T>, T, T, uint32_t, uint32_t>::execute; });
  MOERT_TRY(decoder.takeDestination(type));
  MOERT_TRY(decoder.takeSource(type));
  MOERT_TRY(decoder.takeSource(Type::B32));
  return decoder.takeSource(Type::B32);
}

Status decodeInsertField(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, isWordBits));
  decoder.get().execute =
      type == Type::B32
          ? Handler(Lanewise<InsertField<uint32_t>, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t>::execute)
          : Lanewise<InsertField<uint64_t>, uint64_t, uint64_t, uint64_t, uint32_t, uint32_t>::execute;
  MOERT_TRY(decoder.takeDestination(type));
  MOERT_TRY(decoder.takeSource(type));
  MOERT_TRY(decoder.takeSource(type));
  MOERT_TRY(decoder.takeSource(Type::B32));
  return decoder.takeSource(Type::B32);
}

Status decodeFindField(Decoder &decoder) {
  Type type;
  const bool givesShift = decoder.accept("shiftamt");
  MOERT_TRY(decoder.takeType(type, isWord));
  decoder.get().execute = visitWideInteger(type, [&]<typename T>(Tag<T>) -> Handler {
    return givesShift ? Lanewise<FindField<T, true>, uint32_t, T>::execute
                      : Lanewise<FindField<T, false>, uint32_t, T>::execute;
  });
  MOERT_TRY(decoder.takeDestination(Type::B32));
  return decoder.takeSource(type);
}

Status decodeReverse(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, isWordBits));
  decoder.get().execute = type == Type::B32 ? Handler(Lanewise<ReverseBits<uint32_t>, uint32_t, uint32_t>::execute)
                                            : Lanewise<ReverseBits<uint64_t>, uint64_t, uint64_t>::execute;
  MOERT_TRY(decoder.takeDestination(type));
  return decoder.takeSource(type);
}

template <template <typename> class Op> Status decodeCount(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, isWordBits));
  decoder.get().execute = type == Type::B32 ? Handler(Lanewise<Op<uint32_t>, uint32_t, uint32_t>::execute)
                                            : Lanewise<Op<uint64_t>, uint32_t, uint64_t>::execute;
  MOERT_TRY(decoder.takeDestination(Type::B32));
  return decoder.takeSource(type);
}

// Poison of an operand of which no byte is taken does not matter.
template <PermuteMode Mode> void executePermute(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const auto &slots = instruction.slots;
  const LaneMask ofA = warp.poison(slots[1]), ofB = warp.poison(slots[2]);
  LaneMask poison = warp.poison(slots[3]);
  const uint32_t *selectors = warp.lanes<uint32_t>(slots[3]);
  forEachLane((ofA | ofB) & mask, [&](uint32_t lane) {
    for (uint32_t i = 0; i < 4; ++i)
      poison |= (Permute<Mode>::choose(selectors[lane], i) & 4 ? ofB : ofA) & LaneMask(1) << lane;
  });
  Lanewise<Permute<Mode>, uint32_t, uint32_t, uint32_t, uint32_t>::execute(warp, instruction, mask);
  warp.setPoison(slots[0], mask, poison);
}

Status decodePermute(Decoder &decoder) {
  constexpr Handler handlers[] = {executePermute<PermuteMode::Plain>,     executePermute<PermuteMode::Forward>,
                                  executePermute<PermuteMode::Backward>,  executePermute<PermuteMode::Replicate>,
                                  executePermute<PermuteMode::ClampLeft>, executePermute<PermuteMode::ClampRight>,
                                  executePermute<PermuteMode::Halves>};
  MOERT_TRY(decoder.takeModifiers({"b32"}));
  decoder.get().execute = handlers[decoder.acceptAny(permuteNames) + 1];
  MOERT_TRY(decoder.takeDestination(Type::B32));
  for (int i = 0; i < 3; ++i)
    MOERT_TRY(decoder.takeSource(Type::B32));
  for (size_t i = 1; i < 3; ++i)
    decoder.fillOpenPart(decoder.getSyntax().operands[i], i, Type::B32);
  return Status::success();
}

constexpr OpcodeRow rows[] = {
    {"bfe", decodeExtractField},
    {"bfi", decodeInsertField},
    {"bfind", decodeFindField},
    {"brev", decodeReverse},
    {"clz", decodeCount<CountLeadingZeros>},
    {"popc", decodeCount<CountOnes>},
    {"prmt", decodePermute},
};

} // namespace

std::span<const OpcodeRow> getBitFieldOpcodes() { return rows; }

} // namespace moert::emu
