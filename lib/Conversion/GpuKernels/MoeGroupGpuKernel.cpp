//===- MoeGroupGpuKernel.cpp - moe.group on a GPU ---------------------------===//
//
// A stable counting sort. A block sorts a segment of rows: its warps count the experts of their runs of rows, noting
// how many rows of the same expert come before each row; prefix sums over the warps and the experts tell the places;
// and the rows are put into order in shared memory, to be written as runs of neighbouring places.
//
// Where the rows fill several segments, a segment's places depend on the counts of all others. Each segment is then
// taken twice (SegmentTurns): to leave its counts in the workspace, and to be placed.
//
//===----------------------------------------------------------------------===//

#include "GpuKernels.h"
#include "SegmentTurns.h"
#include "WarpReductions.h"

#include "LoopEmitter.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Step/GpuKernelInterface.h"
#include "moert/moert_kernel_abi.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

using Values = GpuBlockBuilder::Values;

/// Where things lie in shared memory, and how many threads there are.
struct GroupSchedule {
  static constexpr int64_t rowsPerSegment = 4096;
  /// An expert and a row of a segment, or the number of rows before it, share 32 bits.
  static constexpr int64_t expertBits = 16;

  GroupSchedule(GroupOp op, int64_t threads) : experts(op.getExpertCount()), threads(threads) {}

  /// The schedule for a machine, with as many threads as its shared memory has room for.
  static std::optional<GroupSchedule> get(GroupOp op, const step::GpuMachine &machine) {
    for (int64_t threads : {512, 256, 128}) {
      GroupSchedule schedule(op, threads);
      if (schedule.sharedBytes() <= machine.sharedBytesPerBlock && schedule.experts < 1 << expertBits)
        return schedule;
    }
    return std::nullopt;
  }

  int64_t warps() const { return threads / warpLanes; }
  // What each warp has counted of each expert; behind the prefix sums, what the warps before it have.
  int64_t countsAt() const { return 0; }
  // The place of an expert's first row among those of the segment, and what leads from there to its place among all;
  // nothing where there is one segment.
  int64_t placesAt() const { return countsAt() + 4 * warps() * experts; }
  int64_t shiftsAt() const { return placesAt() + 4 * experts; }
  // Of each row its expert and how many rows of it come before in the warp; of each place its expert and row.
  int64_t rowsAt() const { return shiftsAt() + 4 * experts; }
  int64_t orderAt() const { return rowsAt() + 4 * rowsPerSegment; }
  int64_t exchangeAt() const { return orderAt() + 4 * rowsPerSegment; }
  int64_t sharedBytes() const { return exchangeAt() + BlockThreads::bytesFor(threads, 1); }

  int64_t experts, threads;
};

/// What one block does.
class GroupBlock {
public:
  GroupBlock(OpBuilder &builder, Location loc, const step::GpuKernelContext &context, const GroupSchedule &schedule,
             ValueRange operands, ValueRange results);

  void emit();

private:
  void takeSegment();
  void countRows();
  void countChunk(Value row);
  void sumOverWarps();
  void publishCounts();
  void findPlaces();
  void shiftPlaces();
  Value shiftOf(Value expert) const;
  void placeRows();
  void writeOrder();

  Value load(Value base, Value index) const {
    return block.load(block.builder.getI32Type(), block.at(base, block.mul(index, 4)));
  }
  void store(Value value, Value base, Value index) const { block.store(value, block.at(base, block.mul(index, 4))); }
  Value global(Value base, Value index) const { return block.at(base, block.mul(block.toI64(index), 4)); }
  Value sharedAt(int64_t offset) const { return block.at(shared, offset); }
  Value countAt(Value warp, Value expert) const { return block.add(block.mul(warp, schedule.experts), expert); }
  /// Visits [0, end) with all threads of the block; `end` is at most `most`.
  void forAll(Value end, int64_t most, llvm::function_ref<void(Value)> body) const {
    if (most <= schedule.threads)
      block.ifThen(block.less(thread, end), [&] { body(thread); });
    else
      block.loop(thread, end, block.i32(schedule.threads), body);
  }
  void forExperts(llvm::function_ref<void(Value)> body) const {
    forAll(block.i32(schedule.experts), schedule.experts, body);
  }
  /// Visits the rows of this thread, all lanes of a warp together; they may lie behind the last of the segment.
  void forRows(llvm::function_ref<void(Value)> body) const;
  /// Adds up over the experts: `visit(expert, sum of those before it)`. Returns the sum over all.
  Value sumOverExperts(llvm::function_ref<Value(Value)> countOf, llvm::function_ref<void(Value, Value)> visit) const;
  void ifFirstThread(llvm::function_ref<void()> body) const { block.ifThen(block.equal(thread, int64_t(0)), body); }

