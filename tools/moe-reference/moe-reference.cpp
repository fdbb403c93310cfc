//===- moe-reference.cpp - evaluates a function of moe and nn ops -----------===//
//
// A test tool: the plain evaluation that moe-run's outputs are compared with.
//
//===----------------------------------------------------------------------===//
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Onnx/Onnx.h"
#include "moec/Reference/Evaluate.h"
#include "moec/Reference/NpyFile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"

using namespace llvm;
using namespace moec::reference;

static cl::opt<std::string> file(cl::Positional, cl::Required, cl::desc("FILE.mlir"));
static cl::list<std::string> inputs("input", cl::value_desc("NAME=@FILE.npy"), cl::desc("Value of an input of @main"));
static cl::opt<std::string> outputDir("output-dir", cl::init("."), cl::value_desc("dir"),
                                      cl::desc("Where output_<i>.npy are written"));

static int refuse(const Twine &message) {
  errs() << "moe-reference: error: " << message << '\n';
  return 1;
}

/// The file given for the input `name`; empty if there is none.
static StringRef findInput(StringRef name) {
  for (StringRef text : inputs)
    if (auto [given, value] = text.split('='); given == name && value.consume_front("@"))
      return value;
  return {};
}

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(argc, argv, "evaluates a function of moe and nn ops by plain loops\n");
  mlir::MLIRContext context;
  context.loadDialect<moec::moe::MoeDialect, moec::nn::NnDialect, moec::onnx::OnnxDialect, mlir::arith::ArithDialect,
                      mlir::func::FuncDialect, mlir::tensor::TensorDialect>();
  SourceMgr sources;
  mlir::SourceMgrDiagnosticHandler diagnostics(sources, &context);
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(file, sources, &context);
  if (!module)
    return 1;
  auto function = module->lookupSymbol<mlir::func::FuncOp>("main");
  if (!function)
    return refuse("no function @main");

  SmallVector<HostTensor> values;
  for (auto [position, type] : enumerate(function.getArgumentTypes())) {
    auto name = function.getArgAttrOfType<mlir::StringAttr>(position, "onnx.name");
    StringRef path = findInput(name ? name.getValue() : StringRef());
    if (path.empty())
      return refuse("no file given for input " + Twine(position));
    Expected<HostTensor> value = readNpy(path, mlir::getElementTypeOrSelf(type));
    if (!value)
      return refuse(toString(value.takeError()));
    values.push_back(std::move(*value));
  }
  auto results = evaluateFunction(function, values);
  if (failed(results))
    return 1;
  if (std::error_code error = sys::fs::create_directories(outputDir))
    return refuse(outputDir + ": " + error.message());
  for (auto [position, result] : enumerate(*results)) {
    SmallString<128> path(outputDir);
    sys::path::append(path, "output_" + Twine(position) + ".npy");
    if (Error error = writeNpy(path, result))
      return refuse(toString(std::move(error)));
  }
  return 0;
}
