//===- LinalgKernels.cpp - linalg ops as kernels ----------------------------===//
//
// A linalg op becomes loops over scalars. For a processor LLVM vectorises them. One parallel dimension, the last of the
// output, is the inner loop where that makes all accesses contiguous; the other parallel dimensions and blocks of the
// inner one are the tasks. A reduction either accumulates in registers (inner loop = reduction) or, where the operands
// are contiguous along the output's last dimension, row by row in the result. Which of the two depends on the indexing
// maps alone, so the order of a sum does not depend on extents of other dimensions, tasks or threads. Sums of f32 that
// vector registers can hold are computed by LinalgReduction.cpp instead. A task of TaskSize::Thread is one element of
// the output, its reduction in registers.
//
//===----------------------------------------------------------------------===//

#include "LinalgLoops.h"
#include "LinalgReduction.h"

#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "moec/Conversion/Kernels.h"
#include "moec/Dialect/Step/KernelInterface.h"

using namespace mlir;
using namespace moec;

namespace {

/// How the loops of a linalg op are arranged; a function of its indexing maps and the size of tasks only.
struct LoopOrder {
  int64_t innerBlock;              // elements of the inner dimension that one task covers
  SmallVector<int64_t> outer;      // parallel loops that make up the tasks, in the order of the output
  SmallVector<int64_t> reductions; // in the order of the op
  std::optional<int64_t> inner;    // the parallel loop inside a task, if any
  bool flat = false;               // all operands are walked as one dimension; `outer` is empty
  /// Reductions run around the inner parallel loop and accumulate in the result's memory.
  bool accumulateInMemory() const { return inner && !reductions.empty(); }
};

bool usesLoop(AffineMap map, int64_t loop) { return map.isFunctionOfDim(loop); }

/// Whether consecutive values of `loop` address consecutive elements, or the same one.
bool isContiguousAlong(AffineMap map, int64_t loop) {
  if (!usesLoop(map, loop))
    return true;
  for (auto [position, result] : llvm::enumerate(map.getResults())) {
    if (!result.isFunctionOfDim(loop))
      continue;
    if (position + 1 != map.getNumResults() || result != getAffineDimExpr(loop, map.getContext()))
      return false;
  }
  return true;
}

LoopOrder chooseLoopOrder(linalg::LinalgOp op, step::TaskSize taskSize) {
  bool isThread = taskSize == step::TaskSize::Thread;
  LoopOrder order;
  order.innerBlock = isThread ? 1 : 4096;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  AffineMap output = maps[op.getNumDpsInputs()];
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  for (auto [loop, type] : llvm::enumerate(iterators))
    if (type == utils::IteratorType::reduction)
      order.reductions.push_back(loop);

  auto hasIndex = op->getRegion(0).walk([](linalg::IndexOp) { return WalkResult::interrupt(); }).wasInterrupted();
  auto isIdentityOrScalar = [](AffineMap map) { return map.isIdentity() || map.getNumResults() == 0; };
  if (order.reductions.empty() && output.isIdentity() && output.getNumDims() > 0 && !hasIndex &&
      llvm::all_of(maps, isIdentityOrScalar)) {
    order.flat = true;
    order.inner = 0;
    return order;
  }

  SmallVector<int64_t> parallel = getParallelLoops(op);
  order.outer = parallel;
  if (parallel.empty() || isThread)
    return order;
  int64_t last = parallel.back();
  bool contiguous = llvm::all_of(maps, [&](AffineMap map) { return isContiguousAlong(map, last); });
  bool anyInput =
      llvm::any_of(ArrayRef(maps).take_front(op.getNumDpsInputs()), [&](AffineMap map) { return usesLoop(map, last); });
  if (order.reductions.empty() || (contiguous && anyInput)) {
    order.inner = last;
    order.outer.pop_back();
  }
  return order;
}

//===----------------------------------------------------------------------===//
// Extents of the loops
//===----------------------------------------------------------------------===//

Value constantIndex(OpBuilder &builder, Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value product(OpBuilder &builder, Location loc, ValueRange factors) {
  Value result = constantIndex(builder, loc, 1);
  for (Value factor : factors)
    result = arith::MulIOp::create(builder, loc, result, factor);
  return result;
}

Value ceilDiv(OpBuilder &builder, Location loc, Value lhs, int64_t rhs) {
  Value sum = arith::AddIOp::create(builder, loc, lhs, constantIndex(builder, loc, rhs - 1));
  return arith::DivUIOp::create(builder, loc, sum, constantIndex(builder, loc, rhs));
}

SmallVector<Value> select(ArrayRef<Value> values, ArrayRef<int64_t> positions) {
  return llvm::map_to_vector(positions, [&](int64_t position) { return values[position]; });
}

Value taskCount(OpBuilder &builder, Location loc, const LoopOrder &order, ArrayRef<Value> extents) {
  if (order.flat)
    return ceilDiv(builder, loc, product(builder, loc, extents), order.innerBlock);
  Value count = product(builder, loc, select(extents, order.outer));
  if (!order.inner)
    return count;
  return arith::MulIOp::create(builder, loc, count, ceilDiv(builder, loc, extents[*order.inner], order.innerBlock));
}

//===----------------------------------------------------------------------===//
// Loop bodies
//===----------------------------------------------------------------------===//

/// Emits the scalar code of one linalg op on memrefs.
class LinalgEmitter {
public:
  LinalgEmitter(OpBuilder &builder, Location loc, linalg::LinalgOp op, const step::KernelContext &context,
                ValueRange operands, ValueRange results)
      : builder(builder), loc(loc), op(op), context(context), order(chooseLoopOrder(op, context.taskSize)),
        inputs(op.getNumDpsInputs()), maps(op.getIndexingMapsArray()), buffers(operands.begin(), operands.end()),
        results(results) {
    inits.assign(buffers.begin() + inputs, buffers.begin() + inputs + op.getNumDpsInits());
    for (int64_t i = 0; i < op.getNumDpsInits(); ++i)
      buffers[inputs + i] = results[i];
    buffers.resize(inputs + op.getNumDpsInits());
    extents = getLoopExtents({builder, loc}, op, buffers);
    if (order.flat)
      flatten();
  }

  LogicalResult emit(Value begin, Value end) {
    if (llvm::any_of(ArrayRef(extents).take_front(order.flat ? 1 : extents.size()), [](Value v) { return !v; }))
      return op->emitOpError("has a loop whose extent no operand shows");
    forLoop(begin, end, [&](Value task) { emitTask(task); });
    return success();
  }

private:
  void forLoop(Value from, Value to, llvm::function_ref<void(Value)> body) {
    auto loop = scf::ForOp::create(builder, loc, from, to, constantIndex(builder, loc, 1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    body(loop.getInductionVar());
  }

  /// A buffer of two dimensions or more as one. The type is stated because the inferred one is wrong for ? x 0.
  Value flattened(Value buffer) {
    auto type = dyn_cast<MemRefType>(buffer.getType());
    if (!type || type.getRank() <= 1)
      return buffer;
    SmallVector<ReassociationIndices> all(1);
    for (int64_t i = 0; i < type.getRank(); ++i)
      all[0].push_back(i);
    int64_t size = type.hasStaticShape() ? type.getNumElements() : ShapedType::kDynamic;
    return memref::CollapseShapeOp::create(builder, loc, MemRefType::get({size}, type.getElementType()), buffer, all);
  }

  /// Views every operand as one dimension.
  void flatten() {
    extents = {product(builder, loc, extents)};
    for (Value &buffer : buffers)
      buffer = flattened(buffer);
    for (AffineMap &map : maps)
      map = map.getNumResults() == 0 ? AffineMap::get(1, 0, builder.getContext())
                                     : AffineMap::getMultiDimIdentityMap(1, builder.getContext());
    for (Value &init : inits)
      if (init)
        init = flattened(init);
  }

  void emitTask(Value task) {
    SmallVector<Value> ivs(order.flat ? 1 : op.getNumLoops());
    Value zero = constantIndex(builder, loc, 0);
    Value from = zero, to;
    if (order.inner) {
      Value blocks = ceilDiv(builder, loc, extents[*order.inner], order.innerBlock);
      Value block = task;
      if (!order.flat && !order.outer.empty()) {
        block = arith::RemUIOp::create(builder, loc, task, blocks);
        task = arith::DivUIOp::create(builder, loc, task, blocks);
      }
      Value size = constantIndex(builder, loc, order.innerBlock);
      from = arith::MulIOp::create(builder, loc, block, size);
      Value limit = arith::AddIOp::create(builder, loc, from, size);
      to = arith::MinUIOp::create(builder, loc, limit, extents[*order.inner]);
    }
    for (int64_t loop : llvm::reverse(order.outer)) {
      bool first = loop == order.outer.front();
      ivs[loop] = first ? task : arith::RemUIOp::create(builder, loc, task, extents[loop]).getResult();
      if (!first)
        task = arith::DivUIOp::create(builder, loc, task, extents[loop]);
    }
    if (order.accumulateInMemory())
      emitAccumulatingRows(ivs, from, to);
    else if (order.inner && order.innerBlock > 1)
      forLoop(from, to, [&](Value iv) {
        ivs[*order.inner] = iv;
        storeResults(ivs, emitBody(ivs, initialValues(ivs)));
      });
    else
      emitElement(ivs, from);
  }

  /// One element of the output.
  void emitElement(SmallVector<Value> &ivs, Value inner) {
    if (order.inner)
      ivs[*order.inner] = inner;
    storeResults(ivs, emitRegisterReduction(ivs, order.reductions, initialValues(ivs)));
  }

  /// result[...] = init; for reductions: for inner: result[...] = body(result[...]).
  void emitAccumulatingRows(SmallVector<Value> &ivs, Value from, Value to) {
    forLoop(from, to, [&](Value iv) {
      ivs[*order.inner] = iv;
      storeResults(ivs, initialValues(ivs));
    });
    emitReductionLoops(ivs, order.reductions, [&] {
      forLoop(from, to, [&](Value iv) {
        ivs[*order.inner] = iv;
        SmallVector<Value> sums;
        for (int64_t i = 0; i < op.getNumDpsInits(); ++i)
          sums.push_back(load(inputs + i, ivs));
        storeResults(ivs, emitBody(ivs, sums));
      });
    });
  }

  void emitReductionLoops(SmallVector<Value> &ivs, ArrayRef<int64_t> loops, llvm::function_ref<void()> body) {
    if (loops.empty())
      return body();
    forLoop(constantIndex(builder, loc, 0), extents[loops.front()], [&](Value iv) {
      ivs[loops.front()] = iv;
      emitReductionLoops(ivs, loops.drop_front(), body);
    });
  }

  SmallVector<Value> emitRegisterReduction(SmallVector<Value> &ivs, ArrayRef<int64_t> loops, SmallVector<Value> sums) {
    if (loops.empty())
      return emitBody(ivs, sums);
    auto loop = scf::ForOp::create(builder, loc, constantIndex(builder, loc, 0), extents[loops.front()],
                                   constantIndex(builder, loc, 1), sums);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    ivs[loops.front()] = loop.getInductionVar();
    SmallVector<Value> inner(loop.getRegionIterArgs().begin(), loop.getRegionIterArgs().end());
    SmallVector<Value> updated = emitRegisterReduction(ivs, loops.drop_front(), inner);
    scf::YieldOp::create(builder, loc, updated);
    return SmallVector<Value>(loop.getResults().begin(), loop.getResults().end());
  }

  SmallVector<Value> indices(AffineMap map, ArrayRef<Value> ivs) { return applyIndexingMap({builder, loc}, map, ivs); }

  Value load(int64_t operand, ArrayRef<Value> ivs) {
    Value buffer = buffers[operand];
    if (!isa<MemRefType>(buffer.getType()))
      return buffer;
    return memref::LoadOp::create(builder, loc, buffer, indices(maps[operand], ivs));
  }

  /// What the payload sees as the output's value before the first step: the fill value, the init's element, or nothing.
  SmallVector<Value> initialValues(ArrayRef<Value> ivs) {
    SmallVector<Value> values;
    for (int64_t i = 0; i < op.getNumDpsInits(); ++i) {
      Value init = inits[i];
      Type element = cast<MemRefType>(results[i].getType()).getElementType();
      if (!init)
        values.push_back(arith::ConstantOp::create(builder, loc, builder.getZeroAttr(element)));
      else if (isa<MemRefType>(init.getType()))
        values.push_back(memref::LoadOp::create(builder, loc, init, indices(maps[inputs + i], ivs)));
      else
        values.push_back(init);
    }
    return values;
  }

  void storeResults(ArrayRef<Value> ivs, ArrayRef<Value> values) {
    for (auto [i, value] : llvm::enumerate(values))
      memref::StoreOp::create(builder, loc, value, buffers[inputs + i], indices(maps[inputs + i], ivs));
  }

  /// The payload at the point `ivs`; returns what it yields.
  SmallVector<Value> emitBody(ArrayRef<Value> ivs, ArrayRef<Value> outputs) {
    SmallVector<Value> elements;
    for (int64_t i = 0; i < inputs; ++i)
      elements.push_back(load(i, ivs));
    llvm::append_range(elements, outputs);
    SmallVector<Value> results = emitLinalgPayload({builder, loc}, op, *context.arguments, elements, ivs);
    if (!order.reductions.empty() && !order.inner)
      allowVectorSums(results);
    return results;
  }

  /// A sum in registers may run in several lanes at once: a fixed order that depends on the extent alone.
  static void allowVectorSums(ArrayRef<Value> sums) {
    for (Value sum : sums)
      if (Operation *combiner = sum.getDefiningOp(); isa_and_present<arith::AddFOp, arith::MulFOp>(combiner))
        combiner->setAttr("fastmath",
                          arith::FastMathFlagsAttr::get(combiner->getContext(), arith::FastMathFlags::reassoc));
  }

  OpBuilder &builder;
  Location loc;
  linalg::LinalgOp op;
  const step::KernelContext &context;
  LoopOrder order;
  int64_t inputs;
  SmallVector<AffineMap> maps;
  SmallVector<Value> buffers; // one per operand; the results stand for the inits
  SmallVector<Value> inits;   // what the inits are: null, a scalar, or a memref
  SmallVector<Value> extents; // one per loop, or the single one of a flat op
  ValueRange results;
};

template <typename OpTy> struct LinalgKernel : step::KernelOpInterface::ExternalModel<LinalgKernel<OpTy>, OpTy> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return buildTaskCount(op, builder, loc, step::TaskSize::Worker);
  }

  Value buildThreadTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return buildTaskCount(op, builder, loc, step::TaskSize::Thread);
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    return product(builder, loc, hostExtents(builder, loc, cast<linalg::LinalgOp>(op)));
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    auto linalgOp = cast<linalg::LinalgOp>(op);
    auto reduction = LinalgReduction::match(linalgOp);
    if (reduction && context.taskSize == step::TaskSize::Worker) {
      reduction->emitTasks(builder, loc, linalgOp, context, operands, results, begin, end);
      return success();
    }
    return LinalgEmitter(builder, loc, linalgOp, context, operands, results).emit(begin, end);
  }

private:
  static Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc, step::TaskSize size) {
    auto linalgOp = cast<linalg::LinalgOp>(op);
    if (auto reduction = LinalgReduction::match(linalgOp); reduction && size == step::TaskSize::Worker)
      return reduction->buildTaskCount(builder, loc, linalgOp, op->getOperands());
    return taskCount(builder, loc, chooseLoopOrder(linalgOp, size), hostExtents(builder, loc, linalgOp));
  }

  static SmallVector<Value> hostExtents(OpBuilder &builder, Location loc, linalg::LinalgOp op) {
    SmallVector<Value> operands(op->getOperands().begin(), op->getOperands().end());
    return getLoopExtents({builder, loc}, op, operands);
  }
};

template <typename... OpTys> void attach(MLIRContext *context) {
  (OpTys::template attachInterface<LinalgKernel<OpTys>>(*context), ...);
}

} // namespace

void moec::registerLinalgKernels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    attach<linalg::GenericOp, linalg::FillOp, linalg::TransposeOp, linalg::CopyOp, linalg::BroadcastOp, linalg::MapOp,
           linalg::ReduceOp, linalg::MatmulOp, linalg::BatchMatmulOp, linalg::ContractOp>(context);
  });
}
