// Conversions of every type to every other with every rounding: each value becomes an integer or an f64, neither of
// which loses anything, and is rounded once.
#include "devices/emu/convert.h"
#include "devices/emu/rounding.h"

namespace moert::emu {
namespace {

struct Number {
  bool isInteger = false, isNegative = false;
  uint64_t magnitude = 0; // of an integer
  double value = 0;       // of anything else
};

const FloatFormat &getFormat(Type type) {
  switch (type) {
  case Type::F16:
  case Type::F16x2:
    return formatF16;
  case Type::BF16:
  case Type::BF16x2:
    return formatBf16;
  case Type::F32:
    return formatF32;
  default:
    return formatF64;
  }
}

Number read(const std::byte *bytes, Type type) {
  uint64_t bits = 0;
  std::memcpy(&bits, bytes, getBytes(type));
  switch (type) {
  case Type::F16:
    return {.value = fromF16(static_cast<uint16_t>(bits))};
  case Type::BF16:
    return {.value = fromBf16(static_cast<uint16_t>(bits))};
  case Type::F32:
    return {.value = std::bit_cast<float>(static_cast<uint32_t>(bits))};
  case Type::F64:
    return {.value = std::bit_cast<double>(bits)};
  default:
    break;
  }
  const uint32_t unused = 64 - 8 * getBytes(type);
  const bool isNegative = isSigned(type) && (bits << unused) >> 63;
  if (isNegative)
    bits = 0 - static_cast<uint64_t>(static_cast<int64_t>(bits << unused) >> unused);
  return {.isInteger = true, .isNegative = isNegative, .magnitude = bits};
}

double roundToIntegral(double value, Rounding rounding) {
  switch (rounding) {
  case Rounding::TowardsZero:
    return std::trunc(value);
  case Rounding::Down:
    return std::floor(value);
  case Rounding::Up:
    return std::ceil(value);
  default:
    return std::nearbyint(value);
  }
}

// Two's complement, of which the low bits count.
uint64_t getBits(const Number &number) { return number.isNegative ? 0 - number.magnitude : number.magnitude; }

// What lies out of range becomes the nearest number in range.
uint64_t clampInteger(const Number &number, Type to) {
  const uint32_t bits = 8 * getBytes(to);
  const uint64_t largest = ~uint64_t(0) >> (64 - bits + isSigned(to));
  if (number.isNegative) {
    const uint64_t lowest = isSigned(to) ? largest + 1 : 0;
    return 0 - std::min(number.magnitude, lowest);
  }
  return std::min(number.magnitude, largest);
}

uint64_t toInteger(Number number, const Conversion &conversion) {
  const Type to = conversion.to;
  if (number.isInteger)
    return conversion.saturates ? clampInteger(number, to) : getBits(number);
  if (std::isnan(number.value))
    return getIntegerOfNaN(conversion.from == Type::F64, 8 * getBytes(to));
  const double rounded = roundToIntegral(number.value, conversion.rounding);
  number.isNegative = rounded < 0;
  const double magnitude = std::fabs(rounded);
  number.magnitude = magnitude < 0x1p64 ? static_cast<uint64_t>(magnitude) : ~uint64_t(0);
  return clampInteger(number, to);
}

uint64_t toFloat(const Number &number, const Conversion &conversion) {
  if (conversion.isTf32)
    return roundTo(number.value, formatTf32, conversion.rounding) << 13;
  const FloatFormat &format = getFormat(conversion.to);
  if (number.isInteger) {
    const uint64_t one = roundTo(1, format);
    if (conversion.saturates)
      return number.isNegative || number.magnitude == 0 ? 0 : one;
    return encodeFloat(number.isNegative, number.magnitude, 0, format, conversion.rounding);
  }
  double value = number.value;
  if (conversion.to == conversion.from && !conversion.roundingName.empty())
    value = roundToIntegral(value, conversion.rounding);
  if (conversion.rectifies)
    value = value < 0 || value == 0 ? 0 : value;
  if (conversion.saturates)
    value = clampToUnit(value);
  const uint64_t bits = roundTo(value, format, conversion.rounding);
  const bool flushesResult = conversion.flushes && conversion.to == Type::F32;
  return flushesResult && (bits & 0x7fffffff) < 0x00800000 ? bits & 0x80000000 : bits;
}

// The modifiers of a Conversion in the bits of an immediate.
struct PackedConversion {
  uint8_t to, from, rounding, isRounded, flags, destinationBytes, sourceBytes, unused;
};
constexpr uint8_t flushBit = 1, saturateBit = 2, rectifyBit = 4, tf32Bit = 8;

Conversion unpack(int64_t immediate) {
  const auto packed = std::bit_cast<PackedConversion>(immediate);
  Conversion conversion;
  conversion.to = static_cast<Type>(packed.to);
  conversion.from = static_cast<Type>(packed.from);
  conversion.rounding = static_cast<Rounding>(packed.rounding);
  conversion.roundingName = packed.isRounded ? "r" : "";
  conversion.flushes = packed.flags & flushBit;
  conversion.saturates = packed.flags & saturateBit;
  conversion.rectifies = packed.flags & rectifyBit;
  conversion.isTf32 = packed.flags & tf32Bit;
  conversion.destinationBytes = packed.destinationBytes;
  conversion.sourceBytes = packed.sourceBytes;
  return conversion;
}

uint64_t convert(const std::byte *source, const Conversion &conversion) {
  Number number = read(source, conversion.from);
  if (conversion.flushes && conversion.from == Type::F32)
    number.value = flush(static_cast<float>(number.value));
  if (!isInteger(conversion.to))
    return toFloat(number, conversion);
  // An integer fills a wider register with its sign or zeros.
  const uint64_t bits = toInteger(number, conversion);
  const uint32_t unused = 64 - 8 * getBytes(conversion.to);
  return isSigned(conversion.to) ? static_cast<uint64_t>(static_cast<int64_t>(bits << unused) >> unused)
                                 : bits << unused >> unused;
}

void executeGeneral(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const Conversion conversion = unpack(instruction.immediate);
  const auto &slots = instruction.slots;
  const bool isPair = isHalfPair(conversion.to);
  std::byte *destination = warp.lanes<std::byte>(slots[0]);
  LaneMask poison = warp.poison(slots[1]);
  forEachLane(mask, [&](uint32_t lane) {
    uint64_t bits = convert(warp.lanes<std::byte>(slots[1]) + lane * conversion.sourceBytes, conversion);
    if (isPair)
      bits = bits << 16 | convert(warp.lanes<std::byte>(slots[2]) + lane * conversion.sourceBytes, conversion);
    std::memcpy(destination + lane * conversion.destinationBytes, &bits, conversion.destinationBytes);
  });
  if (isPair)
    poison |= warp.poison(slots[2]);
  warp.setPoison(slots[0], mask, poison);
}

} // namespace

void setGeneralConversion(Instruction &instruction, const Conversion &conversion) {
  PackedConversion packed = {};
  packed.to = static_cast<uint8_t>(conversion.to);
  packed.from = static_cast<uint8_t>(conversion.from);
  packed.rounding = static_cast<uint8_t>(conversion.rounding);
  packed.isRounded = !conversion.roundingName.empty();
  packed.flags = static_cast<uint8_t>(conversion.flushes * flushBit | conversion.saturates * saturateBit |
                                      conversion.rectifies * rectifyBit | conversion.isTf32 * tf32Bit);
  packed.destinationBytes = static_cast<uint8_t>(conversion.destinationBytes);
  packed.sourceBytes = static_cast<uint8_t>(conversion.sourceBytes);
  instruction.immediate = std::bit_cast<int64_t>(packed);
  instruction.execute = executeGeneral;
}

} // namespace moert::emu
