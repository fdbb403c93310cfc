//===- WeightEvaluationTest.cpp - the bytes of weights ----------------------===//

#include "moec/Artifact/WeightEvaluation.h"
#include "moec/Dialect/Onnx/Onnx.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <cmath>
#include <cstring>

using namespace moec;

namespace {

class WeightEvaluation : public testing::Test {
protected:
  WeightEvaluation()
      : handler(&context, [this](mlir::Diagnostic &diagnostic) {
          message += diagnostic.str();
          return mlir::success();
        }) {
    context.loadDialect<moe::MoeDialect, onnx::OnnxDialect, mlir::arith::ArithDialect, mlir::tensor::TensorDialect,
                        mlir::linalg::LinalgDialect>();
  }

  /// The bytes of @w in the module `text`; none if the evaluation fails.
  std::string bytes(llvm::StringRef text) {
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module) << message;
    if (!module)
      return {};
    mlir::SymbolTable symbols(*module);
    WeightEvaluator evaluator(symbols);
    std::string result;
    llvm::raw_string_ostream stream(result);
    if (failed(evaluator.write(symbols.lookup<moe::WeightOp>("w"), stream)))
      return {};
    EXPECT_EQ(message, "");
    return result;
  }

  template <typename T> std::vector<T> values(llvm::StringRef text) {
    std::string result = bytes(text);
    std::vector<T> elements(result.size() / sizeof(T));
    if (!elements.empty())
      std::memcpy(elements.data(), result.data(), result.size());
    return elements;
  }

  mlir::MLIRContext context;
  std::string message;
  mlir::ScopedDiagnosticHandler handler;
};

std::string hexadecimal(uint32_t bits) { return llvm::utohexstr(bits, /*LowerCase=*/false, /*Width=*/8); }

/// A weight @name of f32 counting up from 0.
std::string counting(llvm::StringRef name, std::vector<int64_t> shape) {
  int64_t count = 1;
  std::string dims;
  for (int64_t extent : shape) {
    count *= extent;
    dims += std::to_string(extent) + "x";
  }
  std::string elements;
  for (int64_t i = 0; i < count; ++i)
    elements += hexadecimal(llvm::byteswap(llvm::bit_cast<uint32_t>(float(i))));
  return llvm::formatv("moe.weight @{0} : tensor<{1}f32> source(dense<\"0x{2}\"> : tensor<{1}f32>)\n", name, dims,
                       elements).str();
}

TEST_F(WeightEvaluation, Sources) {
  EXPECT_EQ(values<float>("moe.weight @w : tensor<2xf32> source(#moe.splat<2.5>)"), (std::vector<float>{2.5, 2.5}));
  EXPECT_EQ(values<uint8_t>("moe.weight @w : tensor<3xi1> source(dense<[true, false, true]> : tensor<3xi1>)"),
            (std::vector<uint8_t>{1, 0, 1}));
  EXPECT_EQ(values<uint8_t>("moe.weight @w : tensor<3xi4> source(dense<[1, -1, 7]> : tensor<3xi4>)"),
            (std::vector<uint8_t>{0xf1, 0x07}));
  EXPECT_EQ(values<int64_t>("moe.weight @w : tensor<2xi64> source(#moe.splat<-3.0>)"), (std::vector<int64_t>{-3, -3}));
  EXPECT_TRUE(bytes("moe.weight @w : tensor<0x4xf32> source(#moe.splat<1.0>)").empty());
  EXPECT_EQ(message, "");
}

TEST_F(WeightEvaluation, RandomDependsOnPositionAndSeed) {
  auto small = values<float>("moe.weight @w : tensor<100xf32> source(#moe.random<7, 0.5>)");
  auto large = values<float>("moe.weight @w : tensor<1000000xf32> source(#moe.random<7, 0.5>)");
  ASSERT_EQ(large.size(), 1000000u);
  EXPECT_TRUE(std::equal(small.begin(), small.end(), large.begin()));
  EXPECT_NE(small, values<float>("moe.weight @w : tensor<100xf32> source(#moe.random<8, 0.5>)"));
  double sum = 0.0;
  for (float value : large) {
    EXPECT_LE(std::fabs(value), 0.5f);
    sum += value;
  }
  EXPECT_NEAR(sum / double(large.size()), 0.0, 1e-3);
}

