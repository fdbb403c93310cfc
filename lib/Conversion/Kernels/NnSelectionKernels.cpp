//===- NnSelectionKernels.cpp - top-k, running sums and nonzero as kernels ----===//

#include "KernelBuilder.h"
#include "NnKernels.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moert/moert_kernel_abi.h"

using namespace mlir;
using namespace moec;

namespace {

//===----------------------------------------------------------------------===//
// top_k
//===----------------------------------------------------------------------===//

/// Selects within one row. The result's memory is a heap with the worst kept element on top; an element that beats it
/// takes its place. At the end the heap is sorted in place. (value, index) is a total order, so the result is unique.
class TopKEmitter {
public:
  TopKEmitter(const KernelBuilder &kernel, bool largest, Value values, Value indices, Value base)
      : kernel(kernel), builder(kernel.builder), loc(kernel.loc), largest(largest), values(values), indices(indices),
        base(base) {}

  /// Leaves the best `count` of `extent` elements of x in the heap; needs 0 < count <= extent.
  void emit(Value x, Value xBase, Value extent, Value count) {
    Value zero = kernel.index(0), one = kernel.index(1);
    kernel.loop(zero, count, 1, [&](Value i) { put(i, {kernel.load(x, kernel.add(xBase, i)), toI64(i)}); });
    Value half = kernel.div(count, 2);
    kernel.loop(zero, half, 1, [&](Value i) {
      Value top = kernel.sub(kernel.sub(half, one), i);
      siftDown(get(top), top, count);
    });
    kernel.loop(count, extent, 1, [&](Value i) {
      Element candidate{kernel.load(x, kernel.add(xBase, i)), toI64(i)};
      kernel.ifThen(beats(candidate.value, get(zero).value), [&] { siftDown(candidate, zero, count); });
    });
    kernel.loop(one, count, 1, [&](Value i) {
      Value last = kernel.sub(count, i);
      Element moved = get(last);
      put(last, get(zero));
      siftDown(moved, zero, last);
    });
  }

private:
  struct Element {
    Value value, index;
  };

  Value toI64(Value index) const { return kernel.make<arith::IndexCastOp>(builder.getI64Type(), index); }

  Element get(Value position) const {
    Value at = kernel.add(base, position);
    return {kernel.load(values, at), kernel.load(indices, at)};
  }

  void put(Value position, Element element) const {
    Value at = kernel.add(base, position);
    kernel.store(element.value, values, at);
    kernel.store(element.index, indices, at);
  }

  /// Whether `lhs` ranks before `rhs` by value alone. A NaN beats nothing, and anything else beats a NaN.
  Value beats(Value lhs, Value rhs) const {
    lhs = kernel.extend(lhs);
    rhs = kernel.extend(rhs);
    if (!isa<FloatType>(lhs.getType()))
      return kernel.compare(largest ? arith::CmpIPredicate::sgt : arith::CmpIPredicate::slt, lhs, rhs);
    auto predicate = largest ? arith::CmpFPredicate::UGT : arith::CmpFPredicate::ULT;
    Value better = kernel.make<arith::CmpFOp>(predicate, lhs, rhs);
    Value isNumber = kernel.make<arith::CmpFOp>(arith::CmpFPredicate::ORD, lhs, lhs);
    return kernel.both(better, isNumber);
  }

  Value ranksBefore(Element lhs, Element rhs) const {
    Value tied =
        kernel.compare(arith::CmpIPredicate::eq, beats(rhs.value, lhs.value), kernel.make<arith::ConstantIntOp>(0, 1));
    Value earlier = kernel.less(lhs.index, rhs.index);
    return kernel.either(beats(lhs.value, rhs.value), kernel.both(tied, earlier));
  }

