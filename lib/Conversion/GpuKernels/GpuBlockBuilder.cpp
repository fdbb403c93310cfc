//===- GpuBlockBuilder.cpp - building blocks of kernels for NVIDIA GPUs -----===//

#include "GpuBlockBuilder.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace moec;

static constexpr unsigned globalSpace = 1, sharedSpace = 3;
/// All lanes take part in a shuffle or vote.
static constexpr int64_t everyLane = 0xffffffff;

Value GpuBlockBuilder::f32(double value) const {
  return make<arith::ConstantOp>(cast<TypedAttr>(builder.getF32FloatAttr(static_cast<float>(value))));
}

Value GpuBlockBuilder::toI64(Value a) const {
  if (isa<IndexType>(a.getType()))
    return make<arith::IndexCastOp>(builder.getI64Type(), a);
  return a.getType().isInteger(64) ? a : make<arith::ExtUIOp>(builder.getI64Type(), a);
}

Value GpuBlockBuilder::toI32(Value a) const {
  if (isa<IndexType>(a.getType()))
    return make<arith::IndexCastOp>(builder.getI32Type(), a);
  return a.getType().isInteger(32) ? a : make<arith::TruncIOp>(builder.getI32Type(), a);
}

Value GpuBlockBuilder::fma(Value a, Value b, Value c) const { return make<LLVM::FMAOp>(a.getType(), a, b, c); }

Value GpuBlockBuilder::convert(Value value, Type type) const {
  if (value.getType() == type)
    return value;
  unsigned from = value.getType().getIntOrFloatBitWidth(), to = type.getIntOrFloatBitWidth();
  if (from == to) // bf16 and f16 have no conversion of their own
    return convert(make<arith::ExtFOp>(builder.getF32Type(), value), type);
  return from < to ? make<arith::ExtFOp>(type, value) : make<arith::TruncFOp>(type, value);
}

Value GpuBlockBuilder::bitcast(Value value, Type type) const {
  return value.getType() == type ? value : make<LLVM::BitcastOp>(type, value);
}

Value GpuBlockBuilder::globalPointer(Value memref) const {
  Value address = toI64(make<memref::ExtractAlignedPointerAsIndexOp>(memref));
  Value generic = make<LLVM::IntToPtrOp>(LLVM::LLVMPointerType::get(builder.getContext()), address);
  return make<LLVM::AddrSpaceCastOp>(LLVM::LLVMPointerType::get(builder.getContext(), globalSpace), generic);
}

Value GpuBlockBuilder::sharedPointer(Value memref) const {
  Value address = toI64(make<memref::ExtractAlignedPointerAsIndexOp>(memref));
  return make<LLVM::IntToPtrOp>(LLVM::LLVMPointerType::get(builder.getContext(), sharedSpace), address);
}

Value GpuBlockBuilder::at(Value pointer, Value offset) const {
  return LLVM::GEPOp::create(builder, loc, pointer.getType(), builder.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{toI64(offset)});
}

Value GpuBlockBuilder::at(Value pointer, int64_t offset) const {
  if (offset == 0)
    return pointer;
  return LLVM::GEPOp::create(builder, loc, pointer.getType(), builder.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
}

static unsigned sizeOf(Type type) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.getNumElements() * sizeOf(vector.getElementType());
  return type.getIntOrFloatBitWidth() / 8;
}

Value GpuBlockBuilder::load(Type type, Value pointer) const {
  return LLVM::LoadOp::create(builder, loc, type, pointer, sizeOf(type));
}

void GpuBlockBuilder::store(Value value, Value pointer) const {
  LLVM::StoreOp::create(builder, loc, value, pointer, sizeOf(value.getType()));
}

void GpuBlockBuilder::copyAsync(Value shared, Value global, int64_t bytes, Value sourceBytes) const {
  // Only copies of 16 bytes can leave the first-level cache alone.
  auto cache = bytes == 16 ? NVVM::LoadCacheModifierKind::CG : NVVM::LoadCacheModifierKind::CA;
  NVVM::CpAsyncOp::create(builder, loc, shared, global, static_cast<uint32_t>(bytes), cache, sourceBytes);
}

void GpuBlockBuilder::commitCopies() const { NVVM::CpAsyncCommitGroupOp::create(builder, loc); }

void GpuBlockBuilder::waitForCopies(int64_t groups) const {
  NVVM::CpAsyncWaitGroupOp::create(builder, loc, static_cast<uint32_t>(groups));
}

Value GpuBlockBuilder::lane() const { return NVVM::LaneIdOp::create(builder, loc, builder.getI32Type()); }

void GpuBlockBuilder::barrier() const { NVVM::BarrierOp::create(builder, loc); }

void GpuBlockBuilder::deviceFence() const { NVVM::MembarOp::create(builder, loc, NVVM::MemScopeKind::GPU); }

Value GpuBlockBuilder::atomicAdd(Value pointer, Value value) const {
  return LLVM::AtomicRMWOp::create(builder, loc, LLVM::AtomicBinOp::add, pointer, value,
                                   LLVM::AtomicOrdering::monotonic, "device", /*alignment=*/4);
}

Value GpuBlockBuilder::shuffle(NVVM::ShflKind kind, Value value, Value offset, int64_t clamp) const {
  return NVVM::ShflOp::create(builder, loc, value.getType(), i32(everyLane), value, offset, i32(clamp), kind,
                              UnitAttr());
}

