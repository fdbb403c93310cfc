//===- AttentionGpuTest.cpp - nn.attention on the emulated GPU --------------===//

#include "GpuKernelRunner.h"
#include "moec/Reference/Evaluate.h"
#include "moec/Target/Cuda/CudaTarget.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "moert/moert_kernel_abi.h"
#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

#include <cmath>
#include <optional>
#include <random>

using namespace mlir;
using namespace moec::test;
using moec::reference::HostTensor;

namespace {

/// One form of the op: types, sizes, operands, options.
struct AttentionForm {
  const char *name;
  const char *q = "bf16", *k = "bf16", *v = "bf16";
  int64_t heads = 2, keyHeads = 2, size = 64, valueSize = 64;
  const char *mask = nullptr;
  bool hasSinks = false, hasLength = false, isCausal = false;
  int64_t window = 0;
  double softcap = 0.0;
};

/// What the types leave open. Unless 1, an extent of the mask is the full one.
struct AttentionExtents {
  int64_t batches, positions, keys;
  bool maskHasBatches = true, maskHasHeads = true, maskHasPositions = true;
};

class AttentionProblem {
public:
  AttentionProblem(MLIRContext &context, const AttentionForm &form) : context(context), form(form) {}

  std::string text() const {
    auto type = [](int64_t heads, int64_t size, const char *element) {
      return llvm::formatv("tensor<?x{0}x?x{1}x{2}>", heads, size, element).str();
    };
    std::string q = type(form.heads, form.size, form.q), k = type(form.keyHeads, form.size, form.k);
    std::string v = type(form.keyHeads, form.valueSize, form.v), result = type(form.heads, form.valueSize, form.q);
    std::string arguments = "%q: " + q + ", %k: " + k + ", %v: " + v, operands = "%q, %k, %v";
    std::string types = q + ", " + k + ", " + v;
    auto add = [&](const char *role, const std::string &type) {
      arguments += llvm::formatv(", %{0}: {1}", role, type).str();
      operands += llvm::formatv(" {0} %{0}", role).str();
      types += ", " + type;
    };
    if (form.mask)
      add("mask", std::string("tensor<?x?x?x?x") + form.mask + ">");
    if (form.hasSinks)
      add("sinks", llvm::formatv("tensor<{0}xf32>", form.heads).str());
    if (form.hasLength)
      add("length", "index");
    std::string options = llvm::formatv("causal = {0}, window = {1} : i64, softcap = {2:f4} : f64",
                                        form.isCausal ? "true" : "false", form.window, form.softcap);
    return "func.func @main(" + arguments + ") -> " + result + " {\n %r = nn.attention " + operands +
           llvm::formatv(" scale {0:f6}", scale()).str() + " {" + options + "} : (" + types + ") -> " + result +
           "\n return %r : " + result + "\n}";
  }

  /// Random operands. Of those with a length, the room behind it holds NaN.
  SmallVector<HostTensor> inputs(const AttentionExtents &extents, unsigned seed) const {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    auto fill = [&](const char *type, ArrayRef<int64_t> shape) {
      HostTensor tensor(parseType(type, &context), shape);
      for (int64_t i = 0; i < tensor.getSize(); ++i)
        tensor.setReal(i, normal(random));
      return tensor;
    };
    int64_t capacity = extents.keys + (form.hasLength ? 37 : 0);
    SmallVector<HostTensor> result = {fill(form.q, {extents.batches, form.heads, extents.positions, form.size}),
                                      fill(form.k, {extents.batches, form.keyHeads, capacity, form.size}),
                                      fill(form.v, {extents.batches, form.keyHeads, capacity, form.valueSize})};
    for (HostTensor &tensor : MutableArrayRef(result).drop_front())
      for (int64_t i = 0; i < tensor.getSize(); ++i)
        if (i / tensor.getDim(3) % capacity >= extents.keys)
          tensor.setReal(i, NAN);
    if (form.mask)
      result.push_back(makeMask(extents, random));
    if (form.hasSinks)
      result.push_back(fill("f32", {form.heads}));
    if (form.hasLength) {
      result.emplace_back(IndexType::get(&context), ArrayRef<int64_t>());
      result.back().setInteger(int64_t(0), extents.keys);
    }
    return result;
  }

  double tolerance() const { return StringRef(form.q) == "f32" ? 2e-6 : StringRef(form.q) == "f16" ? 2e-3 : 1.6e-2; }

private:
  double scale() const { return 1.0 / std::sqrt(double(form.size)); }

