//===- CombineGpuTest.cpp - moe.combine on the emulated GPU -----------------===//

#include "GpuOpTest.h"

#include "moert/moert_kernel_abi.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <random>

using namespace mlir;
using namespace moec::test;
using moec::reference::HostTensor;

namespace {

/// One form of the op. Columns 0: dynamic.
struct CombineForm {
  const char *name, *type;
  int64_t columns, slots;
  bool gates = true;
};

class CombineGpu : public GpuOpTest, public testing::WithParamInterface<CombineForm> {
protected:
  static std::string text(const CombineForm &form) {
    std::string columns = form.columns ? std::to_string(form.columns) : "?";
    std::string y = llvm::formatv("tensor<?x{0}x{1}>", columns, form.type);
    std::string gates = llvm::formatv("tensor<?x{0}xf32>", form.slots);
    return llvm::formatv("func.func @main(%y: {0}, %i: tensor<?xi32>{1}) -> {0} {{\n %r = moe.combine %y inverse %i "
                         "{2} slots {3} : ({0}, tensor<?xi32>{4}) -> {0}\n return %r : {0}\n}",
                         y, form.gates ? ", %g: " + gates : "", form.gates ? "gates %g" : "", form.slots,
                         form.gates ? ", " + gates : "");
  }

  /// Places in any order, one in eight missing; gates of missing ones are NaN.
  SmallVector<HostTensor> inputs(const CombineForm &form, int64_t tokens, int64_t rows) const {
    std::mt19937 generator(tokens);
    HostTensor inverse(parse("i32"), {tokens * form.slots});
    HostTensor gates = random("f32", {tokens, form.slots}, 5);
    for (int64_t slot = 0; slot < inverse.getSize(); ++slot) {
      bool isMissing = rows == 0 || generator() % 8 == 0;
      inverse.setInteger(slot, isMissing ? -1 : static_cast<int64_t>(generator() % rows));
      if (isMissing)
        gates.setReal(slot, std::nan(""));
    }
    SmallVector<HostTensor> tensors = {random(form.type, {rows, form.columns ? form.columns : 19}, 7), inverse};
    if (form.gates)
      tensors.push_back(gates);
    return tensors;
  }
};

TEST_P(CombineGpu, AgreesWithReference) {
  const CombineForm &form = GetParam();
  std::unique_ptr<GpuKernelRunner> runner = compile(text(form));
  ASSERT_TRUE(runner->isValid());
  for (int64_t tokens : {0, 1, 5, 40})
    for (int64_t rows : {int64_t(0), int64_t(1), tokens * form.slots}) {
      SCOPED_TRACE(std::to_string(tokens) + " tokens, " + std::to_string(rows) + " rows");
      SmallVector<HostTensor> operands = inputs(form, tokens, rows);
      expectClose(launch(*runner, operands), evaluate(text(form), operands), toleranceOf(parse(form.type)));
    }
}

TEST_P(CombineGpu, ReportsPlacesOutOfRange) {
  const CombineForm &form = GetParam();
  std::unique_ptr<GpuKernelRunner> runner = compile(text(form));
  for (int64_t bad : {9, -2, 1 << 30}) {
    SmallVector<HostTensor> operands = inputs(form, 3, 9);
    operands[1].setInteger(form.slots, bad);
    HostTensor result;
    uint32_t status = 0;
    moert::Status launched = runner->run(operands, 0, result, status);
    ASSERT_TRUE(launched.ok()) << launched.getMessage();
    EXPECT_EQ(status, uint32_t(MOERT_KERNEL_INDEX_OUT_OF_RANGE));
  }
}

TEST_P(CombineGpu, HasNoSpills) { expectAssembles(*compile(text(GetParam()))); }

INSTANTIATE_TEST_SUITE_P(Forms, CombineGpu,
                         testing::Values(CombineForm{"bf16", "bf16", 64, 8}, CombineForm{"bf16_Wide", "bf16", 2880, 4},
                                         CombineForm{"f16", "f16", 520, 6}, CombineForm{"f32", "f32", 132, 2},
                                         CombineForm{"f32_Odd", "f32", 37, 3}, CombineForm{"bf16_Odd", "bf16", 333, 22},
                                         CombineForm{"OneColumn", "f32", 1, 8},
                                         CombineForm{"OneSlot", "f16", 96, 1, false},
                                         CombineForm{"WithoutGates", "bf16", 256, 9, false},
                                         CombineForm{"Dynamic", "bf16", 0, 8},
                                         CombineForm{"DynamicWithoutGates", "f32", 0, 5, false}),
                         [](const auto &info) { return info.param.name; });

using CombineGpuCounters = CombineGpu;

/// Rows are read once and in whole sectors; every warp reads the places and gates of its token as well.
TEST_F(CombineGpuCounters, AreThoseOfTheIdeal) {
  CombineForm form{"", "bf16", 2048, 8};
  constexpr int64_t tokens = 64;
  std::unique_ptr<GpuKernelRunner> runner = compile(text(form));
  SmallVector<HostTensor> operands = inputs(form, tokens, tokens * form.slots);
  for (int64_t slot = 0; slot < tokens * form.slots; ++slot)
    operands[1].setInteger(slot, (slot * 37) % (tokens * form.slots));
  launch(*runner, operands);
  const moert::emu::LaunchCounters &counters = runner->report.counters;
  uint64_t rowBytes = tokens * form.slots * 2048 * 2, resultBytes = tokens * 2048 * 2;
  EXPECT_LE(32 * counters.globalReadSectors, 1.04 * rowBytes);
  EXPECT_EQ(32 * counters.globalWrittenSectors, resultBytes);
  EXPECT_EQ(counters.global.writtenBytes, resultBytes);
  EXPECT_EQ(counters.sharedAccesses, 0u);
  RecordProperty("instructions_per_token", std::to_string(runner->report.instructions / tokens));
}

} // namespace
