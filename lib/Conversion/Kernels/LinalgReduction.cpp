//===- LinalgReduction.cpp - sums of linalg ops in vector registers ---------===//
//
// A tile of accumulators stays in registers over all of the reduction, and the payload is applied to vectors. Every
// result is one sum over ascending indices (or one such sum per lane), however the tiles lie, so its bits depend
// neither on tasks nor on the extents of other loops.
//
//===----------------------------------------------------------------------===//

#include "LinalgReduction.h"
#include "KernelBuilder.h"
#include "LinalgLoops.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace moec;

namespace {

/// Indices of the tile loop, and of a vector loop that is parallel, that one task covers.
constexpr int64_t tileLoopBlock = 16;
constexpr int64_t vectorLoopBlock = 256;

bool isUnit(linalg::LinalgOp op, int64_t loop) { return op.getStaticLoopRanges()[loop] == 1; }

bool isIndexing(AffineMap map) {
  return llvm::all_of(map.getResults(), [](AffineExpr e) { return isa<AffineDimExpr, AffineConstantExpr>(e); });
}

/// Whether all of the payload can be done on vectors, with zeros in lanes that are not used.
bool hasVectorPayload(linalg::LinalgOp op) {
  return llvm::all_of(op->getRegion(0).front().without_terminator(), [](Operation &nested) {
    bool mayTrap = isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp, arith::CeilDivSIOp,
                       arith::CeilDivUIOp, arith::FloorDivSIOp>(nested);
    auto isF32 = [](Type type) { return type.isF32() || type.isInteger(1); };
    return OpTrait::hasElementwiseMappableTraits(&nested) && !mayTrap && nested.getNumRegions() == 0 &&
           llvm::all_of(nested.getOperandTypes(), isF32) && llvm::all_of(nested.getResultTypes(), isF32);
  });
}

/// The op that adds a term to the running value, if lanes may be summed apart and folded with it.
Operation *getFoldableCombiner(linalg::LinalgOp op) {
  Block &body = op->getRegion(0).front();
  Operation *combiner = body.getTerminator()->getOperand(0).getDefiningOp();
  BlockArgument running = body.getArgument(op.getNumDpsInputs());
  if (!isa_and_present<arith::AddFOp, arith::MaximumFOp, arith::MinimumFOp>(combiner) || !running.hasOneUse())
    return nullptr;
  return llvm::is_contained(combiner->getOperands(), running) ? combiner : nullptr;
}

} // namespace

std::optional<LinalgReduction> LinalgReduction::match(linalg::LinalgOp op) {
  if (op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0 || !hasVectorPayload(op))
    return std::nullopt;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<ShapedType> types;
  for (auto [map, operand] : llvm::zip_equal(maps, op->getOperands())) {
    auto type = dyn_cast<ShapedType>(operand.getType());
    if (!type || !type.getElementType().isF32() || !isIndexing(map))
      return std::nullopt;
    types.push_back(type);
  }
  ArrayRef<AffineMap> inputs = ArrayRef(maps).drop_back();
  auto isContiguous = [&](int64_t loop) {
    return llvm::all_of(llvm::zip_equal(maps, types),
                        [&](auto pair) { return isContiguousAlong(std::get<0>(pair), std::get<1>(pair), loop); });
  };
  auto isUsed = [&](int64_t loop) {
    return llvm::any_of(inputs, [&](AffineMap map) { return map.isFunctionOfDim(loop); });
  };

  SmallVector<int64_t> parallel;
  for (AffineExpr result : maps.back().getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(result))
      parallel.push_back(dim.getPosition());
  if (parallel.size() != op.getNumParallelLoops())
    return std::nullopt;
  SmallVector<int64_t> wide = llvm::filter_to_vector(parallel, [&](int64_t loop) { return !isUnit(op, loop); });

  LinalgReduction result;
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  if (!wide.empty() && isContiguous(wide.back()) && isUsed(wide.back())) {
    result.vectorLoop = wide.pop_back_val();
    result.lanesAreTerms = false;
  } else {
    auto last = llvm::find_if(llvm::reverse(reductions), [&](unsigned loop) { return !isUnit(op, loop); });
    if (last == reductions.rend() || !isContiguous(*last) || !getFoldableCombiner(op))
      return std::nullopt;
    result.vectorLoop = *last;
    result.lanesAreTerms = true;
  }
  // A loop that some operand lacks, so that what is read of it serves the whole tile.
  for (int64_t loop : llvm::reverse(wide))
    if (!result.tileLoop && llvm::any_of(inputs, [&](AffineMap map) { return !map.isFunctionOfDim(loop); }))
      result.tileLoop = loop;
  if (!result.tileLoop && !wide.empty())
    result.tileLoop = wide.back();
  result.outerLoops = llvm::filter_to_vector(
      parallel, [&](int64_t loop) { return loop != result.vectorLoop && loop != result.tileLoop; });
  return result;
}

