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
    Value added = operands[1], position = operands[2], state = results[0];
    SmallVector<Value> extents = kernel.extents(added, 0, 3); // batch, head, position
    Value size = kernel.extent(added, 3), capacity = kernel.extent(state, 2);
    Value fits = kernel.compare(arith::CmpIPredicate::sle, kernel.add(position, extents[2]), capacity);
    Value batchMatches = kernel.equal(kernel.extent(state, 0), extents[0]);
    end = kernel.require({fits, batchMatches}, MOERT_KERNEL_BAD_VALUE, begin, end);

    Value in = kernel.flatten(added), out = kernel.flatten(state);
    kernel.loop(begin, end, 1, [&](Value task) {
      ColumnBlock block = kernel.rowBlock(task, size);
      Value head = kernel.div(block.outer, extents[2]);
      Value at = kernel.add(position, kernel.rem(block.outer, extents[2]));
      Value row = kernel.mul(block.outer, size), target = kernel.mul(kernel.add(kernel.mul(head, capacity), at), size);
      kernel.copy(in, kernel.add(row, block.from), out, kernel.add(target, block.from),
                  kernel.sub(block.to, block.from));
    });
    return success();
  }
};

} // namespace

void moec::attachNnStateKernel(MLIRContext *context) { nn::KvAppendOp::attachInterface<KvAppendKernel>(*context); }
