//===- NnScatterKernels.cpp - scatters as kernels ------------------------------===//
//
// A task owns a part of the result that no other task writes: it copies that part of the data and then applies, in
// order, the updates that fall into it. An index out of range is reported and its update skipped.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"
#include "NnKernels.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moert/moert_kernel_abi.h"

using namespace mlir;
using namespace moec;

namespace {

/// target[targetOffset] is reduced with updates[updateOffset].
void emitUpdate(const KernelBuilder &kernel, nn::ScatterReduction reduction, Value target, Value targetOffset,
                Value updates, Value updateOffset) {
  if (reduction == nn::ScatterReduction::None)
    return kernel.store(kernel.load(updates, updateOffset), target, targetOffset);
  Value old = kernel.loadReal(target, targetOffset), update = kernel.loadReal(updates, updateOffset);
  bool isFloat = isa<FloatType>(old.getType());
  Value result;
  switch (reduction) {
  case nn::ScatterReduction::None:
    llvm_unreachable("stored above");
  case nn::ScatterReduction::Add:
    result = isFloat ? kernel.make<arith::AddFOp>(old, update) : kernel.make<arith::AddIOp>(old, update);
    break;
  case nn::ScatterReduction::Mul:
    result = isFloat ? kernel.make<arith::MulFOp>(old, update) : kernel.make<arith::MulIOp>(old, update);
    break;
  case nn::ScatterReduction::Max:
    result = isFloat ? kernel.make<arith::MaximumFOp>(old, update) : kernel.make<arith::MaxSIOp>(old, update);
    break;
  case nn::ScatterReduction::Min:
    result = isFloat ? kernel.make<arith::MinimumFOp>(old, update) : kernel.make<arith::MinSIOp>(old, update);
    break;
  }
  kernel.storeReal(result, target, targetOffset);
}

Value buildScatterWork(Operation *op, OpBuilder &builder, Location loc) {
  LoopEmitter host(builder, loc);
  return host.add(host.elements(op->getOperand(0)), host.mul(host.elements(op->getOperand(2)), 4));
}

/// Copies columns [from, to) of `rows` rows that start at row `firstRow`.
void emitCopyColumns(const KernelBuilder &kernel, Value source, Value target, Value firstRow, Value rows, Value columns,
                     const ColumnBlock &block) {
  kernel.loop(kernel.index(0), rows, 1, [&](Value row) {
    Value offset = kernel.add(kernel.mul(kernel.add(firstRow, row), columns), block.from);
    kernel.copy(source, offset, target, offset, kernel.sub(block.to, block.from));
  });
}

//===----------------------------------------------------------------------===//
// scatter_elements
//===----------------------------------------------------------------------===//

/// Updates do not cross the dimensions before the axis, nor the columns where the axis is not the last dimension.
class ScatterElementsEmitter {
public:
  ScatterElementsEmitter(nn::ScatterElementsOp op, const KernelBuilder &kernel, ValueRange operands, Value result)
      : kernel(kernel), reduction(op.getReduction()), axis(op.getAxis()), rank(rankOf(result)),
        dataExtents(kernel.extents(operands[0], 0, rank)), extents(kernel.extents(operands[1], 0, rank)),
        data(kernel.flatten(operands[0])), indices(kernel.flatten(operands[1])), updates(kernel.flatten(operands[2])),
        out(kernel.flatten(result)) {
    for (int64_t dim = 0; dim < rank; ++dim) {
      if (dim != axis)
        conditions.push_back(kernel.compare(arith::CmpIPredicate::ule, extents[dim], dataExtents[dim]));
      conditions.push_back(kernel.equal(extents[dim], kernel.extent(operands[2], dim)));
    }
  }

  static int64_t getColumns(step::TaskSize size) { return size == step::TaskSize::Thread ? 1 : 64; }
  static bool splitsColumns(int64_t axis, int64_t rank) { return axis + 1 < rank; }

  void emit(Value begin, Value end) {
    end = kernel.require(conditions, MOERT_KERNEL_INDEX_OUT_OF_RANGE, begin, end);
    kernel.loop(begin, end, 1, [&](Value task) { emitTask(task); });
  }

private:
  void emitTask(Value task) {
    Value columns = dataExtents.back();
    ColumnBlock block = splitsColumns(axis, rank)
                            ? kernel.columnBlock(task, columns, getColumns(kernel.context.taskSize))
                            : ColumnBlock{task, kernel.index(0), columns};
    Value rows = kernel.product(ArrayRef(dataExtents).slice(axis, rank - 1 - axis));
    emitCopyColumns(kernel, data, out, kernel.mul(block.outer, rows), rows, columns, block);

    SmallVector<Value> coordinates = kernel.delinearize(block.outer, ArrayRef(dataExtents).take_front(axis));
    SmallVector<Value> inside;
    for (auto [coordinate, extent] : llvm::zip(coordinates, extents))
      inside.push_back(kernel.compare(arith::CmpIPredicate::ult, coordinate, extent));
    kernel.ifThen(kernel.allOf(inside), [&] { emitUpdates(coordinates, block); });
  }

  /// Loops over the remaining dimensions of `indices`.
  void emitUpdates(SmallVector<Value> &coordinates, const ColumnBlock &block) {
    int64_t dim = coordinates.size();
    if (dim == rank)
      return emitUpdateAt(coordinates);
    bool blocked = dim + 1 == rank && dim != axis;
    Value from = blocked ? block.from : kernel.index(0);
    Value to = blocked ? kernel.min(block.to, extents[dim]) : extents[dim];
    kernel.loop(from, to, 1, [&](Value coordinate) {
      coordinates.push_back(coordinate);
      emitUpdates(coordinates, block);
      coordinates.pop_back();
    });
  }

