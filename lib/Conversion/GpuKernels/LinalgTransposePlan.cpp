//===- LinalgTransposePlan.cpp - linalg ops that turn operands on GPUs ------===//
//
// Where an input is contiguous along another loop than the output, a block reads tiles of 32 x 32 of it into shared
// memory along its own direction and takes its elements from there along the output's. Other inputs are read in place.
// Extents that turn out narrow at run time leave an element to each thread.
//
//===----------------------------------------------------------------------===//

#include "LinalgGpuPlan.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

namespace {

constexpr int64_t tileSize = 32, warps = 8;
/// Where a loop has fewer iterations each thread computes one element.
constexpr int64_t narrowTile = 8;
/// Elements of a line of a tile in shared memory: columns lie in different banks.
constexpr int64_t tilePitch = tileSize + 1;

/// Elements of less than 4 bytes take 4, so that lanes have banks of their own.
int64_t cellBytes(Type element) { return std::max<int64_t>(4, getStoredBytes(element)); }

class TransposePlan : public LinalgGpuPlan {
public:
  /// The inputs `turned` are contiguous along `readLoop`, all other operands along `runLoop`.
  TransposePlan(linalg::LinalgOp op, int64_t readLoop, int64_t runLoop, ArrayRef<int64_t> turned)
      : LinalgGpuPlan(op), readLoop(readLoop), runLoop(runLoop), turned(turned),
        elementwise(planSingleElements(op, runLoop)) {}

  step::GpuLaunchShape getLaunchShape() override {
    int64_t bytes = 0;
    for (int64_t input : turned)
      bytes += tileBytes(input);
    return {.threads = warps * warpLanes, .sharedBytes = bytes};
  }

  Value buildBlockCount(const LoopEmitter &host, const step::GpuMachine &machine) override {
    SmallVector<Value> extents = getLoopExtents(host, op, op->getOperands());
    return host.select(isNarrow(host, extents), elementwise->buildBlockCount(host, machine),
                       host.product(gridOf(host, extents)));
  }

  void emitBlock(OpBuilder &builder, Location loc, const step::GpuKernelContext &context, ValueRange operands,
                 ValueRange results) override {
    GpuBlockBuilder block(builder, loc);
    LoopEmitter emit(builder, loc);
    LinalgRuns runs(block, op, operands, results, runLoop);
    SmallVector<Value> extents = runs.getExtents();
    auto emitElements = [&] {
      elementwise->emitBlock(builder, loc, context, operands, results);
      return Values();
    };
    auto turnTile = [&] {
      emitTile(block, context, runs, extents);
      return Values();
    };
    if (isConstantIntValue(isNarrow(emit, extents), 0))
      turnTile();
    else
      block.ifElse(isNarrow(emit, extents), emitElements, turnTile);
  }

private:
  /// Whether tiles would leave most threads idle.
  Value isNarrow(const LoopEmitter &emit, ArrayRef<Value> extents) {
    Value narrower = emit.min(extents[readLoop], extents[runLoop]);
    return emit.compare(arith::CmpIPredicate::ult, narrower, emit.index(narrowTile));
  }

  void emitTile(const GpuBlockBuilder &block, const step::GpuKernelContext &context, const LinalgRuns &runs,
                ArrayRef<Value> extents) {
    LoopEmitter emit(block.builder, block.loc);
    SmallVector<Value> point(op.getNumLoops()), place = emit.delinearize(context.block, gridOf(emit, extents));
    for (auto [loop, coordinate] : llvm::zip_equal(getParallelLoops(op), place))
      point[loop] = loop == readLoop || loop == runLoop ? emit.mul(coordinate, tileSize) : coordinate;

    Value lane = emit.rem(context.thread, warpLanes), warp = emit.div(context.thread, warpLanes);
    visitTile(emit, point, extents, readLoop, runLoop, lane, warp, [&](ArrayRef<Value> at, Value line) {
      for (auto [number, input] : llvm::enumerate(turned))
        storeCell(block, context, number, line, lane, runs.load(input, at, 1)[0]);
    });
    block.barrier();
    visitTile(emit, point, extents, runLoop, readLoop, lane, warp, [&](ArrayRef<Value> at, Value line) {
      SmallVector<Value> elements;
      for (int64_t operand = 0; operand < op->getNumOperands(); ++operand) {
        auto tile = llvm::find(turned, operand);
        elements.push_back(tile == turned.end() ? runs.load(operand, at, 1)[0]
                                                : loadCell(block, context, tile - turned.begin(), lane, line));
      }
      for (auto [output, value] : llvm::enumerate(emitLinalgPayload(emit, op, context.arguments, elements, at)))
        runs.store(output, value, at);
    });
  }

  /// Tiles along the two loops, and the extents of the others.
  SmallVector<Value> gridOf(const LoopEmitter &emit, ArrayRef<Value> extents) {
    return llvm::map_to_vector(getParallelLoops(op), [&](int64_t loop) {
      return loop == readLoop || loop == runLoop ? emit.ceilDiv(extents[loop], tileSize) : extents[loop];
    });
  }

