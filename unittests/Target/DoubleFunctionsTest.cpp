//===- DoubleFunctionsTest.cpp - functions of f64 against the C library -----===//
//
// The expansions run in process; the C library computes the same in extended precision.
//
//===----------------------------------------------------------------------===//

#include "moec/Target/Math/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/TargetSelect.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace mlir;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A function of two doubles (the second may be ignored) that applies one op of the math dialect.
class Expanded {
public:
  Expanded(StringRef op, StringRef operands) {
    static bool initialized = [] {
      llvm::InitializeNativeTarget();
      llvm::InitializeNativeTargetAsmPrinter();
      registerAllPasses();
      return true;
    }();
    (void)initialized;
    DialectRegistry registry;
    registerAllDialects(registry);
    registerAllExtensions(registry);
    registerAllToLLVMIRTranslations(registry);
    context = std::make_unique<MLIRContext>(registry);
    std::string text = llvm::formatv("func.func @f(%x: f64, %y: f64) -> f64 {{ %r = math.{0} {1} : f64\n"
                                     "  return %r : f64 }",
                                     op, operands);
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, context.get());
    PassManager passes(context.get());
    passes.addPass(moec::createExpandMath());
    if (!module ||
        failed(parsePassPipeline("convert-math-to-llvm,convert-arith-to-llvm,convert-func-to-llvm", passes)) ||
        failed(passes.run(*module)))
      return;
    engine = llvm::cantFail(ExecutionEngine::create(*module));
    function = reinterpret_cast<double (*)(double, double)>(llvm::cantFail(engine->lookup("f")));
  }

  double operator()(double x, double y = 0) const { return function ? function(x, y) : nan; }

private:
  std::unique_ptr<MLIRContext> context;
  std::unique_ptr<ExecutionEngine> engine;
  double (*function)(double, double) = nullptr;
};

/// The distance of `found` from `exact` in units of its last place.
double unitsOff(double found, long double exact) {
  auto expected = static_cast<double>(exact);
  if (std::isnan(expected) || std::isinf(expected) || expected == 0)
    return (std::isnan(expected) ? std::isnan(found) : found == expected) ? 0 : infinity;
  double size = std::max(std::abs(expected), std::numeric_limits<double>::min());
  return static_cast<double>(std::abs(found - exact) / (std::nextafter(size, infinity) - size));
}

struct FunctionCase {
  const char *op;
  long double (*exact)(long double);
  /// Where samples lie.
  double from, to;
};

class DoubleFunctions : public testing::TestWithParam<FunctionCase> {};

TEST_P(DoubleFunctions, AreExactToAFewUnits) {
  const FunctionCase &c = GetParam();
  Expanded function(c.op, "%x");
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(c.from, c.to), exponent(-300, 0);
  double worst = 0, at = 0;
  auto compare = [&](double x) {
    double off = unitsOff(function(x), c.exact(x));
    if (!(off <= worst)) {
      worst = off;
      at = x;
    }
  };
  for (int i = 0; i < 100000; ++i)
    compare(uniform(random));
  // Around the lower end and towards zero.
  for (int i = 0; i < 20000; ++i) {
    double small = std::exp2(exponent(random));
    compare(c.from + small * (c.to - c.from));
    if (c.from < 0)
      compare(small), compare(-small);
  }
  for (double x :
       {0.0, -0.0, 1.0, -1.0, 2.0, infinity, -infinity, nan, 0x1p-1074, -0x1p-1074, 0x1p-1022, 1e300, -1e300})
    if (std::abs(x) < 1e200 || std::string(c.op).find_first_of("sct") != 0 || std::string(c.op).size() == 4)
      compare(x);
  EXPECT_LT(worst, 4) << c.op << "(" << llvm::formatv("{0:e17}", at).str() << ") = " << function(at) << ", expected "
                      << static_cast<double>(c.exact(at));
  if (!std::signbit(c.exact(0.0L)) && c.exact(0.0L) == 0) {
    EXPECT_TRUE(std::signbit(function(-0.0)));
  }
}

const FunctionCase functionCases[] = {
    {"exp", std::exp, -750, 712},   {"exp", std::exp, -1, 1},         {"log", std::log, 0.5, 2},
    {"log", std::log, 0, 1e300},    {"sin", std::sin, -10, 10},       {"sin", std::sin, -1e15, 1e15},
    {"cos", std::cos, -10, 10},     {"cos", std::cos, -1e15, 1e15},   {"tan", std::tan, -10, 10},
    {"asin", std::asin, -1.1, 1.1}, {"acos", std::acos, -1.1, 1.1},   {"atan", std::atan, -4, 4},
    {"atan", std::atan, -1e9, 1e9}, {"sinh", std::sinh, -715, 715},   {"sinh", std::sinh, -2, 2},
    {"cosh", std::cosh, -715, 715}, {"tanh", std::tanh, -30, 30},     {"tanh", std::tanh, -1, 1},
    {"asinh", std::asinh, -10, 10}, {"asinh", std::asinh, -1e9, 1e9}, {"acosh", std::acosh, 0.9, 4},
    {"acosh", std::acosh, 1, 1e9},  {"atanh", std::atanh, -1.1, 1.1}, {"erf", std::erf, -7, 7},
    {"erf", std::erf, -1, 1},
};

INSTANTIATE_TEST_SUITE_P(Math, DoubleFunctions, testing::ValuesIn(functionCases),
                         [](const auto &info) { return std::string(info.param.op) + std::to_string(info.index); });

TEST(DoublePower, IsExactToAFewUnits) {
  Expanded power("powf", "%x, %y");
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> exponent(-1000, 1000), near(0.5, 2), large(0, 1e6);
  double worst = 0, atX = 0, atY = 0;
  auto compare = [&](double x, double y) {
    double off = unitsOff(power(x, y), std::pow(static_cast<long double>(x), static_cast<long double>(y)));
    if (!(off <= worst)) {
      worst = off;
      atX = x;
      atY = y;
    }
  };
  for (int i = 0; i < 100000; ++i) {
    compare(near(random), exponent(random));
    compare(large(random), exponent(random) / 20);
    compare(-near(random), std::floor(exponent(random)));
    compare(std::exp2(exponent(random)), exponent(random) / 1000);
  }
  const double special[] = {0.0,  -0.0, 1.0, -1.0,   0.5,      -0.5,      2.0, -2.0,   3.0,
                            -3.0, 1e20, 0.1, 1e-310, infinity, -infinity, nan, -1e300, 0x1p53 + 2};
  for (double x : special)
    for (double y : special) {
      compare(x, y);
      EXPECT_EQ(std::signbit(power(x, y)), std::signbit(std::pow(x, y)) && !std::isnan(std::pow(x, y)))
          << x << " to " << y;
    }
  EXPECT_LT(worst, 4) << llvm::formatv("{0:e17} to {1:e17}: ", atX, atY).str() << power(atX, atY) << ", expected "
                      << std::pow(atX, atY);
}

} // namespace
