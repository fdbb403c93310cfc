//===- NnIndexingKernelsTest.cpp - gathers, scatters and scans against loops ---===//

#include "TestValues.h"

#include "llvm/Support/FormatVariadic.h"

#include <numeric>

using namespace moec::test;

namespace {

constexpr int32_t kIndexOutOfRange = 1;

int64_t product(const std::vector<int64_t> &shape, size_t from, size_t to) {
  return std::accumulate(shape.begin() + from, shape.begin() + to, int64_t(1), std::multiplies<int64_t>());
}

/// The coordinates of an element of a row-major tensor, and back.
std::vector<int64_t> coordinatesOf(int64_t linear, const std::vector<int64_t> &shape) {
  std::vector<int64_t> coordinates(shape.size());
  for (size_t dim = shape.size(); dim-- > 0; linear /= shape[dim])
    coordinates[dim] = linear % shape[dim];
  return coordinates;
}

int64_t linearOf(const std::vector<int64_t> &coordinates, const std::vector<int64_t> &shape) {
  int64_t linear = 0;
  for (size_t dim = 0; dim < shape.size(); ++dim)
    linear = linear * shape[dim] + coordinates[dim];
  return linear;
}

class NnIndexingKernels : public testing::Test {
protected:
  std::unique_ptr<mlir::MLIRContext> context = makeKernelContext();
  std::mt19937 engine{3};

  /// Compiles a function whose body is `op`, which defines %r.
  CompiledKernel compile(const std::string &arguments, const std::string &results, const std::string &op,
                         Machine machine = avx2) {
    bool two = results.find(',') != std::string::npos;
    return CompiledKernel(*context,
                          "func.func @f(" + arguments + ") -> (" + results + ") {\n" + (two ? "%r:2" : "%r") + " = " +
                              op + "\nreturn " + (two ? "%r#0, %r#1" : "%r") + " : " + results + "\n}",
                          machine);
  }

  /// Indices in [-extent, extent).
  template <typename T> std::vector<T> randomIndices(int64_t count, int64_t extent) {
    std::vector<T> indices(count);
    for (T &index : indices)
      index = static_cast<T>(static_cast<int64_t>(engine() % (2 * extent)) - extent);
    return indices;
  }

  static int64_t wrap(int64_t index, int64_t extent) { return index < 0 ? index + extent : index; }

