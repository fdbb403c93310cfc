//===- TensorCopyGpuKernels.cpp - slices, concatenations and padding on GPUs -===//
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

/// Elements that move together where a slice is taken out of, or put into, a tensor of this type.
int64_t getSliceWidth(OffsetSizeAndStrideOpInterface op, RankedTensorType whole) {
  int64_t cut = std::max<int64_t>(whole.getRank() - 1, 0);
  auto isWhole = [&](int64_t dim) {
    return op.getStaticOffsets()[dim] == 0 && op.getStaticStrides()[dim] == 1 && !whole.isDynamicDim(dim) &&
           op.getStaticSizes()[dim] == whole.getDimSize(dim);
  };
  while (cut > 0 && isWhole(cut))
    --cut;
  if (whole.getRank() == 0 || op.getStaticStrides()[cut] != 1)
    return 1;
  int64_t inner = getKnownFactor(whole.getShape(), cut + 1, whole.getRank());
  auto timesInner = [&](int64_t value) { return ShapedType::isDynamic(value) ? inner : value * inner; };
  return getRunWidth(whole.getElementType(), {timesInner(op.getStaticOffsets()[cut]),
                                              timesInner(op.getStaticSizes()[cut]), timesInner(whole.getDimSize(cut))});
}

class SliceCopy {
public:
  SliceCopy(tensor::ExtractSliceOp op, const LoopEmitter &emit, ValueRange operands)
      : emit(emit), source(operands[0]), box(emit, op, operands, source), width(getWidth(op)),
        perRow(emit.div(box.run(emit), width)) {}

  static int64_t getWidth(tensor::ExtractSliceOp op) { return getSliceWidth(op, op.getSourceType()); }

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

/// Each run of the result comes from the slice or from what it is put into.
class OverlayCopy {
public:
  OverlayCopy(tensor::InsertSliceOp op, const LoopEmitter &emit, ValueRange operands, Value whole)
      : emit(emit), source(operands[0]), destination(operands[1]), box(emit, op, operands, whole), width(getWidth(op)),
        perRow(emit.div(box.wholeRun(emit), width)) {}

  static int64_t getWidth(tensor::InsertSliceOp op) { return getSliceWidth(op, op.getType()); }
  Value buildRunCount() const { return emit.mul(emit.product(ArrayRef(box.extents).take_front(box.cut)), perRow); }
  SmallVector<Value> buildConditions() const {
    SmallVector<Value> conditions = box.conditions(emit);
    conditions.push_back(emit.equal(emit.elements(source), emit.product(box.sizes)));
    return conditions;
  }

  void emitRun(const GpuBlockBuilder &block, const step::GpuKernelContext &, Value result, Value run) const {
    ElementRuns out(block, result);
    SmallVector<Value> at = emit.delinearize(emit.div(run, perRow), ArrayRef(box.extents).take_front(box.cut));
    Value isInside = block.boolean(true);
    for (auto [coordinate, offset, size, stride] : llvm::zip(at, box.offsets, box.sizes, box.strides)) {
      // Unsigned: what lies before the offset is far behind the end.
      Value distance = emit.sub(coordinate, offset);
      coordinate = emit.div(distance, stride);
      Value isMet = emit.both(emit.equal(emit.rem(distance, stride), emit.index(0)),
                              emit.compare(arith::CmpIPredicate::ult, coordinate, size));
      isInside = emit.both(isInside, isMet);
    }
    Value column = emit.sub(emit.mul(emit.rem(run, perRow), width), emit.mul(box.offsets[box.cut], box.inner));
    Value length = box.run(emit), place = emit.mul(run, width);
    isInside = emit.both(isInside, emit.compare(arith::CmpIPredicate::ult, column, length));
    auto takeSlice = [&] {
      Value row = emit.mul(emit.linearize(at, ArrayRef(box.sizes).take_front(box.cut)), length);
      ElementRuns(block, source).copy(emit.add(row, column), out, place, width);
      return GpuBlockBuilder::Values();
    };
    auto takeDestination = [&] {
      if (destination && isa<MemRefType>(destination.getType()))
        ElementRuns(block, destination).copy(place, out, place, width);
      else if (destination)
        out.store(SmallVector<Value>(width, destination), place);
      return GpuBlockBuilder::Values();
    };
    block.ifElse(isInside, takeSlice, takeDestination);
  }

private:
  const LoopEmitter &emit;
  Value source, destination;
  SliceBox box;
  int64_t width;
  Value perRow;
};

struct InsertSliceGpuKernel : step::GpuKernelOpInterface::ExternalModel<InsertSliceGpuKernel, tensor::InsertSliceOp> {
  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &) const {
    return OverlayCopy::getWidth(cast<tensor::InsertSliceOp>(op)) > 1 ? std::optional(getUnitLaunchShape())
                                                                      : std::nullopt;
  }

  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &machine) const {
    LoopEmitter host(builder, loc);
    OverlayCopy copy(cast<tensor::InsertSliceOp>(op), host, op->getOperands(), op->getOperand(1));
    return buildUnitBlockCount(host, machine, copy.buildRunCount());
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    LoopEmitter emit(builder, loc);
    OverlayCopy copy(cast<tensor::InsertSliceOp>(op), emit, operands, results[0]);
    emitCheckedRuns(GpuBlockBuilder(builder, loc), context, copy, results[0]);
    return success();
  }
};

