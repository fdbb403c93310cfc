// Accesses that nothing orders are reported with both sides; those that something orders are not.
#include "emu_fixture.h"

namespace moert::emu {
namespace {

class RaceTest : public EmuTest {
protected:
  void expectOrdered(const std::string &body, const LaunchShape &shape) {
    for (uint64_t seed = 0; seed < 6; ++seed) {
      const Status status = run(body, shape, {.seed = seed});
      EXPECT_TRUE(status.ok()) << status.getMessage();
    }
  }
  // In every order of the warps.
  void expectRace(const std::string &body, const LaunchShape &shape, const std::string &message) {
    for (uint64_t seed = 0; seed < 6; ++seed) {
      const Status status = run(body, shape, {.seed = seed});
      EXPECT_EQ(status.getCode(), MOERT_RUN_FAILED) << "seed " << seed;
      EXPECT_NE(status.getMessage().find(message), std::string::npos) << status.getMessage();
    }
  }

private:
  Status run(const std::string &body, const LaunchShape &shape, const LaunchOptions &options) {
    const uint64_t memory = upload(std::vector<uint32_t>(1024)), more = upload(std::vector<uint32_t>(1024));
    return launch(makeKernel(body, 2, ".shared .align 16 .b8 tile[2048];"), {memory, more}, shape, options);
  }
};

const LaunchShape oneWarp = {{}, {32}, 0}, twoWarps = {{}, {64}, 0}, twoBlocks = {{2}, {32}, 0};
const std::string perThread =
    "mov.b64 %d1, tile; mad.wide.u32 %d2, %r0, 4, %d1; shr.u32 %r2, %r0, 5; mov.b32 %r3, 1;\n";

TEST_F(RaceTest, WritesToSharedMemory) {
  expectRace(perThread + "st.shared.b32 [%d1+8], %r2;", twoWarps,
             "lane 0, line 11: race: write of shared address 0x418 and the write by block (0, 0, 0), warp ");
  expectOrdered(perThread + "st.shared.b32 [%d2], %r2;", twoWarps);
}

// Lanes may run one after the other until they meet; what exchanges values between them orders no memory.
TEST_F(RaceTest, LanesOfAWarp) {
  for (const std::string space : {"shared", "global"}) {
    const std::string own = space == "shared" ? "%d2" : "%d4", first = space == "shared" ? "%d1" : "%in0";
    const std::string body = perThread +
                             "mad.wide.u32 %d4, %r0, 4, %in0; xor.b32 %r4, %r0, 1;\nmad.wide.u32 %d3, %r4, 4, " +
                             first + "; st." + space + ".b32 [" + own + "], %r3;\n";
    const std::string read = "ld." + space + ".b32 %r5, [%d3];\n", write = "st." + space + ".b32 [" + own + "], %r5;";
    expectRace(body + read, oneWarp, "race: read of " + space + " address");
    expectRace(body + "shfl.sync.bfly.b32 %r6, %r0, 1, 31, -1;" + read, oneWarp, "race: read of " + space + " address");
    expectOrdered(body + "bar.warp.sync -1;" + read, oneWarp);
    expectOrdered(body + "bar.sync 0;" + read, oneWarp);
    expectRace(body + "bar.warp.sync -1;" + read + write, oneWarp, "race: write of " + space + " address");
    expectOrdered(body + "bar.warp.sync -1;" + read + "bar.warp.sync -1;" + write, oneWarp);
    expectOrdered(body + "ld." + space + ".b32 %r5, [" + own + "];" + write, oneWarp);
    expectOrdered(body + "bar.warp.sync -1; st." + space + ".b32 [" + first + "], %r3;", oneWarp);
  }
}

TEST_F(RaceTest, WriteBehindARead) {
  const std::string body = perThread + "st.shared.b32 [%d2], %r3; bar.sync 0; xor.b32 %r4, %r0, 32;\n"
                                       "mad.wide.u32 %d3, %r4, 4, %d1; ld.shared.b32 %r5, [%d3];\n";
  expectRace(body + "st.shared.b32 [%d2], %r5;", twoWarps, "may come in any order");
  expectOrdered(body + "bar.sync 0; st.shared.b32 [%d2], %r5;", twoWarps);
  // A barrier of others orders nothing.
  expectRace(body + "add.s32 %r6, %r2, 1; bar.sync %r6, 32; st.shared.b32 [%d2], %r5;", twoWarps,
             "may come in any order");
}

// Neighbouring bytes are no conflict; a byte that two write is.
TEST_F(RaceTest, BytesOfAWord) {
  const std::string body = "mov.b64 %d1, tile; cvt.u16.u32 %h1, %r0; shr.u32 %r2, %r0, 5; and.b32 %r3, %r0, 31;\n"
                           "shl.b32 %r3, %r3, 1; add.s32 %r3, %r3, %r2; cvt.u64.u32 %d2, %r3; add.s64 %d3, %d1, %d2;\n";
  expectOrdered(body + "st.shared.b8 [%d3], %h1;", twoWarps);
  expectRace(body + "st.shared.b8 [%d3], %h1; st.shared.b8 [%d1+5], %h1;", twoWarps,
             "race: write of shared address 0x415");
}

TEST_F(RaceTest, Atomics) {
  const std::string zero = perThread + "setp.ne.b32 %p1, %r0, 0; @%p1 bra on; st.shared.b32 [%d1], 0;\non: ";
  expectOrdered(zero + "bar.sync 0; atom.shared.add.u32 %r4, [%d1], 1;", twoWarps);
  expectRace(zero + "bar.sync 0; atom.shared.add.u32 %r4, [%d1], 1;\nld.shared.b32 %r5, [%d1];", twoWarps, "race: ");
}

// A flag in shared memory hands over what was written before, if both sides say so.
TEST_F(RaceTest, FlagsInSharedMemory) {
  const auto pass = [](const std::string &set, const std::string &look) {
    return perThread +
           "setp.eq.b32 %p1, %r0, 0; @%p1 st.shared.b32 [%d1+512], 0; bar.sync 0;\n"
           "setp.ge.u32 %p2, %r0, 32; @%p2 bra second;\nst.shared.b32 [%d2], %r0; bar.warp.sync -1;\n"
           "@%p1 " +
           set + " [%d1+512], 1; ret;\nsecond: " + look +
           " %r4, [%d1+512]; setp.eq.b32 %p3, %r4, 0; @%p3 bra second; ld.shared.b32 %r5, [%d2-128];";
  };
  expectOrdered(pass("st.release.cta.shared.b32", "ld.acquire.cta.shared.b32"), twoWarps);
  expectRace(pass("st.volatile.shared.b32", "ld.acquire.cta.shared.b32"), twoWarps, "race: read of shared address");
  expectRace(pass("st.release.cta.shared.b32", "ld.volatile.shared.b32"), twoWarps, "race: read of shared address");
}

TEST_F(RaceTest, BlocksAndGlobalMemory) {
  const std::string body = "mov.u32 %r2, %ctaid.x; mad.lo.s32 %r3, %r2, 32, %r0; mad.wide.u32 %d1, %r3, 4, %in0;\n"
                           "mad.wide.u32 %d2, %r0, 4, %in0;\n";
  expectOrdered(body + "st.global.b32 [%d1], %r0; ld.global.b32 %r4, [%d1];", twoBlocks);
  expectRace(body + "st.global.b32 [%d2], %r0;", twoBlocks, "race: write of global address 0x");
  expectRace(body + "ld.global.b32 %r4, [%d2];\nst.global.b32 [%d1], %r4;", twoBlocks, "race: ");
  expectOrdered(body + "ld.global.b32 %r4, [%d2]; red.global.add.u32 [%in1], 1;", twoBlocks);
  expectRace(body + "red.global.add.u32 [%in1], 1; red.global.add.u32 [%in1+4], 1; ld.global.b32 %r4, [%in1];",
             twoBlocks, "race: ");
  // An atomic among the threads of a block is none for other blocks.
  expectRace(body + "atom.relaxed.cta.global.add.u32 %r4, [%in1], 1;", twoBlocks, "race: ");
}

TEST_F(RaceTest, WarpsAndGlobalMemory) {
  const std::string body = perThread +
                           "mad.wide.u32 %d3, %r0, 4, %in0; xor.b32 %r4, %r0, 32; st.global.b32 [%d3], %r0;\n"
                           "mad.wide.u32 %d4, %r4, 4, %in0; ";
  expectRace(body + "ld.global.b32 %r5, [%d4];", twoWarps, "of global address 0x");
  expectOrdered(body + "bar.sync 0; ld.global.b32 %r5, [%d4];", twoWarps);
}

// ld.global.nc may give what a cache kept from before.
TEST_F(RaceTest, NonCoherentReads) {
  const std::string body = "mad.wide.u32 %d1, %r0, 4, %in0;\n";
  const std::string read = "ld.global.nc.b32 %r1, [%d1];\n", write = "st.global.b32 [%d1], %r0;\n";
  expectOrdered(body + read + read, twoBlocks);
  expectRace(body + write + "bar.sync 0;\n" + read, {{}, {32}, 0},
             "which in the same launch has a write by block (0, 0, 0), warp 0, lane 0 in line 11");
  expectRace(body + read + write, {{}, {32}, 0}, "which in the same launch has a non-coherent read by block (0, 0, 0)");
}

TEST_F(RaceTest, CopiesUnderWay) {
  const std::string copy = "mov.b64 %d1, tile; mad.wide.u32 %d2, %r0, 16, %d1; mad.wide.u32 %d3, %r0, 16, %in0;\n"
                           "cp.async.cg.shared.global [%d2], [%d3], 16;\n";
  const std::string use = "xor.b32 %r2, %r0, 32; mad.wide.u32 %d4, %r2, 16, %d1;\nld.shared.b32 %r3, [%d4];";
  expectOrdered(copy + "cp.async.wait_all; bar.sync 0;" + use, twoWarps);
  // Waiting behind the barrier is too late for the other warp.
  expectRace(copy + "bar.sync 0; cp.async.wait_all;" + use, twoWarps, "race: read of shared address 0x");
  expectRace(
      copy + "st.shared.b32 [%d2+4], %r0;", {{}, {32}, 0},
      "lane 0, line 12: race: write of shared address 0x414 while the copy that block (0, 0, 0), warp 0, lane 0 in "
      "line 11 began is under way");
}

// Who waits for copies knows of its own.
TEST_F(RaceTest, CopiesOfOtherLanes) {
  const std::string body = perThread +
                           "mad.wide.u32 %d4, %r0, 4, %in0; xor.b32 %r4, %r0, 1; mad.wide.u32 %d3, %r4, 4, %d1;\n"
                           "cp.async.ca.shared.global [%d2], [%d4], 4; cp.async.wait_all;\n";
  expectRace(body + "ld.shared.b32 %r5, [%d3];", oneWarp, "race: read of shared address");
  expectOrdered(body + "ld.shared.b32 %r5, [%d2];", oneWarp);
  expectOrdered(body + "bar.warp.sync -1; ld.shared.b32 %r5, [%d3];", oneWarp);
}

TEST_F(RaceTest, CanBeSwitchedOff) {
  const Status status = launch(makeKernel(perThread + "st.shared.b32 [%d1], %r2;", 0, ".shared .b8 tile[64];"), {},
                               {{}, {64}, 0}, {.checkRaces = false});
  EXPECT_NE(status.getMessage().find("is not aligned"), std::string::npos);
  EXPECT_TRUE(launch(makeKernel(perThread + "st.shared.b32 [%d1], %r2;", 0, ".shared .align 4 .b8 tile[64];"), {},
                     twoWarps, {.checkRaces = false})
                  .ok());
}

} // namespace
} // namespace moert::emu
