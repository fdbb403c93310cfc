//===- MoeKernelsTest.cpp - the moe kernels against plain loops -------------===//

#include "KernelRunner.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

#include <cmath>
#include <limits>
#include <random>

using namespace moec::test;

namespace {

std::mt19937 random_engine(7);

std::vector<float> randomFloats(int64_t count, float scale = 1.0f) {
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> values(count);
  for (float &value : values)
    value = normal(random_engine);
  return values;
}

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

void expectNear(const std::vector<float> &actual, const std::vector<float> &expected, float tolerance = 2e-4f) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], tolerance * std::max(1.0f, std::fabs(expected[i]))) << "at " << i;
}

/// Random rows of experts, [tokens, slots], distinct within a token, some -1; experts from `active` on stay empty.
std::vector<int32_t> randomExperts(int64_t tokens, int64_t slots, int64_t active) {
  std::vector<int32_t> ids;
  for (int64_t t = 0; t < tokens; ++t) {
    std::vector<int32_t> all(active);
    for (int64_t e = 0; e < active; ++e)
      all[e] = static_cast<int32_t>(e);
    std::shuffle(all.begin(), all.end(), random_engine);
    for (int64_t j = 0; j < slots; ++j)
      ids.push_back(random_engine() % 8 ? all[j % active] : -1);
  }
  return ids;
}

struct Grouping {
  std::vector<int32_t> offsets, order, inverse;
};

Grouping group(const std::vector<int32_t> &ids, int64_t experts) {
  Grouping result;
  result.inverse.assign(ids.size(), -1);
  for (int64_t e = 0; e < experts; ++e) {
    result.offsets.push_back(static_cast<int32_t>(result.order.size()));
    for (size_t row = 0; row < ids.size(); ++row)
      if (ids[row] == e) {
        result.inverse[row] = static_cast<int32_t>(result.order.size());
        result.order.push_back(static_cast<int32_t>(row));
      }
  }
  result.offsets.push_back(static_cast<int32_t>(result.order.size()));
  result.order.resize(ids.size(), -1);
  return result;
}

class MoeKernels : public testing::Test {
protected:
  std::unique_ptr<mlir::MLIRContext> context = makeKernelContext();
};

//===----------------------------------------------------------------------===//
// moe.group and moe.combine
//===----------------------------------------------------------------------===//

constexpr const char *groupText = R"(
  func.func @f(%e: tensor<?x3xi32>) -> (tensor<6xi32>, tensor<?xi32>, tensor<?xi32>) {
    %o, %p, %i = moe.group %e experts 5 : tensor<?x3xi32> -> tensor<6xi32>, tensor<?xi32>, tensor<?xi32>
    return %o, %p, %i : tensor<6xi32>, tensor<?xi32>, tensor<?xi32>
  })";

TEST_F(MoeKernels, GroupSortsStably) {
  CompiledKernel kernel(*context, groupText, avx2);
  ASSERT_TRUE(kernel.isValid());
  for (int64_t tokens : {0, 1, 40}) {
    auto ids = randomExperts(tokens, 3, 4);
    std::vector<Buffer> buffers = {Buffer::of({tokens, 3}, ids), Buffer::filled<int32_t>({6}, 9),
                                   Buffer::filled<int32_t>({3 * tokens}, 9), Buffer::filled<int32_t>({3 * tokens}, 9)};
    EXPECT_EQ(kernel.runAll(buffers), 0);
    Grouping expected = group(ids, 5);
    EXPECT_EQ(buffers[1].as<int32_t>(), expected.offsets);
    EXPECT_EQ(buffers[2].as<int32_t>(), expected.order);
    EXPECT_EQ(buffers[3].as<int32_t>(), expected.inverse);
  }
}

TEST_F(MoeKernels, GroupReportsIdsOutOfRange) {
  CompiledKernel kernel(*context, groupText, avx2);
  ASSERT_TRUE(kernel.isValid());
  for (int32_t bad : {5, -2, 1 << 30}) {
    std::vector<Buffer> buffers = {Buffer::of<int32_t>({1, 3}, {0, bad, 1}), Buffer::filled<int32_t>({6}, 0),
                                   Buffer::filled<int32_t>({3}, 0), Buffer::filled<int32_t>({3}, 0)};
    EXPECT_EQ(kernel.runAll(buffers), 1);
  }
}

