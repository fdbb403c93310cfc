//===- KernelRunner.h - compiles and runs one kernel op in process ----------===//
//
// Takes a function of one op that implements step::KernelOpInterface, emits its tasks into a function of memrefs,
// lowers that with upstream's passes and runs it with mlir::ExecutionEngine.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_UNITTESTS_CONVERSION_KERNELRUNNER_H
#define MOEC_UNITTESTS_CONVERSION_KERNELRUNNER_H

#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/IR/MLIRContext.h"

#include <cstring>
#include <memory>
#include <vector>

namespace moec::test {

/// The bytes of a tensor, or an `index` operand.
struct Buffer {
  std::vector<int64_t> shape;
  std::vector<char> bytes;
  bool isScalar = false;

  int64_t count() const;
  template <typename T> static Buffer of(std::vector<int64_t> shape, const std::vector<T> &values) {
    Buffer buffer{std::move(shape), std::vector<char>(values.size() * sizeof(T))};
    if (!values.empty())
      std::memcpy(buffer.bytes.data(), values.data(), buffer.bytes.size());
    return buffer;
  }
  static Buffer index(int64_t value) {
    Buffer buffer = of<int64_t>({}, {value});
    buffer.isScalar = true;
    return buffer;
  }
  template <typename T> static Buffer filled(std::vector<int64_t> shape, T value) {
    Buffer buffer{std::move(shape), {}};
    return of(buffer.shape, std::vector<T>(buffer.count(), value));
  }
  template <typename T> std::vector<T> as() const {
    std::vector<T> values(bytes.size() / sizeof(T));
    if (!values.empty())
      std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
};

struct Machine {
  int64_t lanes;
  int64_t registers;
};
constexpr Machine avx2{8, 16};
constexpr Machine avx512{16, 32};

class CompiledKernel {
public:
  /// `text` is a module with one function, whose only op besides the return is the kernel op on its arguments.
  CompiledKernel(mlir::MLIRContext &context, llvm::StringRef text, Machine machine);
  bool isValid() const { return engine != nullptr; }

  /// The number of tasks for inputs and outputs of these shapes.
  int64_t taskCount(std::vector<Buffer> &buffers);
  /// Runs tasks [begin, end) and returns the status.
  int32_t run(std::vector<Buffer> &buffers, int64_t begin, int64_t end);
  /// Runs all tasks in calls of `tasksPerCall`; zero means one call.
  int32_t runAll(std::vector<Buffer> &buffers, int64_t tasksPerCall = 0);

private:
  int64_t callGrid(llvm::StringRef function, std::vector<Buffer> &buffers);

  std::unique_ptr<mlir::ExecutionEngine> engine;
  std::vector<char> scratch;
};

/// A context with the dialects and kernels that tests of kernels use.
std::unique_ptr<mlir::MLIRContext> makeKernelContext();

} // namespace moec::test

#endif // MOEC_UNITTESTS_CONVERSION_KERNELRUNNER_H