  /// The child of `position` that ranks last, if `element` ranks before it: (whether, which).
  std::pair<Value, Value> worseChild(Element element, Value position, Value size) {
    Value left = kernel.add(kernel.mul(position, 2), 1);
    Value exists = kernel.compare(arith::CmpIPredicate::ult, left, size);
    auto ifOp = scf::IfOp::create(builder, loc, TypeRange{builder.getI1Type(), builder.getIndexType()}, exists,
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(ifOp.thenBlock());
    // Where there is no right child, the left one is compared with itself.
    Value right = kernel.min(kernel.add(left, 1), kernel.sub(size, kernel.index(1)));
    Value child = kernel.select(ranksBefore(get(left), get(right)), right, left);
    scf::YieldOp::create(builder, loc, ValueRange{ranksBefore(element, get(child)), child});
    builder.setInsertionPointToEnd(ifOp.elseBlock());
    scf::YieldOp::create(builder, loc, ValueRange{exists, position});
    return {ifOp.getResult(0), ifOp.getResult(1)};
  }

  /// Puts `element` where the heap of `size` elements, with a hole at `position`, is in order again.
  void siftDown(Element element, Value position, Value size) {
    Type index = builder.getIndexType();
    auto loop = scf::WhileOp::create(
        builder, loc, TypeRange{index, index}, ValueRange{position},
        [&](OpBuilder &, Location, ValueRange carried) {
          OpBuilder::InsertionGuard guard(builder);
          builder.setInsertionPointToEnd(carried[0].getParentBlock());
          auto [worse, child] = worseChild(element, carried[0], size);
          scf::ConditionOp::create(builder, loc, worse, ValueRange{carried[0], child});
        },
        [&](OpBuilder &, Location, ValueRange carried) {
          OpBuilder::InsertionGuard guard(builder);
          builder.setInsertionPointToEnd(carried[0].getParentBlock());
          put(carried[0], get(carried[1]));
          scf::YieldOp::create(builder, loc, carried[1]);
        });
    put(loop.getResult(0), element);
  }

  const KernelBuilder &kernel;
  OpBuilder &builder;
  Location loc;
  bool largest;
  Value values, indices, base;
};

struct TopKKernel : step::KernelOpInterface::ExternalModel<TopKKernel, nn::TopKOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    Value x = cast<nn::TopKOp>(op).getX();
    return LoopEmitter(builder, loc).elements(x, 0, rankOf(x) - 1);
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    auto topK = cast<nn::TopKOp>(op);
    Value perRow = host.add(host.mul(host.extent(topK.getX(), rankOf(topK.getX()) - 1), 4), host.mul(topK.getK(), 64));
    return host.mul(buildTaskCount(op, builder, loc), perRow);
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    KernelBuilder kernel(builder, loc, context);
    int64_t last = rankOf(operands[0]) - 1;
    Value extent = kernel.extent(operands[0], last), kept = kernel.extent(results[0], last);
    Value x = kernel.flatten(operands[0]);
    Value values = kernel.flatten(results[0]), indices = kernel.flatten(results[1]);
    Value enough = kernel.compare(arith::CmpIPredicate::ule, kept, extent);
    end = kernel.require({enough}, MOERT_KERNEL_BAD_VALUE, begin, end);
    kernel.ifThen(kernel.compare(arith::CmpIPredicate::ne, kept, kernel.index(0)), [&] {
      kernel.loop(begin, end, 1, [&](Value row) {
        TopKEmitter emitter(kernel, cast<nn::TopKOp>(op).getLargest(), values, indices, kernel.mul(row, kept));
        emitter.emit(x, kernel.mul(row, extent), extent, kept);
      });
    });
    return success();
  }
};

//===----------------------------------------------------------------------===//
// cumsum
//===----------------------------------------------------------------------===//

/// A task is one row if the axis is the last, else a few neighbouring columns that vectors hold.
struct CumSumKernel : step::KernelOpInterface::ExternalModel<CumSumKernel, nn::CumSumOp> {
  static constexpr int64_t kColumns = 16;

  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    auto sum = cast<nn::CumSumOp>(op);
    int64_t axis = sum.getAxis(), rank = rankOf(sum.getX());
    return host.mul(host.elements(sum.getX(), 0, axis),
                    host.ceilDiv(host.elements(sum.getX(), axis + 1, rank), kColumns));
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    return LoopEmitter(builder, loc).elements(op->getOperand(0));
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    KernelBuilder kernel(builder, loc, context);
    auto sum = cast<nn::CumSumOp>(op);
    int64_t axis = sum.getAxis(), rank = rankOf(operands[0]);
    Value extent = kernel.extent(operands[0], axis), columns = kernel.elements(operands[0], axis + 1, rank);
    Value x = kernel.flatten(operands[0]), out = kernel.flatten(results[0]);
    bool isRow = axis + 1 == rank;
    kernel.loop(begin, end, 1, [&](Value task) {
      ColumnBlock block = kernel.columnBlock(task, columns, kColumns);
      Value base = kernel.mul(kernel.mul(block.outer, extent), columns);
      if (isRow)
        return emitColumn(kernel, sum, x, out, base, extent, columns, Value());
      kernel.loop(block.from, block.to, kernel.lanes, [&](Value column) {
        emitColumn(kernel, sum, x, out, kernel.add(base, column), extent, columns,
                   kernel.maskOf(kernel.sub(block.to, column)));
      });
    });
    return success();
  }

