//===- QuantizedMatmul.cpp - a grouped matmul with integers in panels -------===//
//
// Values become floats without rounding, and what has one scale is summed up before it is scaled:
//
//   sum over blocks b, ascending, of scale[b] * (sum over k in b, ascending, of x[k] * (value[k] - zero point[b]))
//
// with one multiply-add for each step of either sum. A task of few rows unpacks the words in registers, next to the
// sums. With more rows a chunk of the terms of two panels is unpacked into scratch memory, and a micro-kernel runs over
// it for one block of rows after the other. Both take the steps above, so the bits of a row do not depend on how many
// there are.
//
//===----------------------------------------------------------------------===//

#include "PackedRows.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

/// The values of one panel. Bits that lie `position` up in a half word are also bits of the float
/// 2^(23 - position) + value: a mask, an `or` and a subtraction make value - zero point.
class PanelValues {
public:
  PanelValues(const PackedRows &rows, Value panel)
      : task(rows.task), emit(rows.emit), floats(rows.vectorType),
        words(VectorType::get(panelWidth, rows.emit.builder.getI32Type())), quantized(*rows.task.op.getQuantized()),
        panel(panel) {}

  Value scale(Value block) const { return emit.loadReals(task.wScales, at(block), panelWidth); }
  /// What stands for the zero point of a block, for each position in a half word.
  SmallVector<Value> zeroPoints(Value block) const;
  /// Calls `body` with the first `count` values of a word less their zero points.
  void forTerms(Value word, ArrayRef<Value> zeroPoints, int64_t count,
                llvm::function_ref<void(int64_t, Value)> body) const;
  void prefetch(Value word) const;

private:
  SmallVector<Value> at(Value place) const { return {task.expert, panel, place, emit.index(0)}; }
  Value splat(uint32_t bits) const {
    return emit.make<arith::ConstantOp>(DenseElementsAttr::get(words, emit.builder.getI32IntegerAttr(bits)));
  }
  int64_t position(int64_t pair) const { return pair * quantized.getBits(); }
  /// The bits of 2^(23 - position).
  static uint32_t power(int64_t position) { return uint32_t(127 + 23 - position) << 23; }
  Value toFloat(Value bits, int64_t position) const {
    return emit.make<vector::BitCastOp>(floats, emit.make<arith::OrIOp>(bits, splat(power(position))));
  }

  GroupedMatmulTask &task;
  LoopEmitter &emit;
  VectorType floats, words;
  QuantizationAttr quantized;
  Value panel;
};

/// Emits the loops of one task.
class QuantizedMatmul {
public:
  explicit QuantizedMatmul(GroupedMatmulTask &task);

  void emitBlocks(Value blockBegin, Value blockEnd);

private:
  /// The sums that a micro-kernel takes from unpacked panels: `panels` of the group, from `firstPanel` on.
  struct UnpackedTile {
    int64_t rows, panels;
    Value firstRow, firstPanel, chunkBegin;
  };
  /// The terms [begin, end), which share the scale at `index`.
  struct ScaledBlock {
    Value index, begin, end;
  };
  using BlockBody = llvm::function_ref<SmallVector<Value>(const ScaledBlock &, ValueRange)>;
  /// Visits the terms [begin, end), of whole blocks but for the last, block by block, and returns the carried values.
  SmallVector<Value> forScaledBlocks(Value begin, Value end, ValueRange initial, BlockBody body) const;
  bool hasOneScale() const { return tiling.block == task.inner; }

  void emitFewRows(Value panelBegin, Value panelEnd);
  void emitWordKernel(int64_t count, int64_t tilePanels, Value panel, Value tile, Value tileColumn);
  SmallVector<Value> addBlock(ArrayRef<PanelValues> panels, int64_t count, Value block, int64_t terms,
                              ValueRange totals);
  SmallVector<Value> addWord(ArrayRef<PanelValues> panels, ArrayRef<SmallVector<Value>> zeroPoints, int64_t count,
                             Value word, int64_t terms, ValueRange sums);

  void emitManyRows(Value panelBegin, Value panelEnd);
  void emitChunk(Value tile, Value panel, Value begin, Value end);
  void unpackChunk(Value panel, Value begin, Value end);
  void emitUnpackedKernel(const UnpackedTile &at, Value tile, Value panel, Value end);
  SmallVector<Value> multiplyAdd(const UnpackedTile &at, const ScaledBlock &block, ValueRange sums);

  void emitResults(Value tile, Value panelBegin, Value panelEnd);

