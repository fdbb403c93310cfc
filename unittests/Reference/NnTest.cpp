//===- NnTest.cpp - nn ops against values by hand ---------------------------===//

#include "ReferenceFixture.h"

#include <cmath>
#include <limits>

using namespace moec::reference;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

class NnTest : public ReferenceTest {
protected:
  /// Runs one op that uses the arguments %0, %1, … of these types.
  llvm::SmallVector<HostTensor> runOp(llvm::StringRef op, llvm::ArrayRef<llvm::StringRef> types,
                                      llvm::StringRef results, llvm::ArrayRef<HostTensor> inputs) {
    std::string text = "func.func @main(";
    for (auto [i, type] : llvm::enumerate(types))
      text += (i ? ", %" : "%") + std::to_string(i) + ": " + type.str();
    bool two = llvm::StringRef(results).count("tensor") == 2;
    text += ") -> (" + results.str() + ") {\n " + (two ? "%r, %s = " : "%r = ") + op.str() + "\n return " +
            (two ? "%r, %s : " : "%r : ") + results.str() + "\n}";
    return run(text, inputs);
  }
};

TEST_F(NnTest, Gather) {
  auto results = runOp("nn.gather %0[%1] axis 1 : (tensor<2x3xf32>, tensor<?xi64>) -> tensor<2x?xf32>",
                       {"tensor<2x3xf32>", "tensor<?xi64>"}, "tensor<2x?xf32>",
                       {f32({2, 3}, {1, 2, 3, 4, 5, 6}), integers(64, {2}, {-1, 0})});
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_THAT(reals(results[0]), ElementsAre(3, 1, 6, 4));
}

TEST_F(NnTest, GatherRefusesIndicesOutOfRange) {
  auto results =
      runOp("nn.gather %0[%1] axis 0 : (tensor<2xf32>, tensor<1xi64>) -> tensor<1xf32>",
            {"tensor<2xf32>", "tensor<1xi64>"}, "tensor<1xf32>", {f32({2}, {1, 2}), integers(64, {1}, {-3})});
  EXPECT_THAT(results, IsEmpty());
  EXPECT_EQ(message, "index -3 is out of range for an extent of 2");
}

TEST_F(NnTest, GatherElements) {
  auto results = runOp("nn.gather_elements %0[%1] axis 0 : (tensor<2x2xf32>, tensor<1x2xi32>) -> tensor<1x2xf32>",
                       {"tensor<2x2xf32>", "tensor<1x2xi32>"}, "tensor<1x2xf32>",
                       {f32({2, 2}, {1, 2, 3, 4}), integers(32, {1, 2}, {1, -2})});
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_THAT(reals(results[0]), ElementsAre(3, 2));
}

TEST_F(NnTest, GatherNdWithBatch) {
  auto results = runOp("nn.gather_nd %0[%1] batch 1 : (tensor<2x2x2xf32>, tensor<2x1xi64>) -> tensor<2x2xf32>",
                       {"tensor<2x2x2xf32>", "tensor<2x1xi64>"}, "tensor<2x2xf32>",
                       {f32({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7}), integers(64, {2, 1}, {1, 0})});
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_THAT(reals(results[0]), ElementsAre(2, 3, 4, 5));
}

TEST_F(NnTest, ScatterElementsAddsRepeatedIndices) {
  auto results = runOp("nn.scatter_elements %2 into %0[%1] axis 0 add : (tensor<3xf32>, tensor<3xi64>, tensor<3xf32>) "
                       "-> tensor<3xf32>",
                       {"tensor<3xf32>", "tensor<3xi64>", "tensor<3xf32>"}, "tensor<3xf32>",
                       {f32({3}, {1, 1, 1}), integers(64, {3}, {2, 0, -1}), f32({3}, {10, 20, 30})});
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_THAT(reals(results[0]), ElementsAre(21, 1, 41));
}

