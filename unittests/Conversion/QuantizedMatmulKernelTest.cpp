//===- QuantizedMatmulKernelTest.cpp - products by integers against plain loops -===//

#include "RoutedRows.h"
#include "TestValues.h"

#include "llvm/Support/FormatVariadic.h"

using namespace moec::test;

namespace {

struct QuantizedCase {
  Machine machine;
  int64_t bits, block;
  bool zeroPoints;
  int64_t experts, columns, inner;
  bool gated = false, bias = false;
  const FloatStorage *scaleType = &f32Storage;
};

/// Random integers with their scales, in panels; each panel of a gated product belongs to gate or linear in turn.
struct QuantizedProblem {
  const QuantizedCase &c;
  int64_t resultColumns = c.gated ? c.columns / 2 : c.columns, parts = c.gated ? 2 : 1;
  int64_t panels = (resultColumns + 15) / 16 * parts, perWord = 32 / c.bits;
  int64_t words = (c.inner + perWord - 1) / perWord;
  int64_t blocks = c.block ? (c.inner + c.block - 1) / c.block : 1;
  std::vector<uint32_t> values;
  Floats scales;
  std::vector<uint8_t> points;
  std::vector<float> biases = randomFloats(c.experts * panels * 16);

  explicit QuantizedProblem(const QuantizedCase &c)
      : c(c), values(c.experts * panels * words * 16),
        scales(Floats::random(randomEngine, *c.scaleType, {c.experts, panels, blocks, 16},
                              4.0f / (std::sqrt(float(c.inner)) * float(1 << c.bits)))),
        points(c.experts * panels * blocks * 16) {
    for (uint32_t &word : values)
      word = randomEngine();
    for (uint8_t &point : points)
      point = randomEngine() & ((1 << c.bits) - 1);
  }

  std::string text() const {
    auto x = llvm::formatv("tensor<?x{0}xf32>", c.inner).str();
    auto w = llvm::formatv("tensor<{0}x{1}x{2}x16xi32>", c.experts, panels, words).str();
    auto s = llvm::formatv("tensor<{0}x{1}x{2}x16x{3}>", c.experts, panels, blocks, c.scaleType->name).str();
    auto z = llvm::formatv("tensor<{0}x{1}x{2}x16xi8>", c.experts, panels, blocks).str();
    auto b = llvm::formatv("tensor<{0}x{1}xf32>", c.experts, c.gated ? panels * 16 : c.columns).str();
    auto o = llvm::formatv("tensor<{0}xi32>", c.experts + 1).str();
    auto result = llvm::formatv("tensor<?x{0}xf32>", resultColumns).str();
    std::string arguments = "%x: " + x + ", %w: " + w + ", %o: " + o, types = x + ", " + w + ", " + o, operands;
    auto add = [&](bool given, const char *name, const char *role, const std::string &type) {
      if (!given)
        return;
      arguments += llvm::formatv(", {0}: {1}", name, type);
      operands += llvm::formatv(" {0} {1}", role, name);
      types += ", " + type;
    };
    add(c.bias, "%b", "bias", b);
    add(true, "%s", "w_scales", s);
    add(c.zeroPoints, "%z", "w_zero_points", z);
    return "func.func @f(" + arguments + ") -> " + result + " {\n %r = moe.grouped_matmul %x by %w offsets %o" +
           operands +
           llvm::formatv(" quantized(<bits = {0}, block = {1}>) columns {2} activation(<{3}>)", c.bits, c.block,
                         c.columns, c.gated ? "kind = reglu, layout = panels" : "kind = identity, layout = none")
               .str() +
           " : (" + types + ") -> " + result + "\n return %r : " + result + "\n}";
  }

  std::vector<Buffer> buffers(const std::vector<float> &x, const std::vector<int32_t> &offsets) const {
    int64_t rows = int64_t(x.size()) / c.inner;
    std::vector<Buffer> result = {Buffer::of({rows, c.inner}, x), Buffer::of({c.experts, panels, words, 16}, values),
                                  Buffer::of({c.experts + 1}, offsets)};
    if (c.bias) {
      std::vector<float> given;
      int64_t columns = c.gated ? panels * 16 : c.columns;
      for (int64_t e = 0; e < c.experts; ++e)
        given.insert(given.end(), biases.begin() + e * panels * 16, biases.begin() + e * panels * 16 + columns);
      result.push_back(Buffer::of({c.experts, columns}, given));
    }
    result.push_back(scales.buffer());
    if (c.zeroPoints)
      result.push_back(Buffer::of({c.experts, panels, blocks, 16}, points));
    result.push_back(Buffer::filled<float>({rows, resultColumns}, 77.0f));
    return result;
  }

