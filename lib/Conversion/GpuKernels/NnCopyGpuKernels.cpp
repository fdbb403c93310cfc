//===- NnCopyGpuKernels.cpp - gathers and appends on GPUs -------------------===//
//
// What one index addresses, and what is appended, is moved in runs of up to 16 bytes, one per thread. Neighbouring
// threads move neighbouring runs and look up the same index.
//
//===----------------------------------------------------------------------===//

#include "CopyRuns.h"
#include "GpuKernels.h"

#include "moec/Dialect/Nn/Nn.h"

using namespace mlir;
using namespace moec;

int64_t moec::getKnownFactor(ArrayRef<int64_t> shape, int64_t from, int64_t to) {
  int64_t factor = 1;
  for (int64_t extent : shape.slice(from, to - from))
    factor *= ShapedType::isDynamic(extent) ? 1 : extent;
  return factor;
}

std::pair<Value, Value> moec::loadIndex(const GpuBlockBuilder &block, const step::GpuKernelContext &context,
                                        Value indices, Value position, Value extent) {
  LoopEmitter emit(block.builder, block.loc);
  Value raw = emit.toIndex(ElementRuns(block, indices).load(position));
  Value wrapped = emit.select(emit.less(raw, emit.index(0)), emit.add(raw, extent), raw);
  Value inRange = emit.compare(arith::CmpIPredicate::ult, wrapped, extent);
  context.emitCheck(block.builder, block.loc, inRange, MOERT_KERNEL_INDEX_OUT_OF_RANGE);
  return {wrapped, inRange};
}

namespace {

/// The dimensions of a tensor from `from` on, as one row that is copied.
int64_t getRowWidth(RankedTensorType type, int64_t from) {
  return getRunWidth(type.getElementType(), getKnownFactor(type.getShape(), from, type.getRank()));
}

/// Rows of `columns` elements, moved in runs of `width`.
struct RunGrid {
  RunGrid(const LoopEmitter &emit, Value rows, Value columns, int64_t width)
      : emit(emit), rows(rows), columns(columns), width(width), perRow(emit.div(columns, width)) {}

  Value count() const { return emit.mul(rows, perRow); }
  /// The row of a run and its first column.
  Value row(Value run) const { return emit.div(run, perRow); }
  Value column(Value run) const { return emit.mul(emit.rem(run, perRow), width); }

  const LoopEmitter &emit;
  Value rows, columns;
  int64_t width;
  Value perRow;
};

class GatherCopy {
public:
  GatherCopy(nn::GatherOp op, const LoopEmitter &emit, ValueRange operands)
      : emit(emit), data(operands[0]), indices(operands[1]), axisExtent(emit.extent(data, op.getAxis())),
        indexCount(emit.elements(indices)), grid(emit, emit.mul(emit.elements(data, 0, op.getAxis()), indexCount),
                                                 emit.elements(data, op.getAxis() + 1, rankOf(data)), getWidth(op)) {}

  static int64_t getWidth(nn::GatherOp op) {
    return getRowWidth(cast<RankedTensorType>(op.getData().getType()), op.getAxis() + 1);
  }
  Value buildRunCount() const { return grid.count(); }
  SmallVector<Value> buildConditions() const { return {}; }

  void emitRun(const GpuBlockBuilder &block, const step::GpuKernelContext &context, Value result, Value run) const {
    Value row = grid.row(run), outer = emit.div(row, indexCount);
    auto [at, valid] = loadIndex(block, context, indices, emit.rem(row, indexCount), axisExtent);
    Value sourceRow = emit.add(emit.mul(outer, axisExtent), at);
    Value source = emit.add(emit.mul(sourceRow, grid.columns), grid.column(run));
    block.ifThen(valid, [&] {
      ElementRuns(block, data).copy(source, ElementRuns(block, result), emit.mul(run, grid.width), grid.width);
    });
  }

private:
  const LoopEmitter &emit;
  Value data, indices, axisExtent, indexCount;
  RunGrid grid;
};

class GatherNdCopy {
public:
  GatherNdCopy(nn::GatherNdOp op, const LoopEmitter &emit, ValueRange operands)
      : emit(emit), data(operands[0]), indices(operands[1]), batchDims(op.getBatchDims()), size(getTupleSize(op)),
        grid(emit, emit.elements(indices, 0, rankOf(indices) - 1), emit.elements(data, batchDims + size, rankOf(data)),
             getWidth(op)) {}