namespace {

/// Emits the tasks of one op. A coordinate is the value of a loop.
class ReductionEmitter {
public:
  ReductionEmitter(const LinalgReduction &plan, OpBuilder &builder, Location loc, linalg::LinalgOp op,
                   const step::KernelContext &context, ValueRange operands, ValueRange results)
      : plan(plan), emit(builder, loc, context), op(op), maps(op.getIndexingMapsArray()), init(operands.back()),
        coordinates(op.getNumLoops()), vectorType(emit.vectorOf(builder.getF32Type())) {
    SmallVector<Value> shapes(operands.drop_back());
    shapes.push_back(results[0]);
    extents = getLoopExtents(emit, op, shapes);
    for (Value shape : shapes)
      buffers.push_back({emit.flatten(shape), emit.extents(shape, 0, rankOf(shape))});
    if (init && isa<MemRefType>(init.getType()))
      initBuffer = emit.flatten(init);
  }

  void emitTask(Value task);

private:
  struct Buffer {
    Value flat;
    SmallVector<Value> shape;
  };
  /// Accumulators side by side: `rows` indices of the tile loop, `vectors` vectors along the vector loop.
  struct Tile {
    int64_t rows, vectors;
    Value firstRow, firstColumn;
    /// Lanes that exist; null for all.
    Value mask;
  };
  using Values = SmallVector<Value>;

  void emitRows(Value from, Value to, llvm::function_ref<void(int64_t, Value)> body);
  void emitColumns(int64_t rows, Value firstRow, Value from, Value to);
  void emitParallelTile(const Tile &tile);
  void emitTermsTile(int64_t rows, Value firstRow);
  Values emitReductions(ArrayRef<unsigned> loops, Values sums, llvm::function_ref<Values(Values)> body);
  Values emitStep(const Tile &tile, ArrayRef<Value> sums);
  Value emitPayload(ArrayRef<Value> inputs, Value sum);
  Value multiplyAdd(Operation &nested, const IRMapping &mapping);
  Value combine(Operation *combiner, Value low, Value high);
  Value offset(int64_t operand, const Tile &tile, int64_t row, int64_t vector);
  Value loadOperand(int64_t operand, const Tile &tile, int64_t row, int64_t vector);
  Value neutral(Operation *combiner);

  const LinalgReduction &plan;
  KernelBuilder emit;
  linalg::LinalgOp op;
  SmallVector<AffineMap> maps;
  /// What the sums start from: null for zero, a scalar, or a memref.
  Value init, initBuffer;
  SmallVector<Value> extents, coordinates;
  SmallVector<Buffer> buffers;
  VectorType vectorType;
};

} // namespace

Value ReductionEmitter::offset(int64_t operand, const Tile &tile, int64_t row, int64_t vector) {
  SmallVector<Value> at;
  for (AffineExpr result : maps[operand].getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(result);
    Value coordinate = dim ? coordinates[dim.getPosition()] : emit.index(cast<AffineConstantExpr>(result).getValue());
    if (dim && dim.getPosition() == plan.tileLoop)
      coordinate = emit.add(tile.firstRow, row);
    else if (dim && dim.getPosition() == plan.vectorLoop)
      coordinate = emit.add(tile.firstColumn, vector * emit.lanes);
    at.push_back(coordinate ? coordinate : emit.index(0));
  }
  return emit.linearize(at, buffers[operand].shape);
}

Value ReductionEmitter::loadOperand(int64_t operand, const Tile &tile, int64_t row, int64_t vector) {
  Value at = offset(operand, tile, row, vector);
  if (!maps[operand].isFunctionOfDim(plan.vectorLoop))
    return emit.splat(emit.load(buffers[operand].flat, at));
  return emit.loadVector(buffers[operand].flat, at, tile.mask);
}

/// A product that the running value takes in rounds once; null if `nested` is no such sum.
Value ReductionEmitter::multiplyAdd(Operation &nested, const IRMapping &mapping) {
  BlockArgument running = op->getRegion(0).front().getArgument(op.getNumDpsInputs());
  if (!isa<arith::AddFOp>(nested) || !llvm::is_contained(nested.getOperands(), running))
    return Value();
  Value term = nested.getOperand(nested.getOperand(0) == running ? 1 : 0);
  auto product = term.getDefiningOp<arith::MulFOp>();
  if (!product || product->getBlock() != nested.getBlock())
    return Value();
  auto asVector = [&](Value value) {
    Value mapped = mapping.lookupOrDefault(value);
    return isa<VectorType>(mapped.getType()) ? mapped : emit.splat(mapped);
  };
  return emit.fma(asVector(product.getLhs()), asVector(product.getRhs()), mapping.lookup(Value(running)));
}

