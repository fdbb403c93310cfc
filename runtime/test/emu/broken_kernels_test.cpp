// Two kernels that hand tiles from copies to those who use them, and broken versions of them, each of which is caught.
#include "emu_fixture.h"

namespace moert::emu {
namespace {

// Each of 64 threads copies 16 bytes of every step into one of two stages, and adds up what a thread of the other warp
// has copied. Two blocks, each with its own part of input and output.
constexpr uint32_t threads = 64, blocks = 2, steps = 5;
const std::string addresses =
    "mov.b64 %d1, tile; mad.wide.u32 %d2, %r0, 16, %d1; xor.b32 %r1, %r0, 32; mad.wide.u32 %d3, %r1, 16, %d1;\n"
    "mov.u32 %r2, %ctaid.x; mad.lo.u32 %r3, %r2, 320, %r0; mad.wide.u32 %d4, %r3, 16, %in0;\n"
    "mad.lo.u32 %r4, %r2, 64, %r0; mad.wide.u32 %d5, %r4, 16, %in1;\n"
    "mov.b32 %r10, 0; mov.b32 %r11, 0; mov.b32 %r12, 0; mov.b32 %r13, 0; mov.b32 %r5, 0; mov.b64 %d6, 0;\n";
const std::string copy = "cp.async.cg.shared.global [%d7], [%d4], 16;\n";
const std::string use = "ld.shared.v4.b32 {%r14, %r15, %r16, %r17}, [%d8];\n"
                        "add.s32 %r10, %r10, %r14; add.s32 %r11, %r11, %r15; add.s32 %r12, %r12, %r16;\n"
                        "add.s32 %r13, %r13, %r17;\n";
const std::string finish = "st.global.v4.b32 [%d5], {%r10, %r11, %r12, %r13};\n";

// The copy of a step begins while the one before it is used.
const std::string pipeline = addresses + "add.s64 %d7, %d2, %d6;\n" + copy +
                             "cp.async.commit_group;\n"
                             "loop: add.s32 %r6, %r5, 1; setp.ge.u32 %p1, %r6, 5; xor.b64 %d9, %d6, 1024;\n"
                             "@%p1 bra last; add.s64 %d4, %d4, 1024; add.s64 %d7, %d2, %d9;\n" +
                             copy +
                             "last: cp.async.commit_group;\n"
                             "cp.async.wait_group 1;\n"
                             "bar.sync 0;\n"
                             "add.s64 %d8, %d3, %d6;\n" +
                             use +
                             "bar.sync 0; // behind use\n"
                             "mov.b64 %d6, %d9; mov.b32 %r5, %r6; @!%p1 bra loop;\n" +
                             finish;

// One stage; `full` says that all copies of a step have landed, `empty` that all have used them.
const std::string handshake = addresses +
                              "mov.b64 %d10, full; mov.b64 %d11, empty; mov.b32 %r6, 0; mov.b32 %r7, 1; setp.ne.b32 "
                              "%p1, %r0, 0; @%p1 bra ready;\n"
                              "mbarrier.init.shared.b64 [%d10], 64; mbarrier.init.shared.b64 [%d11], 64;\n"
                              "ready: bar.sync 0; mov.b64 %d7, %d2; mov.b64 %d8, %d3;\n"
                              "loop: mbarrier.test_wait.parity.shared.b64 %p2, [%d11], %r7; // empty\n"
                              "@!%p2 bra loop;\n" +
                              copy +
                              "cp.async.mbarrier.arrive.noinc.shared.b64 [%d10];\n"
                              "wait: mbarrier.test_wait.parity.shared.b64 %p2, [%d10], %r6; // full\n"
                              "@!%p2 bra wait;\n" +
                              use +
                              "mbarrier.arrive.shared.b64 %d12, [%d11];\n"
                              "xor.b32 %r6, %r6, 1; xor.b32 %r7, %r7, 1; add.s64 %d4, %d4, 1024; add.s32 %r5, %r5, 1;\n"
                              "setp.lt.u32 %p3, %r5, 5; @%p3 bra loop;\n" +
                              finish;

class BrokenKernelsTest : public EmuTest {
protected:
  // What is wrong, or nothing.
  std::string run(const std::string &body, const LaunchOptions &options) {
    std::vector<uint32_t> input(blocks * steps * threads * 4);
    for (uint32_t i = 0; i < input.size(); ++i)
      input[i] = i * i;
    const uint64_t source = upload(input), output = allocate<uint32_t>(blocks * threads * 4);
    report = {};
    const Status status = launch(makeKernel(body, 2,
                                            ".shared .align 16 .b8 tile[2048]; .shared .align 8 .b8 full[8]; "
                                            ".shared .align 8 .b8 empty[8];"),
                                 {source, output}, {{blocks}, {threads}, 0}, options);
    if (!status.ok())
      return status.getMessage();
    const auto values = download<uint32_t>(output, blocks * threads * 4);
    for (uint32_t i = 0; i < values.size(); ++i) {
      const uint32_t block = i / (threads * 4), other = i % (threads * 4) ^ 128;
      uint32_t expected = 0;
      for (uint32_t step = 0; step < steps; ++step)
        expected += input[(block * steps + step) * threads * 4 + other];
      if (values[i] != expected)
        return "wrong result";
    }
    return {};
  }

