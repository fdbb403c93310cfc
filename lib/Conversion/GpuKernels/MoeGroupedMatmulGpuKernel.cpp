//===- MoeGroupedMatmulGpuKernel.cpp - moe.grouped_matmul on a GPU ----------===//
//
// One launch computes all tiles; blocks beyond the last tile return, or take further tiles where these are short. A
// block finds its tile in the offsets, takes the code for the number of rows it found, and multiplies step by step:
// while it computes one step, the copies of the next ones are under way into other stages of shared memory. Where a
// product has few tiles, each is computed in chunks of the inner dimension by several blocks, and the last of these to
// finish adds the chunks up.
//
//===----------------------------------------------------------------------===//

#include "GpuKernels.h"
#include "LastArrival.h"
#include "MatmulEpilogue.h"
#include "ScaleCopy.h"

#include "LoopEmitter.h"
#include "moec/Dialect/Step/GpuKernelInterface.h"
#include "moert/moert_kernel_abi.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

using Values = GpuBlockBuilder::Values;

/// Emits the kernel of one block.
class GroupedMatmulBlock {
public:
  GroupedMatmulBlock(OpBuilder &builder, Location loc, const step::GpuKernelContext &context, GroupedMatmulOp op,
                     ValueRange arguments, ValueRange results);

  void emit();

private:
  void emitUnit(Value index);
  void emitBodies(size_t index);
  void emitBody(const MatmulBody &body);
  std::unique_ptr<TileCopy> makeTokenCopy(const MatmulBody &body);
  std::unique_ptr<TileCopy> makeWeightCopy();
  std::unique_ptr<ScaleCopy> makeScaleCopy();
  Values multiplySteps(const MatmulBody &body, const MatmulProducts &products, const WarpPosition &position);
  void fillStages(const MatmulBody &body);
  Values multiplyStep(const MatmulBody &body, const MatmulProducts &products, const WarpPosition &position, Value step,
                      ValueRange carried);
  Values addChunks(Values sums, Value &isLast);

  GpuBlockBuilder block;
  const step::GpuKernelContext &context;
  MatmulProblem problem;
  MatmulSchedule schedule;
  MatmulOperands operands;
  Value thread, blockIndex, rowCount, shared, stages;
  /// The chunks that this block computes, and the end of their steps.
  Value isSplit, unit, firstChunk, endChunk, endStep;
  GroupedTile tile;
  std::unique_ptr<TileCopy> tokenCopy, weightCopy;
  std::unique_ptr<ScaleCopy> scaleCopy;
};

} // namespace

GroupedMatmulBlock::GroupedMatmulBlock(OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                                       GroupedMatmulOp op, ValueRange arguments, ValueRange results)
    : block(builder, loc), context(context), problem(op, context.machine), schedule(problem, context.machine) {
  unsigned next = 0;
  auto take = [&](bool given) { return given ? block.globalPointer(arguments[next++]) : Value(); };
  operands.x = take(true);
  operands.w = take(true);
  operands.offsets = take(op.getOffsets() != nullptr);
  operands.order = take(op.getOrder() != nullptr);
  operands.scale = take(op.getScale() != nullptr);
  operands.bias = take(op.getBias() != nullptr);
  operands.wScales = take(op.getWScales() != nullptr);
  operands.wZeroPoints = take(op.getWZeroPoints() != nullptr);
  operands.out = block.globalPointer(results[0]);

  LoopEmitter emit(builder, loc);
  rowCount = block.toI32(emit.dim(results[0], 0));
  operands.orderLimit = block.mul(block.toI32(emit.dim(arguments[0], 0)), op.getRowsPerToken());
  thread = block.toI32(context.thread);
  blockIndex = block.toI32(context.block);
  shared = block.sharedPointer(context.shared);
  stages = block.at(shared, schedule.scaleRingBytes());
}

void GroupedMatmulBlock::emit() {
  if (!schedule.persistentBlocks)
    return emitUnit(blockIndex);
  // An upper bound of the units, as on the host.
  Value height = schedule.buildHeight(block.builder, block.loc, rowCount);
  Value tiles = operands.offsets ? block.add(block.min(rowCount, problem.experts), block.div(rowCount, height))
                                 : block.div(block.sub(block.add(rowCount, height), 1), height);
  Value units = block.mul(tiles, schedule.columnBlocks);
  block.loop(blockIndex, units, block.toI32(context.blockCount), [&](Value next) {
    emitUnit(next);
    // The next tile is copied to where results lie.
    block.barrier();
  });
}

