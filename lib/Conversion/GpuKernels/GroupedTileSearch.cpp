//===- GroupedTileSearch.cpp - which tile of a grouped matmul a block computes -===//
//
// Each warp searches for itself: a lane counts the tiles of a few experts, all loads under way together, a prefix sum
// over the lanes tells whose experts hold the tile, and that lane tells the others.
//
//===----------------------------------------------------------------------===//

#include "GroupedTileSearch.h"
#include "WarpReductions.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace moec;

namespace {

class TileSearch {
public:
  TileSearch(const GpuBlockBuilder &block, const MatmulProblem &problem, Value offsets, Value rowCount,
             Value heightLog2)
      : block(block), experts(problem.experts), offsets(offsets), rowCount(rowCount), heightLog2(heightLog2),
        lane(block.lane()) {}

  /// Where the `target`-th tile lies, counted over the experts.
  struct Found {
    Value exists, expert, tile, begin, end;
  };
  Found find(Value target) const;

  Value tilesOf(Value rows) const {
    Value rest = block.sub(block.make<arith::ShLIOp>(block.i32(1), heightLog2), 1);
    return block.make<arith::ShRUIOp>(block.add(rows, rest), heightLog2);
  }

private:
  static constexpr int64_t mostPerLane = 8;
  using Values = GpuBlockBuilder::Values;

  Values findInRound(Value firstExpert, Value target, int64_t perLane) const;

  GpuBlockBuilder block;
  int64_t experts;
  Value offsets, rowCount, heightLog2, lane;
};

} // namespace

/// Searches 32 * perLane experts: (tiles left to skip, expert or -1, tile, begin, end).
TileSearch::Values TileSearch::findInRound(Value firstExpert, Value target, int64_t perLane) const {
  Value first = block.add(firstExpert, block.mul(lane, perLane));
  // Places are clamped to the rows that there are, and made to ascend.
  SmallVector<Value> places;
  for (int64_t i = 0; i <= perLane; ++i) {
    Value at = block.min(block.add(first, i), experts);
    Value place = block.load(block.builder.getI32Type(), block.at(offsets, block.mul(at, 4)));
    place = block.min(block.max(place, int64_t(0)), rowCount);
    places.push_back(places.empty() ? place : block.max(place, places.back()));
  }
  SmallVector<Value> tiles;
  Value count = block.i32(0);
  for (int64_t i = 0; i < perLane; ++i) {
    tiles.push_back(tilesOf(block.sub(places[i + 1], places[i])));
    count = block.add(count, tiles.back());
  }

  Value through = sumThroughLane(block, count), left = block.sub(target, block.sub(through, count));
  Value expert = block.i32(-1), tile = block.i32(0), begin = places[0], end = places[0];
  for (int64_t i = 0; i < perLane; ++i) {
    Value here = block.compare(arith::CmpIPredicate::ult, left, tiles[i]);
    expert = block.select(here, block.add(first, i), expert);
    tile = block.select(here, left, tile);
    begin = block.select(here, places[i], begin);
    end = block.select(here, places[i + 1], end);
    left = block.sub(left, tiles[i]);
  }
  // The lanes whose experts end before the tile come first.
  Value passed = block.ballot(block.compare(arith::CmpIPredicate::sle, through, target));
  Value finder = block.make<math::CtPopOp>(passed);
  Value known = block.min(finder, warpLanes - 1);
  Value skipped = block.sub(target, block.shuffle(through, block.i32(warpLanes - 1)));
  return {skipped, block.shuffle(expert, known), block.shuffle(tile, known), block.shuffle(begin, known),
          block.shuffle(end, known)};
}

TileSearch::Found TileSearch::find(Value target) const {
  Value zero = block.i32(0);
  if (!offsets)
    return {block.less(target, tilesOf(rowCount)), zero, target, zero, rowCount};
  int64_t perLane = std::min<int64_t>(mostPerLane, llvm::divideCeil(experts, warpLanes));
  int64_t perRound = perLane * warpLanes;
  Values found;
  if (experts <= perRound) {
    found = findInRound(zero, target, perLane);
  } else {
    Values none = {target, block.i32(-1), zero, zero, zero};
    found = block.loop(zero, block.i32(experts), block.i32(perRound), none, [&](Value first, ValueRange carried) {
      Value open = block.less(carried[1], int64_t(0));
      return block.ifElse(
          open, [&] { return findInRound(first, carried[0], perLane); },
          [&] { return llvm::to_vector_of<Value>(carried); });
    });
  }
  Value exists = block.compare(arith::CmpIPredicate::sge, found[1], zero);
  return {exists, found[1], found[2], found[3], found[4]};
}

GroupedTile moec::findGroupedTile(const GpuBlockBuilder &block, const MatmulProblem &problem,
                                  const MatmulSchedule &schedule, Value offsets, Value rowCount, Value unit) {
  Value heightLog2 = schedule.buildHeightLog2(block.builder, block.loc, rowCount);
  TileSearch search(block, problem, offsets, rowCount, heightLog2);
  TileSearch::Found found = search.find(block.div(unit, schedule.columnBlocks));

  // All units of the expert are counted together; groups of tiles go through the columns one after the other.
  int64_t unitsPerGroup = schedule.tilesPerGroup * schedule.columnBlocks;
  Value inExpert = block.add(block.rem(unit, schedule.columnBlocks), block.mul(found.tile, schedule.columnBlocks));
  Value firstTile = block.mul(block.div(inExpert, unitsPerGroup), schedule.tilesPerGroup);
  Value inGroup = block.rem(inExpert, unitsPerGroup);
  Value tiles = search.tilesOf(block.sub(found.end, found.begin));
  Value members = block.max(block.min(block.sub(tiles, firstTile), schedule.tilesPerGroup), 1);
  Value tile = block.add(firstTile, block.rem(inGroup, members));

  GroupedTile result;
  result.exists = found.exists;
  result.expert = found.expert;
  result.columnBlock = block.div(inGroup, members);
  result.firstRow = block.add(found.begin, block.make<arith::ShLIOp>(tile, heightLog2));
  Value height = block.make<arith::ShLIOp>(block.i32(1), heightLog2);
  result.rows = block.min(height, block.sub(found.end, result.firstRow));
  return result;
}
