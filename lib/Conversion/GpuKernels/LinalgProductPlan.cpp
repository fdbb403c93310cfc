//===- LinalgProductPlan.cpp - products of two tensors on GPUs --------------===//
//
// Contractions without a weight, such as those of attention that was not recognised: moe.grouped_matmul has the others.
// A block computes 64 x 64 sums of f32 from tiles in shared memory, 4 x 4 a thread, so that each element it reads
// serves 64 products. Sums run over ascending indices.
//
//===----------------------------------------------------------------------===//

#include "LinalgGpuPlan.h"

#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

namespace {

/// Rows and columns of a block, terms of a step, and sums of a thread along each side.
constexpr int64_t tileSize = 64, termsPerStep = 16, sumsPerSide = 4;
constexpr int64_t threadsPerSide = tileSize / sumsPerSide, threads = threadsPerSide * threadsPerSide;
/// Elements of a term's line in shared memory: a multiple of 4, and lines start in different banks.
constexpr int64_t pitch = tileSize + 4;
constexpr int64_t tileBytes = termsPerStep * pitch * sizeof(float);

class ProductPlan : public LinalgGpuPlan {
public:
  ProductPlan(linalg::LinalgOp op, int64_t rowLoop, int64_t columnLoop, int64_t innerLoop)
      : LinalgGpuPlan(op), rowLoop(rowLoop), columnLoop(columnLoop), innerLoop(innerLoop) {}

  step::GpuLaunchShape getLaunchShape() override {
    return {.threads = threads, .sharedBytes = 2 * tileBytes, .blocksPerProcessor = 2};
  }

  Value buildBlockCount(const LoopEmitter &host, const step::GpuMachine &) override {
    return host.product(gridOf(host, getLoopExtents(host, op, op->getOperands())));
  }

  void emitBlock(OpBuilder &builder, Location loc, const step::GpuKernelContext &context, ValueRange operands,
                 ValueRange results) override;

private:
  /// One input's tile in shared memory: `termsPerStep` lines of `tileSize` elements along `loop`.
  struct Side {
    int64_t operand, loop;
    Value tile;
  };

  /// Tiles along the two loops, and the extents of the others.
  SmallVector<Value> gridOf(const LoopEmitter &emit, ArrayRef<Value> extents) {
    return llvm::map_to_vector(getParallelLoops(op), [&](int64_t loop) {
      return loop == rowLoop || loop == columnLoop ? emit.ceilDiv(extents[loop], tileSize) : extents[loop];
    });
  }

  void fillTile(const GpuBlockBuilder &block, const LinalgRuns &runs, ArrayRef<Value> extents, const Side &side,
                Value thread, ArrayRef<Value> first);
  Values multiplyTiles(const GpuBlockBuilder &block, const Side &rows, const Side &columns, Value row, Value column,
                       ValueRange sums);

  int64_t rowLoop, columnLoop, innerLoop;
};

} // namespace

/// Brings the tile at the point `first` into shared memory, zeros where it does not exist. Lanes lie along the loop
/// that the operand is contiguous along.
void ProductPlan::fillTile(const GpuBlockBuilder &block, const LinalgRuns &runs, ArrayRef<Value> extents,
                           const Side &side, Value thread, ArrayRef<Value> first) {
  LoopEmitter emit(block.builder, block.loc);
  auto type = cast<ShapedType>(op->getOperand(side.operand).getType());
  bool isAlongInner = isContiguousAlong(maps[side.operand], type, innerLoop);
  int64_t width = isAlongInner ? termsPerStep : tileSize;
  for (int64_t i = 0; i < tileSize * termsPerStep / threads; ++i) {
    Value element = emit.add(thread, i * threads), fast = emit.rem(element, width), slow = emit.div(element, width);
    Value line = isAlongInner ? fast : slow, place = isAlongInner ? slow : fast;
    SmallVector<Value> point(first);
    point[side.loop] = emit.add(first[side.loop], place);
    point[innerLoop] = emit.add(first[innerLoop], line);
    Value exists =
        emit.both(emit.less(point[side.loop], extents[side.loop]), emit.less(point[innerLoop], extents[innerLoop]));
    Value value = block.ifElse(
        exists, [&] { return Values{block.convert(runs.load(side.operand, point, 1)[0], block.builder.getF32Type())}; },
        [&] { return Values{block.f32(0)}; })[0];
    block.store(value, block.at(side.tile, emit.mul(emit.add(emit.mul(line, pitch), place), sizeof(float))));
  }
}

