//===- ProgramEncoder.cpp - a step program as words -------------------------===//

#include "ProgramEncoder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::artifact;

namespace {

std::optional<uint32_t> binaryKind(Operation *op) {
  // Extents are never negative, so the unsigned forms mean the same.
  return TypeSwitch<Operation *, std::optional<uint32_t>>(op)
      .Case<arith::AddIOp>([](auto) { return MOERT_BINARY_ADD; })
      .Case<arith::SubIOp>([](auto) { return MOERT_BINARY_SUB; })
      .Case<arith::MulIOp>([](auto) { return MOERT_BINARY_MUL; })
      .Case<arith::DivSIOp, arith::DivUIOp>([](auto) { return MOERT_BINARY_DIV; })
      .Case<arith::RemSIOp, arith::RemUIOp>([](auto) { return MOERT_BINARY_REM; })
      .Case<arith::FloorDivSIOp>([](auto) { return MOERT_BINARY_FLOORDIV; })
      .Case<arith::CeilDivSIOp, arith::CeilDivUIOp>([](auto) { return MOERT_BINARY_CEILDIV; })
      .Case<arith::MinSIOp, arith::MinUIOp>([](auto) { return MOERT_BINARY_MIN; })
      .Case<arith::MaxSIOp, arith::MaxUIOp>([](auto) { return MOERT_BINARY_MAX; })
      .Case<arith::AndIOp>([](auto) { return MOERT_BINARY_AND; })
      .Case<arith::OrIOp>([](auto) { return MOERT_BINARY_OR; })
      .Case<arith::XOrIOp>([](auto) { return MOERT_BINARY_XOR; })
      .Case<arith::CmpIOp>([](arith::CmpIOp compare) -> std::optional<uint32_t> {
        switch (compare.getPredicate()) {
        case arith::CmpIPredicate::eq:
          return MOERT_BINARY_EQ;
        case arith::CmpIPredicate::ne:
          return MOERT_BINARY_NE;
        case arith::CmpIPredicate::slt:
        case arith::CmpIPredicate::ult:
          return MOERT_BINARY_LT;
        case arith::CmpIPredicate::sle:
        case arith::CmpIPredicate::ule:
          return MOERT_BINARY_LE;
        case arith::CmpIPredicate::sgt:
        case arith::CmpIPredicate::ugt:
          return MOERT_BINARY_GT;
        case arith::CmpIPredicate::sge:
        case arith::CmpIPredicate::uge:
          return MOERT_BINARY_GE;
        }
        return std::nullopt;
      })
      .Default([](Operation *) { return std::nullopt; });
}

/// The type a register reads or writes an element as; floats travel as their bits.
uint32_t registerType(Type type) {
  if (!isa<FloatType>(type))
    return elementType(type);
  return elementType(IntegerType::get(type.getContext(), type.getIntOrFloatBitWidth(), IntegerType::Unsigned));
}

class Encoder {
public:
  Encoder(const llvm::StringMap<uint32_t> &kernels, Pools &pools) : kernels(kernels), pools(pools) {}

  FailureOr<EncodedProgram> run(step::ProgramOp program) {
    for (Block &block : program.getBody())
      for (BlockArgument argument : block.getArguments())
        number(argument);
    for (Block &block : program.getBody()) {
      starts[&block] = encoded.words.size();
      for (Operation &op : block)
        if (failed(encode(&op)))
          return failure();
    }
    for (auto [word, block] : jumps)
      encoded.words[word] = starts.lookup(block);
    encoded.header = {registerCount, slotCount, static_cast<uint32_t>(encoded.words.size()), 0};
    return std::move(encoded);
  }

private:
  uint32_t number(Value value) {
    uint32_t &count = isa<step::SlotType>(value.getType()) ? slotCount : registerCount;
    return numbers.try_emplace(value, count++).first->second;
  }
  uint32_t use(Value value) const { return numbers.lookup(value); }
  /// Registers are 0 until they are written, and one without a value never is.
  uint32_t useOrZero(Value value) {
    if (value)
      return use(value);
    if (!zero)
      zero = registerCount++;
    return *zero;
  }

  void emit(uint32_t opcode, ArrayRef<uint32_t> operands) {
    encoded.words.push_back(static_cast<uint32_t>(operands.size() + 1) << 8 | opcode);
    llvm::append_range(encoded.words, operands);
  }

  void pushString(SmallVectorImpl<uint32_t> &operands, StringRef text) {
    moert_string_t string = pools.string(text);
    operands.append({string.offset, string.size});
  }

  LogicalResult encode(Operation *op) {
    if (std::optional<uint32_t> kind = binaryKind(op)) {
      uint32_t lhs = use(op->getOperand(0)), rhs = use(op->getOperand(1));
      emit(MOERT_STEP_BINARY, {number(op->getResult(0)), lhs, rhs, *kind});
      return success();
    }
    return TypeSwitch<Operation *, LogicalResult>(op)
        .Case<arith::ConstantOp, arith::SelectOp, arith::ExtUIOp, step::InputDimOp, step::AllocOp, step::OutputOp,
              step::FreeOp, step::AliasOp, step::LoadOp, step::StoreOp, step::CopyOp, step::LaunchOp, step::CheckOp,
              step::RoutingOp, step::StateOp, step::ReturnOp, cf::BranchOp, cf::CondBranchOp>([&](auto typed) {
          visit(typed);
          return success();
        })
        .Default([](Operation *other) { return other->emitOpError("has no step of the program format"); });
  }

