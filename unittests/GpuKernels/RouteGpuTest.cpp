//===- RouteGpuTest.cpp - moe.route on the emulated GPU ---------------------===//

#include "GpuOpTest.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <limits>
#include <random>

using namespace mlir;
using namespace moec::test;
using moec::reference::HostTensor;

namespace {

/// One form of the op.
struct RouteForm {
  const char *name, *type;
  int64_t experts, k;
  /// The router without its k.
  const char *router;
  const char *bias = nullptr, *mix = nullptr;
};

constexpr double infinity = std::numeric_limits<double>::infinity();

class RouteGpu : public GpuOpTest, public testing::WithParamInterface<RouteForm> {
protected:
  static std::string text(const RouteForm &form) {
    std::string logits = llvm::formatv("tensor<?x{0}x{1}>", form.experts, form.type), arguments = "%l: " + logits;
    std::string op = "moe.route %l ";
    auto add = [&](const char *role, const std::string &type) {
      arguments += llvm::formatv(", %{0}: {1}", role, type);
      op += llvm::formatv("{0} %{0} : {1} ", role, type);
    };
    if (form.bias)
      add("bias", llvm::formatv("tensor<{0}x{1}>", form.experts, form.bias));
    if (form.mix)
      add("mix", llvm::formatv("tensor<?x{0}x{1}>", form.experts, form.mix));
    std::string results = llvm::formatv("tensor<?x{0}xi32>, tensor<?x{0}xf32>", form.k);
    return llvm::formatv("func.func @main({0}) -> ({1}) {{\n %e, %g = {2} router(<{3}, k = {4}{5}>) : {6} -> {1}\n "
                         "return %e, %g : {1}\n}",
                         arguments, results, op, StringRef(form.router).split(';').first, form.k,
                         StringRef(form.router).split(';').second, logits);
  }

  /// Numbers of a coarse grid, so that values tie or clearly differ, and rows that are special.
  SmallVector<HostTensor> inputs(const RouteForm &form, int64_t tokens, unsigned seed) const {
    std::mt19937 random(seed);
    auto number = [&] { return static_cast<int64_t>(random() % 97) / 16.0 - 3; };
    auto fill = [&](const char *type, ArrayRef<int64_t> shape) {
      HostTensor tensor(parse(type), shape);
      for (int64_t i = 0; i < tensor.getSize(); ++i)
        tensor.setReal(i, number());
      return tensor;
    };
    SmallVector<HostTensor> tensors = {fill(form.type, {tokens, form.experts})};
    for (int64_t token = 0; token < tokens; ++token)
      for (int64_t expert = 0; expert < form.experts; ++expert)
        if (std::optional<double> special = specialLogit(token % 12, random()))
          tensors[0].setReal({token, expert}, *special);
    if (form.bias)
      tensors.push_back(fill(form.bias, {form.experts}));
    if (form.mix)
      tensors.push_back(fill(form.mix, {tokens, form.experts}));
    return tensors;
  }

