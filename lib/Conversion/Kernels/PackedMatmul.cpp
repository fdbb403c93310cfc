//===- PackedMatmul.cpp - a grouped matmul with a weight in panels ----------===//
//
// A task packs its rows once (gathered, scaled, extended to f32, padded apart) and walks its panels; under each group
// of panels it walks blocks of rows. A micro-kernel keeps the sums of rows x panels in registers over all of K and
// leaves them in a tile in scratch memory, where the epilogue adds the bias, applies the activation and stores. Each
// sum runs over ascending k in one accumulator, whatever the row count, so the bits of a row do not depend on its
// companions.
//
//===----------------------------------------------------------------------===//

#include "ExpertActivation.h"
#include "GroupedMatmulTask.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

/// Rows of a task that a micro-kernel takes together. The blocks under one group of panels share out the fetching of
/// the next group, so that memory is read evenly while they compute.
struct RowBlock {
  Value first, rows;
  /// The elements of a panel to fetch: `fetchCount` with each step of the sum, from `fetchBegin` on.
  Value fetchBegin, fetchCount;
};

/// Panels that all row blocks of a task walk before the next ones are touched, unless there is only one block.
constexpr int64_t groupPanels = 2;

/// Emits the loops of one task.
class PackedMatmul {
public:
  explicit PackedMatmul(GroupedMatmulTask &task);

  void emitBlocks(Value blockBegin, Value blockEnd);

private:
  void packRows();
  void packRow(Value row);
  void emitPanels(Value panelBegin, Value panelEnd);
  void emitRowBlock(const RowBlock &block, Value panelBegin, Value panelEnd);
  void emitMicroKernel(int64_t rows, int64_t panels, const RowBlock &block, Value panel, Value tileColumn);
  Value loadWeights(Value panel, Value k);
  void prefetchWeights(Value panel, ArrayRef<Value> tilePanels, Value k, Value fetched);
  void emitEpilogue(const RowBlock &block, Value panelBegin, Value panelEnd);
  void emitResultVector(Value tileRow, Value place, Value tileColumn, Value unit, Value mask);

  GroupedMatmulTask &task;
  LoopEmitter &emit;
  RegisterTile registerTile;
  VectorType vectorType;
  /// Panels that make one vector of results: gate and linear, or one.
  int64_t unitPanels;
  int64_t panels;
  /// f32 views of the scratch memory: packed rows, and sums of one row block.
  Value packed, tile;
  /// The weight with each panel as one row.
  Value flatPanels;
  Value rowCount;
};

} // namespace

PackedMatmul::PackedMatmul(GroupedMatmulTask &task)
    : task(task), emit(task.emit), registerTile(task.context),
      vectorType(VectorType::get(panelWidth, task.emit.builder.getF32Type())),
      unitPanels(task.activation.isGated() ? 2 : 1), panels(cast<MemRefType>(task.w.getType()).getDimSize(1)) {
  auto f32 = emit.builder.getF32Type();
  auto packedType = MemRefType::get({task.grid.rowsPerTask, MatmulGrid::packedStride(task.inner)}, f32);
  auto tileType = MemRefType::get({mostTileRows, widestPanels * panelWidth}, f32);
  packed = emit.make<memref::ViewOp>(packedType, task.context.scratch, emit.index(0), ValueRange());
  tile = emit.make<memref::ViewOp>(tileType, task.context.scratch, emit.index(task.grid.packedBytes(task.inner)),
                                   ValueRange());
  SmallVector<ReassociationIndices> wholePanels = {{0}, {1}, {2, 3}};
  flatPanels = emit.make<memref::CollapseShapeOp>(task.w, wholePanels);
  rowCount = emit.sub(task.rowEnd, task.rowBegin);
}

