//===- MoeCombineKernel.cpp - moe.combine as a kernel -----------------------===//
//
// One task sums the routed rows of one token, a strip of columns at a time with the sums in registers.
//
//===----------------------------------------------------------------------===//

#include "LoopEmitter.h"
#include "MoeKernels.h"

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Step/KernelInterface.h"
#include "moert/moert_kernel_abi.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

constexpr int64_t vectorWidth = 16;

/// The sums of one token.
struct TokenCombiner {
  LoopEmitter &emit;
  const step::KernelContext &context;
  Value rows, inverse, gates, out;
  int64_t slots;
  Value token;

  /// Reports places beyond the rows; the strips skip them.
  void checkPlaces();
  /// Sums `vectors` vectors of columns from `column` on; `mask` selects the lanes of a last, narrower vector.
  void emitStrip(Value column, int64_t vectors, Value mask);

private:
  Value placeOf(Value slot) {
    return emit.toIndex(emit.load(inverse, emit.add(emit.mul(token, slots), slot)));
  }
};

} // namespace

void TokenCombiner::checkPlaces() {
  Value rowCount = emit.dim(rows, 0);
  emit.loop(emit.index(0), emit.index(slots), 1, [&](Value slot) {
    Value valid = emit.make<arith::CmpIOp>(arith::CmpIPredicate::ule, emit.add(placeOf(slot), 1), rowCount);
    context.emitCheck(emit.builder, emit.loc, valid, MOERT_KERNEL_INDEX_OUT_OF_RANGE);
  });
}

void TokenCombiner::emitStrip(Value column, int64_t vectors, Value mask) {
  auto type = VectorType::get(vectorWidth, emit.builder.getF32Type());
  SmallVector<Value> columns;
  for (int64_t i = 0; i < vectors; ++i)
    columns.push_back(emit.add(column, i * vectorWidth));
  SmallVector<Value> zeros(vectors, emit.real(type, 0.0));

  auto sums = emit.loop(emit.index(0), emit.index(slots), 1, zeros, [&](Value slot, ValueRange carried) {
    Value place = placeOf(slot);
    Value present = emit.make<arith::CmpIOp>(arith::CmpIPredicate::ult, place, emit.dim(rows, 0));
    auto addRow = scf::IfOp::create(emit.builder, emit.loc, TypeRange(carried), present, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(emit.builder);
    emit.builder.setInsertionPointToStart(addRow.thenBlock());
    SmallVector<Value> next;
    Value gate = gates ? emit.make<vector::BroadcastOp>(type, emit.load(gates, {token, slot})) : Value();
    for (auto [sum, at] : llvm::zip_equal(carried, columns)) {
      Value row = emit.loadReals(rows, {place, at}, vectorWidth, mask);
      next.push_back(gate ? emit.make<vector::FMAOp>(gate, row, sum) : emit.make<arith::AddFOp>(sum, row));
    }
    scf::YieldOp::create(emit.builder, emit.loc, next);
    emit.builder.setInsertionPointToStart(addRow.elseBlock());
    scf::YieldOp::create(emit.builder, emit.loc, carried);
    return llvm::to_vector_of<Value>(addRow.getResults());
  });
  for (auto [sum, at] : llvm::zip_equal(sums, columns))
    emit.storeReals(sum, out, {token, at}, mask);
}

namespace {

struct CombineKernel : step::KernelOpInterface::ExternalModel<CombineKernel, CombineOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    auto combine = cast<CombineOp>(op);
    LoopEmitter emit(builder, loc);
    return emit.div(emit.make<tensor::DimOp>(combine.getInverse(), 0), int64_t(combine.getSlots()));
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    auto combine = cast<CombineOp>(op);
    LoopEmitter emit(builder, loc);
    Value rows = emit.make<tensor::DimOp>(combine.getInverse(), 0);
    return emit.mul(emit.mul(rows, emit.make<tensor::DimOp>(combine.getY(), 1)), 2);
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    auto combine = cast<CombineOp>(op);
    LoopEmitter emit(builder, loc);
    TokenCombiner token{emit, context, operands[0], operands[1], combine.getGates() ? operands[2] : Value(),
                        results[0], static_cast<int64_t>(combine.getSlots())};
    // Four vectors at a time keep enough loads in flight; the tail goes vector by vector, the last one masked.
    constexpr int64_t strip = 4 * vectorWidth;
    emit.loop(begin, end, 1, [&](Value index) {
      token.token = index;
      token.checkPlaces();
      Value columns = emit.dim(token.out, 1);
      Value strips = emit.mul(emit.div(columns, strip), strip);
      Value vectors = emit.mul(emit.div(columns, vectorWidth), vectorWidth);
      emit.loop(emit.index(0), strips, strip, [&](Value column) { token.emitStrip(column, 4, {}); });
      emit.loop(strips, vectors, vectorWidth, [&](Value column) { token.emitStrip(column, 1, {}); });
      emit.ifThen(emit.less(vectors, columns), [&] {
        auto maskType = VectorType::get(vectorWidth, builder.getI1Type());
        Value mask = emit.make<vector::CreateMaskOp>(maskType, emit.sub(columns, vectors));
        token.emitStrip(vectors, 1, mask);
      });
    });
    return success();
  }
};

} // namespace

void moec::attachCombineKernel(MLIRContext *context) { CombineOp::attachInterface<CombineKernel>(*context); }
