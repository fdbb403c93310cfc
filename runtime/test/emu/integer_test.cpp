// Integer instructions beyond plain arithmetic: carries, saturation, sums of products, and bits moved about.
#include "lanewise_test.h"

#include <bitset>
#include <cmath>

namespace moert::emu {
namespace {

using IntegerTest = LanewiseTest;

using U16 = uint16_t;
using U32 = uint32_t;
using U64 = uint64_t;
using S16 = int16_t;
using S32 = int32_t;
using S64 = int64_t;

S32 clampToS32(S64 value) { return S32(std::min<S64>(std::max<S64>(value, -2147483648ll), 2147483647ll)); }

TEST_F(IntegerTest, Saturation) {
  check<S32, S32, S32>("add.sat.s32", [](S32 a, S32 b) { return clampToS32(S64(a) + b); });
  check<S32, S32, S32>("sub.sat.s32", [](S32 a, S32 b) { return clampToS32(S64(a) - b); });
  check<S32, S32, S32, S32>("mad.hi.sat.s32", [](S32 a, S32 b, S32 c) {
    return clampToS32(S64(std::floor(double(S64(a) * b) / 4294967296.0)) + c);
  });
}

TEST_F(IntegerTest, SixteenBits) {
  check<U16, U16, U16>("min.u16", [](U16 a, U16 b) { return a < b ? a : b; });
  check<S16, S16, S16>("max.s16", [](S16 a, S16 b) { return a < b ? b : a; });
  check<U16, U16, U16>("mul.lo.s16", [](U16 a, U16 b) { return U16(U32(a) * b); });
  check<S16, S16, S16>("mul.hi.s16", [](S16 a, S16 b) { return S16(S32(a) * b >> 16); });
  check<U16, U16, U16, U16>("mad.lo.u16", [](U16 a, U16 b, U16 c) { return U16(U32(a) * b + c); });
  check<S16, S16>("neg.s16", [](S16 a) { return S16(-S32(a)); });
  check<S16, S16>("abs.s16", [](S16 a) { return S16(a < 0 ? -S32(a) : a); });
  check<U16, U16, U16>(
      "div.u16", [](U16 a, U16 b) { return U16(a / b); }, [](U16, U16 b) { return b != 0; });
  check<S16, S16, S16>(
      "rem.s16", [](S16 a, S16 b) { return S16(S32(a) % b); }, [](S16, S16 b) { return b != 0; });
}

TEST_F(IntegerTest, SumsOfDifferencesAndProducts) {
  check<U32, U32, U32, U32>("sad.u32", [](U32 a, U32 b, U32 c) { return c + (a < b ? b - a : a - b); });
  check<U32, S32, S32, U32>("sad.s32",
                            [](S32 a, S32 b, U32 c) { return U32(S64(c) + (a < b ? S64(b) - a : S64(a) - b)); });
  check<U32, U32, U32>("mul24.lo.u32", [](U32 a, U32 b) { return U32(U64(a % 16777216) * (b % 16777216)); });
  check<U32, U32, U32>("mul24.hi.u32", [](U32 a, U32 b) { return U32(U64(a % 16777216) * (b % 16777216) / 65536); });
  check<S32, S32, S32, S32>("mad24.lo.s32", [](S32 a, S32 b, S32 c) {
    const auto low = [](S32 x) { return S64((U32(x) & 0xffffff) ^ 0x800000) - 0x800000; };
    return S32(U32(low(a) * low(b)) + U32(c));
  });
  check<U32, U32, U32, U32>("dp4a.u32.s32", [](U32 a, U32 b, U32 c) {
    S64 sum = c;
    for (int i = 0; i < 4; ++i)
      sum += S64(a >> 8 * i & 255) * (S64((b >> 8 * i & 255) ^ 128) - 128);
    return U32(sum);
  });
  check<U32, U32, U32, U32>("dp2a.hi.s32.u32", [](U32 a, U32 b, U32 c) {
    return U32(c + S16(a & 0xffff) * S32(b >> 16 & 255) + S16(a >> 16) * S32(b >> 24));
  });
}

// 128 bits through registers of 64 and 32.
TEST_F(IntegerTest, Carries) {
  check<U64, U64, U64>("add.cc.u64 %d10, $1, $2; addc.u64 $0, $1, $2", [](U64 a, U64 b) {
    const auto sum = (unsigned __int128)(a) + b;
    return U64(sum >> 64) + a + b;
  });
  check<U64, U64, U64>("sub.cc.u64 %d10, $1, $2; subc.cc.u64 %d11, $1, $2; subc.u64 $0, $2, $1", [](U64 a, U64 b) {
    const U64 borrow = a < b, second = a - b < borrow || a < b;
    return b - a - second;
  });
  check<U32, U32, U32, U32>("mad.lo.cc.u32 %r10, $1, $2, $3; madc.hi.u32 $0, $1, $2, 0",
                            [](U32 a, U32 b, U32 c) { return U32((U64(a) * b + c) >> 32); });
  check<S32, S32, S32, U32>("mad.lo.cc.s32 %r10, $1, $2, $3; madc.hi.s32 $0, $1, $2, 0",
                            [](S32 a, S32 b, U32 c) { return S32((S64(a) * b + c) >> 32); });
}

TEST_F(IntegerTest, FieldsAndCounts) {
  check<U32, U32, U32, U32, U32>("bfi.b32", [](U32 a, U32 b, U32 position, U32 length) {
    for (U32 i = 0; i < (length & 255) && i + (position & 255) < 32; ++i) {
      const U32 bit = 1u << (i + (position & 255));
      b = (i < 32 && a >> i & 1) ? b | bit : b & ~bit;
    }
    return b;
  });
  check<U32, S32>("bfind.s32", [](S32 a) {
    for (int i = 31; i >= 0; --i)
      if ((a >> i & 1) != (a < 0))
        return U32(i);
    return ~0u;
  });
  check<U32, U64>("bfind.shiftamt.u64", [](U64 a) {
    for (int i = 63; i >= 0; --i)
      if (a >> i & 1)
        return U32(63 - i);
    return ~0u;
  });
  check<U64, U64>("brev.b64", [](U64 a) {
    U64 result = 0;
    for (int i = 0; i < 64; ++i)
      result |= (a >> i & 1) << (63 - i);
    return result;
  });
  check<U32, U64>("clz.b64", [](U64 a) {
    U32 count = 0;
    for (int i = 63; i >= 0 && !(a >> i & 1); --i)
      ++count;
    return count;
  });
  check<U32, U32>("popc.b32", [](U32 a) { return U32(std::bitset<32>(a).count()); });
  check<U32, U32>("cnot.b32", [](U32 a) -> U32 { return a ? 0 : 1; });
}

TEST_F(IntegerTest, FunnelShifts) {
  check<U32, U32, U32, U32>("shf.l.wrap.b32", [](U32 a, U32 b, U32 c) {
    return U32(((unsigned __int128)(U64(b) << 32 | a) << (c % 32)) >> 32);
  });
  check<U32, U32, U32, U32>("shf.r.clamp.b32", [](U32 a, U32 b, U32 c) {
    return U32((unsigned __int128)(U64(b) << 32 | a) >> std::min(c, 32u));
  });
  check<U32, U32, U32, U32>("shf.l.clamp.b32", [](U32 a, U32 b, U32 c) {
    return U32(((unsigned __int128)(U64(b) << 32 | a) << std::min(c, 32u)) >> 32);
  });
}

TEST_F(IntegerTest, LogicOfThree) {
  check<U32, U32, U32, U32>("lop3.b32 $0, $1, $2, $3, 0xE8",
                            [](U32 a, U32 b, U32 c) { return (a & b) | (a & c) | (b & c); });
  check<U32, U32, U32, U32>("lop3.b32 $0, $1, $2, $3, 0x96", [](U32 a, U32 b, U32 c) { return a ^ b ^ c; });
  check<U32, U32, U32, U32>("lop3.b32 $0, $1, $2, $3, 0xCA", [](U32 a, U32 b, U32 c) { return (a & b) | (~a & c); });
}

template <typename Choose> U32 permute(U32 a, U32 b, Choose choose) {
  const U64 both = U64(b) << 32 | a;
  U32 result = 0;
  for (U32 i = 0; i < 4; ++i)
    result |= U32(both >> 8 * choose(i) & 255) << 8 * i;
  return result;
}

TEST_F(IntegerTest, Permutations) {
  check<U32, U32, U32, U32>("prmt.b32", [](U32 a, U32 b, U32 c) {
    U32 result = 0;
    for (U32 i = 0; i < 4; ++i) {
      const U32 nibble = c >> 4 * i & 15, byte = U32((U64(b) << 32 | a) >> 8 * (nibble & 7)) & 255;
      result |= (nibble < 8 ? byte : byte >= 128 ? 255u : 0u) << 8 * i;
    }
    return result;
  });
  check<U32, U32, U32, U32>("prmt.b32.f4e",
                            [](U32 a, U32 b, U32 c) { return permute(a, b, [&](U32 i) { return c % 4 + i; }); });
  check<U32, U32, U32, U32>(
      "prmt.b32.b4e", [](U32 a, U32 b, U32 c) { return permute(a, b, [&](U32 i) { return (8 + c % 4 - i) % 8; }); });
  check<U32, U32, U32, U32>("prmt.b32.rc8",
                            [](U32 a, U32 b, U32 c) { return permute(a, b, [&](U32) { return c % 4; }); });
  check<U32, U32, U32, U32>(
      "prmt.b32.ecl", [](U32 a, U32 b, U32 c) { return permute(a, b, [&](U32 i) { return std::max(c % 4, i); }); });
  check<U32, U32, U32, U32>(
      "prmt.b32.ecr", [](U32 a, U32 b, U32 c) { return permute(a, b, [&](U32 i) { return std::min(c % 4, i); }); });
  check<U32, U32, U32, U32>(
      "prmt.b32.rc16", [](U32 a, U32 b, U32 c) { return permute(a, b, [&](U32 i) { return c % 2 * 2 + i % 2; }); });
}

std::string compare(const std::string &comparison) {
  return "setp.lt.u32 %p2, $2, 100; setp." + comparison +
         "; selp.b32 %r20, 1, 0, %p1; selp.b32 %r21, 2, 0, %p3; or.b32 "
         "$0, %r20, %r21";
}

TEST_F(IntegerTest, ComparisonsWithAThirdOperand) {
  check<U32, U32, U32>(compare("lo.and.u32 %p1|%p3, $1, $2, %p2"),
                       [](U32 a, U32 b) -> U32 { return (a < b && b < 100) + 2 * (a >= b && b < 100); });
  check<U32, U32, U32>(compare("hs.or.u32 %p1|%p3, $1, $2, !%p2"),
                       [](U32 a, U32 b) -> U32 { return (a >= b || b >= 100) + 2 * (a < b || b >= 100); });
  check<U32, S32, S32>(compare("gt.xor.s32 %p1|%p3, $1, $2, %p2"), [](S32 a, S32 b) -> U32 {
    const bool other = U32(b) < 100;
    return ((a > b) != other) + 2 * ((a <= b) != other);
  });
  check<U32, U32, U32>(compare("ls.u32 %p1|%p3, $1, $2"), [](U32 a, U32 b) -> U32 { return a <= b ? 1 : 2; });
}

TEST_F(IntegerTest, SetAndSelect) {
  check<U32, S32, S32>("set.lt.u32.s32", [](S32 a, S32 b) { return a < b ? 0xffffffffu : 0; });
  check<float, U64, U64>("set.hi.f32.u64", [](U64 a, U64 b) { return a > b ? 1.0f : 0.0f; });
  check<U32, U16, U16, S32>("setp.lt.s32 %p1, $3, 5; set.ne.and.u32.u16 $0, $1, $2, %p1",
                            [](U16 a, U16 b, S32 c) { return a != b && c < 5 ? 0xffffffffu : 0; });
  check<U64, U64, U64, S32>("slct.b64.s32", [](U64 a, U64 b, S32 c) { return c >= 0 ? a : b; });
  check<U32, U32, U32, float>("slct.u32.f32", [](U32 a, U32 b, float c) { return c >= 0 ? a : b; });
  check<U16, U16, U16, float>("slct.ftz.u16.f32", [](U16 a, U16 b, float c) {
    return c >= 0 || std::fabs(c) < std::numeric_limits<float>::min() ? a : b;
  });
}

} // namespace
} // namespace moert::emu