  /// Visits what exists of the tile at `first`: lanes along `laneLoop`, warps along `lineLoop`.
  static void visitTile(const LoopEmitter &emit, ArrayRef<Value> first, ArrayRef<Value> extents, int64_t laneLoop,
                        int64_t lineLoop, Value lane, Value warp,
                        llvm::function_ref<void(ArrayRef<Value> point, Value line)> body) {
    SmallVector<Value> point(first);
    point[laneLoop] = emit.add(first[laneLoop], lane);
    emit.ifThen(emit.less(point[laneLoop], extents[laneLoop]), [&] {
      for (int64_t round = 0; round < tileSize / warps; ++round) {
        Value line = emit.add(warp, round * warps);
        point[lineLoop] = emit.add(first[lineLoop], line);
        emit.ifThen(emit.less(point[lineLoop], extents[lineLoop]), [&] { body(point, line); });
      }
    });
  }

  Type elementOf(int64_t input) { return getElementTypeOrSelf(op->getOperand(input).getType()); }
  int64_t tileBytes(int64_t input) { return tileSize * tilePitch * cellBytes(elementOf(input)); }

  /// The cell of the `number`-th turned input.
  Value cellAt(const GpuBlockBuilder &block, const step::GpuKernelContext &context, int64_t number, Value line,
               Value column) {
    Value tile = block.sharedPointer(context.shared);
    for (int64_t i = 0; i < number; ++i)
      tile = block.at(tile, tileBytes(turned[i]));
    Value cell = block.add(block.mul(line, tilePitch), column);
    return block.at(tile, block.mul(cell, cellBytes(elementOf(turned[number]))));
  }

  /// Elements pass through shared memory as integers.
  void storeCell(const GpuBlockBuilder &block, const step::GpuKernelContext &context, int64_t number, Value line,
                 Value column, Value value) {
    unsigned bits = value.getType().getIntOrFloatBitWidth();
    Value word = block.bitcast(value, block.builder.getIntegerType(bits));
    if (bits < 32)
      word = block.make<arith::ExtUIOp>(block.builder.getI32Type(), word);
    block.store(word, cellAt(block, context, number, line, column));
  }

  Value loadCell(const GpuBlockBuilder &block, const step::GpuKernelContext &context, int64_t number, Value line,
                 Value column) {
    Type element = elementOf(turned[number]);
    unsigned bits = element.getIntOrFloatBitWidth();
    Value word =
        block.load(block.builder.getIntegerType(std::max(bits, 32u)), cellAt(block, context, number, line, column));
    if (bits < 32)
      word = block.make<arith::TruncIOp>(block.builder.getIntegerType(bits), word);
    return block.bitcast(word, element);
  }

  int64_t readLoop, runLoop;
  SmallVector<int64_t> turned;
  std::unique_ptr<LinalgGpuPlan> elementwise;
};

/// The loop that consecutive elements of the operand follow, if its last dimension of more than one element is one.
std::optional<int64_t> lastLoopOf(linalg::LinalgOp op, OpOperand &operand) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  auto type = cast<ShapedType>(operand.get().getType());
  for (int64_t position = map.getNumResults(); position-- > 0;)
    if (type.getDimSize(position) != 1) {
      auto dim = dyn_cast<AffineDimExpr>(map.getResult(position));
      return dim ? std::optional<int64_t>(dim.getPosition()) : std::nullopt;
    }
  return std::nullopt;
}

} // namespace

std::unique_ptr<LinalgGpuPlan> moec::planTranspose(linalg::LinalgOp op) {
  std::optional<int64_t> runLoop = lastLoopOf(op, op.getDpsInitsMutable()[0]), readLoop;
  if (!runLoop)
    return nullptr;
  SmallVector<int64_t> turned;
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<ShapedType>(operand.get().getType());
    if (!type)
      continue;
    if (getStoredBytes(type.getElementType()) == 0)
      return nullptr;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    if (isContiguousAlong(map, type, *runLoop))
      continue;
    std::optional<int64_t> loop = lastLoopOf(op, operand);
    bool isTurned =
        loop && op.isDpsInput(&operand) && isContiguousAlong(map, type, *loop) && map.isProjectedPermutation();
    if (!isTurned || (readLoop && *readLoop != *loop))
      return nullptr;
    readLoop = loop;
    turned.push_back(operand.getOperandNumber());
  }
  auto isNarrow = [&](int64_t loop) {
    int64_t range = op.getStaticLoopRanges()[loop];
    return !ShapedType::isDynamic(range) && range < narrowTile;
  };
  if (!readLoop || isNarrow(*readLoop) || isNarrow(*runLoop))
    return nullptr;
  return std::make_unique<TransposePlan>(op, *readLoop, *runLoop, turned);
}
