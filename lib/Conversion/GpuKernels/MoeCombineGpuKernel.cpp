//===- MoeCombineGpuKernel.cpp - moe.combine on a GPU -----------------------===//
//
// A thread sums a few neighbouring columns of one token, in the order of the slots: what it adds does not depend on
// other tokens, nor on how the launch is divided. The rows of several slots are under way together. Neighbouring
// threads read neighbouring pieces, so that a row is read as whole sectors, once.
//
//===----------------------------------------------------------------------===//

#include "ElementRuns.h"
#include "GpuKernels.h"

#include "LoopEmitter.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Step/GpuKernelInterface.h"
#include "moert/moert_kernel_abi.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/bit.h"

#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

using Values = GpuBlockBuilder::Values;

constexpr int64_t threads = 128;
/// Slots whose rows are under way together.
constexpr int64_t slotsAtOnce = 8;

/// How tokens and their columns are divided.
struct CombineSchedule {
  explicit CombineSchedule(CombineOp op) {
    auto type = cast<ShapedType>(op.getY().getType());
    elementType = type.getElementType();
    perThread = getRunWidth(elementType, type.getDimSize(1));
    if (!type.isDynamicDim(1))
      piecesPerRow = type.getDimSize(1) / perThread;
  }

  /// Where rows are short: tokens of a block, each row computed by as many threads as it has pieces; else 0.
  int64_t tokensPerBlock() const { return piecesPerRow && *piecesPerRow * 2 <= threads ? threads / *piecesPerRow : 0; }

  Type elementType;
  /// Columns of a thread.
  int64_t perThread;
  /// None if the number of columns is dynamic.
  std::optional<int64_t> piecesPerRow;
};

/// What one thread computes.
class CombineThread {
public:
  CombineThread(OpBuilder &builder, Location loc, const step::GpuKernelContext &context, CombineOp op,
                ValueRange operands, ValueRange results);

  void emit();

private:
  void locate();
  void sumSlots();
  Values addSlots(Value firstSlot, int64_t count, ValueRange sums);
  /// The 4-byte values of `count` slots of this token.
  Values loadSlots(const ElementRuns &runs, Value firstSlot, int64_t count);
  /// This thread's columns of a row of y, as they are in memory, and as f32.
  Type pieceType() const;
  Value loadPiece(Value place);
  Values extend(Value piece);
  Value elementOf(Value row);

  GpuBlockBuilder block;
  const step::GpuKernelContext &context;
  CombineSchedule schedule;
  int64_t slots;
  Value rows;
  ElementRuns inverse, out;
  std::optional<ElementRuns> gates;
  /// Extents, i32.
  Value rowCount, tokens, columns;
  /// This thread's token, its first column, and whether there are such.
  Value token, column, exists;
};

} // namespace

CombineThread::CombineThread(OpBuilder &builder, Location loc, const step::GpuKernelContext &context, CombineOp op,
                             ValueRange operands, ValueRange results)
    : block(builder, loc), context(context), schedule(op), slots(op.getSlots()), rows(block.globalPointer(operands[0])),
      inverse(block, operands[1]), out(block, results[0]) {
  if (op.getGates())
    gates.emplace(block, operands[2]);
  LoopEmitter emit(builder, loc);
  rowCount = block.toI32(emit.dim(operands[0], 0));
  tokens = block.toI32(emit.dim(results[0], 0));
  columns = block.toI32(emit.dim(results[0], 1));
}

void CombineThread::locate() {
  Value number = block.toI32(context.block), thread = block.toI32(context.thread), piece;
  if (int64_t tokensPerBlock = schedule.tokensPerBlock()) {
    Value inBlock = block.div(thread, *schedule.piecesPerRow);
    token = block.add(block.mul(number, tokensPerBlock), inBlock);
    piece = block.rem(thread, *schedule.piecesPerRow);
    exists = block.both(block.less(inBlock, tokensPerBlock), block.less(token, tokens));
  } else {
    Value blocksPerRow = block.ceilDiv(block.div(columns, schedule.perThread), threads);
    token = block.div(number, blocksPerRow);
    piece = block.add(block.mul(block.rem(number, blocksPerRow), threads), thread);
    exists = block.less(block.mul(piece, schedule.perThread), columns);
  }
  column = block.mul(piece, schedule.perThread);
}

Values CombineThread::loadSlots(const ElementRuns &runs, Value firstSlot, int64_t count) {
  Value first = block.add(block.mul(block.toI64(token), slots), block.toI64(firstSlot));
  constexpr int64_t widest = maxAccessBytes / 4;
  Values values;
  for (int64_t slot = 0; slot < count;) {
    int64_t run = std::min(std::gcd(slots, widest), int64_t(llvm::bit_floor(uint64_t(count - slot))));
    values.append(runs.load(block.add(first, slot), run));
    slot += run;
  }
  return values;
}

