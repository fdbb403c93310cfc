//===- GroupedMatmulGpuTest.cpp - moe.grouped_matmul on the emulated GPU ----===//

#include "KernelBudget.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Reference/Evaluate.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "moert/moert_kernel_abi.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include "gtest/gtest.h"

#include <cmath>
#include <random>

using namespace mlir;
using namespace moec::test;
using moec::reference::HostTensor;

namespace {

/// One form of the op: types, sizes, operands.
struct MatmulForm {
  const char *name;
  const char *x, *w;
  int64_t experts, columns, inner;
  const char *activation = "identity", *layout = "none";
  bool isPacked = true;
  bool isGrouped = true;
  /// 0: no order.
  int64_t rowsPerToken = 2;
  bool scale = false, bias = false;
  const char *parameters = "";
  /// Without parts in tf32.
  bool plainF32 = false;
};

/// The same without parts in tf32.
MatmulForm inPlainF32(const char *name, MatmulForm form) {
  form.name = name;
  form.plainF32 = true;
  return form;
}

class MatmulProblem {
public:
  MatmulProblem(MLIRContext &context, const MatmulForm &form) : context(context), form(form) {
    isGated = StringRef(form.layout) != "none";
    resultColumns = isGated ? form.columns / 2 : form.columns;
    panels = (resultColumns + 15) / 16 * (isGated ? 2 : 1);
  }

  std::string text() const {
    auto type = [](auto &&...parts) { return llvm::formatv("tensor<{0}>", llvm::formatv(parts...)).str(); };
    std::string x = type("?x{0}x{1}", form.inner, form.x);
    std::string w = form.isPacked ? type("{0}x{1}x{2}x16x{3}", form.experts, panels, form.inner, form.w)
                                  : type("{0}x{1}x{2}x{3}", form.experts, form.columns, form.inner, form.w);
    std::string arguments = "%x: " + x + ", %w: " + w, operands = "%x by %w", types = x + ", " + w;
    auto add = [&](const char *name, const char *role, const std::string &type) {
      arguments += std::string(", ") + name + ": " + type;
      operands += std::string(" ") + role + " " + name;
      types += ", " + type;
    };
    if (form.isGrouped)
      add("%o", "offsets", type("{0}xi32", form.experts + 1));
    if (form.rowsPerToken)
      add("%p", "order", "tensor<?xi32>");
    if (form.scale)
      add("%s", "scale", type("?x{0}xf32", form.rowsPerToken));
    if (form.bias)
      add("%b", "bias", type("{0}x{1}xf32", form.experts, biasColumns()));
    std::string result = type("?x{0}x{1}", resultColumns, form.x);
    std::string layout = isGated && form.isPacked ? "panels" : form.layout;
    std::string attributes =
        form.rowsPerToken ? llvm::formatv(" {{rows_per_token = {0} : i64}", form.rowsPerToken).str() : "";
    return "func.func @main(" + arguments + ") -> " + result + " {\n %r = moe.grouped_matmul " + operands +
           llvm::formatv(" columns {0} activation(<kind = {1}, layout = {2}{3}>)", form.columns, form.activation,
                         layout, form.parameters)
               .str() +
           attributes + " : (" + types + ") -> " + result + "\n return %r : " + result + "\n}";
  }

  /// Random operands for so many tokens. Slots are -1 now and then, and the last expert is never chosen.
  SmallVector<HostTensor> inputs(int64_t tokens, unsigned seed) const {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    auto fill = [&](const char *type, ArrayRef<int64_t> shape, double scale) {
      HostTensor tensor(parseType(type, &context), shape);
      for (int64_t i = 0; i < tensor.getSize(); ++i)
        tensor.setReal(i, normal(random) * scale);
      return tensor;
    };
    SmallVector<HostTensor> result = {fill(form.x, {tokens, form.inner}, 1.0)};
    SmallVector<int64_t> wShape = {form.experts, form.columns, form.inner};
    if (form.isPacked)
      wShape = {form.experts, panels, form.inner, 16};
    result.push_back(fill(form.w, wShape, 1.0 / std::sqrt(double(form.inner))));
    if (form.isGrouped) {
      int64_t slots = tokens * std::max<int64_t>(1, form.rowsPerToken);
      addGroups(slots, random, result);
    }
    if (form.scale)
      result.push_back(fill("f32", {tokens, form.rowsPerToken}, 1.0));
    if (form.bias)
      result.push_back(fill("f32", {form.experts, biasColumns()}, 1.0));
    return result;
  }