  std::vector<int32_t> iota(int64_t count) {
    std::vector<int32_t> values(count);
    std::iota(values.begin(), values.end(), 100);
    return values;
  }
};

//===----------------------------------------------------------------------===//
// Gathers
//===----------------------------------------------------------------------===//

TEST_F(NnIndexingKernels, Gather) {
  const char *types[] = {"tensor<?x2x?x?xi32>", "tensor<?x?x2x?xi32>", "tensor<?x?x?x2xi32>"};
  for (int64_t axis : {0, 1, 2}) {
    CompiledKernel kernel = compile(
        "%d: tensor<?x?x?xi32>, %i: tensor<?x2xi64>", types[axis],
        llvm::formatv("nn.gather %d[%i] axis {0} : (tensor<?x?x?xi32>, tensor<?x2xi64>) -> {1}", axis, types[axis]));
    ASSERT_TRUE(kernel.isValid());
    for (std::vector<int64_t> shape : {std::vector<int64_t>{3, 4, 5}, {1, 1, 1}, {7, 3, 0}, {2, 9, 33}})
      for (int64_t rows : {0, 1, 6}) {
        int64_t extent = shape[axis], count = extent ? 2 * rows : 0;
        std::vector<int64_t> indices = randomIndices<int64_t>(count, std::max<int64_t>(extent, 1));
        std::vector<int32_t> data = iota(product(shape, 0, 3));
        int64_t outer = product(shape, 0, axis), inner = product(shape, axis + 1, 3);
        std::vector<int64_t> result(shape.begin(), shape.begin() + axis);
        result.insert(result.end(), {count / 2, 2});
        result.insert(result.end(), shape.begin() + axis + 1, shape.end());
        std::vector<Buffer> buffers = {Buffer::of(shape, data), Buffer::of({count / 2, 2}, indices),
                                       Buffer::filled<int32_t>(result, -1)};
        ASSERT_EQ(kernel.runAll(buffers, 5), 0);
        std::vector<int32_t> expected;
        for (int64_t o = 0; o < outer; ++o)
          for (int64_t index : indices)
            for (int64_t i = 0; i < inner; ++i)
              expected.push_back(data[(o * extent + wrap(index, extent)) * inner + i]);
        ASSERT_EQ(buffers[2].as<int32_t>(), expected);
      }
  }
}

TEST_F(NnIndexingKernels, GatherByScalarAndOutOfRange) {
  CompiledKernel kernel = compile("%d: tensor<?x2xi8>, %i: tensor<i32>", "tensor<2xi8>",
                                  "nn.gather %d[%i] axis 0 : (tensor<?x2xi8>, tensor<i32>) -> tensor<2xi8>");
  ASSERT_TRUE(kernel.isValid());
  auto run = [&](std::vector<int8_t> data, int32_t index) {
    std::vector<Buffer> buffers = {Buffer::of({int64_t(data.size() / 2), 2}, data), Buffer::of<int32_t>({}, {index}),
                                   Buffer::filled<int8_t>({2}, 9)};
    return std::pair(kernel.runAll(buffers), buffers[2].as<int8_t>());
  };
  EXPECT_EQ(run({1, 2, 3, 4}, -1), std::pair(0, std::vector<int8_t>{3, 4}));
  for (int32_t bad : {2, -3, INT32_MAX, INT32_MIN})
    EXPECT_EQ(run({1, 2, 3, 4}, bad), std::pair(kIndexOutOfRange, std::vector<int8_t>{9, 9}));
  EXPECT_EQ(run({}, 0).first, kIndexOutOfRange);
}

TEST_F(NnIndexingKernels, GatherElements) {
  for (int64_t axis : {0, 1, 2}) {
    CompiledKernel kernel =
        compile("%d: tensor<?x?x?xi32>, %i: tensor<?x?x?xi32>", "tensor<?x?x?xi32>",
                llvm::formatv("nn.gather_elements %d[%i] axis {0} : (tensor<?x?x?xi32>, tensor<?x?x?xi32>) -> "
                              "tensor<?x?x?xi32>",
                              axis));
    ASSERT_TRUE(kernel.isValid());
    std::vector<int64_t> shape = {4, 3, 6};
    for (std::vector<int64_t> grid : {std::vector<int64_t>{4, 3, 6}, {2, 3, 1}, {1, 1, 1}, {0, 3, 6}}) {
      grid[axis] += 2;
      std::vector<int32_t> indices = randomIndices<int32_t>(product(grid, 0, 3), shape[axis]);
      std::vector<int32_t> data = iota(product(shape, 0, 3)), expected;
      std::vector<Buffer> buffers = {Buffer::of(shape, data), Buffer::of(grid, indices),
                                     Buffer::filled<int32_t>(grid, -1)};
      ASSERT_EQ(kernel.runAll(buffers, 2), 0);
      for (size_t i = 0; i < indices.size(); ++i) {
        std::vector<int64_t> at = coordinatesOf(i, grid);
        at[axis] = wrap(indices[i], shape[axis]);
        expected.push_back(data[linearOf(at, shape)]);
      }
      ASSERT_EQ(buffers[2].as<int32_t>(), expected);
    }
    std::vector<int64_t> tooLarge = {5, 5, 7};
    std::vector<Buffer> buffers = {Buffer::of(shape, iota(72)), Buffer::filled<int32_t>(tooLarge, 0),
                                   Buffer::filled<int32_t>(tooLarge, 0)};
    EXPECT_EQ(kernel.runAll(buffers), kIndexOutOfRange);
  }
}

TEST_F(NnIndexingKernels, GatherNd) {
  CompiledKernel kernel =
      compile("%d: tensor<?x?x?x?xf16>, %i: tensor<?x?x2xi64>", "tensor<?x?x?xf16>",
              "nn.gather_nd %d[%i] batch 1 : (tensor<?x?x?x?xf16>, tensor<?x?x2xi64>) -> tensor<?x?x?xf16>");
  ASSERT_TRUE(kernel.isValid());
  std::vector<int64_t> shape = {2, 3, 4, 5};
  std::vector<uint16_t> data(120), expected;
  std::iota(data.begin(), data.end(), 0);
  std::vector<int64_t> indices;
  for (int64_t tuple = 0; tuple < 2 * 7; ++tuple)
    for (int64_t extent : {3, 4})
      indices.push_back(randomIndices<int64_t>(1, extent)[0]);
  std::vector<Buffer> buffers = {Buffer::of(shape, data), Buffer::of({2, 7, 2}, indices),
                                 Buffer::filled<uint16_t>({2, 7, 5}, 0)};
  ASSERT_EQ(kernel.runAll(buffers, 3), 0);
  for (int64_t tuple = 0; tuple < 2 * 7; ++tuple)
    for (int64_t i = 0; i < 5; ++i)
      expected.push_back(
          data[linearOf({tuple / 7, wrap(indices[2 * tuple], 3), wrap(indices[2 * tuple + 1], 4), i}, shape)]);
  EXPECT_EQ(buffers[2].as<uint16_t>(), expected);
  for (int64_t bad : {3, -4}) {
    buffers[1] = Buffer::filled<int64_t>({2, 7, 2}, bad);
    EXPECT_EQ(kernel.runAll(buffers), kIndexOutOfRange);
  }
}

//===----------------------------------------------------------------------===//
// Scatters
//===----------------------------------------------------------------------===//

const std::vector<const char *> reductions = {"none", "add", "mul", "max", "min"};

float reduce(const std::string &reduction, float old, float update) {
  if (reduction == "add")
    return old + update;
  if (reduction == "mul")
    return old * update;
  if (reduction == "max")
    return std::max(old, update);
  return reduction == "min" ? std::min(old, update) : update;
}

TEST_F(NnIndexingKernels, ScatterElements) {
  for (int64_t axis : {0, 1, 2})
    for (const char *reduction : reductions) {
      CompiledKernel kernel =
          compile("%d: tensor<?x?x?xf32>, %i: tensor<?x?x?xi64>, %u: tensor<?x?x?xf32>", "tensor<?x?x?xf32>",
                  llvm::formatv("nn.scatter_elements %u into %d[%i] axis {0} {1} : (tensor<?x?x?xf32>, "
                                "tensor<?x?x?xi64>, tensor<?x?x?xf32>) -> tensor<?x?x?xf32>",
                                axis, reduction));
      ASSERT_TRUE(kernel.isValid());
      std::vector<int64_t> shape = {4, 3, 100};
      for (std::vector<int64_t> grid : {std::vector<int64_t>{4, 3, 100}, {2, 1, 70}, {0, 3, 6}}) {
        grid[axis] += 2;
        Floats data = Floats::random(engine, f32Storage, shape), updates = Floats::random(engine, f32Storage, grid);
        std::vector<int64_t> indices = randomIndices<int64_t>(updates.values.size(), shape[axis]);
        std::vector<Buffer> buffers = {data.buffer(), Buffer::of(grid, indices), updates.buffer(), data.result(shape)};
        ASSERT_EQ(kernel.runAll(buffers, 1), 0);
        std::vector<float> expected = data.values;
        for (size_t i = 0; i < indices.size(); ++i) {
          std::vector<int64_t> at = coordinatesOf(i, grid);
          at[axis] = wrap(indices[i], shape[axis]);
          float &target = expected[linearOf(at, shape)];
          target = reduce(reduction, target, updates.values[i]);
        }
        ASSERT_EQ(buffers[3].as<float>(), expected) << "axis " << axis << ", " << reduction;
        if (!indices.empty()) {
          indices.back() = shape[axis];
          buffers[1] = Buffer::of(grid, indices);
          ASSERT_EQ(kernel.runAll(buffers), kIndexOutOfRange);
        }
      }
    }
}

TEST_F(NnIndexingKernels, ScatterNd) {
  for (const char *reduction : reductions)
    for (const FloatStorage *storage : {&f32Storage, &bf16Storage}) {
      CompiledKernel kernel = compile(
          llvm::formatv("%d: tensor<?x?x?x{0}>, %i: tensor<?x2xi32>, %u: tensor<?x?x{0}>", storage->name),
          llvm::formatv("tensor<?x?x?x{0}>", storage->name),
          llvm::formatv("nn.scatter_nd %u into %d[%i] {0} : (tensor<?x?x?x{1}>, tensor<?x2xi32>, tensor<?x?x{1}>) -> "
                        "tensor<?x?x?x{1}>",
                        reduction, storage->name));
      ASSERT_TRUE(kernel.isValid());
      for (int64_t columns : {0, 1, 300})
        for (int64_t tuples : {0, 20}) {
          std::vector<int64_t> shape = {2, 3, columns};
          Floats data = Floats::random(engine, *storage, shape);
          Floats updates = Floats::random(engine, *storage, {tuples, columns});
          std::vector<int32_t> indices;
          for (int64_t tuple = 0; tuple < tuples; ++tuple)
            for (int64_t extent : {2, 3})
              indices.push_back(randomIndices<int32_t>(1, extent)[0]);
          std::vector<Buffer> buffers = {data.buffer(), Buffer::of({tuples, 2}, indices), updates.buffer(),
                                         data.result(shape)};
          ASSERT_EQ(kernel.runAll(buffers, 1), 0);
          Floats expected = data;
          for (int64_t tuple = 0; tuple < tuples; ++tuple)
            for (int64_t i = 0; i < columns; ++i) {
              float &target =
                  expected.values[linearOf({wrap(indices[2 * tuple], 2), wrap(indices[2 * tuple + 1], 3), i}, shape)];
              target = data.round(reduce(reduction, target, updates.values[tuple * columns + i]));
            }
          ASSERT_EQ(data.read(buffers[3]), expected.values) << reduction << " in " << storage->name;
        }
    }
}

//===----------------------------------------------------------------------===//
// top_k
//===----------------------------------------------------------------------===//

template <typename T> struct Ranked {
  std::vector<T> values;
  std::vector<int64_t> indices;
};

template <typename T> Ranked<T> rank(const std::vector<T> &x, int64_t rows, int64_t extent, int64_t k, bool largest) {
  Ranked<T> result;
  for (int64_t row = 0; row < rows; ++row) {
    const T *values = x.data() + row * extent;
    std::vector<int64_t> order(extent);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      bool aIsNumber = values[a] == values[a], bIsNumber = values[b] == values[b];
      if (aIsNumber != bIsNumber)
        return aIsNumber;
      if (!aIsNumber || values[a] == values[b])
        return a < b;
      return largest ? values[a] > values[b] : values[a] < values[b];
    });
    for (int64_t i = 0; i < k; ++i) {
      result.values.push_back(values[order[i]]);
      result.indices.push_back(order[i]);
    }
  }
  return result;
}

