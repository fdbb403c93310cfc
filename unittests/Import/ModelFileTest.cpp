//===- ModelFileTest.cpp - binary models: weights in place, damage refused ------===//
//
// Models are put together field by field, so that they can be wrong in every way. What the text syntax can say is
// tested under test/Import.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Onnx/Onnx.h"
#include "moec/Import/Import.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/LEB128.h"
#include "llvm/Support/raw_ostream.h"
#include <gtest/gtest.h>
#include <random>

using namespace mlir;

namespace {

std::string varint(uint64_t value) {
  uint8_t bytes[10];
  unsigned size = llvm::encodeULEB128(value, bytes);
  return {reinterpret_cast<char *>(bytes), size};
}
std::string number(unsigned field, uint64_t value) { return varint(field << 3) + varint(value); }
std::string bytes(unsigned field, const std::string &value) {
  return varint(field << 3 | 2) + varint(value.size()) + value;
}

enum ElemType : uint64_t { Float = 1, Int64 = 7 };

/// `dim` is the encoding of a Dimension.
std::string valueInfo(const std::string &name, const std::string &dim) {
  std::string tensor = number(1, Float) + bytes(2, bytes(1, dim));
  return bytes(1, name) + bytes(2, bytes(1, tensor));
}
std::string node(const std::string &opType, const std::string &input, const std::string &output,
                 const std::string &rest = "") {
  return bytes(1, bytes(1, input) + bytes(2, output) + bytes(4, opType) + rest);
}
std::string tensor(const std::string &name, ElemType elemType, uint64_t extent, const std::string &data) {
  return number(1, extent) + number(2, elemType) + bytes(8, name) + bytes(9, data);
}
std::string initializer(const std::string &name, ElemType elemType, uint64_t extent, const std::string &data) {
  return bytes(5, tensor(name, elemType, extent, data));
}
std::string attribute(const std::string &name, uint64_t type, const std::string &value) {
  return bytes(5, bytes(1, name) + value + number(20, type));
}

const std::string input = bytes(11, valueInfo("x", bytes(2, "N")));
const std::string output = bytes(12, valueInfo("y", bytes(2, "N")));
const std::string versions = number(1, 10) + bytes(8, bytes(1, "") + number(2, 21));

/// A model of a graph with `x` and `y` around `parts`.
std::string model(const std::string &parts) { return versions + bytes(7, parts + bytes(2, "g") + input + output); }

class ModelFile : public ::testing::Test {
protected:
  void SetUp() override { ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("model", "onnx", path)); }
  void TearDown() override { llvm::sys::fs::remove(path); }

  /// The module, or null with the first message in `message`.
  OwningOpRef<ModuleOp> import(const std::string &contents) {
    std::error_code code;
    llvm::raw_fd_ostream(path, code) << contents;
    message.clear();
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      if (message.empty())
        message = diagnostic.str();
    });
    FailureOr<OwningOpRef<ModuleOp>> module = moec::importOnnx(context, path);
    EXPECT_EQ(failed(module), !message.empty()) << message;
    if (failed(module))
      return {};
    EXPECT_TRUE(succeeded(verify(**module)));
    return std::move(*module);
  }

  void expectRefusal(const std::string &contents, const std::string &expected) {
    EXPECT_FALSE(import(contents));
    EXPECT_NE(message.find(expected), std::string::npos) << message;
  }

  MLIRContext context;
  llvm::SmallString<128> path;
  std::string message;
};

TEST_F(ModelFile, WeightRefersToItsBytes) {
  std::string data(1028, '\x2a'), contents = model(initializer("w", Float, 257, data) + node("Neg", "w", "y"));
  OwningOpRef<ModuleOp> module = import(contents);
  ASSERT_TRUE(module);
  auto weight = *module->getOps<moec::moe::WeightOp>().begin();
  auto file = cast<moec::moe::FileAttr>(*weight.getSource());
  EXPECT_EQ(file.getPath(), path.str());
  EXPECT_EQ(contents.substr(file.getOffset(), file.getSize()), data);
}

TEST_F(ModelFile, IntegersOf8KiBAreConstants) {
  std::string data(8192, '\0');
  data[8] = 1;
  std::string shape = attribute("to", 2, number(3, Float));
  OwningOpRef<ModuleOp> module = import(model(initializer("w", Int64, 1024, data) + node("Cast", "w", "y", shape)));
  ASSERT_TRUE(module);
  auto func = *module->getOps<func::FuncOp>().begin();
  auto constant = *func.getOps<moec::onnx::ConstantOp>().begin();
  EXPECT_EQ(cast<DenseElementsAttr>(constant.getValue()).getValues<int64_t>()[1], 1);
}

