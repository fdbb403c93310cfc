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

// A value and what lies next to it below and above among the floats, of which a directed rounding takes one.
template <typename To> To roundDirected(long double value, int direction) {
  const To nearest = static_cast<To>(value);
  const To infinity = std::numeric_limits<To>::infinity();
  const long double error = value - static_cast<long double>(nearest);
  if (std::isnan(nearest) || error == 0 || std::isinf(value))
    return nearest;
  const bool isUp = direction > 0 || (direction == 0 && value < 0);
  return isUp == (error > 0) ? std::nextafter(nearest, isUp ? infinity : -infinity) : nearest;
}

TEST_F(ConvertTest, DirectedRoundings) {
  check<float, double>("cvt.rz.f32.f64", [](double a) { return roundDirected<float>(a, 0); });
  check<float, double>("cvt.rm.f32.f64", [](double a) { return roundDirected<float>(a, -1); });
  check<float, double>("cvt.rp.f32.f64", [](double a) { return roundDirected<float>(a, 1); });
  check<float, int32_t>("cvt.rz.f32.s32", [](int32_t a) { return roundDirected<float>(a, 0); });
  check<float, uint64_t>("cvt.rp.f32.u64", [](uint64_t a) { return roundDirected<float>(a, 1); });
  check<double, int64_t>("cvt.rm.f64.s64", [](int64_t a) { return roundDirected<double>(a, -1); });
  check<double, uint64_t>("cvt.rn.f64.u64", [](uint64_t a) { return static_cast<double>(a); });
}

TEST_F(ConvertTest, HalvesFromEverything) {
  check<uint16_t, float>("cvt.rz.f16.f32", [](float a) -> uint16_t {
    if (std::isnan(a))
      return 0x7fff;
    const uint16_t nearest = toF16(std::fabs(a)); // one too far, or right
    const uint16_t magnitude = !std::isinf(a) && fromF16(nearest) > std::fabs(a) ? nearest - 1 : nearest;
    return magnitude | (std::signbit(a) ? 0x8000 : 0);
  });
  check<uint16_t, float>("cvt.rz.bf16.f32", [](float a) -> uint16_t {
    return std::isnan(a) ? 0x7fff : static_cast<uint16_t>(std::bit_cast<uint32_t>(a) >> 16);
  });
  check<uint16_t, float>("cvt.rn.relu.f16.f32", [](float a) -> uint16_t {
    return std::isnan(a) ? 0x7fff : a <= 0 ? 0 : toF16(a);
  });
  check<uint16_t, int32_t>("cvt.rn.f16.s32", [](int32_t a) { return toF16(float(std::clamp(a, -70000, 70000))); });
  // Far from each other f32 and f64 round alike; a tie of f32 that f64 decides shows the single rounding.
  check<uint16_t, double>("cvt.rn.f16.f64", [](double a) { return toF16(static_cast<float>(a)); });
  const uint64_t output = allocate<uint16_t>(1);
  const std::string body = "cvt.rn.f16.f64 %h1, 0d3FF0020000000001; st.global.b16 [%in0], %h1;";
  ASSERT_TRUE(launch(makeKernel(body, 1), {output}, {{}, {1}, 0}).ok());
  EXPECT_EQ(download<uint16_t>(output, 1)[0], 0x3c01);
  check<uint32_t, float, float>("cvt.rz.relu.bf16x2.f32", [](float a, float b) {
    const auto convert = [](float x) -> uint32_t {
      return std::isnan(x) ? 0x7fff : x <= 0 ? 0 : std::bit_cast<uint32_t>(x) >> 16;
    };
    return convert(a) << 16 | convert(b);
  });
}

TEST_F(ConvertTest, Tf32) {
  check<uint32_t, float>("cvt.rna.tf32.f32", [](float a) -> uint32_t {
    const auto bits = std::bit_cast<uint32_t>(a);
    if (std::isnan(a))
      return 0x7fffe000;
    return std::isinf(a) ? bits : (bits & 0x80000000) | (((bits & 0x7fffffff) + 0x1000) & 0xffffe000);
  });
}

int64_t toRange(long double value, long double low, long double high) {
  return static_cast<int64_t>(std::min(std::max(value, low), high));
}

TEST_F(ConvertTest, Saturation) {
  check<uint32_t, int32_t>("cvt.sat.u8.s32", [](int32_t a) { return uint32_t(toRange(a, 0, 255)); });
  check<int32_t, uint64_t>("cvt.sat.s16.u64", [](uint64_t a) { return int32_t(toRange(a, -32768, 32767)); });
  check<int32_t, int64_t>("cvt.sat.s32.s64", [](int64_t a) { return int32_t(toRange(a, -2147483648.0L, 2147483647)); });
  check<float, float>("cvt.sat.f32.f32", [](float a) { return std::isnan(a) || a <= 0 ? 0.0f : std::min(a, 1.0f); });
  check<uint16_t, float>("cvt.rn.sat.f16.f32",
                         [](float a) -> uint16_t { return std::isnan(a) || a <= 0 ? 0 : toF16(std::min(a, 1.0f)); });
  check<float, float>("cvt.ftz.f32.f32",
                      [](float a) { return std::fpclassify(a) == FP_SUBNORMAL ? std::copysign(0.0f, a) : a; });
}

TEST_F(ConvertTest, IntegersOfEverySize) {
  check<int32_t, float>("cvt.rni.s8.f32", [](float a) {
    return std::isnan(a) ? 0 : int32_t(toRange(std::nearbyint(static_cast<long double>(a)), -128, 127));
  });
  check<uint16_t, float>("cvt.rpi.u16.f32", [](float a) {
    return std::isnan(a) ? uint16_t(0) : uint16_t(toRange(std::ceil(static_cast<long double>(a)), 0, 65535));
  });
  check<int32_t, uint16_t>("cvt.rmi.s32.f16", [](uint16_t a) {
    const float value = fromF16(a);
    return std::isnan(value) ? 0 : int32_t(toRange(std::floor(value), -2147483648.0L, 2147483647));
  });
  check<uint16_t, uint16_t>("cvt.rzi.f16.f16", [](uint16_t a) {
    const float value = fromF16(a);
    return std::isnan(value) ? uint16_t(0x7fff) : toF16(std::trunc(value));
  });
  // NaN is zero unless 64 bits are involved.
  check<uint64_t, float>("cvt.rzi.s64.f32", [](float a) {
    return std::isnan(a) ? uint64_t(1) << 63 : uint64_t(toRange(std::trunc(a), -0x1p63L, 0x1p63L - 1));
  });
  check<uint32_t, double>("cvt.rzi.u32.f64", [](double a) {
    return std::isnan(a) ? 0x80000000 : uint32_t(toRange(std::trunc(a), 0, 4294967295.0L));
  });
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
