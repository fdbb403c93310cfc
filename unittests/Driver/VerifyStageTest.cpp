// Each contract of a stage, and what is said about the first op that breaks it.
#include "moec/Driver/Stages.h"
#include "moec/InitAll.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace moec;

namespace {

struct Breach {
  const char *name;
  Stage stage;
  const char *module;
  const char *message;
};

// The signature that an entry carries until the step program is formed.
#define ARGUMENT "%x: tensor<4xf32> {onnx.name = \"x\", onnx.elem_type = 1 : i32, onnx.dims = [\"\"]}"
#define RESULT "(tensor<4xf32> {onnx.name = \"y\", onnx.elem_type = 1 : i32, onnx.dims = [\"\"]})"

const Breach breaches[] = {
    {"NoEntry", Stage::Import, "func.func private @other()", "has no function 'main'"},
    {"NoArgumentName", Stage::Import, "func.func @main(%x: tensor<4xf32>) { return }",
     "has no 'onnx.name' on argument 0"},
    {"NoResultName", Stage::Import, "func.func @main(" ARGUMENT ") -> tensor<4xf32> { return %x : tensor<4xf32> }",
     "has no 'onnx.name' on result 0"},
    {"ForeignOp", Stage::Import,
     "func.func @main(" ARGUMENT ") -> " RESULT " { %y = math.exp %x : tensor<4xf32> return %y : tensor<4xf32> }",
     "is not an op of an imported graph"},
    {"WeightExpression", Stage::Import,
     "moe.weight @a : tensor<4xf32> source(#moe.splat<1.0>)\n"
     "moe.weight @b : tensor<4xf32> { %a = moe.load_weight @a : tensor<4xf32> moe.yield %a : tensor<4xf32> }\n"
     "func.func @main() { return }",
     "has no source"},
    {"MoeNode", Stage::Raise,
     "func.func @main(" ARGUMENT ") { %y = onnx.node \"MoE\"(%x) {version = 1 : i64, domain = \"com.microsoft\"} : "
     "(tensor<4xf32>) -> tensor<4xf32> return }",
     "'MoE' is a routed layer that is not raised"},
    {"NodeLeft", Stage::LowerOnnx,
     "func.func @main(" ARGUMENT ") { %y = onnx.node \"Relu\"(%x) {version = 14 : i64} : (tensor<4xf32>) -> "
     "tensor<4xf32> return }",
     "is left of the ONNX graph"},
    {"UnknownRank", Stage::LowerOnnx,
     "func.func @main(" ARGUMENT ") { %y = tensor.cast %x : tensor<4xf32> to tensor<*xf32> return }",
     "has a result of unknown rank"},
    {"NotDecomposed", Stage::Optimize,
     "func.func @main(%x: tensor<3x8xf32>, %e: tensor<3x1xi32>, %g: tensor<3x1xf32>, %u: tensor<2x4x8xf32>, "
     "%d: tensor<2x8x4xf32>) {\n"
     "  %y = moe.experts %x routed(%e, %g) w1 %u w2 %d activation(<kind = relu>) : (tensor<3x8xf32>, tensor<3x1xi32>, "
     "tensor<3x1xf32>, tensor<2x4x8xf32>, tensor<2x8x4xf32>) -> tensor<3x8xf32>\n  return }",
     "is not decomposed"},
    {"PackingOutside", Stage::Optimize,
     "func.func @main(%w: tensor<2x4x8xf32>) { %p = moe.pack_panels %w : (tensor<2x4x8xf32>) -> tensor<2x1x8x16xf32> "
     "return }",
     "is a weight expression outside a weight"},
    {"NoKernel", Stage::Optimize, "func.func @main() { %m = memref.alloc() : memref<4xf32> return }",
     "is neither a kernel nor a host op"},
    {"BodyLeft", Stage::Schedule, "func.func @main() { return }", "has a body that is not part of the step program"},
    {"ForeignSymbol", Stage::Schedule, "memref.global @g : memref<4xf32>",
     "is neither a kernel, a weight, a signature nor the step program"},
    {"NoProgram", Stage::Schedule, "func.func private @main()", "holds 0 step programs, expected 1"},
    {"SymbolInKernel", Stage::Schedule,
     "step.program @main inputs 0 weights [] { step.return }\n"
     "moe.weight @w : tensor<4xf32> source(#moe.splat<1.0>)\n"
     "step.kernel @k() { %w = moe.load_weight @w : tensor<4xf32> step.yield %w : tensor<4xf32> }",
     "refers to a symbol inside kernel 'k'"},
    {"NoVariant", Stage::Lower, "step.kernel @k(%x: tensor<4xf32>) { step.yield %x : tensor<4xf32> }",
     "has kernels but no code variant"},
    {"NamelessVariant", Stage::Lower, "module { module { } }", "is a code variant without a name"},
    {"NotLowered", Stage::Lower, "module { module @v { func.func private @k() } }", "is not an op of the LLVM dialect"},
};

class VerifyStage : public testing::TestWithParam<Breach> {
protected:
  VerifyStage() : context(makeRegistry()) {}

  static DialectRegistry makeRegistry() {
    DialectRegistry registry;
    registerAllDialects(registry);
    return registry;
  }

  MLIRContext context;
};

TEST_P(VerifyStage, NamesTheBreach) {
  // Only the contract is at stake: what an op's own verifier says about these modules does not matter.
  ParserConfig config(&context, /*verifyAfterParse=*/false);
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(GetParam().module, config);
  ASSERT_TRUE(module);
  std::string message;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) { message += diagnostic.str(); });
  EXPECT_TRUE(failed(verifyStage(*module, GetParam().stage)));
  EXPECT_NE(message.find(GetParam().message), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(Breaches, VerifyStage, testing::ValuesIn(breaches),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
