//===- PackedMatmul.cpp - a grouped matmul with a weight in panels ----------===//
//
// A task walks its panels; under each group of panels it walks blocks of rows. A micro-kernel keeps the sums of rows x
// panels in registers over all of K and leaves them in a tile in scratch memory. Each sum runs over ascending k in one
// accumulator, whatever the row count, so the bits of a row do not depend on its companions.
//
//===----------------------------------------------------------------------===//

#include "PackedRows.h"

using namespace mlir;
using namespace moec;

namespace {

/// Rows of a task that a micro-kernel takes together. The blocks under one group of panels share out the fetching of
/// the next group, so that memory is read evenly while they compute.
struct RowBlock {
  RowRange rows;
  /// The elements of a panel to fetch: `fetchCount` with each step of the sum, from `fetchBegin` on.
  Value fetchBegin, fetchCount;
};

/// Emits the loops of one task.
class PackedMatmul {
public:
  explicit PackedMatmul(GroupedMatmulTask &task);

  void emitBlocks(Value blockBegin, Value blockEnd);

private:
  void emitPanels(Value panelBegin, Value panelEnd);
  void emitRowBlock(const RowBlock &block, Value panelBegin, Value panelEnd);
  void emitMicroKernel(int64_t count, int64_t tilePanels, const RowBlock &block, Value panel, Value tileColumn);
  void prefetchWeights(Value panel, ArrayRef<Value> tilePanels, Value k, Value fetched);

  GroupedMatmulTask &task;
  LoopEmitter &emit;
  PackedRows rows;
  RegisterTile registerTile;
  /// The sums of one row block.
  Value tile;
  /// The weight with each panel as one row.
  Value flatPanels;
};

} // namespace

PackedMatmul::PackedMatmul(GroupedMatmulTask &task)
    : task(task), emit(task.emit), rows(task), registerTile(task.context),
      tile(rows.scratchFloats({mostTileRows, widestPanels * panelWidth})) {
  SmallVector<ReassociationIndices> wholePanels = {{0}, {1}, {2, 3}};
  flatPanels = emit.make<memref::CollapseShapeOp>(task.w, wholePanels);
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
    prefetch(flatPanels, {task.expert, rows.clampPanel(emit.add(panel, groupPanels + i)), fetched}, /*locality=*/2);
  }
}

void PackedMatmul::emitMicroKernel(int64_t count, int64_t tilePanels, const RowBlock &block, Value panel,
                                   Value tileColumn) {
  SmallVector<Value> panelAt, rowAt;
  for (int64_t i = 0; i < tilePanels; ++i)
    panelAt.push_back(rows.clampPanel(emit.add(panel, i)));
  for (int64_t i = 0; i < count; ++i)
    rowAt.push_back(emit.add(block.rows.first, i));

  // The fetched element is carried along because computing it would take a multiplication from the sums.
  SmallVector<Value> initial(count * tilePanels, emit.real(rows.vectorType, 0.0));
  initial.push_back(block.fetchBegin);
  auto multiplyAdd = [&](Value k, ValueRange sums) {
    SmallVector<Value> next, weights;
    prefetchWeights(panel, panelAt, k, sums.back());
    for (Value at : panelAt)
      weights.push_back(emit.loadReals(task.w, {task.expert, at, k, emit.index(0)}, panelWidth));
    for (int64_t i = 0; i < count; ++i) {
      Value value = rows.broadcast(rowAt[i], k);
      for (int64_t j = 0; j < tilePanels; ++j)
        next.push_back(emit.make<vector::FMAOp>(value, weights[j], sums[i * tilePanels + j]));
    }
    next.push_back(emit.add(sums.back(), block.fetchCount));
    return next;
  };
  auto sums = emit.loop(emit.index(0), emit.index(task.inner), 1, initial, multiplyAdd);
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = 0; j < tilePanels; ++j)
      emit.storeReals(sums[i * tilePanels + j], tile, {emit.index(i), emit.add(tileColumn, j * panelWidth)});
}

void PackedMatmul::emitRowBlock(const RowBlock &block, Value panelBegin, Value panelEnd) {
  rows.forCount(block.rows.count, 1, registerTile.rows, [&](int64_t count) {
    int64_t tilePanels = registerTile.panels(count);
    emit.loop(panelBegin, panelEnd, tilePanels, [&](Value panel) {
      Value tileColumn = emit.mul(emit.sub(panel, panelBegin), panelWidth);
      emitMicroKernel(count, tilePanels, block, panel, tileColumn);
    });
  });
}

void PackedMatmul::emitPanels(Value panelBegin, Value panelEnd) {
  Value blocks = rows.blockCount(registerTile.rows);
  Value single = emit.equal(blocks, emit.index(1));
  // Panels that all row blocks of a task walk before the next ones are touched.
  Value width = emit.select(single, emit.index(widestPanels), emit.index(groupPanels));
  // With more blocks than elements in a row of a panel, the last ones repeat what others fetch.
  Value shares = emit.min(blocks, emit.index(panelWidth));
  Value fetchCount = emit.div(emit.add(shares, panelWidth - 1), shares);
  emit.loop(panelBegin, panelEnd, width, [&](Value panel) {
    Value next = emit.min(emit.add(panel, width), panelEnd);
    emit.loop(emit.index(0), blocks, 1, [&](Value index) {
      RowBlock block{rows.block(index, blocks), {}, fetchCount};
      Value lastBegin = emit.sub(emit.index(panelWidth), fetchCount);
      block.fetchBegin = emit.mul(emit.min(emit.mul(index, fetchCount), lastBegin), task.inner);
      emitRowBlock(block, panel, next);
      rows.emitResults(tile, block.rows, panel, next, [](Value sum, Value) { return sum; });
    });
  });
}

void PackedMatmul::emitBlocks(Value blockBegin, Value blockEnd) {
  rows.pack();
  Value panelBegin = emit.mul(blockBegin, task.grid.panelsPerTask);
  Value panelEnd = emit.min(emit.mul(blockEnd, task.grid.panelsPerTask), emit.index(rows.panels));
  emitPanels(panelBegin, panelEnd);
}

void moec::emitPackedMatmul(GroupedMatmulTask &task, Value blockBegin, Value blockEnd) {
  PackedMatmul(task).emitBlocks(blockBegin, blockEnd);
}
