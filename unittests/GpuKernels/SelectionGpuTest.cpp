//===- SelectionGpuTest.cpp - top-k, counts and running sums on a GPU -------===//

#include "GpuOpTest.h"

#include "moec/Reference/Evaluate.h"
#include "moert/moert_kernel_abi.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace mlir;
using namespace moec::test;
using moec::reference::HostTensor;

namespace {

class TopKGpu : public GpuOpTest, public testing::WithParamInterface<std::tuple<const char *, bool>> {
protected:
  std::string text(int64_t extent, int64_t kept) const {
    std::string n = ShapedType::isDynamic(extent) ? "?" : std::to_string(extent), element = std::get<0>(GetParam());
    std::string x = "tensor<?x" + n + "x" + element + ">";
    std::string values = llvm::formatv("tensor<?x{0}x{1}>", kept, element),
                indices = llvm::formatv("tensor<?x{0}xi64>", kept);
    return "func.func @main(%x: " + x + ") -> (" + values + ", " + indices + ") { %k = arith.constant " +
           std::to_string(kept) + " : index %v, %i = nn.top_k %x, %k largest " +
           (std::get<1>(GetParam()) ? "true" : "false") + " : " + x + " -> " + values + ", " + indices +
           " return %v, %i : " + values + ", " + indices + " }";
  }

  /// With ties, and what is no number.
  HostTensor input(int64_t rows, int64_t extent) const {
    HostTensor x = random(std::get<0>(GetParam()), {rows, extent});
    for (int64_t i = 0; i < x.getSize(); i += 5) {
      if (!x.isFloat())
        x.setInteger(i, i % 2 ? std::numeric_limits<int32_t>::min() : std::numeric_limits<int32_t>::max());
      else
        x.setReal(i, i % 3 == 0 ? NAN : i % 2 ? 1.0 : -0.0);
    }
    return x;
  }

