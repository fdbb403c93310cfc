// Loads, stores, address spaces and asynchronous copies that work.
#include "emu_fixture.h"

#include <numeric>

namespace moert::emu {
namespace {

using MemoryTest = EmuTest;

std::vector<uint32_t> count(uint32_t size) {
  std::vector<uint32_t> values(size);
  std::iota(values.begin(), values.end(), 1);
  return values;
}

TEST_F(MemoryTest, Vectors) {
  const uint64_t input = upload(count(128)), output = allocate<uint32_t>(128);
  const std::string body =
      "mad.wide.u32 %d1, %r0, 16, %in0; mad.wide.u32 %d2, %r0, 16, %in1;\n"
      "ld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%d1]; ld.global.nc.v2.b64 {%d3, %d4}, [%d1];\n"
      "st.global.v2.b32 [%d2], {%r2, %r1}; mov.b64 {%r5, %r6}, %d4; st.global.v2.b32 [%d2+8], {%r6, %r5};";
  const Status status = launch(makeKernel(body, 2), {input, output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  const auto values = download<uint32_t>(output, 128);
  for (uint32_t i = 0; i < 128; ++i)
    EXPECT_EQ(values[i], (i ^ 1) + 1);
}

TEST_F(MemoryTest, NarrowLoadsFillTheRegister) {
  const uint64_t input = upload(std::vector<uint8_t>(32, 0x80)), output = allocate<uint32_t>(64);
  const std::string body = "cvt.u64.u32 %d1, %r0; add.s64 %d1, %d1, %in0; ld.global.b8 %h1, [%d1];\n"
                           "ld.global.s8 %r1, [%d1]; cvt.u32.u16 %r2, %h1;\n"
                           "mad.wide.u32 %d2, %r0, 8, %in1; st.global.v2.b32 [%d2], {%r1, %r2};";
  const Status status = launch(makeKernel(body, 2), {input, output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  const auto values = download<uint32_t>(output, 64);
  EXPECT_EQ(values[0], 0xffffff80u);
  EXPECT_EQ(values[1], 0x80u);
}

TEST_F(MemoryTest, GenericAddressesReachEverySpace) {
  const uint64_t output = allocate<uint32_t>(32);
  const std::string body =
      "mov.b64 %d1, tile; cvta.shared.u64 %d2, %d1; mad.wide.u32 %d3, %r0, 4, %d2; st.b32 [%d3], %r0;\n"
      "mov.b64 %d4, depot; cvta.local.u64 %d5, %d4; ld.b32 %r1, [%d3]; st.b32 [%d5+4], %r1; ld.local.b32 %r2, "
      "[%d4+4];\n"
      "cvta.to.global.u64 %d6, %in0; mad.wide.u32 %d7, %r0, 4, %d6; st.global.b32 [%d7], %r2;";
  const Status status =
      launch(makeKernel(body, 1, ".shared .align 4 .b8 tile[128]; .local .align 8 .b8 depot[8];"), {output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  const auto values = download<uint32_t>(output, 32);
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(values[i], i);
}

TEST_F(MemoryTest, DynamicSharedMemoryLiesBehindTheRest) {
  const uint64_t output = allocate<uint32_t>(32);
  const std::string body = "mov.b64 %d1, dynamic; mad.wide.u32 %d2, %r0, 4, %d1; st.shared.b32 [%d2], %r0;\n"
                           "ld.shared.b32 %r1, [%d2]; mad.wide.u32 %d3, %r0, 4, %in0; st.global.b32 [%d3], %r1;";
  std::string ptx = makeKernel(body, 1, ".shared .align 4 .b8 tile[20];");
  ptx.insert(ptx.find(".visible"), ".extern .shared .align 16 .b8 dynamic[]; ");
  const Status status = launch(ptx, {output}, {{}, {32}, 128});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  EXPECT_EQ(download<uint32_t>(output, 32)[31], 31u);
}

TEST_F(MemoryTest, CopiesLandWhenAwaited) {
  const uint64_t input = upload(count(128)), output = allocate<uint32_t>(128);
  // Two groups; the first is used while the second is under way. The second is cut to 4 of 16 bytes.
  const std::string body =
      "mad.wide.u32 %d1, %r0, 16, %in0; mov.b64 %d2, tile; mad.wide.u32 %d3, %r0, 16, %d2; mul.wide.u32 %d5, %r0, 16;\n"
      "add.s64 %d6, %in1, %d5;\n"
      "cp.async.ca.shared.global [%d3], [%d1], 8; cp.async.commit_group;\n"
      "cp.async.ca.shared.global [%d3+8], [%d1+8], 8, 4; cp.async.commit_group;\n"
      "cp.async.wait_group 1; ld.shared.v2.b32 {%r1, %r2}, [%d3]; st.global.v2.b32 [%d6], {%r1, %r2};\n"
      "cp.async.wait_all; ld.shared.v2.b32 {%r1, %r2}, [%d3+8]; st.global.v2.b32 [%d6+8], {%r1, %r2};";
  const Status status = launch(makeKernel(body, 2, ".shared .align 16 .b8 tile[512];"), {input, output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  const auto values = download<uint32_t>(output, 128);
  for (uint32_t i = 0; i < 128; ++i)
    EXPECT_EQ(values[i], i % 4 == 3 ? 0 : i + 1);
}

// Lane 0 copies 16 bytes and ignores the source if it is odd; the hints change nothing.
TEST_F(MemoryTest, CopiesOfEveryForm) {
  const uint64_t input = upload(count(128)), output = allocate<uint32_t>(128);
  const std::string body =
      "mad.wide.u32 %d1, %r0, 16, %in0; mov.b64 %d2, tile; mad.wide.u32 %d3, %r0, 16, %d2; cvt.u32.u64 %r5, %d3;\n"
      "and.b32 %r4, %r0, 1; setp.ne.u32 %p1, %r4, 0; mul.wide.u32 %d5, %r0, 16; add.s64 %d6, %in1, %d5;\n"
      "cp.async.cg.shared::cta.global.L2::128B [%r5], [%d1], 16, %p1; cp.async.wait_all;\n"
      "ld.shared.v4.b32 {%r1, %r2, %r3, %r4}, [%d3]; st.global.v4.b32 [%d6], {%r1, %r2, %r3, %r4};";
  const Status status = launch(makeKernel(body, 2, ".shared .align 16 .b8 tile[512];"), {input, output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  const auto values = download<uint32_t>(output, 128);
  for (uint32_t i = 0; i < 128; ++i)
    EXPECT_EQ(values[i], i / 4 % 2 ? 0 : i + 1);
}

// Every qualifier that changes no value.
TEST_F(MemoryTest, OrdersAndHints) {
  const uint64_t input = upload(count(128)), output = allocate<uint32_t>(128);
  const std::string body =
      "mad.wide.u32 %d1, %r0, 16, %in0; mad.wide.u32 %d2, %r0, 16, %in1; prefetch.global.L2 [%d1];\n"
      "ld.global.nc.L1::no_allocate.L2::128B.v2.b32 {%r1, %r2}, [%d1];\n"
      "ld.relaxed.gpu.global.u32 %r3, [%d1+8]; ld.volatile.global.b32 %r4, [%d1+12];\n"
      "st.global.cs.b32 [%d2], %r1; st.release.sys.global.b32 [%d2+4], %r2;\n"
      "st.weak.global.L1::evict_first.v2.b32 [%d2+8], {%r3, %r4};\n"
      "ld.acquire.cta.global.b32 %r5, [%d2+8]; ld.global.cg.b32 %r6, [%d2];";
  const Status status = launch(makeKernel(body, 2), {input, output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  EXPECT_EQ(download<uint32_t>(output, 128), count(128));
}

TEST_F(MemoryTest, RegistersMayBeWider) {
  const uint64_t input = upload(std::vector<uint8_t>{1, 0xfe, 3, 0x84}), output = allocate<int64_t>(4);
  const std::string body = "ld.global.v4.s8 {%d1, %d2, _, %d4}, [%in0]; st.global.v2.b64 [%in1], {%d1, %d2};\n"
                           "ld.global.b8 %d3, [%in0+3]; st.global.v2.b64 [%in1+16], {%d4, %d3};\n"
                           "st.global.v2.b8 [%in0], {%r0, 7}; st.global.b16 [%in0+2], %d1;";
  const Status status = launch(makeKernel(body, 2), {input, output}, {{}, {1}, 0});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  EXPECT_EQ(download<int64_t>(output, 4), (std::vector<int64_t>{1, -2, -124, 132}));
  EXPECT_EQ(download<uint8_t>(input, 4), (std::vector<uint8_t>{0, 7, 1, 0}));
}

TEST_F(MemoryTest, SpacesOfAddresses) {
  const uint64_t output = allocate<uint32_t>(32);
  const std::string body =
      "mov.b64 %d1, tile; cvta.shared.u64 %d2, %d1; mov.b64 %d3, depot; cvta.local.u64 %d4, %d3;\n"
      "isspacep.shared %p1, %d2; isspacep.local %p2, %d4; isspacep.global %p3, %in0;\n"
      "isspacep.global %p4, %d2; and.pred %p1, %p1, %p2; and.pred %p1, %p1, %p3; not.pred %p4, %p4;\n"
      "and.pred %p1, %p1, %p4; selp.b32 %r1, 1, 0, %p1; mad.wide.u32 %d5, %r0, 4, %in0;\n"
      "st.global.b32 [%d5], %r1;";
  const Status status =
      launch(makeKernel(body, 1, ".shared .align 4 .b8 tile[128]; .local .align 8 .b8 depot[8];"), {output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  EXPECT_EQ(download<uint32_t>(output, 32), std::vector<uint32_t>(32, 1));
}

TEST_F(MemoryTest, HostReadsOnlyWhatWasWritten) {
  const uint64_t output = allocate<uint32_t>(32);
  std::vector<std::byte> bytes(128);
  const Status status = emulator.getMemory().read(output, bytes);
  EXPECT_EQ(status.getCode(), MOERT_RUN_FAILED);
  EXPECT_NE(status.getMessage().find("was never written"), std::string::npos);
  EXPECT_FALSE(emulator.getMemory().write(output + 1, bytes).ok());
  EXPECT_TRUE(emulator.getMemory().release(output).ok());
  EXPECT_FALSE(emulator.getMemory().release(output).ok());
}

} // namespace
TEST_F(MemoryTest, MappedBytesOfTheHostCanOnlyBeRead) {
  std::vector<uint32_t> host(warpSize, 7);
  const uint64_t mapped = emulator.getMemory().map(std::as_writable_bytes(std::span(host)));
  const uint64_t target = allocate<uint32_t>(warpSize);
  const std::string body = "mad.wide.u32 %d1, %r0, 4, %in0; mad.wide.u32 %d2, %r0, 4, %in1;\n"
                           "ld.global.b32 %r1, [%d1]; st.global.b32 [%d2], %r1;";
  const Status copied = launch(makeKernel(body, 2), {mapped, target});
  EXPECT_TRUE(copied.ok()) << copied.getMessage();
  EXPECT_EQ(download<uint32_t>(target, warpSize), host);
  const Status stored = launch(makeKernel(body, 2), {target, mapped});
  EXPECT_NE(stored.getMessage().find("store of 4 bytes to memory that can only be read"), std::string::npos);
  const Status beyond = launch(makeKernel(body, 2), {mapped + 4, target});
  EXPECT_NE(beyond.getMessage().find("is outside of every allocation"), std::string::npos) << beyond.getMessage();
  EXPECT_FALSE(emulator.getMemory().write(mapped, std::as_bytes(std::span(host))).ok());
}

} // namespace moert::emu