void PackedMatmul::packRow(Value row) {
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

void PackedMatmul::packRows() {
  emit.loop(emit.index(0), rowCount, 1, [&](Value row) { packRow(row); });
}

void PackedMatmul::prefetchWeights(Value panel, ArrayRef<Value> tilePanels, Value k, Value fetched) {
  // Rows of a panel are cache lines of f32. The first level gets what comes soon, which may lie in the next panel; the
  // second level the group of panels that follows. A tile of four panels is bound by memory: the processor's own
  // prefetching keeps up with its plain streams.
  constexpr int64_t linesAhead = 32;
  bool computeBound = int64_t(tilePanels.size()) < widestPanels;
  auto prefetch = [&](Value memref, ValueRange indices, int64_t locality) {
    memref::PrefetchOp::create(emit.builder, emit.loc, memref, indices, /*isWrite=*/false, locality,
                               /*isDataCache=*/true);
  };
  for (auto [i, at] : llvm::enumerate(tilePanels)) {
    prefetch(task.w, {task.expert, at, emit.add(k, linesAhead), emit.index(0)}, /*locality=*/3);
    if (!computeBound)
      continue;
    Value next = emit.min(emit.add(panel, groupPanels + i), emit.index(panels - 1));
    prefetch(flatPanels, {task.expert, next, fetched}, /*locality=*/2);
  }
}

/// The weights of a panel for one term.
Value PackedMatmul::loadWeights(Value panel, Value k) {
  Value zero = emit.index(0);
  if (!task.op.getQuantized())
    return emit.loadReals(task.w, {task.expert, panel, k, zero}, panelWidth);
  QuantizationAttr quantized = *task.op.getQuantized();
  int64_t bits = quantized.getBits(), perWord = quantized.getValuesPerWord();
  auto wordType = VectorType::get(panelWidth, emit.builder.getI32Type());
  auto splat = [&](Value scalar) { return emit.make<vector::BroadcastOp>(wordType, emit.toI32(scalar)); };
  Value words = emit.make<vector::LoadOp>(wordType, task.w, ValueRange{task.expert, panel, emit.div(k, perWord), zero});
  Value inWord = emit.rem(k, perWord);
  Value shift = emit.add(emit.mul(emit.div(inWord, 2), bits), emit.mul(emit.rem(inWord, 2), 16));
  Value values = emit.make<arith::ShRUIOp>(words, splat(shift));
  values = emit.make<arith::AndIOp>(values, splat(emit.index((int64_t(1) << bits) - 1)));
  Value block = quantized.getBlock() ? emit.div(k, quantized.getBlock()) : zero;
  SmallVector<Value> at = {task.expert, panel, block, zero};
  Value zeroPoints = splat(emit.index(int64_t(1) << (bits - 1)));
  if (task.wZeroPoints) {
    auto byteType = VectorType::get(panelWidth, emit.builder.getI8Type());
    zeroPoints = emit.make<arith::ExtUIOp>(wordType, emit.make<vector::LoadOp>(byteType, task.wZeroPoints, at));
  }
  Value difference = emit.make<arith::SIToFPOp>(vectorType, emit.make<arith::SubIOp>(values, zeroPoints));
  return emit.make<arith::MulFOp>(difference, emit.loadReals(task.wScales, at, panelWidth));
}

void PackedMatmul::emitMicroKernel(int64_t rows, int64_t tilePanels, const RowBlock &block, Value panel,
                                   Value tileColumn) {
  // At the edge of the weight a tile repeats the last panel; the epilogue skips what lies beyond.
  SmallVector<Value> panelAt;
  for (int64_t i = 0; i < tilePanels; ++i)
    panelAt.push_back(emit.min(emit.add(panel, i), emit.index(panels - 1)));
  SmallVector<Value> rowAt;
  for (int64_t i = 0; i < rows; ++i)
    rowAt.push_back(emit.add(block.first, i));

  // The fetched element is carried along because computing it would take a multiplication from the sums.
  SmallVector<Value> initial(rows * tilePanels, emit.real(vectorType, 0.0));
  initial.push_back(block.fetchBegin);
  auto multiplyAdd = [&](Value k, ValueRange sums) {
    SmallVector<Value> next, weights;
    if (!task.op.getQuantized())
      prefetchWeights(panel, panelAt, k, sums.back());
    for (Value at : panelAt)
      weights.push_back(loadWeights(at, k));
    for (int64_t i = 0; i < rows; ++i) {
      Value value = emit.make<vector::BroadcastOp>(vectorType, emit.load(packed, {rowAt[i], k}));
      for (int64_t j = 0; j < tilePanels; ++j)
        next.push_back(emit.make<vector::FMAOp>(value, weights[j], sums[i * tilePanels + j]));
    }
    next.push_back(emit.add(sums.back(), block.fetchCount));
    return next;
  };
  auto sums = emit.loop(emit.index(0), emit.index(task.inner), 1, initial, multiplyAdd);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < tilePanels; ++j)
      emit.storeReals(sums[i * tilePanels + j], tile, {emit.index(i), emit.add(tileColumn, j * panelWidth)});
}

void PackedMatmul::emitRowBlock(const RowBlock &block, Value panelBegin, Value panelEnd) {
  SmallVector<int64_t> cases;
  for (int64_t count = 1; count <= registerTile.rows; ++count)
    cases.push_back(count);
  auto byRows = scf::IndexSwitchOp::create(emit.builder, emit.loc, TypeRange(), block.rows, cases, cases.size());
  for (auto [count, region] : llvm::zip_equal(cases, byRows.getCaseRegions())) {
    OpBuilder::InsertionGuard guard(emit.builder);
    emit.builder.createBlock(&region);
    int64_t tilePanels = registerTile.panels(count);
    emit.loop(panelBegin, panelEnd, tilePanels, [&](Value panel) {
      Value tileColumn = emit.mul(emit.sub(panel, panelBegin), panelWidth);
      emitMicroKernel(count, tilePanels, block, panel, tileColumn);
    });
    scf::YieldOp::create(emit.builder, emit.loc);
  }
  OpBuilder::InsertionGuard guard(emit.builder);
  emit.builder.createBlock(&byRows.getDefaultRegion());
  scf::YieldOp::create(emit.builder, emit.loc);
}