  GroupedMatmulTask &task;
  LoopEmitter &emit;
  PackedRows rows;
  QuantizedTiling tiling;
  /// Tiles of words, and of unpacked panels.
  RegisterTile registerTile, unpackedTile;
  int64_t valuesPerWord;
  /// The terms of a group of panels that are being multiplied.
  Value unpacked;
  Value zeros;
};

} // namespace

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

SmallVector<Value> PanelValues::zeroPoints(Value block) const {
  Value given;
  if (task.wZeroPoints) {
    auto bytes = VectorType::get(panelWidth, emit.builder.getI8Type());
    given = emit.make<arith::ExtUIOp>(words, emit.make<vector::LoadOp>(bytes, task.wZeroPoints, at(block)));
  }
  SmallVector<Value> points;
  for (int64_t pair = 0; pair < quantized.getValuesPerWord() / 2; ++pair) {
    int64_t up = position(pair);
    if (given)
      points.push_back(toFloat(emit.make<arith::ShLIOp>(given, splat(up)), up));
    else
      points.push_back(emit.real(floats, double(1 << (23 - up)) + double(1 << (quantized.getBits() - 1))));
  }
  return points;
}

void PanelValues::forTerms(Value word, ArrayRef<Value> zeroPoints, int64_t count,
                           llvm::function_ref<void(int64_t, Value)> body) const {
  Value low = emit.make<vector::LoadOp>(words, task.w, at(word));
  Value high = emit.make<arith::ShRUIOp>(low, splat(16));
  for (int64_t term = 0; term < count; ++term) {
    int64_t pair = term / 2, up = position(pair);
    uint32_t mask = ((1u << quantized.getBits()) - 1) << up;
    Value bits = emit.make<arith::AndIOp>(term % 2 ? high : low, splat(mask));
    body(term, emit.make<arith::SubFOp>(toFloat(bits, up), zeroPoints[pair]));
  }
}

void PanelValues::prefetch(Value word) const {
  memref::PrefetchOp::create(emit.builder, emit.loc, task.w, at(word), /*isWrite=*/false, /*localityHint=*/3,
                             /*isDataCache=*/true);
}

QuantizedMatmul::QuantizedMatmul(GroupedMatmulTask &task)
    : task(task), emit(task.emit), rows(task), tiling(task.grid, *task.op.getQuantized(), task.inner),
      registerTile(task.context), unpackedTile(hasOneScale() ? registerTile : registerTile.withTotals()),
      valuesPerWord(task.op.getQuantized()->getValuesPerWord()),
      unpacked(rows.scratchFloats({groupPanels, tiling.chunkTerms, panelWidth}, tiling.tileBytes())),
      zeros(emit.real(rows.vectorType, 0.0)) {}

SmallVector<Value> QuantizedMatmul::forScaledBlocks(Value begin, Value end, ValueRange initial, BlockBody body) const {
  if (hasOneScale())
    return body({emit.index(0), begin, end}, initial);
  Value first = emit.div(begin, tiling.block), last = emit.ceilDiv(end, tiling.block);
  return emit.loop(first, last, 1, initial, [&](Value index, ValueRange carried) {
    Value blockBegin = emit.mul(index, tiling.block), blockEnd = emit.add(blockBegin, tiling.block);
    return body({index, blockBegin, task.inner % tiling.block ? emit.min(blockEnd, end) : blockEnd}, carried);
  });
}

//===----------------------------------------------------------------------===//
// Few rows: words are unpacked in registers
//===----------------------------------------------------------------------===//

SmallVector<Value> QuantizedMatmul::addWord(ArrayRef<PanelValues> panels, ArrayRef<SmallVector<Value>> zeroPoints,
                                            int64_t count, Value word, int64_t terms, ValueRange sums) {
  constexpr int64_t linesAhead = 16;
  SmallVector<Value> next(sums);
  for (auto [j, panel] : llvm::enumerate(panels)) {
    panel.prefetch(emit.add(word, linesAhead));
    panel.forTerms(word, zeroPoints[j], terms, [&](int64_t term, Value weight) {
      Value k = emit.add(emit.mul(word, valuesPerWord), term);
      for (int64_t i = 0; i < count; ++i) {
        Value &sum = next[i * panels.size() + j];
        sum = emit.make<vector::FMAOp>(rows.broadcast(emit.index(i), k), weight, sum);
      }
    });
  }
  return next;
}