TEST_F(NnTest, ScatterNdKeepsTheLastUpdate) {
  auto results = runOp("nn.scatter_nd %2 into %0[%1] none : (tensor<2x2xf32>, tensor<2x1xi64>, tensor<2x2xf32>) "
                       "-> tensor<2x2xf32>",
                       {"tensor<2x2xf32>", "tensor<2x1xi64>", "tensor<2x2xf32>"}, "tensor<2x2xf32>",
                       {f32({2, 2}, {1, 1, 1, 1}), integers(64, {2, 1}, {1, 1}), f32({2, 2}, {2, 3, 4, 5})});
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_THAT(reals(results[0]), ElementsAre(1, 1, 4, 5));
}

TEST_F(NnTest, TopKOrdersTiesByIndexAndNanLast) {
  auto topK = [&](llvm::StringRef largest) {
    return runOp(("nn.top_k %0, %1 largest " + largest + " : tensor<5xf32> -> tensor<?xf32>, tensor<?xi64>").str(),
                 {"tensor<5xf32>", "index"}, "tensor<?xf32>, tensor<?xi64>",
                 {f32({5}, {nan, 2, 1, 2, -infinity}), index(5)});
  };
  EXPECT_THAT(ints(topK("true")[1]), ElementsAre(1, 3, 2, 4, 0));
  EXPECT_THAT(ints(topK("false")[1]), ElementsAre(4, 2, 1, 3, 0));
}

TEST_F(NnTest, TopKRefusesMoreThanThereIs) {
  auto results = runOp("nn.top_k %0, %1 largest true : tensor<2xf32> -> tensor<?xf32>, tensor<?xi64>",
                       {"tensor<2xf32>", "index"}, "tensor<?xf32>, tensor<?xi64>", {f32({2}, {1, 2}), index(3)});
  EXPECT_THAT(results, IsEmpty());
  EXPECT_EQ(message, "k = 3 is out of range for an extent of 2");
}

TEST_F(NnTest, CumSum) {
  auto sum = [&](llvm::StringRef exclusive, llvm::StringRef reverse) {
    return ints(runOp(("nn.cumsum %0 axis 0 exclusive " + exclusive + " reverse " + reverse + " : tensor<3xi64>").str(),
                      {"tensor<3xi64>"}, "tensor<3xi64>", {integers(64, {3}, {1, 2, 4})})[0]);
  };
  EXPECT_THAT(sum("false", "false"), ElementsAre(1, 3, 7));
  EXPECT_THAT(sum("true", "false"), ElementsAre(0, 1, 3));
  EXPECT_THAT(sum("false", "true"), ElementsAre(7, 6, 4));
  EXPECT_THAT(sum("true", "true"), ElementsAre(6, 4, 0));
}

TEST_F(NnTest, Nonzero) {
  HostTensor x = f32({2, 2}, {0, nan, 3, -0.0});
  auto count =
      runOp("nn.count_nonzero %0 : tensor<2x2xf32> -> tensor<1xi64>", {"tensor<2x2xf32>"}, "tensor<1xi64>", {x});
  EXPECT_THAT(ints(count[0]), ElementsAre(2));
  auto indices = runOp("nn.nonzero %0, %1 : tensor<2x2xf32> -> tensor<2x?xi64>", {"tensor<2x2xf32>", "index"},
                       "tensor<2x?xi64>", {x, index(2)});
  EXPECT_THAT(ints(indices[0]), ElementsAre(0, 1, 1, 0));
}

TEST_F(NnTest, SoftmaxOfNothingVisibleIsNan) {
  auto results = runOp("nn.softmax %0 : tensor<2x2xf32>", {"tensor<2x2xf32>"}, "tensor<2x2xf32>",
                       {f32({2, 2}, {0, std::log(3.0), -infinity, -infinity})});
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_NEAR(results[0].real(1), 0.75, 1e-6);
  EXPECT_TRUE(std::isnan(results[0].real(2)));
}