void PackedMatmul::emitResultVector(Value tileRow, Value place, Value tileColumn, Value unit, Value mask) {
  SmallVector<Value> values;
  bool panelOrder = task.activation.isGated();
  for (int64_t i = 0; i < unitPanels; ++i) {
    Value value = emit.loadReals(tile, {tileRow, emit.add(tileColumn, i * panelWidth)}, panelWidth);
    if (task.bias) {
      Value column = emit.mul(emit.add(emit.mul(unit, unitPanels), i), panelWidth);
      // In panel order the bias is padded as the panels are.
      Value biasMask = panelOrder ? Value() : mask;
      value = emit.make<arith::AddFOp>(value, emit.loadReals(task.bias, {task.expert, column}, panelWidth, biasMask));
    }
    values.push_back(value);
  }
  Value linear = unitPanels == 2 ? values[1] : Value();
  Value result = emitExpertActivation(emit, task.activation, values[0], linear);
  emit.storeReals(result, task.out, {place, emit.mul(unit, panelWidth)}, mask);
}

void PackedMatmul::emitEpilogue(const RowBlock &block, Value panelBegin, Value panelEnd) {
  int64_t columns = task.op.getResultColumns();
  int64_t wholeUnits = columns / panelWidth, units = (columns + panelWidth - 1) / panelWidth;
  Value unitBegin = emit.div(panelBegin, unitPanels), unitEnd = emit.div(panelEnd, unitPanels);
  Value wholeEnd = emit.min(unitEnd, emit.index(wholeUnits));
  auto tileColumn = [&](Value unit) { return emit.mul(emit.sub(unit, unitBegin), unitPanels * panelWidth); };
  emit.loop(emit.index(0), block.rows, 1, [&](Value row) {
    Value place = emit.add(task.rowBegin, emit.add(block.first, row));
    emit.loop(unitBegin, wholeEnd, 1, [&](Value unit) { emitResultVector(row, place, tileColumn(unit), unit, {}); });
    if (wholeUnits == units)
      return;
    emit.ifThen(emit.less(wholeEnd, unitEnd), [&] {
      auto maskType = VectorType::get(panelWidth, emit.builder.getI1Type());
      Value mask = emit.make<vector::CreateMaskOp>(maskType, emit.index(columns % panelWidth));
      Value unit = emit.index(wholeUnits);
      emitResultVector(row, place, tileColumn(unit), unit, mask);
    });
  });
}

void PackedMatmul::emitPanels(Value panelBegin, Value panelEnd) {
  // Row blocks of nearly equal size: none is smaller than half the largest tile unless it is the only one.
  Value blocks = emit.ceilDiv(rowCount, registerTile.rows);
  Value base = emit.div(rowCount, blocks), longer = emit.rem(rowCount, blocks);
  Value single = emit.equal(blocks, emit.index(1));
  Value width = emit.select(single, emit.index(widestPanels), emit.index(groupPanels));
  // With more blocks than elements in a row of a panel, the last ones repeat what others fetch.
  Value shares = emit.min(blocks, emit.index(panelWidth));
  Value fetchCount = emit.div(emit.add(shares, panelWidth - 1), shares);
  emit.loop(panelBegin, panelEnd, width, [&](Value panel) {
    Value next = emit.min(emit.add(panel, width), panelEnd);
    emit.loop(emit.index(0), blocks, 1, [&](Value block) {
      RowBlock rows;
      rows.first = emit.add(emit.mul(block, base), emit.min(block, longer));
      rows.rows = emit.add(base, emit.select(emit.less(block, longer), emit.index(1), emit.index(0)));
      rows.fetchCount = fetchCount;
      Value lastBegin = emit.sub(emit.index(panelWidth), fetchCount);
      rows.fetchBegin = emit.mul(emit.min(emit.mul(block, fetchCount), lastBegin), task.inner);
      emitRowBlock(rows, panel, next);
      emitEpilogue(rows, panel, next);
    });
  });
}

void PackedMatmul::emitBlocks(Value blockBegin, Value blockEnd) {
  packRows();
  Value panelBegin = emit.mul(blockBegin, task.grid.panelsPerTask);
  Value panelEnd = emit.min(emit.mul(blockEnd, task.grid.panelsPerTask), emit.index(panels));
  emitPanels(panelBegin, panelEnd);
}

void moec::emitPackedMatmul(GroupedMatmulTask &task, Value blockBegin, Value blockEnd) {
  PackedMatmul(task).emitBlocks(blockBegin, blockEnd);
}