TEST_F(NnIndexingKernels, TopKOfFloats) {
  for (bool largest : {true, false})
    for (const FloatStorage *storage : {&f32Storage, &f16Storage, &bf16Storage}) {
      std::string x = llvm::formatv("tensor<2x?x?x{0}>", storage->name);
      CompiledKernel kernel = compile(
          "%x: " + x + ", %k: index", x + ", tensor<2x?x?xi64>",
          llvm::formatv("nn.top_k %x, %k largest {0} : {1} -> {1}, tensor<2x?x?xi64>", largest ? "true" : "false", x));
      ASSERT_TRUE(kernel.isValid());
      for (auto [extent, k] :
           {std::pair<int64_t, int64_t>{8, 2}, {1, 1}, {5, 0}, {0, 0}, {128, 8}, {1000, 1000}, {33, 32}, {300, 7}})
        for (int64_t rows : {0, 1, 3}) {
          Floats values = Floats::random(engine, *storage, {2, rows, extent});
          for (float &value : values.values) // ties and numbers that are not
            if (engine() % 3 == 0)
              value = engine() % 4 ? float(engine() % 3) - 1.0f : NAN;
          std::vector<Buffer> buffers = {values.buffer(), Buffer::index(k), values.result({2, rows, k}),
                                         Buffer::filled<int64_t>({2, rows, k}, -1)};
          ASSERT_EQ(kernel.runAll(buffers, 2), 0);
          Ranked<float> expected = rank(values.values, 2 * rows, extent, k, largest);
          ASSERT_EQ(buffers[3].as<int64_t>(), expected.indices) << k << " of " << extent;
          values.expectNear(buffers[2], std::vector<double>(expected.values.begin(), expected.values.end()));
        }
    }
}