private:
  /// Sums `extent` elements that lie `stride` apart, one column per set lane of `mask`, or a single one without a mask.
  static void emitColumn(const KernelBuilder &kernel, nn::CumSumOp op, Value x, Value out, Value base, Value extent,
                         Value stride, Value mask) {
    Type element = cast<MemRefType>(x.getType()).getElementType();
    bool isFloat = isa<FloatType>(element);
    Type type = element.isF16() || element.isBF16() ? Float32Type::get(op.getContext()) : element;
    Value zero = kernel.make<arith::ConstantOp>(cast<TypedAttr>(kernel.builder.getZeroAttr(type)));
    kernel.loop(kernel.index(0), extent, 1, mask ? kernel.splat(zero) : zero,
                [&](Value step, ValueRange carried) -> KernelBuilder::Values {
                  Value line = op.getReverse() ? kernel.sub(kernel.sub(extent, kernel.index(1)), step) : step;
                  Value offset = kernel.add(base, kernel.mul(line, stride));
                  Value value = mask ? kernel.loadVector(x, offset, mask) : kernel.loadReal(x, offset);
                  Value sum = isFloat ? kernel.make<arith::AddFOp>(carried[0], value)
                                      : kernel.make<arith::AddIOp>(carried[0], value);
                  Value result = op.getExclusive() ? carried[0] : sum;
                  if (mask)
                    kernel.storeReals(result, out, offset, mask);
                  else
                    kernel.storeReal(result, out, offset);
                  return {sum};
                });
  }
};

//===----------------------------------------------------------------------===//
// count_nonzero and nonzero
//===----------------------------------------------------------------------===//

Value isNonzero(const KernelBuilder &kernel, Value element) {
  Value value = kernel.extend(element);
  auto zero = cast<TypedAttr>(kernel.builder.getZeroAttr(value.getType()));
  if (isa<FloatType>(value.getType()))
    return kernel.make<arith::CmpFOp>(arith::CmpFPredicate::UNE, value, kernel.make<arith::ConstantOp>(zero));
  return kernel.compare(arith::CmpIPredicate::ne, value, kernel.make<arith::ConstantOp>(zero));
}

struct CountNonzeroKernel : step::KernelOpInterface::ExternalModel<CountNonzeroKernel, nn::CountNonzeroOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return LoopEmitter(builder, loc).index(1);
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    return LoopEmitter(builder, loc).elements(op->getOperand(0));
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    KernelBuilder kernel(builder, loc, context);
    Value x = kernel.flatten(operands[0]), elements = kernel.elements(operands[0]);
    kernel.loop(begin, end, 1, [&](Value task) {
      Value none = kernel.make<arith::ConstantIntOp>(0, 64);
      Value count =
          kernel.loop(kernel.index(0), elements, 1, none, [&](Value i, ValueRange carried) -> KernelBuilder::Values {
            Value found = isNonzero(kernel, kernel.load(x, i));
            Value one = kernel.make<arith::ExtUIOp>(builder.getI64Type(), found);
            return {kernel.add(carried[0], one)};
          })[0];
      kernel.store(count, results[0], task);
    });
    return success();
  }
};

struct NonzeroKernel : step::KernelOpInterface::ExternalModel<NonzeroKernel, nn::NonzeroOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return LoopEmitter(builder, loc).index(1);
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    return host.mul(host.elements(op->getOperand(0)), 2);
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    KernelBuilder kernel(builder, loc, context);
    SmallVector<Value> extents = kernel.extents(operands[0], 0, rankOf(operands[0]));
    Value x = kernel.flatten(operands[0]), out = kernel.flatten(results[0]);
    Value capacity = kernel.extent(results[0], 1);
    kernel.loop(begin, end, 1, [&](Value) {
      kernel.loop(kernel.index(0), kernel.product(extents), 1, kernel.index(0),
                  [&](Value i, ValueRange carried) -> KernelBuilder::Values {
                    Value found = isNonzero(kernel, kernel.load(x, i));
                    Value fits = kernel.compare(arith::CmpIPredicate::ult, carried[0], capacity);
                    kernel.ifThen(kernel.both(found, fits), [&] {
                      emitCoordinates(kernel, kernel.delinearize(i, extents), out, carried[0], capacity);
                    });
                    Value one = kernel.select(found, kernel.index(1), kernel.index(0));
                    return {kernel.add(carried[0], one)};
                  });
    });
    return success();
  }

private:
  static void emitCoordinates(const KernelBuilder &kernel, ArrayRef<Value> coordinates, Value out, Value column,
                              Value columns) {
    for (auto [row, coordinate] : llvm::enumerate(coordinates)) {
      Value value = kernel.make<arith::IndexCastOp>(kernel.builder.getI64Type(), coordinate);
      kernel.store(value, out, kernel.add(kernel.mul(kernel.index(row), columns), column));
    }
  }
};

} // namespace

void moec::attachNnSelectionKernels(MLIRContext *context) {
  nn::TopKOp::attachInterface<TopKKernel>(*context);
  nn::CumSumOp::attachInterface<CumSumKernel>(*context);
  nn::CountNonzeroOp::attachInterface<CountNonzeroKernel>(*context);
  nn::NonzeroOp::attachInterface<NonzeroKernel>(*context);
}
