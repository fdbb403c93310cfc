//===- NnStateKernel.cpp - appending to a state as a kernel -----------------===//
//
// A task copies one new position of one head, or one element of it. The state's buffer is the result; what it held is
// not touched.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"
#include "NnKernels.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moert/moert_kernel_abi.h"

using namespace mlir;
using namespace moec;

namespace {

struct KvAppendKernel : step::KernelOpInterface::ExternalModel<KvAppendKernel, nn::KvAppendOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return LoopEmitter(builder, loc).elements(cast<nn::KvAppendOp>(op).getNewPositions(), 0, 3);
  }

  Value buildThreadTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return LoopEmitter(builder, loc).elements(cast<nn::KvAppendOp>(op).getNewPositions());
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    return buildThreadTaskCount(op, builder, loc);
  }

  OpOperand *getTiedOperand(Operation *op) const { return &cast<nn::KvAppendOp>(op).getStateMutable(); }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    KernelBuilder kernel(builder, loc, context);
    bool hasStarts = cast<nn::KvAppendOp>(op).getStarts() != nullptr;
    Value added = operands[1], position = operands[2], state = results[0];
    SmallVector<Value> extents = kernel.extents(added, 0, 3); // batch, head, position
    Value size = kernel.extent(added, 3), capacity = kernel.extent(state, 2);
    SmallVector<Value> conditions = {kernel.equal(kernel.extent(state, 0), extents[0])};
    if (hasStarts)
      conditions.push_back(kernel.equal(kernel.extent(operands[3], 0), extents[0]));
    Value last = hasStarts ? kernel.index(0) : position;
    conditions.push_back(kernel.compare(arith::CmpIPredicate::sle, kernel.add(last, extents[2]), capacity));
    end = kernel.require(conditions, MOERT_KERNEL_BAD_VALUE, begin, end);

    Value in = kernel.flatten(added), out = kernel.flatten(state),
          starts = hasStarts ? kernel.flatten(operands[3]) : Value();
    Value startCount = kernel.add(kernel.sub(capacity, extents[2]), kernel.index(1));
    kernel.loop(begin, end, 1, [&](Value task) {
      ColumnBlock block = kernel.rowBlock(task, size);
      Value head = kernel.div(block.outer, extents[2]), first = position, valid;
      if (hasStarts)
        std::tie(first, valid) = kernel.loadIndex(starts, kernel.div(head, extents[1]), startCount);
      Value at = kernel.add(first, kernel.rem(block.outer, extents[2]));
      Value row = kernel.mul(block.outer, size), target = kernel.mul(kernel.add(kernel.mul(head, capacity), at), size);
      auto copy = [&] {
        kernel.copy(in, kernel.add(row, block.from), out, kernel.add(target, block.from),
                    kernel.sub(block.to, block.from));
      };
      valid ? kernel.ifThen(valid, copy) : copy();
    });
    return success();
  }
};

} // namespace

void moec::attachNnStateKernel(MLIRContext *context) { nn::KvAppendOp::attachInterface<KvAppendKernel>(*context); }