  /// Hides a third of the keys, and all from some rows.
  HostTensor makeMask(const AttentionExtents &extents, std::mt19937 &random) const {
    int64_t shape[] = {extents.maskHasBatches ? extents.batches : 1, extents.maskHasHeads ? form.heads : 1,
                       extents.maskHasPositions ? extents.positions : 1, extents.keys};
    HostTensor mask(parseType(form.mask, &context), shape);
    for (int64_t i = 0; i < mask.getSize(); ++i) {
      bool isHidden = random() % 3 == 0 || i / extents.keys % 5 == 3;
      if (mask.isFloat())
        mask.setReal(i, isHidden ? -INFINITY : (random() % 64) / 16.0 - 2.0);
      else
        mask.setInteger(i, !isHidden);
    }
    return mask;
  }

  MLIRContext &context;
  const AttentionForm &form;
};

/// What lib/Reference says.
HostTensor evaluateReference(MLIRContext &context, StringRef text, ArrayRef<HostTensor> inputs) {
  auto module = parseSourceString<ModuleOp>(text, &context);
  auto results = moec::reference::evaluateFunction(module->lookupSymbol<func::FuncOp>("main"), inputs);
  return succeeded(results) ? (*results)[0] : HostTensor();
}

class AttentionGpu : public testing::TestWithParam<AttentionForm> {
protected:
  /// The kernel with the reference, for each of the sizes, after a change of the inputs.
  void compare(
      ArrayRef<AttentionExtents> sizes,
      llvm::function_ref<void(SmallVector<HostTensor> &inputs)> change = [](SmallVector<HostTensor> &) {});