/// Each run of the result comes from the source or is padding.
class PaddedCopy {
public:
  PaddedCopy(tensor::PadOp op, const LoopEmitter &emit, ValueRange operands)
      : emit(emit), op(op), source(operands[0]), width(getWidth(op)),
        low(mixedValues(emit, op.getStaticLow(), operands.slice(1, op.getLow().size()))),
        sizes(emit.extents(source, 0, rankOf(source))) {
    SmallVector<Value> high = mixedValues(emit, op.getStaticHigh(), operands.drop_front(1 + op.getLow().size()));
    for (auto [before, size, behind] : llvm::zip_equal(low, sizes, high)) {
      extents.push_back(emit.add(emit.add(before, size), behind));
      conditions.push_back(emit.compare(arith::CmpIPredicate::sge, before, emit.index(0)));
      conditions.push_back(emit.compare(arith::CmpIPredicate::sge, behind, emit.index(0)));
    }
  }

  static int64_t getWidth(tensor::PadOp op) {
    RankedTensorType type = op.getSourceType();
    if (type.getRank() == 0 || !op.getConstantPaddingValue())
      return 1;
    int64_t last = type.getRank() - 1;
    return getRunWidth(type.getElementType(),
                       {type.getDimSize(last), op.getStaticLow()[last], op.getStaticHigh()[last]});
  }
  Value buildRunCount() const { return emit.div(emit.product(extents), width); }
  SmallVector<Value> buildConditions() const { return conditions; }

  void emitRun(const GpuBlockBuilder &block, const step::GpuKernelContext &context, Value result, Value run) const {
    ElementRuns out(block, result);
    Value place = emit.mul(run, width), isInside = block.boolean(true);
    SmallVector<Value> at = emit.delinearize(place, extents);
    for (auto [coordinate, start, size] : llvm::zip_equal(at, low, sizes)) {
      coordinate = emit.sub(coordinate, start);
      isInside = emit.both(isInside, emit.compare(arith::CmpIPredicate::ult, coordinate, size));
    }
    auto copy = [&] {
      ElementRuns(block, source).copy(emit.linearize(at, sizes), out, place, width);
      return GpuBlockBuilder::Values();
    };
    auto pad = [&] {
      out.store(SmallVector<Value>(width, emitPadding(context)), place);
      return GpuBlockBuilder::Values();
    };
    block.ifElse(isInside, copy, pad);
  }

private:
  Value emitPadding(const step::GpuKernelContext &context) const {
    Value padding = op.getConstantPaddingValue();
    if (auto constant = padding.getDefiningOp<arith::ConstantOp>())
      return emit.builder.clone(*constant)->getResult(0);
    return context.arguments.lookup(padding);
  }

  const LoopEmitter &emit;
  mutable tensor::PadOp op; // whose accessors are not const
  Value source;
  int64_t width;
  SmallVector<Value> low, sizes, extents, conditions;
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
  tensor::InsertSliceOp::attachInterface<InsertSliceGpuKernel>(*context);
  tensor::PadOp::attachInterface<CopyGpuKernel<tensor::PadOp, PaddedCopy>>(*context);
}
