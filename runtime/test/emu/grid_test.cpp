// Blocks that run together, one after the other, and on several host threads.
#include "emu_fixture.h"

namespace moert::emu {
namespace {

class GridTest : public EmuTest {
protected:
  void expectFault(const Status &status, const std::string &message) {
    EXPECT_EQ(status.getCode(), MOERT_RUN_FAILED);
    EXPECT_NE(status.getMessage().find(message), std::string::npos) << status.getMessage();
  }
};

// All blocks store, arrive at a counter, and wait until it has counted all of them; then each reads its neighbour's.
std::string makeGridBarrier(const std::string &arrive, const std::string &look) {
  return "mov.u32 %r2, %ctaid.x; mov.u32 %r3, %nctaid.x; mov.u32 %r4, %ntid.x; mad.lo.s32 %r5, %r2, %r4, %r0;\n"
         "mad.wide.u32 %d1, %r5, 4, %in0; st.global.b32 [%d1], %r5; bar.sync 0;\n"
         "setp.ne.b32 %p1, %r0, 0; @%p1 bra passed;\n" +
         arrive + "\nspin: " + look +
         "\nsetp.lt.u32 %p2, %r7, %r3; @%p2 bra spin;\n"
         "passed: bar.sync 0; add.s32 %r8, %r2, 1; rem.u32 %r8, %r8, %r3; mad.lo.s32 %r8, %r8, %r4, %r0;\n"
         "mad.wide.u32 %d2, %r8, 4, %in0; ld.global.b32 %r1, [%d2];\n"
         "mad.wide.u32 %d3, %r5, 4, %in2; st.global.b32 [%d3], %r1;";
}
const std::string release = "atom.release.gpu.global.add.u32 %r6, [%in1], 1;";
const std::string acquire = "ld.acquire.gpu.global.b32 %r7, [%in1];";

constexpr uint32_t blocks = 6, threads = 64;
const LaunchShape shape = {{blocks}, {threads}, 0};

TEST_F(GridTest, BlocksWaitForEachOther) {
  const std::string pairs[][2] = {
      {release, acquire},
      {"fence.acq_rel.gpu; atom.global.add.u32 %r6, [%in1], 1;", "ld.relaxed.gpu.global.b32 %r7, [%in1]; membar.gl;"},
      {"membar.sys; red.global.add.u32 [%in1], 1;",
       "nanosleep.u32 20; ld.volatile.global.b32 %r7, [%in1]; membar.sys;"},
      {release, "atom.acquire.gpu.global.add.u32 %r7, [%in1], 0;"},
  };
  for (const auto &[arrive, look] : pairs)
    for (uint64_t seed = 0; seed < 6; ++seed) {
      const uint64_t values = allocate<uint32_t>(blocks * threads), output = allocate<uint32_t>(blocks * threads);
      const uint64_t counter = upload(std::vector<uint32_t>(1));
      const Status status = launch(makeKernel(makeGridBarrier(arrive, look), 3), {values, counter, output}, shape,
                                   {.seed = seed, .residentTogether = true});
      ASSERT_TRUE(status.ok()) << status.getMessage();
      const auto result = download<uint32_t>(output, blocks * threads);
      for (uint32_t i = 0; i < result.size(); ++i)
        ASSERT_EQ(result[i], (i + threads) % (blocks * threads)) << arrive << look;
    }
}

TEST_F(GridTest, MissingOrderBetweenBlocks) {
  const std::string pairs[][2] = {
      {"atom.global.add.u32 %r6, [%in1], 1;", acquire},             // no fence behind the data
      {release, "ld.relaxed.gpu.global.b32 %r7, [%in1];"},          // no fence before the data
      {"atom.release.cta.global.add.u32 %r6, [%in1], 1;", acquire}, // not for other blocks
      {"fence.acq_rel.cta; atom.global.add.u32 %r6, [%in1], 1;", acquire},
  };
  for (const auto &[arrive, look] : pairs) {
    const uint64_t values = allocate<uint32_t>(blocks * threads), output = allocate<uint32_t>(blocks * threads);
    const uint64_t counter = upload(std::vector<uint32_t>(1));
    expectFault(launch(makeKernel(makeGridBarrier(arrive, look), 3), {values, counter, output}, shape,
                       {.residentTogether = true}),
                "race: ");
  }
}

TEST_F(GridTest, BlocksThatDoNotRunTogether) {
  const uint64_t values = allocate<uint32_t>(blocks * threads), counter = upload(std::vector<uint32_t>(1));
  expectFault(
      launch(makeKernel(makeGridBarrier(release, acquire), 3), {values, counter, values}, shape),
      "kernel 'k', block (0, 0, 0): deadlock: warp 0 spins in line 14, warp 1 waits at barrier 0 in line 16 (32 "
      "of 64 threads have arrived); 5 blocks have not begun, since blocks do not run together");
}

TEST_F(GridTest, DeadlockOfBlocksThatRunTogether) {
  std::string body = makeGridBarrier(release, acquire);
  body.replace(body.find("setp.lt.u32 %p2, %r7, %r3"), 25, "setp.le.u32 %p2, %r7, %r3");
  for (uint64_t seed = 0; seed < 3; ++seed) {
    const uint64_t values = allocate<uint32_t>(blocks * threads), counter = upload(std::vector<uint32_t>(1));
    expectFault(launch(makeKernel(body, 3), {values, counter, values}, shape, {.seed = seed, .residentTogether = true}),
                "spins in line 14");
  }
}

// A lock that is never released: who tries to take it changes nothing.
TEST_F(GridTest, LockThatIsNeverReleased) {
  const std::string body = "again: atom.global.cas.b32 %r1, [%in0], 0, 1; setp.ne.b32 %p1, %r1, 0; @%p1 bra again;";
  expectFault(launch(makeKernel(body, 1), {upload(std::vector<uint32_t>(1, 1))}), "deadlock: warp 0 spins in line 10");
}

// The last block to arrive adds up what all have left: no block waits, so they may run one after the other.
TEST_F(GridTest, LastBlockAddsUp) {
  const std::string body =
      "mov.u32 %r2, %ctaid.x; mov.u32 %r3, %nctaid.x; mad.wide.u32 %d1, %r2, 4, %in0; setp.ne.b32 %p1, %r0, 0;\n"
      "@%p1 bra end; st.global.b32 [%d1], %r2; fence.acq_rel.gpu; atom.global.add.u32 %r4, [%in1], 1;\n"
      "fence.acq_rel.gpu; add.s32 %r4, %r4, 1; setp.ne.b32 %p2, %r4, %r3; @%p2 bra end; mov.b32 %r5, 0; mov.b32 %r6, "
      "0;\n"
      "next: mad.wide.u32 %d2, %r5, 4, %in0; ld.global.b32 %r7, [%d2]; add.s32 %r6, %r6, %r7; add.s32 %r5, %r5, 1;\n"
      "setp.lt.u32 %p3, %r5, %r3; @%p3 bra next; st.global.b32 [%in2], %r6;\nend: ret;";
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const uint64_t output = allocate<uint32_t>(1);
    const Status status = launch(makeKernel(body, 3), {allocate<uint32_t>(9), upload(std::vector<uint32_t>(1)), output},
                                 {{9}, {32}, 0}, {.seed = seed, .threads = 2});
    ASSERT_TRUE(status.ok()) << status.getMessage();
    EXPECT_EQ(download<uint32_t>(output, 1)[0], 36u);
  }
}

// Host threads change neither results nor counters.
TEST_F(GridTest, HostThreads) {
  const std::string body = "mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x; mad.lo.s32 %r4, %r2, %r3, %r0;\n"
                           "mad.wide.u32 %d1, %r4, 4, %in0; mad.wide.u32 %d2, %r4, 4, %in1; ld.global.b32 %r5, [%d1];\n"
                           "mul.lo.s32 %r5, %r5, %r4; st.global.b32 [%d2], %r5; red.global.max.u32 [%in2], %r4;";
  std::vector<uint32_t> input(64 * 50);
  for (uint32_t i = 0; i < input.size(); ++i)
    input[i] = i;
  const uint64_t source = upload(input);
  LaunchReport first;
  for (const uint32_t hostThreads : {1, 2, 3}) {
    const uint64_t output = allocate<uint32_t>(input.size()), largest = upload(std::vector<uint32_t>(1));
    report = {};
    const Status status = launch(makeKernel(body, 3), {source, output, largest}, {{50}, {64}, 0},
                                 {.seed = 3, .count = true, .threads = hostThreads});
    ASSERT_TRUE(status.ok()) << status.getMessage();
    const auto values = download<uint32_t>(output, input.size());
    for (uint32_t i = 0; i < values.size(); ++i)
      ASSERT_EQ(values[i], i * i);
    EXPECT_EQ(download<uint32_t>(largest, 1)[0], 3199u);
    if (hostThreads == 1)
      first = report;
    EXPECT_EQ(report.instructions, first.instructions);
    EXPECT_EQ(std::memcmp(&report.counters, &first.counters, sizeof(LaunchCounters)), 0);
  }
}

// Blocks that see each other's atomics run one after the other, in an order that does not depend on host threads.
TEST_F(GridTest, BlocksThatSeeEachOther) {
  const std::string body = "mov.u32 %r2, %ctaid.x; mad.wide.u32 %d1, %r2, 4, %in1; setp.ne.b32 %p1, %r0, 0;\n";
  const std::string atomics[] = {
      "@%p1 bra end; atom.global.add.u32 %r3, [%in0], %r2; st.global.b32 [%d1], %r3;\nend:",
      "@%p1 bra end; atom.global.add.u32 %r3, [%in0], %r2; red.global.add.u32 [%d1], %r3;\nend:",
      "@%p1 bra end; red.global.add.u32 [%in0], %r2; red.global.max.u32 [%in0], 7; red.global.add.u32 [%d1], 1;\nend:",
  };
  for (const std::string &atomic : atomics) {
    std::vector<uint32_t> first;
    for (const uint32_t hostThreads : {1, 2, 4}) {
      const uint64_t counter = upload(std::vector<uint32_t>(1)), output = upload(std::vector<uint32_t>(40));
      const Status status =
          launch(makeKernel(body + atomic, 2), {counter, output}, {{40}, {32}, 0}, {.seed = 5, .threads = hostThreads});
      ASSERT_TRUE(status.ok()) << status.getMessage();
      auto values = download<uint32_t>(output, 40);
      values.push_back(download<uint32_t>(counter, 1)[0]);
      EXPECT_TRUE(hostThreads == 1 || values == first) << atomic;
      first = values;
    }
  }
}

TEST_F(GridTest, HostThreadsOfTheCaller) {
  struct Pool {
    uint32_t calls = 0;
    static void run(void *pool, int64_t count, void (*body)(void *, int64_t), void *context) {
      ++static_cast<Pool *>(pool)->calls;
      for (int64_t i = count; i-- > 0;)
        body(context, i);
    }
  } pool;
  const std::string body = "mov.u32 %r2, %ctaid.x; mad.wide.u32 %d1, %r2, 4, %in0; st.global.b32 [%d1], %r2;";
  const uint64_t output = allocate<uint32_t>(7);
  const Status status = launch(makeKernel(body, 1), {output}, {{7}, {1}, 0},
                               {.threads = 3, .parallelFor = Pool::run, .parallelForContext = &pool});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  EXPECT_EQ(pool.calls, 1u);
  EXPECT_EQ(download<uint32_t>(output, 7), (std::vector<uint32_t>{0, 1, 2, 3, 4, 5, 6}));
}

// A race is found whether the blocks run on one host thread or on two, and the fault of the first block is reported.
TEST_F(GridTest, FaultsOnHostThreads) {
  const std::string body = "mov.u32 %r2, %ctaid.x; shr.u32 %r3, %r2, 3; mad.wide.u32 %d1, %r3, 4, %in0;\n";
  for (const uint32_t hostThreads : {1, 2}) {
    const uint64_t output = allocate<uint32_t>(16);
    expectFault(
        launch(makeKernel(body + "shr.u32 %r4, %r2, 1; mad.wide.u32 %d2, %r4, 4, %in0; st.global.b32 [%d2], 1;", 1),
               {output}, {{16}, {1}, 0}, {.threads = hostThreads}),
        "race: write of global address 0x");
    expectFault(launch(makeKernel(body + "st.global.b32 [%d1+60], 1;", 1), {output}, {{16}, {1}, 0},
                       {.checkRaces = false, .threads = hostThreads}),
                "block (8, 0, 0), warp 0, lane 0, line 11: access to 4 bytes");
  }
  expectFault(launch(makeKernel("mov.u32 %r2, %ctaid.x; st.global.b32 [%in0], %r2;", 1), {allocate<uint32_t>(1)},
                     {{2}, {1}, 0}, {.threads = 2}),
              "kernel 'k': race: write of global address 0x");
}

} // namespace
} // namespace moert::emu