TEST_F(NnIndexingKernels, TopKOfIntegers) {
  CompiledKernel kernel = compile("%x: tensor<?xi64>, %k: index", "tensor<?xi64>, tensor<?xi64>",
                                  "nn.top_k %x, %k largest true : tensor<?xi64> -> tensor<?xi64>, tensor<?xi64>");
  ASSERT_TRUE(kernel.isValid());
  std::vector<int64_t> x = randomIndices<int64_t>(500, 40);
  std::vector<Buffer> buffers = {Buffer::of({500}, x), Buffer::index(77), Buffer::filled<int64_t>({77}, 0),
                                 Buffer::filled<int64_t>({77}, 0)};
  ASSERT_EQ(kernel.runAll(buffers), 0);
  Ranked<int64_t> expected = rank(x, 1, 500, 77, true);
  EXPECT_EQ(buffers[2].as<int64_t>(), expected.values);
  EXPECT_EQ(buffers[3].as<int64_t>(), expected.indices);
}

//===----------------------------------------------------------------------===//
// cumsum, count_nonzero and nonzero
//===----------------------------------------------------------------------===//

TEST_F(NnIndexingKernels, CumSum) {
  for (int64_t axis : {0, 1, 2})
    for (bool exclusive : {false, true})
      for (bool reverse : {false, true}) {
        CompiledKernel kernel =
            compile("%x: tensor<?x?x?xi64>", "tensor<?x?x?xi64>",
                    llvm::formatv("nn.cumsum %x axis {0} exclusive {1} reverse {2} : tensor<?x?x?xi64>", axis,
                                  exclusive ? "true" : "false", reverse ? "true" : "false"),
                    exclusive ? avx2 : avx512);
        ASSERT_TRUE(kernel.isValid());
        for (std::vector<int64_t> shape :
             {std::vector<int64_t>{3, 5, 37}, {1, 1, 1}, {0, 2, 3}, {2, 0, 3}, {2, 3, 0}}) {
          std::vector<int64_t> x = randomIndices<int64_t>(product(shape, 0, 3), 1000), expected = x;
          std::vector<Buffer> buffers = {Buffer::of(shape, x), Buffer::filled<int64_t>(shape, -1)};
          ASSERT_EQ(kernel.runAll(buffers, 1), 0);
          for (size_t i = 0; i < x.size(); ++i) {
            std::vector<int64_t> at = coordinatesOf(i, shape);
            int64_t position = at[axis], sum = 0;
            for (at[axis] = 0; at[axis] < shape[axis]; ++at[axis])
              if ((reverse ? at[axis] > position : at[axis] < position) || (!exclusive && at[axis] == position))
                sum += x[linearOf(at, shape)];
            expected[i] = sum;
          }
          ASSERT_EQ(buffers[1].as<int64_t>(), expected) << "axis " << axis;
        }
      }
}