void GroupedMatmulBlock::emitUnit(Value index) {
  unit = index;
  firstChunk = block.i32(0);
  endChunk = block.i32(schedule.chunks);
  if (schedule.chunks > 1) {
    isSplit = block.compare(arith::CmpIPredicate::sle, rowCount, block.i32(schedule.splitRows));
    unit = block.select(isSplit, block.div(blockIndex, schedule.chunks), blockIndex);
    firstChunk = block.select(isSplit, block.rem(blockIndex, schedule.chunks), firstChunk);
    endChunk = block.select(isSplit, block.add(firstChunk, 1), endChunk);
  }
  endStep = block.min(block.mul(endChunk, schedule.stepsPerChunk), schedule.steps);
  tile = findGroupedTile(block, problem, schedule, operands.offsets, rowCount, unit);
  block.ifThen(tile.exists, [&] { emitBodies(0); });
}

/// Takes the smallest body that has room for the rows of the tile.
void GroupedMatmulBlock::emitBodies(size_t index) {
  const MatmulBody &body = schedule.bodies[index];
  if (index + 1 == schedule.bodies.size())
    return emitBody(body);
  Value fits = block.compare(arith::CmpIPredicate::sle, tile.rows, block.i32(body.tokens));
  auto then = [&] {
    emitBody(body);
    return Values();
  };
  auto otherwise = [&] {
    emitBodies(index + 1);
    return Values();
  };
  block.ifElse(fits, then, otherwise);
}

std::unique_ptr<TileCopy> GroupedMatmulBlock::makeTokenCopy(const MatmulBody &body) {
  auto locate = [&](Value row) {
    Value exists = block.less(row, tile.rows);
    Value source = block.add(tile.firstRow, block.min(row, block.sub(tile.rows, 1)));
    if (operands.order) {
      Value place = block.at(operands.order, block.mul(block.toI64(source), 4));
      source = block.load(block.builder.getI32Type(), place);
      Value isValid = block.compare(arith::CmpIPredicate::ult, source, operands.orderLimit);
      context.emitCheck(block.builder, block.loc, isValid, MOERT_KERNEL_INDEX_OUT_OF_RANGE);
      exists = block.both(exists, isValid);
      source = block.div(block.select(isValid, source, block.i32(0)), problem.op.getRowsPerToken());
    }
    Value offset = block.mul(block.toI64(source), problem.inner * problem.xBytes);
    return TileRow{block.at(operands.x, offset), exists};
  };
  return makeRowCopy(block, thread, body.tokens, problem.inner * problem.xBytes, tokenLayout(problem), locate);
}

std::unique_ptr<TileCopy> GroupedMatmulBlock::makeWeightCopy() {
  Value firstPanel = block.mul(tile.columnBlock, schedule.panelsPerBlock);
  auto type = cast<ShapedType>(problem.op.getW().getType());
  int64_t expertBytes = type.getNumElements() / problem.experts * problem.wBytes;
  Value expert = block.at(operands.w, block.mul(block.toI64(tile.expert), expertBytes));
  if (problem.isPacked)
    return makePanelCopy(block, thread, problem, schedule, expert, firstPanel);
  auto locate = [&](Value row) {
    Value panel = block.add(firstPanel, block.div(row, MatmulSchedule::panelWidth));
    Value column = block.rem(row, MatmulSchedule::panelWidth);
    Value result = block.add(block.mul(block.div(panel, problem.panelsPerResult), MatmulSchedule::panelWidth), column);
    Value exists = block.less(result, problem.resultColumns);
    Value source = block.select(exists, plainColumn(block, problem, panel, column), block.i32(0));
    return TileRow{block.at(expert, block.mul(block.toI64(source), problem.inner * problem.wBytes)), exists};
  };
  return makeRowCopy(block, thread, schedule.panelsPerBlock * MatmulSchedule::panelWidth,
                     problem.inner * problem.wBytes, weightLayout(problem, schedule), locate);
}

/// Null where the weight has no scales.
std::unique_ptr<ScaleCopy> GroupedMatmulBlock::makeScaleCopy() {
  if (!problem.quantized)
    return nullptr;
  auto ofExpert = [&](Value operand, int64_t elementBytes) {
    int64_t bytes = problem.panels * problem.quantized->blocks * MatmulSchedule::panelWidth * elementBytes;
    return operand ? block.at(operand, block.mul(block.toI64(tile.expert), bytes)) : Value();
  };
  return std::make_unique<ScaleCopy>(
      block, thread, problem, schedule, ofExpert(operands.wScales, problem.quantized->scaleBytes),
      ofExpert(operands.wZeroPoints, 1), block.mul(tile.columnBlock, schedule.panelsPerBlock));
}

