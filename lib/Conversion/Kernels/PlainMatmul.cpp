//===- PlainMatmul.cpp - a grouped matmul with a weight [E, N, K] -----------===//
//
// The form for weights that have no stored encoding: scalar loops, one sum at a time.
//
//===----------------------------------------------------------------------===//

#include "ExpertActivation.h"
#include "GroupedMatmulTask.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

/// The product of the row with column `column` of the weight, with bias.
static Value emitColumn(GroupedMatmulTask &task, const GroupedMatmulTask::SourceRow &row, Value column) {
  LoopEmitter &emit = task.emit;
  Value sum = emit.loop(emit.index(0), emit.index(task.inner), 1, emit.real(0.0),
                        [&](Value k, ValueRange carried) -> SmallVector<Value> {
                          Value value = emit.loadReal(task.x, {row.token, k});
                          if (row.factor)
                            value = emit.make<arith::MulFOp>(value, row.factor);
                          Value weight = emit.loadReal(task.w, {task.expert, column, k});
                          return {emit.make<arith::AddFOp>(carried[0], emit.make<arith::MulFOp>(value, weight))};
                        })[0];
  return task.bias ? emit.make<arith::AddFOp>(sum, emit.loadReal(task.bias, {task.expert, column})) : sum;
}

void moec::emitPlainMatmul(GroupedMatmulTask &task, Value blockBegin, Value blockEnd) {
  LoopEmitter &emit = task.emit;
  bool gated = task.activation.isGated();
  int64_t columns = task.op.getResultColumns();
  int64_t columnsPerBlock = task.grid.panelsPerTask * panelWidth / (gated ? 2 : 1);
  Value columnBegin = emit.mul(blockBegin, columnsPerBlock);
  Value columnEnd = emit.min(emit.mul(blockEnd, columnsPerBlock), emit.index(columns));

  emit.loop(task.rowBegin, task.rowEnd, 1, [&](Value place) {
    GroupedMatmulTask::SourceRow row = task.sourceRow(place);
    emit.loop(columnBegin, columnEnd, 1, [&](Value column) {
      Value gate = column, linear;
      if (gated && task.activation.getLayout() == GateLayout::Interleaved) {
        gate = emit.mul(column, 2);
        linear = emit.add(gate, 1);
      } else if (gated) {
        linear = emit.add(column, columns);
      }
      Value gateValue = emitColumn(task, row, gate);
      Value linearValue = gated ? emitColumn(task, row, linear) : Value();
      Value result = emitExpertActivation(emit, task.activation, gateValue, linearValue);
      emit.storeReal(result, task.out, {place, column});
    });
  });
}
