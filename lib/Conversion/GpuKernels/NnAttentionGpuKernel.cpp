//===- NnAttentionGpuKernel.cpp - nn.attention on a GPU ---------------------===//
//
// A block multiplies its tile of queries with keys step by step, turns scores into weights relative to the largest
// score so far, and adds weighted values: scores never leave registers. Keys and values alternate in a ring of slots in
// shared memory; while the block computes with one, the copies of the next ones are under way.
//
//===----------------------------------------------------------------------===//

#include "AttentionProducts.h"
#include "AttentionResults.h"
#include "AttentionTiles.h"
#include "GpuKernels.h"
#include "WarpReductions.h"

#include "LoopEmitter.h"
#include "moec/Dialect/Step/GpuKernelInterface.h"
#include "moert/moert_kernel_abi.h"

using namespace mlir;
using namespace moec;

namespace {

using Values = GpuBlockBuilder::Values;

/// Emits the kernel of one block.
class AttentionBlock {
public:
  AttentionBlock(OpBuilder &builder, Location loc, const step::GpuKernelContext &context, nn::AttentionOp op,
                 ValueRange arguments, ValueRange results);

  void emit();

private:
  void checkExtents(ValueRange arguments);
  void emitBody(const AttentionBody &body);
  void findUnit(const AttentionBody &body);
  void makeCopies(const AttentionBody &body);
  void beginCopy(const AttentionBody &body, Value step, int64_t ahead, Value slot);
  void nextTile(const AttentionBody &body, Value step, int64_t tile, Value slot);
  Value advance(const AttentionBody &body, Value slot) const;
  Values emitStep(const AttentionBody &body, const AttentionProducts &products, const AttentionScores &scores,
                  Value step, Value warpKey, ValueRange carried);
  Values weigh(const AttentionProducts &products, const AttentionScores &rule, ValueRange scores, Values &largest,
               Values &sums);

  GpuBlockBuilder block;
  const step::GpuKernelContext &context;
  AttentionProblem problem;
  AttentionSchedule schedule;
  AttentionOperands operands;
  Value thread, shared, batches, isValid;
  AttentionGrid grid;
  AttentionUnit unit;
  AttentionShare share;
  Value steps, ring; // steps of this block, and where slots begin
  std::optional<AttentionTileCopy> queryCopy, keyCopy, valueCopy;
  Value keySource, valueSource; // of the block's first key
};

} // namespace

AttentionBlock::AttentionBlock(OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                               nn::AttentionOp op, ValueRange arguments, ValueRange results)
    : block(builder, loc), context(context), problem(op), schedule(problem, context.machine) {
  LoopEmitter emit(builder, loc);
  auto extent = [&](Value memref, int64_t axis) { return block.toI32(emit.extent(memref, axis)); };
  operands.q = block.globalPointer(arguments[0]);
  operands.k = block.globalPointer(arguments[1]);
  operands.v = block.globalPointer(arguments[2]);
  operands.out = block.globalPointer(results[0]);
  batches = extent(arguments[0], 0);
  operands.positions = extent(arguments[0], 2);
  operands.capacity = extent(arguments[1], 2);
  operands.keys = op.getLength() ? block.toI32(arguments.back()) : operands.capacity;
  ValueRange rest = arguments.drop_front(3);
  if (op.getMask()) {
    for (auto [axis, maskExtent] : llvm::enumerate(operands.maskExtents))
      maskExtent = extent(rest[0], axis);
    operands.mask = block.globalPointer(rest[0]);
    rest = rest.drop_front();
  }
  if (op.getSinks())
    operands.sinks = block.globalPointer(rest[0]);
  thread = block.toI32(context.thread);
  shared = block.sharedPointer(context.shared);
  share.blockIndex = block.toI32(context.block);
  share.workspace = block.globalPointer(context.workspace);
  grid = buildAttentionGrid(block, problem, schedule, batches, operands.positions, operands.keys);
  checkExtents(arguments);
}

