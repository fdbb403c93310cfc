//===- GpuKernelRunner.h - one op compiled to PTX and run on the emulated GPU -===//
//
// Takes a function of one kernel op, forms its kernel and launch with the passes of the compiler, lowers that to PTX,
// and runs it. Inputs and results are tensors of the reference evaluator, which tells what the results should be.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_UNITTESTS_GPUKERNELS_GPUKERNELRUNNER_H
#define MOEC_UNITTESTS_GPUKERNELS_GPUKERNELRUNNER_H

#include "devices/emu/emulator.h"
#include "moec/Reference/HostTensor.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <span>
#include <string>

namespace moec::test {

/// A context with the dialects, kernels and lowerings that GPU kernels need.
std::unique_ptr<mlir::MLIRContext> makeGpuContext();

/// What `ptxas -v` says of a module with one entry.
struct AssemblerReport {
  bool assembled = false;
  int64_t registers = 0, spillBytes = 0;
  std::string log, cubin;
};

/// The shape and bytes of an operand.
struct GpuOperand {
  llvm::SmallVector<int64_t> shape;
  std::span<std::byte> bytes;
};

/// What a launch leaves in a result.
struct GpuResult {
  llvm::SmallVector<int64_t> shape;
  std::vector<std::byte> bytes;
};

class GpuKernelRunner {
public:
  /// `text` is a module with a function @main, whose only op besides the return is the kernel op on its arguments.
  /// With `plainF32` products of f32 by weights are those of f32 alone.
  GpuKernelRunner(mlir::MLIRContext &context, llvm::StringRef text, bool plainF32 = false);
  bool isValid() const { return !ptx.empty(); }
  const std::string &getPtx() const { return ptx; }
  uint32_t getThreads() const { return threads; }
  uint32_t getSharedBytes() const { return sharedBytes; }

  /// How to launch; the seed aside.
  moert::emu::LaunchOptions options;
  /// The inputs that are counted as weights.
  llvm::SmallVector<unsigned> weights;

  /// Runs one launch. `status` is what the kernel left in the word for its status.
  moert::Status run(llvm::ArrayRef<reference::HostTensor> inputs, uint64_t seed,
                    llvm::SmallVectorImpl<reference::HostTensor> &results, uint32_t &status);
  /// The same with bytes instead of tensors. The results have the shapes that the launch describes.
  moert::Status run(llvm::ArrayRef<GpuOperand> inputs, uint64_t seed, llvm::SmallVectorImpl<GpuResult> &results,
                    uint32_t &status);
  /// Both for an op with one result.
  moert::Status run(llvm::ArrayRef<reference::HostTensor> inputs, uint64_t seed, reference::HostTensor &result,
                    uint32_t &status);
  moert::Status run(llvm::ArrayRef<GpuOperand> inputs, uint64_t seed, llvm::SmallVectorImpl<int64_t> &shape,
                    std::vector<std::byte> &result, uint32_t &status);
  /// Of the latest launch, and its blocks.
  moert::emu::LaunchReport report;
  int64_t blocks = 0;

  AssemblerReport assemble(llvm::StringRef chip) const;

private:
  int64_t evaluate(mlir::Value value, llvm::ArrayRef<GpuOperand> inputs) const;

  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string ptx, entry;
  uint32_t threads = 0, sharedBytes = 0;
};

} // namespace moec::test

#endif // MOEC_UNITTESTS_GPUKERNELS_GPUKERNELRUNNER_H
