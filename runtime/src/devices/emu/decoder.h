// Gives the operands of one instruction a meaning. A row of the opcode table decodes an instruction by taking its
// modifiers and operands from a Decoder in the order in which they are written.
#pragma once
#include "devices/emu/ptx_module.h"
#include "devices/emu/ptx_syntax.h"
#include "devices/emu/ptx_types.h"

#include <map>
#include <span>
#include <unordered_map>

namespace moert::emu {

// Names of a kernel and the registers they have become.
class Names {
public:
  Names(Kernel &kernel) : kernel(kernel) {}

  Status addRegisters(const RegisterSyntax &syntax);
  // `address` is relative to the window of the variable's space, or to the first parameter.
  Status addVariable(const VariableSyntax &syntax, uint64_t address, uint64_t bytes);
  Status addLabel(const LabelSyntax &syntax);

  struct RegisterName {
    Slot slot;
    Type type;
  };
  struct Variable {
    std::string_view space;
    uint64_t address, bytes;
  };
  const RegisterName *findRegister(std::string_view name) const;
  const Variable *findVariable(std::string_view name) const;
  // Index of the instruction behind a label, or noInstruction.
  uint32_t findLabel(std::string_view name) const;
  // A register that holds `bits` in every lane; `bytes` is the size of a lane, 0 for a predicate.
  Slot getConstant(uint64_t bits, uint32_t bytes);
  Slot getSpecial(SpecialRegister special);

private:
  Slot addConstant(ConstantRegister constant);

  Kernel &kernel;
  std::unordered_map<std::string, RegisterName> registers;
  std::unordered_map<std::string_view, Variable> variables;
  std::unordered_map<std::string_view, uint32_t> labels;
  std::map<std::pair<uint64_t, uint32_t>, Slot> constants;
  std::map<SpecialRegister, Slot> specials;
};

class Decoder {
public:
  Decoder(const InstructionSyntax &syntax, Names &names, Instruction &instruction)
      : syntax(syntax), names(names), instruction(instruction) {}

  // Modifiers.
  bool accept(std::string_view modifier);
  bool acceptType(Type &type);
  // The next modifier must be a type for which `isAllowed` holds.
  Status takeType(Type &type, bool (*isAllowed)(Type));
  // The remaining modifiers must be these.
  Status takeModifiers(std::initializer_list<std::string_view> modifiers);

  // Operands, into the next slot of the instruction. A register must be as wide as `type`, or at least so if
  // `mayBeWider`.
  Status takeDestination(Type type);
  Status takeSource(Type type);
  // The register's own width is returned in `bytes`.
  Status takeWideDestination(Type type, uint32_t &bytes);
  Status takeWideSource(Type type, uint32_t &bytes);
  // `{a, b}` of exactly, or between one and, `count` registers.
  Status takeVector(Type type, size_t count, bool isDestination);
  // Becomes address number `which` of the instruction.
  Status takeAddress(size_t which = 0);
  // `[name+offset]` of `bytes` bytes of a parameter: their offset becomes the immediate.
  Status takeParameter(uint32_t bytes);
  Status takeLabel(uint32_t &target);
  Status takeConstant(int64_t &value);
  bool atEnd() const { return operand == syntax.operands.size(); }
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
  Status takeValue(const OperandSyntax &from, Type type, bool mayBeWider, uint32_t &bytes);
  Status next(const OperandSyntax *&from);

  const InstructionSyntax &syntax;
  Names &names;
  Instruction &instruction;
  size_t modifier = 0, operand = 0, slot = 0;
};

struct OpcodeRow {
  std::string_view opcode;
  Status (*decode)(Decoder &decoder);
};

// The instructions each file knows.
std::span<const OpcodeRow> getArithmeticOpcodes();
std::span<const OpcodeRow> getLogicOpcodes();
std::span<const OpcodeRow> getCompareOpcodes();
std::span<const OpcodeRow> getConvertOpcodes();
std::span<const OpcodeRow> getMoveOpcodes();
std::span<const OpcodeRow> getMemoryOpcodes();
std::span<const OpcodeRow> getAsyncOpcodes();
std::span<const OpcodeRow> getMatrixOpcodes();
std::span<const OpcodeRow> getControlOpcodes();

} // namespace moert::emu
