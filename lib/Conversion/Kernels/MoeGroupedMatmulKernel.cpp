//===- MoeGroupedMatmulKernel.cpp - moe.grouped_matmul as a kernel ----------===//
//
// The grid is (group slot, column block). A slot is the n-th run of at most `rowsPerTask` rows of one expert, counted
// over the experts that have rows; a task finds it by walking the offsets. How a task computes its block depends on the
// form of the weight: PackedMatmul.cpp, QuantizedMatmul.cpp and PlainMatmul.cpp.
//
//===----------------------------------------------------------------------===//

#include "GroupedMatmulTask.h"
#include "MoeKernels.h"

#include "moert/moert_kernel_abi.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

GroupedMatmulTask::GroupedMatmulTask(LoopEmitter &emit, const step::KernelContext &context, GroupedMatmulOp op,
                                     ValueRange operands, ValueRange results)
    : emit(emit), context(context), op(op), grid(matmulGrid(op)), activation(op.getActivation()), out(results[0]) {
  unsigned next = 0;
  auto take = [&](bool given) { return given ? operands[next++] : Value(); };
  x = take(true);
  w = take(true);
  offsets = take(op.getOffsets() != nullptr);
  order = take(op.getOrder() != nullptr);
  scale = take(op.getScale() != nullptr);
  bias = take(op.getBias() != nullptr);
  wScales = take(op.getWScales() != nullptr);
  wZeroPoints = take(op.getWZeroPoints() != nullptr);
  inner = op.getInner();
}

MatmulGrid moec::matmulGrid(GroupedMatmulOp op) {
  auto type = cast<ShapedType>(op.getW().getType());
  int64_t panels = op.isPacked() ? type.getDimSize(1) : (type.getDimSize(1) + panelWidth - 1) / panelWidth;
  return MatmulGrid(panels, op.getInner());
}

std::pair<Value, Value> GroupedMatmulTask::groupBounds(Value expert) {
  Value rows = emit.dim(out, 0);
  if (!offsets)
    return {emit.index(0), rows};
  Value zero = emit.index(0);
  Value low = emit.toIndex(emit.load(offsets, expert)), high = emit.toIndex(emit.load(offsets, emit.add(expert, 1)));
  low = emit.min(emit.max(low, zero), rows);
  return {low, emit.min(emit.max(high, low), rows)};
}

void GroupedMatmulTask::forSlot(Value slot, llvm::function_ref<void()> body) {
  Value experts = emit.index(cast<MemRefType>(w.getType()).getDimSize(0));
  Value lastExpert = emit.sub(experts, emit.index(1)), zero = emit.index(0);
  Type indexType = emit.builder.getIndexType();
  auto runsOf = [&](Value expert) {
    auto [low, high] = groupBounds(expert);
    return emit.ceilDiv(emit.sub(high, low), grid.rowsPerTask);
  };
  auto search = scf::WhileOp::create(
      emit.builder, emit.loc, TypeRange{indexType, indexType}, ValueRange{zero, slot},
      [&](OpBuilder &, Location, ValueRange state) {
        Value runs = runsOf(emit.min(state[0], lastExpert));
        Value further = emit.make<arith::CmpIOp>(arith::CmpIPredicate::sge, state[1], runs);
        scf::ConditionOp::create(emit.builder, emit.loc, emit.both(emit.less(state[0], experts), further), state);
      },
      [&](OpBuilder &, Location, ValueRange state) {
        Value left = emit.sub(state[1], runsOf(state[0]));
        scf::YieldOp::create(emit.builder, emit.loc, ValueRange{emit.add(state[0], 1), left});
      });
  Value found = search.getResult(0), run = search.getResult(1);
  emit.ifThen(emit.less(found, experts), [&] {
    expert = found;
    auto [low, high] = groupBounds(expert);
    Value runs = runsOf(expert), rows = emit.sub(high, low);
    rowBegin = emit.add(low, emit.div(emit.mul(rows, run), runs));
    rowEnd = emit.add(low, emit.div(emit.mul(rows, emit.add(run, 1)), runs));
    body();
  });
}

GroupedMatmulTask::SourceRow GroupedMatmulTask::sourceRow(Value place) {
  if (!order)
    return {place, Value()};
  Value row = emit.toIndex(emit.load(order, place));
  Value rowsPerToken = emit.index(op.getRowsPerToken());
  Value limit = emit.mul(emit.dim(x, 0), rowsPerToken);
  Value valid = emit.make<arith::CmpIOp>(arith::CmpIPredicate::ult, row, limit);
  context.emitCheck(emit.builder, emit.loc, valid, MOERT_KERNEL_INDEX_OUT_OF_RANGE);
  row = emit.select(valid, row, emit.index(0));
  Value token = emit.div(row, rowsPerToken);
  if (!scale)
    return {token, Value()};
  return {token, emit.load(scale, {token, emit.rem(row, rowsPerToken)})};
}

