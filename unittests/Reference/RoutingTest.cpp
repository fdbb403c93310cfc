//===- RoutingTest.cpp - routers and grouping against values by hand --------===//

#include "ReferenceFixture.h"

#include <cmath>
#include <limits>

using namespace moec::reference;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

class RoutingTest : public ReferenceTest {
protected:
  /// Routes rows of `experts` logits, with an optional bias.
  llvm::SmallVector<HostTensor> route(llvm::StringRef router, int64_t k, int64_t experts, llvm::ArrayRef<double> logits,
                                      llvm::ArrayRef<double> bias = {}) {
    std::string e = std::to_string(experts), chosen = std::to_string(k);
    std::string in = "tensor<?x" + e + "xf32>", biasType = "tensor<" + e + "xf32>";
    std::string out = "tensor<?x" + chosen + "xi32>, tensor<?x" + chosen + "xf32>";
    bool biased = !bias.empty();
    std::string text = "func.func @main(%l: " + in + (biased ? ", %b: " + biasType : "") + ") -> (" + out + ") {\n" +
                       "%e, %g = moe.route %l " + (biased ? "bias %b : " + biasType : "") + " router(<k = " + chosen +
                       ", " + router.str() + ">) : " + in + " -> " + out + "\n return %e, %g : " + out + "\n}";
    llvm::SmallVector<HostTensor> inputs = {f32({static_cast<int64_t>(logits.size()) / experts, experts}, logits)};
    if (biased)
      inputs.push_back(f32({experts}, bias));
    return run(text, inputs);
  }
};

TEST_F(RoutingTest, SoftmaxOverAllExperts) {
  auto results = route("score = softmax, over = all", 2, 3, {0.0, std::log(2.0), std::log(5.0)});
  ASSERT_EQ(results.size(), 2u) << message;
  EXPECT_THAT(ints(results[0]), ElementsAre(2, 1));
  EXPECT_THAT(reals(results[1]), near({5.0 / 8, 2.0 / 8}));
}

TEST_F(RoutingTest, SoftmaxOverSelectedExperts) {
  auto results = route("score = softmax, over = selected", 2, 3, {0.0, std::log(2.0), std::log(5.0)});
  ASSERT_EQ(results.size(), 2u) << message;
  EXPECT_THAT(reals(results[1]), near({5.0 / 7, 2.0 / 7}));
}

TEST_F(RoutingTest, TiesGoToTheLowestIndexAndNanRanksLast) {
  auto results = route("score = identity, over = all", 4, 4, {1, 1, 1, 1, nan, 2, nan, -infinity});
  ASSERT_EQ(results.size(), 2u) << message;
  EXPECT_THAT(ints(results[0]), ElementsAre(0, 1, 2, 3, 1, 3, 0, 2));
}

TEST_F(RoutingTest, SlotsAreInOrderOfChoiceNotOfGates) {
  auto results = route("score = sigmoid, over = all", 2, 3, {0.0, 1.0, 2.0}, {5.0, 0.0, 0.0});
  ASSERT_EQ(results.size(), 2u) << message;
  EXPECT_THAT(ints(results[0]), ElementsAre(0, 2));
  EXPECT_THAT(reals(results[1]), near({0.5, 1.0 / (1.0 + std::exp(-2.0))}));
}

TEST_F(RoutingTest, Renormalization) {
  llvm::StringRef sum = "score = identity, over = all, renormalize = sum_plus_eps, eps = 1.0, scale = 2.0";
  EXPECT_THAT(reals(route(sum, 2, 2, {3.0, 1.0})[1]), near({6.0 / 5, 2.0 / 5}));
  llvm::StringRef max = "score = identity, over = all, renormalize = max_eps, eps = 8.0";
  EXPECT_THAT(reals(route(max, 2, 2, {3.0, 1.0})[1]), near({3.0 / 8, 1.0 / 8}));
}

TEST_F(RoutingTest, ZeroGatesRenormalized) {
  auto unguarded = route("score = identity, over = all, renormalize = sum_plus_eps", 1, 2, {0.0, 0.0});
  EXPECT_TRUE(std::isnan(unguarded[1].real(0)));
  auto guarded = route("score = identity, over = all, renormalize = max_eps, eps = 1.0e-12", 1, 2, {0.0, 0.0});
  EXPECT_EQ(guarded[1].real(0), 0.0);
}