  GpuBlockBuilder block;
  const step::GpuKernelContext &context;
  GroupSchedule schedule;
  Value ids, offsets, order, inverse, workspace, shared;
  Value thread, lane, warp, none;
  /// Rows of the launch, segments, whether there is one alone or several.
  Value rows, segments, isAlone, areSeveral;
  std::optional<SegmentTurns> turns;
  /// The segment of this block, its first row and its rows, and whether it is to be placed.
  Value segment, firstRow, segmentRows, places;
  /// Rows of a warp, and warps that have some.
  Value rowsPerWarp, busyWarps;
  /// Rows with an expert, in the segment and in all.
  Value segmentTotal, total;
};

} // namespace

GroupBlock::GroupBlock(OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                       const GroupSchedule &schedule, ValueRange operands, ValueRange results)
    : block(builder, loc), context(context), schedule(schedule) {
  ids = block.globalPointer(operands[0]);
  offsets = block.globalPointer(results[0]);
  order = block.globalPointer(results[1]);
  inverse = block.globalPointer(results[2]);
  workspace = block.globalPointer(context.workspace);
  shared = block.sharedPointer(context.shared);
  thread = block.toI32(context.thread);
  lane = block.rem(thread, warpLanes);
  warp = block.div(thread, warpLanes);
  none = block.i32(-1);
  LoopEmitter emit(builder, loc);
  rows = block.toI32(emit.dim(results[1], 0));
  Value blocks = block.toI32(context.blockCount);
  isAlone = block.equal(blocks, 1);
  areSeveral = block.bitXor(isAlone, block.boolean(true));
  segments = block.select(isAlone, blocks, block.div(blocks, 2));
  turns.emplace(block, block.globalPointer(context.flags), thread, segments);
}

void GroupBlock::takeSegment() {
  Value turn = block.ifElse(
      isAlone, [&] { return Values{block.i32(0)}; }, [&] { return Values{turns->take(sharedAt(0))}; })[0];
  Value isSecond = block.compare(arith::CmpIPredicate::sge, turn, segments);
  places = block.make<arith::OrIOp>(isAlone, isSecond);
  segment = block.select(isSecond, block.sub(turn, segments), turn);
  firstRow = block.mul(segment, GroupSchedule::rowsPerSegment);
  segmentRows = block.min(block.sub(rows, firstRow), GroupSchedule::rowsPerSegment);
  Value chunks = block.max(block.ceilDiv(segmentRows, schedule.threads), 1);
  rowsPerWarp = block.mul(chunks, warpLanes);
  busyWarps = block.div(block.sub(block.add(segmentRows, rowsPerWarp), 1), rowsPerWarp);
}

void GroupBlock::forRows(llvm::function_ref<void(Value)> body) const {
  Value begin = block.mul(warp, rowsPerWarp), end = block.min(block.add(begin, rowsPerWarp), segmentRows);
  block.loop(begin, end, block.i32(warpLanes), [&](Value row) { body(block.add(row, lane)); });
}

/// Notes the experts of 32 rows, and for each how many rows of the same expert come before it.
void GroupBlock::countChunk(Value row) {
  Type i32 = block.builder.getI32Type();
  Value exists = block.less(row, segmentRows), experts = block.i32(schedule.experts);
  Value id = block.ifElse(
      exists, [&] { return Values{block.load(i32, global(ids, block.add(firstRow, row)))}; },
      [&] { return Values{none}; })[0];
  Value isExpert = block.compare(arith::CmpIPredicate::ult, id, experts);
  Value isValid = block.make<arith::OrIOp>(isExpert, block.equal(id, none));
  context.emitCheck(block.builder, block.loc, isValid, MOERT_KERNEL_INDEX_OUT_OF_RANGE);

  id = block.select(isExpert, id, experts);
  Value mask = block.i32(0xffffffff);
  Value same = NVVM::MatchSyncOp::create(block.builder, block.loc, i32, mask, id, NVVM::MatchSyncKind::any);
  Value lanesBefore = block.sub(block.make<arith::ShLIOp>(block.i32(1), lane), 1);
  Value before = block.make<math::CtPopOp>(block.make<arith::AndIOp>(same, lanesBefore));
  Value counts = sharedAt(schedule.countsAt());
  Value note = block.ifElse(
      isExpert,
      [&] {
        Value counted = load(counts, countAt(warp, id)), rank = block.add(counted, before);
        return Values{block.make<arith::OrIOp>(block.shiftLeft(rank, GroupSchedule::expertBits), id)};
      },
      [&] { return Values{none}; })[0];
  block.ifThen(exists, [&] { store(note, sharedAt(schedule.rowsAt()), row); });
  // All have read what the first of them now raises.
  NVVM::SyncWarpOp::create(block.builder, block.loc, mask);
  block.ifThen(block.both(isExpert, block.equal(before, int64_t(0))), [&] {
    Value counted = block.shiftRight(note, GroupSchedule::expertBits);
    store(block.add(counted, block.make<math::CtPopOp>(same)), counts, countAt(warp, id));
  });
  NVVM::SyncWarpOp::create(block.builder, block.loc, mask);
}

