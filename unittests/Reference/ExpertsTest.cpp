//===- ExpertsTest.cpp - experts and their pieces against values by hand ----===//

#include "ReferenceFixture.h"

#include <cmath>

using namespace moec::reference;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

namespace {

class ExpertsTest : public ReferenceTest {
protected:
  /// Two experts with hidden size 1: expert e multiplies by e + 1 and then by 10.
  llvm::SmallVector<HostTensor> scaleBy(llvm::ArrayRef<double> x, llvm::ArrayRef<double> experts,
                                        llvm::ArrayRef<double> gates, llvm::StringRef activation,
                                        llvm::StringRef attributes = "") {
    int64_t tokens = x.size(), slots = 2;
    return run(R"(func.func @main(%x: tensor<?x1xf32>, %e: tensor<?x2xi32>, %g: tensor<?x2xf32>) -> tensor<?x1xf32> {
      %w1 = arith.constant dense<[[[1.0]], [[2.0]]]> : tensor<2x1x1xf32>
      %w2 = arith.constant dense<10.0> : tensor<2x1x1xf32>
      %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 activation(<)" +
                   activation.str() + ">) " + attributes.str() + R"(
        : (tensor<?x1xf32>, tensor<?x2xi32>, tensor<?x2xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>) -> tensor<?x1xf32>
      return %y : tensor<?x1xf32>
    })",
               {f32({tokens, 1}, x), integers(32, {tokens, slots}, experts), f32({tokens, slots}, gates)});
  }
};

TEST_F(ExpertsTest, SumsOverSlotsAndSkipsMissingExperts) {
  auto results = scaleBy({1.0, 3.0}, {0, 1, -1, 1}, {0.5, 0.25, 9.0, 1.0}, "kind = identity");
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_THAT(reals(results[0]), near({0.5 * 10 + 0.25 * 20, 60.0}));
}

TEST_F(ExpertsTest, GateOnTheInputPassesThroughTheActivation) {
  auto output = scaleBy({-1.0}, {0, -1}, {-2.0, 0.0}, "kind = relu");
  EXPECT_THAT(reals(output[0]), ElementsAre(0.0));
  auto input = scaleBy({-1.0}, {0, -1}, {-2.0, 0.0}, "kind = relu", "{weight_on = #moe.weight_on<input>}");
  EXPECT_THAT(reals(input[0]), ElementsAre(20.0));
}

TEST_F(ExpertsTest, PlainActivations) {
  auto apply = [&](llvm::StringRef kind, double x) {
    return scaleBy({x}, {0, -1}, {1.0, 0.0}, ("kind = " + kind).str())[0].real(0) / 10.0;
  };
  EXPECT_NEAR(apply("relu2", 3.0), 9.0, 1e-6);
  EXPECT_NEAR(apply("silu", 1.0), 0.7310586, 1e-6);
  EXPECT_NEAR(apply("gelu", 1.0), 0.8413447, 1e-6);
  EXPECT_NEAR(apply("gelu_tanh", 1.0), 0.8411920, 1e-6);
}

TEST_F(ExpertsTest, NoTokens) {
  auto results = scaleBy({}, {}, {}, "kind = silu");
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_THAT(results[0].getShape(), ElementsAre(0, 1));
}

