// Arithmetic, logic and comparison against scalar statements of what each instruction means.
#include "lanewise_test.h"

#include <cmath>

namespace moert::emu {
namespace {

using ArithmeticTest = LanewiseTest;

using U16 = uint16_t;
using U32 = uint32_t;
using U64 = uint64_t;
using S16 = int16_t;
using S32 = int32_t;
using S64 = int64_t;

TEST_F(ArithmeticTest, IntegersWrap) {
  check<U32, U32, U32>("add.s32", [](U32 a, U32 b) { return a + b; });
  check<U64, U64, U64>("add.s64", [](U64 a, U64 b) { return a + b; });
  check<U16, U16, U16>("add.s16", [](U16 a, U16 b) -> U16 { return U16(U32(a) + b); });
  check<U32, U32, U32>("sub.s32", [](U32 a, U32 b) { return a - b; });
  check<U64, U64, U64>("sub.u64", [](U64 a, U64 b) { return a - b; });
  check<U32, U32>("neg.s32", [](U32 a) { return 0 - a; });
  check<U32, U32>("abs.s32", [](U32 a) { return S32(a) < 0 ? 0 - a : a; });
  check<U32, U32, U32>("mul.lo.s32", [](U32 a, U32 b) { return a * b; });
  check<U64, U64, U64>("mul.lo.u64", [](U64 a, U64 b) { return a * b; });
}

TEST_F(ArithmeticTest, PartsOfProducts) {
  check<U32, U32, U32>("mul.hi.u32", [](U32 a, U32 b) { return U32(U64(a) * b >> 32); });
  check<S32, S32, S32>("mul.hi.s32", [](S32 a, S32 b) { return S32(S64(a) * b >> 32); });
  check<U64, U64, U64>("mul.hi.u64", [](U64 a, U64 b) {
    const U64 low = (a & 0xffffffff) * (b & 0xffffffff), left = (a >> 32) * (b & 0xffffffff);
    const U64 right = (a & 0xffffffff) * (b >> 32) + (low >> 32) + (left & 0xffffffff);
    return (a >> 32) * (b >> 32) + (left >> 32) + (right >> 32);
  });
  check<S64, S32, S32>("mul.wide.s32", [](S32 a, S32 b) { return S64(a) * b; });
  check<U64, U32, U32>("mul.wide.u32", [](U32 a, U32 b) { return U64(a) * b; });
  check<U32, U16, U16>("mul.wide.u16", [](U16 a, U16 b) { return U32(a) * b; });
  check<U32, U32, U32, U32>("mad.lo.s32", [](U32 a, U32 b, U32 c) { return a * b + c; });
  check<S64, S32, S32, S64>("mad.wide.s32", [](S32 a, S32 b, S64 c) { return S64(U64(S64(a) * b) + U64(c)); });
}

TEST_F(ArithmeticTest, Division) {
  check<U32, U32, U32>("div.u32", [](U32 a, U32 b) { return a / b; }, [](U32, U32 b) { return b != 0; });
  check<U64, U64, U64>("rem.u64", [](U64 a, U64 b) { return a % b; }, [](U64, U64 b) { return b != 0; });
  check<S32, S32, S32>("div.s32", [](S32 a, S32 b) { return S32(S64(a) / b); }, [](S32, S32 b) { return b != 0; });
  check<S32, S32, S32>("rem.s32", [](S32 a, S32 b) { return S32(S64(a) % b); }, [](S32, S32 b) { return b != 0; });
}

TEST_F(ArithmeticTest, SmallerAndLarger) {
  check<S32, S32, S32>("min.s32", [](S32 a, S32 b) { return b < a ? b : a; });
  check<U32, U32, U32>("max.u32", [](U32 a, U32 b) { return a < b ? b : a; });
  check<S64, S64, S64>("max.s64", [](S64 a, S64 b) { return a < b ? b : a; });
  check<float, float, float>("min.f32", [](float a, float b) {
    if (std::isnan(a) || std::isnan(b))
      return std::isnan(a) ? b : a;
    if (a == 0 && b == 0)
      return std::signbit(a) || std::signbit(b) ? -0.0f : 0.0f;
    return std::fmin(a, b);
  });
  check<float, float, float>("max.f32", [](float a, float b) {
    if (std::isnan(a) || std::isnan(b))
      return std::isnan(a) ? b : a;
    if (a == 0 && b == 0)
      return std::signbit(a) && std::signbit(b) ? -0.0f : 0.0f;
    return std::fmax(a, b);
  });
}

TEST_F(ArithmeticTest, FloatsRoundOnce) {
  check<float, float, float>("add.rn.f32", [](float a, float b) { return float(double(a) + double(b)); });
  check<float, float, float>("mul.f32", [](float a, float b) { return float(double(a) * double(b)); });
  check<float, float, float>("div.rn.f32", [](float a, float b) { return a / b; });
  check<float, float>("neg.f32", [](float a) { return std::copysign(a, std::signbit(a) ? 1.0f : -1.0f); });
  check<float, float>("abs.f32", [](float a) { return std::copysign(a, 1.0f); });
  check<float, float, float, float>("fma.rn.f32", [](float a, float b, float c) { return std::fma(a, b, c); });
  check<double, double, double, double>("fma.rn.f64", [](double a, double b, double c) { return std::fma(a, b, c); });
  check<double, double, double>("sub.rn.f64", [](double a, double b) { return a - b; });
}

TEST_F(ArithmeticTest, Bits) {
  check<U32, U32, U32>("and.b32", [](U32 a, U32 b) { return a & b; });
  check<U64, U64, U64>("or.b64", [](U64 a, U64 b) { return a | b; });
  check<U16, U16, U16>("xor.b16", [](U16 a, U16 b) -> U16 { return a ^ b; });
  check<U32, U32>("not.b32", [](U32 a) { return ~a; });
  check<U32, U32, U32>("shl.b32", [](U32 a, U32 b) { return b > 31 ? 0 : a << b; });
  check<U64, U64, U32>("shl.b64", [](U64 a, U32 b) { return b > 63 ? 0 : a << b; });
  check<U32, U32, U32>("shr.u32", [](U32 a, U32 b) { return b > 31 ? 0 : a >> b; });
  check<S32, S32, U32>("shr.s32", [](S32 a, U32 b) { return a >> (b > 31 ? 31 : b); });
  check<S64, S64, U32>("shr.s64", [](S64 a, U32 b) { return a >> (b > 63 ? 63 : b); });
}

// As the documentation states it, bit by bit.
template <typename T> T extractField(T a, U32 position, U32 length) {
  const U32 top = 8 * sizeof(T) - 1, first = position & 255, count = length & 255;
  const auto bitOf = [&](U32 i) { return U64(a) >> i & 1; };
  const U64 sign = std::is_unsigned_v<T> || count == 0 ? 0 : bitOf(std::min(first + count - 1, top));
  U64 result = 0;
  for (U32 i = 0; i <= top; ++i)
    result |= (i < count && first + i <= top ? bitOf(first + i) : sign) << i;
  return static_cast<T>(result);
}

TEST_F(ArithmeticTest, BitFields) {
  check<U32, U32, U32, U32>("bfe.u32", extractField<U32>);
  check<S32, S32, U32, U32>("bfe.s32", extractField<S32>);
  check<U64, U64, U32, U32>("bfe.u64", extractField<U64>);
  check<S64, S64, U32, U32>("bfe.s64", extractField<S64>);
}

std::string compare(const std::string &comparison) {
  return "setp." + comparison + " %p1, $1, $2; selp.b32 $0, 1, 0, %p1";
}

TEST_F(ArithmeticTest, Comparisons) {
  check<U32, U32, U32>(compare("lt.u32"), [](U32 a, U32 b) -> U32 { return a < b; });
  check<U32, S32, S32>(compare("lt.s32"), [](S32 a, S32 b) -> U32 { return a < b; });
  check<U32, S64, S64>(compare("ge.s64"), [](S64 a, S64 b) -> U32 { return a >= b; });
  check<U32, U16, U16>(compare("eq.b16"), [](U16 a, U16 b) -> U32 { return a == b; });
  check<U32, U32, U32>(compare("ne.b32"), [](U32 a, U32 b) -> U32 { return a != b; });
  check<U32, float, float>(compare("gt.f32"), [](float a, float b) -> U32 { return a > b; });
  check<U32, float, float>(compare("ne.f32"), [](float a, float b) -> U32 { return a < b || b < a; });
  check<U32, float, float>(compare("neu.f32"), [](float a, float b) -> U32 { return a != b; });
  check<U32, float, float>(compare("ltu.f32"), [](float a, float b) -> U32 { return !(a >= b); });
  check<U32, double, double>(compare("equ.f64"), [](double a, double b) -> U32 { return !(a < b || b < a); });
  check<U32, float, float>(compare("num.f32"),
                           [](float a, float b) -> U32 { return !std::isnan(a) && !std::isnan(b); });
  check<U32, float, float>(compare("nan.f32"), [](float a, float b) -> U32 { return std::isnan(a) || std::isnan(b); });
}

TEST_F(ArithmeticTest, PredicatesAreOneBitALane) {
  const std::string both = "setp.lt.u32 %p1, $1, $2; setp.lt.u32 %p2, $1, 100; ";
  check<U32, U32, U32>(both + "and.pred %p3, %p1, %p2; selp.b32 $0, 1, 0, %p3",
                       [](U32 a, U32 b) -> U32 { return a < b && a < 100; });
  check<U32, U32, U32>(both + "xor.pred %p3, %p1, %p2; not.pred %p4, %p3; selp.b32 $0, 1, 0, %p4",
                       [](U32 a, U32 b) -> U32 { return (a < b) == (a < 100); });
}

} // namespace
} // namespace moert::emu