TEST_F(NnTest, Norms) {
  HostTensor x = f32({1, 2}, {3, 4}), weight = f32({2}, {1, 2});
  auto rms = runOp("nn.rms_norm %0 weight %1 eps 0.0 : (tensor<1x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>",
                   {"tensor<1x2xf32>", "tensor<2xf32>"}, "tensor<1x2xf32>", {x, weight});
  EXPECT_THAT(reals(rms[0]), near({3 / std::sqrt(12.5), 8 / std::sqrt(12.5)}));
  auto layer = runOp("nn.layer_norm %0 weight %1 bias %1 eps 0.0 : (tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>) "
                     "-> tensor<1x2xf32>",
                     {"tensor<1x2xf32>", "tensor<2xf32>"}, "tensor<1x2xf32>", {x, weight});
  EXPECT_THAT(reals(layer[0]), near({0, 4}));
}

TEST_F(NnTest, RotaryRotatesPairsAndCopiesTheRest) {
  // A quarter turn of one pair of three values.
  auto rotate = [&](llvm::StringRef interleaved, int64_t pairs) {
    std::string table = "tensor<1x1x" + std::to_string(pairs) + "xf32>", x = "tensor<1x1x1x5xf32>";
    std::string op = "nn.rotary %0, %1, %2 interleaved " + interleaved.str() + " : (" + x + ", " + table + ", " +
                     table + ") -> " + x;
    return reals(runOp(op, {x, table, table}, x,
                       {f32({1, 1, 1, 5}, {1, 2, 3, 4, 5}), f32({1, 1, pairs}, llvm::SmallVector<double>(pairs, 0.0)),
                        f32({1, 1, pairs}, llvm::SmallVector<double>(pairs, 1.0))})[0]);
  };
  EXPECT_THAT(rotate("false", 2), ElementsAre(-3, -4, 1, 2, 5));
  EXPECT_THAT(rotate("true", 2), ElementsAre(-2, 1, -4, 3, 5));
  EXPECT_THAT(rotate("false", 1), ElementsAre(-2, 1, 3, 4, 5));
}

class AttentionTest : public NnTest {
protected:
  /// Attention of two heads that share one key head, scores all 0, two queries and three keys with values 1, 10, 100.
  std::vector<double> attend(llvm::StringRef operands, llvm::StringRef attributes, llvm::StringRef operandType = "",
                             std::optional<HostTensor> operand = std::nullopt) {
    llvm::SmallVector<llvm::StringRef> types = {"tensor<1x2x2x1xf32>", "tensor<1x1x3x1xf32>"};
    llvm::SmallVector<HostTensor> inputs = {f32({1, 2, 2, 1}, {0, 0, 0, 0}), f32({1, 1, 3, 1}, {1, 10, 100})};
    if (operand) {
      types.push_back(operandType);
      inputs.push_back(*operand);
    }
    std::string op = "nn.attention %0, %1, %1 " + operands.str() + " scale 1.0 " + attributes.str() +
                     " : (tensor<1x2x2x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>" +
                     (operand ? ", " + operandType.str() : "") + ") -> tensor<1x2x2x1xf32>";
    auto results = runOp(op, types, "tensor<1x2x2x1xf32>", inputs);
    return results.empty() ? std::vector<double>() : reals(results[0]);
  }
};

TEST_F(AttentionTest, CausalAndWindow) {
  EXPECT_THAT(attend("", ""), near({37, 37, 37, 37})) << message;
  EXPECT_THAT(attend("", "{causal = true}"), near({5.5, 37, 5.5, 37}));
  EXPECT_THAT(attend("", "{causal = true, window = 1}"), near({10, 100, 10, 100}));
}

TEST_F(AttentionTest, RowsThatSeeNothingAreZero) {
  HostTensor mask = integers(1, {1, 1, 2, 3}, {0, 0, 0, 1, 0, 1});
  EXPECT_THAT(attend("mask %2", "", "tensor<1x1x2x3xi1>", mask), near({0, 50.5, 0, 50.5})) << message;
  HostTensor additive = f32({1, 2, 1, 3}, {-infinity, -infinity, -infinity, 0, -infinity, std::log(3.0)});
  EXPECT_THAT(attend("mask %2", "", "tensor<1x2x1x3xf32>", additive), near({0, 0, 75.25, 75.25})) << message;
}

TEST_F(AttentionTest, SinksTakeWeight) {
  HostTensor sinks = f32({2}, {0, -infinity});
  EXPECT_THAT(attend("sinks %2", "", "tensor<2xf32>", sinks), near({27.75, 27.75, 37, 37})) << message;
}