TEST_F(ExpertsTest, GatedLayoutsAgree) {
  // Gate rows are 1 and 2, linear rows 3 and 4, in each layout.
  auto evaluate = [&](llvm::StringRef w1, llvm::StringRef w1Type, llvm::StringRef w3, llvm::StringRef layout) {
    std::string w3Operand = w3.empty() ? "" : "w3 %w3";
    std::string text =
        R"(func.func @main(%x: tensor<1x1xf32>, %e: tensor<1x1xi32>, %g: tensor<1x1xf32>) -> tensor<1x1xf32> {
      %w1 = arith.constant dense<)" +
        w1.str() + "> : " + w1Type.str() + "\n" +
        (w3.empty() ? "" : "%w3 = arith.constant dense<" + w3.str() + "> : tensor<1x2x1xf32>\n") + R"(
      %w2 = arith.constant dense<[[[1.0, 100.0]]]> : tensor<1x1x2xf32>
      %y = moe.experts %x routed(%e, %g) w1 %w1 w2 %w2 )" +
        w3Operand + " activation(<kind = reglu, beta = 1.0, limit = 3.5, layout = " + layout.str() +
        ">) : (tensor<1x1xf32>, tensor<1x1xi32>, tensor<1x1xf32>, " + w1Type.str() + ", tensor<1x1x2xf32>" +
        (w3.empty() ? "" : ", tensor<1x2x1xf32>") + ") -> tensor<1x1xf32>\n return %y : tensor<1x1xf32>\n}";
    auto results = run(text, {f32({1, 1}, {1.0}), integers(32, {1, 1}, {0}), f32({1, 1}, {1.0})});
    return results.empty() ? std::vector<double>() : reals(results[0]);
  };
  // 1 * (3 + 1) + 100 * (2 * (min(4, 3.5) + 1))
  EXPECT_THAT(evaluate("[[[1.0], [2.0]]]", "tensor<1x2x1xf32>", "[[[3.0], [4.0]]]", "separate"), near({904.0}))
      << message;
  EXPECT_THAT(evaluate("[[[1.0], [2.0], [3.0], [4.0]]]", "tensor<1x4x1xf32>", "", "concatenated"), near({904.0}));
  EXPECT_THAT(evaluate("[[[1.0], [3.0], [2.0], [4.0]]]", "tensor<1x4x1xf32>", "", "interleaved"), near({904.0}));
}

TEST_F(ExpertsTest, SwigluWithAlphaBetaAndLimit) {
  auto results = run(R"(func.func @main(%x: tensor<1x1xf32>) -> tensor<1x1xf32> {
    %w = arith.constant dense<[[[10.0], [-9.0]]]> : tensor<1x2x1xf32>
    %y = moe.grouped_matmul %x by %w columns 2
      activation(<kind = swiglu, layout = interleaved, alpha = 1.702, beta = 1.0, limit = 7.0>)
      : (tensor<1x1xf32>, tensor<1x2x1xf32>) -> tensor<1x1xf32>
    return %y : tensor<1x1xf32>
  })",
                     {f32({1, 1}, {1.0})});
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_THAT(reals(results[0]), near({7.0 / (1.0 + std::exp(-1.702 * 7.0)) * (-7.0 + 1.0)}));
}

TEST_F(ExpertsTest, PackedProductEqualsPlainProduct) {
  // 17 columns and a scale; rows come in the order of places, place 2 belongs to no expert.
  auto results = run(R"(
    moe.weight @w : tensor<2x17x1xf32> source(#moe.splat<3.0>)
    func.func @main(%x: tensor<2x1xf32>, %s: tensor<2x2xf32>) -> (tensor<4x17xf32>, tensor<4x17xf32>) {
      %w = moe.load_weight @w : tensor<2x17x1xf32>
      %p = moe.pack_panels %w : (tensor<2x17x1xf32>) -> tensor<2x2x1x16xf32>
      %o = arith.constant dense<[0, 1, 3]> : tensor<3xi32>
      %r = arith.constant dense<[2, 0, 3, -1]> : tensor<4xi32>
      %0 = moe.grouped_matmul %x by %w offsets %o order %r scale %s columns 17 activation(<kind = identity>)
        {rows_per_token = 2} : (tensor<2x1xf32>, tensor<2x17x1xf32>, tensor<3xi32>, tensor<4xi32>, tensor<2x2xf32>)
        -> tensor<4x17xf32>
      %1 = moe.grouped_matmul %x by %p offsets %o order %r scale %s columns 17 activation(<kind = identity>)
        {rows_per_token = 2} : (tensor<2x1xf32>, tensor<2x2x1x16xf32>, tensor<3xi32>, tensor<4xi32>, tensor<2x2xf32>)
        -> tensor<4x17xf32>
      return %0, %1 : tensor<4x17xf32>, tensor<4x17xf32>
    })",
                     {f32({2, 1}, {1.0, 10.0}), f32({2, 2}, {1.0, 2.0, 3.0, 4.0})});
  ASSERT_EQ(results.size(), 2u) << message;
  EXPECT_EQ(results[0].real({0, 16}), 3.0 * 10.0 * 3.0);
  EXPECT_EQ(results[0].real({1, 0}), 3.0 * 1.0 * 1.0);
  EXPECT_EQ(results[0].real({2, 0}), 3.0 * 10.0 * 4.0);
  EXPECT_THAT(reals(results[0]), ElementsAreArray(reals(results[1])));
}