TEST_F(MoeKernels, CombineSumsRoutedRows) {
  for (bool gated : {true, false}) {
    const char *text = gated ? R"(
      func.func @f(%y: tensor<?x83xf32>, %i: tensor<?xi32>, %g: tensor<?x2xf32>) -> tensor<?x83xf32> {
        %r = moe.combine %y inverse %i gates %g slots 2
          : (tensor<?x83xf32>, tensor<?xi32>, tensor<?x2xf32>) -> tensor<?x83xf32>
        return %r : tensor<?x83xf32>
      })"
                             : R"(
      func.func @f(%y: tensor<?x83xf32>, %i: tensor<?xi32>) -> tensor<?x83xf32> {
        %r = moe.combine %y inverse %i slots 2 : (tensor<?x83xf32>, tensor<?xi32>) -> tensor<?x83xf32>
        return %r : tensor<?x83xf32>
      })";
    CompiledKernel kernel(*context, text, avx2);
    ASSERT_TRUE(kernel.isValid());
    for (int64_t tokens : {0, 1, 9}) {
      auto ids = randomExperts(tokens, 2, 3);
      Grouping grouping = group(ids, 3);
      auto rows = randomFloats(2 * tokens * 83), gates = randomFloats(2 * tokens);
      std::vector<Buffer> buffers = {Buffer::of({2 * tokens, 83}, rows), Buffer::of({2 * tokens}, grouping.inverse)};
      if (gated)
        buffers.push_back(Buffer::of({tokens, 2}, gates));
      buffers.push_back(Buffer::filled<float>({tokens, 83}, 9.0f));
      EXPECT_EQ(kernel.runAll(buffers, 2), 0);
      std::vector<float> expected(tokens * 83);
      for (int64_t row = 0; row < 2 * tokens; ++row)
        for (int64_t c = 0; c < 83 && grouping.inverse[row] >= 0; ++c)
          expected[row / 2 * 83 + c] += (gated ? gates[row] : 1.0f) * rows[grouping.inverse[row] * 83 + c];
      expectNear(buffers.back().as<float>(), expected);
    }
  }
}

//===----------------------------------------------------------------------===//
// moe.route
//===----------------------------------------------------------------------===//

struct RouteCase {
  const char *router;
  bool softmax, sigmoid, selected;
  int64_t groups = 1, kept = 1;
  bool top2 = false, droppedZero = false;
  int renormalize = 0;
  float eps = 0.0f, scale = 1.0f;
  bool bias = false, mix = false;
};

bool before(float a, float b) { return a > b || (!std::isnan(a) && std::isnan(b)); }

void scoreInPlace(const RouteCase &c, std::vector<float> &values) {
  float largest = *std::max_element(values.begin(), values.end()), sum = 0.0f;
  for (float value : values)
    sum += std::exp(value - largest);
  for (float &value : values)
    value = c.softmax ? std::exp(value - largest) / sum : c.sigmoid ? 1.0f / (1.0f + std::exp(-value)) : value;
}

/// Routes one token by sorting.
void routeToken(const RouteCase &c, std::vector<float> logits, const std::vector<float> &bias,
                const std::vector<float> &mix, int64_t k, std::vector<int32_t> &experts, std::vector<float> &gates) {
  int64_t count = logits.size();
  std::vector<float> scores = logits;
  if (!c.selected)
    scoreInPlace(c, scores);
  std::vector<float> choices = scores;
  for (int64_t e = 0; e < count && c.bias; ++e)
    choices[e] += bias[e];
  auto ranking = [](const std::vector<float> &values) {
    std::vector<int32_t> indices(values.size());
    for (size_t i = 0; i < values.size(); ++i)
      indices[i] = static_cast<int32_t>(i);
    std::sort(indices.begin(), indices.end(), [&](int32_t a, int32_t b) {
      return before(values[a], values[b]) || (!before(values[b], values[a]) && a < b);
    });
    return indices;
  };
  if (c.groups > 1) {
    std::vector<float> groupScores;
    int64_t size = count / c.groups;
    for (int64_t g = 0; g < c.groups; ++g) {
      std::vector<float> members(choices.begin() + g * size, choices.begin() + (g + 1) * size);
      auto best = ranking(members);
      groupScores.push_back(members[best[0]] + (c.top2 ? members[best[1]] : 0.0f));
    }
    auto order = ranking(groupScores);
    for (int64_t i = c.kept; i < c.groups; ++i)
      for (int64_t e = order[i] * size; e < (order[i] + 1) * size; ++e)
        choices[e] = c.droppedZero ? 0.0f : -std::numeric_limits<float>::infinity();
  }
  auto order = ranking(choices);
  std::vector<float> chosen;
  for (int64_t j = 0; j < k; ++j) {
    experts.push_back(order[j]);
    chosen.push_back(c.mix ? mix[order[j]] : scores[order[j]]);
  }
  if (c.selected)
    scoreInPlace(c, chosen);
  float sum = 0.0f;
  for (float gate : chosen)
    sum += gate;
  for (float gate : chosen)
    gates.push_back((c.renormalize == 0 ? gate : gate / (c.renormalize == 1 ? sum + c.eps : std::max(sum, c.eps))) *
                    c.scale);
}

class Route : public MoeKernels, public testing::WithParamInterface<RouteCase> {};

