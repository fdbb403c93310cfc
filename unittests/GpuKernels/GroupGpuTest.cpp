//===- GroupGpuTest.cpp - moe.group on the emulated GPU ---------------------===//

#include "GpuOpTest.h"

#include "moert/moert_kernel_abi.h"
#include "llvm/Support/FormatVariadic.h"

#include <random>

using namespace mlir;
using namespace moec::test;
using moec::reference::HostTensor;

namespace {

/// Experts, and slots of a token.
struct GroupForm {
  int64_t experts, slots;
};

class GroupGpu : public GpuOpTest, public testing::WithParamInterface<GroupForm> {
protected:
  static std::string text(const GroupForm &form) {
    std::string results = llvm::formatv("tensor<{0}xi32>, tensor<?xi32>, tensor<?xi32>", form.experts + 1);
    return llvm::formatv("func.func @main(%e: tensor<?x{0}xi32>) -> ({1}) {{\n %o, %r, %i = moe.group %e experts {2} : "
                         "tensor<?x{0}xi32> -> {1}\n return %o, %r, %i : {1}\n}",
                         form.slots, results, form.experts);
  }

  /// Experts from `choose(row)`.
  HostTensor experts(const GroupForm &form, int64_t tokens, llvm::function_ref<int64_t(int64_t)> choose) const {
    HostTensor tensor(parse("i32"), {tokens, form.slots});
    for (int64_t row = 0; row < tensor.getSize(); ++row)
      tensor.setInteger(row, choose(row));
    return tensor;
  }

  void expectSame(GpuKernelRunner &runner, const GroupForm &form, const HostTensor &chosen, uint64_t seed) const {
    SmallVector<HostTensor> expected = evaluateAll(text(form), chosen), actual = launchAll(runner, chosen, seed);
    ASSERT_EQ(actual.size(), 3u);
    for (auto [have, want] : llvm::zip_equal(actual, expected))
      expectClose(have, want, 0);
  }
};

TEST_P(GroupGpu, AgreesWithReference) {
  GroupForm form = GetParam();
  std::unique_ptr<GpuKernelRunner> runner = compile(text(form));
  ASSERT_TRUE(runner->isValid());
  for (int64_t rows : {0, 1, 30, 512, 1500, 4096, 4097, 13000, 21000}) {
    int64_t tokens = rows / form.slots;
    std::mt19937 random(rows);
    SCOPED_TRACE(std::to_string(tokens) + " tokens");
    // Few experts without rows, now and then none at all.
    auto any = [&](int64_t) { return random() % 16 ? int64_t(random() % form.experts) : -1; };
    expectSame(*runner, form, experts(form, tokens, any), 0);
    // Blocks begin and take turns in any order.
    runner->options.residentTogether = true;
    expectSame(*runner, form, experts(form, tokens, any), 1 + rows);
    runner->options.residentTogether = false;
    expectSame(*runner, form, experts(form, tokens, [&](int64_t) { return form.experts - 1; }), rows);
  }
}

TEST_P(GroupGpu, KeepsRowsWithoutExpertsApart) {
  GroupForm form = GetParam();
  std::unique_ptr<GpuKernelRunner> runner = compile(text(form));
  for (int64_t tokens : {3, 2000}) {
    expectSame(*runner, form, experts(form, tokens, [](int64_t) { return -1; }), 0);
    expectSame(*runner, form, experts(form, tokens, [&](int64_t row) { return row == 5 ? form.experts / 2 : -1; }), 0);
  }
}

TEST_P(GroupGpu, ReportsExpertsOutOfRange) {
  GroupForm form = GetParam();
  std::unique_ptr<GpuKernelRunner> runner = compile(text(form));
  for (int64_t tokens : {40, 1300})
    for (int64_t bad : {form.experts, int64_t(-2), int64_t(1) << 30}) {
      HostTensor chosen = experts(form, tokens, [&](int64_t row) { return row == 17 ? bad : 0; });
      SmallVector<HostTensor> results;
      uint32_t status = 0;
      moert::Status launched = runner->run(ArrayRef(chosen), 0, results, status);
      ASSERT_TRUE(launched.ok()) << launched.getMessage();
      EXPECT_EQ(status, uint32_t(MOERT_KERNEL_INDEX_OUT_OF_RANGE));
    }
}

TEST_P(GroupGpu, HasNoSpills) { expectAssembles(*compile(text(GetParam()))); }

INSTANTIATE_TEST_SUITE_P(Forms, GroupGpu,
                         testing::Values(GroupForm{1, 1}, GroupForm{8, 2}, GroupForm{33, 3}, GroupForm{128, 8},
                                         GroupForm{512, 10}, GroupForm{1100, 22}),
                         [](const auto &info) {
                           return "Experts" + std::to_string(info.param.experts) + "Slots" +
                                  std::to_string(info.param.slots);
                         });

using GroupGpuCounters = GroupGpu;

TEST_F(GroupGpuCounters, AreThoseOfTheIdeal) {
  GroupForm form{128, 8};
  std::unique_ptr<GpuKernelRunner> runner = compile(text(form));
  std::mt19937 random(1);
  launchAll(*runner, experts(form, 64, [&](int64_t) { return random() % form.experts; }));
  const moert::emu::LaunchCounters &counters = runner->report.counters;
  constexpr uint64_t rowBytes = 64 * 8 * 4;
  EXPECT_EQ(runner->blocks, 1);
  EXPECT_EQ(counters.global.readBytes, rowBytes);
  EXPECT_EQ(counters.global.writtenBytes, 2 * rowBytes + 129 * 4);
  EXPECT_LE(32 * (counters.globalReadSectors + counters.globalWrittenSectors), 1.05 * (3 * rowBytes + 129 * 4));
  RecordProperty("shared_accesses", std::to_string(counters.sharedAccesses));
  RecordProperty("shared_conflicts", std::to_string(counters.sharedConflicts));
  RecordProperty("instructions", std::to_string(runner->report.instructions));
}

} // namespace
