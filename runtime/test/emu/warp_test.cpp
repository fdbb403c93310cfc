// Shuffles, votes, matches, reductions and atomics against scalar statements of the documentation.
#include "devices/emu/float_bits.h"
#include "emu_fixture.h"

#include <functional>

namespace moert::emu {
namespace {

class WarpTest : public EmuTest {
protected:
  // %r2 = a, %r3 = b of each lane; the result is %r1.
  Status run(const std::string &code, const std::vector<uint32_t> &a, const std::vector<uint32_t> &b,
             std::vector<uint32_t> &results) {
    const uint64_t output = allocate<uint32_t>(32);
    const std::string body = "mul.wide.u32 %d1, %r0, 4; add.s64 %d2, %in0, %d1; add.s64 %d3, %in1, %d1;\n"
                             "add.s64 %d4, %in2, %d1; ld.global.b32 %r2, [%d2]; ld.global.b32 %r3, [%d3];\n" +
                             code + " st.global.b32 [%d4], %r1;";
    MOERT_TRY(launch(makeKernel(body, 3), {upload(a), upload(b), output}));
    results = download<uint32_t>(output, 32);
    return Status::success();
  }
  void check(const std::string &code, const std::function<uint32_t(uint32_t lane)> &expected) {
    std::vector<uint32_t> results;
    const Status status = run(code, a, b, results);
    ASSERT_TRUE(status.ok()) << code << ": " << status.getMessage();
    for (uint32_t lane = 0; lane < 32; ++lane)
      EXPECT_EQ(results[lane], expected(lane)) << code << " lane " << lane;
  }
  void expectFault(const std::string &code, const std::string &message) {
    std::vector<uint32_t> results;
    const Status status = run(code, a, b, results);
    EXPECT_EQ(status.getCode(), MOERT_RUN_FAILED) << code;
    EXPECT_NE(status.getMessage().find(message), std::string::npos) << status.getMessage();
  }