Value GpuBlockBuilder::shuffleXor(Value value, int64_t mask) const {
  return shuffle(NVVM::ShflKind::bfly, value, i32(mask), warpLanes - 1);
}

Value GpuBlockBuilder::shuffleUp(Value value, int64_t distance) const {
  return shuffle(NVVM::ShflKind::up, value, i32(distance), 0);
}

Value GpuBlockBuilder::shuffle(Value value, Value lane) const {
  return shuffle(NVVM::ShflKind::idx, value, lane, warpLanes - 1);
}

Value GpuBlockBuilder::ballot(Value condition) const {
  return NVVM::VoteSyncOp::create(builder, loc, builder.getI32Type(), i32(everyLane), condition,
                                  NVVM::VoteSyncKind::ballot);
}

/// Takes the fields of a struct, or the value itself.
static SmallVector<Value> unpack(const GpuBlockBuilder &block, Value value) {
  auto type = dyn_cast<LLVM::LLVMStructType>(value.getType());
  if (!type)
    return {value};
  SmallVector<Value> fields;
  for (int64_t i = 0, count = type.getBody().size(); i < count; ++i)
    fields.push_back(LLVM::ExtractValueOp::create(block.builder, block.loc, value, i));
  return fields;
}

GpuBlockBuilder::Values GpuBlockBuilder::loadMatrices(Value shared, int64_t count, bool transposed) const {
  Type type = builder.getI32Type();
  if (count > 1)
    type = LLVM::LLVMStructType::getLiteral(builder.getContext(), SmallVector<Type>(count, type));
  auto layout = transposed ? NVVM::MMALayout::col : NVVM::MMALayout::row;
  auto shape = NVVM::LdStMatrixShapeAttr::get(builder.getContext(), 8, 8);
  return unpack(*this, NVVM::LdMatrixOp::create(builder, loc, type, shared, static_cast<uint32_t>(count), layout, shape,
                                                NVVM::LdStMatrixEltType::B16));
}

MatrixSums GpuBlockBuilder::multiply(MatrixKind kind, ValueRange a, ValueRange b, const MatrixSums &sums) const {
  auto ptxType = kind == MatrixKind::Bf16  ? NVVM::MMATypes::bf16
                 : kind == MatrixKind::F16 ? NVVM::MMATypes::f16
                                           : NVVM::MMATypes::tf32;
  Type operandType = kind == MatrixKind::F16 ? Type(VectorType::get(2, builder.getF16Type())) : builder.getI32Type();
  auto operands = [&](ValueRange values) {
    return llvm::map_to_vector(values, [&](Value value) { return bitcast(value, operandType); });
  };
  auto resultType = LLVM::LLVMStructType::getLiteral(builder.getContext(), SmallVector<Type>(4, builder.getF32Type()));
  Value result =
      NVVM::MmaOp::create(builder, loc, resultType, operands(a), operands(b), ValueRange(sums),
                          ArrayRef<int64_t>{16, 8, kind == MatrixKind::Tf32 ? 8 : 16}, std::nullopt, std::nullopt,
                          std::array{ptxType, ptxType}, std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
  Values fields = unpack(*this, result);
  return {fields[0], fields[1], fields[2], fields[3]};
}

Value GpuBlockBuilder::roundToTf32(Value value) const {
  return NVVM::ConvertFloatToTF32Op::create(builder, loc, builder.getI32Type(), value, NVVM::FPRoundingMode::RNA);
}

GpuBlockBuilder::Values GpuBlockBuilder::loop(Value low, Value high, Value step, ValueRange initial,
                                              LoopBody body) const {
  auto op = scf::ForOp::create(builder, loc, low, high, step, initial);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(op.getBody());
  Values carried = body(op.getInductionVar(), op.getRegionIterArgs());
  if (!initial.empty()) // a loop that carries nothing is made with its terminator
    scf::YieldOp::create(builder, loc, carried);
  return llvm::to_vector_of<Value>(op.getResults());
}

void GpuBlockBuilder::loop(Value low, Value high, Value step, llvm::function_ref<void(Value)> body) const {
  loop(low, high, step, {}, [&](Value index, ValueRange) {
    body(index);
    return Values();
  });
}

void GpuBlockBuilder::keepRolled(ValueRange results) const {
  MLIRContext *context = builder.getContext();
  auto unroll = LLVM::LoopUnrollAttr::get(context, BoolAttr::get(context, true), {}, {}, {}, {}, {}, {});
  results.front().getDefiningOp()->setAttr(
      "loop_annotation",
      LLVM::LoopAnnotationAttr::get(context, {}, {}, {}, unroll, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}));
}

void GpuBlockBuilder::ifThen(Value condition, llvm::function_ref<void()> body) const {
  auto op = scf::IfOp::create(builder, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(op.thenBlock());
  body();
}

GpuBlockBuilder::Values GpuBlockBuilder::ifElse(Value condition, llvm::function_ref<Values()> then,
                                                llvm::function_ref<Values()> otherwise) const {
  auto build = [](llvm::function_ref<Values()> body) {
    return [body](OpBuilder &nested, Location at) { scf::YieldOp::create(nested, at, body()); };
  };
  // The region builders move the insertion point of `builder` itself.
  auto op = scf::IfOp::create(builder, loc, condition, build(then), build(otherwise));
  return llvm::to_vector_of<Value>(op.getResults());
}