TEST_F(AttentionTest, LengthHidesTheRoomBehind) {
  EXPECT_THAT(attend("length %2", "", "index", index(2)), near({5.5, 5.5, 5.5, 5.5})) << message;
  EXPECT_THAT(attend("length %2", "{causal = true}", "index", index(2)), near({1, 5.5, 1, 5.5})) << message;
  EXPECT_THAT(attend("length %2", "", "index", index(4)), IsEmpty());
  EXPECT_EQ(message, "length 4 is out of range for room for 3 keys");
}

TEST_F(NnTest, KvAppend) {
  llvm::StringRef op = "nn.kv_append %1 to %0 at %2 : tensor<1x2x1x1xf32>, tensor<1x2x3x1xf32> -> tensor<1x2x3x1xf32>";
  auto append = [&](int64_t position) {
    return runOp(op, {"tensor<1x2x3x1xf32>", "tensor<1x2x1x1xf32>", "index"}, "tensor<1x2x3x1xf32>",
                 {f32({1, 2, 3, 1}, {1, 2, 3, 4, 5, 6}), f32({1, 2, 1, 1}, {10, 20}), index(position)});
  };
  auto results = append(1);
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_THAT(reals(results[0]), ElementsAre(1, 10, 3, 4, 20, 6));
  EXPECT_THAT(append(3), IsEmpty());
  EXPECT_EQ(message, "positions 3 to 4 are out of range for room for 3");
}

TEST_F(NnTest, KvAppendToStarts) {
  llvm::StringRef op =
      "nn.kv_append %1 to %0 at %2 starts %3 : tensor<2xi64> : tensor<2x1x1x1xf32>, tensor<2x1x3x1xf32> "
      "-> tensor<2x1x3x1xf32>";
  auto append = [&](int64_t start) {
    return runOp(op, {"tensor<2x1x3x1xf32>", "tensor<2x1x1x1xf32>", "index", "tensor<2xi64>"}, "tensor<2x1x3x1xf32>",
                 {f32({2, 1, 3, 1}, {1, 2, 3, 4, 5, 6}), f32({2, 1, 1, 1}, {10, 20}), index(9),
                  integers(64, {2}, {1, static_cast<double>(start)})});
  };
  auto results = append(0);
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_THAT(reals(results[0]), ElementsAre(1, 10, 3, 20, 5, 6));
  EXPECT_THAT(append(-1), IsEmpty());
  EXPECT_EQ(message, "positions -1 to 0 are out of range for room for 3");
}

TEST_F(AttentionTest, SoftcapBoundsScores) {
  auto results =
      runOp("nn.attention %0, %1, %2 scale 1000.0 {softcap = 1.0} : (tensor<1x1x1x1xf32>, tensor<1x1x2x1xf32>, "
            "tensor<1x1x2x1xf32>) -> tensor<1x1x1x1xf32>",
            {"tensor<1x1x1x1xf32>", "tensor<1x1x2x1xf32>", "tensor<1x1x2x1xf32>"}, "tensor<1x1x1x1xf32>",
            {f32({1, 1, 1, 1}, {1}), f32({1, 1, 2, 1}, {-5, 5}), f32({1, 1, 2, 1}, {0, 1})});
  ASSERT_EQ(results.size(), 1u) << message;
  EXPECT_NEAR(results[0].real(0), 1.0 / (1.0 + std::exp(-2.0)), 1e-6);
}

TEST_F(NnTest, StorageTypesRound) {
  HostTensor bf16(mlir::BFloat16Type::get(&context), {2}, {1.00390625, 1.01171875});
  EXPECT_THAT(reals(bf16), ElementsAre(1.0, 1.015625));
  EXPECT_THAT(ints(integers(8, {2}, {200, -1})), ElementsAre(-56, -1));
  EXPECT_THAT(ints(HostTensor(mlir::IntegerType::get(&context, 8, mlir::IntegerType::Unsigned), {1}, {200})),
              ElementsAre(200));
}

} // namespace