  /// Places that belong to an expert.
  int64_t usedRows(ArrayRef<HostTensor> inputs) const {
    return form.isGrouped ? inputs[2].integer(form.experts) : inputs[0].getDim(0);
  }

  double tolerance() const { return StringRef(form.x) == "f32" ? 1e-5 : StringRef(form.x) == "f16" ? 2e-3 : 1.6e-2; }

private:
  /// Offsets, and order if the op has it.
  void addGroups(int64_t slots, std::mt19937 &random, SmallVectorImpl<HostTensor> &result) const {
    int64_t used = std::max<int64_t>(1, form.experts - 1);
    std::vector<std::vector<int64_t>> rows(form.experts);
    for (int64_t slot = 0; slot < slots; ++slot)
      if (random() % 8)
        rows[random() % used].push_back(slot);
    Type i32 = IntegerType::get(&context, 32);
    HostTensor offsets(i32, {form.experts + 1}), order(i32, {slots});
    int64_t place = 0;
    for (int64_t expert = 0; expert < form.experts; ++expert) {
      for (int64_t row : rows[expert])
        order.setInteger(place++, row);
      offsets.setInteger(expert + 1, place);
    }
    for (; place < slots; ++place)
      order.setInteger(place, -1);
    result.push_back(offsets);
    if (form.rowsPerToken)
      result.push_back(order);
  }

  int64_t biasColumns() const { return isGated && form.isPacked ? 16 * panels : form.columns; }

