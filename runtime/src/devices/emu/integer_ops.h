// Integer arithmetic that wraps, shared by the instructions with and without a carry.
#pragma once
#include "devices/emu/lanewise.h"

namespace moert::emu {

// Integers wrap: compute in an unsigned type that the language does not promote to a signed one.
template <typename T> using Wrap = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <typename T> struct Add {
  static T apply(T a, T b) { return static_cast<T>(static_cast<Wrap<T>>(a) + static_cast<Wrap<T>>(b)); }
};
template <typename T> struct Subtract {
  static T apply(T a, T b) { return static_cast<T>(static_cast<Wrap<T>>(a) - static_cast<Wrap<T>>(b)); }
};
template <typename T> struct MultiplyLow {
  static T apply(T a, T b) { return static_cast<T>(static_cast<Wrap<T>>(a) * static_cast<Wrap<T>>(b)); }
};

template <typename T>
using Twice =
    std::conditional_t<sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>,
                       std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>,
                                          std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>>>;

template <typename T> Twice<T> multiplyFully(T a, T b) { return static_cast<Twice<T>>(a) * static_cast<Twice<T>>(b); }

template <typename T> struct MultiplyHigh {
  static T apply(T a, T b) { return static_cast<T>(multiplyFully(a, b) >> (8 * sizeof(T))); }
};

// mad and madc with a carry, behind `.lo` or `.hi`.
Status decodeMultiplyAddCarry(Decoder &decoder, bool isHigh, bool usesCarry);

} // namespace moert::emu