namespace {

struct GroupedMatmulKernel : step::KernelOpInterface::ExternalModel<GroupedMatmulKernel, GroupedMatmulOp> {
  static Value rowCount(GroupedMatmulOp op, LoopEmitter &emit) {
    return emit.make<tensor::DimOp>(op.getOrder() ? op.getOrder() : op.getX(), 0);
  }

  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    auto matmul = cast<GroupedMatmulOp>(op);
    LoopEmitter emit(builder, loc);
    MatmulGrid grid = matmulGrid(matmul);
    Value rows = rowCount(matmul, emit);
    int64_t experts = cast<ShapedType>(matmul.getW().getType()).getDimSize(0);
    // Every expert with rows starts one run, and only full runs follow it.
    Value slots = emit.add(emit.min(rows, emit.index(experts)), emit.div(rows, grid.rowsPerTask));
    if (!matmul.getOffsets())
      slots = emit.ceilDiv(rows, grid.rowsPerTask);
    return emit.mul(slots, grid.columnBlocks);
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    auto matmul = cast<GroupedMatmulOp>(op);
    LoopEmitter emit(builder, loc);
    int64_t inner = matmul.getInner();
    return emit.mul(rowCount(matmul, emit), 2 * static_cast<int64_t>(matmul.getColumns()) * inner);
  }

  Value buildScratchBytes(Operation *op, OpBuilder &builder, Location loc) const {
    auto matmul = cast<GroupedMatmulOp>(op);
    if (!matmul.isPacked())
      return Value();
    MatmulGrid grid = matmulGrid(matmul);
    int64_t inner = matmul.getInner(), bytes = grid.tileBytes();
    if (std::optional<QuantizationAttr> quantized = matmul.getQuantized())
      bytes = QuantizedTiling(grid, *quantized, inner).bytes();
    return arith::ConstantIndexOp::create(builder, loc, grid.packedBytes(inner) + bytes);
  }

  SmallVector<step::TaskReads> getTaskReads(Operation *op) const {
    auto matmul = cast<GroupedMatmulOp>(op);
    MatmulGrid grid = matmulGrid(matmul);
    auto type = cast<ShapedType>(matmul.getW().getType());
    int64_t columnsPerBlock = grid.panelsPerTask * panelWidth;
    SmallVector<step::TaskReads> reads;
    // Columns of an operand with `columns` for each expert.
    auto add = [&](OpOperand &operand, int64_t columns, int64_t columnBytes) {
      auto part = [&](int64_t perBlock, int64_t first, int64_t end) {
        auto offsets = matmul.getOffsetsMutable();
        reads.push_back({&operand, offsets.empty() ? nullptr : &offsets[0], type.getDimSize(0), grid.columnBlocks,
                         grid.rowsPerTask, columns * columnBytes, perBlock * columnBytes, first * columnBytes,
                         end * columnBytes});
      };
      // Concatenated gate and linear columns are read side by side.
      if (matmul.getActivation().isGated() && matmul.getActivation().getLayout() == GateLayout::Concatenated) {
        part(columnsPerBlock / 2, 0, columns / 2);
        part(columnsPerBlock / 2, columns / 2, columns);
      } else {
        part(columnsPerBlock, 0, columns);
      }
    };
    auto bytesOf = [](ShapedType shaped) { return llvm::divideCeil(shaped.getElementTypeBitWidth(), 8); };
    int64_t columns = matmul.isPacked() ? type.getDimSize(1) * panelWidth : type.getDimSize(1);
    add(matmul.getWMutable(), columns, type.getDimSize(2) * bytesOf(type));
    // Scales and zero points of a panel lie together, as its terms do.
    for (MutableOperandRange operand : {matmul.getWScalesMutable(), matmul.getWZeroPointsMutable()})
      if (!operand.empty()) {
        auto shaped = cast<ShapedType>(operand[0].get().getType());
        add(operand[0], columns, shaped.getDimSize(2) * bytesOf(shaped));
      }
    if (matmul.getBias()) {
      auto bias = cast<ShapedType>(matmul.getBias().getType());
      add(matmul.getBiasMutable()[0], bias.getDimSize(1), bytesOf(bias));
    }
    return reads;
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    auto matmul = cast<GroupedMatmulOp>(op);
    LoopEmitter emit(builder, loc);
    GroupedMatmulTask task(emit, context, matmul, operands, results);
    int64_t blocks = task.grid.columnBlocks;
    // Tasks of one slot follow each other, so that a call over several finds and packs its rows once.
    emit.loop(emit.div(begin, blocks), emit.ceilDiv(end, blocks), 1, [&](Value slot) {
      Value first = emit.mul(slot, blocks);
      Value blockBegin = emit.sub(emit.max(begin, first), first);
      Value blockEnd = emit.sub(emit.min(end, emit.add(first, blocks)), first);
      task.forSlot(slot, [&] {
        if (matmul.getQuantized())
          emitQuantizedMatmul(task, blockBegin, blockEnd);
        else if (matmul.isPacked())
          emitPackedMatmul(task, blockBegin, blockEnd);
        else
          emitPlainMatmul(task, blockBegin, blockEnd);
      });
    });
    return success();
  }
};

} // namespace

void moec::attachGroupedMatmulKernel(MLIRContext *context) {
  GroupedMatmulOp::attachInterface<GroupedMatmulKernel>(*context);
}