TEST_F(ExpertsTest, GatedPanels) {
  auto results = run(R"(
    moe.weight @g : tensor<1x17x1xf32> source(#moe.splat<2.0>)
    moe.weight @l : tensor<1x17x1xf32> source(#moe.splat<5.0>)
    func.func @main(%x: tensor<1x1xf32>) -> tensor<1x17xf32> {
      %g = moe.load_weight @g : tensor<1x17x1xf32>
      %l = moe.load_weight @l : tensor<1x17x1xf32>
      %p = moe.pack_panels %g linear %l : (tensor<1x17x1xf32>, tensor<1x17x1xf32>) -> tensor<1x4x1x16xf32>
      %0 = moe.grouped_matmul %x by %p columns 34 activation(<kind = reglu, layout = panels>)
        : (tensor<1x1xf32>, tensor<1x4x1x16xf32>) -> tensor<1x17xf32>
      return %0 : tensor<1x17xf32>
    })",
                     {f32({1, 1}, {1.0})});
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_THAT(reals(results[0]), ::testing::Each(10.0));
}

TEST_F(ExpertsTest, CombineSkipsRowsOfNoExpert) {
  auto results = run(
      R"(func.func @main(%y: tensor<4x1xf32>, %i: tensor<4xi32>, %g: tensor<2x2xf32>)
      -> (tensor<2x1xf32>, tensor<2x1xf32>) {
    %0 = moe.combine %y inverse %i gates %g slots 2
      : (tensor<4x1xf32>, tensor<4xi32>, tensor<2x2xf32>) -> tensor<2x1xf32>
    %1 = moe.combine %y inverse %i slots 2 : (tensor<4x1xf32>, tensor<4xi32>) -> tensor<2x1xf32>
    return %0, %1 : tensor<2x1xf32>, tensor<2x1xf32>
  })",
      {f32({4, 1}, {1, 10, 100, 1000}), integers(32, {4}, {2, 0, -1, 1}), f32({2, 2}, {1, 2, 3, 4})});
  ASSERT_EQ(results.size(), 2u) << message;
  EXPECT_THAT(reals(results[0]), ElementsAre(102.0, 40.0));
  EXPECT_THAT(reals(results[1]), ElementsAre(101.0, 10.0));
}

TEST_F(ExpertsTest, Dequantize) {
  // 4 bits, blocks of 2 values; zero points 8 by default, or 1 and 2 from the low bits up.
  auto results = run(
      R"(func.func @main(%q: tensor<1x2xi8>, %s: tensor<1x2xf32>, %z: tensor<1x1xi8>)
      -> (tensor<1x4xf32>, tensor<1x4xf32>) {
    %0 = moe.dequantize %q scales %s bits 4 block 2 : (tensor<1x2xi8>, tensor<1x2xf32>) -> tensor<1x4xf32>
    %1 = moe.dequantize %q scales %s zero_points %z bits 4 block 2
      : (tensor<1x2xi8>, tensor<1x2xf32>, tensor<1x1xi8>) -> tensor<1x4xf32>
    return %0, %1 : tensor<1x4xf32>, tensor<1x4xf32>
  })",
      {integers(8, {1, 2}, {0x98, 0xfa}), f32({1, 2}, {1.0, 10.0}), integers(8, {1, 1}, {0x21})});
  ASSERT_EQ(results.size(), 2u) << message;
  EXPECT_THAT(reals(results[0]), ElementsAre(0.0, 1.0, 20.0, 70.0));
  EXPECT_THAT(reals(results[1]), ElementsAre(7.0, 8.0, 80.0, 130.0));
}

} // namespace
