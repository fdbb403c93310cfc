//===- NnAttentionKernelTest.cpp - attention against plain loops ---------------===//

#include "TestValues.h"

#include "llvm/Support/FormatVariadic.h"

using namespace moec::test;

namespace {

/// What distinguishes one attention op from another.
struct AttentionCase {
  const FloatStorage &storage;
  Machine machine;
  int64_t heads, keyHeads, size, valueSize;
  const char *mask = ""; // "", "f32" or "i1"
  bool sinks = false, causal = false;
  int64_t window = 0;
  float softcap = 0.0f;
};

constexpr float kScale = 0.3f;

class NnAttentionKernel : public testing::TestWithParam<AttentionCase> {
protected:
  std::unique_ptr<mlir::MLIRContext> context = makeKernelContext();
  std::mt19937 engine{5};
  const AttentionCase &c = GetParam();

  std::string text() const {
    std::string q = llvm::formatv("tensor<?x{0}x?x{1}x{2}>", c.heads, c.size, c.storage.name);
    std::string k = llvm::formatv("tensor<?x{0}x?x{1}x{2}>", c.keyHeads, c.size, c.storage.name);
    std::string v = llvm::formatv("tensor<?x{0}x?x{1}x{2}>", c.keyHeads, c.valueSize, c.storage.name);
    std::string out = llvm::formatv("tensor<?x{0}x?x{1}x{2}>", c.heads, c.valueSize, c.storage.name);
    std::string arguments = "%q: " + q + ", %k: " + k + ", %v: " + v, types = q + ", " + k + ", " + v, options;
    if (*c.mask) {
      std::string mask = std::string("tensor<?x?x?x?x") + c.mask + ">";
      arguments += ", %mask: " + mask;
      types += ", " + mask;
      options += " mask %mask";
    }
    if (c.sinks) {
      std::string sinks = llvm::formatv("tensor<{0}xf32>", c.heads);
      arguments += ", %sinks: " + sinks;
      types += ", " + sinks;
      options += " sinks %sinks";
    }
    return llvm::formatv(R"(
      func.func @f({0}) -> {1} {{
        %r = nn.attention %q, %k, %v{2} scale {3:f4} {{causal = {4}, window = {5} : i64, softcap = {6:f4} : f64}
          : ({7}) -> {1}
        return %r : {1}
      })",
                         arguments, out, options, kScale, c.causal ? "true" : "false", c.window, c.softcap, types);
  }

  struct Problem {
    int64_t batches, positions, keys;
    Floats q, k, v, sinks, mask;
  };

  Problem makeProblem(int64_t batches, int64_t positions, int64_t keys, std::vector<int64_t> maskShape) {
    maskShape.push_back(keys);
    Floats mask = Floats::random(engine, f32Storage, maskShape);
    for (float &value : mask.values)
      if (value < -0.5f)
        value = -INFINITY;
    return {batches,
            positions,
            keys,
            Floats::random(engine, c.storage, {batches, c.heads, positions, c.size}),
            Floats::random(engine, c.storage, {batches, c.keyHeads, keys, c.size}),
            Floats::random(engine, c.storage, {batches, c.keyHeads, keys, c.valueSize}),
            Floats::random(engine, f32Storage, {c.heads}),
            mask};
  }

  std::vector<Buffer> buffersOf(const Problem &p) const {
    std::vector<Buffer> buffers = {p.q.buffer(), p.k.buffer(), p.v.buffer()};
    if (c.mask == std::string("f32"))
      buffers.push_back(p.mask.buffer());
    if (c.mask == std::string("i1")) {
      std::vector<uint8_t> keep;
      for (float value : p.mask.values)
        keep.push_back(value != -INFINITY);
      buffers.push_back(Buffer::of(p.mask.shape, keep));
    }
    if (c.sinks)
      buffers.push_back(p.sinks.buffer());
    buffers.push_back(p.q.result({p.batches, c.heads, p.positions, c.valueSize}));
    return buffers;
  }

  /// The score of a key before softmax; minus infinity if it is not seen.
  double score(const Problem &p, int64_t batch, int64_t head, int64_t position, int64_t key) const {
    int64_t last = position + p.keys - p.positions;
    if ((c.causal && key > last) || (c.window > 0 && key <= last - c.window))
      return -INFINITY;
    int64_t query = (batch * c.heads + head) * p.positions + position;
    int64_t keyRow = (batch * c.keyHeads + head / (c.heads / c.keyHeads)) * p.keys + key;
    double sum = 0.0;
    for (int64_t d = 0; d < c.size; ++d)
      sum += double(p.q.values[query * c.size + d]) * p.k.values[keyRow * c.size + d];
    sum *= kScale;
    if (c.softcap > 0.0f)
      sum = c.softcap * std::tanh(sum / c.softcap);
    if (!*c.mask)
      return sum;
    int64_t at = 0, coordinates[] = {batch, head, position};
    for (int64_t dim = 0; dim < 3; ++dim)
      at = at * p.mask.shape[dim] + (p.mask.shape[dim] == 1 ? 0 : coordinates[dim]);
    float mask = p.mask.values[at * p.keys + key];
    return c.mask == std::string("i1") ? (mask == -INFINITY ? -INFINITY : sum) : sum + mask;
  }

  std::vector<double> expected(const Problem &p) const {
    std::vector<double> result;
    for (int64_t row = 0; row < p.batches * c.heads * p.positions; ++row) {
      int64_t position = row % p.positions, head = row / p.positions % c.heads;
      int64_t batch = row / p.positions / c.heads;
      std::vector<double> sums(c.valueSize, 0.0);
      double total = c.sinks ? std::exp(p.sinks.values[head]) : 0.0;
      for (int64_t key = 0; key < p.keys; ++key) {
        double weight = std::exp(score(p, batch, head, position, key));
        total += weight;
        int64_t valueRow = (batch * c.keyHeads + head / (c.heads / c.keyHeads)) * p.keys + key;
        for (int64_t d = 0; d < c.valueSize; ++d)
          sums[d] += weight * p.v.values[valueRow * c.valueSize + d];
      }
      for (double sum : sums)
        result.push_back(total == 0.0 ? 0.0 : sum / total);
    }
    return result;
  }
};

TEST_P(NnAttentionKernel, AgreesWithPlainLoops) {
  CompiledKernel kernel(*context, text(), c.machine);
  ASSERT_TRUE(kernel.isValid()) << text();
  struct Extents {
    int64_t batches, positions, keys;
  };
  for (auto [batches, positions, keys] : {Extents{2, 1, 33},
                                          {1, 7, 7},
                                          {2, 37, 37},
                                          {1, 20, 51},
                                          {1, 9, 4},
                                          {1, 3, 0},
                                          {1, 0, 5},
                                          {0, 2, 2},
                                          {1, 1, 1},
                                          {1, 33, 160}})
    for (const std::vector<int64_t> &maskShape :
         {std::vector<int64_t>{1, 1, positions}, std::vector<int64_t>{batches, c.heads, 1}}) {
      Problem p = makeProblem(batches, positions, keys, maskShape);
      std::vector<Buffer> buffers = buffersOf(p);
      ASSERT_EQ(kernel.runAll(buffers, 1), 0);
      SCOPED_TRACE(llvm::formatv("{0} batches, {1} positions, {2} keys", batches, positions, keys).str());
      p.q.expectNear(buffers.back(), expected(p));
      if (HasFatalFailure() || !*c.mask)
        break;
    }
}

INSTANTIATE_TEST_SUITE_P(Forms, NnAttentionKernel,
                         testing::Values(AttentionCase{f32Storage, avx2, 4, 4, 32, 32},
                                         AttentionCase{f32Storage, avx512, 8, 2, 64, 64},
                                         AttentionCase{f32Storage, avx512, 6, 2, 20, 33, "f32", false, true},
                                         AttentionCase{f32Storage, avx2, 3, 1, 5, 7, "i1", true},
                                         AttentionCase{f32Storage, avx2, 4, 2, 16, 160, "", false, true, 5},
                                         AttentionCase{f32Storage, avx512, 2, 2, 48, 200, "f32", true, true, 3, 2.0f},
                                         AttentionCase{f32Storage, {4, 32}, 4, 2, 24, 40, "", true, true},
                                         AttentionCase{f16Storage, avx2, 4, 2, 64, 40, "f32", false, true},
                                         AttentionCase{bf16Storage, avx512, 4, 1, 30, 16, "", false, true, 0, 5.0f}));

TEST(NnAttentionKernelErrors, ReportsExtentsThatDisagree) {
  auto context = makeKernelContext();
  CompiledKernel kernel(*context, R"(
    func.func @f(%q: tensor<?x1x?x8xf32>, %k: tensor<?x1x?x8xf32>, %v: tensor<?x1x?x8xf32>) -> tensor<?x1x?x8xf32> {
      %r = nn.attention %q, %k, %v scale 1.0
        : (tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>) -> tensor<?x1x?x8xf32>
      return %r : tensor<?x1x?x8xf32>
    })",
                        avx2);
  ASSERT_TRUE(kernel.isValid());
  std::vector<Buffer> buffers = {Buffer::filled<float>({1, 1, 2, 8}, 0.0f), Buffer::filled<float>({1, 1, 3, 8}, 0.0f),
                                 Buffer::filled<float>({1, 1, 2, 8}, 0.0f), Buffer::filled<float>({1, 1, 2, 8}, 0.0f)};
  EXPECT_EQ(kernel.runAll(buffers), 2);
}

} // namespace