TEST_F(WeightEvaluation, FileRange) {
  int descriptor;
  llvm::SmallString<128> path;
  ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("moec-weights", "bin", descriptor, path));
  {
    llvm::raw_fd_ostream file(descriptor, /*shouldClose=*/true);
    file << "xxx" << std::string("\x01\x00\x02\x00", 4) << "y";
  }
  auto text = [&](int64_t offset) {
    return llvm::formatv("moe.weight @w : tensor<2xi16> source(#moe.file<\"{0}\", {1}, 4>)", path, offset).str();
  };
  EXPECT_EQ(values<int16_t>(text(3)), (std::vector<int16_t>{1, 2}));
  EXPECT_TRUE(bytes(text(5)).empty());
  EXPECT_NE(message.find("expected 4 bytes at offset 5"), std::string::npos) << message;
  llvm::sys::fs::remove(path);
  message.clear();
  EXPECT_TRUE(bytes(text(3)).empty());
  EXPECT_NE(message.find("cannot read"), std::string::npos) << message;
}

TEST_F(WeightEvaluation, SlicesTranspositionsAndReshapes) {
  auto result = values<float>(counting("a", {4, 6}) + R"(
    moe.weight @w : tensor<3x2x2xf32> {
      %a = moe.load_weight @a : tensor<4x6xf32>
      %s = tensor.extract_slice %a[1, 0] [2, 6] [2, 1] : tensor<4x6xf32> to tensor<2x6xf32>
      %i = tensor.empty() : tensor<6x2xf32>
      %t = linalg.transpose ins(%s : tensor<2x6xf32>) outs(%i : tensor<6x2xf32>) permutation = [1, 0]
      %e = tensor.expand_shape %t [[0, 1], [2]] output_shape [3, 2, 2] : tensor<6x2xf32> into tensor<3x2x2xf32>
      %c = tensor.collapse_shape %e [[0], [1, 2]] : tensor<3x2x2xf32> into tensor<3x4xf32>
      %x = tensor.expand_shape %c [[0], [1, 2]] output_shape [3, 2, 2] : tensor<3x4xf32> into tensor<3x2x2xf32>
      moe.yield %x : tensor<3x2x2xf32>
    })");
  EXPECT_EQ(result, (std::vector<float>{6, 18, 7, 19, 8, 20, 9, 21, 10, 22, 11, 23}));
}

TEST_F(WeightEvaluation, DequantizesValuesInBytes) {
  EXPECT_EQ(values<float>(R"(
    moe.weight @q : tensor<2x3xui8> source(dense<[[0, 8, 15], [1, 2, 3]]> : tensor<2x3xui8>)
    moe.weight @s : tensor<2xf32> source(dense<[1.0, 0.5]> : tensor<2xf32>)
    moe.weight @z : tensor<2xui8> source(dense<[7, 3]> : tensor<2xui8>)
    moe.weight @w : tensor<2x3xf32> {
      %q = moe.load_weight @q : tensor<2x3xui8>
      %s = moe.load_weight @s : tensor<2xf32>
      %z = moe.load_weight @z : tensor<2xui8>
      %r = moe.dequantize %q scales %s zero_points %z bits 4 block 0
        : (tensor<2x3xui8>, tensor<2xf32>, tensor<2xui8>) -> tensor<2x3xf32>
      moe.yield %r : tensor<2x3xf32>
    })"),
            (std::vector<float>{-7, 1, 8, -1, -0.5, 0}));
}

TEST_F(WeightEvaluation, UnpacksValuesAndPacksWords) {
  // Even values in the low half of a word, odd ones in the high half.
  std::string quantized = "moe.weight @q : tensor<1x5xui8> source(dense<[[33, 67, 101, 135, 9]]> : tensor<1x5xui8>)\n";
  EXPECT_EQ(values<uint8_t>(quantized + R"(moe.weight @w : tensor<1x10xui8> {
      %q = moe.load_weight @q : tensor<1x5xui8>
      %v = moe.unpack_values %q bits 4 : (tensor<1x5xui8>) -> tensor<1x10xui8>
      moe.yield %v : tensor<1x10xui8>
    })"),
            (std::vector<uint8_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 0}));
  EXPECT_EQ(values<int8_t>(quantized + R"(moe.weight @w : tensor<1x10xui8> {
      %q = moe.load_weight @q : tensor<1x5xui8>
      %v = moe.unpack_values %q bits 4 signed : (tensor<1x5xui8>) -> tensor<1x10xui8>
      moe.yield %v : tensor<1x10xui8>
    })"),
            (std::vector<int8_t>{1, 2, 3, 4, 5, 6, 7, -8, -7, 0}));
  EXPECT_EQ(values<uint8_t>(quantized + R"(moe.weight @w : tensor<1x10xui8> {
      %q = moe.load_weight @q : tensor<1x5xui8>
      %v = moe.unpack_values %q bits 4 signed : (tensor<1x5xui8>) -> tensor<1x10xui8>
      %o = moe.offset_values %v bits 4 : tensor<1x10xui8>
      moe.yield %o : tensor<1x10xui8>
    })"),
            (std::vector<uint8_t>{9, 10, 11, 12, 13, 14, 15, 0, 1, 8}));
  EXPECT_EQ(values<uint32_t>(quantized + R"(moe.weight @w : tensor<1x2xi32> {
      %q = moe.load_weight @q : tensor<1x5xui8>
      %v = moe.unpack_values %q bits 4 : (tensor<1x5xui8>) -> tensor<1x10xui8>
      %p = moe.pack_words %v bits 4 : (tensor<1x10xui8>) -> tensor<1x2xi32>
      moe.yield %p : tensor<1x2xi32>
    })"),
            (std::vector<uint32_t>{0x86427531, 9}));
  EXPECT_EQ(values<uint32_t>(quantized + R"(moe.weight @w : tensor<1x2xi32> {
      %q = moe.load_weight @q : tensor<1x5xui8>
      %p = moe.pack_words %q bits 8 : (tensor<1x5xui8>) -> tensor<1x2xi32>
      moe.yield %p : tensor<1x2xi32>
    })"),
            (std::vector<uint32_t>{0x87436521, 9}));
}

