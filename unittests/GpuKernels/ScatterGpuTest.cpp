//===- ScatterGpuTest.cpp - scatters on the emulated GPU --------------------===//

#include "GpuOpTest.h"

#include "moert/moert_kernel_abi.h"
#include "llvm/Support/FormatVariadic.h"

#include <random>

using namespace mlir;
using namespace moec::test;
using moec::reference::HostTensor;

namespace {

struct ScatterForm {
  const char *element, *reduction;
};

class ScatterGpu : public GpuOpTest, public testing::WithParamInterface<ScatterForm> {
protected:
  /// Random indices of both signs, with many that meet.
  HostTensor indices(ArrayRef<int64_t> shape, ArrayRef<int64_t> extents) const {
    HostTensor result(parse("i64"), shape);
    std::mt19937 engine(7);
    for (int64_t i = 0; i < result.getSize(); ++i) {
      int64_t extent = extents[i % extents.size()];
      result.setInteger(i, int64_t(engine() % (2 * extent)) - extent);
    }
    return result;
  }

  void check(GpuKernelRunner &runner, const std::string &code, ArrayRef<HostTensor> inputs) {
    HostTensor expected = evaluate(code, inputs);
    for (bool together : {false, true}) {
      runner.options.residentTogether = together;
      expectClose(launch(runner, inputs), expected, 4 * toleranceOf(expected.getElementType()));
    }
  }
};

/// Rows worth a warp, rows worth a block, and several parts of a line; updates that do not reach all rows.
TEST_P(ScatterGpu, ReplacesElements) {
  auto [element, reduction] = GetParam();
  for (auto [axis, columns] : {std::pair{1, 40}, {0, 40}, {0, 7}, {2, 3000}}) {
    SCOPED_TRACE(axis);
    std::string data = llvm::formatv("tensor<?x6x{0}x{1}>", columns, element),
                places = llvm::formatv("tensor<?x?x?xi64>"), updates = llvm::formatv("tensor<?x?x?x{0}>", element);
    std::string code =
        "func.func @main(%d: " + data + ", %i: " + places + ", %u: " + updates + ") -> " + data +
        llvm::formatv(" {{ %r = nn.scatter_elements %u into %d[%i] axis {0} {1} : (", axis, reduction).str() + data +
        ", " + places + ", " + updates + ") -> " + data + " return %r : " + data + " }";
    auto runner = compile(code);
    for (auto [rows, count] : {std::pair{5, 4}, {5, 1}, {0, 0}, {3, 0}}) {
      SmallVector<int64_t> shape = {rows, 6, columns}, used = {rows, 5, columns - 2};
      used[axis] = count * (axis == 2 ? 100 : 3);
      if (axis != 0)
        used[0] = std::max(0, rows - 1);
      check(*runner, code,
            {random(element, shape), indices(used, std::max<int64_t>(1, shape[axis])), random(element, used, 1)});
    }
    expectAssembles(*runner);
  }
}

TEST_P(ScatterGpu, ReplacesSlices) {
  auto [element, reduction] = GetParam();
  for (int64_t inner : {1, 33, 320}) {
    SCOPED_TRACE(inner);
    std::string data = llvm::formatv("tensor<?x9x{0}x{1}>", inner, element),
                updates = llvm::formatv("tensor<?x?x{0}x{1}>", inner, element);
    std::string code = "func.func @main(%d: " + data + ", %i: tensor<?x?x2xi64>, %u: " + updates + ") -> " + data +
                       llvm::formatv(" {{ %r = nn.scatter_nd %u into %d[%i] {0} : (", reduction).str() + data +
                       ", tensor<?x?x2xi64>, " + updates + ") -> " + data + " return %r : " + data + " }";
    auto runner = compile(code);
    for (auto [rows, tuples] : {std::pair{20, 30}, {600, 300}, {4, 0}}) {
      SmallVector<HostTensor> inputs = {random(element, {rows, 9, inner}), indices({2, tuples, 2}, {rows, 9}),
                                        random(element, {2, tuples, inner}, 1)};
      check(*runner, code, inputs);
    }
    expectAssembles(*runner);
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, ScatterGpu,
                         testing::Values(ScatterForm{"f32", "none"}, ScatterForm{"bf16", "none"},
                                         ScatterForm{"i1", "none"}, ScatterForm{"f32", "add"},
                                         ScatterForm{"f16", "max"}, ScatterForm{"i64", "min"},
                                         ScatterForm{"i32", "mul"}),
                         [](const auto &info) { return std::string(info.param.element) + "_" + info.param.reduction; });

class ScatterGpuStatus : public GpuOpTest {};

TEST_F(ScatterGpuStatus, ReportsIndicesOutOfRange) {
  std::string code = "func.func @main(%d: tensor<5x8xf32>, %i: tensor<?x1xi64>, %u: tensor<?x8xf32>) -> "
                     "tensor<5x8xf32> { %r = nn.scatter_nd %u into %d[%i] none : (tensor<5x8xf32>, tensor<?x1xi64>, "
                     "tensor<?x8xf32>) -> tensor<5x8xf32> return %r : tensor<5x8xf32> }";
  auto runner = compile(code);
  HostTensor data = random("f32", {5, 8}), result;
  for (int64_t bad : {5, -6}) {
    uint32_t status = 0;
    SmallVector<HostTensor> inputs = {data, integers("i64", {2, 1}, {bad, 1}), random("f32", {2, 8}, 1)};
    ASSERT_TRUE(runner->run(inputs, 0, result, status).ok());
    EXPECT_EQ(status, uint32_t(MOERT_KERNEL_INDEX_OUT_OF_RANGE));
    EXPECT_EQ(result.real({0, 3}), data.real({0, 3}));
    EXPECT_EQ(result.real({1, 3}), inputs[2].real({1, 3}));
  }
}

} // namespace