/// Extents that the types leave open must agree, or the status says so and nothing is computed.
void AttentionBlock::checkExtents(ValueRange arguments) {
  LoopEmitter emit(block.builder, block.loc);
  auto extent = [&](int64_t argument, int64_t axis) { return block.toI32(emit.extent(arguments[argument], axis)); };
  isValid = block.compare(arith::CmpIPredicate::ule, operands.keys, operands.capacity);
  auto require = [&](Value condition) { isValid = block.both(isValid, condition); };
  require(block.equal(extent(1, 0), batches));
  require(block.equal(extent(2, 0), batches));
  require(block.equal(extent(2, 2), operands.capacity));
  if (operands.mask) {
    Value full[] = {batches, block.i32(problem.keyHeads * problem.group), operands.positions};
    for (auto [found, bound] : llvm::zip_equal(operands.maskExtents, full))
      require(block.make<arith::OrIOp>(block.equal(found, 1), block.equal(found, bound)));
    require(block.equal(extent(3, 3), operands.keys));
  }
  context.emitCheck(block.builder, block.loc, isValid, MOERT_KERNEL_BAD_VALUE);
}

void AttentionBlock::emit() {
  block.ifThen(isValid, [&] {
    auto body = [this](const AttentionBody &body) {
      return [this, &body] {
        emitBody(body);
        return Values();
      };
    };
    auto large = [&] { return block.ifElse(grid.isWide, body(*schedule.wide), body(schedule.tall)); };
    if (schedule.wide)
      block.ifElse(grid.isFlat, body(schedule.flat), large);
    else
      block.ifElse(grid.isFlat, body(schedule.flat), body(schedule.tall));
  });
}

/// Which rows and keys the block computes.
void AttentionBlock::findUnit(const AttentionBody &body) {
  Value rest = share.blockIndex;
  auto take = [&](Value count) {
    Value found = block.rem(rest, count);
    rest = block.div(rest, count);
    return found;
  };
  share.split = take(grid.splits);
  share.splits = grid.splits;
  share.flag = block.at(block.globalPointer(context.flags), block.mul(rest, 4));
  // With a causal mask the last tiles take longest: they start first.
  Value tile = block.sub(block.sub(grid.tilesPerUnit, take(grid.tilesPerUnit)), 1);
  share.part = take(block.i32(schedule.parts));
  unit.unit = rest;
  Value heads = block.i32(problem.keyHeads * problem.group);
  unit.keyHead = block.select(grid.isPacked, unit.unit, block.div(unit.unit, problem.group));
  unit.batch = block.div(unit.keyHead, problem.keyHeads);
  Value firstOfGroup = block.mul(block.rem(unit.keyHead, problem.keyHeads), problem.group);
  unit.head = block.select(grid.isPacked, firstOfGroup, block.rem(unit.unit, heads));
  unit.firstRow = block.mul(tile, body.rows());
  unit.rowCount = block.min(block.sub(grid.rows, unit.firstRow), body.rows());

  // The positions of the rows; where heads are packed, those of a head.
  Value none = block.i32(0), last = block.sub(operands.positions, 1);
  Value firstPosition = block.select(grid.isPacked, none, unit.firstRow);
  Value lastPosition = block.select(grid.isPacked, last, block.sub(block.add(unit.firstRow, unit.rowCount), 1));
  auto clamp = [&](Value key) { return block.min(block.max(key, none), operands.keys); };
  auto seenEnd = [&](Value position) {
    return block.add(position, block.add(block.sub(operands.keys, operands.positions), 1));
  };
  Value from = none, to = operands.keys;
  unit.allSeenEnd = operands.keys;
  if (problem.op.getCausal()) {
    to = clamp(seenEnd(lastPosition));
    unit.allSeenEnd = clamp(seenEnd(firstPosition));
  }
  if (problem.hasWindow()) {
    int64_t window = problem.op.getWindow();
    from = clamp(block.sub(seenEnd(firstPosition), window));
    unit.allSeenBegin = clamp(block.sub(seenEnd(lastPosition), window));
  }
  Value allSteps = block.ceilDiv(block.max(block.sub(to, from), none), body.keysPerStep);
  Value stepsPerSplit = block.div(block.sub(block.add(allSteps, grid.splits), 1), grid.splits);
  unit.beginKey = block.add(from, block.mul(block.mul(share.split, stepsPerSplit), body.keysPerStep));
  unit.endKey = block.min(to, block.add(unit.beginKey, block.mul(stepsPerSplit, body.keysPerStep)));
  unit.allSeenEnd = block.min(unit.allSeenEnd, unit.endKey);
  steps = block.ceilDiv(block.max(block.sub(unit.endKey, unit.beginKey), none), body.keysPerStep);
}

