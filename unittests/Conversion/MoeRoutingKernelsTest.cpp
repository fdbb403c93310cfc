//===- MoeRoutingKernelsTest.cpp - route, group and combine against plain loops -===//

#include "RoutedRows.h"

#include "llvm/Support/FormatVariadic.h"

#include <limits>

using namespace moec::test;

namespace {

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

TEST_F(MoeKernels, CombineSumsRowsOfATable) {
  CompiledKernel kernel(*context, R"(
    func.func @f(%y: tensor<5x83xf32>, %i: tensor<?xi32>, %g: tensor<?x4xf32>) -> tensor<?x83xf32> {
      %r = moe.combine %y inverse %i gates %g slots 4
        : (tensor<5x83xf32>, tensor<?xi32>, tensor<?x4xf32>) -> tensor<?x83xf32>
      return %r : tensor<?x83xf32>
    })",
                        avx2);
  ASSERT_TRUE(kernel.isValid());
  for (int64_t tokens : {0, 1, 9}) {
    std::vector<int32_t> places = randomExperts(tokens, 4, 5);
    auto rows = randomFloats(5 * 83), gates = randomFloats(4 * tokens);
    std::vector<Buffer> buffers = {Buffer::of({5, 83}, rows), Buffer::of({4 * tokens}, places),
                                   Buffer::of({tokens, 4}, gates), Buffer::filled<float>({tokens, 83}, 9.0f)};
    EXPECT_EQ(kernel.runAll(buffers, 2), 0);
    std::vector<float> expected(tokens * 83);
    for (int64_t slot = 0; slot < 4 * tokens; ++slot)
      for (int64_t c = 0; c < 83 && places[slot] >= 0; ++c)
        expected[slot / 4 * 83 + c] += gates[slot] * rows[places[slot] * 83 + c];
    expectNear(buffers.back().as<float>(), expected);
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

struct BoundedCase {
  const char *router;
  std::vector<float> logits;
  std::vector<int32_t> experts;
  std::vector<float> gates;
};

class BoundedRoute : public MoeKernels, public testing::WithParamInterface<BoundedCase> {};

TEST_P(BoundedRoute, LeavesSlotsWithoutExperts) {
  const BoundedCase &c = GetParam();
  auto text = llvm::formatv(R"(
    func.func @f(%l: tensor<?x4xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>) {{
      %e, %g = moe.route %l router(<{0}, k = 3>) : tensor<?x4xf32> -> tensor<?x3xi32>, tensor<?x3xf32>
      return %e, %g : tensor<?x3xi32>, tensor<?x3xf32>
    })", c.router).str();
  CompiledKernel kernel(*context, text, avx2);
  ASSERT_TRUE(kernel.isValid());
  int64_t tokens = c.logits.size() / 4;
  std::vector<Buffer> buffers = {Buffer::of({tokens, 4}, c.logits), Buffer::filled<int32_t>({tokens, 3}, -7),
                                 Buffer::filled<float>({tokens, 3}, 9.0f)};
  EXPECT_EQ(kernel.runAll(buffers), 0);
  EXPECT_EQ(buffers[1].as<int32_t>(), c.experts);
  expectNear(buffers[2].as<float>(), c.gates);
}

INSTANTIATE_TEST_SUITE_P(
    Routers, BoundedRoute,
    testing::Values(
        BoundedCase{"score = identity, over = all, select = top_p, bound = 0.5",
                    {0.125f, 0.5f, 0.25f, 0.125f, 0.25f, 0.25f, 0.25f, 0.25f},
                    {1, -1, -1, 0, 1, -1},
                    {0.5f, 0, 0, 0.25f, 0.25f, 0}},
        BoundedCase{"score = identity, over = all, select = top_p, bound = 0.7, renormalize = sum_plus_eps, scale = 2.0",
                    {0.1f, 0.5f, 0.3f, 0.1f},
                    {1, 2, -1},
                    {1.25f, 0.75f, 0}},
        BoundedCase{"score = relu, over = all, select = threshold, renormalize = sum_plus_eps",
                    {-1, 2, 0, 3, -1, -2, 0, -4},
                    {3, 1, -1, -1, -1, -1},
                    {0.6f, 0.4f, 0, 0, 0, 0}},
        BoundedCase{"score = softmax, over = all, select = sparse_mixer, bound = 0.1",
                    {3, 4, 3.9f, -5, 0, 0, 0, 0},
                    {1, 2, 0, 0, 1, 2},
                    {1 / (1 + std::exp(-0.1f)), 1, 1, 0.25f, 1 / 3.0f, 0.5f}}));

TEST_F(MoeKernels, LimitCapacityServesBatchesSlotBySlot) {
  CompiledKernel kernel(*context, R"(
    func.func @f(%e: tensor<?x?x2xi32>) -> tensor<?x?x2xi32> {
      %k = moe.limit_capacity %e experts 3 capacity 2 : tensor<?x?x2xi32>
      return %k : tensor<?x?x2xi32>
    })", avx2);
  ASSERT_TRUE(kernel.isValid());
  std::vector<Buffer> buffers = {Buffer::of<int32_t>({2, 3, 2}, {0, 1, 1, 0, 1, 0, 2, 2, 2, -1, 7, 2}),
                                 Buffer::filled<int32_t>({2, 3, 2}, -9)};
  EXPECT_EQ(kernel.runAll(buffers, 1), 0);
  EXPECT_EQ(buffers[1].as<int32_t>(), (std::vector<int32_t>{0, -1, 1, 0, 1, -1, 2, -1, 2, -1, 7, -1}));
  std::vector<Buffer> empty = {Buffer::filled<int32_t>({2, 0, 2}, 0), Buffer::filled<int32_t>({2, 0, 2}, 0)};
  EXPECT_EQ(kernel.runAll(empty), 0);
}

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

} // namespace