void GroupBlock::countRows() {
  Value counts = sharedAt(schedule.countsAt());
  forAll(block.mul(busyWarps, schedule.experts), schedule.warps() * schedule.experts,
         [&](Value i) { store(block.i32(0), counts, i); });
  block.barrier();
  forRows([&](Value row) { countChunk(row); });
  block.barrier();
}

/// Replaces what a warp has counted by what those before it have; the sum over all of them takes the place of the
/// expert's place.
void GroupBlock::sumOverWarps() {
  Value counts = sharedAt(schedule.countsAt()), zero = block.i32(0), one = block.i32(1);
  forExperts([&](Value expert) {
    Value ofExpert = block.at(counts, block.mul(expert, 4));
    Value sum = block.loop(zero, busyWarps, one, zero, [&](Value warp, ValueRange carried) {
      Value at = block.mul(warp, schedule.experts), count = load(ofExpert, at);
      store(carried[0], ofExpert, at);
      return Values{block.add(carried[0], count)};
    })[0];
    store(sum, sharedAt(schedule.placesAt()), expert);
  });
}

/// Leaves the counts of the segment in the workspace. The thread that has summed up an expert stores its count.
void GroupBlock::publishCounts() {
  Value target = block.at(workspace, block.mul(block.toI64(segment), 4 * schedule.experts));
  forExperts([&](Value expert) { store(load(sharedAt(schedule.placesAt()), expert), target, expert); });
}

Value GroupBlock::sumOverExperts(llvm::function_ref<Value(Value)> countOf,
                                 llvm::function_ref<void(Value, Value)> visit) const {
  BlockThreads threads{thread, schedule.threads, sharedAt(schedule.exchangeAt())};
  Value zero = block.i32(0), experts = block.i32(schedule.experts);
  return block.loop(zero, experts, block.i32(schedule.threads), zero, [&](Value first, ValueRange carried) {
    Value expert = block.add(first, thread), exists = block.less(expert, experts);
    Value count = block.ifElse(
        exists, [&] { return Values{countOf(expert)}; }, [&] { return Values{zero}; })[0];
    ThreadSums sums = sumThroughThread(block, threads, count);
    if (schedule.experts > schedule.threads)
      block.barrier();
    block.ifThen(exists, [&] { visit(expert, block.add(carried[0], block.sub(sums.through, count))); });
    return Values{block.add(carried[0], sums.total)};
  })[0];
}

/// The places of the experts among the rows of the segment.
void GroupBlock::findPlaces() {
  Value at = sharedAt(schedule.placesAt());
  segmentTotal = sumOverExperts([&](Value expert) { return load(at, expert); },
                                [&](Value expert, Value before) { store(before, at, expert); });
}

/// The places among all rows: those of the experts before, then those of the segments before. Every block that places
/// finds them for itself; the first segment's says them.
void GroupBlock::shiftPlaces() {
  Value zero = block.i32(0), shifts = sharedAt(schedule.shiftsAt()), placesOf = sharedAt(schedule.placesAt());
  Value speaks = block.equal(segment, int64_t(0));
  auto say = [&](Value expert, Value offset) {
    block.ifThen(speaks, [&] { block.store(offset, global(offsets, expert)); });
  };
  auto alone = [&] {
    forExperts([&](Value expert) { say(expert, load(placesOf, expert)); });
    return Values{segmentTotal};
  };
  auto several = [&] {
    constexpr int64_t atOnce = 4;
    auto countOf = [&](Value expert) {
      Values sums = block.loop(zero, segments, block.i32(atOnce), {zero, zero}, [&](Value first, ValueRange carried) {
        Values counts, next = llvm::to_vector_of<Value>(carried);
        for (int64_t i = 0; i < atOnce; ++i) {
          Value other = block.min(block.add(first, i), block.sub(segments, 1));
          Value at = block.add(block.mul(block.toI64(other), schedule.experts), block.toI64(expert));
          counts.push_back(load(workspace, at));
        }
        for (auto [i, count] : llvm::enumerate(counts)) {
          Value other = block.add(first, i);
          next[0] = block.add(next[0], block.select(block.less(other, segments), count, zero));
          next[1] = block.add(next[1], block.select(block.less(other, segment), count, zero));
        }
        return next;
      });
      // The segments before take part again below.
      store(sums[1], shifts, expert);
      return sums[0];
    };
    Value sum = sumOverExperts(countOf, [&](Value expert, Value offset) {
      Value place = block.add(offset, load(shifts, expert));
      store(block.sub(place, load(placesOf, expert)), shifts, expert);
      say(expert, offset);
    });
    return Values{sum};
  };
  total = block.ifElse(isAlone, alone, several)[0];
  ifFirstThread([&] { say(block.i32(schedule.experts), total); });
  block.barrier();
}

