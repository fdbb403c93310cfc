//===- AttentionShapesTest.cpp - what attention of models' sizes costs ------===//
//
// One layer of three models in 16 bits, for decoding after few and many keys and for prefill. Queries, keys and values
// are zeros, so that all scores are equal. MOEC_PRINT_COUNTERS in the environment asks for longer contexts, which take
// a minute, and for the table as Markdown.
//
//===----------------------------------------------------------------------===//

#include "GpuKernelRunner.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <cstdlib>

using namespace mlir;
using namespace moec::test;

namespace {

struct AttentionShape {
  const char *name, *type;
  int64_t heads, keyHeads, size, valueSize, window = 0;
};

class AttentionShapes : public testing::TestWithParam<AttentionShape> {
protected:
  void count(int64_t positions, int64_t keys);

  std::unique_ptr<MLIRContext> context = makeGpuContext();
  bool isPrinted = std::getenv("MOEC_PRINT_COUNTERS") != nullptr;
};

std::string describe(const AttentionShape &shape) {
  auto type = [&](int64_t heads, int64_t size) {
    return llvm::formatv("tensor<1x{0}x?x{1}x{2}>", heads, size, shape.type).str();
  };
  std::string q = type(shape.heads, shape.size), k = type(shape.keyHeads, shape.size);
  std::string v = type(shape.keyHeads, shape.valueSize), result = type(shape.heads, shape.valueSize);
  return llvm::formatv("func.func @main(%q: {0}, %k: {1}, %v: {2}) -> {3} {{\n"
                       " %r = nn.attention %q, %k, %v scale 0.1 {{causal = true, window = {4} : i64}"
                       " : ({0}, {1}, {2}) -> {3}\n return %r : {3}\n}",
                       q, k, v, result, shape.window)
      .str();
}

void AttentionShapes::count(int64_t positions, int64_t keys) {
  const AttentionShape &shape = GetParam();
  GpuKernelRunner runner(*context, describe(shape));
  ASSERT_TRUE(runner.isValid());
  runner.weights = {1, 2};
  runner.options.count = true;
  runner.options.checkRaces = false;
  runner.options.threads = 2;
  std::vector<std::byte> q(shape.heads * positions * shape.size * 2), k(shape.keyHeads * keys * shape.size * 2);
  std::vector<std::byte> v(shape.keyHeads * keys * shape.valueSize * 2), result;
  SmallVector<GpuOperand> inputs = {{{1, shape.heads, positions, shape.size}, q},
                                    {{1, shape.keyHeads, keys, shape.size}, k},
                                    {{1, shape.keyHeads, keys, shape.valueSize}, v}};
  SmallVector<int64_t> resultShape;
  uint32_t status;
  moert::Status launched = runner.run(inputs, 0, resultShape, result, status);
  ASSERT_TRUE(launched.ok()) << launched.getMessage();

  const moert::emu::LaunchCounters &counters = runner.report.counters;
  const auto &read = counters.of(moert::emu::MemoryTag::Weights);
  const auto &workspace = counters.of(moert::emu::MemoryTag::Workspace);
  // Pairs of a query and a key it sees, and keys that some query sees.
  double pairs = 0;
  for (int64_t position = 0; position < positions; ++position) {
    int64_t seen = keys - positions + position + 1;
    pairs += shape.window ? std::min(seen, shape.window) : seen;
  }
  int64_t keysSeen = shape.window ? std::min(keys, positions - 1 + shape.window) : keys;
  double idealBytes = double(shape.keyHeads) * keysSeen * (shape.size + shape.valueSize) * 2;
  double idealOperations = 2.0 * shape.heads * pairs * (shape.size + shape.valueSize);
  double operations = 0;
  for (uint64_t type : counters.tensorOperations)
    operations += type;
  EXPECT_EQ(double(read.uniqueReadBytes), idealBytes);
  EXPECT_EQ(counters.sharedConflicts, 0u);
  EXPECT_EQ(counters.of(moert::emu::MemoryTag::Activations).writtenBytes, result.size());
  if (positions == 1) {
    EXPECT_EQ(double(read.readBytes), idealBytes);
    EXPECT_LE(workspace.writtenBytes, idealBytes / 10);
  }
  if (!isPrinted)
    return;
  double loads = counters.of(moert::emu::InstructionClass::Memory);
  llvm::outs() << llvm::formatv("| {0} | {1} | {2} | {3} | {4:f2} | {5:f2} | {6:f3} | {7:f2} | {8} | {9:f2} |\n",
                                shape.name, positions, keys, runner.blocks, read.uniqueReadBytes / idealBytes,
                                read.readBytes / idealBytes, workspace.writtenBytes / idealBytes,
                                operations / idealOperations, counters.sharedConflicts, operations / 4096 / loads);
}

TEST_P(AttentionShapes, Decode) {
  count(1, 1000);
  if (isPrinted)
    count(1, 16384);
}

TEST_P(AttentionShapes, Prefill) {
  if (isPrinted) {
    count(512, 512);
    count(64, 4096);
  } else {
    count(70, 150);
  }
}

INSTANTIATE_TEST_SUITE_P(Layers, AttentionShapes,
                         testing::Values(AttentionShape{"Qwen3", "bf16", 32, 4, 128, 128},
                                         AttentionShape{"GptOss", "bf16", 64, 8, 64, 64, 128},
                                         AttentionShape{"DeepSeekV3", "f16", 16, 16, 192, 128}),
                         [](const auto &info) { return info.param.name; });

} // namespace
