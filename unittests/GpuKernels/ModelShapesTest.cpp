//===- ModelShapesTest.cpp - what grouped products of models' sizes cost ----===//
//
// Both products of the routed layers of three models in bf16, as many rows as one, few and many tokens have. Weights
// are zeros that take no memory; what is counted does not depend on values. MOEC_PRINT_COUNTERS in the environment asks
// for up to 512 tokens, which takes minutes, and for the table as Markdown.
//
//===----------------------------------------------------------------------===//

#include "GpuKernelRunner.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <cstdlib>
#include <random>
#include <sys/mman.h>

using namespace mlir;
using namespace moec::test;

namespace {

struct LayerShape {
  const char *name;
  int64_t hidden, intermediate;
  /// Experts that are held here, of all that there are, and chosen for each token.
  int64_t experts, allExperts, chosen;
};

/// Pages that read as zero.
class Zeros {
public:
  explicit Zeros(size_t size) : size(size) {
    data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  }
  ~Zeros() { munmap(data, size); }
  Zeros(const Zeros &) = delete;
  std::span<std::byte> bytes() const { return {static_cast<std::byte *>(data), size}; }

private:
  void *data;
  size_t size;
};

/// Rows of each expert held here, drawn with equal chances.
struct Routing {
  std::vector<int32_t> offsets, order;

  Routing(const LayerShape &layer, int64_t tokens) {
    std::mt19937 random(tokens);
    std::vector<std::vector<int32_t>> rows(layer.experts);
    std::vector<int64_t> all(layer.allExperts);
    std::iota(all.begin(), all.end(), 0);
    for (int64_t token = 0; token < tokens; ++token) {
      std::shuffle(all.begin(), all.end(), random);
      for (int64_t slot = 0; slot < layer.chosen; ++slot)
        if (all[slot] < layer.experts)
          rows[all[slot]].push_back(token * layer.chosen + slot);
    }
    for (const auto &expert : rows) {
      offsets.push_back(order.size());
      order.insert(order.end(), expert.begin(), expert.end());
    }
    offsets.push_back(order.size());
    order.resize(tokens * layer.chosen, -1);
  }

  int64_t used() const { return offsets.back(); }
  int64_t active() const {
    int64_t count = 0;
    for (size_t expert = 0; expert + 1 < offsets.size(); ++expert)
      count += offsets[expert] < offsets[expert + 1];
    return count;
  }
};

class ModelShapes : public testing::TestWithParam<LayerShape> {
protected:
  /// One product: the up-projection with gathered rows and a gated activation, or the plain down-projection.
  void count(bool isUp);