/// The thread's rows are neighbours; its columns lie `threadsPerSide` apart, so that lanes store neighbours.
Values ProductPlan::multiplyTiles(const GpuBlockBuilder &block, const Side &rows, const Side &columns, Value row,
                                  Value column, ValueRange sums) {
  LoopEmitter emit(block.builder, block.loc);
  Type f32 = block.builder.getF32Type();
  auto multiplyLine = [&](Value line, ValueRange carried) {
    Value start = emit.mul(line, pitch);
    auto elementAt = [&](Value tile, Value place) {
      return block.at(tile, emit.mul(emit.add(start, place), sizeof(float)));
    };
    Value left = block.load(VectorType::get(sumsPerSide, f32), elementAt(rows.tile, row));
    Values next;
    SmallVector<Value> right;
    for (int64_t j = 0; j < sumsPerSide; ++j)
      right.push_back(block.load(f32, elementAt(columns.tile, emit.add(column, j * threadsPerSide))));
    for (int64_t i = 0; i < sumsPerSide; ++i) {
      Value factor = block.make<LLVM::ExtractElementOp>(left, block.i32(i));
      for (int64_t j = 0; j < sumsPerSide; ++j)
        next.push_back(block.fma(factor, right[j], carried[i * sumsPerSide + j]));
    }
    return next;
  };
  return block.loop(emit.index(0), emit.index(termsPerStep), emit.index(1), sums, multiplyLine);
}

void ProductPlan::emitBlock(OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                            ValueRange operands, ValueRange results) {
  GpuBlockBuilder block(builder, loc);
  LoopEmitter emit(builder, loc);
  LinalgRuns runs(block, op, operands, results, columnLoop);
  SmallVector<Value> extents = runs.getExtents(), first(op.getNumLoops());
  for (auto [loop, coordinate] :
       llvm::zip_equal(getParallelLoops(op), emit.delinearize(context.block, gridOf(emit, extents))))
    first[loop] = loop == rowLoop || loop == columnLoop ? emit.mul(coordinate, tileSize) : coordinate;

  Value shared = block.sharedPointer(context.shared);
  bool isFirstLeft = maps[0].isFunctionOfDim(rowLoop);
  Side rows{isFirstLeft ? 0 : 1, rowLoop, shared},
      columns{isFirstLeft ? 1 : 0, columnLoop, block.at(shared, tileBytes)};
  Value row = emit.mul(emit.div(context.thread, threadsPerSide), sumsPerSide);
  Value column = emit.rem(context.thread, threadsPerSide);
  Values zeros(sumsPerSide * sumsPerSide, block.f32(0));
  Values sums = block.loop(emit.index(0), extents[innerLoop], emit.index(termsPerStep), zeros,
                           [&](Value inner, ValueRange carried) {
                             first[innerLoop] = inner;
                             fillTile(block, runs, extents, rows, context.thread, first);
                             fillTile(block, runs, extents, columns, context.thread, first);
                             block.barrier();
                             Values next = multiplyTiles(block, rows, columns, row, column, carried);
                             block.barrier();
                             return next;
                           });
  for (auto [i, sum] : llvm::enumerate(sums)) {
    SmallVector<Value> point(first);
    point[innerLoop] = emit.index(0);
    point[rowLoop] = emit.add(emit.add(first[rowLoop], row), i / sumsPerSide);
    point[columnLoop] = emit.add(emit.add(first[columnLoop], column), i % sumsPerSide * threadsPerSide);
    Value exists =
        emit.both(emit.less(point[rowLoop], extents[rowLoop]), emit.less(point[columnLoop], extents[columnLoop]));
    block.ifThen(exists, [&] {
      Value initial = runs.load(op.getNumDpsInputs(), point, 1)[0];
      runs.store(0, block.addFloat(initial, sum), point);
    });
  }
}

std::unique_ptr<LinalgGpuPlan> moec::planProduct(linalg::LinalgOp op) {
  if (!linalg::isaContractionOpInterface(op))
    return nullptr;
  FailureOr<linalg::ContractionDimensions> loops = linalg::inferContractionDims(op);
  if (failed(loops) || loops->m.empty() || loops->n.empty() || loops->k.size() != 1)
    return nullptr;
  auto isReal = [](Value operand) {
    Type element = getElementTypeOrSelf(operand.getType());
    return element.isF32() || element.isF16() || element.isBF16();
  };
  if (!llvm::all_of(op.getDpsInputs(), isReal) || !getElementTypeOrSelf(op.getDpsInits()[0].getType()).isF32())
    return nullptr;
  // The last loop of the output is a column, the last of the other side a row.
  int64_t column = getParallelLoops(op).back();
  auto last = [](ArrayRef<unsigned> side) { return static_cast<int64_t>(*llvm::max_element(side)); };
  if (!llvm::is_contained(loops->n, column) && !llvm::is_contained(loops->m, column))
    return nullptr;
  int64_t row =
      last(llvm::is_contained(loops->n, column) ? ArrayRef<unsigned>(loops->m) : ArrayRef<unsigned>(loops->n));
  int64_t inner = loops->k.front();
  auto isNarrow = [&](int64_t loop) {
    int64_t range = op.getStaticLoopRanges()[loop];
    return !ShapedType::isDynamic(range) && range < termsPerStep;
  };
  if (isNarrow(column) || isNarrow(inner))
    return nullptr;
  return std::make_unique<ProductPlan>(op, row, column, inner);
}
