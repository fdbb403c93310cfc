//===- AttentionTiles.cpp - queries, keys and values in shared memory -------===//

#include "AttentionTiles.h"
#include "AttentionSchedule.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;

static constexpr int64_t chunkBytes = 16;
static constexpr int64_t threads = AttentionSchedule::threads;

AttentionTileCopy::AttentionTileCopy(const GpuBlockBuilder &block, Value thread, const AttentionTile &tile)
    : block(block), tile(tile), sourceBytes(tile.sourceType.getIntOrFloatBitWidth() / 8),
      tileBytes(tile.tileType.getIntOrFloatBitWidth() / 8), thread(thread) {
  elementsPerChunk = chunkBytes / tileBytes;
  int64_t rowBytes = tile.sourceColumns * sourceBytes, chunksPerRow = (tile.pitch - chunkBytes) / chunkBytes;
  copyBytes = tile.sourceType == tile.tileType ? std::min<int64_t>(chunkBytes, rowBytes & -rowBytes) : 0;
  rowsPerPass = threads / chunksPerRow;
  activeThreads = rowsPerPass * chunksPerRow;
  firstRow = block.div(thread, chunksPerRow);
  firstElement = block.mul(block.rem(thread, chunksPerRow), elementsPerChunk);
}

void AttentionTileCopy::emit(Value source, Value existing, Value target) const {
  int64_t rowBytes = tile.sourceColumns * sourceBytes;
  source = block.at(
      source, block.add(block.mul(block.toI64(firstRow), rowBytes), block.mul(block.toI64(firstElement), sourceBytes)));
  target = block.at(target, block.add(block.mul(firstRow, tile.pitch), block.mul(firstElement, tileBytes)));
  auto copyAll = [&] {
    for (int64_t first = 0; first < tile.rows; first += rowsPerPass) {
      Value row = block.add(firstRow, first), wanted = block.less(row, existing);
      auto copy = [&] {
        copyChunk(wanted, block.at(source, block.i64(first * rowBytes)), block.at(target, first * tile.pitch));
      };
      if (first + rowsPerPass > tile.rows)
        block.ifThen(block.less(row, tile.rows), copy);
      else
        copy();
    }
  };
  if (activeThreads == threads)
    copyAll();
  else
    block.ifThen(block.less(thread, activeThreads), copyAll);
}

/// `wanted`, and that the row has the `element`-th of the chunk.
Value AttentionTileCopy::isInRow(Value wanted, int64_t element) const {
  if (!tile.columns && tile.sourceColumns * tileBytes == tile.pitch - chunkBytes)
    return wanted;
  Value columns = tile.columns ? tile.columns : block.i32(tile.sourceColumns);
  return block.both(wanted, block.less(block.add(firstElement, element), columns));
}

void AttentionTileCopy::copyChunk(Value wanted, Value source, Value target) const {
  if (copyBytes < 4)
    return convertChunk(wanted, source, target);
  for (int64_t byte = 0; byte < chunkBytes; byte += copyBytes)
    block.copyAsync(block.at(target, byte), block.at(source, byte), copyBytes,
                    block.select(isInRow(wanted, byte / tileBytes), block.i32(copyBytes), block.i32(0)));
}

void AttentionTileCopy::convertChunk(Value wanted, Value source, Value target) const {
  bool isConverted = tile.sourceType != tile.tileType;
  // bf16 and f16 travel as integers.
  Type bits = block.builder.getIntegerType(8 * tileBytes), stored = isConverted ? tile.tileType : bits;
  SmallVector<Value> elements;
  for (int64_t element = 0; element < elementsPerChunk; ++element) {
    Value pointer = block.at(source, element * sourceBytes);
    auto load = [&] {
      Value loaded = block.load(isConverted ? tile.sourceType : bits, pointer);
      return GpuBlockBuilder::Values{isConverted ? block.convert(loaded, tile.tileType) : loaded};
    };
    auto zero = [&] {
      return GpuBlockBuilder::Values{block.make<arith::ConstantOp>(block.builder.getZeroAttr(stored))};
    };
    elements.push_back(block.ifElse(isInRow(wanted, element), load, zero)[0]);
  }
  auto type = VectorType::get(elementsPerChunk, stored);
  block.store(block.make<vector::FromElementsOp>(type, elements), target);
}