Value ReductionEmitter::emitPayload(ArrayRef<Value> inputs, Value sum) {
  Block &body = op->getRegion(0).front();
  IRMapping mapping(*emit.context.arguments);
  for (auto [argument, value] : llvm::zip_equal(body.getArguments().drop_back(), inputs))
    mapping.map(argument, value);
  mapping.map(body.getArguments().back(), sum);
  for (Operation &nested : body.without_terminator()) {
    if (Value fused = multiplyAdd(nested, mapping)) {
      mapping.map(nested.getResult(0), fused);
      continue;
    }
    SmallVector<Value> operands;
    for (Value operand : nested.getOperands()) {
      Value value = mapping.lookupOrDefault(operand);
      operands.push_back(isa<VectorType>(value.getType()) ? value : emit.splat(value));
    }
    SmallVector<Type> types =
        llvm::map_to_vector(nested.getResultTypes(), [&](Type t) -> Type { return emit.vectorOf(t); });
    Operation *onVectors =
        emit.builder.create(emit.loc, nested.getName().getIdentifier(), operands, types, nested.getAttrs());
    mapping.map(nested.getResults(), onVectors->getResults());
  }
  return mapping.lookup(body.getTerminator()->getOperand(0));
}

/// One step of all sums of the tile. What does not depend on a row or a column of it is loaded once.
ReductionEmitter::Values ReductionEmitter::emitStep(const Tile &tile, ArrayRef<Value> sums) {
  Values next;
  int64_t inputs = op.getNumDpsInputs();
  llvm::DenseMap<std::tuple<int64_t, int64_t, int64_t>, Value> loaded;
  for (int64_t row = 0; row < tile.rows; ++row)
    for (int64_t vector = 0; vector < tile.vectors; ++vector) {
      SmallVector<Value> values;
      for (int64_t i = 0; i < inputs; ++i) {
        bool hasRow = plan.tileLoop && maps[i].isFunctionOfDim(*plan.tileLoop);
        bool hasVector = maps[i].isFunctionOfDim(plan.vectorLoop);
        Value &value = loaded[{i, hasRow ? row : 0, hasVector ? vector : 0}];
        if (!value)
          value = loadOperand(i, tile, row, vector);
        values.push_back(value);
      }
      next.push_back(emitPayload(values, sums[row * tile.vectors + vector]));
    }
  return next;
}

ReductionEmitter::Values ReductionEmitter::emitReductions(ArrayRef<unsigned> loops, Values sums,
                                                          llvm::function_ref<Values(Values)> body) {
  if (loops.empty())
    return body(sums);
  return emit.loop(emit.index(0), extents[loops.front()], 1, sums, [&](Value index, ValueRange carried) {
    coordinates[loops.front()] = index;
    return emitReductions(loops.drop_front(), Values(carried), body);
  });
}

void ReductionEmitter::emitParallelTile(const Tile &tile) {
  int64_t output = op.getNumDpsInputs();
  Values sums;
  for (int64_t row = 0; row < tile.rows; ++row)
    for (int64_t vector = 0; vector < tile.vectors; ++vector)
      sums.push_back(initBuffer ? emit.loadVector(initBuffer, offset(output, tile, row, vector), tile.mask)
                     : init     ? emit.splat(init)
                                : emit.splat(0.0));
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  sums = emitReductions(reductions, sums, [&](Values carried) { return emitStep(tile, carried); });
  for (int64_t row = 0; row < tile.rows; ++row)
    for (int64_t vector = 0; vector < tile.vectors; ++vector)
      emit.storeReals(sums[row * tile.vectors + vector], buffers[output].flat, offset(output, tile, row, vector),
                      tile.mask);
}

Value ReductionEmitter::neutral(Operation *combiner) {
  double infinity = std::numeric_limits<double>::infinity();
  return emit.splat(isa<arith::MaximumFOp>(combiner) ? -infinity : isa<arith::MinimumFOp>(combiner) ? infinity : 0.0);
}

Value ReductionEmitter::combine(Operation *combiner, Value low, Value high) {
  if (isa<arith::MaximumFOp>(combiner))
    return emit.make<arith::MaximumFOp>(low, high);
  if (isa<arith::MinimumFOp>(combiner))
    return emit.make<arith::MinimumFOp>(low, high);
  return emit.make<arith::AddFOp>(low, high);
}