SmallVector<Value> QuantizedMatmul::addBlock(ArrayRef<PanelValues> panels, int64_t count, Value block, int64_t terms,
                                             ValueRange totals) {
  SmallVector<SmallVector<Value>> zeroPoints;
  for (const PanelValues &panel : panels)
    zeroPoints.push_back(panel.zeroPoints(block));
  int64_t whole = terms / valuesPerWord, rest = terms % valuesPerWord;
  Value firstWord = emit.mul(block, tiling.block / valuesPerWord);
  SmallVector<Value> sums(totals.size(), zeros);
  sums = emit.loop(firstWord, emit.add(firstWord, whole), 1, sums, [&](Value word, ValueRange carried) {
    return addWord(panels, zeroPoints, count, word, valuesPerWord, carried);
  });
  if (rest)
    sums = addWord(panels, zeroPoints, count, emit.add(firstWord, whole), rest, sums);
  if (hasOneScale())
    return sums;
  for (auto [j, panel] : llvm::enumerate(panels)) {
    Value scale = panel.scale(block);
    for (int64_t i = 0; i < count; ++i) {
      Value &sum = sums[i * panels.size() + j];
      sum = emit.make<vector::FMAOp>(sum, scale, totals[i * panels.size() + j]);
    }
  }
  return sums;
}

void QuantizedMatmul::emitWordKernel(int64_t count, int64_t tilePanels, Value panel, Value tile, Value tileColumn) {
  SmallVector<PanelValues> panels;
  for (int64_t j = 0; j < tilePanels; ++j)
    panels.emplace_back(rows, rows.clampPanel(emit.add(panel, j)));
  int64_t whole = task.inner / tiling.block, rest = task.inner % tiling.block;
  SmallVector<Value> totals(count * tilePanels, zeros);
  totals = emit.loop(emit.index(0), emit.index(whole), 1, totals, [&](Value block, ValueRange carried) {
    return addBlock(panels, count, block, tiling.block, carried);
  });
  if (rest)
    totals = addBlock(panels, count, emit.index(whole), rest, totals);
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = 0; j < tilePanels; ++j)
      emit.storeReals(totals[i * tilePanels + j], tile, {emit.index(i), emit.add(tileColumn, j * panelWidth)});
}

void QuantizedMatmul::emitFewRows(Value panelBegin, Value panelEnd) {
  int64_t most = unpackedTile.fewRows();
  Value tile = rows.scratchFloats({most, widestPanels * panelWidth});
  emit.loop(panelBegin, panelEnd, widestPanels, [&](Value first) {
    Value end = emit.min(emit.add(first, widestPanels), panelEnd);
    rows.forCount(rows.rowCount, 1, most, [&](int64_t count) {
      int64_t tilePanels = registerTile.panels(count);
      emit.loop(first, end, tilePanels, [&](Value panel) {
        emitWordKernel(count, tilePanels, panel, tile, emit.mul(emit.sub(panel, first), panelWidth));
      });
    });
    emitResults(tile, first, end);
  });
}

//===----------------------------------------------------------------------===//
// Many rows: chunks are unpacked into scratch memory
//===----------------------------------------------------------------------===//

void QuantizedMatmul::unpackChunk(Value panel, Value begin, Value end) {
  for (int64_t j = 0; j < groupPanels; ++j) {
    PanelValues values(rows, rows.clampPanel(emit.add(panel, j)));
    forScaledBlocks(begin, end, {}, [&](const ScaledBlock &block, ValueRange) -> SmallVector<Value> {
      SmallVector<Value> zeroPoints = values.zeroPoints(block.index);
      emit.loop(emit.div(block.begin, valuesPerWord), emit.ceilDiv(block.end, valuesPerWord), 1, [&](Value word) {
        Value k = emit.sub(emit.mul(word, valuesPerWord), begin);
        values.forTerms(word, zeroPoints, valuesPerWord, [&](int64_t term, Value weight) {
          emit.storeReals(weight, unpacked, {emit.index(j), emit.add(k, term), emit.index(0)});
        });
      });
      return {};
    });
  }
}

SmallVector<Value> QuantizedMatmul::multiplyAdd(const UnpackedTile &at, const ScaledBlock &block, ValueRange sums) {
  SmallVector<Value> initial(sums);
  return emit.loop(block.begin, block.end, 1, initial, [&](Value k, ValueRange carried) {
    SmallVector<Value> next, weights;
    for (int64_t j = 0; j < at.panels; ++j)
      weights.push_back(emit.loadReals(
          unpacked, {emit.add(at.firstPanel, j), emit.sub(k, at.chunkBegin), emit.index(0)}, panelWidth));
    for (int64_t i = 0; i < at.rows; ++i) {
      Value value = rows.broadcast(emit.add(at.firstRow, i), k);
      for (int64_t j = 0; j < at.panels; ++j)
        next.push_back(emit.make<vector::FMAOp>(value, weights[j], carried[i * at.panels + j]));
    }
    return next;
  });
}