Type CombineThread::pieceType() const {
  return schedule.perThread == 1 ? schedule.elementType : VectorType::get(schedule.perThread, schedule.elementType);
}

Value CombineThread::elementOf(Value row) {
  return block.add(block.mul(block.toI64(row), block.toI64(columns)), block.toI64(column));
}

Value CombineThread::loadPiece(Value place) {
  return block.load(pieceType(), block.at(rows, block.mul(elementOf(place), getStoredBytes(schedule.elementType))));
}

Values CombineThread::extend(Value piece) {
  Values elements;
  for (int64_t i = 0; i < schedule.perThread; ++i) {
    Value element = schedule.perThread == 1 ? piece : block.make<LLVM::ExtractElementOp>(piece, block.i32(i));
    elements.push_back(block.convert(element, block.builder.getF32Type()));
  }
  return elements;
}

/// Adds the rows of `count` slots to the sums.
Values CombineThread::addSlots(Value firstSlot, int64_t count, ValueRange sums) {
  Values places = loadSlots(inverse, firstSlot, count), factors, present, pieces;
  if (gates)
    factors = loadSlots(*gates, firstSlot, count);
  Value nothing = block.make<arith::ConstantOp>(cast<TypedAttr>(block.builder.getZeroAttr(pieceType())));
  Value valid = block.boolean(true);
  for (Value place : places) {
    present.push_back(block.compare(arith::CmpIPredicate::ult, place, rowCount));
    Value isNone = block.equal(place, int64_t(-1));
    valid = block.both(valid, block.make<arith::OrIOp>(present.back(), isNone));
    pieces.push_back(block.ifElse(
        present.back(), [&] { return Values{loadPiece(place)}; }, [&] { return Values{nothing}; })[0]);
  }
  context.emitCheck(block.builder, block.loc, valid, MOERT_KERNEL_INDEX_OUT_OF_RANGE);

  Values result = llvm::to_vector_of<Value>(sums);
  for (int64_t i = 0; i < count; ++i) {
    // A slot without a row adds nothing, whatever its gate.
    Value factor = gates ? block.select(present[i], factors[i], block.f32(0)) : Value();
    for (auto [sum, element] : llvm::zip_equal(result, extend(pieces[i])))
      sum = factor ? block.fma(factor, element, sum) : block.addFloat(sum, element);
  }
  return result;
}

void CombineThread::sumSlots() {
  Values sums(schedule.perThread, block.f32(0));
  int64_t whole = slots / slotsAtOnce * slotsAtOnce;
  if (whole == slotsAtOnce)
    sums = addSlots(block.i32(0), slotsAtOnce, sums);
  else if (whole > 0)
    sums = block.loop(block.i32(0), block.i32(whole), block.i32(slotsAtOnce), sums,
                      [&](Value slot, ValueRange carried) { return addSlots(slot, slotsAtOnce, carried); });
  if (whole < slots)
    sums = addSlots(block.i32(whole), slots - whole, sums);

  out.storeReals(sums, elementOf(token));
}

void CombineThread::emit() {
  locate();
  block.ifThen(exists, [&] { sumSlots(); });
}

namespace {

struct CombineGpuKernel : step::GpuKernelOpInterface::ExternalModel<CombineGpuKernel, CombineOp> {
  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &) const {
    CombineSchedule schedule(cast<CombineOp>(op));
    Type type = schedule.elementType;
    if ((!type.isF32() && !type.isF16() && !type.isBF16()) || schedule.piecesPerRow == 0)
      return std::nullopt;
    return step::GpuLaunchShape{.threads = threads, .blocksPerProcessor = 8};
  }

  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &) const {
    auto combine = cast<CombineOp>(op);
    CombineSchedule schedule(combine);
    LoopEmitter emit(builder, loc);
    Value tokens = emit.div(emit.make<tensor::DimOp>(combine.getInverse(), 0), int64_t(combine.getSlots()));
    if (int64_t tokensPerBlock = schedule.tokensPerBlock())
      return emit.ceilDiv(tokens, tokensPerBlock);
    Value pieces = emit.div(emit.make<tensor::DimOp>(combine.getY(), 1), schedule.perThread);
    return emit.mul(tokens, emit.ceilDiv(pieces, threads));
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    CombineThread(builder, loc, context, cast<CombineOp>(op), operands, results).emit();
    return success();
  }
};

} // namespace

void moec::attachCombineGpuKernel(MLIRContext *context) { CombineOp::attachInterface<CombineGpuKernel>(*context); }
