//===- ApproximateMathGpuTest.cpp - functions by way of ex2.approx ----------===//

#include "GpuOpTest.h"

#include <cmath>

using namespace moec::test;
using moec::reference::HostTensor;

namespace {

struct ApproximateForm {
  const char *name;
  double (*exact)(double);
  /// Of the error beyond rounding, in units of 2^-23: whatever the result is, and for each unit of |x| times the
  /// result.
  double absolute, relative;
};

double exponential(double x) { return std::exp(x); }
double hyperbolicTangent(double x) { return std::tanh(x); }
double errorFunction(double x) { return std::erf(x); }

class ApproximateMathGpu : public GpuOpTest, public testing::WithParamInterface<ApproximateForm> {
protected:
  std::unique_ptr<GpuKernelRunner> compileFunction() const {
    std::string type = "tensor<?xf32>";
    return compile("func.func @main(%x: " + type + ") -> " + type +
                   " { %c0 = arith.constant 0 : index %n = tensor.dim %x, %c0 : " + type +
                   " %e = tensor.empty(%n) : " + type +
                   " %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], "
                   "iterator_types = [\"parallel\"]} ins(%x : " +
                   type + ") outs(%e : " + type + ") { ^bb0(%a: f32, %o: f32): %1 = math." + GetParam().name +
                   " %a fastmath<afn> : f32 linalg.yield %1 : f32 } -> " + type + " return %r : " + type + " }");
  }
};

TEST_P(ApproximateMathGpu, KeepsItsBound) {
  constexpr int64_t count = 40001;
  HostTensor x(parse("f32"), {count});
  for (int64_t i = 0; i < count; ++i) {
    double unit = 2.0 * i / (count - 1) - 1;
    x.setReal(i, i % 2 ? 87 * unit : 4 * unit * unit * unit);
  }
  auto runner = compileFunction();
  HostTensor result = launch(*runner, x);
  for (int64_t i = 0; i < count; ++i) {
    double exact = GetParam().exact(x.real(i)), relative = 1 + GetParam().relative * std::fabs(x.real(i));
    double bound = 0x1p-23 * (GetParam().absolute + relative * std::fabs(exact));
    ASSERT_NEAR(result.real(i), exact, bound) << "of " << x.real(i);
  }
}

TEST_P(ApproximateMathGpu, TakesWhatIsNoPlainNumber) {
  HostTensor x(parse("f32"), {7});
  const double values[] = {0, -0.0, INFINITY, -INFINITY, NAN, 3e38, -3e38};
  for (int64_t i = 0; i < 7; ++i)
    x.setReal(i, values[i]);
  auto runner = compileFunction();
  HostTensor result = launch(*runner, x);
  for (int64_t i = 0; i < 7; ++i) {
    float exact = GetParam().exact(x.real(i));
    EXPECT_TRUE(result.real(i) == exact || (std::isnan(exact) && std::isnan(result.real(i))))
        << result.real(i) << " of " << x.real(i);
  }
}

INSTANTIATE_TEST_SUITE_P(Functions, ApproximateMathGpu,
                         testing::Values(ApproximateForm{"exp", exponential, 0, 1},
                                         ApproximateForm{"tanh", hyperbolicTangent, 2, 0},
                                         ApproximateForm{"erf", errorFunction, 4, 0}),
                         [](const auto &info) { return info.param.name; });

} // namespace
