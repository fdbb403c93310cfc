//===- NnGatherKernels.cpp - gathers as kernels -------------------------------===//
//
// A task copies what one index addresses (gather, gather_nd), one row of the result (gather_elements), or one element.
// An index out of range is reported and its copy skipped.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"
#include "NnKernels.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moert/moert_kernel_abi.h"

using namespace mlir;
using namespace moec;

namespace {

/// Copies the columns of `block` between two rows.
void copyBlock(const KernelBuilder &kernel, Value source, Value sourceRow, Value target, Value targetRow,
               const ColumnBlock &block) {
  kernel.copy(source, kernel.add(sourceRow, block.from), target, kernel.add(targetRow, block.from),
              kernel.sub(block.to, block.from));
}

//===----------------------------------------------------------------------===//
// gather
//===----------------------------------------------------------------------===//

struct GatherKernel : step::KernelOpInterface::ExternalModel<GatherKernel, nn::GatherOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    auto gather = cast<nn::GatherOp>(op);
    LoopEmitter host(builder, loc);
    return host.mul(host.elements(gather.getData(), 0, gather.getAxis()), host.elements(gather.getIndices()));
  }

  Value buildThreadTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    auto gather = cast<nn::GatherOp>(op);
    LoopEmitter host(builder, loc);
    Value inner = host.elements(gather.getData(), gather.getAxis() + 1, rankOf(gather.getData()));
    return host.mul(buildTaskCount(op, builder, loc), inner);
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    return buildThreadTaskCount(op, builder, loc);
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    KernelBuilder kernel(builder, loc, context);
    int64_t axis = cast<nn::GatherOp>(op).getAxis();
    Value axisExtent = kernel.extent(operands[0], axis);
    Value inner = kernel.elements(operands[0], axis + 1, rankOf(operands[0]));
    Value indexCount = kernel.elements(operands[1]);
    Value data = kernel.flatten(operands[0]), indices = kernel.flatten(operands[1]), out = kernel.flatten(results[0]);
    kernel.loop(begin, end, 1, [&](Value task) {
      ColumnBlock block = kernel.rowBlock(task, inner);
      Value outer = kernel.div(block.outer, indexCount);
      auto [at, valid] = kernel.loadIndex(indices, kernel.rem(block.outer, indexCount), axisExtent);
      Value source = kernel.mul(kernel.add(kernel.mul(outer, axisExtent), at), inner);
      kernel.ifThen(valid, [&] { copyBlock(kernel, data, source, out, kernel.mul(block.outer, inner), block); });
    });
    return success();
  }
};

//===----------------------------------------------------------------------===//
// gather_elements
//===----------------------------------------------------------------------===//

struct GatherElementsKernel : step::KernelOpInterface::ExternalModel<GatherElementsKernel, nn::GatherElementsOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    Value indices = cast<nn::GatherElementsOp>(op).getIndices();
    return LoopEmitter(builder, loc).elements(indices, 0, rankOf(indices) - 1);
  }

  Value buildThreadTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return LoopEmitter(builder, loc).elements(cast<nn::GatherElementsOp>(op).getIndices());
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    return host.mul(host.elements(cast<nn::GatherElementsOp>(op).getIndices()), 4);
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    KernelBuilder kernel(builder, loc, context);
    int64_t axis = cast<nn::GatherElementsOp>(op).getAxis(), rank = rankOf(operands[0]);
    SmallVector<Value> dataExtents = kernel.extents(operands[0], 0, rank);
    SmallVector<Value> extents = kernel.extents(operands[1], 0, rank);
    SmallVector<Value> conditions;
    for (int64_t dim = 0; dim < rank; ++dim)
      if (dim != axis)
        conditions.push_back(kernel.compare(arith::CmpIPredicate::ule, extents[dim], dataExtents[dim]));
    end = kernel.require(conditions, MOERT_KERNEL_INDEX_OUT_OF_RANGE, begin, end);

    Value data = kernel.flatten(operands[0]), indices = kernel.flatten(operands[1]), out = kernel.flatten(results[0]);
    Value columns = extents.back();
    kernel.loop(begin, end, 1, [&](Value task) {
      ColumnBlock block = kernel.rowBlock(task, columns);
      SmallVector<Value> coordinates = kernel.delinearize(block.outer, ArrayRef(extents).drop_back());
      coordinates.push_back(kernel.index(0));
      Value start = kernel.mul(block.outer, columns);
      kernel.loop(block.from, block.to, 1, [&](Value column) {
        Value position = kernel.add(start, column);
        auto [at, valid] = kernel.loadIndex(indices, position, dataExtents[axis]);
        SmallVector<Value> source = coordinates;
        source.back() = column;
        source[axis] = at;
        kernel.ifThen(valid, [&, at = kernel.linearize(source, dataExtents)] {
          kernel.store(kernel.load(data, at), out, position);
        });
      });
    });
    return success();
  }
};