  static std::optional<double> specialLogit(int64_t kind, unsigned random) {
    switch (kind) {
    case 1: // all equal, but for the sign of zero
      return random % 2 ? 0.0 : -0.0;
    case 3:
      return random % 5 ? std::nullopt : std::optional(-infinity);
    case 5:
      return random % 9 ? std::nullopt : std::optional(std::nan(""));
    case 6:
      return random % 30 ? std::nullopt : std::optional(infinity);
    case 7: // far apart: most scores underflow
      return static_cast<double>(random % 5) * -200;
    case 9:
      return std::nan("");
    case 10:
      return -infinity;
    default:
      return std::nullopt;
    }
  }
};

TEST_P(RouteGpu, AgreesWithReference) {
  const RouteForm &form = GetParam();
  std::unique_ptr<GpuKernelRunner> runner = compile(text(form));
  ASSERT_TRUE(runner->isValid());
  for (int64_t tokens : {0, 1, 3, 50}) {
    SmallVector<HostTensor> operands = inputs(form, tokens, 1 + tokens);
    SmallVector<HostTensor> expected = evaluateAll(text(form), operands);
    SmallVector<HostTensor> actual = launchAll(*runner, operands, tokens);
    ASSERT_EQ(actual.size(), 2u);
    EXPECT_EQ(runner->blocks, (tokens + 3) / 4);
    for (int64_t i = 0; i < expected[0].getSize(); ++i) {
      ASSERT_EQ(actual[0].integer(i), expected[0].integer(i))
          << tokens << " tokens, token " << i / form.k << ", slot " << i % form.k;
      double want = expected[1].real(i), have = actual[1].real(i);
      bool isSame = std::isfinite(want) ? std::fabs(have - want) <= 2e-6 * std::fabs(want) + 1e-37
                                        : have == want || (std::isnan(want) && std::isnan(have));
      ASSERT_TRUE(isSame) << have << ", expected " << want << ": " << tokens << " tokens, token " << i / form.k
                          << ", slot " << i % form.k;
    }
  }
}

constexpr const char *softmax = "score = softmax, over = all";
constexpr const char *renormalised = "score = softmax, over = all; , renormalize = sum_plus_eps";
constexpr const char *ofSelected = "score = softmax, over = selected";
constexpr const char *deepSeek = "score = sigmoid, over = all;, select = group_limited, groups = 8, kept_groups = 4, "
                                 "group_score = top2_sum, renormalize = sum_plus_eps, eps = 1.0e-20, scale = 2.5";

INSTANTIATE_TEST_SUITE_P(
    Bounds, RouteGpu,
    testing::Values(
        RouteForm{"TopP", "f32", 8, 8,
                  "score = softmax, over = all;, select = top_p, renormalize = sum_plus_eps, bound = 0.6"},
        RouteForm{"TopPOfMany", "f32", 64, 40, "score = softmax, over = all;, select = top_p, bound = 0.95"},
        RouteForm{"TopPMixed", "bf16", 60, 7, "score = sigmoid, over = all;, select = top_p, scale = 2.5, bound = 3.3",
                  nullptr, "f32"},
        RouteForm{"Relu", "f32", 64, 64,
                  "score = relu, over = all;, select = threshold, renormalize = max_eps, eps = 1.0e-6"},
        RouteForm{"Threshold", "f32", 128, 8, "score = sigmoid, over = all;, select = threshold, bound = 0.9", "f32"},
        RouteForm{"ThresholdMixed", "f16", 24, 5, "score = softmax, over = all;, select = threshold, bound = 0.11",
                  "f16", "f32"},
        RouteForm{"PhiMoe", "f32", 16, 2, "score = softmax, over = all;, select = sparse_mixer, bound = 0.02"},
        RouteForm{"SparseMixerOfMany", "bf16", 160, 33,
                  "score = softmax, over = all;, select = sparse_mixer, bound = 0.4, scale = 2.0"},
        RouteForm{"SparseMixerOfOne", "f32", 1, 1,
                  "score = softmax, over = all;, select = sparse_mixer, renormalize = sum_plus_eps, bound = 0.0"}),
    [](const auto &info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Forms, RouteGpu,
    testing::Values(
        RouteForm{"OneExpert", "f32", 1, 1, softmax}, RouteForm{"All", "f32", 7, 7, softmax},
        RouteForm{"Mixtral", "f32", 8, 2, ofSelected}, RouteForm{"OlMoe", "f32", 64, 8, softmax},
        RouteForm{"Qwen3", "bf16", 128, 8, renormalised}, RouteForm{"Qwen3Next", "f32", 512, 10, renormalised},
        RouteForm{"GptOss", "bf16", 32, 4, ofSelected}, RouteForm{"DeepSeekV3", "f32", 256, 8, deepSeek, "f32"},
        RouteForm{"KimiK2", "f32", 384, 8, "score = sigmoid, over = all;, renormalize = max_eps, eps = 1.0e-6", "f32"},
        RouteForm{"DeepSeekV2", "f32", 160, 6,
                  "score = softmax, over = all;, select = group_limited, groups = 8, kept_groups = 3, group_score = "
                  "max, scale = 16.0"},
        RouteForm{"DroppedZero", "f16", 60, 9,
                  "score = identity, over = all;, select = group_limited, groups = 4, kept_groups = 1, group_score = "
                  "max, dropped = zero"},
        RouteForm{"ManyGroups", "f32", 96, 22,
                  "score = sigmoid, over = all;, select = group_limited, groups = 32, kept_groups = 9, group_score = "
                  "top2_sum, dropped = zero",
                  "bf16"},
        RouteForm{"GroupsOfSelected", "f32", 64, 5,
                  "score = softmax, over = selected;, select = group_limited, groups = 16, kept_groups = 3, "
                  "group_score = max",
                  "f16"},
        RouteForm{"Sigmoid", "f32", 16, 1, "score = sigmoid, over = selected"},
        RouteForm{"Odd", "f32", 101, 3, "score = sigmoid, over = all;, scale = -0.5"},
        RouteForm{"OddBf16", "bf16", 33, 4, "score = identity, over = selected;, renormalize = max_eps, eps = 0.5"},
        RouteForm{"Mix", "f32", 48, 22, "score = identity, over = all;, renormalize = sum_plus_eps, eps = 0.25", "f32",
                  "bf16"},
        RouteForm{"MixAlone", "f32", 20, 2, softmax, nullptr, "f32"}, RouteForm{"ManySlots", "f32", 80, 70, ofSelected},
        RouteForm{"ManySlotsOfAll", "f16", 256, 33, renormalised},
        RouteForm{"MostExperts", "f32", 1000, 22, "score = sigmoid, over = all", "f32"}),
    [](const auto &info) { return info.param.name; });

class RouteGpuAssembly : public RouteGpu {};

TEST_P(RouteGpuAssembly, HasNoSpills) { expectAssembles(*compile(text(GetParam()))); }

INSTANTIATE_TEST_SUITE_P(Forms, RouteGpuAssembly,
                         testing::Values(RouteForm{"Qwen3", "bf16", 128, 8, renormalised},
                                         RouteForm{"DeepSeekV3", "f32", 256, 8, deepSeek, "f32"},
                                         RouteForm{"Qwen3Next", "f32", 512, 10, ofSelected},
                                         RouteForm{"MostExperts", "f32", 1024, 40, deepSeek, "f32"}),
                         [](const auto &info) { return info.param.name; });

class RouteGpuCounters : public RouteGpu {};

/// Logits are read and results written once, in whole sectors. Only the scores of chosen experts may share banks.
TEST_P(RouteGpuCounters, AreThoseOfTheIdeal) {
  const RouteForm &form = GetParam();
  std::unique_ptr<GpuKernelRunner> runner = compile(text(form));
  launchAll(*runner, inputs(form, 64, 1));
  const moert::emu::LaunchCounters &counters = runner->report.counters;
  uint64_t readBytes = 64 * form.experts * (form.bias ? 8 : 4);
  EXPECT_EQ(counters.global.readBytes, readBytes);
  EXPECT_EQ(32 * counters.globalReadSectors, readBytes);
  EXPECT_EQ(counters.global.writtenBytes, 64u * form.k * 8);
  EXPECT_EQ(32 * counters.globalWrittenSectors, 64u * form.k * 8);
  EXPECT_LE(counters.sharedConflicts, form.bias ? 64u * (form.k - 1) : 0u);
  RecordProperty("shared_accesses", std::to_string(counters.sharedAccesses));
  RecordProperty("shared_conflicts", std::to_string(counters.sharedConflicts));
  RecordProperty("instructions_per_token", std::to_string(runner->report.instructions / 64));
}

INSTANTIATE_TEST_SUITE_P(Forms, RouteGpuCounters,
                         testing::Values(RouteForm{"OlMoe", "f32", 64, 8, softmax},
                                         RouteForm{"Qwen3", "f32", 128, 8, renormalised},
                                         RouteForm{"GptOss", "f32", 32, 8, ofSelected},
                                         RouteForm{"DeepSeekV3", "f32", 256, 8, deepSeek, "f32"},
                                         RouteForm{"Qwen3Next", "f32", 512, 16, renormalised}),
                         [](const auto &info) { return info.param.name; });

} // namespace
