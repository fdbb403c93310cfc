//===- NarrowInputs.cpp - extents of inputs that checks make constants ------===//

#include "moec/Dialect/Step/Step.h"
#include "moec/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace moec {
#define GEN_PASS_DEF_NARROWINPUTS
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;

namespace {

/// A dimension of an input, and the extent that it must have.
struct Requirement {
  BlockArgument input;
  int64_t axis, extent;
};

/// What an unconditional check of `dim(input, axis) == constant` requires.
std::optional<Requirement> matchRequirement(step::CheckOp check, Block &entry) {
  auto compare = check.getCondition().getDefiningOp<arith::CmpIOp>();
  if (!compare || compare.getPredicate() != arith::CmpIPredicate::eq)
    return std::nullopt;
  for (auto [side, other] : {std::pair(compare.getLhs(), compare.getRhs()), {compare.getRhs(), compare.getLhs()}}) {
    auto dim = side.getDefiningOp<tensor::DimOp>();
    auto input = dim ? dyn_cast<BlockArgument>(dim.getSource()) : BlockArgument();
    std::optional<int64_t> axis = dim ? dim.getConstantIndex() : std::nullopt, extent = getConstantIntValue(other);
    if (input && input.getOwner() == &entry && axis && extent && *extent >= 0)
      return Requirement{input, *axis, *extent};
  }
  return std::nullopt;
}

StringAttr symbolOf(func::FuncOp function, BlockArgument input, int64_t axis) {
  auto dims = function.getArgAttrOfType<ArrayAttr>(input.getArgNumber(), "onnx.dims");
  auto symbol = dims ? cast<StringAttr>(dims[axis]) : StringAttr();
  return symbol && !symbol.empty() ? symbol : StringAttr();
}

/// `type` with `extent` at `axis`.
RankedTensorType withExtent(RankedTensorType type, int64_t axis, int64_t extent) {
  SmallVector<int64_t> shape(type.getShape());
  shape[axis] = extent;
  return type.clone(shape);
}

class InputNarrower {
public:
  explicit InputNarrower(func::FuncOp function)
      : function(function), entry(function.getBody().front()), builder(function.getContext()) {}

  void require(const Requirement &requirement) {
    StringAttr symbol = symbolOf(function, requirement.input, requirement.axis);
    if (!symbol)
      return narrow(requirement.input, requirement.axis, requirement.extent);
    for (BlockArgument input : entry.getArguments())
      if (auto type = dyn_cast<RankedTensorType>(input.getType()))
        for (int64_t axis : llvm::seq(type.getRank()))
          if (symbolOf(function, input, axis) == symbol)
            narrow(input, axis, requirement.extent);
    narrowResults(symbol, requirement.extent);
  }

  void finish() {
    function.setType(builder.getFunctionType(entry.getArgumentTypes(), entry.getTerminator()->getOperandTypes()));
  }

private:
  void narrow(BlockArgument input, int64_t axis, int64_t extent) {
    auto type = cast<RankedTensorType>(input.getType());
    if (!type.isDynamicDim(axis))
      return;
    input.setType(withExtent(type, axis, extent));
    builder.setInsertionPointToStart(&entry);
    auto cast = tensor::CastOp::create(builder, input.getLoc(), type, input);
    input.replaceUsesWithIf(
        cast, [&](OpOperand &use) { return use.getOwner() != cast && !isa<tensor::DimOp>(use.getOwner()); });
    auto dims = function.getArgAttrOfType<ArrayAttr>(input.getArgNumber(), "onnx.dims");
    if (dims)
      function.setArgAttr(input.getArgNumber(), "onnx.dims", withoutSymbol(dims, axis));
  }

  /// Results of which the extent is known, too. That of others is not proven, and only the symbol's name remains.
  void narrowResults(StringAttr symbol, int64_t extent) {
    Operation *end = entry.getTerminator();
    for (OpOperand &result : end->getOpOperands()) {
      auto dims = function.getResultAttrOfType<ArrayAttr>(result.getOperandNumber(), "onnx.dims");
      auto cast = result.get().getDefiningOp<tensor::CastOp>();
      auto known = cast ? dyn_cast<RankedTensorType>(cast.getSource().getType()) : RankedTensorType();
      if (!dims || !known)
        continue;
      auto type = mlir::cast<RankedTensorType>(result.get().getType());
      for (int64_t axis : llvm::seq(type.getRank()))
        if (dims[axis] == symbol && type.isDynamicDim(axis) && known.getDimSize(axis) == extent) {
          type = withExtent(type, axis, extent);
          dims = withoutSymbol(dims, axis);
        }
      if (type == result.get().getType())
        continue;
      builder.setInsertionPoint(end);
      result.set(tensor::CastOp::create(builder, cast.getLoc(), type, cast.getSource()));
      function.setResultAttr(result.getOperandNumber(), "onnx.dims", dims);
    }
  }

  ArrayAttr withoutSymbol(ArrayAttr dims, int64_t axis) {
    SmallVector<Attribute> symbols(dims.begin(), dims.end());
    symbols[axis] = builder.getStringAttr("");
    return builder.getArrayAttr(symbols);
  }

  func::FuncOp function;
  Block &entry;
  OpBuilder builder;
};

struct NarrowInputs : moec::impl::NarrowInputsBase<NarrowInputs> {
  void runOnOperation() override {
    auto function = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!function || function.isExternal())
      return;
    Block &entry = function.getBody().front();
    InputNarrower narrower(function);
    for (auto check : llvm::make_early_inc_range(entry.getOps<step::CheckOp>()))
      if (std::optional<Requirement> requirement = matchRequirement(check, entry)) {
        narrower.require(*requirement);
        if (cast<RankedTensorType>(requirement->input.getType()).getDimSize(requirement->axis) == requirement->extent)
          check.erase();
      }
    narrower.finish();
  }
};

} // namespace
