//===- TensorKernelsTest.cpp - slices, concat and pad against plain loops ------===//

#include "KernelRunner.h"

#include "gtest/gtest.h"

#include <numeric>

using namespace moec::test;

namespace {

constexpr int32_t kBadValue = 2;

class TensorKernels : public testing::Test {
protected:
  std::unique_ptr<mlir::MLIRContext> context = makeKernelContext();

  CompiledKernel compile(const std::string &arguments, const std::string &result, const std::string &op) {
    return CompiledKernel(
        *context, "func.func @f(" + arguments + ") -> " + result + " {\n%r = " + op + "\nreturn %r : " + result + "\n}",
        avx2);
  }

  static std::vector<int32_t> iota(int64_t count, int32_t first = 0) {
    std::vector<int32_t> values(count);
    std::iota(values.begin(), values.end(), first);
    return values;
  }

  static Buffer tensor(std::vector<int64_t> shape, int32_t first = 0) {
    int64_t count = std::accumulate(shape.begin(), shape.end(), int64_t(1), std::multiplies<int64_t>());
    return Buffer::of(shape, iota(count, first));
  }
};

/// A slice of a tensor of rank 3.
struct Box {
  int64_t shape[3], offsets[3], sizes[3], strides[3];
  int64_t at(int64_t i, int64_t j, int64_t k) const {
    return ((offsets[0] + i * strides[0]) * shape[1] + offsets[1] + j * strides[1]) * shape[2] + offsets[2] +
           k * strides[2];
  }
  template <typename Visit> void forEach(Visit visit) const {
    int64_t dense = 0;
    for (int64_t i = 0; i < sizes[0]; ++i)
      for (int64_t j = 0; j < sizes[1]; ++j)
        for (int64_t k = 0; k < sizes[2]; ++k)
          visit(at(i, j, k), dense++);
  }
};

const Box boxes[] = {
    {{4, 5, 6}, {1, 2, 3}, {2, 3, 2}, {1, 1, 1}},         {{4, 5, 6}, {0, 1, 0}, {2, 2, 3}, {2, 3, 2}},
    {{2, 200, 300}, {0, 3, 0}, {2, 190, 300}, {1, 1, 1}}, {{4, 5, 6}, {4, 5, 6}, {0, 0, 0}, {1, 1, 1}},
    {{1, 1, 1}, {0, 0, 0}, {1, 1, 1}, {1, 1, 1}},         {{0, 5, 6}, {0, 0, 1}, {0, 2, 2}, {1, 1, 1}}};

TEST_F(TensorKernels, ExtractSliceWithDynamicBox) {
  CompiledKernel kernel = compile(
      "%x: tensor<?x?x?xi32>, %a: index, %b: index, %c: index, %d: index, %e: index, %f: index, %g: index, %h: index, "
      "%i: index",
      "tensor<?x?x?xi32>",
      "tensor.extract_slice %x[%a, %b, %c] [%d, %e, %f] [%g, %h, %i] : tensor<?x?x?xi32> to tensor<?x?x?xi32>");
  ASSERT_TRUE(kernel.isValid());
  for (const Box &box : boxes) {
    std::vector<Buffer> buffers = {tensor({box.shape[0], box.shape[1], box.shape[2]})};
    for (const int64_t *values : {box.offsets, box.sizes, box.strides})
      for (int64_t dim = 0; dim < 3; ++dim)
        buffers.push_back(Buffer::index(values[dim]));
    buffers.push_back(Buffer::filled<int32_t>({box.sizes[0], box.sizes[1], box.sizes[2]}, -1));
    ASSERT_EQ(kernel.runAll(buffers, 1), 0);
    std::vector<int32_t> expected;
    box.forEach([&](int64_t at, int64_t) { expected.push_back(at); });
    EXPECT_EQ(buffers.back().as<int32_t>(), expected);
    // One element further leaves the tensor, and so does a negative offset.
    if (expected.empty())
      continue;
    for (int64_t bad : {box.shape[0], int64_t(-1)}) {
      buffers[1] = Buffer::index(bad);
      EXPECT_EQ(kernel.runAll(buffers), kBadValue);
    }
  }
}

TEST_F(TensorKernels, ExtractSliceOfWholeRowsDropsUnitDimension) {
  CompiledKernel kernel = compile(
      "%x: tensor<?x7x20000xi32>, %a: index", "tensor<3x20000xi32>",
      "tensor.extract_slice %x[%a, 2, 0] [1, 3, 20000] [1, 1, 1] : tensor<?x7x20000xi32> to tensor<3x20000xi32>");
  ASSERT_TRUE(kernel.isValid());
  std::vector<Buffer> buffers = {tensor({3, 7, 20000}), Buffer::index(1), Buffer::filled<int32_t>({3, 20000}, -1)};
  EXPECT_GT(kernel.taskCount(buffers), 1);
  ASSERT_EQ(kernel.runAll(buffers, 1), 0);
  EXPECT_EQ(buffers[2].as<int32_t>(), iota(60000, (7 + 2) * 20000));
}

TEST_F(TensorKernels, ExtractSliceWithStrideAlongWholeRows) {
  CompiledKernel kernel =
      compile("%x: tensor<?x9x4xi32>", "tensor<2x3x4xi32>",
              "tensor.extract_slice %x[0, 1, 0] [2, 3, 4] [1, 3, 1] : tensor<?x9x4xi32> to tensor<2x3x4xi32>");
  ASSERT_TRUE(kernel.isValid());
  std::vector<Buffer> buffers = {tensor({2, 9, 4}), tensor({2, 3, 4})};
  ASSERT_EQ(kernel.runAll(buffers, 1), 0);
  std::vector<int32_t> expected;
  for (int64_t i : {0, 1})
    for (int64_t j : {1, 4, 7})
      for (int64_t k : {0, 1, 2, 3})
        expected.push_back((i * 9 + j) * 4 + k);
  EXPECT_EQ(buffers[1].as<int32_t>(), expected);
  buffers[0] = tensor({1, 9, 4});
  EXPECT_EQ(kernel.runAll(buffers), kBadValue);
}

TEST_F(TensorKernels, InsertSliceWithDynamicBox) {
  CompiledKernel kernel = compile(
      "%s: tensor<?x?x?xi32>, %x: tensor<?x?x?xi32>, %a: index, %b: index, %c: index, %d: index, %e: index, %f: index, "
      "%g: index, %h: index, %i: index",
      "tensor<?x?x?xi32>",
      "tensor.insert_slice %s into %x[%a, %b, %c] [%d, %e, %f] [%g, %h, %i] : tensor<?x?x?xi32> into "
      "tensor<?x?x?xi32>");
  ASSERT_TRUE(kernel.isValid());
  for (const Box &box : boxes) {
    std::vector<int64_t> shape(box.shape, box.shape + 3);
    std::vector<Buffer> buffers = {tensor({box.sizes[0], box.sizes[1], box.sizes[2]}, 1000000), tensor(shape)};
    for (const int64_t *values : {box.offsets, box.sizes, box.strides})
      for (int64_t dim = 0; dim < 3; ++dim)
        buffers.push_back(Buffer::index(values[dim]));
    buffers.push_back(Buffer::filled<int32_t>(shape, -1));
    ASSERT_EQ(kernel.runAll(buffers, 1), 0);
    std::vector<int32_t> expected = buffers[1].as<int32_t>();
    box.forEach([&](int64_t at, int64_t dense) { expected[at] = 1000000 + dense; });
    EXPECT_EQ(buffers.back().as<int32_t>(), expected);
    buffers[2] = Buffer::index(box.shape[0] + 1);
    if (box.sizes[0] * box.sizes[1] * box.sizes[2] > 0)
      EXPECT_EQ(kernel.runAll(buffers), kBadValue);
  }
}

TEST_F(TensorKernels, InsertRowsIntoLongRows) {
  CompiledKernel kernel =
      compile("%s: tensor<?x3000xi8>, %x: tensor<40x3000xi8>, %a: index, %n: index", "tensor<40x3000xi8>",
              "tensor.insert_slice %s into %x[%a, 0] [%n, 3000] [1, 1] : tensor<?x3000xi8> into tensor<40x3000xi8>");
  ASSERT_TRUE(kernel.isValid());
  for (int64_t rows : {0, 1, 7, 33}) {
    std::vector<Buffer> buffers = {Buffer::filled<int8_t>({rows, 3000}, 5), Buffer::filled<int8_t>({40, 3000}, 1),
                                   Buffer::index(7), Buffer::index(rows), Buffer::filled<int8_t>({40, 3000}, 9)};
    EXPECT_GT(kernel.taskCount(buffers), 1);
    ASSERT_EQ(kernel.runAll(buffers, 2), 0);
    std::vector<int8_t> expected(40 * 3000, 1);
    std::fill_n(expected.begin() + 7 * 3000, rows * 3000, 5);
    EXPECT_EQ(buffers.back().as<int8_t>(), expected);
  }
}

TEST_F(TensorKernels, Concat) {
  for (int64_t dim : {0, 1, 2}) {
    CompiledKernel kernel =
        compile("%a: tensor<?x?x?xi32>, %b: tensor<?x?x?xi32>, %c: tensor<?x?x?xi32>", "tensor<?x?x?xi32>",
                "tensor.concat dim(" + std::to_string(dim) +
                    ") %a, %b, %c : (tensor<?x?x?xi32>, tensor<?x?x?xi32>, tensor<?x?x?xi32>) -> tensor<?x?x?xi32>");
    ASSERT_TRUE(kernel.isValid());
    for (std::vector<int64_t> base : {std::vector<int64_t>{2, 3, 5}, {1, 1, 1}, {3, 0, 2}, {2, 100, 150}}) {
      std::vector<std::vector<int64_t>> shapes(3, base);
      shapes[1][dim] = 0;
      shapes[2][dim] = 4;
      std::vector<int64_t> shape = base;
      shape[dim] += 4;
      std::vector<Buffer> buffers = {tensor(shapes[0]), tensor(shapes[1]), tensor(shapes[2], 500000),
                                     Buffer::filled<int32_t>(shape, -1)};
      ASSERT_EQ(kernel.runAll(buffers, 1), 0);
      int64_t outer = std::accumulate(base.begin(), base.begin() + dim, int64_t(1), std::multiplies<int64_t>());
      int64_t inner = std::accumulate(base.begin() + dim + 1, base.end(), int64_t(1), std::multiplies<int64_t>());
      std::vector<int32_t> expected;
      for (int64_t o = 0; o < outer; ++o)
        for (int64_t input : {0, 2})
          for (int64_t i = 0; i < shapes[input][dim] * inner; ++i)
            expected.push_back((input ? 500000 : 0) + o * shapes[input][dim] * inner + i);
      EXPECT_EQ(buffers[3].as<int32_t>(), expected) << "dim " << dim;
    }
    std::vector<Buffer> mismatch = {tensor({1, 2, 3}), tensor({1, 2, 3}), tensor({2, 3, 4}), tensor({4, 7, 10})};
    EXPECT_EQ(kernel.runAll(mismatch), kBadValue);
  }
}

TEST_F(TensorKernels, Pad) {
  CompiledKernel kernel = compile("%x: tensor<?x?xi32>, %l: index, %h: index", "tensor<?x?xi32>",
                                  "tensor.pad %x low[%l, 2] high[1, %h] {\n^bb0(%i: index, %j: index):\n"
                                  "%c = arith.constant -7 : i32\ntensor.yield %c : i32\n"
                                  "} : tensor<?x?xi32> to tensor<?x?xi32>");
  ASSERT_TRUE(kernel.isValid());
  for (auto [rows, columns, low, high] :
       {std::tuple<int64_t, int64_t, int64_t, int64_t>{3, 4, 2, 1}, {0, 5, 0, 0}, {2, 0, 1, 3}, {1, 40, 0, 9}}) {
    std::vector<int64_t> shape = {low + rows + 1, 2 + columns + high};
    std::vector<Buffer> buffers = {tensor({rows, columns}), Buffer::index(low), Buffer::index(high),
                                   Buffer::filled<int32_t>(shape, -1)};
    ASSERT_EQ(kernel.runAll(buffers, 2), 0);
    std::vector<int32_t> expected(shape[0] * shape[1], -7);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        expected[(low + i) * shape[1] + 2 + j] = i * columns + j;
    EXPECT_EQ(buffers[3].as<int32_t>(), expected);
  }
  std::vector<Buffer> negative = {tensor({3, 3}), Buffer::index(-1), Buffer::index(0), tensor({3, 5})};
  EXPECT_EQ(kernel.runAll(negative), kBadValue);
}

} // namespace