TEST_P(Route, AgreesWithSorting) {
  const RouteCase &c = GetParam();
  std::string extra = c.bias ? " bias %b : tensor<8xf32>" : "";
  extra += c.mix ? " mix %m : tensor<?x8xf32>" : "";
  std::string parameters = c.bias ? ", %b: tensor<8xf32>" : "";
  parameters += c.mix ? ", %m: tensor<?x8xf32>" : "";
  auto text = llvm::formatv(R"(
    func.func @f(%l: tensor<?x8xf32>{0}) -> (tensor<?x3xi32>, tensor<?x3xf32>) {{
      %e, %g = moe.route %l{1} router(<{2}, k = 3>) : tensor<?x8xf32> -> tensor<?x3xi32>, tensor<?x3xf32>
      return %e, %g : tensor<?x3xi32>, tensor<?x3xf32>
    })", parameters, extra, c.router).str();
  CompiledKernel kernel(*context, text, avx2);
  ASSERT_TRUE(kernel.isValid());
  for (int64_t tokens : {0, 1, 50}) {
    auto logits = randomFloats(tokens * 8, 3.0f), bias = randomFloats(8), mix = randomFloats(tokens * 8);
    for (int64_t i = 0; i + 9 < tokens * 8; i += 9)
      logits[i + 1] = logits[i]; // ties
    std::vector<int32_t> experts;
    std::vector<float> gates;
    for (int64_t t = 0; t < tokens; ++t)
      routeToken(c, {logits.begin() + t * 8, logits.begin() + t * 8 + 8}, bias,
                 {mix.begin() + t * 8, mix.begin() + t * 8 + 8}, 3, experts, gates);
    std::vector<Buffer> buffers = {Buffer::of({tokens, 8}, logits)};
    if (c.bias)
      buffers.push_back(Buffer::of({8}, bias));
    if (c.mix)
      buffers.push_back(Buffer::of({tokens, 8}, mix));
    buffers.push_back(Buffer::filled<int32_t>({tokens, 3}, -7));
    buffers.push_back(Buffer::filled<float>({tokens, 3}, 9.0f));
    EXPECT_EQ(kernel.runAll(buffers, 7), 0);
    EXPECT_EQ(buffers[buffers.size() - 2].as<int32_t>(), experts);
    expectNear(buffers.back().as<float>(), gates);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Routers, Route,
    testing::Values(
        RouteCase{.router = "score = softmax, over = all", .softmax = true},
        RouteCase{.router = "score = softmax, over = selected", .softmax = true, .selected = true, .bias = true},
        RouteCase{.router = "score = sigmoid, over = selected, renormalize = sum_plus_eps, eps = 1.0e-02, scale = 2.5",
                  .sigmoid = true, .selected = true, .renormalize = 1, .eps = 1e-2f, .scale = 2.5f},
        RouteCase{.router = "score = softmax, over = all, renormalize = max_eps, eps = 5.0e-01", .softmax = true,
                  .renormalize = 2, .eps = 0.5f, .bias = true, .mix = true},
        RouteCase{.router = "score = sigmoid, over = all, select = group_limited, groups = 4, kept_groups = 2, "
                            "group_score = top2_sum",
                  .sigmoid = true, .groups = 4, .kept = 2, .top2 = true, .bias = true},
        RouteCase{.router = "score = identity, over = all, select = group_limited, groups = 2, kept_groups = 1, "
                            "dropped = zero",
                  .groups = 2, .kept = 1, .droppedZero = true}));

TEST_F(MoeKernels, RouteRanksNaNLast) {
  CompiledKernel kernel(*context, R"(
    func.func @f(%l: tensor<?x4xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>) {
      %e, %g = moe.route %l router(<score = identity, over = all, k = 3>)
        : tensor<?x4xf32> -> tensor<?x3xi32>, tensor<?x3xf32>
      return %e, %g : tensor<?x3xi32>, tensor<?x3xf32>
    })", avx2);
  ASSERT_TRUE(kernel.isValid());
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  std::vector<Buffer> buffers = {Buffer::of<float>({2, 4}, {nan, -inf, 1.0f, nan, nan, nan, nan, nan}),
                                 Buffer::filled<int32_t>({2, 3}, -7), Buffer::filled<float>({2, 3}, 9.0f)};
  EXPECT_EQ(kernel.runAll(buffers), 0);
  EXPECT_EQ(buffers[1].as<int32_t>(), (std::vector<int32_t>{2, 1, 0, 0, 1, 2}));
}

//===----------------------------------------------------------------------===//
// moe.grouped_matmul
//===----------------------------------------------------------------------===//

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
           (c.bias ? " bias %b" : "") + llvm::formatv(" columns {0} activation(<kind = {1}, layout = {2}{3}>)", c.columns,
                                                      c.activation, layout, c.parameters).str() +
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
                                   Buffer::of({c.experts + 1}, grouping.offsets), Buffer::of({2 * tokens}, grouping.order)};
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
