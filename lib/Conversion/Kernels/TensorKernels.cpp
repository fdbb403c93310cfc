//===- TensorKernels.cpp - slices, concat and pad as kernels ------------------===//
//
// Data movement in runs of neighbouring elements. Dimensions after the last one that a slice cuts belong to the run; a
// long run is cut into blocks, so that a single row still gives several tasks.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"
#include "SliceBox.h"
#include "mlir/IR/IRMapping.h"
#include "moec/Conversion/Kernels.h"
#include "moert/moert_kernel_abi.h"

using namespace mlir;
using namespace moec;

namespace {

/// Elements of a run that one task moves.
constexpr int64_t kRun = 16384;

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

/// Copies the part of [pieceFrom, pieceFrom + length) that lies within [from, to), both in columns of the target's
/// row that starts at `targetRow`; `source` holds the piece from `sourceOffset` on.
void emitCopyPiece(const KernelBuilder &kernel, Value source, Value sourceOffset, Value target, Value targetRow,
                   Value pieceFrom, Value length, const ColumnBlock &block) {
  auto clamp = [&](Value column) { return kernel.min(kernel.max(column, block.from), block.to); };
  Value from = clamp(pieceFrom), to = clamp(kernel.add(pieceFrom, length));
  kernel.copy(source, kernel.add(sourceOffset, kernel.sub(from, pieceFrom)), target, kernel.add(targetRow, from),
              kernel.sub(to, from));
}

struct ExtractSliceKernel : step::KernelOpInterface::ExternalModel<ExtractSliceKernel, tensor::ExtractSliceOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    SliceBox box = boxOf(host, op, op->getOperands());
    Value rows = host.product(ArrayRef(box.sizes).take_front(box.cut));
    return box.isContiguous ? host.mul(rows, host.ceilDiv(box.run(host), kRun)) : rows;
  }

  Value buildThreadTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    return host.product(boxOf(host, op, op->getOperands()).sliceShape());
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    return host.product(boxOf(host, op, op->getOperands()).sizes);
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    KernelBuilder kernel(builder, loc, context);
    SliceBox box = boxOf(kernel, op, operands);
    end = kernel.require(box.conditions(kernel), MOERT_KERNEL_BAD_VALUE, begin, end);
    Value source = kernel.flatten(operands[0]), out = kernel.flatten(results[0]);
    if (kernel.hasThreadTasks()) {
      kernel.loop(begin, end, 1, [&](Value task) {
        SmallVector<Value> at = kernel.delinearize(task, box.sliceShape());
        for (auto [coordinate, offset, stride] : llvm::zip(MutableArrayRef(at).drop_back(), box.offsets, box.strides))
          coordinate = kernel.add(offset, kernel.mul(coordinate, stride));
        kernel.store(kernel.load(source, kernel.linearize(at, box.wholeShape())), out, task);
      });
      return success();
    }
    Value run = box.run(kernel);
    kernel.loop(begin, end, 1, [&](Value task) {
      ColumnBlock block =
          box.isContiguous ? kernel.columnBlock(task, run, kRun) : ColumnBlock{task, kernel.index(0), run};
      SmallVector<Value> at = kernel.delinearize(block.outer, ArrayRef(box.sizes).take_front(box.cut));
      for (auto [coordinate, offset, stride] : llvm::zip(at, box.offsets, box.strides))
        coordinate = kernel.add(offset, kernel.mul(coordinate, stride));
      Value row = kernel.mul(kernel.linearize(at, ArrayRef(box.extents).take_front(box.cut)), box.wholeRun(kernel));
      if (!box.extents.empty())
        row = kernel.add(row, kernel.mul(box.offsets[box.cut], box.inner));
      Value target = kernel.mul(block.outer, run);
      if (box.isContiguous)
        return kernel.copy(source, kernel.add(row, block.from), out, kernel.add(target, block.from),
                           kernel.sub(block.to, block.from));
      Value step = kernel.mul(box.strides[box.cut], box.inner);
      kernel.loop(kernel.index(0), box.count, 1, [&](Value i) {
        kernel.copy(source, kernel.add(row, kernel.mul(i, step)), out, kernel.add(target, kernel.mul(i, box.inner)),
                    box.inner);
      });
    });
    return success();
  }