TEST_F(RoutingTest, GroupLimitedWithNegativeChoiceValues) {
  // Groups {0,1}, {2,3}; the second is kept. All its values are negative, so that experts that are dropped as 0 win.
  std::initializer_list<double> logits = {-9.0, -8.0, -1.0, -2.0};
  llvm::StringRef limited = "score = identity, over = all, select = group_limited, groups = 2, dropped = ";
  auto asInfinity = route((limited + "neg_inf").str(), 2, 4, logits);
  EXPECT_THAT(ints(asInfinity[0]), ElementsAre(2, 3));
  auto asZero = route((limited + "zero").str(), 2, 4, logits);
  EXPECT_THAT(ints(asZero[0]), ElementsAre(0, 1));
  EXPECT_THAT(reals(asZero[1]), ElementsAre(-9.0, -8.0));
}

TEST_F(RoutingTest, GroupScores) {
  // By the maximum group 0 wins, by the sum of two group 1; equal groups go to the lowest.
  llvm::StringRef limited = "score = identity, over = all, select = group_limited, groups = 2, group_score = ";
  std::initializer_list<double> logits = {5.0, 0.0, 4.0, 3.0};
  EXPECT_THAT(ints(route((limited + "max").str(), 1, 4, logits)[0]), ElementsAre(0));
  EXPECT_THAT(ints(route((limited + "top2_sum").str(), 1, 4, logits)[0]), ElementsAre(2));
  EXPECT_THAT(ints(route((limited + "top2_sum").str(), 1, 4, {2.0, 2.0, 3.0, 1.0})[0]), ElementsAre(0));
}

TEST_F(RoutingTest, TopPTakesExpertsUntilTheirSumReachesTheBound) {
  llvm::StringRef topP = "score = identity, over = all, select = top_p, bound = 0.5";
  auto results = route(topP, 4, 4, {0.125, 0.5, 0.25, 0.125, 0.25, 0.25, 0.25, 0.25, 0.0, 0.0, 1.0, 0.0});
  ASSERT_EQ(results.size(), 2u) << message;
  EXPECT_THAT(ints(results[0]), ElementsAre(1, -1, -1, -1, 0, 1, -1, -1, 2, -1, -1, -1));
  EXPECT_THAT(reals(results[1]), near({0.5, 0, 0, 0, 0.25, 0.25, 0, 0, 1, 0, 0, 0}));
  auto divided = route("score = identity, over = all, select = top_p, bound = 0.7, renormalize = sum_plus_eps", 3, 4,
                       {0.1, 0.5, 0.3, 0.1});
  EXPECT_THAT(ints(divided[0]), ElementsAre(1, 2, -1));
  EXPECT_THAT(reals(divided[1]), near({0.625, 0.375, 0.0}));
}

TEST_F(RoutingTest, ThresholdLeavesOutWhatDoesNotExceedIt) {
  auto results = route("score = relu, over = all, select = threshold", 3, 4, {-1, 2, 0, 3, 1, 2, 3, 4, -1, -2, -3, 0});
  ASSERT_EQ(results.size(), 2u) << message;
  EXPECT_THAT(ints(results[0]), ElementsAre(3, 1, -1, 3, 2, 1, -1, -1, -1));
  EXPECT_THAT(reals(results[1]), ElementsAre(3, 2, 0, 4, 3, 2, 0, 0, 0));
  auto nothing =
      route("score = identity, over = all, select = threshold, bound = 5.0, renormalize = sum_plus_eps", 2, 2, {1, 2});
  EXPECT_THAT(ints(nothing[0]), ElementsAre(-1, -1));
  EXPECT_THAT(reals(nothing[1]), ElementsAre(0, 0));
}

TEST_F(RoutingTest, NanIsNeverLeftOut) {
  auto results = route("score = identity, over = all, select = threshold, bound = 5.0", 3, 3, {nan, 6, 1});
  ASSERT_EQ(results.size(), 2u) << message;
  EXPECT_THAT(ints(results[0]), ElementsAre(1, -1, 0));
  EXPECT_TRUE(std::isnan(results[1].real(2)));
}

TEST_F(RoutingTest, SparseMixerLeavesOutWhatIsFarFromTheLargest) {
  // First 4 with 3.9 near it, then 3.9 alone: 3 is farther than a tenth of the magnitude.
  auto results = route("score = softmax, over = all, select = sparse_mixer, bound = 0.1", 2, 4, {3, 4, 3.9, -5});
  ASSERT_EQ(results.size(), 2u) << message;
  EXPECT_THAT(ints(results[0]), ElementsAre(1, 2));
  EXPECT_THAT(reals(results[1]), near({1 / (1 + std::exp(-0.1)), 1.0}));
  // Of zeros the quotient is not a number, and all are near.
  auto zeros = route("score = softmax, over = all, select = sparse_mixer, bound = 0.1", 2, 4, {0, 0, 0, 0});
  EXPECT_THAT(ints(zeros[0]), ElementsAre(0, 1));
  EXPECT_THAT(reals(zeros[1]), near({1.0 / 4, 1.0 / 3}));
  // Negative ones are compared by their own magnitude.
  auto negative = route("score = softmax, over = all, select = sparse_mixer, bound = 0.5", 1, 3, {-1, -2, -4});
  EXPECT_THAT(reals(negative[1]), near({1 / (1 + std::exp(-1.0))}));
}