  MLIRContext &context;
  const MatmulForm &form;
  bool isGated;
  int64_t resultColumns, panels;
};

/// Matrix products for each product of the op.
uint64_t passes(const MatmulForm &form) {
  if (form.plainF32)
    return 0;
  if (StringRef(form.x) != "f32")
    return StringRef(form.x) == form.w;
  return StringRef(form.w) == "f32" ? 3 : 2;
}

/// What lib/Reference says.
HostTensor evaluateReference(MLIRContext &context, StringRef text, ArrayRef<HostTensor> inputs) {
  auto module = parseSourceString<ModuleOp>(text, &context);
  auto results = moec::reference::evaluateFunction(module->lookupSymbol<func::FuncOp>("main"), inputs);
  return succeeded(results) ? (*results)[0] : HostTensor();
}

class GroupedMatmulGpu : public testing::TestWithParam<MatmulForm> {
protected:
  std::unique_ptr<MLIRContext> context = makeGpuContext();
};

TEST_P(GroupedMatmulGpu, AgreesWithReference) {
  MatmulProblem problem(*context, GetParam());
  GpuKernelRunner runner(*context, problem.text(), GetParam().plainF32);
  ASSERT_TRUE(runner.isValid()) << problem.text();
  for (int64_t tokens : {0, 1, 3, 20, 70, 150, 190}) {
    SmallVector<HostTensor> inputs = problem.inputs(tokens, 1 + tokens);
    HostTensor expected = evaluateReference(*context, problem.text(), inputs), actual;
    for (uint64_t seed : {0, 1}) {
      // One block after the other and copies that land late, then all in turns and copies that land at any time.
      runner.options.residentTogether = seed != 0;
      runner.options.copyOrder = seed ? moert::emu::CopyOrder::Random : moert::emu::CopyOrder::Latest;
      uint32_t status;
      moert::Status launched = runner.run(inputs, seed, actual, status);
      ASSERT_TRUE(launched.ok()) << tokens << " tokens: " << launched.getMessage();
      EXPECT_EQ(status, 0u);
      int64_t columns = actual.getDim(1);
      for (int64_t i = 0; i < problem.usedRows(inputs) * columns; ++i)
        ASSERT_NEAR(actual.real(i), expected.real(i), problem.tolerance() * std::max(1.0, std::fabs(expected.real(i))))
            << tokens << " tokens, row " << i / columns << ", column " << i % columns;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, GroupedMatmulGpu,
    testing::Values(
        // Types, and rows of every alignment.
        MatmulForm{"bf16", "bf16", "bf16", 5, 96, 96}, MatmulForm{"bf16_Aligned8", "bf16", "bf16", 2, 40, 100},
        MatmulForm{"bf16_Aligned4", "bf16", "bf16", 2, 130, 70}, MatmulForm{"bf16_Aligned2", "bf16", "bf16", 2, 33, 45},
        MatmulForm{"f16", "f16", "f16", 3, 64, 136}, MatmulForm{"f32", "f32", "f32", 3, 83, 64},
        MatmulForm{"f32_Odd", "f32", "f32", 2, 21, 37}, MatmulForm{"f32_ByBf16", "f32", "bf16", 3, 70, 72},
        MatmulForm{"f32_ByF16", "f32", "f16", 3, 70, 41}, MatmulForm{"bf16_ByF32", "bf16", "f32", 2, 50, 72},
        MatmulForm{"f16_ByBf16", "f16", "bf16", 2, 50, 40},
        // Plain multiply-adds.
        inPlainF32("Fma", {"", "f32", "f32", 3, 83, 64}), inPlainF32("Fma_Odd", {"", "f32", "f32", 2, 21, 37}),
        inPlainF32("Fma_ByBf16", {"", "f32", "bf16", 3, 70, 72}),
        inPlainF32("Fma_Gated", {"", "f32", "f32", 4, 2 * 70, 45, "swiglu", "interleaved", true, true, 2, true, true}),
        inPlainF32("Fma_Plain", {"", "f32", "f32", 2, 2 * 21, 24, "reglu", "interleaved", false, true, 2, true, true}),
        inPlainF32("Fma_Chunks", {"", "f32", "f32", 1, 20, 400, "identity", "none", false, false, 0}),
        // Weights that are not packed.
        MatmulForm{"Plain_bf16", "bf16", "bf16", 3, 83, 64, "identity", "none", false},
        MatmulForm{"Plain_bf16_Odd", "bf16", "bf16", 3, 50, 35, "silu", "none", false},
        MatmulForm{"Plain_f32", "f32", "f32", 3, 50, 35, "relu", "none", false},
        MatmulForm{"Plain_f32_ByBf16", "f32", "bf16", 2, 40, 48, "identity", "none", false},
        MatmulForm{"Plain_Concatenated", "bf16", "bf16", 2, 2 * 40, 64, "geglu", "concatenated", false, true, 2, false,
                   true},
        MatmulForm{"Plain_Interleaved", "f32", "f32", 2, 2 * 21, 24, "reglu", "interleaved", false, true, 2, true,
                   true},
        // Activations, bias, scale.
        MatmulForm{"Swiglu", "bf16", "bf16", 3, 2 * 83, 128, "swiglu", "interleaved", true, true, 2, false, true,
                   ", alpha = 1.5, beta = 1.0, limit = 0.5"},
        MatmulForm{"Swiglu_f32", "f32", "f32", 4, 2 * 70, 45, "swiglu", "interleaved", true, true, 2, true, true},
        MatmulForm{"GegluTanh", "f16", "f16", 2, 2 * 64, 64, "geglu_tanh", "interleaved", true, true, 1, true},
        MatmulForm{"Gelu", "f32", "f32", 2, 33, 24, "gelu", "none", true, true, 2, false, true},
        MatmulForm{"GeluTanh", "bf16", "bf16", 2, 33, 32, "gelu_tanh", "none", true, true, 2, true, true},
        MatmulForm{"Relu2", "f32", "f32", 2, 48, 33, "relu2", "none", true, true, 2, false, true},
        // Groups: contiguous rows, more experts than a round of the search holds, one.
        MatmulForm{"Contiguous", "bf16", "bf16", 4, 80, 64, "identity", "none", true, true, 0, false, true},
        MatmulForm{"ManyExperts", "bf16", "bf16", 300, 16, 32},
        MatmulForm{"OneGroup", "f32", "f32", 1, 70, 40, "identity", "none", true, false, 0, false, true},
        MatmulForm{"Chunks", "bf16", "bf16", 1, 96, 1100, "silu", "none", true, false, 0, false, true},
        MatmulForm{"Chunks_f32", "f32", "f32", 1, 20, 400, "identity", "none", false, false, 0},
        // Blocks that take several tiles.
        MatmulForm{"Persistent", "bf16", "bf16", 300, 2 * 16, 64, "swiglu", "interleaved", true, true, 4, true, true}),
    [](const auto &info) { return info.param.name; });

/// Forms of the sizes of models, for what the assembler says.
struct AssemblyForm {
  MatmulForm form;
  KernelBudget budget;
};

class GroupedMatmulAssembly : public testing::TestWithParam<AssemblyForm> {
protected:
  std::unique_ptr<MLIRContext> context = makeGpuContext();
};

TEST_P(GroupedMatmulAssembly, KeepsItsBudget) {
  MatmulProblem problem(*context, GetParam().form);
  GpuKernelRunner runner(*context, problem.text(), GetParam().form.plainF32);
  ASSERT_TRUE(runner.isValid());
  checkBudget(runner, GetParam().budget);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, GroupedMatmulAssembly,
    testing::Values(
        AssemblyForm{{"Up", "bf16", "bf16", 64, 2048, 2048, "swiglu", "interleaved", true, true, 8}, {224, 81920, 3.2}},
        AssemblyForm{{"Down", "f16", "f16", 128, 2048, 768, "identity", "none", true, true, 0}, {224, 81920, 3.2}},
        AssemblyForm{{"UpWithBias", "bf16", "bf16", 32, 5760, 2880, "swiglu", "interleaved", true, true, 4, true, true,
                      ", alpha = 1.702, beta = 1.0, limit = 7.0"},
                     {228, 81920, 3.2}},
        AssemblyForm{{"Chunks", "bf16", "bf16", 1, 2048, 2048, "identity", "none", true, false, 0, false, true},
                     {232, 73728, 2.0}},
        AssemblyForm{{"Persistent", "bf16", "bf16", 16, 512, 128, "identity", "none", true, true, 1}, {192, 49152, 0}},
        AssemblyForm{{"f32_Up", "f32", "f32", 8, 2048, 1024, "swiglu", "interleaved"}, {228, 81920, 2.4}},
        AssemblyForm{{"f32_Chunks", "f32", "f32", 1, 2048, 2048, "gelu", "none", true, false, 0, false, true},
                     {255, 73728, 3.5}},
        AssemblyForm{{"f32_Persistent", "f32", "f32", 8, 64, 64, "swiglu", "interleaved", true, true, 2},
                     {248, 49152, 0}},
        AssemblyForm{{"f32_ByBf16", "f32", "bf16", 8, 2048, 1024, "swiglu", "interleaved"}, {216, 65536, 0.35}},
        AssemblyForm{inPlainF32("Fma_Up", {"", "f32", "f32", 8, 2048, 1024, "swiglu", "interleaved"}), {255, 81920, 0}},
        AssemblyForm{inPlainF32("Fma_UpWithBias", {"", "f32", "f32", 32, 5760, 2880, "swiglu", "interleaved", true,
                                                   true, 4, true, true, ", alpha = 1.702, beta = 1.0, limit = 7.0"}),
                     {255, 81920, 0}},
        AssemblyForm{
            inPlainF32("Fma_Chunks", {"", "f32", "f32", 1, 2048, 2048, "gelu", "none", true, false, 0, false, true}),
            {255, 73728, 0}},
        AssemblyForm{inPlainF32("Fma_ByBf16", {"", "f32", "bf16", 8, 2048, 1024, "swiglu", "interleaved", false}),
                     {255, 81920, 0}},
        AssemblyForm{
            inPlainF32("Fma_Persistent", {"", "f32", "f32", 8, 64, 64, "swiglu", "interleaved", true, true, 2}),
            {255, 65536, 0}},
        AssemblyForm{{"bf16_ByF32", "bf16", "f32", 8, 2048, 1024, "swiglu", "interleaved"}, {228, 81920, 0}},
        AssemblyForm{{"Plain_Odd", "bf16", "bf16", 8, 2048, 1023, "swiglu", "interleaved", false}, {244, 81920, 0}}),
    [](const auto &info) { return info.param.form.name; });

/// What a launch may not waste.
class GroupedMatmulCounters : public GroupedMatmulGpu {};

TEST_P(GroupedMatmulCounters, AreThoseOfTheIdeal) {
  const MatmulForm &form = GetParam();
  MatmulProblem problem(*context, form);
  GpuKernelRunner runner(*context, problem.text(), GetParam().plainF32);
  ASSERT_TRUE(runner.isValid());
  runner.weights = {1};
  runner.options.count = true;
  for (int64_t tokens : {1, 4, 30, 200, 700}) {
    SmallVector<HostTensor> inputs = problem.inputs(tokens, tokens);
    HostTensor result;
    uint32_t status;
    moert::Status launched = runner.run(inputs, 0, result, status);
    ASSERT_TRUE(launched.ok()) << launched.getMessage();
    const moert::emu::LaunchCounters &counters = runner.report.counters;
    EXPECT_EQ(counters.sharedConflicts, 0u) << tokens << " tokens";

    // Rows of an expert, and rounded up to those of matrix instructions.
    int64_t active = 0, padded = 0, widest = 0;
    for (int64_t expert = 0; expert < form.experts; ++expert) {
      int64_t rows = inputs[2].integer(expert + 1) - inputs[2].integer(expert);
      active += rows > 0;
      widest = std::max(widest, rows);
      padded += llvm::alignTo(rows, 8);
    }
    uint64_t expertBytes = form.columns * form.inner * inputs[1].getElementType().getIntOrFloatBitWidth() / 8;
    const auto &weights = counters.of(moert::emu::MemoryTag::Weights);
    EXPECT_EQ(weights.uniqueReadBytes, active * expertBytes) << tokens << " tokens";
    if (widest <= 32) {
      EXPECT_EQ(weights.readBytes, active * expertBytes) << tokens << " tokens";
    }
    uint64_t operations = 0;
    for (uint64_t count : counters.tensorOperations)
      operations += count;
    EXPECT_EQ(operations, passes(form) * 2 * padded * form.columns * form.inner) << tokens << " tokens";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, GroupedMatmulCounters,
    testing::Values(MatmulForm{"Up", "bf16", "bf16", 8, 512, 256, "swiglu", "interleaved", true, true, 2},
                    MatmulForm{"Down", "f16", "f16", 8, 256, 128, "identity", "none", true, true, 1},
                    MatmulForm{"f32", "f32", "f32", 4, 128, 64, "silu", "none", true, true, 1, false, true},
                    MatmulForm{"f32_ByBf16", "f32", "bf16", 4, 128, 64, "silu", "none", true, true, 1},
                    MatmulForm{"bf16_ByF32", "bf16", "f32", 4, 128, 64, "silu", "none", true, true, 1},
                    inPlainF32("Fma", {"", "f32", "f32", 4, 128, 64, "silu", "none", true, true, 1, false, true}),
                    inPlainF32("Fma_Plain", {"", "f32", "f32", 4, 128, 64, "swiglu", "concatenated", false}),
                    MatmulForm{"Plain", "bf16", "bf16", 4, 128, 64, "swiglu", "concatenated", false}),
    [](const auto &info) { return info.param.name; });

class GroupedMatmulRows : public GroupedMatmulGpu {};

TEST_P(GroupedMatmulRows, DoNotDependOnTheirCompanions) {
  MatmulProblem problem(*context, GetParam());
  GpuKernelRunner runner(*context, problem.text(), GetParam().plainF32);
  ASSERT_TRUE(runner.isValid());
  constexpr int64_t tokens = 150;
  SmallVector<HostTensor> inputs = problem.inputs(tokens, 7);
  HostTensor all, some;
  uint32_t status;
  ASSERT_TRUE(runner.run(inputs, 0, all, status).ok());
  for (int64_t count : {1, 9, 20, 26, 40, 51, 65, 77}) {
    SmallVector<HostTensor> fewer = inputs;
    fewer[0] = HostTensor(inputs[0].getElementType(), {count, inputs[0].getDim(1)});
    int64_t first = tokens - count;
    for (int64_t i = 0; i < fewer[0].getSize(); ++i)
      fewer[0].copyElement(i, inputs[0], first * inputs[0].getDim(1) + i);
    moert::Status launched = runner.run(fewer, count, some, status);
    ASSERT_TRUE(launched.ok()) << launched.getMessage();
    for (int64_t i = 0; i < some.getSize(); ++i)
      ASSERT_EQ(some.real(i), all.real(first * some.getDim(1) + i)) << count << " rows, element " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, GroupedMatmulRows,
    testing::Values(MatmulForm{"bf16", "bf16", "bf16", 1, 64, 640, "identity", "none", true, false, 0},
                    MatmulForm{"f32", "f32", "f32", 1, 40, 300, "identity", "none", true, false, 0},
                    inPlainF32("Fma", {"", "f32", "f32", 1, 40, 300, "identity", "none", true, false, 0}),
                    MatmulForm{"Gated", "f16", "f16", 1, 64, 288, "swiglu", "interleaved", true, false, 0}),
    [](const auto &info) { return info.param.name; });

class GroupedMatmulSingle : public GroupedMatmulGpu {};

/// Splitting f32 into tf32 parts loses no more than adding f32 products one by one does. Errors are in units of the sum
/// of magnitudes.
TEST_P(GroupedMatmulSingle, IsAsGoodAsPlainSums) {
  MatmulProblem problem(*context, GetParam());
  GpuKernelRunner runner(*context, problem.text(), GetParam().plainF32);
  ASSERT_TRUE(runner.isValid());
  SmallVector<HostTensor> inputs = problem.inputs(5, 3);
  const HostTensor &x = inputs[0], &w = inputs[1];
  HostTensor result;
  uint32_t status;
  moert::Status launched = runner.run(inputs, 0, result, status);
  ASSERT_TRUE(launched.ok()) << launched.getMessage();
  double worst = 0, worstPlain = 0;
  for (int64_t row = 0; row < result.getDim(0); ++row)
    for (int64_t column = 0; column < result.getDim(1); ++column) {
      double sum = 0, magnitude = 0;
      float plain = 0;
      for (int64_t k = 0; k < x.getDim(1); ++k) {
        double left = x.real({row, k}), right = w.real({0, column / 16, k, column % 16});
        sum += left * right;
        magnitude += std::fabs(left * right);
        plain = std::fma(float(left), float(right), plain);
      }
      worst = std::max(worst, std::fabs(result.real({row, column}) - sum) / magnitude);
      worstPlain = std::max(worstPlain, std::fabs(plain - sum) / magnitude);
    }
  RecordProperty("error", llvm::formatv("{0:e2}", worst).str());
  RecordProperty("error_of_plain_sums", llvm::formatv("{0:e2}", worstPlain).str());
  EXPECT_LE(worst, 5e-7);
  EXPECT_LE(worst, 1.5 * worstPlain);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, GroupedMatmulSingle,
    testing::Values(MatmulForm{"f32", "f32", "f32", 1, 64, 1024, "identity", "none", true, false, 0},
                    MatmulForm{"f32_ByBf16", "f32", "bf16", 1, 64, 1024, "identity", "none", true, false, 0}),
    [](const auto &info) { return info.param.name; });

class GroupedMatmulPlain : public testing::Test {
protected:
  std::unique_ptr<MLIRContext> context = makeGpuContext();
};

/// Terms are added one by one in ascending order, and infinities stay what they are.
TEST_F(GroupedMatmulPlain, IsPlainF32) {
  MatmulForm form = inPlainF32("", {"", "f32", "f32", 2, 40, 96});
  MatmulProblem problem(*context, form);
  GpuKernelRunner runner(*context, problem.text(), form.plainF32);
  ASSERT_TRUE(runner.isValid());
  SmallVector<HostTensor> inputs = problem.inputs(12, 5);
  HostTensor &x = inputs[0];
  x.setReal(5 * form.inner + 7, std::numeric_limits<float>::infinity());
  x.setReal(6 * form.inner + 3, std::numeric_limits<float>::max());
  HostTensor result;
  uint32_t status;
  moert::Status launched = runner.run(inputs, 0, result, status);
  ASSERT_TRUE(launched.ok()) << launched.getMessage();
  for (int64_t place = 0; place < problem.usedRows(inputs); ++place)
    for (int64_t column = 0; column < form.columns; ++column) {
      float sum = 0;
      for (int64_t k = 0; k < form.inner; ++k)
        sum = std::fma(float(x.real({inputs[3].integer(place) / 2, k})),
                       float(inputs[1].real({0, column / 16, k, column % 16})), sum);
      ASSERT_EQ(result.real({place, column}), sum) << "row " << place << ", column " << column;
    }
}

class GroupedMatmulStatus : public testing::Test {
protected:
  std::unique_ptr<MLIRContext> context = makeGpuContext();
};

TEST_F(GroupedMatmulStatus, ReportsRowsOutOfRange) {
  MatmulForm form{"", "bf16", "bf16", 1, 16, 32};
  MatmulProblem problem(*context, form);
  GpuKernelRunner runner(*context, problem.text());
  ASSERT_TRUE(runner.isValid());
  SmallVector<HostTensor> inputs = problem.inputs(3, 1);
  for (int64_t bad : {6, -1, 1 << 30}) {
    inputs[2].setInteger(1, 6);
    for (int64_t place = 0; place < 6; ++place)
      inputs[3].setInteger(place, place == 4 ? bad : place);
    HostTensor result;
    uint32_t status = 0;
    moert::Status launched = runner.run(inputs, 0, result, status);
    ASSERT_TRUE(launched.ok()) << launched.getMessage();
    EXPECT_EQ(status, uint32_t(MOERT_KERNEL_INDEX_OUT_OF_RANGE));
  }
}

} // namespace
