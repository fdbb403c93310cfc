// Layouts of ldmatrix and mma.sync on small integers, where every sum is exact.
#include "devices/emu/float_bits.h"
#include "emu_fixture.h"

namespace moert::emu {
namespace {

using MatrixTest = EmuTest;

// Shared memory holds matrices of 8x8, matrix m's element (r, c) being 64 m + 8 r + c.
const std::string fillTile = "mov.b64 %d1, tile; mad.wide.u32 %d2, %r0, 16, %d1; shl.b32 %r1, %r0, 3; mov.b32 %r2, 0;\n"
                             "fill: add.s32 %r3, %r1, %r2; cvt.u16.u32 %h1, %r3; mad.wide.u32 %d3, %r2, 2, %d2;\n"
                             "st.shared.b16 [%d3], %h1; add.s32 %r2, %r2, 1; setp.lt.u32 %p1, %r2, 8; @%p1 bra fill;\n";

std::vector<uint32_t> expectFragments(bool isTransposed) {
  std::vector<uint32_t> values;
  for (uint32_t lane = 0; lane < 32; ++lane)
    for (uint32_t matrix = 0; matrix < 4; ++matrix) {
      const auto element = [&](uint32_t half) {
        const uint32_t line = lane / 4, position = lane % 4 * 2 + half;
        return 64 * matrix + (isTransposed ? 8 * position + line : 8 * line + position);
      };
      values.push_back(element(0) | element(1) << 16);
    }
  return values;
}

TEST_F(MatrixTest, LoadMatrices) {
  for (const bool isTransposed : {false, true}) {
    const uint64_t output = allocate<uint32_t>(128);
    const std::string body = fillTile + "ldmatrix.sync.aligned.m8n8.x4" + (isTransposed ? ".trans" : "") +
                             ".shared.b16 {%r4, %r5, %r6, %r7}, [%d2];\n"
                             "mad.wide.u32 %d4, %r0, 16, %in0; st.global.v4.b32 [%d4], {%r4, %r5, %r6, %r7};";
    const Status status = launch(makeKernel(body, 1, ".shared .align 16 .b8 tile[512];"), {output});
    ASSERT_TRUE(status.ok()) << status.getMessage();
    EXPECT_EQ(download<uint32_t>(output, 128), expectFragments(isTransposed));
  }
}

TEST_F(MatrixTest, LoadOneMatrixUsesTheFirstAddressesOnly) {
  const uint64_t output = allocate<uint32_t>(32);
  const std::string body = fillTile + "setp.lt.u32 %p2, %r0, 8; selp.b64 %d2, %d2, -1, %p2;\n"
                                      "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r4}, [%d2];\n"
                                      "mad.wide.u32 %d4, %r0, 4, %in0; st.global.b32 [%d4], %r4;";
  const Status status = launch(makeKernel(body, 1, ".shared .align 16 .b8 tile[512];"), {output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  const auto values = download<uint32_t>(output, 32), expected = expectFragments(false);
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(values[lane], expected[4 * lane]);
}

// Packs the matrices into the registers of the lanes as the instruction's documentation draws them.
TEST_F(MatrixTest, ProductOfSmallIntegers) {
  std::mt19937 random(3);
  float a[16][16], b[16][8], c[16][8];
  const auto fill = [&](auto &matrix) {
    for (auto &row : matrix)
      for (float &element : row)
        element = float(int(random() % 17) - 8);
  };
  fill(a);
  fill(b);
  fill(c);
  std::vector<uint32_t> fragments;
  const auto pair = [](float low, float high) { return toBf16(low) | uint32_t(toBf16(high)) << 16; };
  for (uint32_t lane = 0; lane < 32; ++lane) {
    const uint32_t g = lane / 4, t = lane % 4 * 2;
    for (const auto &[row, column] : {std::pair(g, t), {g + 8, t}, {g, t + 8}, {g + 8, t + 8}})
      fragments.push_back(pair(a[row][column], a[row][column + 1]));
    for (const uint32_t row : {t, t + 8})
      fragments.push_back(pair(b[row][g], b[row + 1][g]));
    for (const auto &[row, column] : {std::pair(g, t), {g, t + 1}, {g + 8, t}, {g + 8, t + 1}})
      fragments.push_back(std::bit_cast<uint32_t>(c[row][column]));
  }
  const uint64_t input = upload(fragments), output = allocate<float>(128);
  std::string body = "mad.wide.u32 %d1, %r0, 40, %in0; mad.wide.u32 %d2, %r0, 16, %in1;\n";
  for (int i = 0; i < 10; ++i)
    body += "ld.global.b32 %r" + std::to_string(10 + i) + ", [%d1+" + std::to_string(4 * i) + "];";
  body += "\nmma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r1, %r2, %r3, %r4}, {%r10, %r11, %r12, %r13}, "
          "{%r14, %r15}, {%r16, %r17, %r18, %r19};\nst.global.v4.b32 [%d2], {%r1, %r2, %r3, %r4};";
  const Status status = launch(makeKernel(body, 2), {input, output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  const auto values = download<float>(output, 128);
  for (uint32_t lane = 0; lane < 32; ++lane)
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t row = lane / 4 + 8 * (i / 2), column = lane % 4 * 2 + i % 2;
      float expected = c[row][column];
      for (uint32_t k = 0; k < 16; ++k)
        expected += a[row][k] * b[k][column];
      EXPECT_EQ(values[4 * lane + i], expected) << row << ", " << column;
    }
}

} // namespace
} // namespace moert::emu
