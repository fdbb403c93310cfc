//===- GroupedMatmulKernelTest.cpp - moe.grouped_matmul against plain loops -===//

#include "RoutedRows.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/Support/FormatVariadic.h"

#include <limits>

using namespace moec::test;

namespace {

uint16_t toHalf(float value) {
  llvm::APFloat number(value);
  bool lossy;
  number.convert(llvm::APFloat::IEEEhalf(), llvm::APFloat::rmNearestTiesToEven, &lossy);
  return static_cast<uint16_t>(number.bitcastToAPInt().getZExtValue());
}

float fromHalf(uint16_t bits) {
  llvm::APFloat number(llvm::APFloat::IEEEhalf(), llvm::APInt(16, bits));
  return number.convertToFloat();
}

struct MatmulCase {
  Machine machine;
  const char *activation;
  const char *layout;
  int64_t experts, columns, inner;
  bool packed, bias;
  bool scale = false;
  bool half = false;
  const char *parameters = "";
};

double activate(const std::string &kind, double g) {
  if (kind == "relu" || kind == "reglu")
    return std::max(g, 0.0);
  if (kind == "relu2")
    return std::max(g, 0.0) * std::max(g, 0.0);
  if (kind == "silu")
    return g / (1.0 + std::exp(-g));
  if (kind == "swiglu") // alpha = 1.5
    return g / (1.0 + std::exp(-1.5 * g));
  if (kind == "gelu" || kind == "geglu")
    return 0.5 * g * (1.0 + std::erf(g / std::sqrt(2.0)));
  if (kind == "gelu_tanh" || kind == "geglu_tanh")
    return 0.5 * g * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (g + 0.044715 * g * g * g)));
  return g;
}

/// A product with random contents: what the kernel sees and what it should compute.
struct MatmulProblem {
  const MatmulCase &c;
  bool gated = std::string(c.layout) != "none";
  int64_t resultColumns = gated ? c.columns / 2 : c.columns;
  int64_t units = (resultColumns + 15) / 16, panels = gated ? 2 * units : units;
  std::vector<float> weights = randomFloats(c.experts * c.columns * c.inner, 1.0f / std::sqrt(float(c.inner)));
  std::vector<float> biases = randomFloats(c.experts * c.columns);

  explicit MatmulProblem(const MatmulCase &c) : c(c) {
    for (float &weight : weights)
      if (c.half)
        weight = fromHalf(toHalf(weight));
  }

  /// The row of the weight that result column `column` takes as gate (0) or linear (1).
  int64_t weightRow(int64_t column, int part) const {
    if (!gated)
      return column;
    return std::string(c.layout) == "interleaved" ? 2 * column + part : column + part * resultColumns;
  }

  std::string text() const {
    std::string element = c.half ? "f16" : "f32";
    auto w = c.packed ? llvm::formatv("tensor<{0}x{1}x{2}x16x{3}>", c.experts, panels, c.inner, element).str()
                      : llvm::formatv("tensor<{0}x{1}x{2}x{3}>", c.experts, c.columns, c.inner, element).str();
    auto x = llvm::formatv("tensor<?x{0}xf32>", c.inner).str();
    auto b = llvm::formatv("tensor<{0}x{1}xf32>", c.experts, gated && c.packed ? 16 * panels : c.columns).str();
    auto offsets = llvm::formatv("tensor<{0}xi32>", c.experts + 1).str();
    auto result = llvm::formatv("tensor<?x{0}xf32>", resultColumns).str();
    std::string layout = gated && c.packed ? "panels" : c.layout;
    std::string types = x + ", " + w + ", " + offsets + ", tensor<?xi32>" + (c.scale ? ", tensor<?x2xf32>" : "") +
                        (c.bias ? ", " + b : "");
    return "func.func @f(%x: " + x + ", %w: " + w + ", %o: " + offsets + ", %p: tensor<?xi32>" +
           (c.scale ? ", %s: tensor<?x2xf32>" : "") + (c.bias ? ", %b: " + b : "") + ") -> " + result +
           "{\n %r = moe.grouped_matmul %x by %w offsets %o order %p" + (c.scale ? " scale %s" : "") +
           (c.bias ? " bias %b" : "") + llvm::formatv(" columns {0} activation(<kind = {1}, layout = {2}{3}>)",
                                                      c.columns, c.activation, layout, c.parameters).str() +
           " {rows_per_token = 2 : i64} : (" + types + ") -> " + result + "\n return %r : " + result + "\n}";
  }

