// Names, immediates and special registers become register slots.
#include "devices/emu/decoder.h"

#include <algorithm>

namespace moert::emu {
namespace {

constexpr std::pair<std::string_view, SpecialRegister> specialRegisters[] = {
    {"%tid.x", SpecialRegister::TidX},       {"%tid.y", SpecialRegister::TidY},
    {"%tid.z", SpecialRegister::TidZ},       {"%ntid.x", SpecialRegister::NtidX},
    {"%ntid.y", SpecialRegister::NtidY},     {"%ntid.z", SpecialRegister::NtidZ},
    {"%ctaid.x", SpecialRegister::CtaidX},   {"%ctaid.y", SpecialRegister::CtaidY},
    {"%ctaid.z", SpecialRegister::CtaidZ},   {"%nctaid.x", SpecialRegister::NctaidX},
    {"%nctaid.y", SpecialRegister::NctaidY}, {"%nctaid.z", SpecialRegister::NctaidZ},
    {"%laneid", SpecialRegister::Laneid},    {"%warpid", SpecialRegister::Warpid},
};

Status refuseAt(uint32_t line, std::string_view what, std::string_view name) {
  return failure(MOERT_UNSUPPORTED, "line ", line, ": ", what, " '", name, "'");
}

// Whether a number is one of `bytes` bytes, signed or not; a predicate is 0 or 1.
bool fits(uint64_t bits, uint32_t bytes) {
  if (bytes == 8)
    return true;
  if (bytes == 0)
    return bits <= 1;
  const uint64_t signs = bits >> (8 * bytes - 1);
  return signs <= 1 || signs == ~uint64_t(0) >> (8 * bytes - 1);
}

} // namespace

Status Names::addRegisters(const RegisterSyntax &syntax) {
  Type type;
  if (!parseType(syntax.type, type))
    return refuseAt(syntax.line, "unknown type", syntax.type);
  for (uint32_t i = 0; i < std::max(syntax.count, uint32_t(1)); ++i) {
    const std::string name = std::string(syntax.name) + (syntax.count ? std::to_string(i) : "");
    if (!registers.emplace(name, RegisterName{kernel.registerCount++, type}).second)
      return refuseAt(syntax.line, "second declaration of", name);
  }
  return Status::success();
}

Status Names::addVariable(const VariableSyntax &syntax, uint64_t address, uint64_t bytes) {
  if (!variables.emplace(syntax.name, Variable{syntax.space, address, bytes}).second)
    return refuseAt(syntax.line, "second declaration of", syntax.name);
  return Status::success();
}

Status Names::addLabel(const LabelSyntax &syntax) {
  if (!labels.emplace(syntax.name, static_cast<uint32_t>(syntax.instruction)).second)
    return refuseAt(syntax.line, "second declaration of", syntax.name);
  return Status::success();
}

uint32_t Names::findLabel(std::string_view name) const {
  const auto found = labels.find(name);
  return found == labels.end() ? noInstruction : found->second;
}

const Names::RegisterName *Names::findRegister(std::string_view name) const {
  const auto found = registers.find(std::string(name));
  return found == registers.end() ? nullptr : &found->second;
}

const Names::Variable *Names::findVariable(std::string_view name) const {
  const auto found = variables.find(name);
  return found == variables.end() ? nullptr : &found->second;
}

Slot Names::addConstant(ConstantRegister constant) {
  constant.slot = kernel.registerCount++;
  kernel.constants.push_back(constant);
  return constant.slot;
}

Slot Names::getConstant(uint64_t bits, uint32_t bytes) {
  const auto [known, isNew] = constants.try_emplace({bits, bytes}, 0);
  if (isNew)
    known->second = addConstant({ConstantRegister::Kind::Bits, {}, static_cast<uint8_t>(bytes), 0, bits});
  return known->second;
}

Slot Names::getSpecial(SpecialRegister special) {
  const auto [known, isNew] = specials.try_emplace(special, 0);
  if (isNew)
    known->second = addConstant({ConstantRegister::Kind::Special, special, 4, 0, 0});
  return known->second;
}

bool Decoder::accept(std::string_view name) {
  return modifier < syntax.modifiers.size() && syntax.modifiers[modifier] == name && (++modifier, true);
}

bool Decoder::acceptType(Type &type) {
  return modifier < syntax.modifiers.size() && parseType(syntax.modifiers[modifier], type) && (++modifier, true);
}

Status Decoder::takeType(Type &type, bool (*isAllowed)(Type)) {
  if (modifier == syntax.modifiers.size())
    return refuse("expected a type");
  if (!parseType(syntax.modifiers[modifier], type) || !isAllowed(type))
    return refuse("'.", syntax.modifiers[modifier], "' is not known here");
  ++modifier;
  return Status::success();
}

Status Decoder::takeModifiers(std::initializer_list<std::string_view> modifiers) {
  for (std::string_view expected : modifiers)
    if (!accept(expected))
      return refuse("expected '.", expected, "'");
  return Status::success();
}

Status Decoder::next(const OperandSyntax *&from) {
  if (operand == syntax.operands.size())
    return refuse("too few operands");
  from = &syntax.operands[operand++];
  return Status::success();
}

Status Decoder::takeRegister(const OperandSyntax &from, Type type, bool mayBeWider, uint32_t &bytes) {
  if (from.kind != OperandSyntax::Kind::Name)
    return refuse("expected a register");
  const Names::RegisterName *known = names.findRegister(from.name);
  if (!known)
    return refuse("unknown register '", from.name, "'");
  bytes = getBytes(known->type);
  const bool fits = bytes == getBytes(type) || (mayBeWider && bytes > getBytes(type));
  if ((known->type == Type::Pred) != (type == Type::Pred) || !fits)
    return refuse("register '", from.name, "' is .", getName(known->type), ", expected .", getName(type));
  if (slot == maxOperands)
    return refuse("too many operands");
  addSlot(known->slot);
  return Status::success();
}

Status Decoder::takeValue(const OperandSyntax &from, Type type, bool mayBeWider, uint32_t &bytes) {
  bytes = getBytes(type);
  if (slot == maxOperands)
    return refuse("too many operands");
  switch (from.kind) {
  case OperandSyntax::Kind::Integer:
    if (isFloat(type))
      return refuse("integer in place of a .", getName(type), " value");
    if (!fits(from.bits, bytes))
      return refuse("number does not fit .", getName(type));
    addSlot(names.getConstant(bytes == 0 || bytes == 8 ? from.bits : from.bits & ((uint64_t(1) << (8 * bytes)) - 1),
                              bytes));
    return Status::success();
  case OperandSyntax::Kind::Float32:
  case OperandSyntax::Kind::Float64:
    if (bytes != (from.kind == OperandSyntax::Kind::Float32 ? 4 : 8) || isInteger(type))
      return refuse("floating-point number in place of a .", getName(type), " value");
    addSlot(names.getConstant(from.bits, bytes));
    return Status::success();
  case OperandSyntax::Kind::Name:
    for (const auto &[name, special] : specialRegisters)
      if (name == from.name && bytes == 4) {
        addSlot(names.getSpecial(special));
        return Status::success();
      }
    return takeRegister(from, type, mayBeWider, bytes);
  case OperandSyntax::Kind::Vector:
  case OperandSyntax::Kind::Address:
    break;
  }
  return refuse("expected a register or a number");
}

Status Decoder::takeDestination(Type type) {
  const OperandSyntax *from;
  uint32_t bytes;
  MOERT_TRY(next(from));
  return takeRegister(*from, type, false, bytes);
}

Status Decoder::takeSource(Type type) {
  const OperandSyntax *from;
  uint32_t bytes;
  MOERT_TRY(next(from));
  return takeValue(*from, type, false, bytes);
}

Status Decoder::takeWideDestination(Type type, uint32_t &bytes) {
  const OperandSyntax *from;
  MOERT_TRY(next(from));
  return takeRegister(*from, type, true, bytes);
}

Status Decoder::takeWideSource(Type type, uint32_t &bytes) {
  const OperandSyntax *from;
  MOERT_TRY(next(from));
  return takeValue(*from, type, true, bytes);
}

Status Decoder::takeVector(Type type, size_t count, bool isDestination) {
  const OperandSyntax *from;
  uint32_t bytes;
  MOERT_TRY(next(from));
  if (from->kind != OperandSyntax::Kind::Vector || from->elements.size() != count)
    return refuse("expected a vector of ", count);
  for (const OperandSyntax &element : from->elements)
    MOERT_TRY(isDestination ? takeRegister(element, type, false, bytes) : takeValue(element, type, false, bytes));
  return Status::success();
}

Status Decoder::takeAddress(size_t which) {
  const OperandSyntax *from;
  MOERT_TRY(next(from));
  if (from->kind != OperandSyntax::Kind::Address)
    return refuse("expected an address");
  AddressOperand &address = instruction.addresses[which];
  address.offset = static_cast<int64_t>(from->bits);
  const Names::Variable *variable = names.findVariable(from->name);
  if (variable && variable->space == ".param")
    return refuse("address of parameter '", from->name, "'");
  if (variable || from->name.empty()) {
    address.base = names.getConstant(variable ? variable->address : 0, 8);
    return Status::success();
  }
  const Names::RegisterName *base = names.findRegister(from->name);
  if (!base)
    return refuse("unknown name '", from->name, "'");
  if (getBytes(base->type) < 4)
    return refuse("register '", from->name, "' is .", getName(base->type), ", expected 32 or 64 bits");
  address.base = base->slot;
  address.isWide = getBytes(base->type) == 8;
  return Status::success();
}

Status Decoder::takeParameter(uint32_t bytes) {
  const OperandSyntax *from;
  MOERT_TRY(next(from));
  const Names::Variable *variable =
      from->kind == OperandSyntax::Kind::Address ? names.findVariable(from->name) : nullptr;
  if (!variable || variable->space != ".param")
    return refuse("expected the address of a parameter by name");
  if (from->bits > variable->bytes || bytes > variable->bytes - from->bits || from->bits % bytes)
    return refuse(bytes, " bytes at offset ", static_cast<int64_t>(from->bits), " of a parameter of ", variable->bytes);
  instruction.immediate = static_cast<int64_t>(variable->address + from->bits);
  return Status::success();
}

Status Decoder::takeLabel(uint32_t &target) {
  const OperandSyntax *from;
  MOERT_TRY(next(from));
  target = from->kind == OperandSyntax::Kind::Name ? names.findLabel(from->name) : noInstruction;
  return target == noInstruction ? refuse("expected a label") : Status::success();
}

Status Decoder::takeConstant(int64_t &value) {
  const OperandSyntax *from;
  MOERT_TRY(next(from));
  if (from->kind != OperandSyntax::Kind::Integer)
    return refuse("expected a number");
  value = static_cast<int64_t>(from->bits);
  return Status::success();
}

Status Decoder::finish() const {
  if (modifier != syntax.modifiers.size())
    return refuse("'.", syntax.modifiers[modifier], "' is not known here");
  if (operand != syntax.operands.size())
    return refuse("too many operands");
  return Status::success();
}

} // namespace moert::emu