Value GroupBlock::shiftOf(Value expert) const {
  return block.ifElse(
      areSeveral, [&] { return Values{load(sharedAt(schedule.shiftsAt()), expert)}; },
      [&] { return Values{block.i32(0)}; })[0];
}

void GroupBlock::placeRows() {
  constexpr int64_t bits = GroupSchedule::expertBits;
  forRows([&](Value row) {
    block.ifThen(block.less(row, segmentRows), [&] {
      Value note = load(sharedAt(schedule.rowsAt()), row), target = global(inverse, block.add(firstRow, row));
      auto routed = [&] {
        Value expert = block.bitAnd(note, (1 << bits) - 1), rank = block.shiftRight(note, bits);
        Value first = block.add(load(sharedAt(schedule.placesAt()), expert),
                                load(sharedAt(schedule.countsAt()), countAt(warp, expert)));
        Value place = block.add(first, rank);
        Value entry = block.make<arith::OrIOp>(block.shiftLeft(row, bits), expert);
        store(entry, sharedAt(schedule.orderAt()), place);
        return Values{block.add(place, shiftOf(expert))};
      };
      Value place = block.ifElse(
          block.equal(note, none), [&] { return Values{none}; }, routed)[0];
      block.store(place, target);
    });
  });
  block.barrier();
}

/// Neighbouring threads write neighbouring places of an expert. Behind the last place the blocks write -1 together.
void GroupBlock::writeOrder() {
  constexpr int64_t bits = GroupSchedule::expertBits;
  forAll(segmentTotal, GroupSchedule::rowsPerSegment, [&](Value i) {
    Value entry = load(sharedAt(schedule.orderAt()), i), expert = block.bitAnd(entry, (1 << bits) - 1);
    Value place = block.add(i, shiftOf(expert));
    block.store(block.add(firstRow, block.shiftRight(entry, bits)), global(order, place));
  });
  Value first = block.add(total, block.add(block.mul(segment, schedule.threads), thread));
  block.loop(first, rows, block.mul(segments, schedule.threads),
             [&](Value place) { block.store(none, global(order, place)); });
}

void GroupBlock::emit() {
  takeSegment();
  countRows();
  sumOverWarps();
  auto place = [&] {
    findPlaces();
    block.ifThen(areSeveral, [&] { turns->awaitFirst(); });
    shiftPlaces();
    placeRows();
    writeOrder();
    block.ifThen(areSeveral, [&] { turns->endSecond(); });
    return Values();
  };
  auto count = [&] {
    publishCounts();
    turns->endFirst();
    return Values();
  };
  block.ifElse(places, place, count);
}

namespace {

struct GroupGpuKernel : step::GpuKernelOpInterface::ExternalModel<GroupGpuKernel, GroupOp> {
  static Value buildSegments(GroupOp op, const LoopEmitter &emit) {
    Value rows = emit.mul(emit.make<tensor::DimOp>(op.getExperts(), 0), emit.make<tensor::DimOp>(op.getExperts(), 1));
    return emit.max(emit.ceilDiv(rows, GroupSchedule::rowsPerSegment), emit.index(1));
  }

  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &machine) const {
    std::optional<GroupSchedule> schedule = GroupSchedule::get(cast<GroupOp>(op), machine);
    if (!schedule)
      return std::nullopt;
    return step::GpuLaunchShape{.threads = schedule->threads, .sharedBytes = schedule->sharedBytes()};
  }

  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &) const {
    LoopEmitter emit(builder, loc);
    Value segments = buildSegments(cast<GroupOp>(op), emit), one = emit.index(1);
    return emit.select(emit.equal(segments, one), one, emit.mul(segments, 2));
  }

  Value buildWorkspaceBytes(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &) const {
    auto group = cast<GroupOp>(op);
    LoopEmitter emit(builder, loc);
    Value segments = buildSegments(group, emit), isAlone = emit.equal(segments, emit.index(1));
    return emit.select(isAlone, emit.index(0), emit.mul(segments, 4 * group.getExpertCount()));
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    GroupSchedule schedule(cast<GroupOp>(op), context.shape.threads);
    GroupBlock(builder, loc, context, schedule, operands, results).emit();
    return success();
  }
};

} // namespace

void moec::attachGroupGpuKernel(MLIRContext *context) { GroupOp::attachInterface<GroupGpuKernel>(*context); }
