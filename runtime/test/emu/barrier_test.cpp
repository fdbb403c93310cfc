// Named barriers: who waits for whom, what reductions give, and misuse.
#include "emu_fixture.h"

namespace moert::emu {
namespace {

class BarrierTest : public EmuTest {
protected:
  // Runs with several orders of the warps; every thread stores %r1.
  std::vector<uint32_t> run(const std::string &body, uint32_t threads, const std::string &variables = "") {
    std::vector<uint32_t> first;
    for (uint64_t seed = 0; seed < 8; ++seed) {
      const uint64_t output = allocate<uint32_t>(threads);
      const Status status =
          launch(makeKernel(body + "\nmad.wide.u32 %d9, %r0, 4, %in0; st.global.b32 [%d9], %r1;", 1, variables),
                 {output}, {{}, {threads}, 0}, {.seed = seed});
      EXPECT_TRUE(status.ok()) << status.getMessage();
      const auto values = download<uint32_t>(output, threads);
      EXPECT_TRUE(seed == 0 || values == first);
      first = values;
    }
    return first;
  }
  void expectFault(const std::string &body, uint32_t threads, const std::string &message) {
    const Status status = launch(makeKernel(body, 0), {}, {{}, {threads}, 0});
    EXPECT_EQ(status.getCode(), MOERT_RUN_FAILED);
    EXPECT_NE(status.getMessage().find(message), std::string::npos) << status.getMessage();
  }
};

// Warp 0 fills a buffer of 32 words again and again; warp 1 sums it up. Two barriers of 64 threads pass the buffer on.
TEST_F(BarrierTest, ProducerAndConsumer) {
  const std::string body =
      "mov.b64 %d1, tile; and.b32 %r2, %r0, 31; mad.wide.u32 %d2, %r2, 4, %d1; mov.b32 %r1, 0; mov.b32 %r3, 0;\n"
      "setp.ge.u32 %p1, %r0, 32; @%p1 bra consume;\n"
      "produce: st.shared.b32 [%d2], %r3; bar.arrive 1, 64; bar.sync 2, 64; add.s32 %r3, %r3, 1;\n"
      "setp.lt.u32 %p2, %r3, 10; @%p2 bra produce; bra done;\n"
      "consume: bar.sync 1, 64; ld.shared.b32 %r4, [%d2]; add.s32 %r1, %r1, %r4; bar.arrive 2, 64;\n"
      "add.s32 %r3, %r3, 1; setp.lt.u32 %p2, %r3, 10; @%p2 bra consume;\ndone:";
  const auto values = run(body, 64, ".shared .align 4 .b8 tile[128];");
  EXPECT_EQ(values[0], 0u);
  EXPECT_EQ(values[40], 45u);
}

TEST_F(BarrierTest, BarriersOfPairsOfWarps) {
  const std::string body = "mov.b64 %d1, tile; mad.wide.u32 %d2, %r0, 4, %d1; st.shared.b32 [%d2], %r0;\n"
                           "shr.u32 %r2, %r0, 6; add.s32 %r2, %r2, 1; barrier.sync.aligned %r2, 64;\n"
                           "xor.b32 %r3, %r0, 32; mad.wide.u32 %d2, %r3, 4, %d1; ld.shared.b32 %r1, [%d2];";
  const auto values = run(body, 128, ".shared .align 4 .b8 tile[512];");
  for (uint32_t i = 0; i < 128; ++i)
    EXPECT_EQ(values[i], i ^ 32);
}

TEST_F(BarrierTest, Reductions) {
  const std::string compare = "setp.lt.u32 %p1, %r0, 40;\n";
  EXPECT_EQ(run(compare + "bar.red.popc.u32 %r1, 0, %p1;", 96), std::vector<uint32_t>(96, 40));
  EXPECT_EQ(run(compare + "barrier.red.popc.aligned.u32 %r1, 3, 96, %p1;", 96), std::vector<uint32_t>(96, 40));
  EXPECT_EQ(run(compare + "bar.red.and.pred %p2, 0, %p1; selp.b32 %r1, 1, 0, %p2;", 64), std::vector<uint32_t>(64, 0));
  EXPECT_EQ(run(compare + "bar.red.or.pred %p2, 0, 64, %p1; selp.b32 %r1, 1, 0, %p2;", 64),
            std::vector<uint32_t>(64, 1));
}

// Lanes of one warp come to the barrier by different ways.
TEST_F(BarrierTest, LanesArriveApart) {
  const std::string body =
      "mov.b64 %d1, tile; mad.wide.u32 %d2, %r0, 4, %d1; and.b32 %r2, %r0, 1; setp.eq.b32 %p1, %r2, 0;\n"
      "@%p1 bra even; st.shared.b32 [%d2], 1; barrier.sync 0; bra together;\n"
      "even: st.shared.b32 [%d2], 2; barrier.sync 0;\n"
      "together: sub.s32 %r3, 63, %r0; mad.wide.u32 %d2, %r3, 4, %d1; ld.shared.b32 %r1, [%d2];";
  const auto values = run(body, 64, ".shared .align 4 .b8 tile[256];");
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(values[i], 1 + i % 2);
}

// The lanes that wait let the others of their warp end.
TEST_F(BarrierTest, OtherLanesOfTheWarpEnd) {
  const std::string body = "mov.b32 %r1, 7; mad.wide.u32 %d9, %r0, 4, %in0; setp.lt.u32 %p1, %r0, 10; @!%p1 bra wait;\n"
                           "st.global.b32 [%d9], %r1; ret;\nwait: barrier.sync 0;";
  EXPECT_EQ(run(body, 64), std::vector<uint32_t>(64, 7));
}

TEST_F(BarrierTest, Misuse) {
  expectFault("bar.arrive 1, 0;", 32, "line 10: arrival at a barrier of 0 threads");
  expectFault("bar.arrive 1, 64;\nbar.sync 1, 64;", 32,
              "lane 0, line 11: arrives a second time at barrier 1 (32 of 64 threads have arrived)");
  expectFault("setp.lt.u32 %p1, %r0, 32; @%p1 bra first;\nbar.sync 1; ret;\nfirst: bar.red.popc.u32 %r1, 1, %p1;", 64,
              "barrier 1 used by sync, others use red.popc");
  expectFault("setp.lt.u32 %p1, %r0, 7; @%p1 bra behind;\nbarrier.sync.aligned 0;\nbehind: mov.b32 %r1, 0;", 32,
              "this lane does not take part");
  expectFault("bar.red.popc.u32 %r1, 0, %p1;", 32, "lane 0, line 10: predicate depends on a value");
}

TEST_F(BarrierTest, RefusedAtLoad) {
  const std::pair<const char *, const char *> cases[] = {
      {"bar.wait 0;", "expected '.red'"},
      {"bar.arrive 0;", "too few operands"},
      {"fence.proxy.async;", "sm_80 has no proxy fences"},
      {"fence.cta;", "expected '.acq_rel' or '.sc'"},
      {"membar.gpu;", "expected '.gl'"},
      {"mbarrier.arrive.shared.b64 %d1, [%d2], %r1;", "a count needs sm_90"},
      {"mbarrier.try_wait.shared.b64 %p1, [%d2], %d1;", "this operation is not known on sm_80"},
      {"mbarrier.init.global.b64 [%d1], 1;", "expected '.shared'"},
  };
  for (const auto &[body, message] : cases) {
    Module module;
    const Status status = Module::load(makeKernel(body, 0), module);
    EXPECT_EQ(status.getCode(), MOERT_UNSUPPORTED) << body;
    EXPECT_NE(status.getMessage().find(message), std::string::npos) << status.getMessage();
  }
}

// Warps that have ended never arrive.
TEST_F(BarrierTest, EndedWarpsAreNotWaitedForUnlessCounted) {
  const std::string some = "setp.lt.u32 %p1, %r0, 32; @%p1 ret;\n";
  EXPECT_TRUE(launch(makeKernel(some + "bar.sync 0;", 0), {}, {{}, {96}, 0}).ok());
  expectFault(
      some + "bar.sync 0, 96;", 96,
      "deadlock: warp 0 has ended, warp 1 waits at barrier 0 in line 11 (64 of 96 threads have arrived), warp 2");
}

} // namespace
} // namespace moert::emu
