// Two forms in one program: equal ones agree, different ones are told apart on inputs that show it.
#include "CompareForms.h"

#include "moec/Driver/Compile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include "gtest/gtest.h"

using namespace moec;

namespace {

class CompareForms : public testing::Test {
protected:
  void SetUp() override { ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("moec-compare", folder)); }
  void TearDown() override { llvm::sys::fs::remove_directories(folder); }

  std::string inFolder(llvm::StringRef name) {
    llvm::SmallString<128> path = folder;
    llvm::sys::path::append(path, name);
    return path.str().str();
  }

  /// Compiles `nodes`, which compute %raised and %plain from %x, and compares the two.
  Comparison compare(llvm::StringRef nodes) {
    std::string source = inFolder("forms.mlir");
    {
      std::error_code error;
      llvm::raw_fd_ostream(source, error)
          << "func.func @main(%x: tensor<?x3xf32> {onnx.name = \"x\", onnx.elem_type = 1 : i32, onnx.dims = [\"t\", "
             "\"\"]}) -> (tensor<?x3xf32> {onnx.name = \"raised\", onnx.elem_type = 1 : i32, onnx.dims = [\"t\", "
             "\"\"]},"
             " tensor<?x3xf32> {onnx.name = \"plain\", onnx.elem_type = 1 : i32, onnx.dims = [\"t\", \"\"]}) {\n"
          << nodes << "return %raised, %plain : tensor<?x3xf32>, tensor<?x3xf32>\n}\n";
    }
    CompileOptions options;
    options.input = source;
    options.output = inFolder("forms.moe");
    options.cpus = {"native"};
    EXPECT_EQ(compile(options, llvm::errs()), CompileStatus::Success);
    StructureGraph graph;
    graph.isBatch = {false};
    graph.shapes = [](llvm::ArrayRef<int64_t> symbols) {
      return llvm::SmallVector<llvm::SmallVector<int64_t>>{{symbols[0], 3}};
    };
    return compareForms(options.output, graph);
  }

  static std::string node(llvm::StringRef name, llvm::StringRef op, llvm::StringRef a, llvm::StringRef b, int version) {
    return ("%" + name + " = onnx.node \"" + op + "\"(" + a + ", " + b + ") {version = " + llvm::Twine(version) +
            " : i64} : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>\n")
        .str();
  }

  llvm::SmallString<128> folder;
};

TEST_F(CompareForms, EqualFormsAgree) {
  Comparison comparison = compare(node("raised", "Add", "%x", "%x", 14) + node("plain", "Sum", "%x", "%x", 13));
  EXPECT_EQ(comparison.agreement, Agreement::Equal) << comparison.detail;
}

TEST_F(CompareForms, DifferencesAreNamed) {
  Comparison comparison = compare(node("raised", "Add", "%x", "%x", 14) + node("plain", "Mul", "%x", "%x", 14));
  EXPECT_EQ(comparison.agreement, Agreement::Different);
  EXPECT_EQ(comparison.detail, "it differs from plain operators by 3, for extents of 1 and ties");
}

// Exact zeros apart, x - x is nothing but rounding.
TEST_F(CompareForms, WhatIsOnlyRoundingIsPassedOver) {
  std::string nodes = node("twice", "Add", "%x", "%x", 14) + node("thrice", "Add", "%twice", "%x", 14) +
                      node("again", "Sub", "%thrice", "%x", 14) + node("raised", "Sub", "%again", "%twice", 14) +
                      node("plain", "Sub", "%x", "%x", 14);
  EXPECT_EQ(compare(nodes).agreement, Agreement::Equal);
}

TEST_F(CompareForms, WhatCannotRunIsUnknown) {
  Comparison comparison = compareForms(inFolder("missing.moe"), StructureGraph());
  EXPECT_EQ(comparison.agreement, Agreement::Unknown);
  EXPECT_NE(comparison.detail, "");
}

} // namespace