private:
  static SliceBox boxOf(const LoopEmitter &index, Operation *op, ValueRange operands) {
    return SliceBox(index, cast<OffsetSizeAndStrideOpInterface>(op), operands, operands[0]);
  }
};

/// Each task writes a block of the result: what the destination holds there, and then what the slice covers.
struct InsertSliceKernel : step::KernelOpInterface::ExternalModel<InsertSliceKernel, tensor::InsertSliceOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    SliceBox box = boxOf(host, op, op->getOperands(), op->getOperand(1));
    Value rows = host.product(ArrayRef(box.extents).take_front(box.cut));
    return host.mul(rows, host.ceilDiv(box.wholeRun(host), kRun));
  }

  Value buildThreadTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return LoopEmitter(builder, loc).elements(op->getOperand(1));
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    return host.add(host.elements(op->getOperand(0)), host.elements(op->getOperand(1)));
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    KernelBuilder kernel(builder, loc, context);
    SliceBox box = boxOf(kernel, op, operands, results[0]);
    SmallVector<Value> conditions = box.conditions(kernel);
    conditions.push_back(kernel.equal(kernel.elements(operands[0]), kernel.product(box.sizes)));
    end = kernel.require(conditions, MOERT_KERNEL_BAD_VALUE, begin, end);
    Value source = kernel.flatten(operands[0]), out = kernel.flatten(results[0]);
    if (kernel.hasThreadTasks()) {
      kernel.loop(begin, end, 1, [&](Value task) {
        emitDestination(kernel, operands[1], out, task, kernel.add(task, 1));
        SmallVector<Value> at = kernel.delinearize(task, box.wholeShape());
        Value covered = emitSliceCoordinates(kernel, box, MutableArrayRef(at).drop_back());
        kernel.ifThen(covered,
                      [&] { kernel.store(kernel.load(source, kernel.linearize(at, box.sliceShape())), out, task); });
      });
      return success();
    }
    Value run = box.wholeRun(kernel);
    kernel.loop(begin, end, 1, [&](Value task) {
      ColumnBlock block = kernel.columnBlock(task, run, kRun);
      Value row = kernel.mul(block.outer, run);
      emitDestination(kernel, operands[1], out, kernel.add(row, block.from), kernel.add(row, block.to));
      emitOverlay(kernel, box, source, out, row, block);
    });
    return success();
  }

private:
  static SliceBox boxOf(const LoopEmitter &index, Operation *op, ValueRange operands, Value whole) {
    return SliceBox(index, cast<OffsetSizeAndStrideOpInterface>(op), operands, whole);
  }

  /// The destination may be a tensor, a scalar it is filled with, or null where nobody looks at it.
  static void emitDestination(const KernelBuilder &kernel, Value destination, Value out, Value from, Value to) {
    if (!destination)
      return;
    if (isa<MemRefType>(destination.getType()))
      return kernel.copy(kernel.flatten(destination), from, out, from, kernel.sub(to, from));
    kernel.loop(from, to, 1, [&](Value at) { kernel.store(destination, out, at); });
  }

  /// Replaces coordinates of the whole tensor by those of the slice; returns whether the slice has them: each must be
  /// `offset + i * stride` for some i < size.
  static Value emitSliceCoordinates(const KernelBuilder &kernel, const SliceBox &box, MutableArrayRef<Value> at) {
    SmallVector<Value> inside;
    for (auto [coordinate, offset, size, stride] : llvm::zip(at, box.offsets, box.sizes, box.strides)) {
      Value distance = kernel.sub(coordinate, offset);
      inside.push_back(kernel.compare(arith::CmpIPredicate::sge, distance, kernel.index(0)));
      inside.push_back(kernel.equal(kernel.rem(distance, stride), kernel.index(0)));
      coordinate = kernel.div(distance, stride);
      inside.push_back(kernel.compare(arith::CmpIPredicate::ult, coordinate, size));
    }
    return kernel.allOf(inside);
  }

  static void emitOverlay(const KernelBuilder &kernel, const SliceBox &box, Value source, Value out, Value row,
                          const ColumnBlock &block) {
    SmallVector<Value> at = kernel.delinearize(block.outer, ArrayRef(box.extents).take_front(box.cut));
    kernel.ifThen(emitSliceCoordinates(kernel, box, at), [&] {
      Value piece = kernel.mul(kernel.linearize(at, ArrayRef(box.sizes).take_front(box.cut)), box.run(kernel));
      if (box.extents.empty())
        return kernel.copy(source, piece, out, row, box.inner);
      Value start = kernel.mul(box.offsets[box.cut], box.inner);
      if (box.isContiguous)
        return emitCopyPiece(kernel, source, piece, out, row, start, box.run(kernel), block);
      Value step = kernel.mul(box.strides[box.cut], box.inner);
      kernel.loop(kernel.index(0), box.count, 1, [&](Value i) {
        emitCopyPiece(kernel, source, kernel.add(piece, kernel.mul(i, box.inner)), out, row,
                      kernel.add(start, kernel.mul(i, step)), box.inner, block);
      });
    });
  }
};