void AttentionBlock::makeCopies(const AttentionBody &body) {
  auto bytesOf = [](Type type) { return static_cast<int64_t>(type.getIntOrFloatBitWidth() / 8); };
  queryCopy.emplace(
      block, thread,
      AttentionTile{problem.qType, problem.tileType, problem.size, Value(), body.rows(), schedule.keyPitch});
  keyCopy.emplace(
      block, thread,
      AttentionTile{problem.kType, problem.tileType, problem.size, Value(), body.keysPerStep, schedule.keyPitch});
  Value firstColumn = block.mul(share.part, schedule.columnsPerPart);
  Value columns = schedule.parts == 1 ? Value() : block.sub(block.i32(problem.valueSize), firstColumn);
  valueCopy.emplace(block, thread,
                    AttentionTile{problem.vType, problem.tileType, problem.valueSize, columns, body.keysPerStep,
                                  schedule.valuePitch});
  Value firstKey =
      block.add(block.mul(block.toI64(unit.keyHead), block.toI64(operands.capacity)), block.toI64(unit.beginKey));
  keySource = block.at(operands.k, block.mul(firstKey, problem.size * bytesOf(problem.kType)));
  valueSource = block.at(operands.v, block.mul(firstKey, problem.valueSize * bytesOf(problem.vType)));
  valueSource = block.at(valueSource, block.mul(firstColumn, bytesOf(problem.vType)));
  ring = block.at(shared, schedule.queryBytes(body));
}

/// Begins the copy of the tile that comes `ahead` of the keys of `step`: keys and values alternate.
void AttentionBlock::beginCopy(const AttentionBody &body, Value step, int64_t ahead, Value slot) {
  bool isValues = ahead % 2;
  step = block.add(step, ahead / 2);
  block.ifThen(block.less(step, steps), [&] {
    Value firstKey = block.mul(step, body.keysPerStep);
    Value left = block.sub(block.sub(unit.endKey, unit.beginKey), firstKey);
    Type type = isValues ? problem.vType : problem.kType;
    int64_t columns = isValues ? problem.valueSize : problem.size;
    Value offset = block.mul(block.toI64(firstKey), columns * type.getIntOrFloatBitWidth() / 8);
    const AttentionTileCopy &copy = isValues ? *valueCopy : *keyCopy;
    copy.emit(block.at(isValues ? valueSource : keySource, offset), left, block.at(ring, slot));
  });
}

Value AttentionBlock::advance(const AttentionBody &body, Value slot) const {
  Value isLast = block.equal(slot, (body.slots - 1) * body.slotBytes);
  return block.select(isLast, block.i32(0), block.add(slot, body.slotBytes));
}

/// Waits for the `tile`-th tile of a step, keys or values. Behind the barrier nobody reads the slot before it any more,
/// which is filled again.
void AttentionBlock::nextTile(const AttentionBody &body, Value step, int64_t tile, Value slot) {
  block.waitForCopies(body.slots - 2);
  block.barrier();
  Value isFirst = block.equal(slot, int64_t(0));
  Value free = block.select(isFirst, block.i32((body.slots - 1) * body.slotBytes), block.sub(slot, body.slotBytes));
  beginCopy(body, step, tile + body.slots - 1, free);
  block.commitCopies();
}

