//===- GpuOpTest.h - tests that run one op on the emulated GPU ---------------===//
#ifndef MOEC_UNITTESTS_GPUKERNELS_GPUOPTEST_H
#define MOEC_UNITTESTS_GPUKERNELS_GPUOPTEST_H

#include "GpuKernelRunner.h"

#include "mlir/IR/Builders.h"
#include "gtest/gtest.h"

namespace moec::test {

class GpuOpTest : public testing::Test {
protected:
  using HostTensor = reference::HostTensor;

  mlir::Type parse(llvm::StringRef type) const;
  /// Floats from a normal distribution, small integers of both signs, bits.
  HostTensor random(llvm::StringRef element, llvm::ArrayRef<int64_t> shape, unsigned seed = 0) const;
  HostTensor integers(llvm::StringRef element, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> values) const;

  /// Compiles a function of one op.
  std::unique_ptr<GpuKernelRunner> compile(const std::string &text) const;
  /// Launches with counters on, and expects success.
  HostTensor launch(GpuKernelRunner &runner, llvm::ArrayRef<HostTensor> inputs) const;
  /// What the reference evaluator says.
  HostTensor evaluate(const std::string &text, llvm::ArrayRef<HostTensor> inputs) const;
  /// The same for ops with several results.
  llvm::SmallVector<HostTensor> launchAll(GpuKernelRunner &runner, llvm::ArrayRef<HostTensor> inputs,
                                          uint64_t seed = 0) const;
  llvm::SmallVector<HostTensor> evaluateAll(const std::string &text, llvm::ArrayRef<HostTensor> inputs) const;

  /// The same shape, and elements equal up to `tolerance` times their size, at least that of a hundredth of the
  /// largest.
  static void expectClose(const HostTensor &actual, const HostTensor &expected, double tolerance);
  /// What f32 arithmetic and rounding to an element type may be off.
  static double toleranceOf(mlir::Type element);

  /// Every input byte is read once, and requests touch no more sectors than their bytes fill, up to 5 %.
  static void expectNoWaste(const GpuKernelRunner &runner);
  /// ptxas has nothing to spill on sm_80 and knows all instructions on its successors.
  static void expectAssembles(const GpuKernelRunner &runner);

  std::unique_ptr<mlir::MLIRContext> context = makeGpuContext();
};

} // namespace moec::test

#endif // MOEC_UNITTESTS_GPUKERNELS_GPUOPTEST_H
