//===- PlainMatmul.cpp - a grouped matmul with a weight [E, N, K] -----------===//
//
// The form for weights that have no stored encoding. The lanes of a vector are terms of one sum, which several columns
// compute side by side; they are folded in an order that depends on K alone.
//
//===----------------------------------------------------------------------===//

#include "ExpertActivation.h"
#include "GroupedMatmulTask.h"
#include "KernelBuilder.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

/// Columns of the result that are computed side by side.
constexpr int64_t columnsPerStep = 4;

class PlainMatmul {
public:
  explicit PlainMatmul(GroupedMatmulTask &task)
      : task(task), emit(task.emit.builder, task.emit.loc, task.context), columns(task.op.getResultColumns()) {}

  void emitColumns(const GroupedMatmulTask::SourceRow &row, Value place, Value first, int64_t count);

private:
  SmallVector<Value> emitProducts(const GroupedMatmulTask::SourceRow &row, ArrayRef<Value> weightColumns);
  void appendWeightColumns(Value column, SmallVector<Value> &weightColumns);

  GroupedMatmulTask &task;
  KernelBuilder emit;
  int64_t columns;
};

} // namespace

/// The products of the row with columns of the weight, with bias.
SmallVector<Value> PlainMatmul::emitProducts(const GroupedMatmulTask::SourceRow &row, ArrayRef<Value> weightColumns) {
  SmallVector<Value> zeros(weightColumns.size(), emit.splat(0.0));
  auto multiplyAdd = [&](Value k, Value mask, ValueRange sums) {
    Value values = emit.loadReals(task.x, {row.token, k}, emit.lanes, mask);
    if (row.factor)
      values = emit.make<arith::MulFOp>(values, emit.splat(row.factor));
    SmallVector<Value> next;
    for (auto [column, sum] : llvm::zip_equal(weightColumns, sums)) {
      Value weights = emit.loadReals(task.w, {task.expert, column, k}, emit.lanes, mask);
      next.push_back(emit.fma(values, weights, sum));
    }
    return next;
  };
  SmallVector<Value> products;
  auto sums = emit.forVectors(emit.index(task.inner), zeros, multiplyAdd);
  for (auto [column, sum] : llvm::zip_equal(weightColumns, sums)) {
    Value product = emit.sumLanes(sum);
    if (task.bias)
      product = emit.make<arith::AddFOp>(product, emit.loadReal(task.bias, {task.expert, column}));
    products.push_back(product);
  }
  return products;
}

/// Adds the columns of the weight that a column of the result takes: one, or gate and linear.
void PlainMatmul::appendWeightColumns(Value column, SmallVector<Value> &weightColumns) {
  bool gated = task.activation.isGated();
  if (gated && task.activation.getLayout() == GateLayout::Interleaved) {
    weightColumns.push_back(emit.mul(column, 2));
    weightColumns.push_back(emit.add(emit.mul(column, 2), 1));
    return;
  }
  weightColumns.push_back(column);
  if (gated)
    weightColumns.push_back(emit.add(column, columns));
}

void PlainMatmul::emitColumns(const GroupedMatmulTask::SourceRow &row, Value place, Value first, int64_t count) {
  SmallVector<Value> weightColumns;
  for (int64_t i = 0; i < count; ++i)
    appendWeightColumns(emit.add(first, i), weightColumns);
  SmallVector<Value> products = emitProducts(row, weightColumns);
  int64_t each = task.activation.isGated() ? 2 : 1;
  for (int64_t i = 0; i < count; ++i) {
    Value linear = each == 2 ? products[i * each + 1] : Value();
    Value result = emitExpertActivation(emit, task.activation, products[i * each], linear);
    emit.storeReal(result, task.out, {place, emit.add(first, i)});
  }
}

void moec::emitPlainMatmul(GroupedMatmulTask &task, Value blockBegin, Value blockEnd) {
  LoopEmitter &emit = task.emit;
  PlainMatmul matmul(task);
  int64_t columnsPerBlock = task.grid.panelsPerTask * panelWidth / (task.activation.isGated() ? 2 : 1);
  Value columnBegin = emit.mul(blockBegin, columnsPerBlock);
  Value columnEnd = emit.min(emit.mul(blockEnd, columnsPerBlock), emit.index(task.op.getResultColumns()));
  Value stepsEnd = emit.add(columnBegin, emit.roundDown(emit.sub(columnEnd, columnBegin), columnsPerStep));

  emit.loop(task.rowBegin, task.rowEnd, 1, [&](Value place) {
    GroupedMatmulTask::SourceRow row = task.sourceRow(place);
    emit.loop(columnBegin, stepsEnd, columnsPerStep,
              [&](Value column) { matmul.emitColumns(row, place, column, columnsPerStep); });
    emit.loop(stepsEnd, columnEnd, 1, [&](Value column) { matmul.emitColumns(row, place, column, 1); });
  });
}
