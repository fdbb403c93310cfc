//===- NormGpuTest.cpp - softmax and normalisation on the emulated GPU ------===//

#include "GpuOpTest.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace mlir;
using namespace moec::test;
using moec::reference::HostTensor;

namespace {

struct NormForm {
  const char *name;
  const char *op;
  const char *element;
  const char *weight = nullptr;
  bool hasBias = false;
};

class NormGpu : public GpuOpTest, public testing::WithParamInterface<NormForm> {
protected:
  /// The op on rows of `extent` elements, or of any number.
  std::string text(int64_t extent) const {
    const NormForm &form = GetParam();
    std::string n = ShapedType::isDynamic(extent) ? "?" : std::to_string(extent);
    std::string x = llvm::formatv("tensor<?x{0}x{1}>", n, form.element).str(), arguments = "%x: " + x;
    if (StringRef(form.op) == "softmax")
      return "func.func @main(" + arguments + ") -> " + x + " { %r = nn.softmax %x : " + x + " return %r : " + x + " }";
    std::string operands = "%x", types = x;
    auto add = [&](const char *role) {
      std::string type = llvm::formatv("tensor<{0}x{1}>", n, form.weight).str();
      arguments += llvm::formatv(", %{0}: {1}", role, type).str();
      operands += llvm::formatv(" {0} %{0}", role).str();
      types += ", " + type;
    };
    if (form.weight)
      add("weight");
    if (form.hasBias)
      add("bias");
    return "func.func @main(" + arguments + ") -> " + x + " { %r = nn." + form.op + " " + operands + " eps 1.0e-5 : (" +
           types + ") -> " + x + " return %r : " + x + " }";
  }

  SmallVector<HostTensor> inputs(int64_t rows, int64_t extent) const {
    const NormForm &form = GetParam();
    SmallVector<HostTensor> result = {random(form.element, {rows, extent})};
    if (form.weight)
      result.push_back(random(form.weight, {extent}, 1));
    if (form.hasBias)
      result.push_back(random(form.weight, {extent}, 2));
    return result;
  }

  void check(GpuKernelRunner &runner, const std::string &code, int64_t rows, int64_t extent) {
    SCOPED_TRACE(llvm::formatv("{0} rows of {1}", rows, extent).str());
    SmallVector<HostTensor> values = inputs(rows, extent);
    HostTensor result = launch(runner, values);
    expectClose(result, evaluate(code, values), toleranceOf(result.getElementType()));
  }
};

TEST_P(NormGpu, MatchesReference) {
  for (int64_t extent : {1, 3, 31, 33, 48, 127, 128, 1000, 1024, 1032, 4096}) {
    std::string code = text(extent);
    auto runner = compile(code);
    for (int64_t rows : {0, 1, 9})
      check(*runner, code, rows, extent);
  }
}

TEST_P(NormGpu, TakesRowsOfAnyLength) {
  std::string code = text(ShapedType::kDynamic);
  auto runner = compile(code);
  for (int64_t extent : {1, 3, 31, 33, 127, 512, 513, 4096, 4099})
    for (int64_t rows : {1, 5})
      check(*runner, code, rows, extent);
  expectAssembles(*runner);
}

TEST_P(NormGpu, TakesRowsThatRegistersCannotHold) {
  std::string code = text(70000);
  auto runner = compile(code);
  check(*runner, code, 2, 70000);
  expectAssembles(*runner);
}

TEST_P(NormGpu, ReadsEachByteOnce) {
  for (int64_t extent : {128, 1024, 2048, 7168}) {
    SCOPED_TRACE(extent);
    auto runner = compile(text(extent));
    // What belongs to all rows is fetched by each.
    runner->weights = {1, 2};
    launch(*runner, inputs(3, extent));
    expectNoWaste(*runner);
    expectAssembles(*runner);
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, NormGpu,
                         testing::Values(NormForm{"Softmax_f32", "softmax", "f32"},
                                         NormForm{"Softmax_bf16", "softmax", "bf16"},
                                         NormForm{"RmsNorm_f32", "rms_norm", "f32", "f32"},
                                         NormForm{"RmsNorm_bf16", "rms_norm", "bf16", "bf16"},
                                         NormForm{"RmsNorm_f16_ByF32", "rms_norm", "f16", "f32"},
                                         NormForm{"RmsNorm_Plain", "rms_norm", "f32"},
                                         NormForm{"LayerNorm_f32", "layer_norm", "f32", "f32", true},
                                         NormForm{"LayerNorm_f16", "layer_norm", "f16", "f16"}),
                         [](const auto &info) { return info.param.name; });

class SoftmaxGpu : public GpuOpTest {};

TEST_F(SoftmaxGpu, LeavesOutMaskedElements) {
  std::string type = "tensor<?x40xf32>";
  std::string code = "func.func @main(%x: " + type + ") -> " + type + " { %r = nn.softmax %x : " + type +
                     " return %r : " + type + " }";
  auto runner = compile(code);
  HostTensor x = random("f32", {3, 40});
  for (int64_t i = 0; i < 40; ++i) {
    if (i % 3 == 0)
      x.setReal({0, i}, -INFINITY);
    x.setReal({1, i}, -INFINITY);
  }
  x.setReal({2, 5}, NAN);
  expectClose(launch(*runner, x), evaluate(code, x), 1e-5);
}

} // namespace
