//===- FloatRows.cpp - conversion between float formats -------------------===//

#include "FloatRows.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/bit.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace moec;

static float extendBfloat(uint16_t bits) { return llvm::bit_cast<float>(uint32_t(bits) << 16); }

static uint16_t truncateToBfloat(float value) {
  auto bits = llvm::bit_cast<uint32_t>(value);
  if (std::isnan(value))
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float extendHalf(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16, exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
  if (exponent == 0) {
    float magnitude = std::ldexp(float(fraction), -24);
    return sign ? -magnitude : magnitude;
  }
  uint32_t wideExponent = exponent == 0x1f ? 0xff : exponent + 112;
  return llvm::bit_cast<float>(sign | wideExponent << 23 | fraction << 13);
}

static uint16_t truncateToHalf(float value) {
  auto bits = llvm::bit_cast<uint32_t>(value);
  uint16_t sign = bits >> 16 & 0x8000;
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return sign | 0x7e00;
  if (magnitude >= 0x477ff000) // rounds to 2^16 or more
    return sign | 0x7c00;
  if (magnitude < 0x38800000) // below 2^-14: the result counts units of 2^-24
    return sign | static_cast<uint16_t>(std::nearbyint(std::ldexp(std::fabs(value), 24)));
  uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return sign | static_cast<uint16_t>((rounded - (112u << 23)) >> 13);
}

template <typename Source, typename Destination, typename Convert>
static void convertRow(const char *source, char *destination, int64_t count, Convert convert) {
  auto *from = reinterpret_cast<const Source *>(source);
  auto *to = reinterpret_cast<Destination *>(destination);
  for (int64_t i = 0; i < count; ++i)
    to[i] = convert(from[i]);
}

/// Any pair of formats, one element at a time.
static void convertByFormat(const char *source, FloatType sourceType, char *destination, FloatType destinationType,
                            int64_t count) {
  unsigned from = sourceType.getWidth() / 8, to = destinationType.getWidth() / 8;
  for (int64_t i = 0; i < count; ++i) {
    uint64_t bits = 0;
    std::memcpy(&bits, source + i * from, from);
    llvm::APFloat number(sourceType.getFloatSemantics(), llvm::APInt(sourceType.getWidth(), bits));
    bool lossy;
    number.convert(destinationType.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &lossy);
    bits = number.bitcastToAPInt().getZExtValue();
    std::memcpy(destination + i * to, &bits, to);
  }
}

void moec::convertFloats(const char *source, FloatType sourceType, char *destination, FloatType destinationType,
                         int64_t count) {
  if (sourceType == destinationType)
    std::memcpy(destination, source, count * (sourceType.getWidth() / 8));
  else if (sourceType.isF16() && destinationType.isF32())
    convertRow<uint16_t, float>(source, destination, count, extendHalf);
  else if (sourceType.isBF16() && destinationType.isF32())
    convertRow<uint16_t, float>(source, destination, count, extendBfloat);
  else if (sourceType.isF32() && destinationType.isF16())
    convertRow<float, uint16_t>(source, destination, count, truncateToHalf);
  else if (sourceType.isF32() && destinationType.isBF16())
    convertRow<float, uint16_t>(source, destination, count, truncateToBfloat);
  else
    convertByFormat(source, sourceType, destination, destinationType, count);
}