/// Turns scores into weights relative to the largest score of their row so far, to which sums are scaled.
Values AttentionBlock::weigh(const AttentionProducts &products, const AttentionScores &rule, ValueRange scores,
                             Values &largest, Values &sums) {
  size_t rows = largest.size();
  // Rows of a tile alternate, tiles follow each other.
  auto rowOf = [rows](size_t i, size_t count) { return 2 * (i / (2 * count / rows)) + i / 2 % 2; };
  Values next = largest;
  for (auto [i, score] : llvm::enumerate(scores)) {
    Value &row = next[rowOf(i, scores.size())];
    row = largerScore(block, row, score);
  }
  next = combineLanes(block, next, 4, [&](ValueRange a, ValueRange b) {
    return llvm::map_to_vector<6>(llvm::zip_equal(a, b),
                                  [&](auto pair) { return largerScore(block, std::get<0>(pair), std::get<1>(pair)); });
  });

  Value factor = block.f32(rule.factor()), minusFactor = block.f32(-rule.factor()), isNew = block.boolean(false);
  Values references, scales;
  for (auto [before, now] : llvm::zip_equal(largest, next)) {
    references.push_back(block.mulFloat(finiteMaximum(block, now), minusFactor));
    scales.push_back(powerOfTwo(block, block.fma(before, factor, references.back())));
    Value isLarger = block.make<arith::CmpFOp>(arith::CmpFPredicate::OLT, before, now);
    isNew = block.make<arith::OrIOp>(isNew, isLarger);
  }
  Values weights;
  for (size_t i = 0; i < scores.size(); i += 2) {
    Value reference = references[rowOf(i, scores.size())];
    auto weigh = [&](Value score) { return powerOfTwo(block, block.fma(score, factor, reference)); };
    products.appendWeights(weights, weigh(scores[i]), weigh(scores[i + 1]));
  }

  // After some steps the largest scores rarely change.
  auto rescale = [&] {
    Values scaled;
    for (auto [i, sum] : llvm::enumerate(sums))
      scaled.push_back(block.mulFloat(sum, scales[rowOf(i, sums.size())]));
    return scaled;
  };
  Value none = block.equal(block.ballot(isNew), int64_t(0));
  sums = block.ifElse(
      none, [&] { return sums; }, rescale);
  largest = next;
  return weights;
}

/// Carries the offset of the slot of the keys, largest scores, and sums.
Values AttentionBlock::emitStep(const AttentionBody &body, const AttentionProducts &products,
                                const AttentionScores &scores, Value step, Value warpKey, ValueRange carried) {
  Value keySlot = carried[0], valueSlot = advance(body, keySlot);
  size_t rows = 2 * body.tilesPerWarp;
  Values largest = llvm::to_vector_of<Value>(carried.slice(1, rows));
  Values sums = llvm::to_vector_of<Value>(carried.drop_front(1 + rows));

  nextTile(body, step, 0, keySlot);
  Values product = products.multiplyKeys(block.at(ring, keySlot));
  Value stepKey = block.add(unit.beginKey, block.mul(step, body.keysPerStep));
  Values score = scores.compute(product, stepKey, block.add(stepKey, warpKey));
  Values weights = weigh(products, scores, score, largest, sums);
  nextTile(body, step, 1, valueSlot);
  sums = products.addValues(block.at(ring, valueSlot), weights, sums);

  Values next = {advance(body, valueSlot)};
  next.append(largest);
  next.append(sums);
  return next;
}