  struct Mutation {
    std::string from, to, message;
  };
  // Caught in every order of the warps, whenever copies land.
  void expectCaught(std::string body, const Mutation &mutation) {
    const size_t at = body.find(mutation.from);
    ASSERT_NE(at, std::string::npos) << mutation.from;
    body.replace(at, mutation.from.size(), mutation.to);
    for (const CopyOrder order : {CopyOrder::Latest, CopyOrder::Random})
      for (uint64_t seed = 1; seed <= 4; ++seed) {
        const std::string fault = run(body, {.seed = seed, .instructionLimit = 100000, .copyOrder = order});
        EXPECT_TRUE(!fault.empty() && fault.find(mutation.message) != std::string::npos)
            << mutation.from << " -> " << mutation.to << "\nseed " << seed << ": " << fault;
      }
  }
};

TEST_F(BrokenKernelsTest, WholeOnesWork) {
  for (const std::string &body : {pipeline, handshake})
    for (const CopyOrder order : {CopyOrder::Latest, CopyOrder::Random})
      for (uint64_t seed = 0; seed < 16; ++seed)
        EXPECT_EQ(run(body, {.seed = seed, .copyOrder = order}), "");
}

TEST_F(BrokenKernelsTest, Pipeline) {
  const Mutation mutations[] = {
      {"cp.async.wait_group 1;", "", "race: read of shared address"},
      {"cp.async.wait_group 1;", "cp.async.wait_group 2;", "race: read of shared address"},
      {"cp.async.commit_group;\nloop", "\nloop", "race: read of shared address"},
      {"cp.async.wait_group 1;\nbar.sync 0;", "bar.sync 0;\ncp.async.wait_group 1;", "race: "},
      {"bar.sync 0;\n", "\n", "race: "},
      {"bar.sync 0; // behind use", "", "race: "},
      {"bar.sync 0;\n", "bar.sync 0, 32;\n", "race: "},
      {"bar.sync 0;\n", "bar.sync 0, 96;\n", "of 96 threads"},
      {"bar.sync 0;\n", "bar.sync 0, 40;\n", "barrier of 40 threads, expected a multiple of 32"},
      {"bar.sync 0;\n", "bar.arrive 1, 64;\n", "race: "},
      {"bar.sync 0;\n", "@!%p1 bar.sync 0;\n", "race: "},
      {"xor.b64 %d9, %d6, 1024", "mov.b64 %d9, %d6", "race: write of shared address"},
      {"xor.b64 %d9, %d6, 1024", "add.s64 %d9, %d6, 1024", "runs out of"},
      {"add.s64 %d4, %d4, 1024", "add.s64 %d4, %d4, 4096", "is outside of every allocation"},
      {"add.s64 %d4, %d4, 1024", "add.s64 %d4, %d4, 1020", "is not aligned"},
      {"add.s64 %d8, %d3, %d6", "add.s64 %d8, %d3, %d9", "race: read of shared address"},
      {"setp.ge.u32 %p1, %r6, 5", "setp.ge.u32 %p1, %r6, 4", "wrong result"},
      {"mad.lo.u32 %r4, %r2, 64, %r0", "mad.lo.u32 %r4, %r2, 63, %r0", "race: write of global address"},
      {"mad.lo.u32 %r4, %r2, 64, %r0", "mov.b32 %r4, %r0", "race: write of global address"},
      {"mov.b32 %r13, 0;", "", "stored value depends on a value that was never written"},
  };
  for (const Mutation &mutation : mutations)
    expectCaught(pipeline, mutation);
}

TEST_F(BrokenKernelsTest, Handshake) {
  const Mutation mutations[] = {
      {"[%d10], %r6; // full", "[%d10], %r7; // full", ""},
      {"[%d11], %r7; // empty", "[%d11], %r6; // empty", "deadlock: "},
      {"xor.b32 %r6, %r6, 1;", "", "race: "},
      {"xor.b32 %r7, %r7, 1;", "", "race: "},
      {"[%d10], 64;", "[%d10], 32;", "race: read of shared address"},
      {"[%d10], 64;", "[%d10], 65;", "phase 0, 1 of 65 arrivals are missing"},
      {"[%d11], 64;", "[%d11], 32;", "race: "},
      {"mbarrier.arrive.shared.b64 %d12, [%d11];", "", "deadlock: "},
      {"cp.async.mbarrier.arrive.noinc", "cp.async.mbarrier.arrive", "deadlock: "},
      {"cp.async.mbarrier.arrive.noinc.shared.b64 [%d10];", "mbarrier.arrive.shared.b64 %d12, [%d10];",
       "while the copy that"},
      {"@!%p2 bra wait;", "", "race: "},
      {"ready: bar.sync 0;", "ready:", ""},
  };
  for (const Mutation &mutation : mutations)
    expectCaught(handshake, mutation);
}

// A tile whose rows all begin in the same bank shows in the counters.
TEST_F(BrokenKernelsTest, BankConflicts) {
  EXPECT_EQ(run(pipeline, {.count = true}), "");
  EXPECT_EQ(report.counters.sharedConflicts, 0u);
  EXPECT_EQ(report.counters.globalReadSectors * 32, report.counters.global.readBytes);
  const std::string body = "mov.b64 %d1, tile; shl.b32 %r1, %r0, 5; and.b32 %r1, %r1, 2047; cvt.u64.u32 %d2, %r1;\n"
                           "add.s64 %d3, %d1, %d2; setp.lt.u32 %p1, %r0, 32; @%p1 st.shared.b32 [%d3], %r0;";
  ASSERT_TRUE(
      launch(makeKernel(body, 0, ".shared .align 16 .b8 tile[2048];"), {}, {{}, {threads}, 0}, {.count = true}).ok());
  EXPECT_EQ(report.counters.sharedConflicts, 7u);
}

} // namespace
} // namespace moert::emu