  std::unique_ptr<MLIRContext> context = makeGpuContext();
};

void AttentionGpu::compare(ArrayRef<AttentionExtents> sizes,
                           llvm::function_ref<void(SmallVector<HostTensor> &inputs)> change) {
  AttentionProblem problem(*context, GetParam());
  GpuKernelRunner runner(*context, problem.text());
  ASSERT_TRUE(runner.isValid()) << problem.text();
  for (const AttentionExtents &extents : sizes) {
    SmallVector<HostTensor> inputs = problem.inputs(extents, 1 + extents.positions);
    change(inputs);
    HostTensor expected = evaluateReference(*context, problem.text(), inputs), actual;
    for (uint64_t seed : {0, 1}) {
      std::string trace = llvm::formatv("{0} batches, {1} positions, {2} keys, seed {3}", extents.batches,
                                        extents.positions, extents.keys, seed);
      // One block after the other and copies that land late, then all in turns and copies that land at any time.
      runner.options.residentTogether = seed != 0;
      runner.options.copyOrder = seed ? moert::emu::CopyOrder::Random : moert::emu::CopyOrder::Latest;
      uint32_t status;
      moert::Status launched = runner.run(inputs, seed, actual, status);
      ASSERT_TRUE(launched.ok()) << trace << ": " << launched.getMessage();
      EXPECT_EQ(status, 0u) << trace;
      ASSERT_EQ(actual.getShape(), expected.getShape()) << trace;
      for (int64_t i = 0; i < actual.getSize(); ++i)
        ASSERT_NEAR(actual.real(i), expected.real(i), problem.tolerance() * std::max(1.0, std::fabs(expected.real(i))))
            << trace << ", row " << i / GetParam().valueSize << ", column " << i % GetParam().valueSize;
    }
  }
}

TEST_P(AttentionGpu, AgreesWithReference) {
  compare({{2, 1, 33},
           {1, 7, 7, true, false, true},
           {2, 37, 70, false, false, true},
           {1, 70, 70, true, true, false},
           {2, 1, 300, true, false, false},
           {1, 18, 500, false, false, false},
           {1, 9, 4},
           {1, 3, 0},
           {1, 0, 5},
           {0, 2, 2},
           {1, 1, 1}});
}

INSTANTIATE_TEST_SUITE_P(
    Forms, AttentionGpu,
    testing::Values(
        // Types, and heads of every size and alignment.
        AttentionForm{"bf16"}, AttentionForm{"f16", "f16", "f16", "f16", 4, 2, 128, 128},
        AttentionForm{"f32", "f32", "f32", "f32", 2, 1, 64, 64},
        AttentionForm{"f32_Odd", "f32", "f32", "f32", 3, 1, 5, 7},
        AttentionForm{"bf16_Aligned16", "bf16", "bf16", "bf16", 2, 2, 8, 80},
        AttentionForm{"bf16_Aligned8", "bf16", "bf16", "bf16", 2, 2, 20, 20},
        AttentionForm{"bf16_Aligned4", "bf16", "bf16", "bf16", 2, 2, 30, 34},
        AttentionForm{"f16_Odd", "f16", "f16", "f16", 2, 2, 33, 17},
        AttentionForm{"bf16_Wide", "bf16", "bf16", "bf16", 2, 1, 192, 256},
        AttentionForm{"f32_Wide", "f32", "f32", "f32", 1, 1, 256, 192},
        AttentionForm{"bf16_Parts", "bf16", "bf16", "bf16", 2, 1, 576, 520},
        AttentionForm{"f32_ByBf16", "f32", "bf16", "f16", 2, 1, 40, 24},
        AttentionForm{"f16_ByF32", "f16", "f32", "f32", 2, 2, 16, 16},
        // Heads that share keys, in one tile and in several.
        AttentionForm{"Group8", "bf16", "bf16", "bf16", 16, 2, 64, 64, nullptr, false, false, true},
        AttentionForm{"Group20", "f16", "f16", "f16", 20, 1, 32, 32, nullptr, true, false, true, 11},
        // What decides about the scores.
        AttentionForm{"Causal", "bf16", "bf16", "bf16", 4, 2, 64, 64, nullptr, false, false, true},
        AttentionForm{"Window", "f32", "f32", "f32", 2, 1, 32, 32, nullptr, false, false, false, 5},
        AttentionForm{"CausalWindow", "bf16", "bf16", "bf16", 2, 1, 32, 32, nullptr, true, false, true, 90},
        AttentionForm{"Mask", "f32", "f32", "f32", 4, 2, 48, 32, "f32", false, false, true},
        AttentionForm{"MaskNarrow", "bf16", "bf16", "bf16", 4, 2, 64, 32, "bf16", true},
        AttentionForm{"MaskBoolean", "f16", "f16", "f16", 3, 1, 32, 32, "i1", true, false, true},
        AttentionForm{"Softcap", "f32", "f32", "f32", 2, 2, 32, 32, "f32", true, false, true, 3, 2.0},
        AttentionForm{"SoftcapNarrow", "bf16", "bf16", "bf16", 2, 1, 64, 64, nullptr, false, false, true, 0, 5.0},
        AttentionForm{"Length", "bf16", "bf16", "bf16", 4, 1, 64, 64, nullptr, true, true, true},
        AttentionForm{"LengthMask", "f32", "f32", "f32", 2, 2, 24, 40, "i1", false, true, true, 60}),
    [](const auto &info) { return info.param.name; });

/// Keys that grow, so that weights overflow where they are relative to the largest score of only some of them.
class AttentionGrowing : public AttentionGpu {};

TEST_P(AttentionGrowing, AgreesWithReference) {
  compare({{1, 1, 3000}, {2, 3, 1100}, {1, 40, 3300}}, [](SmallVector<HostTensor> &inputs) {
    HostTensor &keys = inputs[1];
    int64_t count = keys.getDim(2), size = keys.getDim(3);
    for (int64_t i = 0; i < keys.getSize(); ++i)
      keys.setReal(i, 64 * std::pow(double(i / size % count) / count, 8) * keys.real(i));
  });
}

INSTANTIATE_TEST_SUITE_P(Forms, AttentionGrowing,
                         testing::Values(AttentionForm{"bf16", "bf16", "bf16", "bf16", 4, 2, 32, 32, nullptr, false,
                                                       false, true},
                                         AttentionForm{"f16", "f16", "f16", "f16", 2, 2, 64, 24}),
                         [](const auto &info) { return info.param.name; });

/// So many heads that tiles of 128 rows fill the machine.
class AttentionManyRows : public AttentionGpu {};

TEST_P(AttentionManyRows, AgreesWithReference) { compare({{1, 129, 129}, {1, 140, 200, true, false, true}}); }

INSTANTIATE_TEST_SUITE_P(
    Forms, AttentionManyRows,
    testing::Values(AttentionForm{"Causal", "bf16", "bf16", "bf16", 54, 6, 16, 24, nullptr, false, false, true},
                    AttentionForm{"MaskAndWindow", "f16", "f16", "f16", 54, 54, 24, 80, "i1", true, true, true, 600}),
    [](const auto &info) { return info.param.name; });

/// What a launch may not waste. Keys and values are counted as weights.
class AttentionCounters : public AttentionGpu {
protected:
  void SetUp() override {
    runner.emplace(*context, problem.text());
    ASSERT_TRUE(runner->isValid());
    runner->weights = {1, 2};
    runner->options.count = true;
  }