TEST_F(NnIndexingKernels, CumSumKeepsHalfSumsInSingle) {
  CompiledKernel kernel = compile("%x: tensor<?x3xf16>", "tensor<?x3xf16>",
                                  "nn.cumsum %x axis 0 exclusive false reverse false : tensor<?x3xf16>");
  ASSERT_TRUE(kernel.isValid());
  Floats x(f16Storage, {5000, 3}, std::vector<float>(15000, 1.0f));
  std::vector<Buffer> buffers = {x.buffer(), x.result(x.shape)};
  ASSERT_EQ(kernel.runAll(buffers), 0);
  EXPECT_EQ(x.read(buffers[1]).back(), 5000.0f);
}

TEST_F(NnIndexingKernels, Nonzero) {
  for (const char *element : {"i1", "f32"}) {
    std::string x = std::string("tensor<?x?x?x") + element + ">";
    CompiledKernel count = compile("%x: " + x, "tensor<1xi64>", "nn.count_nonzero %x : " + x + " -> tensor<1xi64>");
    CompiledKernel where =
        compile("%x: " + x + ", %n: index", "tensor<3x?xi64>", "nn.nonzero %x, %n : " + x + " -> tensor<3x?xi64>");
    ASSERT_TRUE(count.isValid() && where.isValid());
    for (std::vector<int64_t> shape : {std::vector<int64_t>{3, 4, 50}, {1, 1, 1}, {2, 0, 3}}) {
      int64_t elements = product(shape, 0, 3);
      std::vector<uint8_t> flags(elements);
      std::vector<float> floats(elements);
      std::vector<std::vector<int64_t>> found;
      for (int64_t i = 0; i < elements; ++i) {
        flags[i] = engine() % 2;
        floats[i] = flags[i] ? (engine() % 2 ? NAN : -0.5f) : -0.0f;
        if (flags[i])
          found.push_back(coordinatesOf(i, shape));
      }
      int64_t n = found.size();
      Buffer input = *element == 'i' ? Buffer::of(shape, flags) : Buffer::of(shape, floats);
      std::vector<Buffer> counted = {input, Buffer::filled<int64_t>({1}, -1)};
      ASSERT_EQ(count.runAll(counted), 0);
      ASSERT_EQ(counted[1].as<int64_t>()[0], n);
      std::vector<Buffer> located = {input, Buffer::index(n), Buffer::filled<int64_t>({3, n}, -1)};
      ASSERT_EQ(where.runAll(located), 0);
      std::vector<int64_t> expected;
      for (int64_t dim = 0; dim < 3; ++dim)
        for (const std::vector<int64_t> &at : found)
          expected.push_back(at[dim]);
      ASSERT_EQ(located[2].as<int64_t>(), expected);
    }
  }
}

} // namespace
