// cvt against scalar statements, and every value of the 16-bit formats.
#include "devices/emu/float_bits.h"
#include "lanewise_test.h"

#include <cmath>

namespace moert::emu {
namespace {

using ConvertTest = LanewiseTest;

TEST_F(ConvertTest, Integers) {
  check<uint64_t, uint32_t>("cvt.u64.u32", [](uint32_t a) -> uint64_t { return a; });
  check<int64_t, int32_t>("cvt.s64.s32", [](int32_t a) -> int64_t { return a; });
  check<uint32_t, uint64_t>("cvt.u32.u64", [](uint64_t a) { return uint32_t(a); });
  check<uint32_t, uint16_t>("cvt.u32.u16", [](uint16_t a) -> uint32_t { return a; });
  check<int32_t, uint16_t>("cvt.s32.s16", [](uint16_t a) -> int32_t { return int16_t(a); });
}

TEST_F(ConvertTest, RegistersMayBeWider) {
  check<uint32_t, uint32_t>("cvt.u32.u8", [](uint32_t a) { return a & 255; });
  check<int32_t, uint32_t>("cvt.s32.s8", [](uint32_t a) -> int32_t { return int8_t(a); });
  check<uint32_t, uint32_t>("cvt.u16.u32", [](uint32_t a) { return a & 0xffff; });
  check<int64_t, uint32_t>("cvt.s64.s16", [](uint32_t a) -> int64_t { return int16_t(a); });
}

TEST_F(ConvertTest, IntegersAndFloats) {
  check<float, int32_t>("cvt.rn.f32.s32", [](int32_t a) { return float(a); });
  check<float, uint32_t>("cvt.rn.f32.u32", [](uint32_t a) { return float(a); });
  check<double, int64_t>("cvt.rn.f64.s64", [](int64_t a) { return double(a); });
  check<int32_t, float>("cvt.rzi.s32.f32", [](float a) -> int32_t {
    if (std::isnan(a))
      return 0;
    return int32_t(std::min(std::max(std::trunc(double(a)), -2147483648.0), 2147483647.0));
  });
  check<uint32_t, float>("cvt.rni.u32.f32", [](float a) -> uint32_t {
    if (std::isnan(a))
      return 0;
    return uint32_t(std::min(std::max(std::nearbyint(double(a)), 0.0), 4294967295.0));
  });
  check<float, float>("cvt.rmi.f32.f32", [](float a) { return std::floor(a); });
  check<double, float>("cvt.f64.f32", [](float a) { return double(a); });
  check<float, double>("cvt.rn.f32.f64", [](double a) { return float(a); });
}

// Rounds by looking at both neighbours, which exist for every finite value in range.
template <typename From> uint16_t nearest(float value, From from, uint16_t infinity) {
  const double target = std::fabs(double(value));
  uint16_t below = 0;
  for (uint16_t bit = 0x4000; bit; bit >>= 1)
    if ((below | bit) < infinity && double(from(below | bit)) <= target)
      below |= bit;
  const double step = double(from(below)) - double(from(below - 1));
  const double above = below + 1 == infinity ? double(from(below)) + step : double(from(below + 1));
  const double down = target - double(from(below)), up = above - target;
  const bool roundsUp = up < down || (up == down && below & 1);
  return static_cast<uint16_t>((std::signbit(value) ? 0x8000 : 0) | (below + roundsUp));
}

TEST_F(ConvertTest, SixteenBitFormatsAreExactAndRoundToEven) {
  std::mt19937 random(7);
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const uint32_t mantissa = half & 0x3ff, exponent = half >> 10 & 31;
    if (exponent < 31) {
      const double magnitude = exponent ? std::ldexp(1024 + mantissa, int(exponent) - 25) : std::ldexp(mantissa, -24);
      ASSERT_EQ(std::fabs(double(fromF16(half))), magnitude);
      ASSERT_EQ(toF16(fromF16(half)), half);
    }
    if ((half & 0x7f80) != 0x7f80)
      ASSERT_EQ(toBf16(fromBf16(half)), half);
  }
  for (int i = 0; i < 100000; ++i) {
    const float value = std::ldexp(float(int32_t(random())), int(random() % 60) - 60);
    if (std::fabs(value) < 65504 && std::fabs(value) > 1e-7f)
      ASSERT_EQ(toF16(value), nearest(value, fromF16, 0x7c00)) << value;
    ASSERT_EQ(toBf16(value), nearest(value, fromBf16, 0x7f80)) << value;
  }
  EXPECT_EQ(toF16(65519.99f), 0x7bff);
  EXPECT_EQ(toF16(65520.0f), 0x7c00);
  EXPECT_EQ(toBf16(std::numeric_limits<float>::max()), 0x7f80);
}

TEST_F(ConvertTest, Pairs) {
  check<uint32_t, float, float>("cvt.rn.bf16x2.f32",
                                [](float a, float b) { return uint32_t(toBf16(a)) << 16 | toBf16(b); });
  check<uint16_t, float>("cvt.rn.f16.f32", [](float a) { return toF16(a); });
  check<float, uint16_t>("cvt.f32.f16", [](uint16_t a) { return fromF16(a); });
}

TEST_F(ConvertTest, MovesPackAndUnpack) {
  check<uint64_t, uint32_t, uint32_t>("mov.b64 $0, {$1, $2}",
                                      [](uint32_t a, uint32_t b) { return uint64_t(b) << 32 | a; });
  check<uint32_t, uint64_t>("mov.b64 {%r20, $0}, $1", [](uint64_t a) { return uint32_t(a >> 32); });
  check<uint32_t, uint16_t, uint16_t>("mov.b32 $0, {$1, $2}",
                                      [](uint16_t a, uint16_t b) { return uint32_t(b) << 16 | a; });
}

} // namespace
} // namespace moert::emu
