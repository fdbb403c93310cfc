// cvt. Semantics as documented; not validated on hardware.
#include "devices/emu/float_bits.h"
#include "devices/emu/lanewise.h"

#include <cmath>
#include <limits>

namespace moert::emu {
namespace {

// How a floating-point number becomes an integral one.
struct ToNearestEven {
  template <typename F> static F apply(F a) { return std::nearbyint(a); }
};
struct TowardsZero {
  template <typename F> static F apply(F a) { return std::trunc(a); }
};
struct Down {
  template <typename F> static F apply(F a) { return std::floor(a); }
};
struct Up {
  template <typename F> static F apply(F a) { return std::ceil(a); }
};

// Values out of range become the nearest one in range, NaN zero.
template <typename D, typename S, typename Rounding> struct FloatToInteger {
  static D apply(S a) {
    const S rounded = Rounding::template apply<S>(a);
    constexpr S limit = static_cast<S>(uint64_t(1) << (8 * sizeof(D) - 1)) * (std::is_signed_v<D> ? 1 : 2);
    if (!(rounded == rounded))
      return 0;
    if (rounded >= limit)
      return std::numeric_limits<D>::max();
    if (rounded < (std::is_signed_v<D> ? -limit : S(0)))
      return std::numeric_limits<D>::min();
    return static_cast<D>(rounded);
  }
};

template <typename D, typename S> struct Cast {
  static D apply(S a) { return static_cast<D>(a); }
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

uint32_t getRegisterBytes(const Instruction &instruction, unsigned which) {
  return static_cast<uint32_t>(which ? instruction.immediate >> 8 : instruction.immediate & 255);
}

// Between integers, of which either may lie in a register that is wider. The rest of the destination is filled with the
// sign or zeros.
template <typename D, typename S>
void executeInWideRegisters(Warp &warp, const Instruction &instruction, LaneMask mask) {
  std::byte *destination = warp.lanes<std::byte>(instruction.slots[0]);
  const std::byte *source = warp.lanes<std::byte>(instruction.slots[1]);
  const uint32_t destinationBytes = getRegisterBytes(instruction, 0), sourceBytes = getRegisterBytes(instruction, 1);
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

template <typename D, typename S> Handler selectIntegral(uint32_t destinationBytes, uint32_t sourceBytes) {
  if (destinationBytes == sizeof(D) && sourceBytes == sizeof(S))
    return Lanewise<Cast<D, S>, D, S>::execute;
  return executeInWideRegisters<D, S>;
}

Status decodeIntegral(Decoder &decoder, Type to, Type from) {
  uint32_t destinationBytes, sourceBytes;
  MOERT_TRY(decoder.takeWideDestination(to, destinationBytes));
  MOERT_TRY(decoder.takeWideSource(from, sourceBytes));
  decoder.get().immediate = destinationBytes | sourceBytes << 8;
  decoder.get().execute = visitInteger(to, [&]<typename D>(Tag<D>) {
    return visitInteger(from, [&]<typename S>(Tag<S>) { return selectIntegral<D, S>(destinationBytes, sourceBytes); });
  });
  return Status::success();
}

template <typename D, typename S> Handler selectRounded(std::string_view rounding) {
  const auto select = []<typename Rounding>(Rounding) -> Handler {
    if constexpr (std::is_same_v<D, S>)
      return Lanewise<Rounding, D, S>::execute;
    else
      return Lanewise<FloatToInteger<D, S, Rounding>, D, S>::execute;
  };
  return rounding == "rni"   ? select(ToNearestEven())
         : rounding == "rzi" ? select(TowardsZero())
         : rounding == "rmi" ? select(Down())
                             : select(Up());
}

template <typename Visitor> Handler visitFloat(Type type, Visitor visitor) {
  return type == Type::F32 ? visitor(Tag<float>()) : visitor(Tag<double>());
}

// To an integral value, of an integer or the same floating-point type.
Handler selectToIntegral(Type to, Type from, std::string_view rounding) {
  return visitFloat(from, [&]<typename S>(Tag<S>) -> Handler {
    if (to == from)
      return selectRounded<S, S>(rounding);
    return visitInteger(to, [&]<typename D>(Tag<D>) { return selectRounded<D, S>(rounding); });
  });
}

Handler selectToFloat(Type to, Type from) {
  return visitFloat(to, [&]<typename D>(Tag<D>) -> Handler {
    return visitInteger(from, []<typename S>(Tag<S>) -> Handler { return Lanewise<Cast<D, S>, D, S>::execute; });
  });
}

// Between floating-point types; `isRounded` says that the instruction names a rounding, as it must exactly if it
// rounds.
Handler selectBetweenFloats(Type to, Type from, bool isRounded) {
  if (to == Type::F64 && from == Type::F32 && !isRounded)
    return Lanewise<Cast<double, float>, double, float>::execute;
  if (to == Type::F32 && from == Type::F64 && isRounded)
    return Lanewise<Cast<float, double>, float, double>::execute;
  if (to == Type::F32 && !isRounded)
    return from == Type::F16    ? Handler(Lanewise<FromF16, float, uint16_t>::execute)
           : from == Type::BF16 ? Handler(Lanewise<FromBf16, float, uint16_t>::execute)
                                : nullptr;
  if (from == Type::F32 && isRounded)
    return to == Type::F16      ? Handler(Lanewise<ToF16, uint16_t, float>::execute)
           : to == Type::BF16   ? Handler(Lanewise<ToBf16, uint16_t, float>::execute)
           : to == Type::F16x2  ? Handler(Lanewise<ToPair<ToF16>, uint32_t, float, float>::execute)
           : to == Type::BF16x2 ? Handler(Lanewise<ToPair<ToBf16>, uint32_t, float, float>::execute)
                                : nullptr;
  return nullptr;
}

Status decodeConvert(Decoder &decoder) {
  constexpr std::string_view integralRoundings[] = {"rni", "rzi", "rmi", "rpi"};
  std::string_view integralRounding;
  for (std::string_view name : integralRoundings)
    if (integralRounding.empty() && decoder.accept(name))
      integralRounding = name;
  const bool isRounded = integralRounding.empty() && decoder.accept("rn");
  const auto isConvertible = [](Type type) { return isInteger(type) || isFloat(type); };
  Type to, from;
  MOERT_TRY(decoder.takeType(to, isConvertible));
  MOERT_TRY(decoder.takeType(from, isConvertible));
  const bool isWideFloat = from == Type::F32 || from == Type::F64;

  if (isInteger(to) && isInteger(from) && integralRounding.empty() && !isRounded)
    return decodeIntegral(decoder, to, from);
  Handler &execute = decoder.get().execute;
  if (!integralRounding.empty() && isWideFloat && (to == from || (isInteger(to) && getBytes(to) > 1)))
    execute = selectToIntegral(to, from, integralRounding);
  else if (isRounded && (to == Type::F32 || to == Type::F64) && isInteger(from) && getBytes(from) > 1)
    execute = selectToFloat(to, from);
  else if (isFloat(to) && isFloat(from) && integralRounding.empty())
    execute = selectBetweenFloats(to, from, isRounded);
  if (!execute)
    return decoder.refuse("this conversion is not known");
  MOERT_TRY(decoder.takeDestination(to));
  MOERT_TRY(decoder.takeSource(from));
  return to == Type::F16x2 || to == Type::BF16x2 ? decoder.takeSource(from) : Status::success();
}

constexpr OpcodeRow rows[] = {{"cvt", decodeConvert}};

} // namespace

std::span<const OpcodeRow> getConvertOpcodes() { return rows; }

} // namespace moert::emu
