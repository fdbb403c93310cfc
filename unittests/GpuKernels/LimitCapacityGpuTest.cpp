//===- LimitCapacityGpuTest.cpp - moe.limit_capacity on the emulated GPU ----===//

#include "GpuOpTest.h"

#include "llvm/Support/FormatVariadic.h"

#include <random>

using namespace mlir;
using namespace moec::test;
using moec::reference::HostTensor;

namespace {

struct LimitForm {
  int64_t experts, slots, capacity;
};

class LimitCapacityGpu : public GpuOpTest, public testing::WithParamInterface<LimitForm> {
protected:
  static std::string text(const LimitForm &form) {
    std::string type = llvm::formatv("tensor<?x?x{0}xi32>", form.slots);
    return llvm::formatv("func.func @main(%e: {0}) -> {0} {{\n %k = moe.limit_capacity %e experts {1} capacity {2} : "
                         "{0}\n return %k : {0}\n}",
                         type, form.experts, form.capacity);
  }

  /// Ids around those of the experts, some of them of none.
  HostTensor experts(const LimitForm &form, int64_t batches, int64_t tokens) const {
    HostTensor tensor(parse("i32"), {batches, tokens, form.slots});
    std::mt19937 random(tokens);
    for (int64_t row = 0; row < tensor.getSize(); ++row)
      tensor.setInteger(row, static_cast<int64_t>(random() % (form.experts + 3)) - 2);
    return tensor;
  }
};

TEST_P(LimitCapacityGpu, AgreesWithReference) {
  LimitForm form = GetParam();
  std::unique_ptr<GpuKernelRunner> runner = compile(text(form));
  ASSERT_TRUE(runner->isValid());
  for (auto [batches, tokens] : {std::pair(0, 5), {1, 0}, {1, 1}, {1, 31}, {3, 32}, {2, 33}, {1, 700}}) {
    SCOPED_TRACE(std::to_string(batches) + " batches of " + std::to_string(tokens) + " tokens");
    HostTensor ids = experts(form, batches, tokens);
    expectClose(launch(*runner, ids), evaluate(text(form), ids), 0);
  }
  expectAssembles(*runner);
}

INSTANTIATE_TEST_SUITE_P(Forms, LimitCapacityGpu,
                         testing::Values(LimitForm{1, 1, 1}, LimitForm{8, 1, 2}, LimitForm{8, 2, 24},
                                         LimitForm{64, 8, 100}, LimitForm{5, 3, 1LL << 40}));

} // namespace