void AttentionBlock::emitBody(const AttentionBody &body) {
  findUnit(body);
  makeCopies(body);
  Value lane = block.rem(thread, warpLanes), warp = block.div(thread, warpLanes);
  Value warpRow = block.mul(block.rem(warp, body.warpsAcrossRows), body.rowsPerWarp());
  Value warpKey = block.mul(block.div(warp, body.warpsAcrossRows), body.keysPerWarp());

  Value firstRow = block.add(block.mul(block.toI64(unit.unit), block.toI64(grid.rows)), block.toI64(unit.firstRow));
  int64_t rowBytes = problem.size * problem.qType.getIntOrFloatBitWidth() / 8;
  queryCopy->emit(block.at(operands.q, block.mul(firstRow, rowBytes)), unit.rowCount, shared);
  for (int64_t ahead = 0; ahead + 1 < body.slots; ++ahead) {
    beginCopy(body, block.i32(0), ahead, block.i32(ahead * body.slotBytes));
    block.commitCopies();
  }

  AttentionProducts products(block, problem, schedule, body, lane, warpRow, warpKey);
  // Otherwise they are read behind the barrier of a step.
  if (products.keepsQueries()) {
    block.waitForCopies(body.slots - 2);
    block.barrier();
  }
  products.setQueries(shared);
  AttentionScores scores(block, problem, body, operands, unit, lane, warpRow);
  int64_t rows = 2 * body.tilesPerWarp;
  Values initial = {block.i32(0)};
  initial.append(rows, hiddenScore(block));
  initial.append(4 * body.tilesPerWarp * products.sumOctets(), block.f32(0));
  Values last = block.loop(block.i32(0), steps, block.i32(1), initial, [&](Value step, ValueRange carried) {
    return emitStep(body, products, scores, step, warpKey, carried);
  });

  // From here on shared memory holds other things. Each step has waited for its copies; without any, the queries may
  // still be under way.
  if (!products.keepsQueries())
    block.waitForCopies(0);
  block.barrier();
  Values largest = llvm::map_to_vector<6>(
      ValueRange(last).slice(1, rows), [&](Value score) { return block.mulFloat(score, block.f32(scores.factor())); });
  AttentionSums sums{largest, ValueRange(last).drop_front(1 + rows)};
  emitAttentionResults(block, problem, schedule, body, operands, unit, share, grid.rows, thread, shared, sums);
}

namespace {

bool isComputed(Value operand) {
  if (!operand)
    return true;
  Type type = cast<ShapedType>(operand.getType()).getElementType();
  return type.isF32() || type.isF16() || type.isBF16();
}

struct AttentionGpuKernel : step::GpuKernelOpInterface::ExternalModel<AttentionGpuKernel, nn::AttentionOp> {
  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &machine) const {
    auto attention = cast<nn::AttentionOp>(op);
    Value mask = attention.getMask();
    bool hasBooleanMask = mask && cast<ShapedType>(mask.getType()).getElementType().isInteger(1);
    if (!isComputed(attention.getQ()) || !isComputed(attention.getK()) || !isComputed(attention.getV()) ||
        !isComputed(attention.getSinks()) || (!hasBooleanMask && !isComputed(mask)))
      return std::nullopt;
    AttentionProblem problem(attention);
    AttentionSchedule schedule(problem, machine);
    if (problem.size == 0 || problem.valueSize == 0 || !schedule.fits)
      return std::nullopt;
    return step::GpuLaunchShape{.threads = AttentionSchedule::threads,
                                .sharedBytes = schedule.sharedBytes,
                                .blocksPerProcessor = schedule.blocksPerProcessor};
  }

  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &machine) const {
    auto attention = cast<nn::AttentionOp>(op);
    AttentionProblem problem(attention);
    AttentionSchedule schedule(problem, machine);
    return buildGrid(attention, builder, loc, problem, schedule).blocks;
  }

  Value buildWorkspaceBytes(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &machine) const {
    auto attention = cast<nn::AttentionOp>(op);
    AttentionProblem problem(attention);
    AttentionSchedule schedule(problem, machine);
    AttentionGrid grid = buildGrid(attention, builder, loc, problem, schedule);
    LoopEmitter host(builder, loc);
    Value isSplit = host.less(host.index(1), grid.splits);
    return host.select(isSplit, host.mul(grid.blocks, grid.partialBytes), host.index(0));
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    AttentionBlock(builder, loc, context, cast<nn::AttentionOp>(op), operands, results).emit();
    return success();
  }

private:
  static AttentionGrid buildGrid(nn::AttentionOp op, OpBuilder &builder, Location loc, const AttentionProblem &problem,
                                 const AttentionSchedule &schedule) {
    LoopEmitter host(builder, loc);
    Value keys = op.getLength() ? op.getLength() : host.extent(op.getK(), 2);
    return buildAttentionGrid(GpuBlockBuilder(builder, loc), problem, schedule, host.extent(op.getQ(), 0),
                              host.extent(op.getQ(), 2), keys);
  }
};

} // namespace

void moec::attachNnAttentionGpuKernel(MLIRContext *context) {
  nn::AttentionOp::attachInterface<AttentionGpuKernel>(*context);
}