/// Begins the copies of the first steps, into all stages but the last. The first weights are under way while the block
/// looks up which rows of x it needs.
void GroupedMatmulBlock::fillStages(const MatmulBody &body) {
  Value firstStep = block.mul(firstChunk, schedule.stepsPerChunk);
  weightCopy = makeWeightCopy();
  scaleCopy = makeScaleCopy();
  for (int64_t stage = 0; stage + 1 < body.stages; ++stage) {
    Value step = block.add(firstStep, stage), target = block.at(stages, stage * schedule.stageBytes(body.tokens));
    Value exists = block.less(step, endStep);
    block.ifThen(exists, [&] {
      weightCopy->emit(step, target);
      if (scaleCopy)
        scaleCopy->emit(step, shared, /*isFirst=*/stage == 0);
    });
    if (stage == 0)
      tokenCopy = makeTokenCopy(body);
    block.ifThen(exists, [&] { tokenCopy->emit(step, block.at(target, schedule.weightBytes)); });
    block.commitCopies();
  }
}

/// Carries the offsets of the stage that is read and of the one that is free, then the sums.
Values GroupedMatmulBlock::multiplyStep(const MatmulBody &body, const MatmulProducts &products,
                                        const WarpPosition &position, Value step, ValueRange carried) {
  int64_t stageBytes = schedule.stageBytes(body.tokens);
  Value readOffset = carried[0], freeOffset = carried[1];
  // Behind the barrier all copies of this step have landed, and nobody reads the free stage any more.
  block.waitForCopies(body.stages - 2);
  block.barrier();
  Value next = block.add(step, body.stages - 1);
  block.ifThen(block.less(next, endStep), [&] {
    Value target = block.at(stages, freeOffset);
    weightCopy->emit(next, target);
    if (scaleCopy)
      scaleCopy->emit(next, shared, /*isFirst=*/false);
    tokenCopy->emit(next, block.at(target, schedule.weightBytes));
  });
  block.commitCopies();
  Value stage = block.at(stages, readOffset);
  StepTiles tiles = {stage, block.at(stage, schedule.weightBytes), Value()};
  if (scaleCopy)
    tiles.scales = ScaleCopy::slot(block, schedule, step, shared);
  Values sums = multiplyOctets(block, products, body, position, tiles, carried.drop_front(2));
  auto advance = [&](Value offset) {
    Value isLast = block.equal(offset, (body.stages - 1) * stageBytes);
    return block.select(isLast, block.i32(0), block.add(offset, stageBytes));
  };
  Values result = {advance(readOffset), advance(freeOffset)};
  result.append(sums);
  return result;
}

Values GroupedMatmulBlock::multiplySteps(const MatmulBody &body, const MatmulProducts &products,
                                         const WarpPosition &position) {
  fillStages(body);
  Value one = block.i32(1);
  Values zeros(4 * body.panelsPerWarp * body.octetsPerWarp, block.f32(0));
  Values state = {block.i32(0), block.i32((body.stages - 1) * schedule.stageBytes(body.tokens))};
  auto steps = [&](Value first, Value end, ValueRange offsets) {
    Values initial = llvm::to_vector_of<Value>(offsets);
    initial.append(zeros);
    Values results = block.loop(first, end, one, initial, [&](Value step, ValueRange carried) {
      return multiplyStep(body, products, position, step, carried);
    });
    block.keepRolled(results);
    return results;
  };
  Values sums;
  if (schedule.chunks == 1) {
    sums = steps(block.i32(0), block.i32(schedule.steps), state);
  } else {
    state.append(zeros);
    sums = block.loop(firstChunk, endChunk, one, state, [&](Value chunk, ValueRange carried) {
      Value first = block.mul(chunk, schedule.stepsPerChunk);
      Value end = block.min(block.add(first, schedule.stepsPerChunk), schedule.steps);
      Values next = steps(first, end, carried.take_front(2));
      for (auto [sum, total] : llvm::zip_equal(llvm::drop_begin(next, 2), carried.drop_front(2)))
        sum = block.addFloat(total, sum);
      return next;
    });
  }
  sums.erase(sums.begin(), sums.begin() + 2);
  return sums;
}

