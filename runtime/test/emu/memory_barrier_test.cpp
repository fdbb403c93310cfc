// mbarrier objects: phases, tokens, copies that arrive, and misuse.
#include "emu_fixture.h"

namespace moert::emu {
namespace {

const std::string variables =
    ".shared .align 8 .b8 full[8]; .shared .align 8 .b8 empty[8]; .shared .align 16 .b8 tile[1024];";
const std::string addresses =
    "mov.b64 %d1, full; mov.b64 %d2, empty; mov.b64 %d3, tile; mad.wide.u32 %d4, %r0, 16, %d3;\n";
// The first thread makes barriers of `count` arrivals.
std::string initialise(const std::string &count) {
  return addresses + "setp.ne.b32 %p1, %r0, 0; @%p1 bra ready; mbarrier.init.shared.b64 [%d1], " + count +
         "; mbarrier.init.shared.b64 [%d2], " + count + ";\nready: bar.sync 0;\n";
}
const std::string wait = "again: mbarrier.test_wait.shared.b64 %p2, [%d1], %d5; @!%p2 bra again;\n";

class MemoryBarrierTest : public EmuTest {
protected:
  Status run(const std::string &body, uint32_t threads, const LaunchOptions &options, uint64_t &output) {
    std::vector<uint32_t> values(4 * threads);
    for (uint32_t i = 0; i < values.size(); ++i)
      values[i] = i;
    output = allocate<uint32_t>(threads);
    const uint64_t input = upload(values);
    return launch(makeKernel(body + "\nmad.wide.u32 %d9, %r0, 4, %in1; st.global.b32 [%d9], %r1;", 2, variables),
                  {input, output}, {{}, {threads}, 0}, options);
  }
  std::vector<uint32_t> compute(const std::string &body, uint32_t threads, const LaunchOptions &options) {
    uint64_t output;
    const Status status = run(body, threads, options, output);
    EXPECT_TRUE(status.ok()) << status.getMessage();
    return status.ok() ? download<uint32_t>(output, threads) : std::vector<uint32_t>(threads);
  }
  void expectFault(const std::string &body, uint32_t threads, const std::string &message) {
    uint64_t output;
    const Status status = run(body, threads, {}, output);
    EXPECT_EQ(status.getCode(), MOERT_RUN_FAILED);
    EXPECT_NE(status.getMessage().find(message), std::string::npos) << status.getMessage();
  }
};

TEST_F(MemoryBarrierTest, OrdersWarps) {
  const std::string body = initialise("64") +
                           "mad.wide.u32 %d6, %r0, 4, %d3; st.shared.b32 [%d6], %r0;\n"
                           "mbarrier.arrive.shared.b64 %d5, [%d1];\n" +
                           wait + "sub.s32 %r2, 63, %r0; mad.wide.u32 %d6, %r2, 4, %d3; ld.shared.b32 %r1, [%d6];";
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const auto values = compute(body, 64, {.seed = seed});
    for (uint32_t i = 0; i < 64; ++i)
      EXPECT_EQ(values[i], 63 - i);
  }
}

// Warp 0 writes, warp 1 reads, ten times through one buffer; parities say whose turn it is.
TEST_F(MemoryBarrierTest, PhasesAlternate) {
  const std::string body =
      initialise("32") +
      "and.b32 %r2, %r0, 31; mad.wide.u32 %d6, %r2, 4, %d3; mov.b32 %r1, 0; mov.b32 %r3, 0; mov.b32 %r4, 0;\n"
      "setp.ge.u32 %p3, %r0, 32; @%p3 bra consume;\n"
      "produce: xor.b32 %r5, %r4, 1;\n"
      "free: mbarrier.test_wait.parity.shared.b64 %p2, [%d2], %r5; @!%p2 bra free;\n"
      "st.shared.b32 [%d6], %r3; mbarrier.arrive.shared.b64 %d5, [%d1]; xor.b32 %r4, %r4, 1; add.s32 %r3, %r3, 1;\n"
      "setp.lt.u32 %p4, %r3, 10; @%p4 bra produce; bra done;\n"
      "consume: mbarrier.test_wait.parity.shared.b64 %p2, [%d1], %r4; @!%p2 bra consume;\n"
      "ld.shared.b32 %r6, [%d6]; add.s32 %r1, %r1, %r6; mbarrier.arrive.shared.b64 %d5, [%d2];\n"
      "xor.b32 %r4, %r4, 1; add.s32 %r3, %r3, 1; setp.lt.u32 %p4, %r3, 10; @%p4 bra consume;\ndone:";
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const auto values = compute(body, 64, {.seed = seed});
    EXPECT_EQ(values[0], 0u);
    EXPECT_EQ(values[63], 45u);
  }
}

