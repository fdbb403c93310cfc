// Gives the operands of one instruction a meaning. A row of the opcode table decodes an instruction by taking its
// modifiers and operands from a Decoder in the order in which they are written.
#pragma once
#include "devices/emu/names.h"
#include "devices/emu/ptx_module.h"
#include "devices/emu/ptx_syntax.h"
#include "devices/emu/ptx_types.h"

#include <span>

namespace moert::emu {

class Decoder {
public:
  Decoder(const InstructionSyntax &syntax, Names &names, Instruction &instruction)
      : syntax(syntax), names(names), instruction(instruction) {}

  // Modifiers.
  bool accept(std::string_view modifier);
  // The index of the one that is next, or -1.
  int acceptAny(std::span<const std::string_view> modifiers);
  bool acceptType(Type &type);
  // The next modifier must be a type for which `isAllowed` holds.
  Status takeType(Type &type, bool (*isAllowed)(Type));
  // The remaining modifiers must be these.
  Status takeModifiers(std::initializer_list<std::string_view> modifiers);

  // Operands, into the next slot of the instruction. A register must be as wide as `type`, or at least so if it may be
  // wider; its own width is then returned in `bytes`.
  Status takeDestination(Type type);
  Status takeSource(Type type);
  Status takeWideDestination(Type type, uint32_t &bytes);
  Status takeWideSource(Type type, uint32_t &bytes);
  // `{a, b}` of `count` registers.
  Status takeVector(Type type, size_t count, bool isDestination);
  // The same for registers that may be wider, all of one size, which is returned in `bytes`.
  Status takeWideVector(Type type, size_t count, bool isDestination, uint32_t &bytes);
  // A part of a result, taken from `from` into slot number `index`: a register that nobody writes does not spoil the
  // other parts, and becomes a number that shows if it is used, NaN as f16, bf16 and f32.
  void fillOpenPart(const OperandSyntax &from, size_t index, Type type);
  // A destination, and behind `|` a second one, which is a predicate. Without it the slot is that of `_`.
  Status takeDestinationPair(Type type, bool &hasSecond);
  // `p` or `!p`.
  Status takePredicate(bool &isNegated);
  // Becomes address number `which` of the instruction.
  Status takeAddress(size_t which = 0);
  // Whether the next operand is the address of a parameter, of the kernel or of a call, by name.
  bool isKernelParameter() const { return isVariableIn(VariableSpace::KernelParameter); }
  bool isCallParameter() const { return isVariableIn(VariableSpace::CallParameter); }
  // `[name+offset]` of `bytes` bytes of a parameter of the kernel: their offset becomes the immediate.
  Status takeParameter(uint32_t bytes);
  Status takeLabel(uint32_t &target);
  Status takeConstant(int64_t &value);
  bool atEnd() const { return operand == syntax.operands.size(); }
  // The next operand, or null.
  const OperandSyntax *peek() const { return atEnd() ? nullptr : &syntax.operands[operand]; }
  void skip() { ++operand; }
  void addSlot(Slot value) { instruction.slots[slot++] = value; }
  // All modifiers and operands must have been taken.
  Status finish() const;

  template <typename... Pieces> Status refuse(const Pieces &...pieces) const {
    return failure(MOERT_UNSUPPORTED, "line ", syntax.line, ": '", syntax.mnemonic, "': ", pieces...);
  }

  Instruction &get() { return instruction; }
  Names &getNames() { return names; }
  const InstructionSyntax &getSyntax() const { return syntax; }

private:
  Status takeRegister(const OperandSyntax &from, Type type, bool mayBeWider, uint32_t &bytes);
  Status takeWritable(const OperandSyntax &from, Type type, bool mayBeWider, uint32_t &bytes);
  Status takeValue(const OperandSyntax &from, Type type, bool mayBeWider, uint32_t &bytes);
  Status next(const OperandSyntax *&from);
  bool isVariableIn(VariableSpace space) const;

  const InstructionSyntax &syntax;
  Names &names;
  Instruction &instruction;
  size_t modifier = 0, operand = 0, slot = 0;
};

// Which instructions of an opcode a row decodes, by the last type among the modifiers.
enum class TypeClass : uint8_t {
  Any,
  Integer, // of bits, integers and predicates
  Float,   // f32 and f64
  Half,    // f16, bf16 and pairs of them
};

struct OpcodeRow {
  // The opcode, or the opcode and its first modifier, which goes before the opcode alone.
  std::string_view opcode;
  Status (*decode)(Decoder &decoder);
  TypeClass types = TypeClass::Any;
};

// The row for an instruction; refuses one that no row decodes.
Status findOpcode(const InstructionSyntax &syntax, const OpcodeRow *&row);

// The instructions each file knows.
std::span<const OpcodeRow> getIntegerOpcodes();
std::span<const OpcodeRow> getCarryOpcodes();
std::span<const OpcodeRow> getFloatOpcodes();
std::span<const OpcodeRow> getHalfOpcodes();
std::span<const OpcodeRow> getApproximationOpcodes();
std::span<const OpcodeRow> getLogicOpcodes();
std::span<const OpcodeRow> getBitFieldOpcodes();
std::span<const OpcodeRow> getCompareOpcodes();
std::span<const OpcodeRow> getSelectOpcodes();
std::span<const OpcodeRow> getConvertOpcodes();
std::span<const OpcodeRow> getMoveOpcodes();
std::span<const OpcodeRow> getMemoryOpcodes();
std::span<const OpcodeRow> getAtomicOpcodes();
std::span<const OpcodeRow> getAsyncOpcodes();
std::span<const OpcodeRow> getMatrixProductOpcodes();
std::span<const OpcodeRow> getMatrixMoveOpcodes();
std::span<const OpcodeRow> getWarpOpcodes();
std::span<const OpcodeRow> getControlOpcodes();
std::span<const OpcodeRow> getBarrierOpcodes();

// The rest of cp.async.mbarrier.
Status decodeArriveAfterCopies(Decoder &decoder);

} // namespace moert::emu
