// Branches whose lanes disagree, loops of different length, early ends, and barriers of several warps.
#include "emu_fixture.h"

namespace moert::emu {
namespace {

using ControlTest = EmuTest;

const std::string storeResult = "mad.wide.u32 %d1, %r0, 4, %in0; st.global.b32 [%d1], %r1;";

TEST_F(ControlTest, LanesTakeBothWays) {
  const uint64_t output = allocate<uint32_t>(32);
  const std::string body = "and.b32 %r2, %r0, 1; setp.eq.b32 %p1, %r2, 0; @%p1 bra even;\n"
                           "mov.b32 %r1, 100; bra.uni done;\n even: mov.b32 %r1, 200;\n"
                           "done: add.s32 %r1, %r1, %r0;" +
                           storeResult;
  const Status status = launch(makeKernel(body, 1), {output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  const auto values = download<uint32_t>(output, 32);
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(values[lane], (lane % 2 ? 100 : 200) + lane);
}

// The product needs all lanes, so it shows that they meet again behind the branch and behind the loop.
TEST_F(ControlTest, LanesMeetAgain) {
  const uint64_t output = allocate<uint32_t>(32);
  const std::string body =
      "mov.b32 %r1, 0; mov.b32 %r2, 0;\n"
      "loop: setp.gt.u32 %p1, %r2, %r0; @%p1 bra behind;\n"
      "and.b32 %r4, %r2, 1; setp.eq.b32 %p2, %r4, 0; @!%p2 bra odd; add.s32 %r1, %r1, %r2;\n"
      "odd: add.s32 %r2, %r2, 1; bra loop;\n"
      "behind: mov.b32 %r5, 0; mov.b32 %r6, 0f00000000;\n"
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r7, %r8, %r9, %r10}, {%r5, %r5, %r5, %r5}, {%r5, %r5}, "
      "{%r6, %r6, %r6, %r6};" +
      storeResult;
  const Status status = launch(makeKernel(body, 1), {output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  const auto values = download<uint32_t>(output, 32);
  for (uint32_t lane = 0; lane < 32; ++lane) {
    uint32_t expected = 0;
    for (uint32_t i = 0; i <= lane; i += 2)
      expected += i;
    EXPECT_EQ(values[lane], expected);
  }
}

TEST_F(ControlTest, SomeLanesEndEarly) {
  const uint64_t output = upload(std::vector<uint32_t>(64, 7));
  const std::string body = "setp.lt.u32 %p1, %r0, 40; @!%p1 ret; mov.b32 %r1, %r0; bar.sync 0;" + storeResult;
  const Status status = launch(makeKernel(body, 1), {output}, {{}, {64}, 0});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  const auto values = download<uint32_t>(output, 64);
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(values[i], i < 40 ? i : 7);
}

// One way of a branch inside a loop ends its lanes; the others go on around the loop and meet behind it.
TEST_F(ControlTest, OneWayEnds) {
  const uint64_t output = upload(std::vector<uint32_t>(32, 7));
  const std::string body = "mov.b32 %r1, 0;\n"
                           "loop: setp.ne.u32 %p1, %r1, %r0; @%p1 bra on; setp.lt.u32 %p2, %r0, 5; @!%p2 bra on; ret;\n"
                           "on: add.s32 %r1, %r1, 1; setp.lt.u32 %p3, %r1, 10; @%p3 bra loop;\nbar.sync 0;" +
                           storeResult;
  const Status status = launch(makeKernel(body, 1), {output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  const auto values = download<uint32_t>(output, 32);
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(values[lane], lane < 5 ? 7 : 10);
}

// The branch to the common end is no place to wait: barriers and products need the lanes that go on only.
TEST_F(ControlTest, LanesBranchToTheEnd) {
  const uint64_t output = upload(std::vector<uint32_t>(64, 7));
  const std::string body = "setp.ge.u32 %p1, %r0, 40; @%p1 bra end; mov.b32 %r1, 0;\n"
                           "loop: add.s32 %r1, %r1, 1; and.b32 %r2, %r1, 1; setp.eq.b32 %p2, %r2, 0; @%p2 bra even;\n"
                           "add.s32 %r1, %r1, 2;\neven: bar.sync 0; setp.lt.u32 %p3, %r1, 8; @%p3 bra loop;\n" +
                           storeResult + "\nend: ret;";
  const Status status = launch(makeKernel(body, 1), {output}, {{}, {64}, 0});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  const auto values = download<uint32_t>(output, 64);
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(values[i], i < 40 ? 8 : 7);
}

// Every warp reads what another one wrote before the barrier, for several orders of the warps and a warp that is not
// full.
TEST_F(ControlTest, BarriersOrderWarps) {
  const std::string body =
      "mov.b64 %d2, tile; mad.wide.u32 %d3, %r0, 4, %d2; st.shared.b32 [%d3], %r0;\n"
      "bar.sync 0; sub.s32 %r3, 99, %r0; mad.wide.u32 %d3, %r3, 4, %d2; ld.shared.b32 %r1, [%d3];" +
      storeResult;
  for (uint64_t seed = 0; seed < 16; ++seed) {
    const uint64_t output = allocate<uint32_t>(100);
    const Status status =
        launch(makeKernel(body, 1, ".shared .align 4 .b8 tile[400];"), {output}, {{}, {100}, 0}, {.seed = seed});
    ASSERT_TRUE(status.ok()) << status.getMessage();
    const auto values = download<uint32_t>(output, 100);
    for (uint32_t i = 0; i < 100; ++i)
      EXPECT_EQ(values[i], 99 - i);
  }
}

TEST_F(ControlTest, SpecialRegisters) {
  const uint64_t output = allocate<uint32_t>(2 * 3 * 4 * 2 * 5);
  const std::string body =
      "mov.u32 %r2, %tid.y; mov.u32 %r3, %ntid.x; mad.lo.s32 %r4, %r2, %r3, %r0;\n"
      "mov.u32 %r5, %ctaid.x; mov.u32 %r6, %ctaid.y; mov.u32 %r7, %nctaid.x; mov.u32 %r8, %ntid.y;\n"
      "mad.lo.s32 %r9, %r6, %r7, %r5; mul.lo.s32 %r10, %r3, %r8; mad.lo.s32 %r1, %r9, %r10, %r4;\n"
      "mad.wide.u32 %d1, %r1, 4, %in0; st.global.b32 [%d1], %r1;";
  const Status status = launch(makeKernel(body, 1), {output}, {{2, 3, 1}, {8, 5, 1}, 0});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  const auto values = download<uint32_t>(output, 240);
  for (uint32_t i = 0; i < 240; ++i)
    EXPECT_EQ(values[i], i);
}

} // namespace
} // namespace moert::emu
