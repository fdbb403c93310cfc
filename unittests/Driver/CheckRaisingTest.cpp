// The check of what was recognised, with recognisers that were wrong: raised graphs written by hand beside plain ones.
#include "CheckRaising.h"

#include "moec/InitAll.h"
#include "moec/Raise/RaisedStructures.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Onnx/Onnx.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace moec;

namespace {

/// Two norms in a row, the first one of the sum of the inputs.
constexpr llvm::StringLiteral plainNodes = R"mlir(
  func.func @main(%x: tensor<?x4xf32> {onnx.name = "x", onnx.elem_type = 1 : i32, onnx.dims = ["t", ""]},
                  %z: tensor<?x4xf32> {onnx.name = "z", onnx.elem_type = 1 : i32, onnx.dims = ["t", ""]})
      -> (tensor<?x4xf32> {onnx.name = "y", onnx.elem_type = 1 : i32, onnx.dims = ["t", ""]}) {
    %eps = onnx.constant dense<0.5> : tensor<f32> : tensor<f32>
    %w = onnx.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32> : tensor<4xf32>
    %sum = onnx.node "Add"(%x, %z) {version = 14 : i64, moe.number = 0 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    %s0 = onnx.node "Mul"(%sum, %sum) {version = 14 : i64, moe.number = 1 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    %m0 = onnx.node "ReduceMean"(%s0) {version = 13 : i64, moe.number = 2 : i64, attrs = {axes = array<i64: -1>}} : (tensor<?x4xf32>) -> tensor<?x1xf32>
    %e0 = onnx.node "Add"(%m0, %eps) {version = 14 : i64, moe.number = 3 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
    %r0 = onnx.node "Sqrt"(%e0) {version = 13 : i64, moe.number = 4 : i64} : (tensor<?x1xf32>) -> tensor<?x1xf32>
    %u0 = onnx.node "Div"(%sum, %r0) {version = 14 : i64, moe.number = 5 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
    %n0 = onnx.node "Mul"(%u0, %w) {version = 14 : i64, moe.number = 6 : i64} : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    %t = onnx.node "Tanh"(%n0) {version = 13 : i64, moe.number = 7 : i64, name = "between"} : (tensor<?x4xf32>) -> tensor<?x4xf32>
    %s1 = onnx.node "Mul"(%t, %t) {version = 14 : i64, moe.number = 8 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    %m1 = onnx.node "ReduceMean"(%s1) {version = 13 : i64, moe.number = 9 : i64, attrs = {axes = array<i64: -1>}} : (tensor<?x4xf32>) -> tensor<?x1xf32>
    %e1 = onnx.node "Add"(%m1, %eps) {version = 14 : i64, moe.number = 10 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
    %r1 = onnx.node "Sqrt"(%e1) {version = 13 : i64, moe.number = 11 : i64} : (tensor<?x1xf32>) -> tensor<?x1xf32>
    %u1 = onnx.node "Div"(%t, %r1) {version = 14 : i64, moe.number = 12 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
    %y = onnx.node "Neg"(%u1) {version = 13 : i64, moe.number = 13 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
    return {moe.number = 14 : i64} %y : tensor<?x4xf32>
  }
)mlir";

/// A norm in the body of a loop, of what the loop carries plus the input of the graph.
constexpr llvm::StringLiteral plainLoop = R"mlir(
  func.func @main(%x: tensor<?x4xf32> {onnx.name = "x", onnx.elem_type = 1 : i32, onnx.dims = ["t", ""]})
      -> (tensor<?x4xf32> {onnx.name = "y", onnx.elem_type = 1 : i32, onnx.dims = ["t", ""]}) {
    %eps = onnx.constant dense<0.5> : tensor<f32> : tensor<f32>
    %trips = onnx.constant dense<2> : tensor<i64> : tensor<i64>
    %none = onnx.absent
    %y = onnx.node "Loop"(%trips, %none, %x) ({
    ^bb0(%i: tensor<i64>, %go: tensor<i1>, %h: tensor<?x4xf32>):
      %sum = onnx.node "Add"(%h, %x) {version = 14 : i64, moe.number = 0 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
      %s0 = onnx.node "Mul"(%sum, %sum) {version = 14 : i64, moe.number = 1 : i64} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
      %m0 = onnx.node "ReduceMean"(%s0) {version = 13 : i64, moe.number = 2 : i64, attrs = {axes = array<i64: -1>}} : (tensor<?x4xf32>) -> tensor<?x1xf32>
      %e0 = onnx.node "Add"(%m0, %eps) {version = 14 : i64, moe.number = 3 : i64} : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
      %r0 = onnx.node "Sqrt"(%e0) {version = 13 : i64, moe.number = 4 : i64} : (tensor<?x1xf32>) -> tensor<?x1xf32>
      %u0 = onnx.node "Div"(%sum, %r0) {version = 14 : i64, moe.number = 5 : i64} : (tensor<?x4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
      %n = onnx.node "Neg"(%u0) {version = 13 : i64, moe.number = 6 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
      onnx.yield {moe.number = 7 : i64} %go, %n : tensor<i1>, tensor<?x4xf32>
    }) {version = 13 : i64, region_names = ["body"], moe.number = 8 : i64} : (tensor<i64>, none, tensor<?x4xf32>) -> tensor<?x4xf32>
    return {moe.number = 9 : i64} %y : tensor<?x4xf32>
  }
)mlir";

class CheckRaising : public testing::Test {
protected:
  CheckRaising() {
    DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  /// The raised graph: `first` and `second` make %n0 and %u1.
  OwningOpRef<ModuleOp> raise(llvm::StringRef first, llvm::StringRef second) {
    std::string text = plainNodes.str();
    auto replace = [&](llvm::StringRef from, llvm::StringRef to, llvm::StringRef by) {
      size_t start = text.find(from.str()), end = text.find(to.str());
      text.replace(start, end - start, by.str());
    };
    replace("    %s0",
            "    %t =", ("%n0 = " + first + " : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>\n").str());
    replace("    %s1", "    %y =", ("%u1 = " + second + " : (tensor<?x4xf32>) -> tensor<?x4xf32>\n").str());
    return parse(text);
  }

  /// The loop, in whose body `norm` makes %u0.
  OwningOpRef<ModuleOp> raiseInLoop(llvm::StringRef norm) {
    std::string text = plainLoop.str();
    size_t start = text.find("      %s0"), end = text.find("      %n =");
    text.replace(start, end - start, ("%u0 = " + norm + " : (tensor<?x4xf32>) -> tensor<?x4xf32>\n").str());
    return parse(text);
  }

  /// Parses a graph of f32 as one of `elementType`.
  OwningOpRef<ModuleOp> parse(std::string text) {
    auto replaceAll = [&](llvm::StringRef from, const std::string &to) {
      for (size_t at = text.find(from.str()); at != std::string::npos; at = text.find(from.str(), at + to.size()))
        text.replace(at, from.size(), to);
    };
    replaceAll("xf32>", "x" + elementType + ">");
    replaceAll("tensor<f32>", "tensor<" + elementType + ">");
    replaceAll("elem_type = 1 ", "elem_type = " + dataType + " ");
    return parseSourceString<ModuleOp>(text, &context);
  }

  CheckCounts check(ModuleOp raised, bool strict, llvm::StringRef plainText = plainNodes) {
    OwningOpRef<ModuleOp> plain = parse(plainText.str());
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      severities.push_back(diagnostic.getSeverity());
      messages += diagnostic.str() + "\n";
      return success();
    });
    return checkRaising(raised, *plain, strict);
  }

  static unsigned countNorms(ModuleOp module) {
    unsigned count = 0;
    module.walk([&](nn::RmsNormOp) { ++count; });
    return count;
  }

  MLIRContext context;
  std::string elementType = "f32", dataType = "1";
  std::string messages;
  SmallVector<DiagnosticSeverity> severities;
};

TEST_F(CheckRaising, WhatAgreesStays) {
  auto raised = raise("nn.rms_norm %sum weight %w eps 0.5", "nn.rms_norm %t eps 0.5");
  ASSERT_TRUE(raised);
  CheckCounts counts = check(*raised, false);
  EXPECT_EQ(counts.structures, 2u);
  EXPECT_EQ(counts.rejected + counts.unchecked, 0u) << messages;
  EXPECT_EQ(countNorms(*raised), 2u);
}

TEST_F(CheckRaising, RoundingOfNarrowFloatsIsAllowedFor) {
  for (auto [type, number] : {std::pair("f16", "10"), std::pair("bf16", "16")}) {
    elementType = type;
    dataType = number;
    auto raised = raise("nn.rms_norm %sum weight %w eps 0.5", "nn.rms_norm %t eps 0.25");
    ASSERT_TRUE(raised);
    CheckCounts counts = check(*raised, false);
    EXPECT_EQ(counts.rejected, 1u) << messages;
    EXPECT_EQ(counts.unchecked, 0u) << messages;
    EXPECT_EQ(countNorms(*raised), 1u);
  }
}

TEST_F(CheckRaising, AnotherEpsilonIsPutBackAlone) {
  auto raised = raise("nn.rms_norm %sum weight %w eps 0.25", "nn.rms_norm %t eps 0.5");
  ASSERT_TRUE(raised);
  CheckCounts counts = check(*raised, false);
  EXPECT_EQ(counts.rejected, 1u) << messages;
  ASSERT_EQ(severities.size(), 1u);
  EXPECT_EQ(severities.front(), DiagnosticSeverity::Warning);
  EXPECT_EQ(messages.find("normalisation is left as plain operators: it differs from plain operators by"), 0u)
      << messages;
  EXPECT_EQ(countNorms(*raised), 1u);
  EXPECT_TRUE(succeeded(verify(*raised)));
}

TEST_F(CheckRaising, AForgottenOperandIsFoundOut) {
  auto raised = raise("nn.rms_norm %x weight %w eps 0.5", "nn.rms_norm %t eps 0.5");
  ASSERT_TRUE(raised);
  EXPECT_EQ(check(*raised, false).rejected, 1u) << messages;
  EXPECT_EQ(countNorms(*raised), 1u);
}

TEST_F(CheckRaising, BothArePutBack) {
  auto raised = raise("nn.rms_norm %sum weight %w eps 0.25", "nn.rms_norm %t eps 0.75");
  ASSERT_TRUE(raised);
  EXPECT_EQ(check(*raised, false).rejected, 2u) << messages;
  EXPECT_EQ(countNorms(*raised), 0u);
  EXPECT_TRUE(succeeded(verify(*raised)));
}

TEST_F(CheckRaising, WhatAgreesInALoopStays) {
  auto raised = raiseInLoop("nn.rms_norm %sum eps 0.5");
  ASSERT_TRUE(raised);
  CheckCounts counts = check(*raised, false, plainLoop);
  EXPECT_EQ(counts.structures, 1u);
  EXPECT_EQ(counts.rejected + counts.unchecked, 0u) << messages;
  EXPECT_EQ(countNorms(*raised), 1u);
}

TEST_F(CheckRaising, WhatDiffersInALoopIsPutBackThere) {
  for (llvm::StringRef norm : {"nn.rms_norm %sum eps 0.25", "nn.rms_norm %h eps 0.5"}) {
    auto raised = raiseInLoop(norm);
    ASSERT_TRUE(raised);
    CheckCounts counts = check(*raised, false, plainLoop);
    EXPECT_EQ(counts.rejected, 1u) << messages;
    EXPECT_EQ(countNorms(*raised), 0u);
    EXPECT_TRUE(succeeded(verify(*raised)));
    unsigned inBody = 0;
    raised->walk([&](onnx::NodeOp node) { inBody += node.is("Sqrt") && isa<onnx::NodeOp>(node->getParentOp()); });
    EXPECT_EQ(inBody, 1u);
  }
}

TEST_F(CheckRaising, StrictIsAnError) {
  auto raised = raise("nn.rms_norm %sum weight %w eps 0.25", "nn.rms_norm %t eps 0.5");
  ASSERT_TRUE(raised);
  EXPECT_EQ(check(*raised, true).rejected, 1u);
  ASSERT_EQ(severities.size(), 1u);
  EXPECT_EQ(severities.front(), DiagnosticSeverity::Error);
  EXPECT_EQ(messages.find("normalisation: it differs from plain operators by"), 0u) << messages;
  EXPECT_EQ(countNorms(*raised), 2u);
}

} // namespace
