//===- MatmulTiles.cpp - operand tiles of a matmul in shared memory ---------===//

#include "MatmulTiles.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;

static constexpr int64_t chunkBytes = 16, lineBytes = 128;
static constexpr int64_t threads = MatmulSchedule::threads;

Value TileLayout::chunk(const GpuBlockBuilder &block, Value row, Value chunk) const {
  int64_t chunks = rowBytes / chunkBytes, rowsPerLine = lineBytes / rowBytes;
  Value key = movesPairs ? block.shiftLeft(block.bitAnd(block.div(row, rowsPerLine), chunks / 2 - 1), 1)
                         : block.bitAnd(block.div(row, rowsPerLine), chunks - 1);
  return block.add(block.mul(row, rowBytes), block.mul(block.bitXor(chunk, key), chunkBytes));
}

Value TileLayout::byte(const GpuBlockBuilder &block, Value row, Value byte) const {
  Value start = chunk(block, row, block.div(byte, chunkBytes));
  return block.add(start, block.rem(byte, chunkBytes));
}

TileLayout moec::weightLayout(const MatmulProblem &problem, const MatmulSchedule &schedule) {
  if (!problem.isPacked)
    return {schedule.innerPerStep * problem.wBytes};
  // Two rows of words, so that the words of four runs of terms lie in different banks.
  if (problem.quantized)
    return {lineBytes, /*movesPairs=*/true};
  return {MatmulSchedule::panelWidth * problem.wBytes, /*movesPairs=*/problem.wBytes == 4};
}

TileLayout moec::tokenLayout(const MatmulProblem &problem) {
  // Halves of chunks are read across four rows.
  bool readsHalves = problem.quantized && quantizedRun(problem) * problem.xBytes < chunkBytes;
  return {MatmulSchedule::stepBytes, /*movesPairs=*/readsHalves};
}

namespace {

/// Rows of a row-major operand. A thread fills whole chunks, with copies as wide as the alignment of the rows allows.
class RowCopy : public TileCopy {
public:
  RowCopy(const GpuBlockBuilder &block, Value thread, int64_t rows, int64_t innerBytes, TileLayout layout,
          llvm::function_ref<TileRow(Value)> locate)
      : block(block), thread(thread), innerBytes(innerBytes), stepBytes(layout.rowBytes) {
    copyBytes = innerBytes == 0 ? chunkBytes : std::min<int64_t>(chunkBytes, innerBytes & -innerBytes);
    int64_t chunksPerRow = stepBytes / chunkBytes;
    activeThreads = std::min(threads, rows * chunksPerRow);
    Value chunk = block.rem(thread, chunksPerRow);
    byteInStep = block.mul(chunk, chunkBytes);
    for (int64_t first = 0; first < rows; first += threads / chunksPerRow) {
      Value row = block.add(block.div(thread, chunksPerRow), first);
      TileRow found = locate(row);
      pieces.push_back({block.at(found.pointer, byteInStep), found.exists, layout.chunk(block, row, chunk)});
    }
  }

  void emit(Value step, Value target) const override {
    auto copyAll = [&] {
      Value offset = block.mul(step, stepBytes);
      for (const Piece &piece : pieces)
        copyChunk(piece, offset, block.at(target, piece.target));
    };
    if (activeThreads == threads)
      copyAll();
    else
      block.ifThen(block.less(thread, activeThreads), copyAll);
  }

private:
  struct Piece {
    Value source, exists, target;
  };

  void copyChunk(const Piece &piece, Value offset, Value target) const {
    Value source = block.at(piece.source, offset);
    SmallVector<Value> elements;
    for (int64_t byte = 0; byte < chunkBytes; byte += copyBytes) {
      Value wanted = piece.exists;
      if (innerBytes % stepBytes)
        wanted = block.both(wanted, block.less(block.add(block.add(offset, byteInStep), byte), innerBytes));
      if (copyBytes >= 4)
        block.copyAsync(block.at(target, byte), block.at(source, byte), copyBytes,
                        block.select(wanted, block.i32(copyBytes), block.i32(0)));
      else
        elements.push_back(loadElement(wanted, block.at(source, byte)));
    }
    if (!elements.empty()) {
      auto type = VectorType::get(static_cast<int64_t>(elements.size()), block.builder.getI16Type());
      block.store(block.make<vector::FromElementsOp>(type, elements), target);
    }
  }

