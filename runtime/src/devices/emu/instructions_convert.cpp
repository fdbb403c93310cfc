// cvt: the conversions that kernels are full of, each a loop of its own.
#include "devices/emu/convert.h"

#include <limits>

namespace moert::emu {
namespace {

template <typename D, typename S> struct Cast {
  static D apply(S a) { return static_cast<D>(a); }
};

// Towards zero. Values out of range become the nearest one in range.
template <typename D, typename S> struct Truncate {
  static D apply(S a) {
    const S rounded = std::trunc(a);
    constexpr S limit = static_cast<S>(uint64_t(1) << (8 * sizeof(D) - 1)) * (std::is_signed_v<D> ? 1 : 2);
    if (!(rounded == rounded))
      return static_cast<D>(getIntegerOfNaN(sizeof(S) == 8, 8 * sizeof(D)));
    if (rounded >= limit)
      return std::numeric_limits<D>::max();
    if (rounded < (std::is_signed_v<D> ? -limit : S(0)))
      return std::numeric_limits<D>::min();
    return static_cast<D>(rounded);
  }
};

struct FromBf16 {
  static float apply(uint16_t a) { return fromBf16(a); }
};
struct FromF16 {
  static float apply(uint16_t a) { return fromF16(a); }
};
struct ToBf16 {
  static uint16_t apply(float a) { return toBf16(a); }
};
struct ToF16 {
  static uint16_t apply(float a) { return toF16(a); }
};
// The first operand becomes the upper half.
template <typename ToHalf> struct ToPair {
  static uint32_t apply(float a, float b) { return static_cast<uint32_t>(ToHalf::apply(a)) << 16 | ToHalf::apply(b); }
};

template <typename D, typename S> constexpr Handler cast = Lanewise<Cast<D, S>, D, S>::execute;
template <typename D, typename S> constexpr Handler truncate = Lanewise<Truncate<D, S>, D, S>::execute;

struct FastRow {
  Type to, from;
  std::string_view rounding;
  Handler execute;
};

constexpr FastRow fastRows[] = {
    {Type::F32, Type::S32, "rn", cast<float, int32_t>},
    {Type::F32, Type::U32, "rn", cast<float, uint32_t>},
    {Type::F32, Type::S64, "rn", cast<float, int64_t>},
    {Type::F64, Type::S32, "rn", cast<double, int32_t>},
    {Type::F64, Type::S64, "rn", cast<double, int64_t>},
    {Type::F64, Type::F32, "", cast<double, float>},
    {Type::F32, Type::F64, "rn", cast<float, double>},
    {Type::S32, Type::F32, "rzi", truncate<int32_t, float>},
    {Type::U32, Type::F32, "rzi", truncate<uint32_t, float>},
    {Type::S64, Type::F32, "rzi", truncate<int64_t, float>},
    {Type::S32, Type::F64, "rzi", truncate<int32_t, double>},
    {Type::S64, Type::F64, "rzi", truncate<int64_t, double>},
    {Type::F32, Type::F16, "", Lanewise<FromF16, float, uint16_t>::execute},
    {Type::F32, Type::BF16, "", Lanewise<FromBf16, float, uint16_t>::execute},
    {Type::F16, Type::F32, "rn", Lanewise<ToF16, uint16_t, float>::execute},
    {Type::BF16, Type::F32, "rn", Lanewise<ToBf16, uint16_t, float>::execute},
    {Type::F16x2, Type::F32, "rn", Lanewise<ToPair<ToF16>, uint32_t, float, float>::execute},
    {Type::BF16x2, Type::F32, "rn", Lanewise<ToPair<ToBf16>, uint32_t, float, float>::execute},
};

// Between integers in registers of their own size.
Handler selectIntegral(Type to, Type from) {
  return visitInteger(to, [&]<typename D>(Tag<D>) {
    return visitInteger(from, []<typename S>(Tag<S>) -> Handler { return cast<D, S>; });
  });
}

// Between integers of which either may lie in a register that is wider; the rest of the destination is filled with the
// sign or zeros.
template <typename D, typename S>
void executeInWideRegisters(Warp &warp, const Instruction &instruction, LaneMask mask) {
  std::byte *destination = warp.lanes<std::byte>(instruction.slots[0]);
  const std::byte *source = warp.lanes<std::byte>(instruction.slots[1]);
  const size_t destinationBytes = instruction.immediate & 255, sourceBytes = instruction.immediate >> 8;
  uint64_t values[warpSize];
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    S value;
    std::memcpy(&value, source + lane * sourceBytes, sizeof(S));
    values[lane] = static_cast<uint64_t>(
        static_cast<std::conditional_t<std::is_signed_v<D>, int64_t, uint64_t>>(static_cast<D>(value)));
  }
  forEachLane(mask, [&](uint32_t lane) {
    std::memcpy(destination + lane * destinationBytes, &values[lane], destinationBytes);
  });
  warp.setPoison(instruction.slots[0], mask, warp.poison(instruction.slots[1]));
}

Handler selectInWideRegisters(Type to, Type from) {
  return visitInteger(to, [&]<typename D>(Tag<D>) {
    return visitInteger(from, []<typename S>(Tag<S>) -> Handler { return executeInWideRegisters<D, S>; });
  });
}

Handler selectFast(const Conversion &conversion) {
  if (conversion.flushes || conversion.saturates || conversion.rectifies || conversion.isTf32)
    return nullptr;
  const bool isWide =
      conversion.destinationBytes != getBytes(conversion.to) || conversion.sourceBytes != getBytes(conversion.from);
  if (isWide && isInteger(conversion.to) && isInteger(conversion.from))
    return selectInWideRegisters(conversion.to, conversion.from);
  if (isWide)
    return nullptr;
  if (isInteger(conversion.to) && isInteger(conversion.from))
    return selectIntegral(conversion.to, conversion.from);
  for (const FastRow &row : fastRows)
    if (row.to == conversion.to && row.from == conversion.from && row.rounding == conversion.roundingName)
      return row.execute;
  return nullptr;
}

constexpr std::string_view roundingNames[] = {"rn", "rz", "rm", "rp", "rni", "rzi", "rmi", "rpi", "rna"};
constexpr Rounding roundings[] = {Rounding::NearestEven, Rounding::TowardsZero, Rounding::Down,
                                  Rounding::Up,          Rounding::NearestEven, Rounding::TowardsZero,
                                  Rounding::Down,        Rounding::Up,          Rounding::NearestAway};
constexpr int firstIntegral = 4, toTf32 = 8;

constexpr bool isConvertible(Type type) { return isInteger(type) || isFloat(type); }

// More bits of mantissa and exponent in `to` than in `from`, so that nothing is rounded.
bool isWidening(Type to, Type from) {
  return (to == Type::F64 && from != Type::F64) || (to == Type::F32 && (from == Type::F16 || from == Type::BF16));
}

Status checkRounding(const Decoder &decoder, const Conversion &conversion, int rounding) {
  const Type to = conversion.to, from = conversion.from;
  const bool isIntegral = rounding >= firstIntegral && rounding != toTf32;
  const auto refuse = [&] { return decoder.refuse("this conversion is not known"); };
  if (isHalfPair(from) || (isHalfPair(to) && from != Type::F32))
    return refuse();
  if (isInteger(to) && isInteger(from))
    return rounding < 0 && !conversion.flushes ? Status::success() : refuse();
  if (isInteger(to))
    return isIntegral && from != Type::BF16 ? Status::success() : refuse();
  if (isInteger(from))
    return rounding >= 0 && !isIntegral && to != Type::BF16 ? Status::success() : refuse();
  if (to == from)
    return isIntegral || (rounding < 0 && (conversion.saturates || conversion.flushes)) ? Status::success() : refuse();
  if (isWidening(to, from))
    return rounding < 0 ? Status::success() : refuse();
  // bf16 is made of f32 alone before sm_90.
  if (to == Type::BF16 && from != Type::F32)
    return refuse();
  return rounding >= 0 && !isIntegral ? Status::success() : refuse();
}

Status decodeConvert(Decoder &decoder) {
  Conversion conversion;
  const int rounding = decoder.acceptAny(roundingNames);
  if (rounding >= 0) {
    conversion.rounding = roundings[rounding];
    conversion.roundingName = roundingNames[rounding];
  }
  conversion.rectifies = decoder.accept("relu");
  conversion.flushes = decoder.accept("ftz");
  conversion.saturates = decoder.accept("sat");
  if (rounding == toTf32) {
    MOERT_TRY(decoder.takeModifiers({"tf32", "f32"}));
    conversion.isTf32 = true;
    conversion.to = conversion.from = Type::F32;
  } else {
    MOERT_TRY(decoder.takeType(conversion.to, isConvertible));
    MOERT_TRY(decoder.takeType(conversion.from, isConvertible));
    MOERT_TRY(checkRounding(decoder, conversion, rounding));
  }
  const Type to = conversion.to, from = conversion.from;
  if (conversion.flushes && to != Type::F32 && from != Type::F32)
    return decoder.refuse("'.ftz' without .f32");
  if (conversion.rectifies && (!isHalf(to) || from != Type::F32))
    return decoder.refuse("'.relu' is known from .f32 to a type of 16 bits only");
  if (isInteger(to))
    MOERT_TRY(decoder.takeWideDestination(to, conversion.destinationBytes));
  else
    MOERT_TRY(decoder.takeDestination(to));
  if (isInteger(from))
    MOERT_TRY(decoder.takeWideSource(from, conversion.sourceBytes));
  else
    MOERT_TRY(decoder.takeSource(from));
  conversion.destinationBytes = std::max(conversion.destinationBytes, getBytes(to));
  conversion.sourceBytes = std::max(conversion.sourceBytes, getBytes(from));
  if (isHalfPair(to))
    MOERT_TRY(decoder.takeSource(from));
  decoder.get().execute = selectFast(conversion);
  decoder.get().immediate = conversion.destinationBytes | conversion.sourceBytes << 8;
  if (!decoder.get().execute)
    setGeneralConversion(decoder.get(), conversion);
  return Status::success();
}

constexpr OpcodeRow rows[] = {{"cvt", decodeConvert}};

} // namespace

std::span<const OpcodeRow> getConvertOpcodes() { return rows; }

} // namespace moert::emu