  void visit(arith::ConstantOp op) {
    uint64_t value = cast<IntegerAttr>(op.getValue()).getValue().getZExtValue();
    emit(MOERT_STEP_CONST, {number(op), static_cast<uint32_t>(value), static_cast<uint32_t>(value >> 32)});
  }
  void visit(arith::SelectOp op) {
    uint32_t condition = use(op.getCondition()), yes = use(op.getTrueValue()), no = use(op.getFalseValue());
    emit(MOERT_STEP_SELECT, {number(op), condition, yes, no});
  }
  // Conditions are 0 or 1 already.
  void visit(arith::ExtUIOp op) { numbers[op] = use(op.getIn()); }
  void visit(step::InputDimOp op) {
    emit(MOERT_STEP_INPUT_DIM, {number(op), static_cast<uint32_t>(op.getInput()), static_cast<uint32_t>(op.getAxis())});
  }
  void visit(step::AllocOp op) { emit(MOERT_STEP_ALLOC, {number(op), use(op.getBytes())}); }
  void visit(step::OutputOp op) {
    SmallVector<uint32_t> operands = {number(op), static_cast<uint32_t>(op.getIndex())};
    for (Value dim : op.getDims())
      operands.push_back(use(dim));
    emit(MOERT_STEP_OUTPUT, operands);
  }
  void visit(step::FreeOp op) { emit(MOERT_STEP_FREE, {use(op.getSlot())}); }
  void visit(step::AliasOp op) { emit(MOERT_STEP_ALIAS, {number(op), use(op.getSource()), use(op.getOffset())}); }
  void visit(step::LoadOp op) {
    emit(MOERT_STEP_LOAD, {number(op), use(op.getSlot()), use(op.getIndex()), registerType(op.getElementType())});
  }
  void visit(step::StoreOp op) {
    emit(MOERT_STEP_STORE,
         {use(op.getSlot()), use(op.getIndex()), use(op.getValue()), registerType(op.getElementType())});
  }
  void visit(step::CopyOp op) {
    emit(MOERT_STEP_COPY, {use(op.getDestination()), use(op.getDestinationOffset()), use(op.getSource()),
                           use(op.getSourceOffset()), use(op.getBytes())});
  }
  void visit(step::LaunchOp op) {
    SmallVector<uint32_t> operands = {
        kernels.lookup(op.getKernel()), use(op.getGrid()),         use(op.getWork()),
        use(op.getScratch()),           useOrZero(op.getBlocks()), useOrZero(op.getWorkspace())};
    pushString(operands, op.getLabel());
    operands.append({static_cast<uint32_t>(op.getSlots().size()), static_cast<uint32_t>(op.getScalars().size())});
    for (Value value : llvm::concat<Value>(SmallVector<Value>(op.getSlots()), SmallVector<Value>(op.getScalars())))
      operands.push_back(use(value));
    emit(MOERT_STEP_DISPATCH, operands);
  }
  void visit(step::CheckOp op) {
    SmallVector<uint32_t> operands = {use(op.getCondition())};
    pushString(operands, op.getMessage());
    emit(MOERT_STEP_CHECK, operands);
  }
  void visit(step::RoutingOp op) {
    emit(MOERT_STEP_ROUTING,
         {static_cast<uint32_t>(op.getLayer()), use(op.getExperts()), use(op.getGates()), use(op.getTokens())});
  }
  void visit(step::StateOp op) {
    uint32_t length = use(op.getLength());
    emit(MOERT_STEP_STATE,
         {number(op.getSlot()), number(op.getCapacity()), static_cast<uint32_t>(op.getState()), length});
  }
  void visit(step::ReturnOp) { emit(MOERT_STEP_RETURN, {}); }

  void emitJump(uint32_t opcode, SmallVector<uint32_t> operands, Block *target) {
    operands.push_back(0);
    emit(opcode, operands);
    jumps.push_back({encoded.words.size() - 1, target});
  }
  void copyRegister(uint32_t target, uint32_t source) {
    emit(MOERT_STEP_BINARY, {target, source, useOrZero({}), MOERT_BINARY_ADD});
  }
  // All operands are read before an argument is written, which may be one of them. A slot gives up what it owns.
  void visit(cf::BranchOp op) {
    SmallVector<std::pair<uint32_t, uint32_t>> copies;
    for (auto [operand, argument] : llvm::zip_equal(op.getDestOperands(), op.getDest()->getArguments())) {
      if (isa<step::SlotType>(operand.getType())) {
        emit(MOERT_STEP_MOVE, {use(argument), use(operand)});
        continue;
      }
      uint32_t between = registerCount++;
      copyRegister(between, use(operand));
      copies.push_back({use(argument), between});
    }
    for (auto [target, source] : copies)
      copyRegister(target, source);
    if (op.getDest() != op->getBlock()->getNextNode())
      emitJump(MOERT_STEP_JUMP, {}, op.getDest());
  }
  void visit(cf::CondBranchOp op) {
    assert(op.getTrueDestOperands().empty() && op.getFalseDestOperands().empty() && "only branches pass values");
    emitJump(MOERT_STEP_JUMP_IF_ZERO, {use(op.getCondition())}, op.getFalseDest());
    if (op.getTrueDest() != op->getBlock()->getNextNode())
      emitJump(MOERT_STEP_JUMP, {}, op.getTrueDest());
  }

  const llvm::StringMap<uint32_t> &kernels;
  Pools &pools;
  EncodedProgram encoded;
  DenseMap<Value, uint32_t> numbers;
  DenseMap<Block *, uint32_t> starts;
  /// Words that take the start of a block.
  SmallVector<std::pair<size_t, Block *>> jumps;
  uint32_t registerCount = 0, slotCount = 0;
  std::optional<uint32_t> zero;
};

} // namespace

FailureOr<EncodedProgram> moec::artifact::encodeProgram(step::ProgramOp program,
                                                        const llvm::StringMap<uint32_t> &kernels, Pools &pools) {
  return Encoder(kernels, pools).run(program);
}