  static int64_t getWidth(nn::GatherNdOp op) {
    return getRowWidth(cast<RankedTensorType>(op.getData().getType()), op.getBatchDims() + getTupleSize(op));
  }
  Value buildRunCount() const { return grid.count(); }
  SmallVector<Value> buildConditions() const {
    SmallVector<Value> conditions;
    for (int64_t dim = 0; dim < batchDims; ++dim)
      conditions.push_back(emit.equal(emit.extent(data, dim), emit.extent(indices, dim)));
    return conditions;
  }

  void emitRun(const GpuBlockBuilder &block, const step::GpuKernelContext &context, Value result, Value run) const {
    Value tuple = grid.row(run);
    Value sourceRow = emit.div(tuple, emit.elements(indices, batchDims, rankOf(indices) - 1));
    Value allValid = block.boolean(true);
    for (int64_t i = 0; i < size; ++i) {
      Value extent = emit.extent(data, batchDims + i);
      auto [at, valid] = loadIndex(block, context, indices, emit.add(emit.mul(tuple, size), i), extent);
      sourceRow = emit.add(emit.mul(sourceRow, extent), at);
      allValid = emit.both(allValid, valid);
    }
    Value source = emit.add(emit.mul(sourceRow, grid.columns), grid.column(run));
    block.ifThen(allValid, [&] {
      ElementRuns(block, data).copy(source, ElementRuns(block, result), emit.mul(run, grid.width), grid.width);
    });
  }

private:
  static int64_t getTupleSize(nn::GatherNdOp op) {
    return cast<ShapedType>(op.getIndices().getType()).getShape().back();
  }

  const LoopEmitter &emit;
  Value data, indices;
  int64_t batchDims, size;
  RunGrid grid;
};

/// The state's buffer is the result; what it held is not touched.
class KvAppendCopy {
public:
  KvAppendCopy(nn::KvAppendOp op, const LoopEmitter &emit, ValueRange operands)
      : emit(emit), added(operands[1]), position(operands[2]), starts(op.getStarts() ? operands[3] : Value()),
        grid(emit, emit.elements(added, 0, 3), emit.extent(added, 3), getWidth(op)) {}

  static int64_t getWidth(nn::KvAppendOp op) {
    return getRowWidth(cast<RankedTensorType>(op.getNewPositions().getType()), 3);
  }
  Value buildRunCount() const { return grid.count(); }
  SmallVector<Value> buildConditions() const {
    return starts ? SmallVector<Value>{emit.equal(emit.extent(starts, 0), emit.extent(added, 0))}
                  : SmallVector<Value>();
  }

  void emitRun(const GpuBlockBuilder &block, const step::GpuKernelContext &context, Value result, Value run) const {
    Value capacity = emit.extent(result, 2), count = emit.extent(added, 2), row = grid.row(run);
    Value head = emit.div(row, count), first = position;
    Value fits = emit.equal(emit.extent(result, 0), emit.extent(added, 0));
    if (starts) {
      Value startCount = emit.add(emit.sub(capacity, count), emit.index(1));
      auto [at, valid] = loadIndex(block, context, starts, emit.div(head, emit.extent(added, 1)), startCount);
      first = at;
      fits = emit.both(fits, valid);
    }
    fits = emit.both(fits, emit.compare(arith::CmpIPredicate::sle, emit.add(first, count), capacity));
    context.emitCheck(block.builder, block.loc, fits, MOERT_KERNEL_BAD_VALUE);
    Value targetRow = emit.add(emit.mul(head, capacity), emit.add(first, emit.rem(row, count)));
    Value target = emit.add(emit.mul(targetRow, grid.columns), grid.column(run));
    block.ifThen(fits, [&] {
      ElementRuns(block, added).copy(emit.mul(run, grid.width), ElementRuns(block, result), target, grid.width);
    });
  }

private:
  const LoopEmitter &emit;
  Value added, position, starts;
  RunGrid grid;
};

} // namespace

void moec::attachNnCopyGpuKernels(MLIRContext *context) {
  nn::GatherOp::attachInterface<CopyGpuKernel<nn::GatherOp, GatherCopy>>(*context);
  nn::GatherNdOp::attachInterface<CopyGpuKernel<nn::GatherNdOp, GatherNdCopy>>(*context);
  nn::KvAppendOp::attachInterface<CopyGpuKernel<nn::KvAppendOp, KvAppendCopy>>(*context);
}