void ReductionEmitter::emitTermsTile(int64_t rows, Value firstRow) {
  Operation *combiner = getFoldableCombiner(op);
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  llvm::erase(reductions, plan.vectorLoop);
  Values sums(rows, neutral(combiner));
  sums = emitReductions(reductions, sums, [&](Values carried) {
    return emit.forVectors(extents[plan.vectorLoop], carried, [&](Value position, Value mask, ValueRange before) {
      Values after = emitStep({rows, 1, firstRow, position, mask}, SmallVector<Value>(before));
      if (mask)
        for (auto [value, old] : llvm::zip_equal(after, before))
          value = emit.select(mask, value, old);
      return after;
    });
  });
  int64_t output = op.getNumDpsInputs();
  for (int64_t row = 0; row < rows; ++row) {
    Value at = offset(output, {rows, 1, firstRow, emit.index(0), Value()}, row, 0);
    Value sum = emit.foldLanes(sums[row], [&](Value low, Value high) { return combine(combiner, low, high); });
    if (Value first = initBuffer ? emit.load(initBuffer, at) : init)
      sum = combine(combiner, first, sum);
    emit.store(sum, buffers[output].flat, at);
  }
}

void ReductionEmitter::emitColumns(int64_t rows, Value firstRow, Value from, Value to) {
  int64_t vectors = rows > 1 ? 2 : 4, wide = vectors * emit.lanes;
  Value wideEnd = emit.add(from, emit.roundDown(emit.sub(to, from), wide));
  emit.loop(from, wideEnd, wide, [&](Value column) { emitParallelTile({rows, vectors, firstRow, column, Value()}); });
  emit.loop(wideEnd, to, emit.lanes, [&](Value column) {
    emitParallelTile({rows, 1, firstRow, column, emit.maskOf(emit.sub(to, column))});
  });
}

void ReductionEmitter::emitRows(Value from, Value to, llvm::function_ref<void(int64_t, Value)> body) {
  if (!plan.tileLoop)
    return body(1, Value());
  int64_t rows = emit.context.vectorRegisters >= 32 ? 8 : 4;
  Value wholeEnd = emit.add(from, emit.roundDown(emit.sub(to, from), rows));
  emit.loop(from, wholeEnd, rows, [&](Value row) { body(rows, row); });
  emit.loop(wholeEnd, to, 1, [&](Value row) { body(1, row); });
}

void ReductionEmitter::emitTask(Value task) {
  Value columnFrom, columnTo, rowFrom, rowTo;
  if (!plan.lanesAreTerms) {
    ColumnBlock block = emit.columnBlock(task, extents[plan.vectorLoop], vectorLoopBlock);
    std::tie(task, columnFrom, columnTo) = std::tuple(block.outer, block.from, block.to);
  }
  if (plan.tileLoop) {
    ColumnBlock block = emit.columnBlock(task, extents[*plan.tileLoop], tileLoopBlock);
    std::tie(task, rowFrom, rowTo) = std::tuple(block.outer, block.from, block.to);
  }
  auto outer = llvm::map_to_vector(plan.outerLoops, [&](int64_t loop) { return extents[loop]; });
  for (auto [loop, coordinate] : llvm::zip_equal(plan.outerLoops, emit.delinearize(task, outer)))
    coordinates[loop] = coordinate;
  emitRows(rowFrom, rowTo, [&](int64_t rows, Value firstRow) {
    if (plan.lanesAreTerms)
      emitTermsTile(rows, firstRow);
    else
      emitColumns(rows, firstRow, columnFrom, columnTo);
  });
}

Value LinalgReduction::buildTaskCount(OpBuilder &builder, Location loc, linalg::LinalgOp op,
                                      ValueRange operands) const {
  LoopEmitter emit(builder, loc);
  SmallVector<Value> extents = getLoopExtents(emit, op, operands);
  Value count = emit.product(llvm::map_to_vector(outerLoops, [&](int64_t loop) { return extents[loop]; }));
  if (tileLoop)
    count = emit.mul(count, emit.ceilDiv(extents[*tileLoop], tileLoopBlock));
  return lanesAreTerms ? count : emit.mul(count, emit.ceilDiv(extents[vectorLoop], vectorLoopBlock));
}

void LinalgReduction::emitTasks(OpBuilder &builder, Location loc, linalg::LinalgOp op,
                                const step::KernelContext &context, ValueRange operands, ValueRange results,
                                Value begin, Value end) const {
  ReductionEmitter tasks(*this, builder, loc, op, context, operands, results);
  LoopEmitter(builder, loc).loop(begin, end, 1, [&](Value task) { tasks.emitTask(task); });
}
