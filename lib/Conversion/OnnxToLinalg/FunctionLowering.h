//===- FunctionLowering.h - one function from ONNX nodes to linalg --*- C++ -*-===//
//
// One walk over the function in order. Results of nodes are kept in a map instead of replacing uses, so that a value
// can stay a list of scalars until someone needs the tensor. Subgraphs of control flow become regions of scf ops; what
// is computed and learned inside of them is forgotten behind them.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_ONNXTOLINALG_FUNCTIONLOWERING_H
#define MOEC_LIB_CONVERSION_ONNXTOLINALG_FUNCTIONLOWERING_H

#include "Rows.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "moec/Dialect/Moe/Moe.h"

namespace moec {

class FunctionLowering {
public:
  FunctionLowering(mlir::func::FuncOp function, const RowTable &table)
      : function(function), table(table), block(&function.getBody().front()),
        builder(function.getLoc(), block, block->begin()), emitter(builder, block), values(emitter) {}

  mlir::LogicalResult run();

private:
  using Values = llvm::SmallVector<mlir::Value>;

  void eraseUnusedNodes();
  mlir::LogicalResult bindArguments();
  mlir::LogicalResult lower(mlir::Operation *op);
  mlir::LogicalResult lowerNode(onnx::NodeOp node);
  mlir::LogicalResult refuseNode(onnx::NodeOp node);
  mlir::LogicalResult checkTypes(onnx::NodeOp node, const Row &row);
  std::optional<ScalarTensor> evaluateScalars(onnx::NodeOp node, Binder &binder);
  mlir::LogicalResult convertOperands(mlir::Operation *op);
  /// `tensor` as `type`; extents that only `type` knows are checked.
  mlir::FailureOr<mlir::Value> withType(mlir::Value tensor, mlir::RankedTensorType type, const llvm::Twine &what);
  void bindStored(mlir::Value value);
  void unpackWeight(moe::LoadWeightOp load);
  void removeNodes();

  //===--- ControlFlow.cpp ---===//
  struct Scope {
    explicit Scope(FunctionLowering &lowering) : emitter(lowering.emitter), values(lowering.values) {}
    TensorEmitter::Scope emitter;
    ValueMap::Scope values;
  };
  struct LoopPlan;

  mlir::LogicalResult lowerControlFlow(onnx::NodeOp node);
  mlir::LogicalResult lowerIf(onnx::NodeOp node);
  mlir::LogicalResult lowerLoop(onnx::NodeOp node);
  mlir::LogicalResult lowerScan(onnx::NodeOp node);
  mlir::LogicalResult lowerOnlyBranch(onnx::NodeOp node, unsigned region);
  /// Lowers a subgraph of `node` at the insertion point.
  mlir::LogicalResult lowerSubgraph(onnx::NodeOp node, unsigned region);
  mlir::FailureOr<mlir::Value> readOne(mlir::Value value, llvm::StringRef what);
  mlir::FailureOr<Values> lowerWhile(onnx::NodeOp node, const LoopPlan &plan);
  mlir::LogicalResult fillWhileBody(onnx::NodeOp node, const LoopPlan &plan, mlir::Block *after);
  mlir::FailureOr<mlir::Value> append(mlir::Value collected, mlir::Value element, mlir::RankedTensorType type,
                                      bool inFront);
  mlir::LogicalResult planCarried(mlir::ValueRange arguments, mlir::ValueRange inputs, LoopPlan &plan);

  mlir::func::FuncOp function;
  const RowTable &table;
  mlir::Block *block;
  mlir::ImplicitLocOpBuilder builder;
  TensorEmitter emitter;
  ValueMap values;
  llvm::SmallVector<mlir::UnrealizedConversionCastOp> storageCasts;
};

/// How diagnostics and checks name a node.
std::string labelOf(onnx::NodeOp node);

} // namespace moec

#endif // MOEC_LIB_CONVERSION_ONNXTOLINALG_FUNCTIONLOWERING_H
