//===- ReferenceFixture.h - evaluates a function given as text --------------===//
#ifndef MOEC_UNITTESTS_REFERENCE_REFERENCEFIXTURE_H
#define MOEC_UNITTESTS_REFERENCE_REFERENCEFIXTURE_H

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Onnx/Onnx.h"
#include "moec/Reference/Evaluate.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace moec::reference {

class ReferenceTest : public ::testing::Test {
protected:
  ReferenceTest() {
    context.loadDialect<moe::MoeDialect, nn::NnDialect, onnx::OnnxDialect, mlir::arith::ArithDialect,
                        mlir::func::FuncDialect, mlir::tensor::TensorDialect>();
  }

  /// Results of the function @main of a module; none if it does not parse, verify or evaluate. The last diagnostic is
  /// in `message`.
  llvm::SmallVector<HostTensor> run(llvm::StringRef text, llvm::ArrayRef<HostTensor> inputs) {
    message.clear();
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) { message = diagnostic.str(); });
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module)
      return {};
    auto results = evaluateFunction(module->lookupSymbol<mlir::func::FuncOp>("main"), inputs);
    return mlir::succeeded(results) ? *results : llvm::SmallVector<HostTensor>();
  }

  HostTensor f32(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<double> values) {
    return HostTensor(mlir::Float32Type::get(&context), shape, values);
  }
  HostTensor integers(unsigned width, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<double> values) {
    return HostTensor(mlir::IntegerType::get(&context, width), shape, values);
  }
  HostTensor index(int64_t value) {
    HostTensor tensor(mlir::IndexType::get(&context), {});
    tensor.setInteger(0, value);
    return tensor;
  }

  static std::vector<double> reals(const HostTensor &tensor) {
    std::vector<double> values;
    for (int64_t i = 0; i < tensor.getSize(); ++i)
      values.push_back(tensor.real(i));
    return values;
  }
  static std::vector<int64_t> ints(const HostTensor &tensor) {
    std::vector<int64_t> values;
    for (int64_t i = 0; i < tensor.getSize(); ++i)
      values.push_back(tensor.integer(i));
    return values;
  }
  /// Matches reals within 1e-5.
  static auto near(std::initializer_list<double> values) {
    return ::testing::Pointwise(::testing::DoubleNear(1e-5), std::vector<double>(values));
  }

  mlir::MLIRContext context;
  std::string message;
};

} // namespace moec::reference

#endif // MOEC_UNITTESTS_REFERENCE_REFERENCEFIXTURE_H