  Buffer weightBuffer() const {
    std::vector<float> values = weights;
    std::vector<int64_t> shape = {c.experts, c.columns, c.inner};
    if (c.packed) {
      shape = {c.experts, panels, c.inner, 16};
      values.assign(c.experts * panels * c.inner * 16, 0.0f);
      int parts = gated ? 2 : 1;
      for (int64_t e = 0; e < c.experts; ++e)
        for (int64_t column = 0; column < resultColumns; ++column)
          for (int part = 0; part < parts; ++part)
            for (int64_t k = 0; k < c.inner; ++k)
              values[((e * panels + column / 16 * parts + part) * c.inner + k) * 16 + column % 16] =
                  weights[(e * c.columns + weightRow(column, part)) * c.inner + k];
    }
    if (!c.half)
      return Buffer::of(shape, values);
    std::vector<uint16_t> halves;
    for (float value : values)
      halves.push_back(toHalf(value));
    return Buffer::of(shape, halves);
  }

  Buffer biasBuffer() const {
    if (!gated || !c.packed)
      return Buffer::of({c.experts, c.columns}, biases);
    std::vector<float> values(c.experts * panels * 16, 0.0f);
    for (int64_t e = 0; e < c.experts; ++e)
      for (int64_t column = 0; column < resultColumns; ++column)
        for (int part = 0; part < 2; ++part)
          values[(e * panels + column / 16 * 2 + part) * 16 + column % 16] =
              biases[e * c.columns + weightRow(column, part)];
    return Buffer::of({c.experts, panels * 16}, values);
  }

  /// The results at the places of one row; NaN where no expert has the place.
  std::vector<float> expected(const std::vector<float> &x, const Grouping &grouping,
                              const std::vector<float> &scale) const {
    std::vector<float> result(grouping.order.size() * resultColumns, std::numeric_limits<float>::quiet_NaN());
    for (int64_t e = 0; e < c.experts; ++e)
      for (int32_t place = grouping.offsets[e]; place < grouping.offsets[e + 1]; ++place)
        for (int64_t column = 0; column < resultColumns; ++column) {
          int32_t row = grouping.order[place];
          auto product = [&](int part) {
            int64_t weightRow = e * c.columns + this->weightRow(column, part);
            double sum = 0.0;
            for (int64_t k = 0; k < c.inner; ++k)
              sum += double(x[row / 2 * c.inner + k]) * weights[weightRow * c.inner + k];
            return sum * (c.scale ? scale[row] : 1.0f) + (c.bias ? biases[weightRow] : 0.0f);
          };
          double value = product(0), linear = gated ? product(1) : 1.0;
          if (std::string(c.parameters).find("limit") != std::string::npos) { // limit = 0.5, beta = 1
            value = std::min(value, 0.5);
            linear = std::clamp(linear, -0.5, 0.5) + 1.0;
          }
          result[place * resultColumns + column] = float(activate(c.activation, value) * linear);
        }
    return result;
  }
};

class GroupedMatmul : public MoeKernels, public testing::WithParamInterface<MatmulCase> {};