TEST_F(RoutingTest, MixSuppliesTheGates) {
  auto results =
      run(R"(func.func @main(%l: tensor<1x3xf32>, %m: tensor<1x3xf32>) -> (tensor<1x2xi32>, tensor<1x2xf32>) {
    %e, %g = moe.route %l mix %m : tensor<1x3xf32> router(<score = softmax, over = all, k = 2>)
      : tensor<1x3xf32> -> tensor<1x2xi32>, tensor<1x2xf32>
    return %e, %g : tensor<1x2xi32>, tensor<1x2xf32>
  })",
          {f32({1, 3}, {1.0, 3.0, 2.0}), f32({1, 3}, {7.0, 8.0, 9.0})});
  ASSERT_EQ(results.size(), 2u) << message;
  EXPECT_THAT(ints(results[0]), ElementsAre(1, 2));
  EXPECT_THAT(reals(results[1]), ElementsAre(8.0, 9.0));
}

TEST_F(RoutingTest, NoTokens) {
  auto results = route("score = softmax, over = all", 2, 3, {});
  ASSERT_EQ(results.size(), 2u) << message;
  EXPECT_THAT(results[0].getShape(), ElementsAre(0, 2));
}

class LimitCapacityTest : public ReferenceTest {
protected:
  llvm::SmallVector<HostTensor> limit(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<double> experts) {
    std::string type = "tensor<?x?x" + std::to_string(shape.back()) + "xi32>";
    return run("func.func @main(%e: " + type + ") -> " + type +
                   " {\n %k = moe.limit_capacity %e experts 3 capacity 2 : " + type + "\n return %k : " + type + "\n}",
               {integers(32, shape, experts)});
  }
};

TEST_F(LimitCapacityTest, CountsEachBatchByItself) {
  auto results = limit({2, 4, 1}, {0, 0, 0, 1, 0, -1, 0, 0});
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_THAT(ints(results[0]), ElementsAre(0, 0, -1, 1, 0, -1, 0, -1));
}

TEST_F(LimitCapacityTest, ServesSlotAfterSlot) {
  // The second expert of the first token waits for the first ones of all tokens.
  auto results = limit({1, 3, 2}, {0, 1, 1, 0, 1, 0});
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_THAT(ints(results[0]), ElementsAre(0, -1, 1, 0, 1, -1));
}

TEST_F(LimitCapacityTest, LeavesWhatNamesNoExpert) {
  EXPECT_THAT(ints(limit({1, 4, 1}, {3, 3, 3, -2})[0]), ElementsAre(3, 3, 3, -2));
  EXPECT_THAT(ints(limit({1, 0, 2}, {})[0]), IsEmpty());
}

class GroupTest : public ReferenceTest {
protected:
  llvm::SmallVector<HostTensor> group(int64_t slots, llvm::ArrayRef<double> experts) {
    std::string in = "tensor<?x" + std::to_string(slots) + "xi32>", out = "tensor<4xi32>, tensor<?xi32>, tensor<?xi32>";
    return run("func.func @main(%e: " + in + ") -> (" + out + ") {\n %o, %r, %i = moe.group %e experts 3 : " + in +
                   " -> " + out + "\n return %o, %r, %i : " + out + "\n}",
               {integers(32, {static_cast<int64_t>(experts.size()) / slots, slots}, experts)});
  }
};

TEST_F(GroupTest, StableWithMissingExperts) {
  auto results = group(2, {2, 0, -1, 2, 0, -1});
  ASSERT_EQ(results.size(), 3u) << message;
  EXPECT_THAT(ints(results[0]), ElementsAre(0, 2, 2, 4));
  EXPECT_THAT(ints(results[1]), ElementsAre(1, 4, 0, 3, -1, -1));
  EXPECT_THAT(ints(results[2]), ElementsAre(2, 0, -1, 3, 1, -1));
}

TEST_F(GroupTest, NoRows) {
  auto results = group(2, {});
  ASSERT_EQ(results.size(), 3u) << message;
  EXPECT_THAT(ints(results[0]), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(ints(results[1]), IsEmpty());
}

TEST_F(GroupTest, RefusesIdsOutOfRange) {
  EXPECT_THAT(group(1, {3}), IsEmpty());
  EXPECT_EQ(message, "expert 3 is out of range for 3 experts");
}

} // namespace
