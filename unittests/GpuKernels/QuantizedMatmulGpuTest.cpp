//===- QuantizedMatmulGpuTest.cpp - products by integers on the emulated GPU --===//

#include "KernelBudget.h"
#include "moec/Reference/Evaluate.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include "gtest/gtest.h"

#include <cmath>
#include <random>

using namespace mlir;
using namespace moec::test;
using moec::reference::HostTensor;

namespace {

/// One form of a product with a quantised weight.
struct QuantizedForm {
  const char *name;
  const char *x;
  int64_t bits, block;
  const char *scale;
  bool hasZeroPoints;
  int64_t experts, columns, inner;
  bool isGated = false;
  /// 0: one group of all rows.
  int64_t rowsPerToken = 2;

  bool isGrouped() const { return rowsPerToken > 0; }
  int64_t resultColumns() const { return isGated ? columns / 2 : columns; }
  int64_t panels() const { return llvm::divideCeil(resultColumns(), 16) * (isGated ? 2 : 1); }
  int64_t words() const { return llvm::divideCeil(inner * bits, 32); }
  int64_t blocks() const { return block ? llvm::divideCeil(inner, block) : 1; }
  /// Of an expert: words, scales and zero points.
  uint64_t weightBytes() const {
    int64_t scaleBytes = StringRef(scale) == "f32" ? 4 : 2;
    return panels() * 16 * (4 * words() + blocks() * (scaleBytes + hasZeroPoints));
  }
};

std::string describe(const QuantizedForm &form) {
  auto type = [](auto &&...parts) { return llvm::formatv("tensor<{0}>", llvm::formatv(parts...)).str(); };
  std::string x = type("?x{0}x{1}", form.inner, form.x), result = type("?x{0}x{1}", form.resultColumns(), form.x);
  std::string w = type("{0}x{1}x{2}x16xi32", form.experts, form.panels(), form.words());
  std::string arguments = "%x: " + x + ", %w: " + w, operands = "%x by %w", types = x + ", " + w;
  auto add = [&](const char *name, const char *role, const std::string &type) {
    arguments += std::string(", ") + name + ": " + type;
    operands += std::string(" ") + role + " " + name;
    types += ", " + type;
  };
  if (form.isGrouped()) {
    add("%o", "offsets", type("{0}xi32", form.experts + 1));
    add("%p", "order", "tensor<?xi32>");
  }
  add("%s", "w_scales", type("{0}x{1}x{2}x16x{3}", form.experts, form.panels(), form.blocks(), form.scale));
  if (form.hasZeroPoints)
    add("%z", "w_zero_points", type("{0}x{1}x{2}x16xi8", form.experts, form.panels(), form.blocks()));
  std::string attributes =
      form.isGrouped() ? llvm::formatv(" {{rows_per_token = {0} : i64}", form.rowsPerToken).str() : "";
  return "func.func @main(" + arguments + ") -> " + result + " {\n %r = moe.grouped_matmul " + operands +
         llvm::formatv(" quantized(<bits = {0}, block = {1}>) columns {2} activation(<{3}>)", form.bits, form.block,
                       form.columns, form.isGated ? "kind = swiglu, layout = panels" : "kind = identity, layout = none")
             .str() +
         attributes + " : (" + types + ") -> " + result + "\n return %r : " + result + "\n}";
}

/// Random operands for so many tokens; the last expert is never chosen.
SmallVector<HostTensor> makeInputs(MLIRContext &context, const QuantizedForm &form, int64_t tokens) {
  std::mt19937 random(1 + tokens);
  std::normal_distribution<double> normal;
  auto reals = [&](const char *type, ArrayRef<int64_t> shape, double scale) {
    HostTensor tensor(parseType(type, &context), shape);
    for (int64_t i = 0; i < tensor.getSize(); ++i)
      tensor.setReal(i, normal(random) * scale);
    return tensor;
  };
  auto integers = [&](unsigned bits, ArrayRef<int64_t> shape, uint32_t limit) {
    HostTensor tensor(IntegerType::get(&context, bits), shape);
    for (int64_t i = 0; i < tensor.getSize(); ++i)
      tensor.setInteger(i, random() & limit);
    return tensor;
  };
  SmallVector<HostTensor> inputs = {reals(form.x, {tokens, form.inner}, 1.0),
                                    integers(32, {form.experts, form.panels(), form.words(), 16}, ~0u)};
  if (form.isGrouped()) {
    int64_t slots = tokens * form.rowsPerToken, used = std::max<int64_t>(1, form.experts - 1), place = 0;
    std::vector<std::vector<int64_t>> rows(form.experts);
    for (int64_t slot = 0; slot < slots; ++slot)
      if (random() % 8)
        rows[random() % used].push_back(slot);
    HostTensor offsets = integers(32, {form.experts + 1}, 0), order = integers(32, {slots}, 0);
    for (int64_t expert = 0; expert < form.experts; ++expert) {
      for (int64_t row : rows[expert])
        order.setInteger(place++, row);
      offsets.setInteger(expert + 1, place);
    }
    while (place < slots)
      order.setInteger(place++, -1);
    inputs.append({offsets, order});
  }
  double scale = 1.0 / (std::sqrt(double(form.inner)) * double(1 << (form.bits - 2)));
  inputs.push_back(reals(form.scale, {form.experts, form.panels(), form.blocks(), 16}, scale));
  if (form.hasZeroPoints)
    inputs.push_back(integers(8, {form.experts, form.panels(), form.blocks(), 16}, (1u << form.bits) - 1));
  return inputs;
}

class QuantizedMatmulGpu : public testing::TestWithParam<QuantizedForm> {
protected:
  void launch(GpuKernelRunner &runner, ArrayRef<HostTensor> inputs, uint64_t seed, HostTensor &result) {
    uint32_t status;
    moert::Status launched = runner.run(inputs, seed, result, status);
    ASSERT_TRUE(launched.ok()) << launched.getMessage();
    EXPECT_EQ(status, 0u);
  }

