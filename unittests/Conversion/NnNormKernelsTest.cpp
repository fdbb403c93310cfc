//===- NnNormKernelsTest.cpp - softmax, norms and rotary against plain loops ---===//

#include "TestValues.h"

#include "llvm/Support/FormatVariadic.h"

using namespace moec::test;

namespace {

struct StorageCase {
  const FloatStorage &storage;
  Machine machine;
};

class NnRowKernels : public testing::TestWithParam<StorageCase> {
protected:
  std::unique_ptr<mlir::MLIRContext> context = makeKernelContext();
  std::mt19937 engine{11};
  const FloatStorage &storage = GetParam().storage;

  CompiledKernel compile(const char *format, std::string extents) {
    return CompiledKernel(*context, llvm::formatv(format, extents, storage.name).str(), GetParam().machine);
  }

  /// Compares every row with `reference`, for rows of a dynamic and of a static extent.
  void
  check(const char *format, int64_t parameters,
        llvm::function_ref<std::vector<double>(const float *x, int64_t extent, const std::vector<Floats> &parameters)>
            reference) {
    for (int64_t extent : {-1, 40, 64}) {
      CompiledKernel kernel = compile(format, extent < 0 ? "?" : std::to_string(extent));
      ASSERT_TRUE(kernel.isValid());
      for (int64_t columns : extent < 0 ? std::vector<int64_t>{0, 1, 7, 16, 53, 200} : std::vector<int64_t>{extent})
        for (int64_t rows : {0, 1, 5}) {
          Floats x = Floats::random(engine, storage, {2, rows, columns}, 3.0f);
          std::vector<Buffer> buffers = {x.buffer()};
          std::vector<Floats> values;
          for (int64_t i = 0; i < parameters; ++i)
            buffers.push_back(values.emplace_back(Floats::random(engine, storage, {columns})).buffer());
          buffers.push_back(x.result(x.shape));
          ASSERT_EQ(kernel.runAll(buffers, 3), 0);
          std::vector<double> expected;
          for (int64_t row = 0; row < 2 * rows; ++row)
            for (double value : reference(x.values.data() + row * columns, columns, values))
              expected.push_back(value);
          x.expectNear(buffers.back(), expected);
        }
    }
  }
};

std::vector<double> softmax(const float *x, int64_t extent) {
  double highest = -INFINITY, sum = 0.0;
  std::vector<double> row;
  for (int64_t i = 0; i < extent; ++i)
    highest = std::max<double>(highest, x[i]);
  for (int64_t i = 0; i < extent; ++i)
    sum += row.emplace_back(std::exp(x[i] - highest));
  for (double &value : row)
    value /= sum;
  return row;
}

constexpr const char *softmaxText = R"(
  func.func @f(%x: tensor<2x?x{0}x{1}>) -> tensor<2x?x{0}x{1}> {{
    %r = nn.softmax %x : tensor<2x?x{0}x{1}>
    return %r : tensor<2x?x{0}x{1}>
  })";

TEST_P(NnRowKernels, Softmax) {
  check(softmaxText, 0, [](const float *x, int64_t extent, const std::vector<Floats> &) { return softmax(x, extent); });
}

TEST_P(NnRowKernels, SoftmaxOfInfinities) {
  CompiledKernel kernel = compile(softmaxText, "?");
  ASSERT_TRUE(kernel.isValid());
  constexpr float inf = INFINITY;
  Floats x(storage, {2, 1, 3}, {-inf, 1.0f, 1.0f, -inf, -inf, -inf});
  std::vector<Buffer> buffers = {x.buffer(), x.result(x.shape)};
  ASSERT_EQ(kernel.runAll(buffers), 0);
  x.expectNear(buffers.back(), {0.0, 0.5, 0.5, NAN, NAN, NAN});
}

TEST_P(NnRowKernels, RmsNorm) {
  auto reference = [](const float *x, int64_t extent, const std::vector<Floats> &parameters) {
    double sum = 0.0;
    for (int64_t i = 0; i < extent; ++i)
      sum += double(x[i]) * x[i];
    std::vector<double> row;
    for (int64_t i = 0; i < extent; ++i)
      row.push_back(x[i] / std::sqrt(sum / extent + 1e-3) * (parameters.empty() ? 1.0f : parameters[0].values[i]));
    return row;
  };
  check(R"(
    func.func @f(%x: tensor<2x?x{0}x{1}>, %w: tensor<{0}x{1}>) -> tensor<2x?x{0}x{1}> {{
      %r = nn.rms_norm %x weight %w eps 1.0e-3 : (tensor<2x?x{0}x{1}>, tensor<{0}x{1}>) -> tensor<2x?x{0}x{1}>
      return %r : tensor<2x?x{0}x{1}>
    })",
        1, reference);
  check(R"(
    func.func @f(%x: tensor<2x?x{0}x{1}>) -> tensor<2x?x{0}x{1}> {{
      %r = nn.rms_norm %x eps 1.0e-3 : (tensor<2x?x{0}x{1}>) -> tensor<2x?x{0}x{1}>
      return %r : tensor<2x?x{0}x{1}>
    })",
        0, reference);
}

TEST_P(NnRowKernels, LayerNorm) {
  check(R"(
    func.func @f(%x: tensor<2x?x{0}x{1}>, %w: tensor<{0}x{1}>, %b: tensor<{0}x{1}>) -> tensor<2x?x{0}x{1}> {{
      %r = nn.layer_norm %x weight %w bias %b eps 1.0e-3
        : (tensor<2x?x{0}x{1}>, tensor<{0}x{1}>, tensor<{0}x{1}>) -> tensor<2x?x{0}x{1}>
      return %r : tensor<2x?x{0}x{1}>
    })",
        2, [](const float *x, int64_t extent, const std::vector<Floats> &parameters) {
          double mean = 0.0, variance = 0.0;
          for (int64_t i = 0; i < extent; ++i)
            mean += double(x[i]) / extent;
          for (int64_t i = 0; i < extent; ++i)
            variance += (x[i] - mean) * (x[i] - mean) / extent;
          std::vector<double> row;
          for (int64_t i = 0; i < extent; ++i)
            row.push_back((x[i] - mean) / std::sqrt(variance + 1e-3) * parameters[0].values[i] +
                          parameters[1].values[i]);
          return row;
        });
}

TEST_P(NnRowKernels, Rotary) {
  constexpr int64_t heads = 3, size = 45, pairs = 20;
  for (bool interleaved : {false, true}) {
    std::string text = llvm::formatv(R"(
      func.func @f(%x: tensor<?x3x?x45x{0}>, %c: tensor<?x?x20xf32>, %s: tensor<?x?x20xf32>) -> tensor<?x3x?x45x{0}> {{
        %r = nn.rotary %x, %c, %s interleaved {1}
          : (tensor<?x3x?x45x{0}>, tensor<?x?x20xf32>, tensor<?x?x20xf32>) -> tensor<?x3x?x45x{0}>
        return %r : tensor<?x3x?x45x{0}>
      })",
                                     storage.name, interleaved ? "true" : "false");
    CompiledKernel kernel(*context, text, GetParam().machine);
    ASSERT_TRUE(kernel.isValid());
    for (auto [batches, tables, positions] : {std::tuple(2, 1, 5), {2, 2, 1}, {1, 1, 0}, {0, 1, 3}}) {
      Floats x = Floats::random(engine, storage, {batches, heads, positions, size});
      Floats cos = Floats::random(engine, f32Storage, {tables, positions, pairs}), sin = cos;
      std::shuffle(sin.values.begin(), sin.values.end(), engine);
      std::vector<Buffer> buffers = {x.buffer(), cos.buffer(), sin.buffer(), x.result(x.shape)};
      ASSERT_EQ(kernel.runAll(buffers, 2), 0);
      std::vector<double> expected(x.values.begin(), x.values.end());
      for (int64_t row = 0; row < batches * heads * positions; ++row)
        for (int64_t d = 0; d < pairs; ++d) {
          int64_t table = (tables == 1 ? 0 : row / positions / heads) * positions + row % positions;
          double c = cos.values[table * pairs + d], s = sin.values[table * pairs + d];
          int64_t first = row * size + (interleaved ? 2 * d : d), second = first + (interleaved ? 1 : pairs);
          expected[first] = x.values[first] * c - x.values[second] * s;
          expected[second] = x.values[second] * c + x.values[first] * s;
        }
      x.expectNear(buffers.back(), expected);
    }
    std::vector<Buffer> mismatch = {Buffer::filled<float>({1, 3, 2, 45}, 0.0f), Buffer::filled<float>({1, 1, 20}, 0.0f),
                                    Buffer::filled<float>({1, 1, 20}, 0.0f),
                                    Buffer::filled<float>({1, 3, 2, 45}, 0.0f)};
    EXPECT_EQ(kernel.runAll(mismatch), 2);
  }
}

INSTANTIATE_TEST_SUITE_P(Storage, NnRowKernels,
                         testing::Values(StorageCase{f32Storage, avx2}, StorageCase{f32Storage, avx512},
                                         StorageCase{f16Storage, avx2}, StorageCase{bf16Storage, avx512}));

} // namespace