/// Adds the terms [at.chunkBegin, end) to the tile, whose panels begin at `panel` of the weight.
void QuantizedMatmul::emitUnpackedKernel(const UnpackedTile &at, Value tile, Value panel, Value end) {
  auto place = [&](size_t sum) -> SmallVector<Value> {
    return {emit.add(at.firstRow, sum / at.panels), emit.mul(emit.add(at.firstPanel, sum % at.panels), panelWidth)};
  };
  SmallVector<Value> totals;
  for (int64_t i = 0; i < at.rows * at.panels; ++i)
    totals.push_back(emit.loadReals(tile, place(i), panelWidth));
  totals = forScaledBlocks(at.chunkBegin, end, totals, [&](const ScaledBlock &block, ValueRange carried) {
    if (hasOneScale())
      return multiplyAdd(at, block, carried);
    SmallVector<Value> sums = multiplyAdd(at, block, SmallVector<Value>(carried.size(), zeros));
    for (int64_t j = 0; j < at.panels; ++j) {
      Value scale = PanelValues(rows, rows.clampPanel(emit.add(panel, j))).scale(block.index);
      for (int64_t i = j; i < int64_t(sums.size()); i += at.panels)
        sums[i] = emit.make<vector::FMAOp>(sums[i], scale, carried[i]);
    }
    return sums;
  });
  for (auto [i, total] : llvm::enumerate(totals))
    emit.storeReals(total, tile, place(i));
}

/// Adds the terms of a chunk to the sums of all rows in a group of panels.
void QuantizedMatmul::emitChunk(Value tile, Value panel, Value begin, Value end) {
  unpackChunk(panel, begin, end);
  Value blocks = rows.blockCount(unpackedTile.rows);
  emit.loop(emit.index(0), blocks, 1, [&](Value index) {
    RowRange range = rows.block(index, blocks);
    rows.forCount(range.count, unpackedTile.fewRows() + 1, unpackedTile.rows, [&](int64_t count) {
      int64_t tilePanels = std::min(unpackedTile.panels(count), groupPanels);
      emit.loop(emit.index(0), emit.index(groupPanels), tilePanels, [&](Value firstPanel) {
        UnpackedTile at{count, tilePanels, range.first, firstPanel, begin};
        emitUnpackedKernel(at, tile, emit.add(panel, firstPanel), end);
      });
    });
  });
}

void QuantizedMatmul::emitManyRows(Value panelBegin, Value panelEnd) {
  Value tile = rows.scratchFloats({task.grid.rowsPerTask, groupPanels * panelWidth});
  emit.loop(panelBegin, panelEnd, groupPanels, [&](Value panel) {
    emit.loop(emit.index(0), rows.rowCount, 1, [&](Value row) {
      for (int64_t j = 0; j < groupPanels; ++j)
        emit.storeReals(zeros, tile, {row, emit.index(j * panelWidth)});
    });
    emit.loop(emit.index(0), emit.index(task.inner), tiling.chunkTerms, [&](Value begin) {
      emitChunk(tile, panel, begin, emit.min(emit.add(begin, tiling.chunkTerms), emit.index(task.inner)));
    });
    emitResults(tile, panel, emit.min(emit.add(panel, groupPanels), panelEnd));
  });
}

//===----------------------------------------------------------------------===//
// Tasks
//===----------------------------------------------------------------------===//

void QuantizedMatmul::emitResults(Value tile, Value panelBegin, Value panelEnd) {
  RowRange all{emit.index(0), rows.rowCount};
  rows.emitResults(tile, all, panelBegin, panelEnd, [&](Value sum, Value panel) {
    return hasOneScale() ? emit.make<arith::MulFOp>(sum, PanelValues(rows, panel).scale(emit.index(0))) : sum;
  });
}

void QuantizedMatmul::emitBlocks(Value blockBegin, Value blockEnd) {
  rows.pack();
  Value panelBegin = emit.mul(blockBegin, task.grid.panelsPerTask);
  Value panelEnd = emit.min(emit.mul(blockEnd, task.grid.panelsPerTask), emit.index(rows.panels));
  Value few = emit.index(unpackedTile.fewRows());
  emit.ifThen(emit.less(few, rows.rowCount), [&] { emitManyRows(panelBegin, panelEnd); });
  emit.ifThen(emit.compare(arith::CmpIPredicate::sle, rows.rowCount, few), [&] { emitFewRows(panelBegin, panelEnd); });
}

void moec::emitQuantizedMatmul(GroupedMatmulTask &task, Value blockBegin, Value blockEnd) {
  QuantizedMatmul(task).emitBlocks(blockBegin, blockEnd);
}