  void check(GpuKernelRunner &runner, const std::string &code, const HostTensor &x) {
    auto module = parseSourceString<ModuleOp>(code, context.get());
    auto expected = moec::reference::evaluateFunction(*module->getOps<func::FuncOp>().begin(), x);
    ASSERT_TRUE(succeeded(expected));
    SmallVector<HostTensor> results;
    uint32_t status = 0;
    moert::Status launched = runner.run(x, 0, results, status);
    ASSERT_TRUE(launched.ok()) << launched.getMessage();
    EXPECT_EQ(status, 0u);
    expectClose(results[0], (*expected)[0], 0);
    expectClose(results[1], (*expected)[1], 0);
  }
};

TEST_P(TopKGpu, MatchesReference) {
  for (auto [extent, kept] :
       {std::pair<int64_t, int64_t>{1, 1}, {8, 2}, {33, 33}, {1500, 3}, {ShapedType::kDynamic, 5}}) {
    std::string code = text(extent, kept);
    auto runner = compile(code);
    for (int64_t rows : {0, 1, 9})
      check(*runner, code, input(rows, ShapedType::isDynamic(extent) ? 700 : extent));
    expectAssembles(*runner);
  }
}

TEST_P(TopKGpu, RejectsTooShortRows) {
  auto runner = compile(text(ShapedType::kDynamic, 5));
  SmallVector<HostTensor> results;
  uint32_t status = 0;
  ASSERT_TRUE(runner->run(input(2, 4), 0, results, status).ok());
  EXPECT_EQ(status, uint32_t(MOERT_KERNEL_BAD_VALUE));
}

INSTANTIATE_TEST_SUITE_P(Forms, TopKGpu, testing::Combine(testing::Values("f32", "bf16", "i32"), testing::Bool()),
                         [](const auto &info) {
                           return std::string(std::get<0>(info.param)) + (std::get<1>(info.param) ? "" : "_Smallest");
                         });

class CountGpu : public GpuOpTest {
protected:
  /// Every third element is zero.
  HostTensor randomWithZeros(StringRef element, ArrayRef<int64_t> shape) const {
    HostTensor data = random(element, shape);
    for (int64_t i = 0; i < data.getSize(); i += 3)
      data.copyElement(i, HostTensor(data.getElementType(), {1}), 0);
    return data;
  }
};

TEST_F(CountGpu, CountsWhatIsNotZero) {
  for (const char *element : {"f32", "bf16", "i64", "i1"}) {
    std::string x = llvm::formatv("tensor<?x?x{0}>", element);
    std::string code = "func.func @main(%x: " + x + ") -> tensor<1xi64> { %r = nn.count_nonzero %x : " + x +
                       " -> tensor<1xi64> return %r : tensor<1xi64> }";
    auto runner = compile(code);
    for (auto [rows, columns] : {std::pair{0, 3}, {1, 1}, {3, 31}, {60, 90}}) {
      HostTensor data = randomWithZeros(element, {rows, columns});
      expectClose(launch(*runner, data), evaluate(code, data), 0);
    }
    expectAssembles(*runner);
  }
}

TEST_F(CountGpu, CountsNothingWhereAnExtentIsZero) {
  std::string code = "func.func @main(%x: tensor<?x0xf32>) -> tensor<1xi64> { %r = nn.count_nonzero %x : "
                     "tensor<?x0xf32> -> tensor<1xi64> return %r : tensor<1xi64> }";
  HostTensor data = random("f32", {5, 0});
  expectClose(launch(*compile(code), data), evaluate(code, data), 0);
}

class CumSumGpu : public GpuOpTest, public testing::WithParamInterface<std::tuple<const char *, bool, bool>> {};

TEST_P(CumSumGpu, MatchesReference) {
  auto [element, isExclusive, isReverse] = GetParam();
  std::string x = llvm::formatv("tensor<?x2x?x{0}>", element);
  std::string code = "func.func @main(%x: " + x + ") -> " + x + " { %r = nn.cumsum %x axis 2 exclusive " +
                     (isExclusive ? "true" : "false") + " reverse " + (isReverse ? "true" : "false") + " : " + x +
                     " return %r : " + x + " }";
  auto runner = compile(code);
  for (auto [rows, columns] : {std::pair{0, 3}, {1, 1}, {3, 31}, {2, 33}, {1, 0}, {2, 500}}) {
    HostTensor data = random(element, {rows, 2, columns}), result = launch(*runner, data);
    expectClose(result, evaluate(code, data), 10 * toleranceOf(result.getElementType()));
  }
  expectAssembles(*runner);
}

TEST_P(CumSumGpu, MatchesReferenceAlongColumns) {
  auto [element, isExclusive, isReverse] = GetParam();
  std::string x = llvm::formatv("tensor<?x?x3x{0}>", element);
  for (int64_t axis : {0, 1}) {
    std::string code = "func.func @main(%x: " + x + ") -> " + x + " { %r = nn.cumsum %x axis " + std::to_string(axis) +
                       " exclusive " + (isExclusive ? "true" : "false") + " reverse " + (isReverse ? "true" : "false") +
                       " : " + x + " return %r : " + x + " }";
    auto runner = compile(code);
    for (auto [rows, columns] : {std::pair{0, 3}, {1, 1}, {3, 31}, {40, 200}, {1, 0}}) {
      HostTensor data = random(element, {rows, columns, 3}), result = launch(*runner, data);
      expectClose(result, evaluate(code, data), 10 * toleranceOf(result.getElementType()));
    }
    expectAssembles(*runner);
  }
}

TEST_F(CountGpu, SumsColumnsInWholeSectors) {
  std::string x = "tensor<40x512xf32>";
  auto runner = compile("func.func @main(%x: " + x + ") -> " + x + " { %r = nn.cumsum %x axis 0 exclusive false " +
                        "reverse false : " + x + " return %r : " + x + " }");
  launch(*runner, random("f32", {40, 512}));
  expectNoWaste(*runner);
}

class NonzeroGpu : public CountGpu {};

TEST_F(NonzeroGpu, MatchesReference) {
  for (const char *element : {"f32", "bf16", "i64", "i1"}) {
    std::string x = llvm::formatv("tensor<?x?x{0}>", element);
    std::string code = "func.func @main(%x: " + x + ", %n: index) -> tensor<2x?xi64> { %r = nn.nonzero %x, %n : " + x +
                       " -> tensor<2x?xi64> return %r : tensor<2x?xi64> }";
    auto runner = compile(code);
    for (auto [rows, columns] : {std::pair{0, 3}, {1, 1}, {3, 31}, {60, 90}, {130, 100}}) {
      HostTensor data = randomWithZeros(element, {rows, columns});
      int64_t count = 0;
      for (int64_t i = 0; i < data.getSize(); ++i)
        count += data.isFloat() ? data.real(i) != 0 : data.integer(i) != 0;
      SmallVector<HostTensor> inputs = {data, integers("index", {}, count)};
      // One block after the other, then all in turns.
      for (bool together : {false, true}) {
        runner->options.residentTogether = together;
        expectClose(launch(*runner, inputs), evaluate(code, inputs), 0);
      }
    }
    expectAssembles(*runner);
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, CumSumGpu,
                         testing::Combine(testing::Values("f32", "f16", "i32", "i64"), testing::Bool(),
                                          testing::Bool()),
                         [](const auto &info) {
                           return std::string(std::get<0>(info.param)) + (std::get<1>(info.param) ? "_Exclusive" : "") +
                                  (std::get<2>(info.param) ? "_Reverse" : "");
                         });

} // namespace
