// Broken kernels: each mistake is reported where it happens.
#include "emu_fixture.h"

namespace moert::emu {
namespace {

class FaultsTest : public EmuTest {
protected:
  void expectFault(const std::string &body, const std::string &message, const std::string &variables = "",
                   uint32_t threads = 32, const LaunchOptions &options = {}) {
    const uint64_t input = upload(std::vector<uint32_t>(128, 1)), output = allocate<uint32_t>(128);
    const Status status = launch(makeKernel(body, 2, variables), {input, output}, {{}, {threads}, 0}, options);
    EXPECT_EQ(status.getCode(), MOERT_RUN_FAILED);
    EXPECT_NE(status.getMessage().find(message), std::string::npos) << status.getMessage();
  }
};

const std::string tile = ".shared .align 16 .b8 tile[512];";
const std::string addresses = "mov.b64 %d1, tile; mad.wide.u32 %d2, %r0, 16, %d1; mad.wide.u32 %d3, %r0, 16, %in0; "
                              "mad.wide.u32 %d4, %r0, 4, %in1;\n";

TEST_F(FaultsTest, RegisterNeverWritten) {
  expectFault("mad.wide.u32 %d4, %r0, 4, %in1;\nadd.s32 %r1, %r2, 1;\nst.global.b32 [%d4], %r1;",
              "kernel 'k', block (0, 0, 0), warp 0, lane 0, line 12: stored value depends on a value that was never "
              "written");
  expectFault("st.global.b32 [%d4], 1;", "line 10: address depends on a value that was never written");
  expectFault("@%p1 bra behind;\nbehind: ret;", "line 10: predicate depends on a value that was never written");
}

TEST_F(FaultsTest, RegisterWrittenBySomeLanesOnly) {
  expectFault("setp.lt.u32 %p1, %r0, 9; @%p1 mov.b32 %r1, 5; mad.wide.u32 %d4, %r0, 4, %in1; st.global.b32 [%d4], %r1;",
              "lane 9, line 10: stored value depends");
}

// Compilers leave open what lies in parts of a register that they do not use.
TEST_F(FaultsTest, PartsThatDoNotMatter) {
  const uint64_t output = allocate<uint32_t>(32);
  const std::string body =
      "mad.wide.u32 %d4, %r0, 4, %in0; mov.b16 %h1, 7; mov.b32 %r1, {%h1, %h2}; mov.b32 {%h3, _}, %r1;\n"
      "cvt.u32.u16 %r2, %h3; prmt.b32 %r3, %r2, %r9, 0x3210; st.global.b32 [%d4], %r3;";
  const Status status = launch(makeKernel(body, 1), {output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  EXPECT_EQ(download<uint32_t>(output, 32), std::vector<uint32_t>(32, 7));
  expectFault("mov.b16 %h1, 7; setp.lt.u32 %p1, %r0, 9; @%p1 mov.b16 %h2, 5; mov.b32 %r1, {%h1, %h2};\n"
              "mad.wide.u32 %d4, %r0, 4, %in1; st.global.b32 [%d4], %r1;",
              "lane 9, line 11: stored value depends");
  expectFault("setp.lt.u32 %p1, %r0, 0; @%p1 mov.b32 %r9, 5; prmt.b32 %r1, 1, %r9, 0x4210;\nmad.wide.u32 %d4, %r0, 4, "
              "%in1; st.global.b32 [%d4], %r1;",
              "lane 0, line 11: stored value depends");
}

TEST_F(FaultsTest, DivisionByZero) {
  expectFault("div.u32 %r1, 7, %r0; mad.wide.u32 %d4, %r0, 4, %in1; st.global.b32 [%d4], %r1;",
              "lane 0, line 10: stored value depends");
}

TEST_F(FaultsTest, SharedMemoryNeverWritten) {
  expectFault(addresses + "ld.shared.b32 %r1, [%d2];\nst.global.b32 [%d4], %r1;", "line 12: stored value depends",
              tile);
}

// Poison of one row reaches that row of the product and no other.
TEST_F(FaultsTest, PoisonPassesThroughProducts) {
  const std::string product =
      "mov.b32 %r1, 0; setp.ne.b32 %p1, %r0, 4; @%p1 mov.b32 %r2, 0;\n"
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r5, %r6, %r7, %r8}, {%r2, %r1, %r1, %r1}, {%r1, %r1}, "
      "{%r1, %r1, %r1, %r1};\nmad.wide.u32 %d4, %r0, 4, %in1;\n";
  expectFault(product + "st.global.b32 [%d4], %r5;", "lane 4, line 13: stored value depends");
  const Status status =
      launch(makeKernel(product + "st.global.b32 [%d4], %r7;", 2), {allocate<uint32_t>(1), allocate<uint32_t>(32)});
  EXPECT_TRUE(status.ok()) << status.getMessage();
}

TEST_F(FaultsTest, MissingBarrier) {
  const std::string body = "mov.b64 %d1, tile; mad.wide.u32 %d2, %r0, 4, %d1; st.shared.b32 [%d2], %r0;\n"
                           "xor.b32 %r1, %r0, 32; mad.wide.u32 %d2, %r1, 4, %d1;\nld.shared.b32 %r2, [%d2];\n"
                           "mad.wide.u32 %d4, %r0, 4, %in1; st.global.b32 [%d4], %r2;";
  expectFault(body, "warp 0, lane 0, line 13: stored value depends", tile, 64);
}

TEST_F(FaultsTest, MissingWait) {
  const std::string copy = addresses + "cp.async.cg.shared.global [%d2], [%d3], 16;\n cp.async.commit_group;\n";
  const std::string use = "ld.shared.b32 %r1, [%d2];\nst.global.b32 [%d4], %r1;";
  const LaunchOptions withoutRaces = {.checkRaces = false};
  expectFault(copy + use, "line 14: stored value depends", tile, 32, withoutRaces);
  expectFault(copy + "cp.async.wait_group 1;\n" + use, "line 15: stored value depends", tile, 32, withoutRaces);
}

// The next copy into a buffer begins while another warp still reads it.
TEST_F(FaultsTest, BufferOverwrittenTooEarly) {
  const std::string body = addresses +
                           "st.shared.b32 [%d2], 1; bar.sync 0; setp.lt.u32 %p1, %r0, 32; @!%p1 bra read;\n"
                           "cp.async.cg.shared.global [%d2], [%d3], 16;\n read: xor.b32 %r1, %r0, 32;\n"
                           "mad.wide.u32 %d2, %r1, 16, %d1; ld.shared.b32 %r2, [%d2];\nst.global.b32 [%d4], %r2;";
  expectFault(body, "race: write of shared address 0x410 and the read by block (0, 0, 0), warp 1, lane 0 in line 14",
              ".shared .align 16 .b8 tile[1024];", 64);
}

TEST_F(FaultsTest, OutOfBounds) {
  expectFault("mad.wide.u32 %d1, %r0, 8, %in0;\nld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%d1+272];", "is not aligned");
  expectFault("mad.wide.u32 %d1, %r0, 16, %in0;\nld.global.b32 %r1, [%d1+16];",
              "block (0, 0, 0), warp 0, lane 31, line 11: access to 4 bytes at global address 0x");
  expectFault("mov.b64 %d1, 0;\nst.global.b32 [%d1], 1;", "global address 0x0 is outside of every allocation");
  expectFault(addresses + "st.shared.b32 [%d2+16], 1;",
              "lane 31, line 11: access to 4 bytes at shared address 0x610 runs out of 528 bytes at 0x400", tile);
  expectFault("mov.b32 %r1, 1; mov.b64 %d1, 0; st.shared.b32 [%d1], %r1;", "shared address 0x0 runs out", tile);
  expectFault("mov.b64 %d1, 0; ld.local.b32 %r1, [%d1];", "local address 0x0 is outside");
}

TEST_F(FaultsTest, Misaligned) {
  expectFault("add.s64 %d1, %in0, 2;\nld.global.b32 %r1, [%d1];",
              "lane 0, line 11: access to 4 bytes at global address");
  expectFault(addresses + "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%d2+8];",
              "shared address 0x418 is not aligned", tile);
  expectFault(addresses + "cp.async.cg.shared.global [%d2], [%d3+4], 16;", "is not aligned", tile);
}

// A variable is aligned as declared and no better, so that this does not depend on luck.
TEST_F(FaultsTest, AlignmentThatWasNotDeclared) {
  expectFault("mov.b64 %d1, tile;\nmov.b32 %r1, 1;\nst.shared.v4.b32 [%d1], {%r1, %r1, %r1, %r1};",
              "line 12: access to 16 bytes at shared address 0x404 is not aligned", ".shared .align 4 .b8 tile[512];");
}

TEST_F(FaultsTest, CopyOfTooMuch) {
  expectFault(addresses + "mov.b32 %r1, 17; cp.async.cg.shared.global [%d2], [%d3], 16, %r1;",
              "copy of 16 bytes reads 17", tile);
}

TEST_F(FaultsTest, CopyOfPoison) {
  expectFault(addresses + "mad.wide.u32 %d4, %r0, 16, %in1; cp.async.cg.shared.global [%d2], [%d4], 16;\n"
                          "cp.async.wait_all;",
              "lane 0, line 12: the copy begun in line 11 reads bytes that were never written", tile);
}

TEST_F(FaultsTest, DivergedWarp) {
  const std::string half = "setp.lt.u32 %p1, %r0, 16; @%p1 bra behind;\n";
  expectFault(half + "bar.sync 0;\nbehind: mov.b32 %r1, 0;", "lane 0, line 11: this lane does not take part");
  expectFault(half + "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [tile];\nbehind: mov.b32 %r1, 0;",
              "lane 0, line 11: this lane does not take part in a load of matrices", tile);
  expectFault(half + "mov.b32 %r1, 0;\nmma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r5, %r6, %r7, %r8}, "
                     "{%r1, %r1, %r1, %r1}, {%r1, %r1}, {%r1, %r1, %r1, %r1};\nbehind: mov.b32 %r1, 0;",
              "lane 0, line 12: this lane does not take part in a matrix product");
}

TEST_F(FaultsTest, Deadlock) {
  expectFault(
      "setp.lt.u32 %p1, %r0, 32; @%p1 bra first;\nbar.sync 1; ret;\nfirst: bar.sync 2;",
      "deadlock: warp 0 waits at barrier 2 in line 12 (32 of 64 threads have arrived), warp 1 waits at barrier 1 in "
      "line 11 (32 of 64 threads have arrived)",
      "", 64);
  expectFault("bar.sync 1, 96;", "deadlock: warp 0 waits at barrier 1", "", 64);
}

TEST_F(FaultsTest, BarrierOperands) {
  expectFault("bar.sync 16;", "barrier 16, expected less than 16");
  expectFault("bar.sync 1, 40;", "barrier of 40 threads, expected a multiple of 32");
  expectFault("bar.sync %r0;", "lane 1, line 10: barrier operand 1, other lanes have 0");
  expectFault("shr.u32 %r1, %r0, 5; add.s32 %r1, %r1, 1; shl.b32 %r1, %r1, 5;\nbar.sync 1, %r1;",
              "barrier 1 of 96 threads, others wait for 64 threads", "", 96);
}

TEST_F(FaultsTest, BarrierOfSomeAndAll) {
  expectFault("setp.lt.u32 %p1, %r0, 32; @%p1 bra first;\nbar.sync 1, 64; ret;\nfirst: bar.sync 1;",
              "line 11: barrier 1 of 64 threads, others wait for all threads", "", 64);
}

// Faults name the line of the source where `.loc` gives it, on both sides of a race.
TEST_F(FaultsTest, LinesOfTheSource) {
  std::string ptx = makeKernel(".loc 1 45 7\nmov.b64 %d1, tile; shr.u32 %r1, %r0, 5;\n"
                               ".loc 2 3 1, function_name $L__info, inlined_at 1 45 7\nst.shared.b32 [%d1], %r1;",
                               0, tile) +
                    ".file 1 \"matmul.mlir\"\n.file 2 \"store.mlir\"\n";
  const std::string message = launch(ptx, {}, {{}, {64}, 0}).getMessage();
  EXPECT_NE(message.find("lane 0, line 13 (store.mlir:3): race: write of shared address"), std::string::npos)
      << message;
  EXPECT_NE(message.find("warp 0, lane 0 in line 13 (store.mlir:3)"), std::string::npos) << message;
  expectFault(".loc 3 4 5\nld.shared.b32 %r1, [%d1];", "line 11: address depends");
}

TEST_F(FaultsTest, EndlessLoop) {
  expectFault("again: bra again;", "line 10: no end after 1000 instructions", "", 32, {.instructionLimit = 1000});
}

TEST_F(FaultsTest, LaunchesThatDoNotFit) {
  std::string ptx = makeKernel("", 0);
  EXPECT_EQ(launch(ptx, {1}).getMessage(), "kernel 'k': 1 arguments, expected 0");
  EXPECT_EQ(launch(ptx, {}, {{}, {1025}, 0}).getMessage(),
            "kernel 'k': blocks of 1025x1x1 threads, expected 1 to 1024");
  // Code may need none of what its launch has room for, as where an extent is 0.
  EXPECT_TRUE(launch(ptx, {}, {{}, {32}, 16}).ok());
  std::string required = ptx, limited = ptx;
  required.insert(required.find("\n{"), "\n.reqntid 64, 2");
  limited.insert(limited.find("\n{"), "\n.maxntid 16");
  EXPECT_EQ(launch(required, {}).getMessage(), "kernel 'k': blocks of 32x1x1 threads, expected 64x2x1");
  EXPECT_EQ(launch(limited, {}).getMessage(), "kernel 'k': blocks of 32 threads, expected at most 16");
}

} // namespace
} // namespace moert::emu
