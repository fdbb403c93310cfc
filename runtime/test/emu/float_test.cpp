// Floating-point instructions with their roundings and modifiers, and f16 and bf16 arithmetic.
#include "devices/emu/float_bits.h"
#include "lanewise_test.h"

#include <cfenv>
#include <cmath>

namespace moert::emu {
namespace {

using FloatTest = LanewiseTest;

// The neighbour of the nearest float that a directed rounding gives; `exact` is the sign of the error of `nearest`.
float roundDirected(float nearest, double residual, int direction) {
  const float infinity = std::numeric_limits<float>::infinity();
  if (!std::isfinite(nearest) || residual == 0)
    return nearest;
  if (direction == 0)
    return (nearest > 0) == (residual < 0) ? std::nextafter(nearest, 0.0f) : nearest;
  if (direction < 0)
    return residual < 0 ? std::nextafter(nearest, -infinity) : nearest;
  return residual > 0 ? std::nextafter(nearest, infinity) : nearest;
}

// Sums of floats whose f64 sum is exact; others are replaced by 1.
bool isExact(float a, float b) {
  const double sum = double(a) + double(b);
  return std::isfinite(sum) && std::fabs(sum) < 1e38 && sum - double(a) == double(b) && sum - double(b) == double(a) &&
         sum != 0;
}

template <int Direction> float addDirected(float a, float b) {
  const double sum = double(a) + double(b);
  return roundDirected(float(sum), sum - double(float(sum)), Direction);
}
template <int Direction> float multiplyDirected(float a, float b) {
  const double product = double(a) * double(b);
  return roundDirected(float(product), product - double(float(product)), Direction);
}
bool isTameProduct(float a, float b) {
  const double product = std::fabs(double(a) * double(b));
  return product > 1e-30 && product < 1e38;
}

TEST_F(FloatTest, DirectedRoundings) {
  check<float, float, float>("add.rz.f32", addDirected<0>, isExact);
  check<float, float, float>("add.rm.f32", addDirected<-1>, isExact);
  check<float, float, float>("add.rp.f32", addDirected<1>, isExact);
  check<float, float, float>("mul.rz.f32", multiplyDirected<0>, isTameProduct);
  check<float, float, float>("mul.rm.f32", multiplyDirected<-1>, isTameProduct);
  check<float, float, float>("mul.rp.f32", multiplyDirected<1>, isTameProduct);
  check<double, double, double>(
      "div.rp.f64",
      [](double a, double b) {
        const double quotient = a / b, residual = std::fma(-quotient, b, a) / b;
        return std::isfinite(quotient) && residual > 0 ? std::nextafter(quotient, INFINITY) : quotient;
      },
      [](double a, double b) { return std::isnormal(a) && std::isnormal(b) && std::isnormal(a / b); });
  check<double, double>(
      "sqrt.rm.f64",
      [](double a) {
        const double root = std::sqrt(a);
        return root > 0 && std::isfinite(root) && std::fma(-root, root, a) < 0 ? std::nextafter(root, 0.0) : root;
      },
      [](double a) { return !(a > 0 && a < 1e-200); });
  check<float, float>("rcp.rn.f32", [](float a) { return 1 / a; });
  check<float, float>("sqrt.rn.f32", [](float a) { return std::sqrt(a); });
}

bool isSubnormal(float a) { return std::fpclassify(a) == FP_SUBNORMAL; }
float withoutSubnormals(float a) { return isSubnormal(a) ? std::copysign(0.0f, a) : a; }

TEST_F(FloatTest, FlushAndSaturate) {
  check<float, float, float>(
      "add.ftz.f32", [](float a, float b) { return withoutSubnormals(withoutSubnormals(a) + withoutSubnormals(b)); });
  check<float, float, float>("mul.rn.sat.f32", [](float a, float b) {
    const float product = a * b;
    return std::isnan(product) || product <= 0 ? 0.0f : std::min(product, 1.0f);
  });
  check<float, float, float, float>("fma.rn.ftz.sat.f32", [](float a, float b, float c) {
    const float sum = std::fma(withoutSubnormals(a), withoutSubnormals(b), withoutSubnormals(c));
    return std::isnan(sum) || withoutSubnormals(sum) <= 0 ? 0.0f : std::min(sum, 1.0f);
  });
  check<uint32_t, float, float>(
      "setp.lt.ftz.f32 %p1, $1, $2; selp.b32 $0, 1, 0, %p1",
      [](float a, float b) -> uint32_t { return withoutSubnormals(a) < withoutSubnormals(b); });
  check<uint32_t, float>(
      "neg.ftz.f32 $0, $1",
      [](float a) {
        return std::bit_cast<uint32_t>(withoutSubnormals(a)) ^
               (std::isnan(a) ? std::bit_cast<uint32_t>(a) : 0x80000000);
      },
      [](float a) { return !std::isnan(a); });
}

TEST_F(FloatTest, ChoicesAndSigns) {
  check<float, float, float>("min.NaN.f32", [](float a, float b) {
    return std::isnan(a) || std::isnan(b) ? NAN : a == b ? (std::signbit(a) ? a : b) : std::min(a, b);
  });
  check<float, float, float>("max.ftz.f32", [](float a, float b) {
    a = withoutSubnormals(a), b = withoutSubnormals(b);
    return std::isnan(a) ? b : std::isnan(b) ? a : a == b ? (std::signbit(a) ? b : a) : std::max(a, b);
  });
  check<double, double, double>("max.f64", [](double a, double b) {
    return std::isnan(a) ? b : std::isnan(b) ? a : a == b ? (std::signbit(a) ? b : a) : std::max(a, b);
  });
  check<double, double, double>("copysign.f64", [](double a, double b) {
    return std::bit_cast<double>((std::bit_cast<uint64_t>(a) & 1ull << 63) | (std::bit_cast<uint64_t>(b) & ~0ull >> 1));
  });
}

TEST_F(FloatTest, Classes) {
  const auto test = [](const std::string &name) { return "testp." + name + " %p1, $1; selp.b32 $0, 1, 0, %p1"; };
  const auto exponentOf = [](float a) { return std::bit_cast<uint32_t>(a) >> 23 & 255; };
  static const auto mantissaOf = [](float a) { return std::bit_cast<uint32_t>(a) & 0x7fffff; };
  static const auto exponent = exponentOf;
  check<uint32_t, float>(test("finite.f32"), [](float a) -> uint32_t { return exponent(a) != 255; });
  check<uint32_t, float>(test("infinite.f32"),
                         [](float a) -> uint32_t { return exponent(a) == 255 && !mantissaOf(a); });
  check<uint32_t, float>(test("notanumber.f32"),
                         [](float a) -> uint32_t { return exponent(a) == 255 && mantissaOf(a); });
  check<uint32_t, float>(test("number.f32"), [](float a) -> uint32_t { return exponent(a) != 255 || !mantissaOf(a); });
  check<uint32_t, float>(test("normal.f32"), [](float a) -> uint32_t { return exponent(a) != 255 && exponent(a); });
  check<uint32_t, float>(test("subnormal.f32"), [](float a) -> uint32_t { return !exponent(a) && mantissaOf(a); });
}

// Within the bound that the documentation gives for each.
template <typename T> void expectClose(T actual, T expected, T relative, T absolute) {
  if (std::isnan(expected) || std::isinf(expected) || expected == 0)
    EXPECT_TRUE(isSame(actual, expected)) << actual << ", expected " << expected;
  else
    EXPECT_LE(std::fabs(actual - expected), std::max(relative * std::fabs(expected), absolute)) << expected;
}

TEST_F(FloatTest, Approximations) {
  struct Row {
    std::string mnemonic;
    long double (*function)(long double);
    float relative, absolute;
  };
  const Row rows[] = {
      {"ex2.approx.f32", [](long double a) { return std::exp2(a); }, 0x1p-22f, 0x1p-149f},
      {"lg2.approx.f32", [](long double a) { return std::log2(a); }, 0x1p-22f, 0x1p-22f},
      {"rcp.approx.f32", [](long double a) { return 1 / a; }, 0x1p-22f, 0x1p-149f},
      {"rsqrt.approx.f32", [](long double a) { return 1 / std::sqrt(a); }, 0x1p-22f, 0},
      {"sqrt.approx.f32", [](long double a) { return std::sqrt(a); }, 0x1p-22f, 0},
      {"tanh.approx.f32", [](long double a) { return std::tanh(a); }, 0x1p-11f, 0},
      {"sin.approx.f32", [](long double a) { return std::sin(a); }, 0x1p-20f, 0x1p-20f},
      {"cos.approx.f32", [](long double a) { return std::cos(a); }, 0x1p-20f, 0x1p-20f},
  };
  const std::vector<float> values = makeValues<float>(11);
  for (const Row &row : rows) {
    const uint64_t input = upload(values), output = allocate<float>(32);
    const Status status = launch(makeKernel("mad.wide.u32 %d1, %r0, 4, %in0; mad.wide.u32 %d2, %r0, 4, %in1;\n"
                                            "ld.global.b32 %r1, [%d1]; " +
                                                row.mnemonic + " %r2, %r1; st.global.b32 [%d2], %r2;",
                                            2),
                                 {input, output});
    ASSERT_TRUE(status.ok()) << status.getMessage();
    const auto results = download<float>(output, 32);
    for (uint32_t lane = 0; lane < 32; ++lane) {
      SCOPED_TRACE(row.mnemonic + " of " + std::to_string(values[lane]));
      expectClose(results[lane], static_cast<float>(row.function(values[lane])), row.relative, row.absolute);
    }
  }
  check<float, float, float>("div.full.f32", [](float a, float b) { return a / b; });
  check<float, float, float>("div.approx.f32", [](float a, float b) { return a / b; });
}

// The formats as the standard describes them, value by value.
struct Format {
  int mantissaBits, exponentBits;
  double valueOf(uint16_t bits) const {
    const int bias = (1 << (exponentBits - 1)) - 1, exponent = bits >> mantissaBits & ((1 << exponentBits) - 1);
    const double mantissa = bits & ((1 << mantissaBits) - 1), sign = bits & 0x8000 ? -1 : 1;
    if (exponent == (1 << exponentBits) - 1)
      return mantissa != 0 ? NAN : sign * INFINITY;
    const double one = std::ldexp(1.0, mantissaBits);
    return sign * (exponent ? std::ldexp(one + mantissa, exponent - bias - mantissaBits)
                            : std::ldexp(mantissa, 1 - bias - mantissaBits));
  }
  // Of the exact value high + low, by bisection among all magnitudes.
  uint16_t round(long double value) const {
    if (std::isnan(value))
      return 0x7fff;
    const uint16_t infinity = static_cast<uint16_t>(((1 << exponentBits) - 1) << mantissaBits);
    const long double magnitude = std::fabs(value);
    uint16_t below = 0;
    for (uint16_t bit = 0x4000; bit; bit >>= 1)
      if ((below | bit) <= infinity && static_cast<long double>(valueOf(below | bit)) <= magnitude)
        below |= bit;
    if (below < infinity) {
      const long double low = valueOf(below);
      const long double step = below ? low - static_cast<long double>(valueOf(below - 1)) : valueOf(1);
      const long double high = below + 1 == infinity ? low + step : static_cast<long double>(valueOf(below + 1));
      const long double down = magnitude - low, up = high - magnitude;
      below += up < down || (up == down && below & 1);
    }
    return static_cast<uint16_t>((std::signbit(value) ? 0x8000 : 0) | below);
  }
};
constexpr Format f16 = {10, 5}, bf16 = {7, 8};

bool isNaN(const Format &format, uint16_t bits) { return std::isnan(format.valueOf(bits)); }
uint16_t normalizeNaN(const Format &format, uint16_t bits) { return isNaN(format, bits) ? 0x7fff : bits; }

TEST_F(FloatTest, F16RoundsOnce) {
  check<uint16_t, uint16_t, uint16_t>("add.f16", [](uint16_t a, uint16_t b) {
    return f16.round(static_cast<long double>(f16.valueOf(a)) + f16.valueOf(b));
  });
  check<uint16_t, uint16_t, uint16_t>("sub.rn.f16", [](uint16_t a, uint16_t b) {
    return f16.round(static_cast<long double>(f16.valueOf(a)) - f16.valueOf(b));
  });
  check<uint16_t, uint16_t, uint16_t>("mul.f16", [](uint16_t a, uint16_t b) {
    return f16.round(static_cast<long double>(f16.valueOf(a)) * f16.valueOf(b));
  });
  check<uint16_t, uint16_t, uint16_t>("mul.sat.f16", [](uint16_t a, uint16_t b) -> uint16_t {
    const uint16_t product = f16.round(static_cast<long double>(f16.valueOf(a)) * f16.valueOf(b));
    return isNaN(f16, product) || product >= 0x8000 ? 0 : std::min<uint16_t>(product, 0x3c00);
  });
  check<uint16_t, uint16_t, uint16_t>("add.ftz.f16", [](uint16_t a, uint16_t b) -> uint16_t {
    const auto flush = [](uint16_t bits) -> uint16_t { return bits & 0x7c00 ? bits : bits & 0x8000; };
    return flush(f16.round(static_cast<long double>(f16.valueOf(flush(a))) + f16.valueOf(flush(b))));
  });
}

// f80 holds the product and sum of f16 without loss up to where they cancel out or one does not matter but for a tie;
// values of similar size are checked, and ties against the small on their own.
TEST_F(FloatTest, FusedF16AndBf16) {
  check<uint16_t, uint16_t, uint16_t, uint16_t>("fma.rn.f16", [](uint16_t a, uint16_t b, uint16_t c) {
    return f16.round(static_cast<long double>(f16.valueOf(a)) * f16.valueOf(b) + f16.valueOf(c));
  });
  const auto isTame = [](uint16_t a, uint16_t b, uint16_t c) {
    const auto exponent = [](uint16_t bits) { return int(bits >> 7 & 255); };
    const int product = exponent(a) + exponent(b) - 127, sum = exponent(c);
    return exponent(a) > 0 && exponent(b) > 0 && exponent(c) > 0 && std::abs(product - sum) < 40 && product > 10 &&
           product < 250;
  };
  check<uint16_t, uint16_t, uint16_t, uint16_t>(
      "fma.rn.bf16",
      [](uint16_t a, uint16_t b, uint16_t c) {
        return bf16.round(static_cast<long double>(bf16.valueOf(a)) * bf16.valueOf(b) + bf16.valueOf(c));
      },
      isTame);
  check<uint16_t, uint16_t, uint16_t, uint16_t>(
      "fma.rn.relu.bf16",
      [](uint16_t a, uint16_t b, uint16_t c) -> uint16_t {
        const uint16_t sum = bf16.round(static_cast<long double>(bf16.valueOf(a)) * bf16.valueOf(b) + bf16.valueOf(c));
        return isNaN(bf16, sum) ? 0x7fff : sum & 0x8000 ? 0 : sum;
      },
      isTame);
  // 1 + 2^-8 is a tie between two bf16; the smallest number there is decides it.
  for (const bool isAbove : {false, true}) {
    const std::string c = isAbove ? "0x0001" : "0x8001";
    const uint64_t output = allocate<uint16_t>(1);
    const std::string body = "mov.b16 %h1, 0x3C00; mov.b16 %h2, 0x3C04; mov.b16 %h3, " + c +
                             "; fma.rn.bf16 %h4, %h1, %h2, %h3; st.global.b16 [%in0], %h4;";
    const Status status = launch(makeKernel(body, 1), {output}, {{}, {1}, 0});
    ASSERT_TRUE(status.ok()) << status.getMessage();
    const double product = bf16.valueOf(0x3c00) * bf16.valueOf(0x3c04);
    const uint16_t expected = bf16.round(static_cast<long double>(product) + bf16.valueOf(isAbove ? 1 : 0x8001));
    EXPECT_EQ(download<uint16_t>(output, 1)[0], expected);
  }
}

template <const Format &F, bool IsMaximum, bool Propagates> uint16_t choose(uint16_t a, uint16_t b) {
  if (isNaN(F, a) || isNaN(F, b))
    return Propagates || (isNaN(F, a) && isNaN(F, b)) ? 0x7fff : isNaN(F, a) ? b : a;
  const double x = F.valueOf(a), y = F.valueOf(b);
  if (x == y)
    return std::signbit(x) == IsMaximum ? b : a;
  return (x < y) == IsMaximum ? b : a;
}

TEST_F(FloatTest, HalfChoicesAndSigns) {
  check<uint16_t, uint16_t, uint16_t>("min.f16", choose<f16, false, false>);
  check<uint16_t, uint16_t, uint16_t>("max.NaN.f16", choose<f16, true, true>);
  check<uint16_t, uint16_t, uint16_t>("max.bf16", choose<bf16, true, false>);
  check<uint16_t, uint16_t>("neg.bf16", [](uint16_t a) -> uint16_t { return a ^ 0x8000; });
  check<uint16_t, uint16_t>("abs.f16", [](uint16_t a) -> uint16_t { return a & 0x7fff; });
  check<uint32_t, uint16_t, uint16_t>(
      "setp.le.f16 %p1, $1, $2; selp.b32 $0, 1, 0, %p1",
      [](uint16_t a, uint16_t b) -> uint32_t { return f16.valueOf(a) <= f16.valueOf(b); });
  check<uint32_t, uint32_t, uint32_t>(
      "setp.gtu.f16x2 %p1|%p2, $1, $2; selp.b32 %r20, 1, 0, %p1; selp.b32 %r21, 2, 0, %p2; or.b32 $0, %r20, %r21",
      [](uint32_t a, uint32_t b) -> uint32_t {
        const auto greater = [](uint16_t x, uint16_t y) { return !(f16.valueOf(x) <= f16.valueOf(y)); };
        return greater(a & 0xffff, b & 0xffff) + 2 * greater(a >> 16, b >> 16);
      });
}

template <uint16_t (*Function)(uint16_t, uint16_t)> uint32_t onPairs(uint32_t a, uint32_t b) {
  return Function(a & 0xffff, b & 0xffff) | uint32_t(Function(a >> 16, b >> 16)) << 16;
}

TEST_F(FloatTest, PairsOfHalves) {
  check<uint32_t, uint32_t, uint32_t>("min.bf16x2", onPairs<choose<bf16, false, false>>);
  check<uint32_t, uint32_t, uint32_t>("add.f16x2", onPairs<[](uint16_t a, uint16_t b) {
                                        return f16.round(static_cast<long double>(f16.valueOf(a)) + f16.valueOf(b));
                                      }>);
  check<uint32_t, uint32_t>("neg.f16x2", [](uint32_t a) { return a ^ 0x80008000; });
}

TEST_F(FloatTest, HalfApproximations) {
  check<uint16_t, uint16_t>("tanh.approx.f16",
                            [](uint16_t a) { return f16.round(std::tanh(static_cast<long double>(f16.valueOf(a)))); });
  check<uint16_t, uint16_t>("ex2.approx.f16", [](uint16_t a) {
    return normalizeNaN(f16, f16.round(std::exp2(static_cast<long double>(f16.valueOf(a)))));
  });
}

} // namespace
} // namespace moert::emu