TEST_F(ModelFile, ConstantNodesHoldWeightsToo) {
  std::string value = attribute("value", 4, bytes(5, tensor("", Float, 300, std::string(1200, '\0'))));
  std::string constant = bytes(1, bytes(2, "w") + bytes(4, "Constant") + value);
  OwningOpRef<ModuleOp> module = import(model(constant + node("Neg", "w", "y")));
  ASSERT_TRUE(module);
  EXPECT_EQ((*module->getOps<moec::moe::WeightOp>().begin()).getSymName(), "w");
}

TEST_F(ModelFile, SymbolsThatAreNumbersAreExtents) {
  std::string input = bytes(11, valueInfo("x", bytes(2, "16"))), output = bytes(12, valueInfo("y", bytes(2, "-1")));
  OwningOpRef<ModuleOp> module =
      import(versions + bytes(7, node("Identity", "x", "y") + bytes(2, "g") + input + output));
  ASSERT_TRUE(module);
  auto func = *module->getOps<func::FuncOp>().begin();
  EXPECT_EQ(cast<ShapedType>(func.getArgumentTypes()[0]).getShape(), ArrayRef<int64_t>{16});
}

TEST_F(ModelFile, DamagedWireFormat) {
  expectRefusal("\x80", "not an ONNX model: truncated number at byte 1");
  expectRefusal(std::string(11, '\xff'), "not an ONNX model: number of more than ten bytes at byte 10");
  expectRefusal(std::string(1, '\0'), "not an ONNX model: field number 0 at byte 0");
  expectRefusal("\x0b", "not an ONNX model: unknown wire type 3 at byte 0");
  expectRefusal("\x3a\x05xx", "not an ONNX model: field of 5 bytes where 2 are left at byte 0");
  std::string graph = bytes(2, "g");
  for (int i = 0; i < 40; ++i)
    graph = node("If", "c", "y", attribute("then_branch", 5, bytes(6, graph)));
  expectRefusal(versions + bytes(7, graph), "not an ONNX model: subgraphs nested too deeply");
  std::string type = number(1, Float);
  for (int i = 0; i < 200; ++i)
    type = bytes(4, bytes(1, type));
  expectRefusal(versions + bytes(7, bytes(11, bytes(1, "x") + bytes(2, type))),
                "not an ONNX model: protobuf cannot parse it");
}

TEST_F(ModelFile, RefusedContents) {
  expectRefusal(versions, "not an ONNX model: there is no graph");
  std::string neg = node("Neg", "x", "y"), data(2048, '\0');
  expectRefusal(model(bytes(15, bytes(1, bytes(8, "s"))) + neg), "sparse initializer 's' is not supported");
  expectRefusal(model(initializer("w", Float, 511, data) + neg),
                "tensor 'w': expected 2044 bytes for FLOAT of its shape, found 2048");
  expectRefusal(model(initializer("w", Float, ~0ull, data) + neg), "tensor 'w': its shape has a negative dimension");
  expectRefusal(model(initializer("w", Float, 512, data) + initializer("w", Float, 512, data) + neg),
                "tensor 'w' is defined twice");
  expectRefusal(model(node("Neg", "x", "y", attribute("a", 13, bytes(14, number(1, 1))))),
                "node 'y' (Neg): attribute 'a' has an unsupported type, found TYPE_PROTO");
  expectRefusal(model(node("Neg", "x", "y", attribute("a", 4, bytes(5, tensor("", Float, 512, data))))),
                "node 'y' (Neg): attribute 'a' holds a tensor of 2048 bytes, expected at most 1024");
  std::string negative = bytes(11, valueInfo("x", number(1, ~0ull)));
  expectRefusal(versions + bytes(7, neg + bytes(2, "g") + negative + output),
                "input 'x' has a negative dimension, found -1");
}

TEST_F(ModelFile, EveryPrefixIsRefusedOrRead) {
  std::string contents = model(initializer("w", Float, 300, std::string(1200, '\0')) + node("Neg", "w", "y"));
  for (size_t size = 0; size < contents.size(); size += size < 64 || size + 128 > contents.size() ? 1 : 97)
    import(contents.substr(0, size));
}

TEST_F(ModelFile, FlippedBitsAreRefusedOrRead) {
  std::string contents = model(initializer("w", Float, 300, std::string(1200, '\0')) + node("Neg", "w", "y"));
  std::mt19937 random(1);
  for (int i = 0; i < 400; ++i) {
    std::string damaged = contents;
    // Most of the file is the weight: aim at the rest.
    size_t place = random() % 160;
    if (place >= 30)
      place = contents.size() - 1 - (place - 30);
    damaged[place] ^= static_cast<char>(1 << random() % 8);
    import(damaged);
  }
}

} // namespace