  double product(const float *x, int64_t expert, int64_t panel, int64_t lane) const {
    double sum = c.bias ? biases[(expert * panels + panel) * 16 + lane] : 0.0;
    for (int64_t k = 0; k < c.inner; ++k) {
      int64_t at = k % perWord, scale = ((expert * panels + panel) * blocks + (c.block ? k / c.block : 0)) * 16 + lane;
      uint32_t word = values[((expert * panels + panel) * words + k / perWord) * 16 + lane];
      int64_t value = word >> (c.bits * (at / 2) + 16 * (at % 2)) & ((1 << c.bits) - 1);
      sum += double(x[k]) * double(value - (c.zeroPoints ? points[scale] : 1 << (c.bits - 1))) * scales.values[scale];
    }
    return sum;
  }

  std::vector<float> expected(const std::vector<float> &x, const std::vector<int32_t> &offsets) const {
    std::vector<float> result;
    for (int64_t e = 0; e < c.experts; ++e)
      for (int32_t row = offsets[e]; row < offsets[e + 1]; ++row)
        for (int64_t column = 0; column < resultColumns; ++column) {
          double value = product(&x[row * c.inner], e, column / 16 * parts, column % 16);
          if (c.gated)
            value = std::max(value, 0.0) * product(&x[row * c.inner], e, column / 16 * parts + 1, column % 16);
          result.push_back(float(value));
        }
    return result;
  }
};

class QuantizedMatmul : public MoeKernels, public testing::WithParamInterface<QuantizedCase> {};

TEST_P(QuantizedMatmul, AgreesWithPlainLoops) {
  QuantizedProblem problem(GetParam());
  CompiledKernel kernel(*context, problem.text(), problem.c.machine);
  ASSERT_TRUE(kernel.isValid()) << problem.text();
  for (int32_t rows : {0, 1, 2, 5, 8, 31, 200}) {
    // The first of several experts has no rows, the last one row.
    std::vector<int32_t> offsets(problem.c.experts + 1, rows);
    offsets[0] = 0;
    if (problem.c.experts > 2)
      offsets[1] = 0, offsets[problem.c.experts - 1] = std::max(rows - 1, 0);
    auto x = randomFloats(rows * problem.c.inner);
    std::vector<Buffer> buffers = problem.buffers(x, offsets);
    EXPECT_EQ(kernel.runAll(buffers, rows % 2 ? 3 : 0), 0);
    expectNear(buffers.back().as<float>(), problem.expected(x, offsets));
  }
}

TEST_P(QuantizedMatmul, RowsDoNotDependOnTheirCompanions) {
  QuantizedProblem problem(GetParam());
  CompiledKernel kernel(*context, problem.text(), problem.c.machine);
  ASSERT_TRUE(kernel.isValid()) << problem.text();
  constexpr int32_t rows = 180;
  auto run = [&](const std::vector<float> &x, int64_t tasksPerCall) {
    std::vector<int32_t> offsets(problem.c.experts + 1, int32_t(x.size() / problem.c.inner));
    offsets[0] = 0;
    std::vector<Buffer> buffers = problem.buffers(x, offsets);
    EXPECT_EQ(kernel.runAll(buffers, tasksPerCall), 0);
    return buffers.back().bytes;
  };
  auto x = randomFloats(rows * problem.c.inner);
  std::vector<char> all = run(x, 0);
  for (int64_t count = 1; count <= 20; ++count) {
    std::vector<char> some = run(std::vector<float>(x.end() - count * problem.c.inner, x.end()), 1);
    EXPECT_TRUE(std::equal(some.begin(), some.end(), all.end() - int64_t(some.size()))) << count << " rows";
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, QuantizedMatmul,
                         testing::Values(QuantizedCase{avx2, 4, 32, true, 3, 83, 640, false, true},
                                         QuantizedCase{avx512, 4, 32, false, 3, 2 * 83, 300, true, true},
                                         QuantizedCase{avx512, 4, 16, true, 1, 48, 77, false, false, &f16Storage},
                                         QuantizedCase{avx2, 4, 0, true, 1, 100, 515},
                                         QuantizedCase{avx512, 8, 0, false, 2, 2 * 9, 19, true},
                                         QuantizedCase{avx2, 8, 64, true, 3, 2 * 40, 130, true, true},
                                         QuantizedCase{avx512, 8, 128, true, 1, 200, 518, false, true, &bf16Storage},
                                         QuantizedCase{avx2, 8, 512, false, 1, 20, 1030},
                                         QuantizedCase{avx512, 4, 256, false, 1, 16, 1},
                                         QuantizedCase{avx2, 2, 16, true, 2, 2 * 40, 77, true, true},
                                         QuantizedCase{avx512, 2, 64, false, 2, 83, 300, false, true, &f16Storage},
                                         QuantizedCase{avx512, 2, 0, true, 1, 100, 515}));

} // namespace