TEST_F(WeightEvaluation, ConcatAndRankReducingSlice) {
  auto result = values<float>(counting("a", {2, 3}) + R"(
    moe.weight @w : tensor<2x3xf32> {
      %a = moe.load_weight @a : tensor<2x3xf32>
      %s = tensor.extract_slice %a[0, 1] [2, 1] [1, 1] : tensor<2x3xf32> to tensor<2xf32>
      %e = tensor.expand_shape %s [[0, 1]] output_shape [2, 1] : tensor<2xf32> into tensor<2x1xf32>
      %r = tensor.extract_slice %a[0, 0] [2, 2] [1, 1] : tensor<2x3xf32> to tensor<2x2xf32>
      %c = tensor.concat dim(1) %e, %r : (tensor<2x1xf32>, tensor<2x2xf32>) -> tensor<2x3xf32>
      moe.yield %c : tensor<2x3xf32>
    })");
  EXPECT_EQ(result, (std::vector<float>{1, 0, 1, 4, 3, 4}));
}

TEST_F(WeightEvaluation, PanelsOfGateAndLinearRows) {
  constexpr int64_t experts = 2, columns = 18, inner = 21;
  auto result = values<float>(counting("a", {experts, 2 * columns, inner}) + R"(
    moe.weight @gate : tensor<2x18x21xf32> {
      %a = moe.load_weight @a : tensor<2x36x21xf32>
      %g = tensor.extract_slice %a[0, 0, 0] [2, 18, 21] [1, 2, 1] : tensor<2x36x21xf32> to tensor<2x18x21xf32>
      moe.yield %g : tensor<2x18x21xf32>
    }
    moe.weight @w : tensor<2x4x21x16xf32> {
      %g = moe.load_weight @gate : tensor<2x18x21xf32>
      %a = moe.load_weight @a : tensor<2x36x21xf32>
      %l = tensor.extract_slice %a[0, 1, 0] [2, 18, 21] [1, 2, 1] : tensor<2x36x21xf32> to tensor<2x18x21xf32>
      %p = moe.pack_panels %g linear %l : (tensor<2x18x21xf32>, tensor<2x18x21xf32>) -> tensor<2x4x21x16xf32>
      moe.yield %p : tensor<2x4x21x16xf32>
    })");
  ASSERT_EQ(result.size(), 2u * 4 * inner * 16);
  for (int64_t e = 0; e < experts; ++e)
    for (int64_t panel = 0; panel < 4; ++panel)
      for (int64_t k = 0; k < inner; ++k)
        for (int64_t j = 0; j < 16; ++j) {
          int64_t column = panel / 2 * 16 + j, row = 2 * column + panel % 2;
          float expected = column < columns ? float((e * 2 * columns + row) * inner + k) : 0.0f;
          ASSERT_EQ(result[((e * 4 + panel) * inner + k) * 16 + j], expected);
        }
}

TEST_F(WeightEvaluation, ConversionsRoundToNearestEven) {
  std::vector<float> inputs = {0.0f, -0.0f, 1.0f, 65504.0f, 65519.0f, 65520.0f, 1e-8f, 5.9604645e-8f, 6.1e-5f, 3.4e38f,
                               0x1.002p0f, 0x1.006p0f, 0x1.01p0f, 0x1.03p0f, -2.7f, INFINITY, -INFINITY};
  for (const char *format : {"f16", "bf16"}) {
    auto &semantics = format[0] == 'b' ? llvm::APFloat::BFloat() : llvm::APFloat::IEEEhalf();
    for (float input : inputs) {
      auto text = llvm::formatv(R"(
        moe.weight @a : tensor<1xf32> source(dense<0x{0}> : tensor<1xf32>)
        moe.weight @w : tensor<1xf32> {{
          %a = moe.load_weight @a : tensor<1xf32>
          %n = arith.truncf %a : tensor<1xf32> to tensor<1x{1}>
          %e = arith.extf %n : tensor<1x{1}> to tensor<1xf32>
          moe.yield %e : tensor<1xf32>
        })", hexadecimal(llvm::bit_cast<uint32_t>(input)), format).str();
      llvm::APFloat expected(input);
      bool lossy;
      expected.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &lossy);
      EXPECT_EQ(values<float>(text)[0], expected.convertToFloat()) << input << " as " << format;
    }
  }
}

