//===- PackedRows.cpp - the rows of a task of a packed matmul ---------------===//

#include "PackedRows.h"

#include "ExpertActivation.h"

using namespace mlir;
using namespace moec;

PackedRows::PackedRows(GroupedMatmulTask &task)
    : task(task), emit(task.emit), vectorType(VectorType::get(panelWidth, task.emit.builder.getF32Type())),
      panels(cast<MemRefType>(task.w.getType()).getDimSize(1)), unitPanels(task.activation.isGated() ? 2 : 1) {
  rowCount = emit.sub(task.rowEnd, task.rowBegin);
  auto type = MemRefType::get({task.grid.rowsPerTask, MatmulGrid::packedStride(task.inner)}, emit.builder.getF32Type());
  packed = emit.make<memref::ViewOp>(type, task.context.scratch, emit.index(0), ValueRange());
}

Value PackedRows::scratchFloats(ArrayRef<int64_t> shape, int64_t byteOffset) const {
  auto type = MemRefType::get(shape, emit.builder.getF32Type());
  Value offset = emit.index(task.grid.packedBytes(task.inner) + byteOffset);
  return emit.make<memref::ViewOp>(type, task.context.scratch, offset, ValueRange());
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

void PackedRows::packRow(Value row) const {
  GroupedMatmulTask::SourceRow source = task.sourceRow(emit.add(task.rowBegin, row));
  int64_t whole = task.inner / panelWidth * panelWidth;
  emit.loop(emit.index(0), emit.index(whole), panelWidth, [&](Value k) {
    Value values = emit.loadReals(task.x, {source.token, k}, panelWidth);
    if (source.factor)
      values = emit.make<arith::MulFOp>(values, emit.make<vector::BroadcastOp>(vectorType, source.factor));
    emit.storeReals(values, packed, {row, k});
  });
  emit.loop(emit.index(whole), emit.index(task.inner), 1, [&](Value k) {
    Value value = emit.loadReal(task.x, {source.token, k});
    if (source.factor)
      value = emit.make<arith::MulFOp>(value, source.factor);
    emit.store(value, packed, {row, k});
  });
}

void PackedRows::pack() const {
  emit.loop(emit.index(0), rowCount, 1, [&](Value row) { packRow(row); });
}

Value PackedRows::broadcast(Value row, Value k) const {
  return emit.make<vector::BroadcastOp>(vectorType, emit.load(packed, {row, k}));
}

Value PackedRows::blockCount(int64_t most) const { return emit.ceilDiv(rowCount, most); }

RowRange PackedRows::block(Value index, Value blocks) const {
  Value base = emit.div(rowCount, blocks), longer = emit.rem(rowCount, blocks);
  return {emit.add(emit.mul(index, base), emit.min(index, longer)),
          emit.add(base, emit.select(emit.less(index, longer), emit.index(1), emit.index(0)))};
}

void PackedRows::forCount(Value count, int64_t least, int64_t most, llvm::function_ref<void(int64_t)> body) const {
  auto cases = llvm::to_vector(llvm::seq_inclusive(least, most));
  auto byCount = scf::IndexSwitchOp::create(emit.builder, emit.loc, TypeRange(), count, cases, cases.size());
  OpBuilder::InsertionGuard guard(emit.builder);
  for (auto [value, region] : llvm::zip_equal(cases, byCount.getCaseRegions())) {
    emit.builder.createBlock(&region);
    body(value);
    scf::YieldOp::create(emit.builder, emit.loc);
  }
  emit.builder.createBlock(&byCount.getDefaultRegion());
  scf::YieldOp::create(emit.builder, emit.loc);
}

Value PackedRows::clampPanel(Value panel) const { return emit.min(panel, emit.index(panels - 1)); }

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

void PackedRows::emitUnit(const ResultUnit &result, FinishSum finish) const {
  SmallVector<Value> values;
  bool panelOrder = task.activation.isGated();
  for (int64_t i = 0; i < unitPanels; ++i) {
    Value panel = emit.add(emit.mul(result.unit, unitPanels), i);
    Value value =
        emit.loadReals(result.tile, {result.tileRow, emit.add(result.tileColumn, i * panelWidth)}, panelWidth);
    value = finish(value, panel);
    if (task.bias) {
      // In panel order the bias is padded as the panels are.
      Value biasMask = panelOrder ? Value() : result.mask;
      Value bias = emit.loadReals(task.bias, {task.expert, emit.mul(panel, panelWidth)}, panelWidth, biasMask);
      value = emit.make<arith::AddFOp>(value, bias);
    }
    values.push_back(value);
  }
  Value linear = unitPanels == 2 ? values[1] : Value();
  Value activated = emitExpertActivation(emit, task.activation, values[0], linear);
  emit.storeReals(activated, task.out, {result.place, emit.mul(result.unit, panelWidth)}, result.mask);
}

void PackedRows::emitResults(Value tile, const RowRange &rows, Value panelBegin, Value panelEnd,
                             FinishSum finish) const {
  int64_t columns = task.op.getResultColumns();
  int64_t wholeUnits = columns / panelWidth, units = (columns + panelWidth - 1) / panelWidth;
  Value unitBegin = emit.div(panelBegin, unitPanels), unitEnd = emit.div(panelEnd, unitPanels);
  Value wholeEnd = emit.min(unitEnd, emit.index(wholeUnits));
  auto tileColumn = [&](Value unit) { return emit.mul(emit.sub(unit, unitBegin), unitPanels * panelWidth); };
  emit.loop(emit.index(0), rows.count, 1, [&](Value row) {
    Value place = emit.add(task.rowBegin, emit.add(rows.first, row));
    emit.loop(unitBegin, wholeEnd, 1, [&](Value unit) {
      emitUnit({tile, row, tileColumn(unit), place, unit, {}}, finish);
    });
    if (wholeUnits == units)
      return;
    emit.ifThen(emit.less(wholeEnd, unitEnd), [&] {
      auto maskType = VectorType::get(panelWidth, emit.builder.getI1Type());
      Value mask = emit.make<vector::CreateMaskOp>(maskType, emit.index(columns % panelWidth));
      Value unit = emit.index(wholeUnits);
      emitUnit({tile, row, tileColumn(unit), place, unit, mask}, finish);
    });
  });
}
