//===- EvaluateTest.cpp - what the evaluator of functions refuses -----------===//

#include "ReferenceFixture.h"

using namespace moec::reference;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace {

using EvaluateTest = ReferenceTest;

TEST_F(EvaluateTest, ConstantsShapesAndCasts) {
  auto results = run(R"(func.func @main(%x: tensor<?x3xf32>) -> (tensor<?xf16>, index, tensor<2xi64>) {
    %c0 = arith.constant 0 : index
    %n = tensor.dim %x, %c0 : tensor<?x3xf32>
    %e = tensor.empty(%n) : tensor<?xf16>
    %k = onnx.constant dense<[1, -1]> : tensor<2xi64> : tensor<2xi64>
    return %e, %n, %k : tensor<?xf16>, index, tensor<2xi64>
  })",
                     {f32({2, 3}, {0, 0, 0, 0, 0, 0})});
  ASSERT_EQ(results.size(), 3u) << message;
  EXPECT_THAT(reals(results[0]), ElementsAre(0.0, 0.0));
  EXPECT_THAT(ints(results[1]), ElementsAre(2));
  EXPECT_THAT(ints(results[2]), ElementsAre(1, -1));
}

TEST_F(EvaluateTest, RefusesOtherOps) {
  llvm::StringRef text = R"(func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
    %0 = arith.negf %x : tensor<2xf32>
    return %0 : tensor<2xf32>
  })";
  EXPECT_THAT(run(text, {f32({2}, {0, 0})}), IsEmpty());
  EXPECT_EQ(message, "has no reference evaluation");
}

TEST_F(EvaluateTest, RefusesInputsOfOtherTypes) {
  llvm::StringRef text = R"(func.func @main(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
    %0 = nn.softmax %x : tensor<?x2xf32>
    return %0 : tensor<?x2xf32>
  })";
  EXPECT_THAT(run(text, {}), IsEmpty());
  EXPECT_EQ(message, "expected 1 inputs, found 0");
  EXPECT_THAT(run(text, {f32({2, 3}, {0, 0, 0, 0, 0, 0})}), IsEmpty());
  EXPECT_EQ(message, "expected an operand of type 'tensor<?x2xf32>', found [2, 3] of f32");
}

TEST_F(EvaluateTest, RefusesWeightsThatAreElsewhere) {
  llvm::StringRef text = R"(
    moe.weight @w : tensor<2xf32> source(#moe.file<"model.onnx", 0, 8>)
    func.func @main() -> tensor<2xf32> {
      %0 = moe.load_weight @w : tensor<2xf32>
      return %0 : tensor<2xf32>
    })";
  EXPECT_THAT(run(text, {}), IsEmpty());
  EXPECT_EQ(message, "the value of @w is not in the IR");
}

} // namespace
