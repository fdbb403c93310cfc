//===- TensorCopyGpuKernels.cpp - slices and concatenations on GPUs ---------===//
//
// A thread moves a run of up to 16 bytes. Its length follows from the static extents and offsets, so that no run
// crosses an edge and all are aligned.
//
//===----------------------------------------------------------------------===//

#include "CopyRuns.h"
#include "GpuKernels.h"
#include "SliceBox.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;

namespace {

class SliceCopy {
public:
  SliceCopy(tensor::ExtractSliceOp op, const LoopEmitter &emit, ValueRange operands)
      : emit(emit), source(operands[0]), box(emit, op, operands, source), width(getWidth(op)),
        perRow(emit.div(box.run(emit), width)) {}

  static int64_t getWidth(tensor::ExtractSliceOp op) {
    RankedTensorType type = op.getSourceType();
    int64_t cut = std::max<int64_t>(type.getRank() - 1, 0);
    auto isWhole = [&](int64_t dim) {
      return op.getStaticOffsets()[dim] == 0 && op.getStaticStrides()[dim] == 1 && !type.isDynamicDim(dim) &&
             op.getStaticSizes()[dim] == type.getDimSize(dim);
    };
    while (cut > 0 && isWhole(cut))
      --cut;
    if (type.getRank() == 0 || op.getStaticStrides()[cut] != 1)
      return 1;
    int64_t inner = getKnownFactor(type.getShape(), cut + 1, type.getRank());
    auto timesInner = [&](int64_t value) { return ShapedType::isDynamic(value) ? inner : value * inner; };
    return getRunWidth(type.getElementType(), {timesInner(op.getStaticOffsets()[cut]),
                                               timesInner(op.getStaticSizes()[cut]), timesInner(type.getDimSize(cut))});
  }

  Value buildRunCount() const { return emit.mul(emit.product(ArrayRef(box.sizes).take_front(box.cut)), perRow); }
  SmallVector<Value> buildConditions() const { return box.conditions(emit); }

  void emitRun(const GpuBlockBuilder &block, const step::GpuKernelContext &, Value result, Value run) const {
    auto before = [&](ArrayRef<Value> values) { return values.take_front(box.cut); };
    SmallVector<Value> at = emit.delinearize(emit.div(run, perRow), before(box.sizes));
    for (auto [coordinate, offset, stride] : llvm::zip(at, box.offsets, box.strides))
      coordinate = emit.add(offset, emit.mul(coordinate, stride));
    Value row = emit.mul(emit.linearize(at, before(box.extents)), box.wholeRun(emit));
    Value first = emit.add(row, emit.mul(box.offsets[box.cut], box.inner));
    Value column = emit.mul(emit.rem(run, perRow), width);
    ElementRuns(block, source).copy(emit.add(first, column), ElementRuns(block, result), emit.mul(run, width), width);
  }

private:
  const LoopEmitter &emit;
  Value source;
  SliceBox box;
  int64_t width;
  Value perRow;
};

/// For each combination of the dimensions before the concatenated one, the inputs' runs follow each other.
class ConcatCopy {
public:
  ConcatCopy(tensor::ConcatOp op, const LoopEmitter &emit, ValueRange operands)
      : emit(emit), inputs(operands), dim(op.getDim()), width(getWidth(op)), perRow(emit.index(0)) {
    for (Value input : inputs) {
      lengths.push_back(emit.elements(input, dim, rankOf(input)));
      perRow = emit.add(perRow, emit.div(lengths.back(), width));
    }
  }

  static int64_t getWidth(tensor::ConcatOp op) {
    auto factors = llvm::map_to_vector(op.getInputs(), [&](Value input) {
      auto type = cast<RankedTensorType>(input.getType());
      return getKnownFactor(type.getShape(), op.getDim(), type.getRank());
    });
    return getRunWidth(op.getResultType().getElementType(), factors);
  }

  Value buildRunCount() const { return emit.mul(emit.elements(inputs[0], 0, dim), perRow); }

  /// All inputs must agree but along `dim`.
  SmallVector<Value> buildConditions() const {
    SmallVector<Value> conditions;
    for (Value input : inputs.drop_front())
      for (int64_t i = 0; i < rankOf(input); ++i)
        if (i != dim)
          conditions.push_back(emit.equal(emit.extent(inputs[0], i), emit.extent(input, i)));
    return conditions;
  }

  void emitRun(const GpuBlockBuilder &block, const step::GpuKernelContext &, Value result, Value run) const {
    ElementRuns out(block, result);
    Value row = emit.div(run, perRow), column = emit.mul(emit.rem(run, perRow), width);
    Value target = emit.mul(run, width), from = emit.index(0);
    for (auto [input, length] : llvm::zip_equal(inputs, lengths)) {
      Value place = emit.sub(column, from);
      block.ifThen(emit.compare(arith::CmpIPredicate::ult, place, length), [&, input = input, length = length] {
        ElementRuns(block, input).copy(emit.add(emit.mul(row, length), place), out, target, width);
      });
      from = emit.add(from, length);
    }
  }

private:
  const LoopEmitter &emit;
  ValueRange inputs;
  int64_t dim, width;
  SmallVector<Value> lengths;
  Value perRow;
};

} // namespace

void moec::attachTensorCopyGpuKernels(MLIRContext *context) {
  tensor::ExtractSliceOp::attachInterface<CopyGpuKernel<tensor::ExtractSliceOp, SliceCopy>>(*context);
  tensor::ConcatOp::attachInterface<CopyGpuKernel<tensor::ConcatOp, ConcatCopy>>(*context);
}