//===----------------------------------------------------------------------===//
// concat
//===----------------------------------------------------------------------===//

/// For each combination of the dimensions before the concatenated one, the inputs' runs follow each other.
struct ConcatKernel : step::KernelOpInterface::ExternalModel<ConcatKernel, tensor::ConcatOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return buildBlockCount(op, builder, loc, kRun);
  }

  Value buildThreadTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return buildBlockCount(op, builder, loc, 1);
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    Value work = host.index(0);
    for (Value input : op->getOperands())
      work = host.add(work, host.elements(input));
    return work;
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    KernelBuilder kernel(builder, loc, context);
    int64_t dim = cast<tensor::ConcatOp>(op).getDim();
    SmallVector<Value> inputs, runs;
    Value run = kernel.index(0);
    for (Value operand : operands) {
      inputs.push_back(kernel.flatten(operand));
      runs.push_back(kernel.elements(operand, dim, rankOf(operand)));
      run = kernel.add(run, runs.back());
    }
    end = kernel.require(conditions(kernel, operands, dim), MOERT_KERNEL_BAD_VALUE, begin, end);
    Value out = kernel.flatten(results[0]);
    kernel.loop(begin, end, 1, [&](Value task) {
      ColumnBlock block = kernel.columnBlock(task, run, kernel.hasThreadTasks() ? 1 : kRun);
      Value row = kernel.mul(block.outer, run), start = kernel.index(0);
      for (auto [input, length] : llvm::zip_equal(inputs, runs)) {
        emitCopyPiece(kernel, input, kernel.mul(block.outer, length), out, row, start, length, block);
        start = kernel.add(start, length);
      }
    });
    return success();
  }

private:
  /// Blocks of `width` elements of the inputs' runs together.
  static Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, int64_t width) {
    LoopEmitter host(builder, loc);
    int64_t dim = cast<tensor::ConcatOp>(op).getDim();
    Value run = host.index(0);
    for (Value input : op->getOperands())
      run = host.add(run, host.elements(input, dim, rankOf(input)));
    return host.mul(host.elements(op->getOperand(0), 0, dim), host.ceilDiv(run, width));
  }

  /// All inputs must agree but along `dim`.
  static SmallVector<Value> conditions(const KernelBuilder &kernel, ValueRange operands, int64_t dim) {
    SmallVector<Value> result;
    for (Value operand : operands.drop_front())
      for (int64_t i = 0; i < rankOf(operand); ++i)
        if (i != dim)
          result.push_back(kernel.equal(kernel.extent(operands[0], i), kernel.extent(operand, i)));
    return result;
  }
};

//===----------------------------------------------------------------------===//
// pad
//===----------------------------------------------------------------------===//