  std::unique_ptr<MLIRContext> context = makeGpuContext();
};

TEST_P(QuantizedMatmulGpu, AgreesWithReference) {
  const QuantizedForm &form = GetParam();
  std::string text = describe(form);
  GpuKernelRunner runner(*context, text);
  ASSERT_TRUE(runner.isValid()) << text;
  // Values are exact in the instruction and scales multiply f32 sums, so only the rounding of the result shows.
  double tolerance = StringRef(form.x) == "f32" ? 1e-5 : StringRef(form.x) == "f16" ? 1e-3 : 8e-3;
  for (int64_t tokens : {0, 1, 3, 20, 50, 70, 190}) {
    SmallVector<HostTensor> inputs = makeInputs(*context, form, tokens);
    auto module = parseSourceString<ModuleOp>(text, context.get());
    auto expected = moec::reference::evaluateFunction(module->lookupSymbol<func::FuncOp>("main"), inputs);
    ASSERT_TRUE(succeeded(expected));
    int64_t used = form.isGrouped() ? inputs[2].integer(form.experts) : tokens;
    for (uint64_t seed : {0, 1}) {
      runner.options.residentTogether = seed != 0;
      runner.options.copyOrder = seed ? moert::emu::CopyOrder::Random : moert::emu::CopyOrder::Latest;
      HostTensor actual;
      ASSERT_NO_FATAL_FAILURE(launch(runner, inputs, seed, actual));
      for (int64_t i = 0; i < used * form.resultColumns(); ++i) {
        double wanted = (*expected)[0].real(i);
        ASSERT_NEAR(actual.real(i), wanted, tolerance * std::max(1.0, std::fabs(wanted)))
            << tokens << " tokens, row " << i / form.resultColumns() << ", column " << i % form.resultColumns();
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, QuantizedMatmulGpu,
                         testing::Values(
                             // Types and widths, with a scale for a column or for blocks of every size.
                             QuantizedForm{"bf16_4_Column", "bf16", 4, 0, "bf16", false, 3, 48, 96},
                             QuantizedForm{"bf16_4_Block16", "bf16", 4, 16, "bf16", true, 3, 40, 80},
                             QuantizedForm{"bf16_4_Block32", "bf16", 4, 32, "f32", true, 4, 64, 128},
                             QuantizedForm{"bf16_8_Column", "bf16", 8, 0, "f32", true, 2, 33, 72},
                             QuantizedForm{"bf16_8_Block16", "bf16", 8, 16, "bf16", true, 2, 64, 112},
                             QuantizedForm{"bf16_8_Block64", "bf16", 8, 64, "bf16", true, 3, 64, 256},
                             QuantizedForm{"f16_4_Block32", "f16", 4, 32, "f16", true, 3, 64, 160},
                             QuantizedForm{"f16_4_Block128", "f16", 4, 128, "f16", false, 2, 48, 512},
                             QuantizedForm{"f16_8_Block16", "f16", 8, 16, "f16", true, 2, 24, 64},
                             QuantizedForm{"f16_8_Column", "f16", 8, 0, "f16", true, 2, 80, 96},
                             QuantizedForm{"f32_4_Block32", "f32", 4, 32, "f32", true, 3, 64, 128},
                             QuantizedForm{"f32_4_Block16", "f32", 4, 16, "f32", false, 2, 70, 64},
                             QuantizedForm{"f32_8_Block256", "f32", 8, 256, "f32", true, 2, 32, 600},
                             QuantizedForm{"f32_8_Column", "f32", 8, 0, "f16", true, 2, 33, 40},
                             QuantizedForm{"bf16_2_Column", "bf16", 2, 0, "bf16", true, 2, 48, 96},
                             QuantizedForm{"bf16_2_Block16", "bf16", 2, 16, "bf16", false, 2, 40, 80},
                             QuantizedForm{"f16_2_Block64", "f16", 2, 64, "f16", true, 3, 64, 256},
                             QuantizedForm{"f32_2_Block16", "f32", 2, 16, "f32", true, 2, 33, 64},
                             QuantizedForm{"f32_2_Block32", "f32", 2, 32, "f32", true, 3, 64, 128},
                             QuantizedForm{"bf16_2_Odd", "bf16", 2, 32, "f32", true, 2, 21, 45},
                             QuantizedForm{"f32_2_Odd", "f32", 2, 0, "f32", true, 2, 21, 37},
                             // Terms that end within a step, a word, a block.
                             QuantizedForm{"bf16_4_Odd", "bf16", 4, 32, "bf16", true, 2, 21, 45},
                             QuantizedForm{"bf16_8_Odd", "bf16", 8, 64, "f32", true, 2, 50, 101},
                             QuantizedForm{"f32_4_Odd", "f32", 4, 16, "f32", true, 2, 21, 37},
                             QuantizedForm{"f32_8_Odd", "f32", 8, 0, "f32", false, 2, 17, 19},
                             // Gates, one group, chunks.
                             QuantizedForm{"Swiglu_4", "bf16", 4, 32, "bf16", true, 3, 2 * 40, 128, true},
                             QuantizedForm{"Swiglu_8", "f32", 8, 64, "f32", true, 2, 2 * 21, 128, true},
                             QuantizedForm{"Dense", "bf16", 4, 128, "f16", true, 1, 70, 1100, false, 0},
                             QuantizedForm{"Dense_f32", "f32", 4, 32, "f32", false, 1, 40, 400, false, 0}),
                         [](const auto &info) { return info.param.name; });

class QuantizedMatmulCounters : public QuantizedMatmulGpu {};

TEST_P(QuantizedMatmulCounters, ReadEachByteOnce) {
  const QuantizedForm &form = GetParam();
  GpuKernelRunner runner(*context, describe(form));
  ASSERT_TRUE(runner.isValid());
  runner.weights = {1, 4, 5};
  if (!form.hasZeroPoints)
    runner.weights.pop_back();
  runner.options.count = true;
  for (int64_t tokens : {1, 4, 30}) {
    SmallVector<HostTensor> inputs = makeInputs(*context, form, tokens);
    HostTensor result;
    ASSERT_NO_FATAL_FAILURE(launch(runner, inputs, 0, result));
    const moert::emu::LaunchCounters &counters = runner.report.counters;
    uint64_t active = 0, padded = 0, operations = 0;
    for (int64_t expert = 0; expert < form.experts; ++expert) {
      int64_t rows = inputs[2].integer(expert + 1) - inputs[2].integer(expert);
      ASSERT_LE(rows, 32);
      active += rows > 0;
      padded += llvm::alignTo(rows, 8);
    }
    const auto &weights = counters.of(moert::emu::MemoryTag::Weights);
    EXPECT_EQ(weights.uniqueReadBytes, active * form.weightBytes()) << tokens << " tokens";
    EXPECT_EQ(weights.readBytes, active * form.weightBytes()) << tokens << " tokens";
    EXPECT_EQ(counters.sharedConflicts, 0u) << tokens << " tokens";
    for (uint64_t count : counters.tensorOperations)
      operations += count;
    uint64_t passes = StringRef(form.x) == "f32" ? 2 : 1;
    EXPECT_EQ(operations, passes * 2 * padded * form.columns * form.inner) << tokens << " tokens";
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, QuantizedMatmulCounters,
                         testing::Values(QuantizedForm{"bf16_4_Block32", "bf16", 4, 32, "bf16", true, 8, 256, 256},
                                         QuantizedForm{"bf16_4_Block16", "bf16", 4, 16, "f32", true, 8, 128, 128},
                                         QuantizedForm{"bf16_8_Block128", "bf16", 8, 128, "bf16", true, 8, 256, 512},
                                         QuantizedForm{"f16_8_Block16", "f16", 8, 16, "f16", false, 8, 128, 128},
                                         QuantizedForm{"f16_4_Column", "f16", 4, 0, "f16", false, 8, 128, 256, true},
                                         QuantizedForm{"f32_4_Block32", "f32", 4, 32, "f32", true, 8, 128, 128},
                                         QuantizedForm{"f32_8_Block64", "f32", 8, 64, "f32", true, 8, 128, 128},
                                         QuantizedForm{"bf16_2_Block64", "bf16", 2, 64, "bf16", true, 8, 128, 128},
                                         QuantizedForm{"f16_2_Block16", "f16", 2, 16, "f16", true, 8, 128, 128},
                                         QuantizedForm{"f32_2_Column", "f32", 2, 0, "f32", true, 8, 128, 128}),
                         [](const auto &info) { return info.param.name; });

struct QuantizedAssemblyForm {
  QuantizedForm form;
  KernelBudget budget;
};

class QuantizedMatmulAssembly : public testing::TestWithParam<QuantizedAssemblyForm> {
protected:
  std::unique_ptr<MLIRContext> context = makeGpuContext();
};

TEST_P(QuantizedMatmulAssembly, KeepsItsBudget) {
  GpuKernelRunner runner(*context, describe(GetParam().form));
  ASSERT_TRUE(runner.isValid());
  checkBudget(runner, GetParam().budget);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, QuantizedMatmulAssembly,
    testing::Values(
        QuantizedAssemblyForm{{"Up_4", "bf16", 4, 32, "bf16", true, 64, 2048, 2048, true, 8}, {200, 52224, 1.0}},
        QuantizedAssemblyForm{{"Down_8", "f16", 8, 64, "f16", true, 64, 2048, 1024, false, 1}, {200, 68608, 0.75}},
        QuantizedAssemblyForm{{"Up_f32", "f32", 4, 32, "f32", true, 32, 2048, 2048, true, 8}, {212, 46080, 1.7}},
        QuantizedAssemblyForm{{"Up_2", "bf16", 2, 64, "bf16", true, 64, 2048, 2048, true, 8}, {200, 52224, 1.0}},
        QuantizedAssemblyForm{{"Dense", "bf16", 8, 128, "f16", true, 1, 2048, 2048, false, 0}, {176, 49920, 0.6}},
        QuantizedAssemblyForm{{"Column", "f16", 4, 0, "f16", false, 32, 2048, 2048, true, 8}, {196, 49408, 1.35}},
        QuantizedAssemblyForm{{"Block16", "bf16", 8, 16, "f32", true, 32, 2048, 2048, true, 8}, {176, 75776, 0.49}}),
    [](const auto &info) { return info.param.form.name; });

} // namespace
