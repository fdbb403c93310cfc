// Layouts of ldmatrix, movmatrix and mma.sync on small integers, where every sum is exact.
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

TEST_F(MatrixTest, TransposedMove) {
  const uint64_t output = allocate<uint32_t>(32);
  const std::string body = fillTile + "ldmatrix.sync.aligned.m8n8.x1.shared::cta.b16 {%r4}, [%d2];\n"
                                      "movmatrix.sync.aligned.m8n8.trans.b16 %r5, %r4;\n"
                                      "mad.wide.u32 %d4, %r0, 4, %in0; st.global.b32 [%d4], %r5;";
  const Status status = launch(makeKernel(body, 1, ".shared .align 16 .b8 tile[512];"), {output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  const auto values = download<uint32_t>(output, 32), expected = expectFragments(true);
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(values[lane], expected[4 * lane]);
}

// One product: C (m x n) += A (m x k) * B (k x n), and the places of its elements. `place` gives, for a lane and the
// number of an element among those it holds, in order of registers and from low to high bits, its row and column. These
// are the formulas of the documentation, which differ between shapes as it does.
struct Place {
  uint32_t row, column;
};
struct Shape {
  std::string modifiers;
  uint32_t m, k, bits; // of an element of A and B
  enum Type { Bf16, F16, Tf32, F64, Signed, Unsigned } a, b;
  enum Sum { Single, Pairs } sum;
  Place (*placeOfA)(uint32_t group, uint32_t thread, uint32_t i);
  Place (*placeOfB)(uint32_t group, uint32_t thread, uint32_t i);
};

Place placeOfC(uint32_t group, uint32_t thread, uint32_t i) { return {i < 2 ? group : group + 8, 2 * thread + i % 2}; }

uint64_t encode(Shape::Type type, uint32_t bits, int value) {
  switch (type) {
  case Shape::Bf16:
    return toBf16(float(value));
  case Shape::F16:
    return toF16(float(value));
  case Shape::Tf32:
    return std::bit_cast<uint32_t>(float(value)) | 0x1abc; // bits that must not matter
  case Shape::F64:
    return std::bit_cast<uint64_t>(double(value));
  default:
    return static_cast<uint64_t>(static_cast<int64_t>(value)) & ((uint64_t(1) << bits) - 1);
  }
}

int randomElement(std::mt19937 &random, Shape::Type type, uint32_t bits) {
  if (type == Shape::Signed)
    return int(random() % (1u << bits)) - (1 << (bits - 1));
  if (type == Shape::Unsigned)
    return int(random() % (1u << bits));
  return int(random() % 9) - 4;
}

class ProductTest : public EmuTest {
protected:
  void check(const Shape &shape);

  // 32 bits of registers of all lanes, lane by lane, for elements that a lane holds in this order.
  template <typename Place, typename Element>
  static void pack(std::vector<uint32_t> &words, uint32_t lane, uint32_t count, uint32_t bits, Place place,
                   Element element) {
    uint64_t word = 0;
    uint32_t filled = 0;
    for (uint32_t i = 0; i < count; ++i) {
      const auto [row, column] = place(lane / 4, lane % 4, i);
      word |= element(row, column) << filled;
      for (filled += bits; filled >= 32; filled -= 32) {
        words.push_back(static_cast<uint32_t>(word));
        word >>= 32;
      }
    }
  }
};

void ProductTest::check(const Shape &shape) {
  SCOPED_TRACE(shape.modifiers);
  std::mt19937 random(5);
  std::vector<std::vector<int>> a(shape.m, std::vector<int>(shape.k)), b(shape.k, std::vector<int>(8)),
      c(shape.m, std::vector<int>(8));
  for (auto &row : a)
    for (int &element : row)
      element = randomElement(random, shape.a, shape.bits);
  for (auto &row : b)
    for (int &element : row)
      element = randomElement(random, shape.b, shape.bits);
  for (auto &row : c)
    for (int &element : row)
      element = int(random() % 100) - 50;

  const bool isDouble = shape.a == Shape::F64, isInteger = shape.a == Shape::Signed || shape.a == Shape::Unsigned;
  const uint32_t ofA = shape.m * shape.k / 32, ofB = shape.k / 4, ofC = shape.m / 4;
  const uint32_t bitsOfC = shape.sum == Shape::Pairs ? 16 : isDouble ? 64 : 32;
  const auto encodeSum = [&](int value) {
    return encode(shape.sum == Shape::Pairs ? Shape::F16 : isDouble ? Shape::F64 : Shape::Signed, 32, value);
  };
  std::vector<uint32_t> words;
  for (uint32_t lane = 0; lane < 32; ++lane) {
    pack(words, lane, ofA, shape.bits, shape.placeOfA,
         [&](uint32_t row, uint32_t column) { return encode(shape.a, shape.bits, a[row][column]); });
    pack(words, lane, ofB, shape.bits, shape.placeOfB,
         [&](uint32_t row, uint32_t column) { return encode(shape.b, shape.bits, b[row][column]); });
    pack(words, lane, ofC, bitsOfC, placeOfC, [&](uint32_t row, uint32_t column) {
      const int value = c[row][column];
      return isInteger || isDouble || shape.sum == Shape::Pairs ? encodeSum(value)
                                                                : std::bit_cast<uint32_t>(float(value));
    });
  }

  // Registers: A from 10 on, then B, then C; results from 1 on.
  const std::string prefix = isDouble ? "%d" : "%r";
  const uint32_t bytes = isDouble ? 8 : 4;
  const std::array counts = {ofC * bitsOfC / 8 / bytes, ofA * shape.bits / 8 / bytes, ofB * shape.bits / 8 / bytes};
  uint32_t next = 10;
  const auto list = [&](uint32_t first, uint32_t count) {
    std::string text = "{";
    for (uint32_t i = 0; i < count; ++i)
      text += (i ? ", " : "") + prefix + std::to_string(first + i);
    return text + "}";
  };
  std::string body = "mad.wide.u32 %d30, %r0, " + std::to_string(words.size() / 32 * 4) + ", %in0;\n";
  const uint32_t registers = counts[0] + counts[1] + counts[2];
  for (uint32_t i = 0; i < registers; ++i)
    body += "ld.global.b" + std::to_string(8 * bytes) + " " + prefix + std::to_string(10 + i) + ", [%d30+" +
            std::to_string(bytes * i) + "]; ";
  body += "\nmma.sync.aligned." + shape.modifiers + " " + list(1, counts[0]);
  for (const uint32_t count : {counts[1], counts[2], counts[0]}) {
    body += ", " + list(next, count);
    next += count;
  }
  body += ";\nmad.wide.u32 %d31, %r0, " + std::to_string(bytes * counts[0]) + ", %in1;\n";
  for (uint32_t i = 0; i < counts[0]; ++i)
    body += "st.global.b" + std::to_string(8 * bytes) + " [%d31+" + std::to_string(bytes * i) + "], " + prefix +
            std::to_string(1 + i) + "; ";

  std::vector<uint32_t> expected;
  for (uint32_t lane = 0; lane < 32; ++lane)
    pack(expected, lane, ofC, bitsOfC, placeOfC, [&](uint32_t row, uint32_t column) {
      int64_t sum = c[row][column];
      for (uint32_t k = 0; k < shape.k; ++k)
        sum += int64_t(a[row][k]) * b[k][column];
      const int value = static_cast<int>(sum);
      return isInteger || isDouble || shape.sum == Shape::Pairs ? encodeSum(value)
                                                                : std::bit_cast<uint32_t>(float(value));
    });
  const uint64_t input = upload(words), output = allocate<uint32_t>(expected.size());
  const Status status = launch(makeKernel(body, 2), {input, output});
  ASSERT_TRUE(status.ok()) << status.getMessage();
  EXPECT_EQ(download<uint32_t>(output, expected.size()), expected);
}

TEST_F(ProductTest, HalfPrecision) {
  const auto a8 = [](uint32_t g, uint32_t t, uint32_t i) -> Place { return {i < 2 ? g : g + 8, 2 * t + i % 2}; };
  const auto b8 = [](uint32_t g, uint32_t t, uint32_t i) -> Place { return {2 * t + i, g}; };
  const auto a16 = [](uint32_t g, uint32_t t, uint32_t i) -> Place {
    return {(i < 2 || (i >= 4 && i < 6)) ? g : g + 8, i < 4 ? 2 * t + i % 2 : 2 * t + i % 2 + 8};
  };
  const auto b16 = [](uint32_t g, uint32_t t, uint32_t i) -> Place {
    return {i < 2 ? 2 * t + i : 2 * t + i % 2 + 8, g};
  };
  check({"m16n8k8.row.col.f32.bf16.bf16.f32", 16, 8, 16, Shape::Bf16, Shape::Bf16, Shape::Single, a8, b8});
  check({"m16n8k16.row.col.f32.bf16.bf16.f32", 16, 16, 16, Shape::Bf16, Shape::Bf16, Shape::Single, a16, b16});
  check({"m16n8k8.row.col.f32.f16.f16.f32", 16, 8, 16, Shape::F16, Shape::F16, Shape::Single, a8, b8});
  check({"m16n8k16.row.col.f32.f16.f16.f32", 16, 16, 16, Shape::F16, Shape::F16, Shape::Single, a16, b16});
  check({"m16n8k8.row.col.f16.f16.f16.f16", 16, 8, 16, Shape::F16, Shape::F16, Shape::Pairs, a8, b8});
  check({"m16n8k16.row.col.f16.f16.f16.f16", 16, 16, 16, Shape::F16, Shape::F16, Shape::Pairs, a16, b16});
}

TEST_F(ProductTest, SingleAndDoublePrecision) {
  check({"m16n8k4.row.col.f32.tf32.tf32.f32", 16, 4, 32, Shape::Tf32, Shape::Tf32, Shape::Single,
         [](uint32_t g, uint32_t t, uint32_t i) -> Place {
           return {i == 0 ? g : g + 8, t};
         },
         [](uint32_t g, uint32_t t, uint32_t) -> Place {
           return {t, g};
         }});
  check({"m16n8k8.row.col.f32.tf32.tf32.f32", 16, 8, 32, Shape::Tf32, Shape::Tf32, Shape::Single,
         [](uint32_t g, uint32_t t, uint32_t i) -> Place {
           return {i == 0 || i == 2 ? g : g + 8, i < 2 ? t : t + 4};
         },
         [](uint32_t g, uint32_t t, uint32_t i) -> Place {
           return {i == 0 ? t : t + 4, g};
         }});
  check({"m8n8k4.row.col.f64.f64.f64.f64", 8, 4, 64, Shape::F64, Shape::F64, Shape::Single,
         [](uint32_t g, uint32_t t, uint32_t) -> Place {
           return {g, t};
         },
         [](uint32_t g, uint32_t t, uint32_t) -> Place {
           return {t, g};
         }});
}

TEST_F(ProductTest, Bytes) {
  const auto b16 = [](uint32_t g, uint32_t t, uint32_t i) -> Place { return {4 * t + i, g}; };
  const auto a32 = [](uint32_t g, uint32_t t, uint32_t i) -> Place {
    return {(i < 4 || (i >= 8 && i < 12)) ? g : g + 8, i < 8 ? 4 * t + i % 4 : 4 * t + i % 4 + 16};
  };
  const auto b32 = [](uint32_t g, uint32_t t, uint32_t i) -> Place {
    return {i < 4 ? 4 * t + i % 4 : 4 * t + i % 4 + 16, g};
  };
  check({"m8n8k16.row.col.s32.s8.s8.s32", 8, 16, 8, Shape::Signed, Shape::Signed, Shape::Single,
         [](uint32_t g, uint32_t t, uint32_t i) -> Place {
           return {g, 4 * t + i};
         },
         b16});
  check({"m16n8k16.row.col.s32.u8.s8.s32", 16, 16, 8, Shape::Unsigned, Shape::Signed, Shape::Single,
         [](uint32_t g, uint32_t t, uint32_t i) -> Place {
           return {i < 4 ? g : g + 8, 4 * t + i % 4};
         },
         b16});
  check({"m16n8k32.row.col.s32.s8.u8.s32", 16, 32, 8, Shape::Signed, Shape::Unsigned, Shape::Single, a32, b32});
  check({"m16n8k32.row.col.satfinite.s32.u8.u8.s32", 16, 32, 8, Shape::Unsigned, Shape::Unsigned, Shape::Single, a32,
         b32});
}

TEST_F(ProductTest, Nibbles) {
  const auto b32 = [](uint32_t g, uint32_t t, uint32_t i) -> Place { return {8 * t + i, g}; };
  check({"m8n8k32.row.col.s32.s4.u4.s32", 8, 32, 4, Shape::Signed, Shape::Unsigned, Shape::Single,
         [](uint32_t g, uint32_t t, uint32_t i) -> Place {
           return {g, 8 * t + i};
         },
         b32});
  check({"m16n8k32.row.col.s32.s4.s4.s32", 16, 32, 4, Shape::Signed, Shape::Signed, Shape::Single,
         [](uint32_t g, uint32_t t, uint32_t i) -> Place {
           return {i < 8 ? g : g + 8, 8 * t + i % 8};
         },
         b32});
  check({"m16n8k64.row.col.s32.u4.u4.s32", 16, 64, 4, Shape::Unsigned, Shape::Unsigned, Shape::Single,
         [](uint32_t g, uint32_t t, uint32_t i) -> Place {
           return {(i < 8 || (i >= 16 && i < 24)) ? g : g + 8, i < 16 ? 8 * t + i % 8 : 8 * t + i % 8 + 32};
         },
         [](uint32_t g, uint32_t t, uint32_t i) -> Place {
           return {i < 8 ? 8 * t + i % 8 : 8 * t + i % 8 + 32, g};
         }});
}

// Sums that leave 32 bits wrap, or stay at the end with `.satfinite`.
TEST_F(ProductTest, IntegerSumsAtTheEnd) {
  for (const bool saturates : {false, true}) {
    const uint64_t output = allocate<uint32_t>(32);
    const std::string body = "mov.b32 %r1, 0x7f7f7f7f; mov.b32 %r2, 2147483647;\nmma.sync.aligned.m8n8k16.row.col." +
                             std::string(saturates ? "satfinite." : "") +
                             "s32.s8.s8.s32 {%r3, %r4}, {%r1}, {%r1}, {%r2, %r2};\n"
                             "mad.wide.u32 %d1, %r0, 4, %in0; st.global.b32 [%d1], %r3;";
    const Status status = launch(makeKernel(body, 1), {output});
    ASSERT_TRUE(status.ok()) << status.getMessage();
    EXPECT_EQ(download<uint32_t>(output, 32)[0], saturates ? 2147483647u : 2147483647u + 16 * 127 * 127);
  }
}

} // namespace
} // namespace moert::emu