  void launch(const AttentionExtents &extents) {
    SmallVector<HostTensor> inputs = problem.inputs(extents, 1);
    HostTensor result;
    uint32_t status;
    moert::Status launched = runner->run(inputs, 0, result, status);
    ASSERT_TRUE(launched.ok()) << launched.getMessage();
    keyBytes = inputs[1].getElementType().getIntOrFloatBitWidth() / 8;
    resultBytes = result.getSize() * result.getElementType().getIntOrFloatBitWidth() / 8;
  }

  AttentionProblem problem{*context, GetParam()};
  std::optional<GpuKernelRunner> runner;
  uint64_t keyBytes = 0, resultBytes = 0;
};

TEST_P(AttentionCounters, DecodeReadsEachKeyOnce) {
  const AttentionForm &form = GetParam();
  for (int64_t keys : {1, 100, 1000, 3000}) {
    AttentionExtents extents{2, 1, keys};
    launch(extents);
    const moert::emu::LaunchCounters &counters = runner->report.counters;
    int64_t seen = form.window ? std::min(form.window, keys) : keys;
    EXPECT_EQ(counters.of(moert::emu::MemoryTag::Weights).readBytes,
              extents.batches * form.keyHeads * seen * (form.size + form.valueSize) * keyBytes)
        << keys << " keys";
    EXPECT_EQ(counters.of(moert::emu::MemoryTag::Activations).writtenBytes, resultBytes);
    // What splits leave for each other: sums of the rows that exist.
    uint64_t rows = runner->blocks * form.heads / form.keyHeads;
    EXPECT_LE(counters.of(moert::emu::MemoryTag::Workspace).writtenBytes, rows * (form.valueSize + 2) * 4)
        << keys << " keys";
    EXPECT_EQ(counters.sharedConflicts, 0u) << keys << " keys";
  }
}

TEST_P(AttentionCounters, ScoresStayInRegisters) {
  const AttentionForm &form = GetParam();
  for (int64_t positions : {64, 150}) {
    launch({1, positions, positions});
    const moert::emu::LaunchCounters &counters = runner->report.counters;
    EXPECT_EQ(counters.of(moert::emu::MemoryTag::Activations).writtenBytes, resultBytes);
    EXPECT_EQ(counters.of(moert::emu::MemoryTag::Workspace).writtenBytes, 0u);
    EXPECT_EQ(counters.sharedConflicts, 0u) << positions << " positions";
    // Tiles of 64 rows and as many keys, up to the diagonal; sums of weights are eight more columns.
    uint64_t tiles = form.heads * (positions == 64 ? 1 : 1 + 2 + 3), operations = 0;
    for (uint64_t count : counters.tensorOperations)
      operations += count;
    uint64_t passes = keyBytes == 4 ? 3 : 1;
    EXPECT_LE(operations, passes * tiles * 64 * 64 * 2 * (form.size + form.valueSize + 8)) << positions << " positions";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, AttentionCounters,
    testing::Values(AttentionForm{"bf16", "bf16", "bf16", "bf16", 8, 2, 128, 128, nullptr, false, false, true},
                    AttentionForm{"f16", "f16", "f16", "f16", 4, 4, 64, 64, nullptr, false, false, true},
                    AttentionForm{"Uneven", "bf16", "bf16", "bf16", 4, 1, 192, 128, nullptr, false, false, true},
                    AttentionForm{"Window", "bf16", "bf16", "bf16", 4, 1, 64, 64, nullptr, true, false, true, 128},
                    AttentionForm{"f32", "f32", "f32", "f32", 4, 1, 64, 128, nullptr, false, false, true}),
    [](const auto &info) { return info.param.name; });

/// Forms of the sizes of models, for what the assembler says.
class AttentionAssembly : public AttentionGpu {};

TEST_P(AttentionAssembly, HasNoSpills) {
  AttentionProblem problem(*context, GetParam());
  GpuKernelRunner runner(*context, problem.text());
  ASSERT_TRUE(runner.isValid());
  if (moec::findPtxAssembler().empty())
    GTEST_SKIP() << "ptxas not found";
  for (const char *chip : {"sm_80", "sm_90", "sm_100"}) {
    AssemblerReport report = runner.assemble(chip);
    ASSERT_TRUE(report.assembled) << report.log;
    EXPECT_EQ(report.spillBytes, 0) << chip;
    RecordProperty(std::string("registers_") + chip, static_cast<int>(report.registers));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, AttentionAssembly,
    testing::Values(AttentionForm{"Group8", "bf16", "bf16", "bf16", 32, 4, 128, 128, nullptr, false, true, true},
                    AttentionForm{"SinksAndWindow", "f16", "f16", "f16", 64, 8, 64, 64, nullptr, true, true, true, 128},
                    AttentionForm{"Uneven", "bf16", "bf16", "bf16", 16, 16, 192, 128, nullptr, false, true, true},
                    AttentionForm{"Softcap", "bf16", "bf16", "bf16", 16, 8, 256, 256, "f32", false, false, true, 4096,
                                  50.0},
                    AttentionForm{"f32", "f32", "f32", "f32", 16, 16, 128, 128, "f32", false, false, true},
                    AttentionForm{"f32_Wide", "f32", "f32", "f32", 8, 4, 256, 256, "i1"}),
    [](const auto &info) { return info.param.name; });

class AttentionBatch : public AttentionGpu {};

TEST_P(AttentionBatch, DoesNotChangeBits) {
  AttentionProblem problem(*context, GetParam());
  GpuKernelRunner runner(*context, problem.text());
  ASSERT_TRUE(runner.isValid());
  for (AttentionExtents extents : {AttentionExtents{3, 1, 700}, AttentionExtents{3, 70, 130}}) {
    SmallVector<HostTensor> inputs = problem.inputs(extents, 1);
    HostTensor all, one;
    uint32_t status;
    ASSERT_TRUE(runner.run(inputs, 0, all, status).ok());
    for (HostTensor &input : inputs) {
      HostTensor last(input.getElementType(), {1, input.getDim(1), input.getDim(2), input.getDim(3)});
      for (int64_t i = 0; i < last.getSize(); ++i)
        last.copyElement(i, input, input.getSize() - last.getSize() + i);
      input = last;
    }
    ASSERT_TRUE(runner.run(inputs, 1, one, status).ok());
    for (int64_t i = 0; i < one.getSize(); ++i)
      ASSERT_EQ(one.real(i), all.real(all.getSize() - one.getSize() + i)) << extents.keys << " keys, element " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, AttentionBatch,
                         testing::Values(AttentionForm{"bf16", "bf16", "bf16", "bf16", 4, 1},
                                         AttentionForm{"f32", "f32", "f32", "f32", 2, 2, 32, 48}),
                         [](const auto &info) { return info.param.name; });

class AttentionStatus : public testing::Test {
protected:
  std::unique_ptr<MLIRContext> context = makeGpuContext();
};

TEST_F(AttentionStatus, ReportsExtentsThatDisagree) {
  AttentionForm form{"", "bf16", "bf16", "bf16", 2, 1, 16, 16, "f32", false, true};
  AttentionProblem problem(*context, form);
  GpuKernelRunner runner(*context, problem.text());
  ASSERT_TRUE(runner.isValid());
  auto expectRefused = [&](const char *what, llvm::function_ref<void(SmallVectorImpl<HostTensor> &)> spoil) {
    SmallVector<HostTensor> inputs = problem.inputs({2, 3, 40}, 1);
    spoil(inputs);
    HostTensor result;
    uint32_t status = 0;
    moert::Status launched = runner.run(inputs, 0, result, status);
    ASSERT_TRUE(launched.ok()) << what << ": " << launched.getMessage();
    EXPECT_EQ(status, uint32_t(MOERT_KERNEL_BAD_VALUE)) << what;
  };
  auto reshape = [](HostTensor &tensor, ArrayRef<int64_t> shape) {
    tensor = HostTensor(tensor.getElementType(), shape);
  };
  expectRefused("batches of k", [&](auto &inputs) { reshape(inputs[1], {1, 1, 77, 16}); });
  expectRefused("keys of v", [&](auto &inputs) { reshape(inputs[2], {2, 1, 76, 16}); });
  expectRefused("positions of the mask", [&](auto &inputs) { reshape(inputs[3], {2, 2, 2, 40}); });
  expectRefused("keys of the mask", [&](auto &inputs) { reshape(inputs[3], {2, 2, 3, 39}); });
  expectRefused("length", [&](auto &inputs) { inputs[4].setInteger(int64_t(0), 78); });
}

} // namespace
