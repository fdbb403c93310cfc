// What launches count.
#include "emu_fixture.h"

namespace moert::emu {
namespace {

class CountersTest : public EmuTest {
protected:
  LaunchCounters run(const std::string &body, const std::vector<uint64_t> &pointers, const LaunchShape &shape) {
    report = {};
    const Status status =
        launch(makeKernel(body, static_cast<int>(pointers.size()), ".shared .align 16 .b8 tile[4096];"), pointers,
               shape, {.count = true});
    EXPECT_TRUE(status.ok()) << status.getMessage();
    return report.counters;
  }
  LaunchCounters runWarp(const std::string &body, const std::vector<uint64_t> &pointers = {}) {
    return run(body, pointers, {{}, {32}, 0});
  }
};

TEST_F(CountersTest, Classes) {
  const LaunchCounters counters =
      run("mov.b32 %r1, 0f3F800000; add.f32 %r2, %r1, %r1; mul.f32 %r3, %r2, %r1; ex2.approx.f32 %r4, %r3;\n"
          "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r5, %r6, %r7, %r8}, {%r1, %r1, %r1, %r1}, {%r1, %r1}, "
          "{%r1, %r1, %r1, %r1};\nbar.sync 0; bar.sync 0;",
          {}, {{3}, {64}, 0});
  EXPECT_EQ(counters.of(InstructionClass::Integer), 6u * 2);
  EXPECT_EQ(counters.of(InstructionClass::Float), 6u * 2);
  EXPECT_EQ(counters.of(InstructionClass::Special), 6u);
  EXPECT_EQ(counters.of(InstructionClass::Tensor), 6u);
  EXPECT_EQ(counters.of(InstructionClass::Barrier), 6u * 2);
  EXPECT_EQ(counters.of(InstructionClass::Control), 6u);
  EXPECT_EQ(counters.of(TensorType::BF16), 6u * 2 * 16 * 8 * 16);
  EXPECT_EQ(counters.barrierWaits, 12u);
  EXPECT_EQ(counters.blocks, 3u);
  EXPECT_EQ(counters.threads, 192u);
  EXPECT_EQ(counters.threadsPerBlock, 64u);
  EXPECT_GE(counters.staticSharedBytes, 4096u);
  LaunchCounters sum = counters;
  sum += counters;
  EXPECT_EQ(sum.launches, 2u);
  EXPECT_EQ(sum.threads, 384u);
  EXPECT_EQ(sum.threadsPerBlock, 64u);
}

TEST_F(CountersTest, BytesAndSectors) {
  const uint64_t input = upload(std::vector<uint32_t>(4096)), output = allocate<uint32_t>(4096);
  const auto load = [&](const std::string &type, const std::string &step, const std::string &registers) {
    return runWarp("mad.wide.u32 %d1, %r0, " + step + ", %in0; ld.global." + type + " " + registers + ", [%d1];",
                   {input});
  };
  EXPECT_EQ(load("b32", "4", "%r1").globalReadSectors, 4u);
  EXPECT_EQ(load("b32", "64", "%r1").globalReadSectors, 32u);
  EXPECT_EQ(load("b32", "0", "%r1").globalReadSectors, 1u);
  const LaunchCounters wide = load("v4.b32", "16", "{%r1, %r2, %r3, %r4}");
  EXPECT_EQ(wide.globalReadSectors, 16u);
  EXPECT_EQ(wide.global.readBytes, 512u);
  EXPECT_EQ(wide.global.readRequests, 1u);
  EXPECT_EQ(wide.global.writtenBytes, 0u);
  // In descending order of addresses, and only by the first ten lanes.
  const LaunchCounters store =
      runWarp("sub.s32 %r2, 31, %r0; mad.wide.u32 %d1, %r2, 4, %in0; setp.lt.u32 %p1, %r0, 10;\n"
              "@%p1 st.global.b32 [%d1], %r0;",
              {output});
  EXPECT_EQ(store.globalWrittenSectors, 2u);
  EXPECT_EQ(store.global.writtenBytes, 40u);
  EXPECT_EQ(store.global.writeRequests, 1u);
}

TEST_F(CountersTest, UniqueBytesByTag) {
  std::vector<uint32_t> host(1024);
  GlobalMemory &memory = emulator.getMemory();
  const uint64_t weights = memory.map(std::as_writable_bytes(std::span(host)));
  const uint64_t activations = memory.allocate(4096, MemoryTag::Activations);
  // Two blocks read the same weights, twice, and write half a sector each.
  const LaunchCounters counters =
      run("mad.wide.u32 %d1, %r0, 4, %in0; ld.global.b32 %r1, [%d1]; ld.global.b32 %r1, [%d1]; mov.u32 %r2, %ctaid.x;\n"
          "mad.wide.u32 %d2, %r2, 16, %in1; setp.lt.u32 %p1, %r0, 4; mad.wide.u32 %d3, %r0, 4, %d2;\n"
          "@%p1 st.global.b32 [%d3], %r1;",
          {weights, activations}, {{2}, {64}, 0});
  EXPECT_EQ(counters.of(MemoryTag::Weights).readBytes, 2u * 2 * 64 * 4);
  EXPECT_EQ(counters.of(MemoryTag::Weights).uniqueReadBytes, 256u);
  EXPECT_EQ(counters.of(MemoryTag::Weights).uniqueWrittenBytes, 0u);
  EXPECT_EQ(counters.of(MemoryTag::Activations).writtenBytes, 32u);
  EXPECT_EQ(counters.of(MemoryTag::Activations).uniqueWrittenBytes, 32u);
  EXPECT_EQ(counters.of(MemoryTag::Activations).uniqueReadBytes, 0u);
}

TEST_F(CountersTest, CopiesReadGlobalAndWriteSharedMemory) {
  const uint64_t input = upload(std::vector<uint32_t>(4096));
  const LaunchCounters counters =
      runWarp("mov.b64 %d1, tile; mad.wide.u32 %d2, %r0, 16, %d1; mad.wide.u32 %d3, %r0, 16, %in0; mov.b32 %r1, 8;\n"
              "cp.async.cg.shared.global [%d2], [%d3], 16, %r1; cp.async.wait_all;",
              {input});
  EXPECT_EQ(counters.global.readBytes, 256u);
  EXPECT_EQ(counters.global.readRequests, 1u);
  EXPECT_EQ(counters.globalReadSectors, 16u);
  EXPECT_EQ(counters.shared.writtenBytes, 512u);
  EXPECT_EQ(counters.shared.readBytes, 0u);
  EXPECT_EQ(counters.sharedAccesses, 4u);
  EXPECT_EQ(counters.sharedConflicts, 0u);
}

TEST_F(CountersTest, BankConflicts) {
  const auto store = [&](const std::string &type, const std::string &step, const std::string &values) {
    const LaunchCounters counters = runWarp("mov.b64 %d1, tile; mad.wide.u32 %d2, %r0, " + step +
                                            ", %d1; mov.b32 %r1, 1; st.shared." + type + " [%d2], " + values + ";");
    return std::pair(counters.sharedAccesses, counters.sharedConflicts);
  };
  using Pair = std::pair<uint64_t, uint64_t>;
  EXPECT_EQ(store("b32", "4", "%r1"), Pair(1, 0));
  EXPECT_EQ(store("b32", "8", "%r1"), Pair(1, 1));
  EXPECT_EQ(store("b32", "128", "%r1"), Pair(1, 31));
  EXPECT_EQ(store("b32", "36", "%r1"), Pair(1, 0));
  EXPECT_EQ(store("b32", "0", "%r1"), Pair(1, 0));
  EXPECT_EQ(store("v2.b32", "8", "{%r1, %r1}"), Pair(2, 0));
  EXPECT_EQ(store("v4.b32", "16", "{%r1, %r1, %r1, %r1}"), Pair(4, 0));
  EXPECT_EQ(store("v4.b32", "64", "{%r1, %r1, %r1, %r1}"), Pair(4, 4 * 3));
}

// Rows of 64 bytes put every second row of a matrix into the same banks; rows of 80 bytes do not.
TEST_F(CountersTest, BankConflictsOfMatrices) {
  const auto load = [&](const std::string &pitch) {
    return runWarp("mov.b64 %d1, tile; mad.wide.u32 %d2, %r0, " + pitch +
                   ", %d1; ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1, %r2, %r3, %r4}, [%d2];");
  };
  EXPECT_EQ(load("64").sharedConflicts, 4u * 3);
  EXPECT_EQ(load("80").sharedConflicts, 0u);
  EXPECT_EQ(load("80").sharedAccesses, 4u);
  EXPECT_EQ(load("80").shared.readBytes, 512u);
}

TEST_F(CountersTest, NothingIsCountedUnlessAskedFor) {
  report = {};
  ASSERT_TRUE(launch(makeKernel("bar.sync 0;", 0), {}).ok());
  EXPECT_EQ(report.counters.launches, 0u);
  EXPECT_EQ(report.counters.of(InstructionClass::Barrier), 0u);
  EXPECT_GT(report.instructions, 0u);
}

} // namespace
} // namespace moert::emu
