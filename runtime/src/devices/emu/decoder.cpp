// Names, immediates and special registers become register slots.
#include "devices/emu/decoder.h"

#include <algorithm>

namespace moert::emu {
namespace {

struct SpecialRow {
  std::string_view name;
  SpecialRegister special;
  uint32_t bytes;
};
constexpr SpecialRow specialRegisters[] = {
    {"%tid.x", SpecialRegister::TidX, 4},
    {"%tid.y", SpecialRegister::TidY, 4},
    {"%tid.z", SpecialRegister::TidZ, 4},
    {"%ntid.x", SpecialRegister::NtidX, 4},
    {"%ntid.y", SpecialRegister::NtidY, 4},
    {"%ntid.z", SpecialRegister::NtidZ, 4},
    {"%ctaid.x", SpecialRegister::CtaidX, 4},
    {"%ctaid.y", SpecialRegister::CtaidY, 4},
    {"%ctaid.z", SpecialRegister::CtaidZ, 4},
    {"%nctaid.x", SpecialRegister::NctaidX, 4},
    {"%nctaid.y", SpecialRegister::NctaidY, 4},
    {"%nctaid.z", SpecialRegister::NctaidZ, 4},
    {"%laneid", SpecialRegister::Laneid, 4},
    {"%warpid", SpecialRegister::Warpid, 4},
    {"%nwarpid", SpecialRegister::Nwarpid, 4},
    {"%lanemask_eq", SpecialRegister::LanemaskEq, 4},
    {"%lanemask_le", SpecialRegister::LanemaskLe, 4},
    {"%lanemask_lt", SpecialRegister::LanemaskLt, 4},
    {"%lanemask_ge", SpecialRegister::LanemaskGe, 4},
    {"%lanemask_gt", SpecialRegister::LanemaskGt, 4},
    {"%smid", SpecialRegister::Smid, 4},
    {"%nsmid", SpecialRegister::Nsmid, 4},
    {"%gridid", SpecialRegister::Gridid, 8},
    {"%gridid", SpecialRegister::Gridid, 4}, // of old
    {"%dynamic_smem_size", SpecialRegister::DynamicSharedBytes, 4},
    {"%total_smem_size", SpecialRegister::TotalSharedBytes, 4},
};

// Whether a number is one of `bytes` bytes, signed or not; a predicate is false or true, written 0 and 1 or -1.
bool fits(uint64_t bits, uint32_t bytes) {
  if (bytes == 8)
    return true;
  if (bytes == 0)
    return bits <= 1 || bits == ~uint64_t(0);
  const uint64_t signs = bits >> (8 * bytes - 1);
  return signs <= 1 || signs == ~uint64_t(0) >> (8 * bytes - 1);
}

} // namespace

bool Decoder::accept(std::string_view name) {
  return modifier < syntax.modifiers.size() && syntax.modifiers[modifier] == name && (++modifier, true);
}

int Decoder::acceptAny(std::span<const std::string_view> modifiers) {
  for (size_t i = 0; i < modifiers.size(); ++i)
    if (accept(modifiers[i]))
      return static_cast<int>(i);
  return -1;
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

Status Decoder::takeWritable(const OperandSyntax &from, Type type, bool mayBeWider, uint32_t &bytes) {
  if (from.kind != OperandSyntax::Kind::Name || from.name != "_")
    return takeRegister(from, type, mayBeWider, bytes);
  if (slot == maxOperands)
    return refuse("too many operands");
  bytes = getBytes(type);
  addSlot(names.getPool().getSink());
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
    for (const SpecialRow &row : specialRegisters)
      if (row.name == from.name && bytes == row.bytes) {
        addSlot(names.getPool().getSpecial(row.special, row.bytes));
        return Status::success();
      }
    if (from.name == "WARP_SZ" && bytes == 4) {
      addSlot(names.getConstant(warpSize, bytes));
      return Status::success();
    }
    return takeRegister(from, type, mayBeWider, bytes);
  case OperandSyntax::Kind::Vector:
  case OperandSyntax::Kind::List:
  case OperandSyntax::Kind::Pair:
  case OperandSyntax::Kind::Negated:
  case OperandSyntax::Kind::Address:
    break;
  }
  return refuse("expected a register or a number");
}

Status Decoder::takeDestination(Type type) {
  const OperandSyntax *from;
  uint32_t bytes;
  MOERT_TRY(next(from));
  return takeWritable(*from, type, false, bytes);
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
  return takeWritable(*from, type, true, bytes);
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
    MOERT_TRY(isDestination ? takeWritable(element, type, false, bytes) : takeValue(element, type, false, bytes));
  return Status::success();
}

Status Decoder::takeWideVector(Type type, size_t count, bool isDestination, uint32_t &bytes) {
  const OperandSyntax *from;
  MOERT_TRY(next(from));
  if (from->kind != OperandSyntax::Kind::Vector || from->elements.size() != count)
    return refuse("expected a vector of ", count);
  bytes = 0;
  for (const OperandSyntax &element : from->elements) {
    uint32_t own = 0;
    MOERT_TRY(isDestination ? takeWritable(element, type, true, own) : takeValue(element, type, true, own));
    const bool hasSize = element.kind == OperandSyntax::Kind::Name && element.name != "_";
    if (hasSize && bytes && own != bytes)
      return refuse("registers of different sizes in a vector");
    bytes = hasSize ? own : bytes;
  }
  bytes = std::max(bytes, getBytes(type));
  // Numbers were given the size of the type.
  for (size_t i = 0; i < count; ++i)
    if (const OperandSyntax &element = from->elements[i]; element.kind == OperandSyntax::Kind::Integer)
      instruction.slots[slot - count + i] = names.getConstant(element.bits, bytes);
  return Status::success();
}

void Decoder::fillOpenPart(const OperandSyntax &from, size_t index, Type type) {
  if (from.kind == OperandSyntax::Kind::Name && names.isNeverWritten(from.name) && names.findRegister(from.name))
    instruction.slots[index] = names.getConstant(getBytes(type) == 2 ? 0x7fff : 0x7fffffff, getBytes(type));
}

bool Decoder::isVariableIn(VariableSpace space) const {
  const OperandSyntax *from = peek();
  const Variable *variable =
      from && from->kind == OperandSyntax::Kind::Address ? names.findVariable(from->name) : nullptr;
  return variable && variable->space == space;
}

Status Decoder::takeDestinationPair(Type type, bool &hasSecond) {
  const OperandSyntax *from;
  uint32_t bytes;
  MOERT_TRY(next(from));
  hasSecond = from->kind == OperandSyntax::Kind::Pair;
  MOERT_TRY(takeWritable(hasSecond ? from->elements[0] : *from, type, false, bytes));
  if (hasSecond)
    return takeWritable(from->elements[1], Type::Pred, false, bytes);
  addSlot(names.getPool().getSink());
  return Status::success();
}

Status Decoder::takePredicate(bool &isNegated) {
  const OperandSyntax *from;
  uint32_t bytes;
  MOERT_TRY(next(from));
  isNegated = from->kind == OperandSyntax::Kind::Negated;
  const OperandSyntax plain = {isNegated ? OperandSyntax::Kind::Name : from->kind, from->name, from->bits, {}};
  return takeValue(plain, Type::Pred, false, bytes);
}

Status Decoder::takeAddress(size_t which) {
  const OperandSyntax *from;
  MOERT_TRY(next(from));
  if (from->kind != OperandSyntax::Kind::Address)
    return refuse("expected an address");
  AddressOperand &address = instruction.addresses[which];
  address.offset = static_cast<int64_t>(from->bits);
  const Variable *variable = names.findVariable(from->name);
  if (variable && variable->space == VariableSpace::KernelParameter)
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
  const Variable *variable = from->kind == OperandSyntax::Kind::Address ? names.findVariable(from->name) : nullptr;
  if (!variable || variable->space != VariableSpace::KernelParameter)
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