/// A task is one row of the result, or one element.
struct PadKernel : step::KernelOpInterface::ExternalModel<PadKernel, tensor::PadOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    return host.product(ArrayRef(resultExtents(host, op)).drop_back());
  }

  Value buildThreadTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    return host.product(resultExtents(host, op));
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    return host.product(resultExtents(host, op));
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    auto pad = cast<tensor::PadOp>(op);
    Value padding = emitPadding(pad, builder, context);
    if (!padding)
      return op->emitOpError("has no kernel for padding that depends on the position");
    KernelBuilder kernel(builder, loc, context);
    int64_t rank = rankOf(operands[0]);
    SmallVector<Value> low = lowPadding(kernel, pad, operands), sizes = kernel.extents(operands[0], 0, rank);
    SmallVector<Value> extents = kernel.extents(results[0], 0, rank), conditions;
    for (auto [start, size, extent] : llvm::zip_equal(low, sizes, extents)) {
      conditions.push_back(kernel.compare(arith::CmpIPredicate::sge, start, kernel.index(0)));
      conditions.push_back(kernel.compare(arith::CmpIPredicate::ule, kernel.add(start, size), extent));
    }
    end = kernel.require(conditions, MOERT_KERNEL_BAD_VALUE, begin, end);
    Value source = kernel.flatten(operands[0]), out = kernel.flatten(results[0]);
    kernel.loop(begin, end, 1, [&](Value task) {
      ColumnBlock block = kernel.rowBlock(task, extents.back());
      SmallVector<Value> at = kernel.delinearize(block.outer, ArrayRef(extents).drop_back()), inside;
      for (auto [coordinate, start, size] : llvm::zip(at, low, sizes)) {
        coordinate = kernel.sub(coordinate, start);
        inside.push_back(kernel.compare(arith::CmpIPredicate::ult, coordinate, size));
      }
      // A row outside the source has no elements of it.
      Value count = kernel.select(kernel.allOf(inside), sizes.back(), kernel.index(0));
      Value row = kernel.mul(block.outer, extents.back());
      Value sourceRow = kernel.mul(kernel.linearize(at, ArrayRef(sizes).drop_back()), sizes.back());
      auto clamp = [&](Value column) { return kernel.min(kernel.max(column, block.from), block.to); };
      Value from = clamp(low.back()), to = clamp(kernel.add(low.back(), count));
      auto fill = [&](Value column) { kernel.store(padding, out, kernel.add(row, column)); };
      kernel.loop(block.from, from, 1, fill);
      kernel.copy(source, kernel.add(sourceRow, kernel.sub(from, low.back())), out, kernel.add(row, from),
                  kernel.sub(to, from));
      kernel.loop(to, block.to, 1, fill);
    });
    return success();
  }

private:
  static SmallVector<Value> lowPadding(const LoopEmitter &index, tensor::PadOp pad, ValueRange operands) {
    return mixedValues(index, pad.getStaticLow(), operands.slice(1, pad.getLow().size()));
  }

  static SmallVector<Value> resultExtents(const LoopEmitter &index, Operation *op) {
    auto pad = cast<tensor::PadOp>(op);
    ValueRange operands = op->getOperands();
    SmallVector<Value> low = lowPadding(index, pad, operands);
    SmallVector<Value> high = mixedValues(index, pad.getStaticHigh(), operands.drop_front(1 + pad.getLow().size()));
    SmallVector<Value> extents;
    for (int64_t dim = 0; dim < rankOf(pad.getSource()); ++dim)
      extents.push_back(index.add(index.add(low[dim], index.extent(pad.getSource(), dim)), high[dim]));
    return extents;
  }

  /// What every padded position holds, or null if the region computes it from the position.
  static Value emitPadding(tensor::PadOp pad, OpBuilder &builder, const step::KernelContext &context) {
    Value padding = pad.getConstantPaddingValue();
    if (!padding)
      return {};
    if (auto constant = padding.getDefiningOp<arith::ConstantOp>())
      return builder.clone(*constant)->getResult(0);
    return context.arguments ? context.arguments->lookupOrNull(padding) : Value();
  }
};

} // namespace

void moec::registerTensorKernels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    tensor::ExtractSliceOp::attachInterface<ExtractSliceKernel>(*context);
    tensor::InsertSliceOp::attachInterface<InsertSliceKernel>(*context);
    tensor::ConcatOp::attachInterface<ConcatKernel>(*context);
    tensor::PadOp::attachInterface<PadKernel>(*context);
  });
}