/// Leaves the chunk in the workspace; the last block of the tile gets the sums over all chunks.
Values GroupedMatmulBlock::addChunks(Values sums, Value &isLast) {
  Value workspace = block.globalPointer(context.workspace);
  auto partial = [&](Value index) {
    Value offset = block.mul(block.toI64(index), schedule.partialBytes());
    return block.at(block.at(workspace, offset), block.mul(thread, 4));
  };
  constexpr int64_t pitch = 4 * MatmulSchedule::threads;
  auto leave = [&] {
    Value target = partial(blockIndex);
    for (auto [i, sum] : llvm::enumerate(sums))
      block.store(sum, block.at(target, i * pitch));
    Value flag = block.at(block.globalPointer(context.flags), block.mul(unit, 4));
    Value last = emitIsLastArrival(block, thread, flag, shared, block.i32(schedule.chunks));
    auto add = [&] {
      // All threads know it before results take the place of the count.
      block.barrier();
      Values zeros(sums.size(), block.f32(0));
      Value first = block.mul(unit, schedule.chunks);
      return block.loop(
          block.i32(0), block.i32(schedule.chunks), block.i32(1), zeros, [&](Value chunk, ValueRange carried) {
            Value source = partial(block.add(first, chunk));
            Values next;
            for (auto [i, total] : llvm::enumerate(carried))
              next.push_back(
                  block.addFloat(total, block.load(block.builder.getF32Type(), block.at(source, i * pitch))));
            return next;
          });
    };
    Values result = block.ifElse(last, add, [&] { return sums; });
    result.push_back(last);
    return result;
  };
  auto keep = [&] {
    Values result = sums;
    result.push_back(block.boolean(true));
    return result;
  };
  Values result = block.ifElse(isSplit, leave, keep);
  isLast = result.pop_back_val();
  return result;
}

void GroupedMatmulBlock::emitBody(const MatmulBody &body) {
  WarpPosition position = locateWarp(block, body, thread, tile.rows);
  auto products = makeMatmulProducts(block, problem, schedule, body, position);
  Values sums = multiplySteps(body, *products, position);
  // From here on the stages hold other things. Each step has waited for its copies, so that none is under way.
  block.barrier();

  auto finish = [&](ValueRange results) {
    emitMatmulEpilogue(block, problem, schedule, body, operands, tile, position, thread, shared, results);
  };
  if (schedule.chunks == 1 || body.tokens > schedule.splitHeight)
    return finish(sums);
  Value isLast;
  Values results = addChunks(sums, isLast);
  block.ifThen(isLast, [&] { finish(results); });
}

namespace {

bool isComputed(Type type) { return type.isF32() || type.isF16() || type.isBF16(); }

struct GroupedMatmulGpuKernel : step::GpuKernelOpInterface::ExternalModel<GroupedMatmulGpuKernel, GroupedMatmulOp> {
  static Value rowCount(GroupedMatmulOp op, LoopEmitter &emit) {
    return emit.make<tensor::DimOp>(op.getOrder() ? op.getOrder() : op.getX(), 0);
  }

  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &machine) const {
    auto matmul = cast<GroupedMatmulOp>(op);
    for (Value operand : {matmul.getX(), matmul.getQuantized() ? matmul.getWScales() : matmul.getW(), matmul.getBias()})
      if (operand && !isComputed(cast<ShapedType>(operand.getType()).getElementType()))
        return std::nullopt;
    MatmulSchedule schedule(MatmulProblem(matmul, machine), machine);
    return step::GpuLaunchShape{.threads = MatmulSchedule::threads,
                                .sharedBytes = schedule.sharedBytes,
                                .blocksPerProcessor = MatmulSchedule::blocksPerProcessor};
  }

  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &machine) const {
    auto matmul = cast<GroupedMatmulOp>(op);
    MatmulProblem problem(matmul, machine);
    MatmulSchedule schedule(problem, machine);
    LoopEmitter emit(builder, loc);
    Value rows = rowCount(matmul, emit), height = schedule.buildHeight(builder, loc, rows);
    // Every expert with rows starts one tile, and only full tiles follow it.
    Value tiles = matmul.getOffsets() ? emit.add(emit.min(rows, emit.index(problem.experts)), emit.div(rows, height))
                                      : emit.div(emit.sub(emit.add(rows, height), emit.index(1)), height);
    Value blocks = emit.mul(tiles, schedule.columnBlocks);
    if (schedule.persistentBlocks)
      return emit.min(blocks, emit.index(schedule.persistentBlocks));
    return schedule.chunks == 1 ? blocks : emit.mul(blocks, schedule.buildSplit(builder, loc, rows));
  }

  Value buildWorkspaceBytes(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &machine) const {
    auto matmul = cast<GroupedMatmulOp>(op);
    MatmulSchedule schedule(MatmulProblem(matmul, machine), machine);
    if (schedule.chunks == 1)
      return Value();
    LoopEmitter emit(builder, loc);
    Value rows = rowCount(matmul, emit), blocks = buildBlockCount(op, builder, loc, machine);
    Value isSplit = emit.compare(arith::CmpIPredicate::sle, rows, emit.index(schedule.splitRows));
    return emit.select(isSplit, emit.mul(blocks, schedule.partialBytes()), emit.index(0));
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    GroupedMatmulBlock(builder, loc, context, cast<GroupedMatmulOp>(op), operands, results).emit();
    return success();
  }
};

} // namespace

void moec::attachGroupedMatmulGpuKernel(MLIRContext *context) {
  GroupedMatmulOp::attachInterface<GroupedMatmulGpuKernel>(*context);
}
