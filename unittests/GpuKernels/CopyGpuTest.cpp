//===- CopyGpuTest.cpp - data movement and rotation on the emulated GPU -----===//

#include "GpuOpTest.h"

#include "moert/moert_kernel_abi.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec::test;
using moec::reference::HostTensor;

namespace {

std::string function(const std::string &arguments, const std::string &result, const std::string &op) {
  return "func.func @main(" + arguments + ") -> " + result + " { %r = " + op + " return %r : " + result + " }";
}

std::string tensor(const std::string &shape, StringRef element) {
  return "tensor<" + shape + "x" + element.str() + ">";
}

class CopyGpu : public GpuOpTest, public testing::WithParamInterface<const char *> {
protected:
  StringRef element() const { return GetParam(); }
};

TEST_P(CopyGpu, GathersRows) {
  for (int64_t inner : {1, 3, 6, 64, 100}) {
    SCOPED_TRACE(inner);
    std::string data = tensor(llvm::formatv("?x10x{0}", inner), element()),
                out = tensor(llvm::formatv("?x?x?x{0}", inner), element());
    std::string code = function("%d: " + data + ", %i: tensor<?x?xi64>", out,
                                "nn.gather %d[%i] axis 1 : (" + data + ", tensor<?x?xi64>) -> " + out);
    auto runner = compile(code);
    SmallVector<HostTensor> inputs = {random(element(), {2, 10, inner}),
                                      integers("i64", {2, 3}, {0, 9, 4, -1, 4, -10})};
    expectClose(launch(*runner, inputs), evaluate(code, inputs), 0);
    inputs[1] = HostTensor(parse("i64"), {0, 3});
    EXPECT_EQ(launch(*runner, inputs).getSize(), 0);
  }
}

TEST_P(CopyGpu, GathersSlicesByTuples) {
  for (int64_t inner : {1, 8, 33}) {
    SCOPED_TRACE(inner);
    std::string data = tensor(llvm::formatv("2x?x3x{0}", inner), element()),
                out = tensor(llvm::formatv("2x?x{0}", inner), element());
    std::string code = function("%d: " + data + ", %i: tensor<2x?x2xi32>", out,
                                "nn.gather_nd %d[%i] batch 1 : (" + data + ", tensor<2x?x2xi32>) -> " + out);
    auto runner = compile(code);
    SmallVector<HostTensor> inputs = {random(element(), {2, 4, 3, inner}),
                                      integers("i32", {2, 2, 2}, {0, 0, 3, 2, -1, 1, 2, -3})};
    expectClose(launch(*runner, inputs), evaluate(code, inputs), 0);
  }
}

TEST_P(CopyGpu, AppendsPositions) {
  for (int64_t size : {3, 16, 128}) {
    SCOPED_TRACE(size);
    std::string state = tensor(llvm::formatv("?x2x?x{0}", size), element());
    std::string code = function("%s: " + state + ", %n: " + state + ", %p: index", state,
                                "nn.kv_append %n to %s at %p : " + state + ", " + state + " -> " + state);
    auto runner = compile(code);
    for (int64_t position : {0, 5}) {
      SmallVector<HostTensor> inputs = {random(element(), {3, 2, 7, size}), random(element(), {3, 2, 2, size}, 1),
                                        integers("index", {}, position)};
      expectClose(launch(*runner, inputs), evaluate(code, inputs), 0);
    }
  }
}

TEST_P(CopyGpu, ExtractsSlices) {
  struct Slice {
    int64_t extent, offset, size, stride;
  };
  for (auto [extent, offset, size, stride] :
       {Slice{32, 16, 16, 1}, Slice{33, 0, 32, 1}, Slice{24, 8, 9, 1}, Slice{32, 4, 8, 2}, Slice{16, 0, 16, 1}}) {
    SCOPED_TRACE(offset);
    std::string x = tensor(llvm::formatv("?x6x{0}", extent), element()),
                out = tensor(llvm::formatv("?x3x{0}", size), element());
    std::string code =
        function("%x: " + x + ", %o: index, %n: index", out,
                 llvm::formatv("tensor.extract_slice %x[%o, 1, {0}] [%n, 3, {1}] [1, 2, {2}] : {3} to {4}", offset,
                               size, stride, x, out));
    auto runner = compile(code);
    HostTensor data = random(element(), {5, 6, extent}), expected(data.getElementType(), {2, 3, size});
    for (int64_t i = 0; i < expected.getSize(); ++i) {
      int64_t row = i / size / 3, head = i / size % 3, column = i % size;
      expected.copyElement(i, data, data.offset({row + 3, 1 + 2 * head, offset + stride * column}));
    }
    expectClose(launch(*runner, {data, integers("index", {}, 3), integers("index", {}, 2)}), expected, 0);
  }
}

TEST_P(CopyGpu, InsertsSlices) {
  struct Slice {
    int64_t extent, offset, size;
  };
  for (auto [extent, offset, size] : {Slice{32, 16, 16}, Slice{33, 0, 32}, Slice{16, 0, 16}, Slice{64, 8, 40}}) {
    SCOPED_TRACE(offset);
    std::string x = tensor(llvm::formatv("?x6x{0}", extent), element()),
                piece = tensor(llvm::formatv("?x3x{0}", size), element());
    std::string code =
        function("%s: " + piece + ", %x: " + x + ", %o: index, %n: index", x,
                 llvm::formatv("tensor.insert_slice %s into %x[%o, 1, {0}] [%n, 3, {1}] [1, 2, 1] : {2} into {3}",
                               offset, size, piece, x));
    auto runner = compile(code);
    HostTensor data = random(element(), {5, 6, extent}), slice = random(element(), {2, 3, size}, 1), expected = data;
    for (int64_t i = 0; i < slice.getSize(); ++i) {
      int64_t row = i / size / 3, head = i / size % 3, column = i % size;
      expected.copyElement(expected.offset({row + 3, 1 + 2 * head, offset + column}), slice, i);
    }
    expectClose(launch(*runner, {slice, data, integers("index", {}, 3), integers("index", {}, 2)}), expected, 0);
    HostTensor result;
    uint32_t status = 0;
    SmallVector<HostTensor> outside = {slice, data, integers("index", {}, 4), integers("index", {}, 2)};
    runner->options.residentTogether = true;
    // What is refused leaves the result as it was: unwritten.
    (void)runner->run(outside, 0, result, status);
    EXPECT_EQ(status, uint32_t(MOERT_KERNEL_BAD_VALUE));
  }
}

TEST_P(CopyGpu, Pads) {
  for (auto [size, low, high] : {std::tuple{16, 16, 32}, {16, 0, 0}, {8, 3, 5}}) {
    SCOPED_TRACE(low);
    std::string x = tensor(llvm::formatv("?x{0}", size), element()),
                out = tensor(llvm::formatv("?x{0}", size + low + high), element());
    std::string zero = element() == "i1" ? "false" : isa<FloatType>(parse(element())) ? "0.0 : " : "0 : ";
    zero = "%c = arith.constant " + zero + (element() == "i1" ? "" : element().str()) + " ";
    std::string code = function("%x: " + x + ", %l: index", out,
                                llvm::formatv("tensor.pad %x low[%l, {0}] high[1, {1}] {{ ^bb0(%i: index, %j: index): "
                                              "{2} tensor.yield %c : {3} } : {4} to {5}",
                                              low, high, zero, element(), x, out));
    auto runner = compile(code);
    HostTensor data = random(element(), {3, size}), expected(data.getElementType(), {6, size + low + high});
    for (int64_t i = 0; i < data.getSize(); ++i)
      expected.copyElement(expected.offset({2 + i / size, low + i % size}), data, i);
    expectClose(launch(*runner, {data, integers("index", {}, 2)}), expected, 0);
  }
}

TEST_P(CopyGpu, Concatenates) {
  for (auto [left, right] : {std::pair{8, 24}, {5, 8}, {64, 64}}) {
    SCOPED_TRACE(left);
    std::string a = tensor(llvm::formatv("?x{0}", left), element()),
                b = tensor(llvm::formatv("?x{0}", right), element());
    std::string out = tensor(llvm::formatv("?x{0}", left + right), element());
    std::string code =
        function("%a: " + a + ", %b: " + b, out, "tensor.concat dim(1) %a, %b : (" + a + ", " + b + ") -> " + out);
    auto runner = compile(code);
    SmallVector<HostTensor> inputs = {random(element(), {7, left}), random(element(), {7, right}, 1)};
    HostTensor expected(inputs[0].getElementType(), {7, left + right});
    for (int64_t row = 0; row < 7; ++row)
      for (int64_t column = 0; column < left + right; ++column) {
        bool isLeft = column < left;
        const HostTensor &source = inputs[isLeft ? 0 : 1];
        expected.copyElement(expected.offset({row, column}), source,
                             source.offset({row, isLeft ? column : column - left}));
      }
    expectClose(launch(*runner, inputs), expected, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Elements, CopyGpu, testing::Values("f32", "bf16", "i64", "i1", "i8"),
                         [](const auto &info) { return std::string(info.param); });

class CopyGpuCounters : public GpuOpTest {};

TEST_F(CopyGpuCounters, MoveWholeSectors) {
  std::string gather = function("%d: tensor<50x256xbf16>, %i: tensor<?xi64>", "tensor<?x256xbf16>",
                                "nn.gather %d[%i] axis 0 : (tensor<50x256xbf16>, tensor<?xi64>) -> tensor<?x256xbf16>");
  auto runner = compile(gather);
  // What all threads of a row look up is counted apart.
  runner->weights = {1};
  launch(*runner, {random("bf16", {50, 256}), integers("i64", {4}, {3, 49, 0, 7})});
  const auto &moved = runner->report.counters.of(moert::emu::MemoryTag::Activations);
  EXPECT_EQ(moved.readBytes, 4 * 512u);
  EXPECT_EQ(moved.uniqueReadBytes, 4 * 512u);
  EXPECT_EQ(runner->report.counters.global.writeRequests, 4u);
  expectAssembles(*runner);

  runner =
      compile(function("%x: tensor<9x384xf32>", "tensor<9x128xf32>",
                       "tensor.extract_slice %x[0, 128] [9, 128] [1, 1] : tensor<9x384xf32> to tensor<9x128xf32>"));
  launch(*runner, random("f32", {9, 384}));
  expectNoWaste(*runner);
  expectAssembles(*runner);
}

TEST_F(CopyGpuCounters, ReportsIndicesOutOfRange) {
  std::string code = function("%d: tensor<5x8xf32>, %i: tensor<?xi32>", "tensor<?x8xf32>",
                              "nn.gather %d[%i] axis 0 : (tensor<5x8xf32>, tensor<?xi32>) -> tensor<?x8xf32>");
  auto runner = compile(code);
  for (int64_t bad : {5, -6, 1 << 30}) {
    HostTensor result;
    uint32_t status = 0;
    SmallVector<HostTensor> inputs = {random("f32", {5, 8}), integers("i32", {3}, {0, bad, 4})};
    ASSERT_TRUE(runner->run(inputs, 0, result, status).ok());
    EXPECT_EQ(status, uint32_t(MOERT_KERNEL_INDEX_OUT_OF_RANGE));
  }
}

struct RotaryForm {
  const char *name;
  const char *element, *angle;
  int64_t size, pairs;
  bool isInterleaved;
};

class RotaryGpu : public GpuOpTest, public testing::WithParamInterface<RotaryForm> {};

TEST_P(RotaryGpu, MatchesReference) {
  const RotaryForm &form = GetParam();
  std::string x = tensor(llvm::formatv("?x3x?x{0}", form.size), form.element),
              angle = tensor(llvm::formatv("?x?x{0}", form.pairs), form.angle);
  std::string code = function("%x: " + x + ", %c: " + angle + ", %s: " + angle, x,
                              llvm::formatv("nn.rotary %x, %c, %s interleaved {0} : ({1}, {2}, {2}) -> {1}",
                                            form.isInterleaved ? "true" : "false", x, angle));
  auto runner = compile(code);
  for (int64_t tables : {1, 2})
    for (int64_t positions : {0, 1, 5}) {
      SmallVector<HostTensor> inputs = {random(form.element, {2, 3, positions, form.size}),
                                        random(form.angle, {tables, positions, form.pairs}, 1),
                                        random(form.angle, {tables, positions, form.pairs}, 2)};
      HostTensor result = launch(*runner, inputs);
      expectClose(result, evaluate(code, inputs), toleranceOf(result.getElementType()));
    }
  if (form.size % 8 == 0) {
    EXPECT_LE(32 * runner->report.counters.globalWrittenSectors, 2 * runner->report.counters.global.writtenBytes);
  }
  expectAssembles(*runner);
}

INSTANTIATE_TEST_SUITE_P(Forms, RotaryGpu,
                         testing::Values(RotaryForm{"Halves", "bf16", "bf16", 128, 64, false},
                                         RotaryForm{"ByF32", "f16", "f32", 64, 32, false},
                                         RotaryForm{"Partial", "f32", "f32", 80, 16, false},
                                         RotaryForm{"Odd", "f32", "f32", 7, 3, false},
                                         RotaryForm{"Interleaved", "bf16", "f32", 64, 32, true},
                                         RotaryForm{"InterleavedPartial", "f32", "f32", 24, 4, true},
                                         RotaryForm{"InterleavedOdd", "f32", "f32", 7, 3, true},
                                         RotaryForm{"InterleavedNarrow", "bf16", "f32", 30, 10, true}),
                         [](const auto &info) { return info.param.name; });

TEST_F(CopyGpuCounters, RejectRotaryTablesOfOtherLengths) {
  std::string code =
      function("%x: tensor<?x2x?x8xf32>, %c: tensor<?x?x4xf32>, %s: tensor<?x?x4xf32>", "tensor<?x2x?x8xf32>",
               "nn.rotary %x, %c, %s interleaved false : (tensor<?x2x?x8xf32>, tensor<?x?x4xf32>, "
               "tensor<?x?x4xf32>) -> tensor<?x2x?x8xf32>");
  auto runner = compile(code);
  HostTensor angles = random("f32", {1, 3, 4}), result;
  SmallVector<HostTensor> inputs = {random("f32", {1, 2, 4, 8}), angles, angles};
  uint32_t status = 0;
  ASSERT_TRUE(runner->run(inputs, 0, result, status).ok());
  EXPECT_EQ(status, uint32_t(MOERT_KERNEL_BAD_VALUE));
}

} // namespace
