// Floating-point formats bit by bit: fast conversions between f32 and the 16-bit formats, rounded to nearest even, and
// any number to any format with any rounding.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

namespace moert::emu {

enum class Rounding : uint8_t { NearestEven, TowardsZero, Down, Up, NearestAway };

struct FloatFormat {
  int mantissaBits, exponentBits;
  uint64_t nan; // as conversions give it
};
constexpr FloatFormat formatF16 = {10, 5, 0x7fff}, formatBf16 = {7, 8, 0x7fff}, formatTf32 = {10, 8, 0x3ffff},
                      formatF32 = {23, 8, 0x7fffffff}, formatF64 = {52, 11, 0x7ff8000000000000};

// The bits of significand * 2^exponent. One that does not fit becomes infinite, or the largest number if the rounding
// leads away from infinity.
inline uint64_t encodeFloat(bool isNegative, uint64_t significand, int exponent, const FloatFormat &format,
                            Rounding rounding) {
  const int bias = (1 << (format.exponentBits - 1)) - 1;
  const uint64_t sign = uint64_t(isNegative) << (format.mantissaBits + format.exponentBits);
  const uint64_t infinity = ((uint64_t(1) << format.exponentBits) - 1) << format.mantissaBits;
  if (significand == 0)
    return sign;
  const int zeros = std::countl_zero(significand);
  significand <<= zeros;
  const int top = exponent - zeros + 63; // exponent of the leading bit
  const int lowest = 1 - bias;
  const int dropped = 63 - format.mantissaBits + (top < lowest ? lowest - top : 0);
  uint64_t kept = dropped > 63 ? 0 : significand >> dropped;
  const bool half = dropped <= 64 && (significand >> (dropped - 1) & 1);
  const bool rest = dropped > 64 || (dropped > 1 && significand << (65 - dropped) != 0);
  const bool isExact = !half && !rest;
  switch (rounding) {
  case Rounding::NearestEven:
    kept += half && (rest || (kept & 1));
    break;
  case Rounding::NearestAway:
    kept += half;
    break;
  case Rounding::TowardsZero:
    break;
  case Rounding::Down:
    kept += isNegative && !isExact;
    break;
  case Rounding::Up:
    kept += !isNegative && !isExact;
    break;
  }
  // A carry out of the mantissa moves to the exponent by itself.
  const uint64_t bits = top < lowest ? kept : (static_cast<uint64_t>(top + bias - 1) << format.mantissaBits) + kept;
  if (bits < infinity)
    return sign | bits;
  const bool isTowardsInfinity = rounding == Rounding::NearestEven || rounding == Rounding::NearestAway ||
                                 rounding == (isNegative ? Rounding::Down : Rounding::Up);
  return sign | (isTowardsInfinity ? infinity : infinity - 1);
}

inline uint64_t roundTo(double value, const FloatFormat &format, Rounding rounding = Rounding::NearestEven) {
  if (std::isnan(value))
    return format.nan;
  if (std::isinf(value))
    return (uint64_t(value < 0) << format.exponentBits | ((uint64_t(1) << format.exponentBits) - 1))
           << format.mantissaBits;
  int exponent;
  const double fraction = std::frexp(std::fabs(value), &exponent);
  return encodeFloat(std::signbit(value), static_cast<uint64_t>(std::ldexp(fraction, 53)), exponent - 53, format,
                     rounding);
}

inline uint16_t roundToF16(double value) { return static_cast<uint16_t>(roundTo(value, formatF16)); }
inline uint16_t roundToBf16(double value) { return static_cast<uint16_t>(roundTo(value, formatBf16)); }

// a + b where what is lost shows in the last bit, so that a later rounding to fewer bits is right.
inline double addToOdd(double a, double b) {
  const double sum = a + b;
  if (!std::isfinite(sum))
    return sum;
  const double ofB = sum - a, error = (a - (sum - ofB)) + (b - ofB);
  const auto bits = std::bit_cast<uint64_t>(sum);
  if (error == 0 || (bits & 1))
    return sum;
  return std::bit_cast<double>((error > 0) == (sum > 0) ? bits + 1 : bits - 1);
}

inline float fromBf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline uint16_t toBf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return 0x7fff; // NaN, as the instruction gives it
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float fromF16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
  if (exponent == 31)
    return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13);
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

inline uint16_t toF16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return 0x7fff;
  if (magnitude >= 0x477ff000) // rounds to 2^16 or more
    return sign | 0x7c00;
  if (magnitude < 0x38800000) { // subnormal: adding 0.5 leaves multiples of 2^-24 in the low bits, rounded
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(0.5f)));
  }
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13));
}

} // namespace moert::emu