  void emitUpdateAt(ArrayRef<Value> coordinates) {
    Value position = kernel.linearize(coordinates, extents);
    auto [at, valid] = kernel.loadIndex(indices, position, dataExtents[axis]);
    SmallVector<Value> target(coordinates);
    target[axis] = at;
    Value offset = kernel.linearize(target, dataExtents);
    kernel.ifThen(valid, [&] { emitUpdate(kernel, reduction, out, offset, updates, position); });
  }

  const KernelBuilder &kernel;
  nn::ScatterReduction reduction;
  int64_t axis, rank;
  SmallVector<Value> dataExtents, extents;
  Value data, indices, updates, out;
  SmallVector<Value> conditions; // what the extents must meet
};

struct ScatterElementsKernel : step::KernelOpInterface::ExternalModel<ScatterElementsKernel, nn::ScatterElementsOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return buildTaskCount(op, builder, loc, step::TaskSize::Worker);
  }

  Value buildThreadTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return buildTaskCount(op, builder, loc, step::TaskSize::Thread);
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const { return buildScatterWork(op, builder, loc); }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    KernelBuilder kernel(builder, loc, context);
    ScatterElementsEmitter(cast<nn::ScatterElementsOp>(op), kernel, operands, results[0]).emit(begin, end);
    return success();
  }

private:
  static Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc, step::TaskSize size) {
    LoopEmitter host(builder, loc);
    auto scatter = cast<nn::ScatterElementsOp>(op);
    int64_t axis = scatter.getAxis(), rank = rankOf(scatter.getData());
    Value outer = host.elements(scatter.getData(), 0, axis);
    if (!ScatterElementsEmitter::splitsColumns(axis, rank))
      return outer;
    Value columns = host.extent(scatter.getData(), rank - 1);
    return host.mul(outer, host.ceilDiv(columns, ScatterElementsEmitter::getColumns(size)));
  }
};

//===----------------------------------------------------------------------===//
// scatter_nd
//===----------------------------------------------------------------------===//

/// Updates do not cross the columns of the slices they replace.
struct ScatterNdKernel : step::KernelOpInterface::ExternalModel<ScatterNdKernel, nn::ScatterNdOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return buildTaskCount(op, builder, loc, step::TaskSize::Worker);
  }

  Value buildThreadTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return buildTaskCount(op, builder, loc, step::TaskSize::Thread);
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const { return buildScatterWork(op, builder, loc); }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    KernelBuilder kernel(builder, loc, context);
    auto scatter = cast<nn::ScatterNdOp>(op);
    int64_t size = tupleSize(scatter);
    Value rows = kernel.elements(operands[0], 0, size);
    Value slice = kernel.elements(operands[0], size, rankOf(operands[0]));
    Value tuples = kernel.elements(operands[1], 0, rankOf(operands[1]) - 1);
    Value data = kernel.flatten(operands[0]), indices = kernel.flatten(operands[1]);
    Value updates = kernel.flatten(operands[2]), out = kernel.flatten(results[0]);
    Value matches = kernel.equal(kernel.elements(operands[2]), kernel.mul(tuples, slice));
    end = kernel.require(matches, MOERT_KERNEL_INDEX_OUT_OF_RANGE, begin, end);
    kernel.loop(begin, end, 1, [&](Value task) {
      ColumnBlock block = kernel.columnBlock(task, slice, getColumns(context.taskSize));
      emitCopyColumns(kernel, data, out, kernel.index(0), rows, slice, block);
      kernel.loop(kernel.index(0), tuples, 1, [&](Value tuple) {
        Value row = kernel.index(0);
        SmallVector<Value> valid;
        for (int64_t i = 0; i < size; ++i) {
          Value extent = kernel.extent(operands[0], i);
          Value position = kernel.add(kernel.mul(tuple, size), i);
          auto [at, inRange] = kernel.loadIndex(indices, position, extent);
          row = kernel.add(kernel.mul(row, extent), at);
          valid.push_back(inRange);
        }
        kernel.ifThen(kernel.allOf(valid), [&] {
          Value target = kernel.mul(row, slice), source = kernel.mul(tuple, slice);
          kernel.loop(block.from, block.to, 1, [&](Value column) {
            emitUpdate(kernel, scatter.getReduction(), out, kernel.add(target, column), updates,
                       kernel.add(source, column));
          });
        });
      });
    });
    return success();
  }

private:
  static int64_t getColumns(step::TaskSize size) { return size == step::TaskSize::Thread ? 1 : 256; }

  static Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc, step::TaskSize size) {
    LoopEmitter host(builder, loc);
    auto scatter = cast<nn::ScatterNdOp>(op);
    Value slice = host.elements(scatter.getData(), tupleSize(scatter), rankOf(scatter.getData()));
    return host.ceilDiv(slice, getColumns(size));
  }

  static int64_t tupleSize(nn::ScatterNdOp scatter) { return scatter.getIndices().getType().getShape().back(); }
};

} // namespace

void moec::attachNnScatterKernels(MLIRContext *context) {
  nn::ScatterElementsOp::attachInterface<ScatterElementsKernel>(*context);
  nn::ScatterNdOp::attachInterface<ScatterNdKernel>(*context);
}