TEST_F(MemoryBarrierTest, CopiesArrive) {
  const std::string copy = "mad.wide.u32 %d6, %r0, 16, %in0; cp.async.cg.shared.global [%d4], [%d6], 16;\n";
  const std::string use = "xor.b32 %r2, %r0, 32; mad.wide.u32 %d6, %r2, 16, %d3; ld.shared.b32 %r1, [%d6+4];";
  const std::string counted = initialise("64") + copy +
                              "cp.async.mbarrier.arrive.noinc.shared.b64 [%d1];\nmov.b32 %r3, 0;\n"
                              "again: mbarrier.test_wait.parity.shared.b64 %p2, [%d1], %r3; @!%p2 bra again;\n" +
                              use;
  const std::string added = initialise("64") + copy + "cp.async.mbarrier.arrive.shared.b64 [%d1];\n" +
                            "mbarrier.arrive.shared.b64 %d5, [%d1];\n" + wait + use;
  for (const std::string &body : {counted, added})
    for (const CopyOrder order : {CopyOrder::Latest, CopyOrder::Random})
      for (uint64_t seed = 0; seed < 6; ++seed) {
        const auto values = compute(body, 64, {.seed = seed, .copyOrder = order});
        for (uint32_t i = 0; i < 64; ++i)
          EXPECT_EQ(values[i], 4 * (i ^ 32) + 1);
      }
}

// An arrival behind copies says nothing about copies begun later.
TEST_F(MemoryBarrierTest, LaterCopiesDoNotArrive) {
  const std::string copy = "mad.wide.u32 %d6, %r0, 16, %in0; cp.async.cg.shared.global [%d4], [%d6], 16;\n";
  expectFault(initialise("64") + copy + "cp.async.mbarrier.arrive.noinc.shared.b64 [%d1]; cp.async.wait_all;\n" + copy +
                  "mov.b32 %r3, 0;\n"
                  "again: mbarrier.test_wait.parity.shared.b64 %p2, [%d1], %r3; @!%p2 bra again;\n"
                  "ld.shared.b32 %r1, [%d4];",
              64, "race: read of shared address");
}

TEST_F(MemoryBarrierTest, CountsAndDrops) {
  const std::string body = initialise("33") +
                           "mbarrier.arrive.noComplete.shared.b64 %d5, [%d1], 1; setp.ne.b32 %p3, %r0, 5;\n"
                           "mbarrier.pending_count.b64 %r1, %d5; @%p3 bra on;\n"
                           "mbarrier.arrive_drop.shared.b64 %d6, [%d1];\n"
                           "on: bar.sync 0; mbarrier.test_wait.shared.b64 %p2, [%d1], %d5; @%p2 bra fine; ret;\n"
                           "fine: mbarrier.arrive.shared.b64 %d6, [%d1]; mbarrier.pending_count.b64 %r3, %d6;\n"
                           "add.s32 %r1, %r1, %r3;";
  const auto values = compute(body, 32, {});
  // 33 arrivals in the first phase and 32 in the second, lane by lane.
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(values[i], 33 - i + 32 - i);
}

TEST_F(MemoryBarrierTest, Misuse) {
  expectFault(addresses + "mbarrier.arrive.shared.b64 %d5, [%d1];", 32,
              "lane 0, line 11: no mbarrier was initialised at shared address");
  expectFault(initialise("0"), 32, "mbarrier of 0 arrivals, expected 1 to 1048575");
  expectFault(initialise("1") + "mbarrier.arrive.noComplete.shared.b64 %d5, [%d1], 1;", 32,
              "1 arrivals at the mbarrier at shared address 0x408 in phase 0, expected less than 1");
  expectFault(initialise("1") + "@%p1 bra end; mbarrier.init.shared.b64 [%d1], 1;\nend: mov.b32 %r1, 0;", 32,
              "second initialisation of the mbarrier");
  expectFault(initialise("32") + "mbarrier.arrive.shared.b64 %d5, [%d1]; mbarrier.arrive.shared.b64 %d6, [%d1];\n" +
                  wait,
              32, "the state is not of the present or previous phase");
  expectFault(initialise("32") + "mbarrier.arrive.shared.b64 %d5, [%d2];\n" + wait, 32, "the state is not of");
  expectFault(initialise("32") + "mov.b32 %r3, 2; mbarrier.test_wait.parity.shared.b64 %p2, [%d1], %r3;", 32,
              "phase parity 2, expected 0 or 1");
  expectFault(initialise("32") + "@%p1 bra end; st.shared.b32 [%d1+4], 1;\nend: mov.b32 %r1, 0;", 32,
              "write over the mbarrier at shared address 0x40c");
  expectFault(initialise("32") + "ld.shared.b32 %r1, [%d1];", 32, "stored value depends");
}

// Arrivals that nobody expects and phases that nobody ends.
TEST_F(MemoryBarrierTest, Deadlock) {
  expectFault(
      initialise("65") + "mbarrier.arrive.shared.b64 %d5, [%d1];\n" + wait, 64,
      "deadlock: warp 0 spins in line 14 for the mbarrier at shared address 0x408 (phase 0, 1 of 65 arrivals are "
      "missing), warp 1 spins in line 14");
}

// Without the barrier behind the initialisation others may come first.
TEST_F(MemoryBarrierTest, InitialisationIsAWrite) {
  std::string body = initialise("64");
  body.replace(body.find("bar.sync 0;"), 11, "");
  expectFault(body + "mbarrier.arrive.shared.b64 %d5, [%d1]; mov.b32 %r1, 0;", 64,
              "race: read of shared address 0x408 and the write by block (0, 0, 0), warp 0, lane 0 in line 11");
}

} // namespace
} // namespace moert::emu