TEST_P(GroupedMatmul, AgreesWithPlainLoops) {
  const MatmulCase &c = GetParam();
  MatmulProblem problem(c);
  CompiledKernel kernel(*context, problem.text(), c.machine);
  ASSERT_TRUE(kernel.isValid()) << problem.text();
  for (int64_t tokens : {0, 1, 2, 5, 24, 150}) {
    // One expert stays empty, and with few tokens most do.
    auto ids = randomExperts(tokens, 2, std::max<int64_t>(1, c.experts - 1));
    Grouping grouping = group(ids, c.experts);
    auto x = randomFloats(tokens * c.inner), scale = randomFloats(2 * tokens);
    std::vector<Buffer> buffers = {Buffer::of({tokens, c.inner}, x), problem.weightBuffer(),
                                   Buffer::of({c.experts + 1}, grouping.offsets),
                                   Buffer::of({2 * tokens}, grouping.order)};
    if (c.scale)
      buffers.push_back(Buffer::of({tokens, 2}, scale));
    if (c.bias)
      buffers.push_back(problem.biasBuffer());
    buffers.push_back(Buffer::filled<float>({2 * tokens, problem.resultColumns}, 77.0f));
    EXPECT_EQ(kernel.runAll(buffers, tokens % 2 ? 3 : 0), 0);
    auto actual = buffers.back().as<float>(), expected = problem.expected(x, grouping, scale);
    for (size_t i = 0; i < actual.size(); ++i)
      if (std::isnan(expected[i]))
        actual[i] = expected[i] = 0.0f;
    expectNear(actual, expected);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, GroupedMatmul,
    testing::Values(MatmulCase{avx2, "identity", "none", 3, 83, 37, true, true},
                    MatmulCase{avx512, "silu", "none", 3, 200, 64, true, false, true},
                    MatmulCase{avx512, "swiglu", "interleaved", 4, 2 * 83, 45, true, true, false, false,
                               ", alpha = 1.5, beta = 1.0, limit = 0.5"},
                    MatmulCase{avx2, "swiglu", "concatenated", 2, 2 * 160, 32, true, true, true, false,
                               ", alpha = 1.5"},
                    MatmulCase{avx2, "gelu", "none", 1, 16, 1, true, false},
                    MatmulCase{avx512, "geglu", "interleaved", 2, 2, 19, true, true},
                    MatmulCase{avx512, "relu2", "none", 2, 48, 33, true, true, false, true},
                    MatmulCase{avx2, "geglu_tanh", "concatenated", 3, 2 * 40, 24, false, true, true},
                    MatmulCase{avx2, "reglu", "interleaved", 2, 2 * 9, 17, false, true},
                    MatmulCase{avx2, "gelu_tanh", "none", 2, 33, 24, false, false, false, true},
                    MatmulCase{avx2, "relu", "none", 2, 33, 24, true, true}));

class MatmulMachines : public MoeKernels, public testing::WithParamInterface<Machine> {};

TEST_P(MatmulMachines, RowsDoNotDependOnTheirCompanions) {
  constexpr int64_t inner = 70, columns = 100, rows = 120;
  CompiledKernel kernel(*context, R"(
    func.func @f(%x: tensor<?x70xf32>, %w: tensor<1x7x70x16xf32>) -> tensor<?x100xf32> {
      %r = moe.grouped_matmul %x by %w columns 100 activation(<kind = identity>)
        : (tensor<?x70xf32>, tensor<1x7x70x16xf32>) -> tensor<?x100xf32>
      return %r : tensor<?x100xf32>
    })", GetParam());
  ASSERT_TRUE(kernel.isValid());
  auto x = randomFloats(rows * inner);
  Buffer w = Buffer::of({1, 7, inner, 16}, randomFloats(7 * inner * 16));
  std::vector<Buffer> all = {Buffer::of({rows, inner}, x), w, Buffer::filled<float>({rows, columns}, 0.0f)};
  ASSERT_EQ(kernel.runAll(all), 0);
  for (int64_t count = 1; count <= 30; ++count) {
    std::vector<Buffer> some = {Buffer::of({count, inner}, std::vector<float>(x.end() - count * inner, x.end())), w,
                                Buffer::filled<float>({count, columns}, 0.0f)};
    ASSERT_EQ(kernel.runAll(some, 1), 0);
    EXPECT_TRUE(std::equal(some[2].bytes.begin(), some[2].bytes.end(), all[2].bytes.end() - some[2].bytes.size()))
        << count << " rows";
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, MatmulMachines, testing::Values(avx2, avx512));

TEST_F(MoeKernels, GroupedMatmulReportsRowsOutOfRange) {
  CompiledKernel kernel(*context, R"(
    func.func @f(%x: tensor<?x4xf32>, %w: tensor<1x1x4x16xf32>, %o: tensor<2xi32>, %p: tensor<?xi32>)
        -> tensor<?x16xf32> {
      %r = moe.grouped_matmul %x by %w offsets %o order %p columns 16 activation(<kind = identity>)
        : (tensor<?x4xf32>, tensor<1x1x4x16xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<?x16xf32>
      return %r : tensor<?x16xf32>
    })", avx2);
  ASSERT_TRUE(kernel.isValid());
  for (int32_t bad : {2, -1, 1 << 30}) {
    std::vector<Buffer> buffers = {Buffer::filled<float>({2, 4}, 1.0f), Buffer::filled<float>({1, 1, 4, 16}, 1.0f),
                                   Buffer::of<int32_t>({2}, {0, 3}), Buffer::of<int32_t>({3}, {0, bad, 1}),
                                   Buffer::filled<float>({3, 16}, 0.0f)};
    EXPECT_EQ(kernel.runAll(buffers), 1);
  }
}

} // namespace