//===----------------------------------------------------------------------===//
// gather_nd
//===----------------------------------------------------------------------===//

struct GatherNdKernel : step::KernelOpInterface::ExternalModel<GatherNdKernel, nn::GatherNdOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    Value indices = cast<nn::GatherNdOp>(op).getIndices();
    return LoopEmitter(builder, loc).elements(indices, 0, rankOf(indices) - 1);
  }

  Value buildThreadTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return LoopEmitter(builder, loc).mul(buildTaskCount(op, builder, loc), buildSlice(op, builder, loc));
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    Value perTuple = host.add(buildSlice(op, builder, loc), tupleSize(cast<nn::GatherNdOp>(op)));
    return host.mul(buildTaskCount(op, builder, loc), perTuple);
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    KernelBuilder kernel(builder, loc, context);
    auto gather = cast<nn::GatherNdOp>(op);
    int64_t batchDims = gather.getBatchDims(), size = tupleSize(gather), rank = rankOf(operands[0]);
    SmallVector<Value> conditions;
    for (int64_t dim = 0; dim < batchDims; ++dim)
      conditions.push_back(kernel.equal(kernel.extent(operands[0], dim), kernel.extent(operands[1], dim)));
    end = kernel.require(conditions, MOERT_KERNEL_INDEX_OUT_OF_RANGE, begin, end);

    Value tuplesPerBatch = kernel.elements(operands[1], batchDims, rankOf(operands[1]) - 1);
    Value slice = kernel.elements(operands[0], batchDims + size, rank);
    Value data = kernel.flatten(operands[0]), indices = kernel.flatten(operands[1]), out = kernel.flatten(results[0]);
    kernel.loop(begin, end, 1, [&](Value task) {
      ColumnBlock block = kernel.rowBlock(task, slice);
      Value source = kernel.div(block.outer, tuplesPerBatch);
      SmallVector<Value> valid;
      for (int64_t i = 0; i < size; ++i) {
        Value extent = kernel.extent(operands[0], batchDims + i);
        Value position = kernel.add(kernel.mul(block.outer, size), i);
        auto [at, inRange] = kernel.loadIndex(indices, position, extent);
        source = kernel.add(kernel.mul(source, extent), at);
        valid.push_back(inRange);
      }
      kernel.ifThen(kernel.allOf(valid), [&] {
        copyBlock(kernel, data, kernel.mul(source, slice), out, kernel.mul(block.outer, slice), block);
      });
    });
    return success();
  }

private:
  /// Elements that one tuple addresses.
  static Value buildSlice(Operation *op, OpBuilder &builder, Location loc) {
    auto gather = cast<nn::GatherNdOp>(op);
    int64_t from = gather.getBatchDims() + tupleSize(gather);
    return LoopEmitter(builder, loc).elements(gather.getData(), from, rankOf(gather.getData()));
  }

  static int64_t tupleSize(nn::GatherNdOp gather) { return gather.getIndices().getType().getShape().back(); }
};

} // namespace

void moec::attachNnGatherKernels(MLIRContext *context) {
  nn::GatherOp::attachInterface<GatherKernel>(*context);
  nn::GatherElementsOp::attachInterface<GatherElementsKernel>(*context);
  nn::GatherNdOp::attachInterface<GatherNdKernel>(*context);
}