  std::unique_ptr<MLIRContext> context = makeGpuContext();
};

std::string describeProduct(const LayerShape &layer, bool isUp) {
  int64_t inner = isUp ? layer.hidden : layer.intermediate, columns = isUp ? 2 * layer.intermediate : layer.hidden;
  std::string x = llvm::formatv("tensor<?x{0}xbf16>", inner),
              offsets = llvm::formatv("tensor<{0}xi32>", layer.experts + 1);
  std::string w = llvm::formatv("tensor<{0}x{1}x{2}x16xbf16>", layer.experts, columns / 16, inner);
  std::string result = llvm::formatv("tensor<?x{0}xbf16>", isUp ? columns / 2 : columns);
  std::string order = isUp ? ", tensor<?xi32>" : "";
  return "func.func @main(%x: " + x + ", %w: " + w + ", %o: " + offsets + (isUp ? ", %p: tensor<?xi32>" : "") +
         ") -> " + result + " {\n %r = moe.grouped_matmul %x by %w offsets %o" + (isUp ? " order %p" : "") +
         llvm::formatv(" columns {0} activation(<{1}>)", columns,
                       isUp ? "kind = swiglu, layout = panels" : "kind = identity, layout = none")
             .str() +
         (isUp ? llvm::formatv(" {{rows_per_token = {0} : i64}", layer.chosen).str() : "") + " : (" + x + ", " + w +
         ", " + offsets + order + ") -> " + result + "\n return %r : " + result + "\n}";
}

void ModelShapes::count(bool isUp) {
  const LayerShape &layer = GetParam();
  bool isPrinted = std::getenv("MOEC_PRINT_COUNTERS") != nullptr;
  GpuKernelRunner runner(*context, describeProduct(layer, isUp));
  ASSERT_TRUE(runner.isValid());
  runner.weights = {1};
  runner.options.count = true;
  runner.options.checkRaces = false;
  runner.options.threads = 2;
  int64_t inner = isUp ? layer.hidden : layer.intermediate, columns = isUp ? 2 * layer.intermediate : layer.hidden;
  int64_t results = isUp ? columns / 2 : columns, expertBytes = columns * inner * 2;
  Zeros weights(layer.experts * expertBytes);
  SmallVector<int64_t> tokenCounts = {1};
  if (isPrinted)
    tokenCounts = {1, 8, 64, 512};
  for (int64_t tokens : tokenCounts) {
    Routing routing(layer, tokens);
    int64_t rows = isUp ? tokens : tokens * layer.chosen;
    Zeros x(std::max<int64_t>(1, rows * inner * 2));
    SmallVector<GpuOperand> inputs = {{{rows, inner}, x.bytes()},
                                      {{layer.experts, columns / 16, inner, 16}, weights.bytes()},
                                      {{layer.experts + 1}, std::as_writable_bytes(std::span(routing.offsets))}};
    if (isUp)
      inputs.push_back({{tokens * layer.chosen}, std::as_writable_bytes(std::span(routing.order))});
    SmallVector<int64_t> shape;
    std::vector<std::byte> result;
    uint32_t status;
    moert::Status launched = runner.run(inputs, 0, shape, result, status);
    ASSERT_TRUE(launched.ok()) << launched.getMessage();

    const moert::emu::LaunchCounters &counters = runner.report.counters;
    const auto &read = counters.of(moert::emu::MemoryTag::Weights);
    const auto &moved = counters.of(moert::emu::MemoryTag::Activations);
    double idealWeights = routing.active() * double(expertBytes);
    // Rows that are read: each once, though several experts may take it.
    double rowsRead = isUp ? std::min(tokens, routing.used()) : routing.used();
    double idealBytes = idealWeights + rowsRead * inner * 2 + double(routing.used()) * results * 2;
    double bytes = read.uniqueReadBytes + moved.uniqueReadBytes + moved.uniqueWrittenBytes;
    double idealOperations = 2.0 * routing.used() * columns * inner;
    double operations = counters.of(moert::emu::TensorType::BF16);
    double loads = counters.of(moert::emu::InstructionClass::Memory);
    EXPECT_EQ(read.uniqueReadBytes, uint64_t(idealWeights));
    EXPECT_EQ(counters.sharedConflicts, 0u);
    EXPECT_LE(bytes, 1.05 * std::max(idealBytes, 1.0) + 4096);
    if (!isPrinted)
      continue;
    auto ratio = [](double a, double b) { return llvm::formatv("{0:f2}", b ? a / b : 0.0).str(); };
    llvm::outs() << "| " << layer.name << (isUp ? " up" : " down") << " | " << tokens << " | " << routing.used()
                 << " / " << routing.active() << " | " << runner.blocks << " | "
                 << ratio(read.uniqueReadBytes, idealWeights) << " | " << ratio(read.readBytes, idealWeights) << " | "
                 << ratio(bytes, idealBytes) << " | " << ratio(operations, idealOperations) << " | "
                 << counters.sharedConflicts << " | " << ratio(operations / 4096, loads) << " |\n";
  }
}

TEST_P(ModelShapes, UpProjection) { count(true); }
TEST_P(ModelShapes, DownProjection) { count(false); }

INSTANTIATE_TEST_SUITE_P(Layers, ModelShapes,
                         testing::Values(LayerShape{"OLMoE", 2048, 1024, 64, 64, 8},
                                         LayerShape{"Qwen3", 2048, 768, 128, 128, 8},
                                         LayerShape{"DeepSeekV3", 7168, 2048, 16, 256, 8}),
                         [](const auto &info) { return info.param.name; });

} // namespace