TEST_F(WeightEvaluation, DequantizesBlocksWithZeroPoints) {
  auto result = values<float>(R"(
    moe.weight @q : tensor<2x3xui8> source(dense<[[33, 67, 101], [16, 50, 84]]> : tensor<2x3xui8>)
    moe.weight @s : tensor<2x2xf32> source(dense<[[1.0, 2.0], [0.5, 4.0]]> : tensor<2x2xf32>)
    moe.weight @z : tensor<2x1xui8> source(dense<[[16], [50]]> : tensor<2x1xui8>)
    moe.weight @w : tensor<2x6xf32> {
      %q = moe.load_weight @q : tensor<2x3xui8>
      %s = moe.load_weight @s : tensor<2x2xf32>
      %z = moe.load_weight @z : tensor<2x1xui8>
      %r = moe.dequantize %q scales %s zero_points %z bits 4 block 4
        : (tensor<2x3xui8>, tensor<2x2xf32>, tensor<2x1xui8>) -> tensor<2x6xf32>
      moe.yield %r : tensor<2x6xf32>
    })");
  EXPECT_EQ(result, (std::vector<float>{1, 2, 3, 4, 8, 10, -1, -0.5, 0, 0.5, 4, 8}));
}

TEST_F(WeightEvaluation, DequantizesRowsOfTwoBitsAndBytes) {
  auto two = values<float>(R"(
    moe.weight @q : tensor<2x1xui8> source(dense<[[228], [27]]> : tensor<2x1xui8>)
    moe.weight @s : tensor<2xf32> source(dense<[1.0, 10.0]> : tensor<2xf32>)
    moe.weight @z : tensor<1xui8> source(dense<[4]> : tensor<1xui8>)
    moe.weight @w : tensor<2x4xf32> {
      %q = moe.load_weight @q : tensor<2x1xui8>
      %s = moe.load_weight @s : tensor<2xf32>
      %z = moe.load_weight @z : tensor<1xui8>
      %r = moe.dequantize %q scales %s zero_points %z bits 2 block 0
        : (tensor<2x1xui8>, tensor<2xf32>, tensor<1xui8>) -> tensor<2x4xf32>
      moe.yield %r : tensor<2x4xf32>
    })");
  EXPECT_EQ(two, (std::vector<float>{0, 1, 2, 3, 20, 10, 0, -10}));
  auto eight = values<float>(R"(
    moe.weight @q : tensor<1x3xui8> source(dense<[[0, 128, 255]]> : tensor<1x3xui8>)
    moe.weight @s : tensor<1xf16> source(dense<[2.0]> : tensor<1xf16>)
    moe.weight @w : tensor<1x3xf32> {
      %q = moe.load_weight @q : tensor<1x3xui8>
      %s = moe.load_weight @s : tensor<1xf16>
      %r = moe.dequantize %q scales %s bits 8 block 0 : (tensor<1x3xui8>, tensor<1xf16>) -> tensor<1x3xf32>
      moe.yield %r : tensor<1x3xf32>
    })");
  EXPECT_EQ(eight, (std::vector<float>{-256, 0, 254}));
}

TEST_F(WeightEvaluation, Refusals) {
  struct Refusal {
    const char *text, *message;
  };
  for (const Refusal &refusal : {
           Refusal{"moe.weight @w : tensor<2xi8> source(#moe.splat<300.0>)", "expected a splat that 'i8' can hold"},
           Refusal{"moe.weight @w : tensor<2xi8> source(#moe.random<1, 1.0>)", "expected a float element type"},
           Refusal{"moe.weight @w : tensor<2xf32> { %a = moe.load_weight @w : tensor<2xf32> "
                   "moe.yield %a : tensor<2xf32> }",
                   "is computed from itself"},
           Refusal{"moe.weight @a : tensor<2xi4> source(#moe.splat<1.0>) moe.weight @w : tensor<1xi4> { "
                   "%a = moe.load_weight @a : tensor<2xi4> "
                   "%s = tensor.extract_slice %a[1] [1] [1] : tensor<2xi4> to tensor<1xi4> "
                   "moe.yield %s : tensor<1xi4> }",
                   "which are parts of a byte"}}) {
    message.clear();
    EXPECT_TRUE(bytes(refusal.text).empty());
    EXPECT_NE(message.find(refusal.message), std::string::npos) << message;
  }
}

} // namespace
