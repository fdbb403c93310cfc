//===- GpuOpTest.cpp - tests that run one op on the emulated GPU ------------===//

#include "GpuOpTest.h"

#include "moec/Reference/Evaluate.h"
#include "moec/Target/Cuda/CudaTarget.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Parser/Parser.h"

#include <cmath>
#include <random>

using namespace mlir;
using namespace moec::test;
using moec::reference::HostTensor;

Type GpuOpTest::parse(StringRef type) const { return parseType(type, context.get()); }

HostTensor GpuOpTest::random(StringRef element, ArrayRef<int64_t> shape, unsigned seed) const {
  std::mt19937 generator(seed + 1);
  std::normal_distribution<double> normal;
  HostTensor tensor(parse(element), shape);
  for (int64_t i = 0; i < tensor.getSize(); ++i) {
    if (tensor.isFloat())
      tensor.setReal(i, normal(generator));
    else
      tensor.setInteger(i, static_cast<int64_t>(generator() % 200) - 100);
  }
  return tensor;
}

HostTensor GpuOpTest::integers(StringRef element, ArrayRef<int64_t> shape, ArrayRef<int64_t> values) const {
  HostTensor tensor(parse(element), shape);
  for (auto [i, value] : llvm::enumerate(values))
    tensor.setInteger(i, value);
  return tensor;
}

std::unique_ptr<GpuKernelRunner> GpuOpTest::compile(const std::string &text) const {
  auto runner = std::make_unique<GpuKernelRunner>(*context, text);
  if (!runner->isValid())
    llvm::report_fatal_error("no kernel for " + llvm::StringRef(text));
  runner->options.count = true;
  return runner;
}

HostTensor GpuOpTest::launch(GpuKernelRunner &runner, ArrayRef<HostTensor> inputs) const {
  SmallVector<HostTensor> results = launchAll(runner, inputs);
  return results.empty() ? HostTensor() : results[0];
}

HostTensor GpuOpTest::evaluate(const std::string &text, ArrayRef<HostTensor> inputs) const {
  SmallVector<HostTensor> results = evaluateAll(text, inputs);
  return results.empty() ? HostTensor() : results[0];
}

SmallVector<HostTensor> GpuOpTest::launchAll(GpuKernelRunner &runner, ArrayRef<HostTensor> inputs,
                                             uint64_t seed) const {
  SmallVector<HostTensor> results;
  uint32_t status = 0;
  moert::Status launched = runner.run(inputs, seed, results, status);
  EXPECT_TRUE(launched.ok()) << launched.getMessage();
  EXPECT_EQ(status, 0u);
  return results;
}

SmallVector<HostTensor> GpuOpTest::evaluateAll(const std::string &text, ArrayRef<HostTensor> inputs) const {
  auto module = parseSourceString<ModuleOp>(text, context.get());
  auto results = reference::evaluateFunction(*module->getOps<func::FuncOp>().begin(), inputs);
  EXPECT_TRUE(succeeded(results));
  return succeeded(results) ? SmallVector<HostTensor>(*results) : SmallVector<HostTensor>();
}

void GpuOpTest::expectClose(const HostTensor &actual, const HostTensor &expected, double tolerance) {
  ASSERT_EQ(actual.getShape(), expected.getShape());
  double largest = 0;
  for (int64_t i = 0; expected.isFloat() && i < expected.getSize(); ++i)
    if (std::isfinite(expected.real(i)))
      largest = std::max(largest, std::fabs(expected.real(i)));
  for (int64_t i = 0; i < expected.getSize(); ++i) {
    if (!expected.isFloat()) {
      ASSERT_EQ(actual.integer(i), expected.integer(i)) << "element " << i;
      continue;
    }
    double want = expected.real(i), have = actual.real(i);
    bool isSame = std::isfinite(want) ? std::fabs(have - want) <= tolerance * std::max(std::fabs(want), 0.01 * largest)
                                      : have == want || (std::isnan(want) && std::isnan(have));
    ASSERT_TRUE(isSame) << "element " << i << ": " << have << ", expected " << want;
  }
}

double GpuOpTest::toleranceOf(Type element) {
  return element.isBF16() ? 1.0 / 128 : element.isF16() ? 1.0 / 1000 : 2e-5;
}

void GpuOpTest::expectNoWaste(const GpuKernelRunner &runner) {
  const moert::emu::LaunchCounters &counters = runner.report.counters;
  const auto &moved = counters.of(moert::emu::MemoryTag::Activations);
  EXPECT_LE(moved.readBytes, 1.05 * moved.uniqueReadBytes);
  EXPECT_LE(moved.writtenBytes, 1.05 * moved.uniqueWrittenBytes);
  EXPECT_LE(32 * counters.globalReadSectors, 1.05 * counters.global.readBytes);
  EXPECT_LE(32 * counters.globalWrittenSectors, 1.05 * counters.global.writtenBytes);
  EXPECT_EQ(counters.sharedConflicts, 0u);
}

void GpuOpTest::expectAssembles(const GpuKernelRunner &runner) {
  if (findPtxAssembler().empty())
    GTEST_SKIP() << "no ptxas";
  AssemblerReport report = runner.assemble("sm_80");
  EXPECT_TRUE(report.assembled) << report.log;
  EXPECT_EQ(report.spillBytes, 0);
  RecordProperty("registers", std::to_string(report.registers));
  for (const char *chip : {"sm_90", "sm_100"})
    EXPECT_TRUE(runner.assemble(chip).assembled) << chip;
}