  std::vector<uint32_t> a = makeValues<uint32_t>(1), b = makeValues<uint32_t>(2);
};

// Segments of `width` lanes, as CUDA's functions make them: c = 32 - width in bits 8 to 12.
TEST_F(WarpTest, Shuffles) {
  for (const uint32_t width : {1u, 4u, 16u, 32u}) {
    const std::string segment = std::to_string((32 - width) << 8), last = std::to_string((32 - width) << 8 | 31);
    const auto first = [=](uint32_t lane) { return lane / width * width; };
    check("shfl.sync.up.b32 %r1, %r2, 3, " + segment + ", -1;",
          [&](uint32_t lane) { return a[lane >= first(lane) + 3 ? lane - 3 : lane]; });
    check("shfl.sync.down.b32 %r1, %r2, 2, " + last + ", -1;",
          [&](uint32_t lane) { return a[lane + 2 < first(lane) + width ? lane + 2 : lane]; });
    check("shfl.sync.bfly.b32 %r1, %r2, 5, " + last + ", -1;",
          [&](uint32_t lane) { return a[(lane ^ 5) < first(lane) + width ? lane ^ 5 : lane]; });
    check("shfl.sync.idx.b32 %r1, %r2, %r3, " + last + ", -1;",
          [&](uint32_t lane) { return a[first(lane) + b[lane] % width]; });
    check("shfl.sync.down.b32 %r4|%p1, %r2, 1, " + last + ", -1; selp.b32 %r1, 1, 0, %p1;",
          [&](uint32_t lane) { return lane + 1 < first(lane) + width; });
  }
}

TEST_F(WarpTest, Votes) {
  const std::string odd = "and.b32 %r4, %r2, 1; setp.ne.u32 %p1, %r4, 0; ";
  uint32_t odds = 0;
  for (uint32_t lane = 0; lane < 32; ++lane)
    odds |= (a[lane] & 1) << lane;
  check(odd + "vote.sync.ballot.b32 %r1, %p1, -1;", [&](uint32_t) { return odds; });
  check(odd + "vote.sync.ballot.b32 %r1, !%p1, -1;", [&](uint32_t) { return ~odds; });
  check(odd + "vote.sync.any.pred %p2, %p1, -1; selp.b32 %r1, 1, 0, %p2;", [&](uint32_t) { return odds != 0; });
  check(odd + "vote.sync.all.pred %p2, %p1, -1; selp.b32 %r1, 1, 0, %p2;", [&](uint32_t) { return odds == ~0u; });
  check("setp.lt.u32 %p1, %r0, 32; vote.sync.uni.pred %p2, %p1, -1; selp.b32 %r1, 1, 0, %p2;",
        [&](uint32_t) { return 1; });
  // Two halves that vote for themselves in one instruction.
  check(odd + "setp.lt.u32 %p3, %r0, 16; selp.b32 %r5, 0xffff, 0xffff0000, %p3; vote.sync.ballot.b32 %r1, %p1, %r5;",
        [&](uint32_t lane) { return odds & (lane < 16 ? 0xffff : 0xffff0000); });
}

TEST_F(WarpTest, MatchesAndReductions) {
  for (uint32_t lane = 0; lane < 32; ++lane)
    b[lane] = a[lane] % 3;
  check("match.any.sync.b32 %r1, %r3, -1;", [&](uint32_t lane) {
    uint32_t same = 0;
    for (uint32_t other = 0; other < 32; ++other)
      same |= uint32_t(b[other] == b[lane]) << other;
    return same;
  });
  check("match.all.sync.b32 %r1|%p1, %r3, -1; selp.b32 %r1, 7, %r1, %p1;", [&](uint32_t) { return 0; });
  check("mov.b64 %d5, 9; match.all.sync.b64 %r4|%p1, %d5, -1; selp.b32 %r1, %r4, 0, %p1;",
        [&](uint32_t) { return ~0u; });
  const auto reduce = [&](auto function) {
    uint32_t result = a[0];
    for (uint32_t lane = 1; lane < 32; ++lane)
      result = function(result, a[lane]);
    return [result](uint32_t) { return result; };
  };
  check("redux.sync.add.s32 %r1, %r2, -1;", reduce([](uint32_t x, uint32_t y) { return x + y; }));
  check("redux.sync.min.s32 %r1, %r2, -1;",
        reduce([](uint32_t x, uint32_t y) { return int32_t(x) < int32_t(y) ? x : y; }));
  check("redux.sync.max.u32 %r1, %r2, -1;", reduce([](uint32_t x, uint32_t y) { return x < y ? y : x; }));
  check("redux.sync.xor.b32 %r1, %r2, -1;", reduce([](uint32_t x, uint32_t y) { return x ^ y; }));
  check("redux.sync.and.b32 %r1, %r2, -1;", reduce([](uint32_t x, uint32_t y) { return x & y; }));
}

TEST_F(WarpTest, MasksOfLanes) {
  check("activemask.b32 %r1;", [](uint32_t) { return ~0u; });
  check("setp.lt.u32 %p1, %r0, 8; mov.b32 %r1, 0; @%p1 bra $in; bra $end;\n$in: activemask.b32 %r1;\n$end:",
        [](uint32_t lane) { return lane < 8 ? 0xffu : 0; });
  check("mov.u32 %r4, %lanemask_lt; mov.u32 %r5, %lanemask_ge; mov.u32 %r6, %lanemask_eq; add.s32 %r1, %r4, %r5; "
        "add.s32 %r1, %r1, %r6;",
        [](uint32_t lane) { return ~0u + (1u << lane); });
  check("mov.u32 %r4, %lanemask_le; mov.u32 %r5, %lanemask_gt; xor.b32 %r1, %r4, %r5;", [](uint32_t) { return ~0u; });
}

TEST_F(WarpTest, LanesThatAreNotThere) {
  expectFault("mov.b32 %r1, 0; setp.eq.u32 %p1, %r0, 3; @!%p1 shfl.sync.up.b32 %r1, %r2, 1, 0, -1;",
              "lane 3, line 12: this lane is in the mask of lane 0 and does not take part");
  expectFault("shfl.sync.up.b32 %r1, %r2, 1, 0, 0x7fffffff;", "lane 31, line 12: this lane is not in its own mask");
  expectFault("setp.eq.u32 %p1, %r0, 3; @%p1 shfl.sync.idx.b32 %r1, %r2, 4, 31, 8; @!%p1 mov.b32 %r1, 0;",
              "lane 3, line 12: stored value depends on a value that was never written");
  expectFault("mov.b32 %r1, 0; setp.eq.u32 %p1, %r0, 3; @!%p1 bar.warp.sync 0xf;", "does not take part");
}

// Each lane adds to one of four counters, and what it gets back tells in which order.
TEST_F(WarpTest, AtomicsOnIntegers) {
  const std::string zero = "and.b32 %r4, %r0, 3; mov.b64 %d5, tile; mad.wide.u32 %d6, %r4, 8, %d5;\n"
                           "mov.b64 %d7, 0; st.shared.b64 [%d6], %d7; bar.sync 0;\n";
  const auto runOnTile = [&](const std::string &code, std::vector<uint32_t> &results) {
    const uint64_t output = allocate<uint32_t>(32);
    const std::string body = zero + code + "bar.sync 0; mad.wide.u32 %d8, %r0, 4, %in0; st.global.b32 [%d8], %r1;";
    const Status status = launch(makeKernel(body, 1, ".shared .align 8 .b8 tile[32];"), {output});
    ASSERT_TRUE(status.ok()) << status.getMessage();
    results = download<uint32_t>(output, 32);
  };
  struct Row {
    std::string code;
    std::function<uint32_t(uint32_t lane)> expected;
  };
  const Row rows[] = {
      {"atom.shared.add.u32 %r1, [%d6], 5;", [](uint32_t lane) { return lane / 4 * 5; }},
      {"atom.relaxed.cta.shared.max.u32 %r1, [%d6], %r0;", [](uint32_t lane) { return lane < 4 ? 0 : lane - 4; }},
      {"atom.shared.min.s32 %r1, [%d6], -3;", [](uint32_t lane) { return lane < 4 ? 0 : uint32_t(-3); }},
      {"atom.shared.inc.u32 %r1, [%d6], 2;", [](uint32_t lane) { return lane / 4 % 3; }},
      {"atom.shared.dec.u32 %r1, [%d6], 2;", [](uint32_t lane) { return (3 - lane / 4 % 3) % 3; }},
      {"atom.shared.exch.b32 %r1, [%d6], %r0;", [](uint32_t lane) { return lane < 4 ? 0 : lane - 4; }},
      {"atom.shared.or.b32 %r1, [%d6], %r0;",
       [](uint32_t lane) {
         uint32_t bits = 0;
         for (uint32_t other = lane % 4; other < lane; other += 4)
           bits |= other;
         return bits;
       }},
      {"atom.acq_rel.gpu.shared.cas.b32 %r1, [%d6], 0, 9;", [](uint32_t lane) { return lane < 4 ? 0 : 9; }},
      {"red.shared.add.u32 [%d6], 2; bar.warp.sync -1; ld.shared.b32 %r1, [%d6];", [](uint32_t) { return 16; }},
      {"atom.shared.add.u64 %d9, [%d6], -1; cvt.u32.u64 %r1, %d9;", [](uint32_t lane) { return 0 - lane / 4; }},
      {"cvta.shared.u64 %d10, %d6; atom.add.s32 %r1, [%d10], 1;", [](uint32_t lane) { return lane / 4; }},
  };
  for (const Row &row : rows) {
    std::vector<uint32_t> results;
    runOnTile(row.code, results);
    for (uint32_t lane = 0; lane < 32 && !results.empty(); ++lane)
      EXPECT_EQ(results[lane], row.expected(lane)) << row.code << " lane " << lane;
  }
}

TEST_F(WarpTest, AtomicsOnFloats) {
  const uint64_t sums = upload(std::vector<double>{0.25, 0});
  const std::string body = "cvt.rn.f32.u32 %r1, %r0; red.global.add.f32 [%in0+8], %r1; cvt.f64.f32 %d1, %r1;\n"
                           "atom.global.add.f64 %d2, [%in0], %d1; mov.b32 %r2, 0x3C003800;\n"
                           "red.global.add.noftz.f16x2 [%in0+12], %r2;";
  const Status status = launch(makeKernel(body, 1), {sums});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  EXPECT_EQ(download<double>(sums, 1)[0], 496.25);
  EXPECT_EQ(download<float>(sums + 8, 1)[0], 496.0f);
  EXPECT_EQ(download<uint16_t>(sums + 12, 2), (std::vector<uint16_t>{toF16(16), toF16(32)}));
  // Subnormal sums stay in shared memory alone.
  const uint64_t tiny = upload(std::vector<uint32_t>{1});
  ASSERT_TRUE(launch(makeKernel("red.global.add.f32 [%in0], 0f00000001;", 1), {tiny}, {{}, {1}, 0}).ok());
  EXPECT_EQ(download<uint32_t>(tiny, 1)[0], 0u);
}

TEST_F(WarpTest, AtomicsOnWhatHasNoValue) {
  const std::string tile = ".shared .align 8 .b8 tile[32];";
  const Status added = launch(makeKernel("atom.shared.add.u32 %r1, [tile], 5;", 1, tile), {0});
  EXPECT_NE(added.getMessage().find("atomic access to bytes that were never written"), std::string::npos);
  EXPECT_TRUE(launch(makeKernel("atom.shared.exch.b32 %r1, [tile], 5;", 1, tile), {0}).ok());
}

} // namespace
} // namespace moert::emu