  /// An element of 16 bits of a row that may begin anywhere, which no asynchronous copy can read.
  Value loadElement(Value wanted, Value source) const {
    Type i16 = block.builder.getI16Type();
    auto load = [&] { return GpuBlockBuilder::Values{block.load(i16, source)}; };
    auto zero = [&] { return GpuBlockBuilder::Values{block.make<arith::ConstantIntOp>(int64_t(0), 16)}; };
    return block.ifElse(wanted, load, zero)[0];
  }

  GpuBlockBuilder block;
  Value thread;
  int64_t innerBytes, stepBytes, copyBytes, activeThreads;
  Value byteInStep;
  SmallVector<Piece> pieces;
};

/// Panels, of which a step takes consecutive rows: one run of bytes, at most a chunk for each thread.
class PanelCopy : public TileCopy {
public:
  PanelCopy(const GpuBlockBuilder &block, Value thread, const MatmulProblem &problem, const MatmulSchedule &schedule,
            Value weight, Value firstPanel)
      : block(block), problem(problem), schedule(schedule), thread(thread) {
    TileLayout layout = weightLayout(problem, schedule);
    runBytes = schedule.panelStepBytes;
    int64_t chunks = runBytes / chunkBytes, chunksPerRow = layout.rowBytes / chunkBytes;
    activeThreads = std::min(threads, schedule.panelsPerBlock * chunks);
    Value chunk = block.rem(thread, chunks), panelOfThread = block.div(thread, chunks);
    byteInRun = block.mul(chunk, chunkBytes);
    Value first = block.add(firstPanel, panelOfThread);
    Value source =
        block.at(weight, block.add(block.mul(block.toI64(first), problem.panelBytes), block.toI64(byteInRun)));
    Value inRun = layout.chunk(block, block.div(chunk, chunksPerRow), block.rem(chunk, chunksPerRow));
    Value target = block.add(block.mul(panelOfThread, runBytes), inRun);
    for (int64_t panel = 0; panel < schedule.panelsPerBlock; panel += threads / chunks)
      pieces.push_back({block.at(source, block.i64(panel * problem.panelBytes)), block.add(target, panel * runBytes),
                        block.add(first, panel)});
  }

  void emit(Value step, Value target) const override {
    auto copyAll = [&] {
      Value offset = block.mul(step, runBytes);
      for (const Piece &piece : pieces)
        block.copyAsync(block.at(target, piece.target), block.at(piece.source, block.toI64(offset)), chunkBytes,
                        sourceBytes(piece.panel, offset));
    };
    if (activeThreads == threads)
      copyAll();
    else
      block.ifThen(block.less(thread, activeThreads), copyAll);
  }

private:
  struct Piece {
    Value source, target, panel;
  };

  /// Null where the whole chunk exists in every step.
  Value sourceBytes(Value panel, Value offset) const {
    Value exists;
    if (problem.panels % schedule.panelsPerBlock)
      exists = block.less(panel, problem.panels);
    if (problem.panelBytes % runBytes) {
      Value inside = block.less(block.add(offset, byteInRun), problem.panelBytes);
      exists = exists ? block.both(exists, inside) : inside;
    }
    return exists ? block.select(exists, block.i32(chunkBytes), block.i32(0)) : Value();
  }

  GpuBlockBuilder block;
  const MatmulProblem &problem;
  const MatmulSchedule &schedule;
  Value thread, byteInRun;
  int64_t activeThreads, runBytes;
  SmallVector<Piece> pieces;
};

} // namespace

std::unique_ptr<TileCopy> moec::makeRowCopy(const GpuBlockBuilder &block, Value thread, int64_t rows,
                                            int64_t innerBytes, TileLayout layout,
                                            llvm::function_ref<TileRow(Value)> locate) {
  return std::make_unique<RowCopy>(block, thread, rows, innerBytes, layout, locate);
}

std::unique_ptr<TileCopy> moec::makePanelCopy(const GpuBlockBuilder &block, Value thread, const MatmulProblem &problem,
                                              const MatmulSchedule &schedule, Value weight, Value firstPanel) {
  return std::make_unique<PanelCopy>(block, thread, problem, schedule, weight, firstPanel);
}
