// The check of what was recognised: equal programs agree, different ones are told apart.
#include "CompareArtifacts.h"

#include "moec/Driver/Compile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include "gtest/gtest.h"

using namespace moec;

namespace {

class CompareArtifacts : public testing::Test {
protected:
  void SetUp() override { ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("moec-compare", folder)); }
  void TearDown() override { llvm::sys::fs::remove_directories(folder); }

  std::string inFolder(llvm::StringRef name) {
    llvm::SmallString<128> path = folder;
    llvm::sys::path::append(path, name);
    return path.str().str();
  }

  /// A file that adds `summand` to the rows of its input.
  std::string compileSum(llvm::StringRef name, llvm::StringRef summand) {
    std::string source = inFolder((name + ".mlir").str());
    std::error_code error;
    llvm::raw_fd_ostream(source, error)
        << "func.func @main(%x: tensor<?x3xf32> {onnx.name = \"x\", onnx.elem_type = 1 : i32, onnx.dims = [\"t\", "
           "\"\"]})"
           " -> (tensor<?x3xf32> {onnx.name = \"y\", onnx.elem_type = 1 : i32, onnx.dims = [\"t\", \"\"]}) {\n"
           "  %c = onnx.constant dense<"
        << summand
        << "> : tensor<3xf32> : tensor<3xf32>\n"
           "  %y = onnx.node \"Add\"(%x, %c) {version = 14 : i64} : (tensor<?x3xf32>, tensor<3xf32>) -> "
           "tensor<?x3xf32>\n"
           "  return %y : tensor<?x3xf32>\n}\n";
    CompileOptions options;
    options.input = source;
    options.output = inFolder((name + ".moe").str());
    options.cpus = {"native"};
    EXPECT_EQ(compile(options, llvm::errs()), CompileStatus::Success);
    return options.output;
  }

  llvm::SmallString<128> folder;
};

TEST_F(CompareArtifacts, EqualProgramsAgree) {
  std::string first = compileSum("first", "[1.0, 2.0, 3.0]"), second = compileSum("second", "[1.0, 2.0, 3.00001]");
  EXPECT_EQ(compareArtifacts(first, second).agreement, Agreement::Equal);
}

TEST_F(CompareArtifacts, DifferencesAreNamed) {
  std::string first = compileSum("first", "[1.0, 2.0, 3.0]"), second = compileSum("second", "[1.0, 2.0, 3.5]");
  Comparison comparison = compareArtifacts(first, second);
  EXPECT_EQ(comparison.agreement, Agreement::Different);
  EXPECT_EQ(comparison.detail, "output 0 for extents of 1 and inputs of scale 0.000000");
}

TEST_F(CompareArtifacts, WhatCannotRunIsUnknown) {
  Comparison comparison = compareArtifacts(inFolder("missing.moe"), inFolder("missing.moe"));
  EXPECT_EQ(comparison.agreement, Agreement::Unknown);
  EXPECT_NE(comparison.detail, "");
}

TEST_F(CompareArtifacts, CheckedCompilationKeepsWhatAgrees) {
  compileSum("sum", "[1.0, 2.0, 3.0]");
  CompileOptions options;
  options.input = inFolder("sum.mlir");
  options.output = inFolder("checked.moe");
  options.cpus = {"native"};
  options.check = true;
  std::string messages;
  llvm::raw_string_ostream os(messages);
  EXPECT_EQ(compile(options, os), CompileStatus::Success);
  EXPECT_NE(messages.find("0 warnings"), std::string::npos) << messages;
}

} // namespace
