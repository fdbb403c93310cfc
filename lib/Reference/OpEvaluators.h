//===- OpEvaluators.h - one evaluator per op --------------------------------===//
//
// Each takes the op, its operand values in operand order and fills its results, which are allocated with their shapes.
// It fails, with a diagnostic on the op, only on what the op's documentation calls a run-time error.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_REFERENCE_OPEVALUATORS_H
#define MOEC_LIB_REFERENCE_OPEVALUATORS_H

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Reference/HostTensor.h"

namespace moec::reference {

/// The operands of an op by ODS index, and its results.
class Values {
public:
  Values(mlir::Operation *op, llvm::ArrayRef<HostTensor> operands) : op(op), operands(operands) {}

  /// The value of an operand of the op.
  const HostTensor &operator[](mlir::Value operand) const;
  /// The value of an optional operand, or null.
  const HostTensor *find(mlir::Value operand) const { return operand ? &(*this)[operand] : nullptr; }
  /// Adds the next result with this shape and the element type its type has.
  HostTensor &addResult(llvm::ArrayRef<int64_t> shape);

  mlir::Operation *op;
  llvm::ArrayRef<HostTensor> operands;
  llvm::SmallVector<HostTensor, 4> results;
};

/// `index` counted from the start of an extent; fails with a diagnostic on the op if it is out of range.
llvm::FailureOr<int64_t> normalizeIndex(mlir::Operation *op, int64_t index, int64_t extent);

/// Whether a ranks before b in a descending order with NaN last; false for equals.
template <typename T> bool ranksBefore(T a, T b) { return a > b || (a == a && b != b); }

double activate(moe::ActivationAttr activation, double gate, double linear);

llvm::LogicalResult evaluateOp(moe::RouteOp op, Values &values);
llvm::LogicalResult evaluateOp(moe::LimitCapacityOp op, Values &values);
llvm::LogicalResult evaluateOp(moe::GroupOp op, Values &values);
llvm::LogicalResult evaluateOp(moe::ExpertsOp op, Values &values);
llvm::LogicalResult evaluateOp(moe::GroupedMatmulOp op, Values &values);
llvm::LogicalResult evaluateOp(moe::CombineOp op, Values &values);
llvm::LogicalResult evaluateOp(moe::PackPanelsOp op, Values &values);
llvm::LogicalResult evaluateOp(moe::DequantizeOp op, Values &values);
llvm::LogicalResult evaluateOp(moe::UnpackValuesOp op, Values &values);
llvm::LogicalResult evaluateOp(moe::OffsetValuesOp op, Values &values);
llvm::LogicalResult evaluateOp(moe::PackWordsOp op, Values &values);
llvm::LogicalResult evaluateOp(moe::LoadWeightOp op, Values &values);

llvm::LogicalResult evaluateOp(nn::GatherOp op, Values &values);
llvm::LogicalResult evaluateOp(nn::GatherElementsOp op, Values &values);
llvm::LogicalResult evaluateOp(nn::GatherNdOp op, Values &values);
llvm::LogicalResult evaluateOp(nn::ScatterElementsOp op, Values &values);
llvm::LogicalResult evaluateOp(nn::ScatterNdOp op, Values &values);
llvm::LogicalResult evaluateOp(nn::TopKOp op, Values &values);
llvm::LogicalResult evaluateOp(nn::CumSumOp op, Values &values);
llvm::LogicalResult evaluateOp(nn::CountNonzeroOp op, Values &values);
llvm::LogicalResult evaluateOp(nn::NonzeroOp op, Values &values);
llvm::LogicalResult evaluateOp(nn::SoftmaxOp op, Values &values);
llvm::LogicalResult evaluateOp(nn::RmsNormOp op, Values &values);
llvm::LogicalResult evaluateOp(nn::LayerNormOp op, Values &values);
llvm::LogicalResult evaluateOp(nn::RotaryOp op, Values &values);
llvm::LogicalResult evaluateOp(nn::AttentionOp op, Values &values);
llvm::LogicalResult evaluateOp(nn::KvAppendOp op, Values &values);

} // namespace moec::reference

#endif // MOEC_LIB_REFERENCE_OPEVALUATORS_H
